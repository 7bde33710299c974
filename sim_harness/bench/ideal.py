"""
The same trucks and bays without a road: what chance and shut gates alone leave of the bound.

The bound takes every service for its mean. Real ones vary, loaders break, and trucks bunch: now and then a bay has nobody to work
on while others queue elsewhere, and no dispatcher can know it beforehand. It lets trucks be wherever a shut gate hurts them least, too,
and no fleet that goes round can be there. Here trucks go round between the two yards' bays in the time the bound gives them, first
come, first served, each bay ready again the moment its changeover is over; whose work a breakdown ends is at the next bay at once; who
comes to a gate while it is shut waits until it opens, and then nobody queues. What ours reaches beyond or short of this is the work of
road and dispatch; what this is short of the bound is not.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

import numpy as np

from planner.bound import Bound, to_bay_s
from planner.corridor import Corridor, Gate, GateRole, StandKind, YardRole
from planner.routing import Roads
from planner.tables import LaneTable
from sim_harness.clock import Streams
from sim_harness.day_bound import Outage, handovers, trains
from sim_harness.link import Work
from sim_harness.loaders import FREED_S, Chance, aboard_after
from sim_harness.plant import CONTAINERS_A_TRIP, draw_s
from sim_harness.scenario import Scenario

HOURS: Final = 400.0
DAYS: Final = 20
SECONDS_PER_HOUR: Final = 3600.0


class _Bays:
    """One yard's bays: when each is free, and when its machine is broken."""

    def __init__(self, scenario: Scenario, role: YardRole) -> None:
        corridor = scenario.corridor
        streams, rules = Streams(scenario.seed), scenario.spec.plant
        names = _bays_of(corridor, role)
        self._work = corridor.processes["bay"]
        self._changeover = corridor.processes.get("bay_changeover")
        self._rng = [streams.stream(name, "bay") for name in names]
        self._outages = [
            _Outages(Chance(rng=streams.stream(name, "failure"), mtbf_h=rules.loader_mtbf_h, mttr_min=rules.loader_mttr_min))
            for name in names
        ]
        self._free_s = [0.0] * len(names)
        self._visit = Work.LOAD if role is YardRole.LOADING else Work.UNLOAD

    def serve(self, at_s: float) -> float:
        """When a truck that comes at *at_s* is done, at the bay that can begin first; after a visit that was broken off, at the next."""
        while True:
            begins_s, bay = min((self._outages[ix].works_s(max(at_s, free_s)), ix) for ix, free_s in enumerate(self._free_s))
            at_s, share = self._outages[bay].worked(begins_s, draw_s(self._work, self._rng[bay]))
            self._free_s[bay] = at_s + (draw_s(self._changeover, self._rng[bay]) if self._changeover else 0.0)
            if (aboard_after(self._visit, share, CONTAINERS_A_TRIP) > 0) is (self._visit is Work.LOAD):
                return at_s


