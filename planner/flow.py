"""
Flows of trucks round a corridor over a day, as a linear program: the columns, what limits them, and the greatest count.

A day is a row of *spells*, in each of which the road is one and the same. Every spell has its own flows on every lane (laden and
empty) and at every bay, within what the road can take in its time; what comes to a node in one spell may go on in another, as many as
wait there. Trucks are where they suit the day best when it begins, any number may wait at any node, and at the end they are where they
were. That is generous, and has to be: trucks that are on their way when a gate shuts go on to the bays behind it, and a timetable may
have them there just then. A program that lets flows stop with the gate says that 30 trucks make 47 trips an hour across rails that are
shut every hour for a quarter of it; who spends that quarter in the bays makes more. But there are only so many trucks: while a gate is
shut each of them is served once in a yard, and waits.

Work at a bay or a gate that the end of a spell cuts counts in both by its parts, and its truck is by parts at the nodes before and behind
it. A lane counts in the spell in which its truck leaves it. What the truck has done of it before was done in earlier time: at most the
longest that anything leaving the node takes, for each truck at the node.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from planner.corridor import Corridor, Gate, GateRole, Lane, Stand, StandKind, TruckType, YardRole, ZoneKind
from planner.exchange import exchange_s, merge_s, merging, pull_mps2

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Row = dict[int, float]
Node = tuple[str, bool]

# Metres between a standing tail and the nose behind it, and seconds from a tail's move to the follower's: below anything built.
CLEARANCE_M: Final = 2.0
REACTION_S: Final = 1.0
FLEET: Final = "fleet"
LOADING: Final = "loading bays"
UNLOADING: Final = "unloading bays"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bays:
    """How bays work, seconds; *availability* is the share of its time that a bay's machine is sound."""

    service_s: float
    service_cv: float = 0.0
    changeover_s: float = 0.0
    availability: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """
    A part of the day, of so many open seconds, in which the road is *corridor* and so many trucks are about.

    *shares* of its time that a gate, a bay or a lane, by its id, has for our trucks; all of it where none is said. *stopped*: nobody
    drives.
    """

    corridor: Corridor
    open_s: float
    truck_count: int
    shares: Mapping[str, float] = field(default_factory=dict)
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """The greatest count of round trips over some spells, and each named resource's part of the price."""

    round_trips: float
    prices: dict[str, float]


def greatest(spells: Sequence[Spell], kind: TruckType, bays: Bays, inspection_share: float, *, places: bool, lost_s: float = 0.0) -> Flows:
    """
    The most round trips over *spells*, with or without the limits of places; none where nobody can go round.

    Each bay does nothing that counts for *lost_s* at the ends of the day together.
    """
    programs: list[_Spell] = []
    column = 0
    for spell in spells:
        programs.append(_Spell(spell, kind, bays, column))
        column = programs[-1].past
    between = _Between(programs, column)
    for program in programs:
        if places:
            _add_places(program, inspection_share)
        _add_ways_to_bays(program)
    if places and lost_s > 0.0:
        _add_ends(programs, lost_s)
    between.add_fleet()
    column = between.past
    gain = np.zeros(column)
    for program in programs:
        for at, _ in program.turned()[: len(program.loading)]:
            gain[at] = -program.spell.open_s
    most = [bound for program in programs for bound in program.most()] + between.most()
    rows = [(row, limit) for program in programs for row, limit in zip(program.rows, program.limits, strict=True)]
    from scipy.optimize import linprog  # noqa: PLC0415 - a third of a second, for which a server that was killed does not wait

    done = linprog(
        gain,
        A_ub=_matrix([row for row, _ in rows], column),
        b_ub=np.array([limit for _, limit in rows]),
        A_eq=_matrix([row for row, _ in between.kept], column),
        b_eq=np.array([total for _, total in between.kept]),
        bounds=most,
        method="highs",
    )
    assert done.success, f"a day on which nobody drives is always possible: {done.message}"
    names = [name for program in programs for name in program.names]
    prices: dict[str, float] = {}
    marginals: npt.NDArray[np.float64] = done.ineqlin.marginals
    for name, (_, limit), price in zip(names, rows, marginals, strict=True):
        prices[name] = prices.get(name, 0.0) - price * limit
    prices[FLEET] -= float(done.eqlin.marginals[-1]) * between.kept[-1][1]
    return Flows(round_trips=-float(done.fun), prices=prices)


