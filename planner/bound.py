"""
The most a corridor could carry, and what binds.

Think of a steady day: `f` round trips an hour leave the loading bays laden, cross, unload and come home empty. Each trip puts one
truck on every lane of its way, one service on a bay at each end, one process on each gate it passes. So, with laden flow x and
empty flow y on every lane (trucks an hour):

    at every node            flow in = flow out, laden and empty apart; only a bay turns one into the other
    loading, unloading bay   f_bay        <= availability / (mean service + changeover)
    gate                     x + y        <= 1 / mean process
    X-ray branch             share · f    <= sum of 1 / mean process over the branch's gates
    lane                     x + y        <= 1 / ((L + c)/v + T + v/(2b)), the least headway that absolute braking allows
    one-lane section         all branches together <= the same
    trucks (Little's law)    sum of (x + y) · lane time + f · (services, processes, stops) <= number of trucks

The greatest f is a linear program. It is an upper bound: no dispatcher, order or timetable appears in it, a lane takes no longer
than its limit allows, nobody waits. The resource with the greatest price (dual value times capacity) is the bottleneck.

From a rate to a count: in a run of T open seconds the bottleneck works neither while the first truck is on its way to it nor
after the last truck that can still get home has left it; together that is one unhindered cycle less its own service and less
the drive from the yard's entry to a bay, which the first trip does not make. And a fleet that is never hindered completes, per
truck, the number of cycles that fit: cycles are sums of independent services, so k of them take k·c on average with variance
k·s², and the expected count is the sum over k of the chance that k cycles fit. The smaller of the two is the bound. It bounds the
expectation: a short lucky day may beat it by a trip.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.sparse import csr_array

from planner.corridor import Corridor, Gate, GateRole, Lane, Process, Stand, StandKind, TruckType, YardRole, ZoneKind

Row = dict[int, float]

# Metres between a standing tail and the nose behind it, and seconds from a tail's move to the follower's: below anything built.
CLEARANCE_M: Final = 2.0
REACTION_S: Final = 1.0
SECONDS_PER_HOUR: Final = 3600.0
FLEET: Final = "fleet"


def mean_s(process: Process) -> float:
    """Expected seconds of a process; of a cut lognormal the uncut mean, which is less."""
    return (process.a + process.b + process.c) / 3.0 if process.shape == "triangular" else process.a


def variance_s2(process: Process) -> float:
    """Variance of a process, seconds squared."""
    if process.shape == "triangular":
        a, b, c = process.a, process.b, process.c
        return (a * a + b * b + c * c - a * b - a * c - b * c) / 18.0
    return (process.a * process.b) ** 2 if process.shape == "lognormal" else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundQuestion:
    """
    The day to bound; seconds.

    *shares* of its time that a gate, by its id, has for our trucks; all of it where none is said.
    """

    truck_type: TruckType
    truck_count: int
    open_s: float
    bay_service_s: float
    bay_service_cv: float = 0.0
    bay_changeover_s: float = 0.0
    bay_availability: float = 1.0
    inspection_share: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        corridor: Corridor,
        *,
        truck_count: int,
        open_s: float,
        availability: float = 1.0,
        inspection_share: float = 0.0,
        shares: Mapping[str, float] | None = None,
    ) -> BoundQuestion:
        """
        The question for a corridor whose processes `bay` and, if it takes any time, `bay_changeover` say how bays work.

        The first truck type stands for all.
        """
        bay = corridor.processes["bay"]
        changeover = corridor.processes.get("bay_changeover")
        return cls(
            truck_type=corridor.truck_types[0],
            truck_count=truck_count,
            open_s=open_s,
            bay_service_s=mean_s(bay),
            bay_service_cv=math.sqrt(variance_s2(bay)) / mean_s(bay),
            bay_changeover_s=0.0 if changeover is None else mean_s(changeover),
            bay_availability=availability,
            inspection_share=inspection_share,
            shares=shares or {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """At most *round_trips* in the open seconds; *name* binds at *capacity_per_h*; one trip unhindered takes *cycle_s*."""

    name: str
    capacity_per_h: float
    round_trips: float
    cycle_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    """Outcome of the program: round trips per second, and the price share of each named resource."""

    per_s: float
    prices: dict[str, float]


class _Flow:
    """The program's columns: laden flow per lane, empty flow per lane, then flow turned round at each bay."""

    def __init__(self, corridor: Corridor, question: BoundQuestion) -> None:
        self.corridor = corridor
        self.question = question
        self.lanes = len(corridor.lanes)
        roles = {yard.yard_id: yard.role for yard in corridor.yards}
        bays = [stand for stand in corridor.stands if stand.kind is StandKind.BAY]
        self.loading = [bay for bay in bays if roles[bay.yard_id] is YardRole.LOADING]
        self.unloading = [bay for bay in bays if roles[bay.yard_id] is YardRole.UNLOADING]
        self.columns = 2 * self.lanes + len(self.loading) + len(self.unloading)
        self.rows: list[Row] = []
        self.limits: list[float] = []
        self.names: list[str] = []

    def laden(self, lane_ix: int) -> int:
        return lane_ix

    def empty(self, lane_ix: int) -> int:
        return self.lanes + lane_ix

    def turned(self) -> list[tuple[int, Stand]]:
        """Column and bay of every bay, the loading yard's first."""
        return [(2 * self.lanes + k, bay) for k, bay in enumerate([*self.loading, *self.unloading])]

    def limit(self, name: str, row: Row, most: float) -> None:
        self.names.append(name)
        self.rows.append(row)
        self.limits.append(most)

    def balance(self) -> list[Row]:
        """At each node, laden and empty apart: what comes in less what goes out is nothing."""
        at: dict[tuple[str, bool], Row] = {}
        for ix, lane in enumerate(self.corridor.lanes):
            for column, kind in ((self.laden(ix), True), (self.empty(ix), False)):
                _add(at.setdefault((lane.to_node_id, kind), {}), column, 1.0)
                _add(at.setdefault((lane.from_node_id, kind), {}), column, -1.0)
        for k, (column, bay) in enumerate(self.turned()):
            node_id = self.corridor.lanes[self.corridor.lane_ix[bay.lane_id]].to_node_id
            now_laden = k < len(self.loading)
            _add(at[node_id, now_laden], column, 1.0)
            _add(at[node_id, not now_laden], column, -1.0)
        return list(at.values())

    def stop_loss_s(self, lane_ix: int, *, laden: bool) -> float:
        """Seconds that standing still once on a lane costs over driving through at its limit."""
        kind = self.question.truck_type
        v = min(self.corridor.lanes[lane_ix].speed_max_mps, kind.speed_max_mps)
        pull = kind.acceleration_laden_mps2 if laden else kind.acceleration_empty_mps2
        return v / (2.0 * kind.brake_service_mps2) + v / (2.0 * pull)


