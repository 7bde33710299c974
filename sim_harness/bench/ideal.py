"""
The same trucks and bays without a road: what chance alone leaves of the bound.

The bound takes every service for its mean. Real ones vary, loaders break, and trucks bunch: now and then a bay has nobody to work
on while others queue elsewhere, and no dispatcher can know it beforehand. Here trucks go round between the two yards' bays in a
fixed time, first come, first served, each bay ready again the moment its changeover is over. What ours reaches beyond or short of
this is the work of road and dispatch; what this is short of the bound is not.
"""

from __future__ import annotations

import heapq
from typing import Final

from planner.bound import Bound
from planner.corridor import GateRole, StandKind, YardRole
from sim_harness.clock import Streams
from sim_harness.plant import Loader, PlantRules, draw_s
from sim_harness.scenario import Scenario

HOURS: Final = 400.0
SECONDS_PER_HOUR: Final = 3600.0


class _Bays:
    """One yard's bays: when each is free, and its machine."""

    def __init__(self, scenario: Scenario, role: YardRole) -> None:
        corridor = scenario.corridor
        yard_id = corridor.yard_by_role[role].yard_id
        names = [stand.stand_id for stand in corridor.stands if stand.kind is StandKind.BAY and stand.yard_id == yard_id]
        streams, rules = Streams(scenario.seed), PlantRules(**scenario.spec.plant.model_dump())
        self._work = corridor.processes["bay"]
        self._changeover = corridor.processes.get("bay_changeover")
        self._rng = [streams.stream(name, "bay") for name in names]
        self._loaders = [Loader(streams.stream(name, "failure"), rules) for name in names]
        self._free_s = [0.0] * len(names)
        self._last_s = [0.0] * len(names)

    def serve(self, at_s: float) -> float:
        """When a truck that comes at *at_s* is done, at the bay that is free first."""
        bay = min(range(len(self._free_s)), key=lambda ix: (self._free_s[ix], ix))
        begins_s = max(at_s, self._free_s[bay])
        done_s = begins_s + draw_s(self._work, self._rng[bay])
        done_s += self._loaders[bay].elapse(done_s - self._last_s[bay])
        self._last_s[bay] = done_s
        self._free_s[bay] = done_s + (draw_s(self._changeover, self._rng[bay]) if self._changeover else 0.0)
        return done_s


def ideal_per_h(scenario: Scenario, bound: Bound, hours: float = HOURS) -> float:
    """Round trips an hour of *scenario*'s trucks when nothing on the road ever hinders them."""
    yards = (_Bays(scenario, YardRole.LOADING), _Bays(scenario, YardRole.UNLOADING))
    way_s = (bound.cycle_s - 2.0 * scenario.corridor.processes["bay"].mean_s) / 2.0
    rng = Streams(scenario.seed).stream("ideal", "inspection")
    xray = next((gate.process for gate in scenario.corridor.gates if gate.role is GateRole.XRAY), None)
    until_s = hours * SECONDS_PER_HOUR
    arrivals = [(0.0, truck, 0) for truck in range(scenario.spec.trucks)]
    trips = 0
    while arrivals[0][0] < until_s:
        at_s, truck, yard = heapq.heappop(arrivals)
        next_s = yards[yard].serve(at_s) + way_s
        if yard == 0 and xray is not None and float(rng.random()) < scenario.spec.plant.inspect_share:
            next_s += draw_s(scenario.corridor.processes[xray], rng)
        trips += yard
        heapq.heappush(arrivals, (next_s, truck, 1 - yard))
    return trips / hours
