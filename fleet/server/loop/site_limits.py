"""
Which lanes trucks must keep off, and how those that are on one get out.

A truck that holds no metre of a changed lane must not be given any: its end stays before the first. One that holds some must go on,
or it would stay there for good: over that lane, and over every changed lane that follows so closely that the whole truck cannot
come to rest clear of both. The next one after that is a wall again.

An end exactly where a changed lane begins is no metre of it, but has its name: a truck may say that it holds up to 0 m of a lane
that the new site does not have. So ends stay a hand's breadth before, and one that does not counts as being on the lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from fleet.server.columns import FlagColumn
from planner.limits import NO_STOP_BEFORE_M
from planner.tables import TruckTable

EDGE_M: Final = NO_STOP_BEFORE_M
_AT_EDGE_M: Final = 0.5 * EDGE_M
_ON_NONE: Final = -float("inf")


class Limits:
    """Of one set of *changed_lanes* (rows)."""

    def __init__(self, trucks: TruckTable, changed_lanes: Sequence[int]) -> None:
        self._trucks = trucks
        self._changed: FlagColumn = np.zeros(trucks.lanes.count, np.bool_)
        self._changed[list(changed_lanes)] = True

    def of(self, row: int) -> tuple[float, int] | None:
        """Where the end of *row* must stay, as a path coordinate, and before which lane; None when no such lane is on its path."""
        trucks = self._trucks
        end_m, beyond_m = float(trucks.end_m[row]), float(trucks.beyond_m[row])
        clear_m = _ON_NONE
        for k in self._changed_ks(row):
            start_m, after_m = float(trucks.path_start_m[row, k]), float(trucks.path_start_m[row, k + 1])
            off = clear_m == _ON_NONE or self._rest_m(row, k, clear_m) >= clear_m + beyond_m
            if start_m >= end_m and off:
                return start_m - EDGE_M, int(trucks.path_lane[row, k])
            clear_m = after_m
        return None

    def touched_by(self, row: int) -> list[int]:
        """Changed lanes under the body of *row*, under road that it may hold, or where that ends."""
        trucks = self._trucks
        top_m = max(float(trucks.end_m[row]), float(trucks.nose_m[row] + trucks.bound_m[row]))
        return [int(trucks.path_lane[row, k]) for k in self._changed_ks(row) if trucks.path_start_m[row, k] < top_m + _AT_EDGE_M]

    def _changed_ks(self, row: int) -> list[int]:
        """Where changed lanes are on the path of *row*, from the lane of its confirmed rear on."""
        trucks = self._trucks
        count = int(trucks.path_count[row])
        if count == 0:
            return []
        first = trucks.k_at(row, float(trucks.rear_m[row]))
        ks: list[int] = (self._changed[trucks.path_lane[row, first:count]].nonzero()[0] + first).tolist()
        return ks

    def _rest_m(self, row: int, k: int, low_m: float) -> float:
        """The furthest that an end may lie before lane *k* of the path; below *low_m* it does not matter how far."""
        trucks = self._trucks
        lanes, rest_m = trucks.lanes, float(trucks.path_start_m[row, k]) - EDGE_M
        for at in range(k, -1, -1):
            base_m = float(trucks.path_start_m[row, at])
            lane = int(trucks.path_lane[row, at])
            for stop in range(int(lanes.stop_start[lane + 1]) - 1, int(lanes.stop_start[lane]) - 1, -1):
                from_m = base_m + float(lanes.stop_from_m[stop]) - NO_STOP_BEFORE_M
                if from_m < rest_m < base_m + float(lanes.stop_to_m[stop]) + float(trucks.beyond_m[row]):
                    rest_m = from_m
            if base_m <= low_m or rest_m <= low_m:
                break
        return rest_m