def _add(row: Row, column: int, value: float) -> None:
    row[column] = row.get(column, 0.0) + value


def _group(gate: Gate, lane: Lane) -> str:
    """Gates that do the same work side by side have one name: their role and where trucks come from."""
    return f"{gate.role.value} gates after {lane.from_node_id}"


def _lane_headway_s(lane: Lane, kind: TruckType) -> float:
    v = min(lane.speed_max_mps, kind.speed_max_mps)
    best = math.sqrt(2.0 * kind.brake_service_mps2 * (kind.length_m + CLEARANCE_M))
    v = min(v, best)
    return (kind.length_m + CLEARANCE_M) / v + REACTION_S + v / (2.0 * kind.brake_service_mps2)


def _add_places(flow: _Flow) -> None:
    """Bays, gates, the X-ray branch, lanes and one-lane sections: each no more than it can serve."""
    corridor, question = flow.corridor, flow.question
    per_bay = question.bay_availability / (question.bay_service_s + question.bay_changeover_s)
    for k, (column, bay) in enumerate(flow.turned()):
        name = "loading bays" if k < len(flow.loading) else "unloading bays"
        flow.limit(name, {column: 1.0}, per_bay)
        entering = flow.empty if k < len(flow.loading) else flow.laden
        flow.limit("", {column: 1.0, entering(corridor.lane_ix[bay.lane_id]): -1.0}, 0.0)
    scans = 0.0
    for gate in corridor.gates:
        lane_ix = corridor.lane_ix[gate.lane_id]
        per_s = question.shares.get(gate.gate_id, 1.0) / max(1e-3, mean_s(corridor.processes[gate.process]))
        if gate.role is GateRole.XRAY:
            scans += per_s
        elif not gate.drive_through:
            flow.limit(_group(gate, corridor.lanes[lane_ix]), {flow.laden(lane_ix): 1.0, flow.empty(lane_ix): 1.0}, per_s)
    if scans > 0.0 and question.inspection_share > 0.0:
        flow.limit("inspection", {column: question.inspection_share for column, _ in flow.turned()[: len(flow.loading)]}, scans)
    for ix, lane in enumerate(corridor.lanes):
        most = 1.0 / _lane_headway_s(lane, question.truck_type)
        flow.limit(f"lane {lane.lane_id}", {flow.laden(ix): 1.0, flow.empty(ix): 1.0}, most)
    for zone in corridor.zones:
        if zone.derived or zone.kind is not ZoneKind.DIRECTIONAL:
            continue
        rows = sorted({corridor.lane_ix[part.stretch.lane_id] for part in zone.parts})
        most = max(1.0 / _lane_headway_s(corridor.lanes[ix], question.truck_type) for ix in rows)
        # One branch may run over several lanes in turn: its trucks count once, on the lane where the branch begins.
        first = {part.branch: corridor.lane_ix[part.stretch.lane_id] for part in reversed(zone.parts)}
        row: Row = {}
        for ix in set(first.values()):
            row |= {flow.laden(ix): 1.0, flow.empty(ix): 1.0}
        flow.limit(f"section {zone.zone_id}", row, most)


