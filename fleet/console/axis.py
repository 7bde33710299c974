"""
One coordinate for the whole corridor: metres from the loading yard towards the unloading yard.

The axis is the middle line of a shortest way between two bays. Every lane, also those of the way back, lies beside some part of it, so
that a time-distance diagram has one vertical axis for all: a lane's two ends are put to the nearest places on the axis, and what is
between them to what is between.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from fleet.client.site_values import Site, SiteLane

Point: TypeAlias = tuple[float, float]


class Axis:
    """The axis of one site: *points* east and north in metres, *length_m*, and *span_m* of each lane, where it begins and ends on it."""

    def __init__(self, site: Site) -> None:
        lanes = {lane.lane_id: lane for lane in site.lanes}
        self.points = _points([lanes[lane_id] for lane_id in _way(site)])
        self._starts_m = _starts(self.points)
        self.length_m = self._starts_m[-1]
        ends = {lane.lane_id: ((lane.east_m[0], lane.north_m[0]), (lane.east_m[-1], lane.north_m[-1])) for lane in site.lanes}
        # Lanes meet at their ends: most of them are asked for once for several lanes.
        nearest_m = {point: self.nearest_m(point) for point in {point for both in ends.values() for point in both}}
        self.span_m: Mapping[str, tuple[float, float]] = {
            lane_id: (nearest_m[begin], nearest_m[end]) for lane_id, (begin, end) in ends.items()
        }
        self._length_m = {lane.lane_id: lane.length_m for lane in site.lanes}

    def along_m(self, lane_id: str, chainage_m: float) -> float:
        """Where a place on a lane lies on the axis."""
        from_m, to_m = self.span_m[lane_id]
        return from_m + (to_m - from_m) * min(1.0, max(0.0, chainage_m / self._length_m[lane_id]))

    def nearest_m(self, point: Point) -> float:
        """The place on the axis that is nearest to *point*."""
        best_m, least = 0.0, math.inf
        for start_m, (a, b) in zip(self._starts_m, pairwise(self.points), strict=False):
            leg_m = math.dist(a, b)
            if leg_m == 0.0:
                continue
            share = ((point[0] - a[0]) * (b[0] - a[0]) + (point[1] - a[1]) * (b[1] - a[1])) / (leg_m * leg_m)
            share = min(1.0, max(0.0, share))
            apart_m = math.dist(point, (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
            if apart_m < least:
                best_m, least = start_m + share * leg_m, apart_m
        return best_m


@lru_cache(maxsize=2)
def axis_of(site: Site) -> Axis:
    """The axis of *site*, made once: a large one takes a good part of a second."""
    return Axis(site)


def _way(site: Site) -> list[str]:
    """Lanes of a shortest way from a loading bay to an unloading one; the longest lane alone where there is no such way."""
    role = {yard.yard_id: yard.role for yard in site.yards}
    bays = [stand for stand in site.stands if stand.kind == "bay"]
    starts = [stand.lane_id for stand in bays if role[stand.yard_id] == "loading"]
    goals = {stand.lane_id for stand in bays if role[stand.yard_id] == "unloading"}
    after: dict[str, list[SiteLane]] = {}
    for lane in site.lanes:
        after.setdefault(lane.from_node_id, []).append(lane)
    to_node = {lane.lane_id: lane.to_node_id for lane in site.lanes}
    came: dict[str, str] = {}
    waiting = [(0.0, lane_id, "") for lane_id in starts]
    while waiting:
        far_m, lane_id, before = heapq.heappop(waiting)
        if lane_id in came:
            continue
        came[lane_id] = before
        if lane_id in goals:
            return _back(came, lane_id)
        for lane in after.get(to_node[lane_id], ()):
            heapq.heappush(waiting, (far_m + lane.length_m, lane.lane_id, lane_id))
    return [max(site.lanes, key=lambda lane: lane.length_m).lane_id]


def _back(came: Mapping[str, str], lane_id: str) -> list[str]:
    way: list[str] = []
    while lane_id:
        way.append(lane_id)
        lane_id = came[lane_id]
    return way[::-1]


def _points(lanes: Sequence[SiteLane]) -> list[Point]:
    points: list[Point] = []
    for lane in lanes:
        for point in zip(lane.east_m, lane.north_m, strict=True):
            if not points or math.dist(points[-1], point) > 0.0:
                points.append(point)
    return points


def _starts(points: Sequence[Point]) -> list[float]:
    starts = [0.0]
    for a, b in pairwise(points):
        starts.append(starts[-1] + math.dist(a, b))
    return starts
