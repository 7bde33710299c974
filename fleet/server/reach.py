"""
What lies within reach of a place along the road: every branch ahead, or every branch behind, so many metres far.

Where two ways lead onto a lane, the shorter one decides how far beyond it the reach goes.
"""

from __future__ import annotations

from functools import cached_property
from heapq import heappop, heappush

from planner.tables import LaneTable


class Reach:
    """The reach of places on one site's lanes."""

    def __init__(self, lanes: LaneTable) -> None:
        self._lanes = lanes

    def along(self, lane_ix: int, from_m: float, reach_m: float, *, forward: bool) -> dict[int, tuple[float, float]]:
        """Metres (from, to) of each lane within *reach_m* of a place on *lane_ix*, one stretch a lane; only lanes with any."""
        found: dict[int, tuple[float, float]] = {}
        entered: set[int] = set()
        left_m = self._cover(found, lane_ix, from_m, reach_m, forward=forward)
        # The most left to go first: a lane is entered once, by its shortest way.
        waiting: list[tuple[float, int]] = []
        self._onward(waiting, lane_ix, left_m, forward=forward)
        while waiting:
            negative_m, lane = heappop(waiting)
            if lane in entered:
                continue
            entered.add(lane)
            start_m = 0.0 if forward else float(self._lanes.length_m[lane])
            left_m = self._cover(found, lane, start_m, -negative_m, forward=forward)
            self._onward(waiting, lane, left_m, forward=forward)
        return found

    def _onward(self, waiting: list[tuple[float, int]], lane: int, left_m: float, *, forward: bool) -> None:
        if left_m > 0.0:
            for other in (self._after if forward else self._before)[lane]:
                heappush(waiting, (-left_m, other))

    def _cover(self, found: dict[int, tuple[float, float]], lane: int, from_m: float, reach_m: float, *, forward: bool) -> float:
        """Adds what lies within reach on one lane; the answer is the reach left beyond it."""
        length_m = float(self._lanes.length_m[lane])
        low_m, high_m = (from_m, min(from_m + reach_m, length_m)) if forward else (max(from_m - reach_m, 0.0), from_m)
        if low_m < high_m:
            known = found.get(lane, (low_m, high_m))
            found[lane] = (min(low_m, known[0]), max(high_m, known[1]))
        return reach_m - (high_m - low_m)

    @cached_property
    def _after(self) -> list[list[int]]:
        lanes = self._lanes
        return [lanes.succ_lane[lanes.succ_start[lane] : lanes.succ_start[lane + 1]].tolist() for lane in range(lanes.count)]

    @cached_property
    def _before(self) -> list[list[int]]:
        before: list[list[int]] = [[] for _ in range(self._lanes.count)]
        for lane, onward in enumerate(self._after):
            for other in onward:
                before[other].append(lane)
        return before