def _add_fleet(flow: _Flow) -> None:
    """Little's law: trucks on the way are flow times seconds, and there are only so many trucks."""
    corridor, question = flow.corridor, flow.question
    row: Row = {}
    for ix, lane in enumerate(corridor.lanes):
        drive_s = lane.length_m / min(lane.speed_max_mps, question.truck_type.speed_max_mps)
        _add(row, flow.laden(ix), drive_s)
        _add(row, flow.empty(ix), drive_s)
    for gate in corridor.gates:
        if gate.drive_through or gate.role is GateRole.XRAY:
            continue
        ix = corridor.lane_ix[gate.lane_id]
        stand_s = mean_s(corridor.processes[gate.process])
        _add(row, flow.laden(ix), stand_s + flow.stop_loss_s(ix, laden=True))
        _add(row, flow.empty(ix), stand_s + flow.stop_loss_s(ix, laden=False))
    for column, bay in flow.turned():
        _add(row, column, question.bay_service_s + flow.stop_loss_s(corridor.lane_ix[bay.lane_id], laden=True))
    flow.limit(FLEET, row, float(question.truck_count))


def _matrix(rows: Sequence[Row], columns: int) -> csr_array:
    entries = [(r, c, v) for r, row in enumerate(rows) for c, v in row.items()]
    at, of, values = zip(*entries, strict=True)
    return csr_array((np.array(values), (np.array(at), np.array(of))), shape=(len(rows), columns))


def _solve(corridor: Corridor, question: BoundQuestion, *, places: bool) -> _Rate:
    """
    Greatest round trips per second, with or without the limits of places.

    Raises:
        ValueError: no truck can go round: there is no way between bays of both yards.
    """
    flow = _Flow(corridor, question)
    if places:
        _add_places(flow)
    else:
        for k, (column, bay) in enumerate(flow.turned()):
            entering = flow.empty if k < len(flow.loading) else flow.laden
            flow.limit("", {column: 1.0, entering(corridor.lane_ix[bay.lane_id]): -1.0}, 0.0)
    _add_fleet(flow)
    gain = np.zeros(flow.columns)
    for column, _ in flow.turned()[: len(flow.loading)]:
        gain[column] = -1.0
    balance = flow.balance()
    done = linprog(
        gain,
        A_ub=_matrix(flow.rows, flow.columns),
        b_ub=np.array(flow.limits),
        A_eq=_matrix(balance, flow.columns),
        b_eq=np.zeros(len(balance)),
        method="highs",
    )
    if not done.success or -done.fun <= 0.0:
        raise ValueError(f"site {corridor.site_id}: no way round between the bays of both yards")
    prices: dict[str, float] = {}
    marginals: npt.NDArray[np.float64] = done.ineqlin.marginals
    for name, most, price in zip(flow.names, flow.limits, marginals, strict=True):
        prices[name] = prices.get(name, 0.0) - price * most
    return _Rate(per_s=-float(done.fun), prices=prices)


