"""
Road kept clear of an intruder: from where he was seen to stretches of every lane on which he may be.

A person crosses from one lane to the next, so what is reported of one place closes every lane within a distance across the
ground. A truck that a transponder follows stays on the road for the seconds until its next word: before it lies what it can
reach in that time, behind it what it can back up. Where a stretch meets a conflict zone, every part of that zone is closed:
whoever sweeps one part of it sweeps all of them.

One stretch a lane: two that lie on the same lane are closed with what lies between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np

from fleet.server.columns import FlagColumn, FloatColumn, RowColumn
from fleet.server.reach import Reach
from planner.corridor import Corridor, Lane
from planner.tables import LaneTable

# Lanes are looked at every so many metres; whatever lies between two looks is closed with them.
SAMPLE_M: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Metres:
    """Half-open metres of one lane; as a reported place *from_m* may equal *to_m*."""

    lane_ix: int
    from_m: float
    to_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Samples:
    """Points along every lane, (k,) each, by lane and then by chainage; *edge_m* from the centre line to the lane's edge."""

    lane_ix: RowColumn
    chainage_m: FloatColumn
    east_m: FloatColumn
    north_m: FloatColumn
    edge_m: FloatColumn


Closed: TypeAlias = tuple[Metres, ...]


class KeepOut:
    """The lanes of one site, as an intruder may be on them. Looks at the map only once somebody was seen."""

    def __init__(self, corridor: Corridor, lanes: LaneTable) -> None:
        self._corridor = corridor
        self._lanes = lanes
        self._reach = Reach(lanes)

    def around(self, places: Sequence[Metres], radius_m: float) -> Closed:
        """Every lane within *radius_m* across the ground of one of *places*."""
        found: dict[int, tuple[float, float]] = {}
        for place in places:
            _add(found, self._within(place, radius_m))
        return self._closed(found)

    def bubble(self, place: Metres, radius_m: float, ahead_m: float, behind_m: float) -> Closed:
        """A truck on *place*: all within *radius_m* of it, and the road so far ahead and behind."""
        found = self._within(place, radius_m)
        _add(found, self._reach.along(place.lane_ix, self._on_lane(place.to_m, place.lane_ix), ahead_m, forward=True))
        _add(found, self._reach.along(place.lane_ix, self._on_lane(place.from_m, place.lane_ix), behind_m, forward=False))
        return self._closed(found)

    def ahead(self, place: Metres, reach_m: float) -> Closed:
        """The road from *place* on, so far."""
        return self._closed(self._reach.along(place.lane_ix, self._on_lane(place.to_m, place.lane_ix), reach_m, forward=True))

    def everything(self) -> Closed:
        """Every lane from end to end."""
        return tuple(Metres(lane_ix=ix, from_m=0.0, to_m=float(length_m)) for ix, length_m in enumerate(self._lanes.length_m.tolist()))

    def _on_lane(self, chainage_m: float, lane_ix: int) -> float:
        return min(max(chainage_m, 0.0), float(self._lanes.length_m[lane_ix]))

    def _within(self, place: Metres, radius_m: float) -> dict[int, tuple[float, float]]:
        samples = self._samples
        line = _line_of(
            self._corridor.lanes[place.lane_ix], self._on_lane(place.from_m, place.lane_ix), self._on_lane(place.to_m, place.lane_ix)
        )
        far_m = radius_m + SAMPLE_M + float(samples.edge_m.max())
        low, high = line.min(axis=0) - far_m, line.max(axis=0) + far_m
        near: FlagColumn = (samples.east_m >= low[0]) & (samples.east_m <= high[0])
        near &= (samples.north_m >= low[1]) & (samples.north_m <= high[1])
        at = near.nonzero()[0]
        away_m = _distance_m(samples.east_m[at], samples.north_m[at], line)
        at = at[away_m <= radius_m + samples.edge_m[at] + SAMPLE_M]
        found: dict[int, tuple[float, float]] = {}
        lanes, first = np.unique(samples.lane_ix[at], return_index=True)
        last = np.append(first[1:], len(at)) - 1
        for lane, low_m, high_m in zip(
            lanes.tolist(), samples.chainage_m[at[first]].tolist(), samples.chainage_m[at[last]].tolist(), strict=True
        ):
            length_m = float(self._lanes.length_m[lane])
            found[lane] = (low_m, high_m) if low_m < high_m else (max(low_m - SAMPLE_M, 0.0), min(high_m + SAMPLE_M, length_m))
        return found

    def _closed(self, found: dict[int, tuple[float, float]]) -> Closed:
        """*found* with every part of the zones it meets, by lane."""
        lanes = self._lanes
        low_m, high_m = np.full(lanes.count, np.inf), np.full(lanes.count, -np.inf)
        for lane, (from_m, to_m) in found.items():
            low_m[lane], high_m[lane] = from_m, to_m
        met = (lanes.part_from_m < high_m[self._part_lane]) & (low_m[self._part_lane] < lanes.part_to_m)
        zones = np.zeros(lanes.zone_count, np.bool_)
        zones[lanes.part_zone[met]] = True
        closed = zones[lanes.part_zone]
        np.minimum.at(low_m, self._part_lane[closed], lanes.part_from_m[closed])
        np.maximum.at(high_m, self._part_lane[closed], lanes.part_to_m[closed])
        rows = np.flatnonzero(low_m < high_m)
        return tuple(
            Metres(lane_ix=lane, from_m=from_m, to_m=to_m)
            for lane, from_m, to_m in zip(rows.tolist(), low_m[rows].tolist(), high_m[rows].tolist(), strict=True)
        )

    @cached_property
    def _part_lane(self) -> RowColumn:
        """The lane of each zone part."""
        return np.repeat(np.arange(self._lanes.count, dtype=np.int32), np.diff(self._lanes.part_start))

    @cached_property
    def _samples(self) -> _Samples:
        lane_ix: list[RowColumn] = []
        chainage_m: list[FloatColumn] = []
        points: list[FloatColumn] = []
        for ix, lane in enumerate(self._corridor.lanes):
            along_m = np.linspace(0.0, lane.length_m, max(int(np.ceil(lane.length_m / SAMPLE_M)), 1) + 1)
            lane_ix.append(np.full(len(along_m), ix, np.int32))
            chainage_m.append(along_m)
            points.append(_points_of(lane, along_m))
        rows = np.concatenate(lane_ix)
        placed = np.concatenate(points)
        widths_m = np.array([lane.width_m for lane in self._corridor.lanes])
        return _Samples(
            lane_ix=rows,
            chainage_m=np.concatenate(chainage_m),
            east_m=np.ascontiguousarray(placed[:, 0]),
            north_m=np.ascontiguousarray(placed[:, 1]),
            edge_m=0.5 * widths_m[rows],
        )


