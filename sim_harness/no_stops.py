"""
Where no truck may be left standing, taken from the site's map alone.

Authored stretches, every metre of a zone, and each gate from just past its stop line, on which an end may lie, to where a tail has
cleared it. In a one-lane section trucks follow one another as on a lane: there an end may lie, but only behind a truck that is on its
way out of the same section or has just left it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from planner._jit import kernel
from planner.corridor import NO_ZONE, Corridor
from planner.limits import BOUND_PLANNED_M, GATE_LINE_GAP_M, NO_STOP_BEYOND_M
from sim_harness.observation import FloatArray, IndexArray, Roster, TickView
from sim_harness.paths import Paths
from sim_harness.truck_agent import World

# Two sources of one boundary agree to this, metres.
TOUCH_M: Final = 1e-3
# How far a truck may have got from where it was last known to the one behind it, metres: some seconds of driving.
NEWS_M: Final = 60.0

Road = Sequence[tuple[int, float]]
"""Lanes of a path in order, each with the path coordinate at which it begins."""


class NoStops:
    """The no-stop stretches of a site."""

    def __init__(self, corridor: Corridor) -> None:
        self._in_section: list[list[tuple[float, float]]] = [[] for _ in corridor.lanes]
        self._elsewhere: list[list[tuple[float, float]]] = [[] for _ in corridor.lanes]
        zones = zip(corridor.zones, corridor.section_of_zone, strict=True)
        stretches = [(part.stretch, section != NO_ZONE) for zone, section in zones for part in zone.parts]
        for stretch, in_section in [*((each, False) for each in corridor.no_stops), *stretches]:
            on = self._in_section if in_section else self._elsewhere
            on[corridor.lane_ix[stretch.lane_id]].append((stretch.start_m, stretch.end_m))
        for gate in corridor.gates:
            self._elsewhere[corridor.lane_ix[gate.lane_id]].append((gate.stop_line_m + GATE_LINE_GAP_M, gate.clear_m))
        self._on = [[*one, *other] for one, other in zip(self._elsewhere, self._in_section, strict=True)]

    def columns(self) -> Banned:
        """The same for kernels."""
        flat = [stretch for stretches in self._on for stretch in stretches]
        return Banned(
            start=np.cumsum([0, *(len(stretches) for stretches in self._on)], dtype=np.int32),
            from_m=np.array([low_m for low_m, _ in flat], dtype=np.float64),
            to_m=np.array([high_m for _, high_m in flat], dtype=np.float64),
        )

    def under(self, road: Road, from_m: float, to_m: float) -> bool:
        """Whether any part of a no-stop stretch lies within [from_m, to_m] of *road*, by more than a touch."""
        return _meets(self._on, road, from_m, to_m)

    def led_out(self, road: Road, end_m: float, beyond_m: float, ahead: Iterable[tuple[int, float]]) -> bool:
        """
        Whether an end on *road* lies in nothing but a one-lane section, and behind a truck that leads the way out of it.

        *ahead*: lane and chainage of other trucks' tails.
        """
        if _meets(self._elsewhere, road, end_m - beyond_m, end_m):
            return False
        starts, spans = dict(road), self._in_section
        out_m = max(
            (start_m + high_m for lane_ix, start_m in road for _, high_m in spans[lane_ix] if start_m + high_m > end_m - beyond_m),
            default=end_m,
        )
        return any(lane in starts and end_m <= starts[lane] + at_m <= out_m + beyond_m + NEWS_M for lane, at_m in ahead)


def _meets(on: list[list[tuple[float, float]]], road: Road, from_m: float, to_m: float) -> bool:
    return any(
        start_m + low_m < to_m - TOUCH_M and start_m + high_m > from_m + TOUCH_M
        for lane_ix, start_m in road
        for low_m, high_m in on[lane_ix]
    )


def _tails(roster: Roster, roads: Callable[[int], Road], view: TickView, row: int) -> Iterator[tuple[int, float]]:
    """Lane and chainage of every tail but that of *row*."""
    for other, kind in enumerate(roster.truck_types):
        if other != row:
            tail_m = float(view.nose_path_m[other]) - kind.length_m
            for lane_ix, start_m in roads(other):
                if start_m <= tail_m < start_m + roster.corridor.lanes[lane_ix].length_m:
                    yield lane_ix, tail_m - start_m


def _beyond_m(roster: Roster) -> list[float]:
    """How far past a no-stop stretch an end must lie, by truck."""
    return [kind.length_m + 2.0 * min(kind.bound_max_m, BOUND_PLANNED_M) + NO_STOP_BEYOND_M for kind in roster.truck_types]


class Banned(NamedTuple):
    """The no-stop stretches by lane: entries of lane i are [start[i], start[i + 1])."""

    start: IndexArray
    from_m: FloatArray
    to_m: FloatArray


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
        self._beyond_m = _beyond_m(roster)
        self._looked_at: list[tuple[float, int]] = [(0.0, 0)] * len(roster.truck_ids)
        self.ends_count = 0
        self.bad: list[BadEnd] = []

    def tick(self, trucks: World, time_s: float) -> None:
        """Look at every end that is another than a tick ago."""
        view = trucks.view(time_s)
        for row, end_m in enumerate(view.end_path_m.tolist()):
            road = trucks.road(row)
            looked_at = (end_m, road[0][0])
            if end_m != end_m or looked_at == self._looked_at[row]:  # noqa: PLR0124 - not a number: none is held
                continue
            self._looked_at[row] = looked_at
            self.ends_count += 1
            if not self._no_stops.under(road, end_m - self._beyond_m[row], end_m):
                continue
            tails = _tails(self._roster, trucks.road, view, row)
            if not self._no_stops.led_out(road, end_m, self._beyond_m[row], tails):
                self.bad.append(BadEnd(time_s=time_s, truck_id=self._roster.truck_ids[row], end_m=end_m))


class EndCheck:
    """
    Looks at every end that has moved on since the last look, at the cost of a glance.

    An end that moved back is not looked at: asked to stop short, a truck answers with the nearest end it can honour, wherever that is.
    """

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._no_stops = NoStops(roster.corridor)
        self._banned = self._no_stops.columns()
        self._beyond_m = np.array(_beyond_m(roster))
        self._known_m = np.full(len(roster.truck_ids), -np.inf)
        self._rows = np.empty(len(roster.truck_ids), np.int32)
        self.bad: list[BadEnd] = []

    def look(self, paths: Paths, view: TickView) -> None:
        """Look at the ends held now, by trucks on *paths*."""
        found = bad_ends(paths, view.end_path_m, self._beyond_m, self._banned, self._known_m, self._rows)
        for row in self._rows[:found].tolist():
            end_m, tails = float(view.end_path_m[row]), _tails(self._roster, lambda other: _road(paths, other), view, row)
            if not self._no_stops.led_out(_road(paths, row), end_m, float(self._beyond_m[row]), tails):
                self.bad.append(BadEnd(time_s=view.time_s, truck_id=self._roster.truck_ids[row], end_m=end_m))


def _road(paths: Paths, row: int) -> Road:
    held = int(paths.held[row])
    return list(zip(paths.lane[row, :held].tolist(), paths.start_m[row, :held].tolist(), strict=True))


@kernel
def bad_ends(paths: Paths, end_m: FloatArray, beyond_m: FloatArray, banned: Banned, known_m: FloatArray, out_rows: IndexArray) -> int:
    """
    Count of ends that moved on to where they leave a truck in a no-stop stretch.

    paths     the trucks' paths
    end_m     (n,) held now on the path coordinate, nan for none
    beyond_m  (n,) how far past a stretch an end must lie
    banned    the stretches
    known_m   (n,) ends at the last look, minus infinity for none; written
    out_rows  (n,) the first of them hold whose they are
    """
    found = 0
    for i in range(len(end_m)):
        moved = end_m[i] > known_m[i] + TOUCH_M
        known_m[i] = -math.inf if math.isnan(end_m[i]) else end_m[i]
        if not moved:
            continue
        bad = False
        for k in range(paths.held[i]):
            base_m = paths.start_m[i, k]
            if base_m >= end_m[i]:
                break
            if paths.start_m[i, k + 1] <= end_m[i] - beyond_m[i]:
                continue
            lane = paths.lane[i, k]
            for at in range(banned.start[lane], banned.start[lane + 1]):
                inside = base_m + banned.from_m[at] < end_m[i] - TOUCH_M
                bad = bad or (inside and base_m + banned.to_m[at] > end_m[i] - beyond_m[i] + TOUCH_M)
        if bad:
            out_rows[found] = i
            found += 1
    return found