class _Spell:
    """One spell's columns: laden flow per lane, empty flow per lane, flow turned round at each bay, all per second."""

    def __init__(self, spell: Spell, kind: TruckType, bays: Bays, first: int) -> None:
        self.spell, self.corridor, self.kind, self.work = spell, spell.corridor, kind, bays
        self.lanes = len(self.corridor.lanes)
        roles = {yard.yard_id: yard.role for yard in self.corridor.yards}
        stands = [stand for stand in self.corridor.stands if stand.kind is StandKind.BAY]
        self.loading = [bay for bay in stands if roles[bay.yard_id] is YardRole.LOADING]
        self.unloading = [bay for bay in stands if roles[bay.yard_id] is YardRole.UNLOADING]
        self.first = first
        self.past = first + 2 * self.lanes + len(self.loading) + len(self.unloading)
        self.rows: list[Row] = []
        self.limits: list[float] = []
        self.names: list[str] = []

    def laden(self, lane_ix: int) -> int:
        return self.first + lane_ix

    def empty(self, lane_ix: int) -> int:
        return self.first + self.lanes + lane_ix

    def turned(self) -> list[tuple[int, Stand]]:
        """Column and bay of every bay, the loading yard's first."""
        return [(self.first + 2 * self.lanes + k, bay) for k, bay in enumerate([*self.loading, *self.unloading])]

    def limit(self, name: str, row: Row, most: float) -> None:
        self.names.append(name)
        self.rows.append(row)
        self.limits.append(most)

    def most(self) -> list[tuple[float, float | None]]:
        """Least and most of every column."""
        return [(0.0, 0.0 if self.spell.stopped else None)] * (self.past - self.first)

    def share(self, name: str) -> float:
        """Of its time that a gate, a bay or a lane has for us."""
        return self.spell.shares.get(name, 1.0)

    def inflow(self) -> dict[Node, Row]:
        """At each node, laden and empty apart: what comes in less what goes out, per second."""
        at: dict[Node, Row] = {}
        for ix, lane in enumerate(self.corridor.lanes):
            for column, laden in ((self.laden(ix), True), (self.empty(ix), False)):
                _add(at.setdefault((lane.to_node_id, laden), {}), column, 1.0)
                _add(at.setdefault((lane.from_node_id, laden), {}), column, -1.0)
        for k, (column, bay) in enumerate(self.turned()):
            node_id = self.corridor.lanes[self.corridor.lane_ix[bay.lane_id]].to_node_id
            now_laden = k < len(self.loading)
            _add(at[node_id, now_laden], column, 1.0)
            _add(at[node_id, not now_laden], column, -1.0)
        return at

    def stop_loss_s(self, lane_ix: int, *, laden: bool) -> float:
        """Seconds that standing still once on a lane costs over driving through at its limit."""
        v = min(self.corridor.lanes[lane_ix].speed_max_mps, self.kind.speed_max_mps)
        return v / (2.0 * self.kind.brake_service_mps2) + v / (2.0 * pull_mps2(self.kind, laden=laden))


def _add(row: Row, column: int, value: float) -> None:
    row[column] = row.get(column, 0.0) + value


