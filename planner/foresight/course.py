"""
Where each truck will be when, as far as its way is known: the part of a time-distance diagram that lies right of now.

A truck drives at the lower of lane and truck speed, waits at a gate for its service and behind the truck ahead, and enters a zone that another
truck wants as well at the time of its turn: as planning said last, else first come, first served, which is what plans are held against.
What starting and braking cost is left out, as in every outlook, so a course is a little early, and more so the further ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.foresight.outlook import UNITS_PER_S, lined_up, outlook_among
from planner.foresight.plan import dues_of, settled
from planner.foresight.seen import Chart, Seen, Way
from planner.foresight.turns import Turns

_NS_PER_S: Final = 1_000_000_000
_WAITS_S: Final = 1.0  # less is no wait that anybody could see

Begins = dict[tuple[int, float], float]
"""After how many seconds a passage begins, by truck row and where the passage begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """When the nose of the truck in *row* is where: nanoseconds, lane row and metres on it; straight in between, never back."""

    row: int
    points: tuple[tuple[int, int, float], ...]


def courses_of(seen: Seen, chart: Chart, in_force: Turns | None = None) -> list[Course]:
    """The courses of all trucks that come; with turns *in_force* as these have it, unless that runs in a circle."""
    ways, leaders = lined_up(seen, chart)
    begins = _begins(ways, leaders, seen, chart, in_force)
    return [Course(row=way.row, points=tuple(_places(seen, way, _points(way, begins)))) for way in ways]


def _begins(ways: list[Way], leaders: dict[int, int], seen: Seen, chart: Chart, in_force: Turns | None) -> Begins:
    outlook = outlook_among(ways, leaders, chart, seen.now_ns)
    if outlook is None:
        return {}
    due = {} if in_force is None else dues_of(in_force, seen.now_ns)
    events = settled(outlook, due) or settled(outlook, {}) or ()
    at = {(event.truck, event.operation): event.time / UNITS_PER_S for event in events}
    return {(passage.row, passage.from_m): at[key] for key, passage in outlook.entries.items() if key in at}


def _points(way: Way, begins: Begins) -> Iterator[tuple[float, float]]:
    """Seconds from now and path coordinates, both rising."""
    legs_m, legs_s = zip(*way.legs, strict=True)
    entries = {
        passage.from_m: max(passage.arrive_s, begins.get((passage.row, passage.from_m), 0.0))
        for passage in way.passages
        if not passage.held
    }
    nose_m, late_s = legs_m[0], 0.0
    yield 0.0, nose_m
    for path_m in sorted(m for m in {*entries, *legs_m, way.to_m} if nose_m < m <= way.to_m):
        at_s = float(np.interp(path_m, legs_m, legs_s)) + late_s
        yield at_s, path_m
        begin_s = entries.get(path_m, at_s)
        if begin_s > at_s + _WAITS_S:
            late_s += begin_s - at_s
            yield begin_s, path_m


def _places(seen: Seen, way: Way, points: Iterator[tuple[float, float]]) -> Iterator[tuple[int, int, float]]:
    """The same as control time, lane and place on it; a place between two lanes is the end of the first."""
    count = int(seen.path_count[way.row])
    starts_m = seen.path_start_m[way.row, :count]
    for at_s, path_m in points:
        k = max(0, int(np.searchsorted(starts_m, path_m, side="left")) - 1)
        yield seen.now_ns + round(at_s * _NS_PER_S), int(seen.path_lane[way.row, k]), float(path_m - starts_m[k])