def joined(one: Closed, other: Closed) -> Closed:
    """Both, and what lies between them on the same lane."""
    found = {at.lane_ix: (at.from_m, at.to_m) for at in one}
    _add(found, {at.lane_ix: (at.from_m, at.to_m) for at in other})
    return tuple(Metres(lane_ix=lane, from_m=low_m, to_m=high_m) for lane, (low_m, high_m) in sorted(found.items()))


def holds(closed: Closed, place: Metres) -> bool:
    """Whether *place* lies in *closed*."""
    return any(at.lane_ix == place.lane_ix and at.from_m <= place.from_m and place.to_m <= at.to_m for at in closed)


def _add(found: dict[int, tuple[float, float]], more: dict[int, tuple[float, float]]) -> None:
    for lane, (low_m, high_m) in more.items():
        known = found.get(lane, (low_m, high_m))
        found[lane] = (min(low_m, known[0]), max(high_m, known[1]))


def _starts_of(lane: Lane) -> tuple[FloatColumn, FloatColumn]:
    """A lane's points (k, 2) and the chainage of each (k,): along the line, scaled to the lane's own length."""
    points = np.array(lane.points, np.float64)
    legs_m = np.hypot(*np.diff(points, axis=0).T)
    starts_m = np.concatenate([[0.0], np.cumsum(legs_m)])
    return points, starts_m * (lane.length_m / starts_m[-1])


def _points_of(lane: Lane, along_m: FloatColumn) -> FloatColumn:
    """East and north at each chainage, (k, 2)."""
    points, starts_m = _starts_of(lane)
    return np.column_stack([np.interp(along_m, starts_m, points[:, 0]), np.interp(along_m, starts_m, points[:, 1])])


def _line_of(lane: Lane, from_m: float, to_m: float) -> FloatColumn:
    """The lane's line between two chainages, (k, 2)."""
    _, starts_m = _starts_of(lane)
    between_m = starts_m[(starts_m > from_m) & (starts_m < to_m)]
    return _points_of(lane, np.concatenate([[from_m], between_m, [to_m]]))


def _distance_m(east_m: FloatColumn, north_m: FloatColumn, line: FloatColumn) -> FloatColumn:
    """From each point, (k,), to the nearest of the line's legs."""
    nearest_m = np.full(len(east_m), np.inf)
    for (x_m, y_m), (leg_x_m, leg_y_m) in zip(line[:-1].tolist(), np.diff(line, axis=0).tolist(), strict=True):
        square = leg_x_m * leg_x_m + leg_y_m * leg_y_m
        off_x_m, off_y_m = east_m - x_m, north_m - y_m
        along = np.clip((off_x_m * leg_x_m + off_y_m * leg_y_m) / square, 0.0, 1.0) if square > 0.0 else 0.0
        nearest_m = np.minimum(nearest_m, np.hypot(off_x_m - along * leg_x_m, off_y_m - along * leg_y_m))
    return nearest_m