class _Between:
    """
    Where the trucks are when each spell begins, and the last one ends as the first began.

    Columns: trucks at each node, laden and empty apart, and the seconds that they have done of what they are at. *kept*: what must be equal.
    """

    def __init__(self, programs: Sequence[_Spell], first: int) -> None:
        self._programs = programs
        self._inflows = [program.inflow() for program in programs]
        self._nodes = sorted({node for inflow in self._inflows for node in inflow})
        self._at = {node: k for k, node in enumerate(self._nodes)}
        self._first = first
        self._each = len(self._nodes) + 1
        self.past = first + self._each * len(programs)
        self.kept: list[tuple[Row, float]] = []

    def _there(self, spell: int, node: Node) -> int:
        return self._first + (spell % len(self._programs)) * self._each + self._at[node]

    def _begun(self, spell: int) -> int:
        return self._first + (spell % len(self._programs)) * self._each + len(self._nodes)

    def most(self) -> list[tuple[float, float | None]]:
        """Least and most of every column."""
        return [(0.0, None)] * (self.past - self._first)

    def add_fleet(self) -> None:
        """Nobody is lost or made; and Little's law: trucks on the way are flow times seconds, and there are only so many trucks."""
        for spell, (program, inflow) in enumerate(zip(self._programs, self._inflows, strict=True)):
            for node in self._nodes:
                row = {column: value * program.spell.open_s for column, value in inflow.get(node, {}).items()}
                _add(row, self._there(spell, node), 1.0)
                _add(row, self._there(spell + 1, node), -1.0)
                self.kept.append((row, 0.0))
            busy = _on_the_way(program)
            _add(busy, self._begun(spell), -1.0 / program.spell.open_s)
            _add(busy, self._begun(spell + 1), 1.0 / program.spell.open_s)
            program.limit(FLEET, busy, float(program.spell.truck_count))
            doing = {self._there(spell, node): -longest_s for node, longest_s in _longest_s(program).items()}
            program.limit("", {self._begun(spell): 1.0, **doing}, 0.0)
        trucks = max(program.spell.truck_count for program in self._programs)
        self.kept.append(({self._there(0, node): 1.0 for node in self._nodes}, float(trucks)))


def _longest_s(flow: _Spell) -> dict[Node, float]:
    """The longest that anything takes which a truck at a node, laden or empty, may have begun."""
    seconds, longest_s = _on_the_way(flow), dict[Node, float]()
    for node, flows in flow.inflow().items():
        longest_s[node] = max([seconds.get(column, 0.0) for column, value in flows.items() if value < 0.0], default=0.0)
    return longest_s


def _group(gate: Gate, lane: Lane) -> str:
    """Gates that do the same work side by side have one name: their role and where trucks come from."""
    return f"{gate.role.value} gates after {lane.from_node_id}"


def _lane_headway_s(lane: Lane, kind: TruckType) -> float:
    v = min(lane.speed_max_mps, kind.speed_max_mps)
    best = math.sqrt(2.0 * kind.brake_service_mps2 * (kind.length_m + CLEARANCE_M))
    v = min(v, best)
    return (kind.length_m + CLEARANCE_M) / v + REACTION_S + v / (2.0 * kind.brake_service_mps2)


def _add_ways_to_bays(flow: _Spell) -> None:
    """Who is turned round in a bay came on its lane."""
    for k, (column, bay) in enumerate(flow.turned()):
        entering = flow.empty if k < len(flow.loading) else flow.laden
        flow.limit("", {column: 1.0, entering(flow.corridor.lane_ix[bay.lane_id]): -1.0}, 0.0)


def _add_places(flow: _Spell, inspection_share: float) -> None:
    """Bays, gates, the X-ray branch, lanes and one-lane sections: each no more than it can serve."""
    corridor = flow.corridor
    for k, (column, bay) in enumerate(flow.turned()):
        flow.limit(LOADING if k < len(flow.loading) else UNLOADING, {column: 1.0}, _bay_per_s(flow, bay))
    _add_gates(flow, inspection_share)
    for ix, lane in enumerate(corridor.lanes):
        most = flow.share(lane.lane_id) / _lane_headway_s(lane, flow.kind)
        flow.limit(f"lane {lane.lane_id}", {flow.laden(ix): 1.0, flow.empty(ix): 1.0}, most)
    for zone in corridor.zones:
        if zone.derived or zone.kind is not ZoneKind.DIRECTIONAL:
            continue
        rows = sorted({corridor.lane_ix[part.stretch.lane_id] for part in zone.parts})
        most = max(1.0 / _lane_headway_s(corridor.lanes[ix], flow.kind) for ix in rows)
        # One branch may run over several lanes in turn: its trucks count once, on the lane where the branch begins.
        first = {part.branch: corridor.lane_ix[part.stretch.lane_id] for part in reversed(zone.parts)}
        row: Row = {}
        for ix in set(first.values()):
            row |= {flow.laden(ix): 1.0, flow.empty(ix): 1.0}
        flow.limit(f"section {zone.zone_id}", row, most)