def _to_bay_s(corridor: Corridor, kind: TruckType) -> float:
    """Shortest seconds from the loading yard's entry to one of its bays."""
    yard = corridor.yard_by_role[YardRole.LOADING]
    goals = {stand.lane_id: stand.stop_m for stand in corridor.stands if stand.yard_id == yard.yard_id and stand.kind is StandKind.BAY}
    after: dict[str, list[Lane]] = {}
    for lane in corridor.lanes:
        after.setdefault(lane.from_node_id, []).append(lane)
    waiting = [(0.0, lane_id) for lane_id in yard.entry_lane_ids]
    seen: set[str] = set()
    while waiting:
        now_s, lane_id = heapq.heappop(waiting)
        if lane_id in seen:
            continue
        seen.add(lane_id)
        lane = corridor.lanes[corridor.lane_ix[lane_id]]
        v = min(lane.speed_max_mps, kind.speed_max_mps)
        if lane_id in goals:
            return now_s + goals[lane_id] / v
        for following in after.get(lane.to_node_id, ()):
            heapq.heappush(waiting, (now_s + lane.length_m / v, following.lane_id))
    return 0.0


def _trips_that_fit(question: BoundQuestion, corridor: Corridor, cycle_s: float, saved_s: float) -> float:
    """Expected round trips of one unhindered truck; the first is shorter by *saved_s*."""
    spread_s2 = 2.0 * (question.bay_service_s * question.bay_service_cv) ** 2
    spread_s2 += sum(variance_s2(corridor.processes[process]) for process in {gate.process for gate in corridor.gates})
    count, k, chance = 0.0, 1, 1.0
    while chance > 1e-6:
        spare_s = question.open_s - (k * cycle_s - saved_s)
        scale_s = math.sqrt(2.0 * k * spread_s2)
        chance = 0.5 * math.erfc(-spare_s / scale_s) if scale_s > 0.0 else float(spare_s >= 0.0)
        count += chance
        k += 1
    return count


def upper_bound(corridor: Corridor, question: BoundQuestion) -> Bound:
    """
    The bound on round trips, what binds, and the unhindered cycle.

    Raises:
        ValueError: no truck can go round.
    """
    cycle_s = 1.0 / _solve(corridor, replace(question, truck_count=1), places=False).per_s
    saved_s = _to_bay_s(corridor, question.truck_type)
    fleet_trips = question.truck_count * _trips_that_fit(question, corridor, cycle_s, saved_s)
    # So many trucks that only places bind.
    crowd = question.truck_count + 100 * len(corridor.stands)
    unmanned = _solve(corridor, replace(question, truck_count=crowd), places=True)
    whole = _solve(corridor, question, places=True)
    own_s = question.bay_service_s
    place_trips = unmanned.per_s * max(0.0, question.open_s - max(0.0, cycle_s - own_s - saved_s))
    fleet_rate = question.truck_count / cycle_s
    name = max(whole.prices, key=lambda each: whole.prices[each])
    if place_trips < fleet_trips and name == FLEET and unmanned.per_s < fleet_rate:
        name = max((each for each in unmanned.prices if each != FLEET), key=lambda each: unmanned.prices[each])
    return Bound(
        name=name,
        capacity_per_h=SECONDS_PER_HOUR * (fleet_rate if name == FLEET else unmanned.per_s),
        round_trips=min(place_trips, fleet_trips),
        cycle_s=cycle_s,
    )