class _Outages:
    """When one machine broke and was mended, as far as was asked."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._sound_since_s = 0.0
        self._spells: list[tuple[float, float]] = []

    def _ending_after(self, at_s: float) -> tuple[float, float]:
        """The first spell that is not over at *at_s*."""
        while self._sound_since_s <= at_s:
            broke_s = self._sound_since_s + self._chance.sound_s()
            self._sound_since_s = broke_s + self._chance.repair_s()
            self._spells.append((broke_s, self._sound_since_s))
        return self._spells[bisect_right(self._spells, at_s, key=lambda spell: spell[1])]

    def works_s(self, at_s: float) -> float:
        """The first moment from *at_s* on in which it works."""
        broke_s, mended_s = self._ending_after(at_s)
        return at_s if at_s < broke_s else mended_s

    def worked(self, begins_s: float, takes_s: float) -> tuple[float, float]:
        """When a visit that begins on a sound machine is over, and which share of it was done."""
        done_s, since_s = 0.0, begins_s
        while True:
            broke_s, mended_s = self._ending_after(since_s)
            if since_s + takes_s - done_s <= broke_s:
                return since_s + takes_s - done_s, 1.0
            done_s += broke_s - since_s
            if mended_s - broke_s > FREED_S:
                return broke_s + FREED_S, done_s / takes_s
            since_s = mended_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """From bay to bay: seconds in all, and those to each place with gates, whose shut spells are ascending."""

    whole_s: float
    gates: tuple[tuple[float, tuple[tuple[float, float], ...]], ...]

    def there_s(self, from_s: float) -> float:
        """When a truck that sets out at *from_s* is there."""
        late_s = 0.0
        for offset_s, shut in self.gates:
            at_s = from_s + offset_s + late_s
            spell = bisect_right(shut, at_s, key=lambda each: each[0]) - 1
            if spell >= 0:
                late_s += max(0.0, shut[spell][1] - at_s)
        return from_s + self.whole_s + late_s


def _bays_of(corridor: Corridor, role: YardRole) -> list[str]:
    yard_id = corridor.yard_by_role[role].yard_id
    return [stand.stand_id for stand in corridor.stands if stand.kind is StandKind.BAY and stand.yard_id == yard_id]


def _ways(scenario: Scenario, bound: Bound, outages: Iterable[Outage]) -> tuple[_Way, _Way]:
    """Out and home, which together take what the bound gives a cycle but for its two services."""
    corridor = scenario.corridor
    first = [_bays_of(corridor, role)[0] for role in (YardRole.LOADING, YardRole.UNLOADING)]
    load, unload = (corridor.lane_ix[corridor.stands[corridor.stand_ix[bay]].lane_id] for bay in first)
    shut: dict[str, list[tuple[float, float]]] = {}
    for each in outages:
        shut.setdefault(each.name, []).append((each.from_s, each.to_s))
    legs = _legs(corridor, (load, unload), (unload, load))
    stretched = (bound.cycle_s - 2.0 * corridor.processes["bay"].mean_s) / sum(whole_s for whole_s, _ in legs)
    out, home = (
        _Way(
            whole_s=stretched * whole_s,
            gates=tuple((stretched * at_s, tuple(sorted(shut[gate.gate_id]))) for at_s, gate in gates if gate.gate_id in shut),
        )
        for whole_s, gates in legs
    )
    return out, home


def _legs(corridor: Corridor, *ends: tuple[int, int]) -> list[tuple[float, list[tuple[float, Gate]]]]:
    """
    The quickest ways between the ends of two lanes each.

    Of each its seconds, unhindered, and the gates on it, with the seconds until their lines.
    """
    kind = corridor.truck_types[0]
    speed_mps = [min(lane.speed_max_mps, kind.speed_max_mps) for lane in corridor.lanes]
    cost_s = np.array([lane.length_m / v for lane, v in zip(corridor.lanes, speed_mps, strict=True)])
    on_lane: dict[int, list[Gate]] = {}
    for gate in sorted(corridor.gates, key=lambda each: each.stop_line_m):
        ix = corridor.lane_ix[gate.lane_id]
        on_lane.setdefault(ix, []).append(gate)
        cost_s[ix] += corridor.processes[gate.process].mean_s
    roads = Roads(LaneTable.of(corridor))
    legs = []
    for source, goal in ends:
        way = roads.way(source, goal, cost_s)
        assert way is not None, "the bound found a way round"
        at_s, gates = 0.0, []
        for ix in way.lanes:
            gates += [(at_s + gate.stop_line_m / speed_mps[ix], gate) for gate in on_lane.get(ix, ())]
            at_s += float(cost_s[ix])
        legs.append((at_s, gates))
    return legs


def _trips(scenario: Scenario, ways: Sequence[_Way], until_s: float, saved_s: float) -> int:
    """Trucks that come home within *until_s*, by which time the last bit to the bays, *saved_s*, need not have been driven."""
    yards = (_Bays(scenario, YardRole.LOADING), _Bays(scenario, YardRole.UNLOADING))
    rng = Streams(scenario.seed).stream("ideal", "inspection")
    xray = next((gate.process for gate in scenario.corridor.gates if gate.role is GateRole.XRAY), None)
    arrivals = [(0.0, truck, 0) for truck in range(scenario.spec.trucks)]
    trips = 0
    while arrivals[0][0] < until_s + saved_s:
        at_s, truck, yard = heapq.heappop(arrivals)
        begins_s = yards[yard].serve(at_s)
        if yard == 0 and xray is not None and float(rng.random()) < scenario.spec.plant.inspect_share:
            begins_s += draw_s(scenario.corridor.processes[xray], rng)
        next_s = ways[yard].there_s(begins_s)
        trips += yard == 1 and next_s < until_s + saved_s
        heapq.heappush(arrivals, (next_s, truck, 1 - yard))
    return trips


def ideal_per_h(scenario: Scenario, bound: Bound, hours: float = HOURS) -> float:
    """Round trips an hour of *scenario*'s trucks when nothing on the road hinders them but trains."""
    long = replace(scenario, hours=hours)
    return _trips(scenario, _ways(scenario, bound, trains(long)), hours * SECONDS_PER_HOUR, 0.0) / hours


def ideal_round_trips(scenario: Scenario, bound: Bound, days: int = DAYS) -> float:
    """
    Round trips in *scenario*'s own hours, the mean of *days* draws: trains and shift handovers shut gates, and nothing else hinders.

    A day of one window: what stays shut overnight is not counted.
    """
    ways = _ways(scenario, bound, [*trains(scenario), *handovers(scenario)])
    until_s = scenario.hours * SECONDS_PER_HOUR
    saved_s = to_bay_s(scenario.corridor, scenario.corridor.truck_types[0])
    return fmean(_trips(replace(scenario, seed=seed), ways, until_s, saved_s) for seed in range(1, days + 1))
