"""
How many trucks can rest one behind another on a row of lanes, clear of every no-stop stretch.

A truck at rest needs its length, the bounds of its place, and the margins that are kept before and behind it. Behind a no-stop
stretch it must stand so far on that its tail has left it; before one its end stays just short of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from planner.limits import (
    BOUND_PLANNED_M,
    BOUND_USUAL_M,
    NO_STOP_BEFORE_M,
    NO_STOP_BEYOND_M,
    STANDING_MARGIN_M,
    STOP_MARK_M,
    STOP_TOLERANCE_M,
)
from planner.tables import LaneTable


def rests(lanes: LaneTable, chain: Sequence[int], to_m: float, length_m: float, roll_back_m: float) -> int:
    """Trucks that can rest on *chain* (rows, the last lane first), counted back from *to_m* of that lane."""
    stops: list[tuple[float, float]] = []
    start_m = float(lanes.length_m[chain[0]]) - to_m
    for lane in chain:
        start_m -= float(lanes.length_m[lane])
        stretches = range(lanes.stop_start[lane], lanes.stop_start[lane + 1])
        stops += [(start_m + float(lanes.stop_from_m[k]), start_m + float(lanes.stop_to_m[k])) for k in stretches]
    beyond_m = length_m + 2.0 * BOUND_PLANNED_M + NO_STOP_BEYOND_M
    apart_m = STOP_MARK_M + STOP_TOLERANCE_M + length_m + 2.0 * BOUND_USUAL_M + roll_back_m + STANDING_MARGIN_M
    first_m = start_m + beyond_m
    count, end_m = 0, 0.0
    while True:
        for from_m, to_stop_m in sorted(stops, reverse=True):
            if from_m - NO_STOP_BEFORE_M < end_m < to_stop_m + beyond_m:
                end_m = from_m - NO_STOP_BEFORE_M
        if end_m < first_m:
            return count
        count += 1
        end_m -= apart_m