def _add_ends(programs: Sequence[_Spell], lost_s: float) -> None:
    """What bays lose at either end of the day, at the least rate that they have there."""
    begins_s = [0.0, *accumulate(program.spell.open_s for program in programs)]
    lost_s = min(lost_s, begins_s[-1])
    spans = zip(programs, pairwise(begins_s), strict=True)
    near = [program for program, (from_s, to_s) in spans if from_s < lost_s or to_s > begins_s[-1] - lost_s]
    for k, (_, bay) in enumerate(programs[0].turned()):
        name = LOADING if k < len(programs[0].loading) else UNLOADING
        row = {program.turned()[k][0]: program.spell.open_s for program in near}
        most = sum(program.spell.open_s * _bay_per_s(program, bay) for program in near)
        programs[-1].limit(name, row, most - lost_s * min(_bay_per_s(program, bay) for program in near))


def _bay_per_s(flow: _Spell, bay: Stand) -> float:
    work = flow.work
    sound = 0.0 if flow.spell.stopped else work.availability * flow.share(bay.stand_id)
    return sound / (work.service_s + work.changeover_s)


def _add_gates(flow: _Spell, inspection_share: float) -> None:
    """
    What a gate's officers, its lane, and the place where its lane meets its neighbours' can take.

    Others' trucks take officers' time, and no road of ours; a gate without power takes both.
    """
    corridor, kind, scans = flow.corridor, flow.kind, 0.0
    for gate in corridor.gates:
        ix = corridor.lane_ix[gate.lane_id]
        served_s = max(1e-3, corridor.processes[gate.process].mean_s)
        share, name = flow.share(gate.gate_id), _group(gate, corridor.lanes[ix])
        if gate.role is GateRole.XRAY:
            scans += share / served_s
        elif gate.drive_through:
            # It opens for the next one when the tail of the one before has left it, and nobody passes the line before that.
            v = min(corridor.lanes[ix].speed_max_mps, kind.speed_max_mps)
            taken_s = served_s + (gate.clear_m - gate.stop_line_m + kind.length_m) / v
            flow.limit(name, {flow.laden(ix): taken_s, flow.empty(ix): taken_s}, share)
        else:
            flow.limit(name, {flow.laden(ix): served_s, flow.empty(ix): served_s}, share)
            taken = {
                flow.laden(ix): served_s + exchange_s(kind, laden=True),
                flow.empty(ix): served_s + exchange_s(kind, laden=False),
            }
            flow.limit(name, taken, 1.0 if share > 0.0 else 0.0)
    if scans > 0.0 and inspection_share > 0.0:
        flow.limit("inspection", {column: inspection_share for column, _ in flow.turned()[: len(flow.loading)]}, scans)
    for group in merging(corridor):
        row: Row = {}
        for gate in group:
            ix = corridor.lane_ix[gate.lane_id]
            row[flow.laden(ix)] = merge_s(corridor, gate, kind, laden=True)
            row[flow.empty(ix)] = merge_s(corridor, gate, kind, laden=False)
        where = corridor.lanes[corridor.lane_ix[group[0].lane_id]].to_node_id
        flow.limit(f"merge at {where} behind the {group[0].role.value} gates", row, 1.0)


def _on_the_way(flow: _Spell) -> Row:
    """Trucks that drive, stand at gates or are worked on, by flow."""
    row: Row = {}
    for ix, lane in enumerate(flow.corridor.lanes):
        drive_s = lane.length_m / min(lane.speed_max_mps, flow.kind.speed_max_mps)
        _add(row, flow.laden(ix), drive_s)
        _add(row, flow.empty(ix), drive_s)
    for gate in flow.corridor.gates:
        if gate.drive_through or gate.role is GateRole.XRAY:
            continue
        ix = flow.corridor.lane_ix[gate.lane_id]
        stand_s = flow.corridor.processes[gate.process].mean_s
        _add(row, flow.laden(ix), stand_s + flow.stop_loss_s(ix, laden=True))
        _add(row, flow.empty(ix), stand_s + flow.stop_loss_s(ix, laden=False))
    for column, bay in flow.turned():
        _add(row, column, flow.work.service_s + flow.stop_loss_s(flow.corridor.lane_ix[bay.lane_id], laden=True))
    return row


def _matrix(rows: Sequence[Row], columns: int) -> csr_array:
    from scipy.sparse import csr_array  # noqa: PLC0415 - as above

    entries = [(r, c, v) for r, row in enumerate(rows) for c, v in row.items()]
    at, of, values = zip(*entries, strict=True)
    return csr_array((np.array(values), (np.array(at), np.array(of))), shape=(len(rows), columns))
