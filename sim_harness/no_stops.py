"""
Where no truck may be left standing, taken from the site's map alone.

Authored stretches, every metre of a zone, and each gate from its stop line to where a tail has cleared it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planner.corridor import Corridor
from planner.limits import BOUND_PLANNED_M, NO_STOP_BEYOND_M
from sim_harness.observation import Roster
from sim_harness.truck_agent import World

# Two sources of one boundary agree to this, metres.
TOUCH_M = 1e-3

Road = Sequence[tuple[int, float]]
"""Lanes of a path in order, each with the path coordinate at which it begins."""


class NoStops:
    """The no-stop stretches of a site."""

    def __init__(self, corridor: Corridor) -> None:
        self._on: list[list[tuple[float, float]]] = [[] for _ in corridor.lanes]
        stretches = [*corridor.no_stops, *(part.stretch for zone in corridor.zones for part in zone.parts)]
        for stretch in stretches:
            self._on[corridor.lane_ix[stretch.lane_id]].append((stretch.start_m, stretch.end_m))
        for gate in corridor.gates:
            self._on[corridor.lane_ix[gate.lane_id]].append((gate.stop_line_m, gate.clear_m))

    def under(self, road: Road, from_m: float, to_m: float) -> bool:
        """Whether any part of a no-stop stretch lies within [from_m, to_m] of *road*, by more than a touch."""
        for lane_ix, start_m in road:
            for low_m, high_m in self._on[lane_ix]:
                if start_m + low_m < to_m - TOUCH_M and start_m + high_m > from_m + TOUCH_M:
                    return True
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class BadEnd:
    """An end of authority that could leave a truck standing where none may."""

    time_s: float
    truck_id: str
    end_m: float


class EndWatch:
    """Looks every tick whether an end of authority held onboard lies in a no-stop stretch, or within a truck's length beyond it."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._no_stops = NoStops(roster.corridor)
        self._beyond_m = [kind.length_m + 2.0 * min(kind.bound_max_m, BOUND_PLANNED_M) + NO_STOP_BEYOND_M for kind in roster.truck_types]
        self._looked_at: list[tuple[float, int]] = [(0.0, 0)] * len(roster.truck_ids)
        self.ends_count = 0
        self.bad: list[BadEnd] = []

    def tick(self, trucks: World, time_s: float) -> None:
        """Look at every end that is another than a tick ago."""
        for row, end_m in enumerate(trucks.view(time_s).end_path_m.tolist()):
            road = trucks.road(row)
            looked_at = (end_m, road[0][0])
            if end_m != end_m or looked_at == self._looked_at[row]:  # noqa: PLR0124 - not a number: none is held
                continue
            self._looked_at[row] = looked_at
            self.ends_count += 1
            if self._no_stops.under(road, end_m - self._beyond_m[row], end_m):
                self.bad.append(BadEnd(time_s=time_s, truck_id=self._roster.truck_ids[row], end_m=end_m))
