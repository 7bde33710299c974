"""
The most a corridor could carry, and what binds.

Think of a steady day: `f` round trips an hour leave the loading bays laden, cross, unload and come home empty. Each trip puts one
truck on every lane of its way, one service on a bay at each end, one process on each gate it passes. So, with laden flow x and
empty flow y on every lane (trucks an hour):

    at every node            flow in = flow out, laden and empty apart; only a bay turns one into the other
    loading, unloading bay   f_bay        <= availability / (mean service + changeover)
    gate                     x + y        <= 1 / (mean process + the least time until the next truck can stand at the line)
    meeting behind gates     x + y        <= 1 / (the least run from a gate's line until the next truck may set off)
    X-ray branch             share * f    <= sum of 1 / mean process over the branch's gates
    lane                     x + y        <= 1 / ((L + c)/v + T + v/(2b)), the least headway that absolute braking allows
    one-lane section         all branches together <= the same
    trucks (Little's law)    sum of (x + y) * lane time + f * (services, processes, stops) <= number of trucks

The greatest f is a linear program (`planner.flow`; `planner.exchange` has the times at gates). It is an upper bound: no dispatcher,
order or timetable appears in it, a lane takes no longer than its limit allows, nobody waits. The resource with the greatest price (dual
value times capacity) is the bottleneck.

Of a day that changes (weather, a gate shut, a loader out) the spells between the changes have flows of their own, and trucks may wait
from one to another: what cannot pass now may pass later where there is capacity then. So every place counts with what it can
do in all its time, and a gate that is shut for an hour costs the bound no more than what bays beyond it have no truck left to work on,
and what trucks before it have nothing left to do, wherever they were when it shut.

From a rate to a count: in a run of T open seconds the bottleneck works neither while the first truck is on its way to it nor
after the last truck that can still get home has left it; together that is one unhindered cycle less its own service and less
the drive from the yard's entry to a bay, which the first trip does not make. And a fleet that is never hindered completes, per
truck, the number of cycles that fit: cycles are sums of independent services, so k of them take k*c on average with variance
k*s^2, and the expected count is the sum over k of the chance that k cycles fit. Of a day of several spells the program itself is asked a
third time, with trucks and with what bays lose at the ends. The smallest of the three is the bound. It bounds the expectation: a short
lucky day may beat it by a trip.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from planner.corridor import BAY_PROCESS, Corridor, Lane, Process, StandKind, TruckType, YardRole
from planner.flow import FLEET, Bays, Flows, Spell, greatest

__all__ = ["Bound", "BoundQuestion", "Spell", "to_bay_s", "upper_bound", "upper_bound_over", "variance_s2"]

SECONDS_PER_HOUR: Final = 3600.0


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
        bay = corridor.processes[BAY_PROCESS]
        changeover = corridor.processes.get("bay_changeover")
        return cls(
            truck_type=corridor.truck_types[0],
            truck_count=truck_count,
            open_s=open_s,
            bay_service_s=bay.mean_s,
            bay_service_cv=math.sqrt(variance_s2(bay)) / bay.mean_s,
            bay_changeover_s=0.0 if changeover is None else changeover.mean_s,
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


def to_bay_s(corridor: Corridor, kind: TruckType) -> float:
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


def _trips_that_fit(question: BoundQuestion, corridor: Corridor, open_s: float, cycle_s: float, saved_s: float) -> float:
    """Expected round trips of one unhindered truck; the first is shorter by *saved_s*."""
    spread_s2 = 2.0 * (question.bay_service_s * question.bay_service_cv) ** 2
    spread_s2 += sum(variance_s2(corridor.processes[process]) for process in {gate.process for gate in corridor.gates})
    count, k, chance = 0.0, 1, 1.0
    while chance > 1e-6:
        spare_s = open_s - (k * cycle_s - saved_s)
        scale_s = math.sqrt(2.0 * k * spread_s2)
        chance = 0.5 * math.erfc(-spare_s / scale_s) if scale_s > 0.0 else float(spare_s >= 0.0)
        count += chance
        k += 1
    return count


def upper_bound(corridor: Corridor, question: BoundQuestion) -> Bound:
    """
    The bound on round trips, what binds, and the unhindered cycle, on a day that stays as it is.

    Raises:
        ValueError: no truck can go round.
    """
    spell = Spell(corridor=corridor, open_s=question.open_s, truck_count=question.truck_count, shares=question.shares)
    return upper_bound_over([spell], question)


def upper_bound_over(spells: Sequence[Spell], question: BoundQuestion) -> Bound:
    """
    The same on a day of *spells*; trucks, hours and shares are theirs, and the cycle is the longest spell's.

    Raises:
        ValueError: no truck can go round.
    """
    day = _Day([spell for spell in spells if spell.open_s > 0.0] or spells[:1], question)
    return day.bound()


class _Day:
    """The programs of one day, and what is counted of them."""

    def __init__(self, spells: Sequence[Spell], question: BoundQuestion) -> None:
        self._spells, self._question = spells, question
        self._bays = Bays(
            service_s=question.bay_service_s,
            service_cv=question.bay_service_cv,
            changeover_s=question.bay_changeover_s,
            availability=question.bay_availability,
        )
        self._open_s = sum(spell.open_s for spell in spells)
        self._longest = max(spells, key=lambda spell: spell.open_s)
        self._cycles_s: dict[int, float] = {}

    def _greatest(self, spells: Sequence[Spell], *, places: bool = True, lost_s: float = 0.0) -> Flows:
        question = self._question
        return greatest(spells, question.truck_type, self._bays, question.inspection_share, places=places, lost_s=lost_s)

    def _cycle_s(self, spell: Spell) -> float:
        """
        One trip unhindered.

        Raises:
            ValueError: there is no way between bays of both yards.
        """
        known = id(spell.corridor)
        if known not in self._cycles_s:
            alone = Spell(corridor=spell.corridor, open_s=1.0, truck_count=1)
            per_s = self._greatest([alone], places=False).round_trips
            if per_s <= 0.0:
                raise ValueError(f"site {spell.corridor.site_id}: no way round between the bays of both yards")
            self._cycles_s[known] = 1.0 / per_s
        return self._cycles_s[known]

    def _crowd(self, spells: Sequence[Spell]) -> list[Spell]:
        """So many trucks that only places bind."""
        return [replace(spell, truck_count=spell.truck_count + 100 * len(spell.corridor.stands)) for spell in spells]

    def _at_the_ends_per_s(self, lost_s: float) -> float:
        """The least rate of places in what lies within *lost_s* of either end: what is lost there is lost at no greater one."""
        if len(self._spells) == 1:
            return self._unmanned.round_trips / self._open_s
        from_s, near = 0.0, []
        for spell in self._spells:
            if from_s < lost_s or from_s + spell.open_s > self._open_s - lost_s:
                near.append(spell)
            from_s += spell.open_s
        if any(spell.stopped for spell in near):
            return 0.0
        return min(self._greatest([spell]).round_trips / spell.open_s for spell in self._crowd(near))

    def bound(self) -> Bound:
        """The bound of the day."""
        spells, question = self._spells, self._question
        # On a day on which nobody drives a trip takes as long as it would; there is just none.
        driven = [spell for spell in spells if not spell.stopped] or spells
        cycle_s = self._cycle_s(self._longest if not self._longest.stopped else driven[0])
        saved_s = to_bay_s(self._longest.corridor, question.truck_type)
        # Seconds of the longest spell's going in which as much of a trip is driven, and the trucks that are there on average.
        worth_s = sum(spell.open_s * cycle_s / self._cycle_s(spell) for spell in driven if not spell.stopped)
        trucks = sum(spell.open_s * spell.truck_count for spell in spells) / max(1.0, self._open_s)
        fleet_trips = trucks * _trips_that_fit(question, self._longest.corridor, worth_s, cycle_s, saved_s)
        self._unmanned = self._greatest(self._crowd(spells))
        whole = self._greatest(spells)
        lost_s = max(0.0, min(self._cycle_s(spell) for spell in driven) - question.bay_service_s - saved_s)
        place_trips = max(0.0, self._unmanned.round_trips - self._at_the_ends_per_s(lost_s) * min(lost_s, self._open_s))
        name = max(whole.prices, key=lambda each: whole.prices[each])
        fleet_per_s = trucks / cycle_s * worth_s / self._open_s
        unmanned_per_s = self._unmanned.round_trips / self._open_s
        if place_trips < fleet_trips and name == FLEET and unmanned_per_s < fleet_per_s:
            name = max((each for each in self._unmanned.prices if each != FLEET), key=lambda each: self._unmanned.prices[each])
        per_s = min(whole.round_trips / self._open_s, fleet_per_s if name == FLEET else unmanned_per_s)
        return Bound(
            name=name,
            capacity_per_h=SECONDS_PER_HOUR * per_s,
            round_trips=min(place_trips, fleet_trips, self._greatest(spells, lost_s=lost_s).round_trips),
            cycle_s=cycle_s,
        )
