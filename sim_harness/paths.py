"""
The lanes each truck follows, as columns on a running coordinate.

A truck's *path coordinate* is metres that only grow, from where it first stood; `start_m[i, k]` is the coordinate at
which its k-th lane begins. A new route keeps the coordinate: the lane both routes share pins it.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from planner._jit import kernel, piece
from planner.corridor import Corridor
from sim_harness.observation import BODY_LANES, FlagArray, FloatArray, IndexArray

PATH_MAX: Final = 128
LOOK_AHEAD_M: Final = 80.0
# Metres: two sources of one boundary agree to this.
TOUCH_M: Final = 1e-3


class Grades(NamedTuple):
    """Grade pieces by lane: start (m + 1,), from_m and grade (pieces,)."""

    start: IndexArray
    from_m: FloatArray
    grade: FloatArray


class Paths(NamedTuple):
    """
    lane (n, PATH_MAX), start_m (n, PATH_MAX + 1), held (n,) lanes in the path, nose_k (n,) position of the nose's lane in it.

    fresh (n,): not looked at since it was laid.
    """

    lane: IndexArray
    start_m: FloatArray
    held: IndexArray
    nose_k: IndexArray
    fresh: FlagArray


class Places(NamedTuple):
    """Where the trucks are: lane_ix, chainage_m, body_lanes (n, BODY_LANES), grade_mean and grade_least (n,); located_m: for which nose."""

    lane_ix: IndexArray
    chainage_m: FloatArray
    body_lanes: IndexArray
    grade_mean: FloatArray
    grade_least: FloatArray
    located_m: FloatArray


def grades_of(corridor: Corridor) -> Grades:
    """All lanes' grade pieces in one table."""
    start = np.zeros(len(corridor.lanes) + 1, dtype=np.int32)
    start[1:] = np.cumsum([len(lane.grades) for lane in corridor.lanes])
    pieces = [piece for lane in corridor.lanes for piece in lane.grades]
    return Grades(
        start=start,
        from_m=np.array([piece.from_m for piece in pieces], dtype=np.float64),
        grade=np.array([piece.grade for piece in pieces], dtype=np.float64),
    )


def empty_paths(count: int) -> Paths:
    """Paths of *count* trucks that have none yet."""
    return Paths(
        lane=np.full((count, PATH_MAX), -1, dtype=np.int32),
        start_m=np.zeros((count, PATH_MAX + 1), dtype=np.float64),
        held=np.zeros(count, dtype=np.int32),
        nose_k=np.zeros(count, dtype=np.int32),
        fresh=np.ones(count, dtype=np.bool_),
    )


def empty_places(count: int) -> Places:
    """Places of *count* trucks, to be filled by `locate`."""
    return Places(
        lane_ix=np.zeros(count, dtype=np.int32),
        chainage_m=np.zeros(count, dtype=np.float64),
        body_lanes=np.full((count, BODY_LANES), -1, dtype=np.int32),
        grade_mean=np.zeros(count, dtype=np.float64),
        grade_least=np.zeros(count, dtype=np.float64),
        located_m=np.full(count, math.nan),
    )


def set_path(paths: Paths, row: int, lanes: list[int], length_m: FloatArray, start_m: float) -> None:
    """Give *row* the path *lanes*, the first beginning at *start_m*; *length_m* (m,) is by lane row."""
    count = len(lanes)
    assert 0 < count <= PATH_MAX
    paths.lane[row, :count] = lanes
    paths.lane[row, count:] = -1
    paths.start_m[row, 0] = start_m
    paths.start_m[row, 1 : count + 1] = start_m + np.cumsum(length_m[lanes])
    paths.held[row] = count
    paths.nose_k[row] = 0
    paths.fresh[row] = True


def path_coordinate(paths: Paths, row: int, lane_ix: int, chainage_m: float) -> float:
    """Coordinate of a place on *row*'s path; nan when the path does not hold the lane."""
    for k in range(int(paths.held[row])):
        if paths.lane[row, k] == lane_ix:
            return float(paths.start_m[row, k]) + chainage_m
    return math.nan


def place_of(paths: Paths, row: int, path_m: float) -> tuple[int, float]:
    """
    Lane row and chainage of a coordinate on *row*'s path.

    A boundary belongs to the lane that begins there; the path's own end to its last lane.
    """
    count = int(paths.held[row])
    k = int(np.searchsorted(paths.start_m[row, :count], path_m + TOUCH_M * 1e-3, side="right")) - 1
    k = max(k, 0)
    return int(paths.lane[row, k]), path_m - float(paths.start_m[row, k])


@kernel
def locate(paths: Paths, grades: Grades, nose_m: FloatArray, end_m: FloatArray, length_m: FloatArray, out: Places) -> None:
    """
    Find lane, chainage, lanes under the body and grades for every nose.

    paths     lane (n, PATH_MAX), start_m (n, PATH_MAX + 1), held (n,); nose_k (n,) is updated
    nose_m    (n,) path coordinate; before the path's start and beyond its end the first and last lane are extended
    end_m     (n,) ends of authority held, minus infinity for none
    length_m  (n,) bodies
    out       written; grade_mean is taken at nose, middle and tail, grade_least from the tail to the end held, LOOK_AHEAD_M beyond the
              nose at most: what lies beyond the end pulls at nobody who stops before it
    """
    for i in range(nose_m.shape[0]):
        count = paths.held[i]
        if count == 0 or (nose_m[i] == out.located_m[i] and not paths.fresh[i]):
            continue
        out.located_m[i] = nose_m[i]
        paths.fresh[i] = False
        k = paths.nose_k[i]
        while k + 1 < count and nose_m[i] >= paths.start_m[i, k + 1]:
            k += 1
        while k > 0 and nose_m[i] < paths.start_m[i, k]:
            k -= 1
        paths.nose_k[i] = k
        out.lane_ix[i] = paths.lane[i, k]
        out.chainage_m[i] = nose_m[i] - paths.start_m[i, k]
        tail_m = nose_m[i] - length_m[i]
        b = k
        for j in range(out.body_lanes.shape[1]):
            if b >= 0 and (j == 0 or paths.start_m[i, b + 1] > tail_m):
                out.body_lanes[i, j] = paths.lane[i, b]
                b -= 1
            else:
                out.body_lanes[i, j] = -1
                b = -1
        out.grade_mean[i] = (
            _grade_at(paths, grades, i, k, nose_m[i])
            + _grade_at(paths, grades, i, k, 0.5 * (nose_m[i] + tail_m))
            + _grade_at(paths, grades, i, k, tail_m)
        ) / 3.0
        out.grade_least[i] = _grade_least(paths, grades, i, tail_m, max(nose_m[i], min(end_m[i], nose_m[i] + LOOK_AHEAD_M)))


@kernel
def believe(paths: Paths, nose_m: FloatArray, out_lane_ix: IndexArray, out_chainage_m: FloatArray) -> None:
    """
    Say where believed noses are.

    paths           the trucks' paths; nose_k is where the true noses are, which is near
    nose_m          (n,) path coordinate
    out_lane_ix     (n,) written
    out_chainage_m  (n,) written; a boundary belongs to the lane that begins there, the path's end to its last
    """
    for i in range(nose_m.shape[0]):
        held = paths.held[i]
        k = paths.nose_k[i]
        while k + 1 < held and nose_m[i] >= paths.start_m[i, k + 1]:
            k += 1
        while k > 0 and nose_m[i] < paths.start_m[i, k]:
            k -= 1
        out_lane_ix[i] = paths.lane[i, k]
        out_chainage_m[i] = nose_m[i] - paths.start_m[i, k]


@kernel
def mark_on(
    paths: Paths, body_lanes: IndexArray, nose_m: FloatArray, length_m: FloatArray, stretch: tuple[int, float, float], out_on: FlagArray
) -> int:
    """
    Mark the trucks any part of whose body lies on a stretch; the answer is how many there are.

    body_lanes  (n, BODY_LANES) as in `Places`
    nose_m      (n,) path coordinate
    length_m    (n,)
    stretch     lane row and the chainages [from, to)
    out_on      (n,) written
    """
    lane_ix, from_m, to_m = stretch
    count = 0
    for i in range(len(out_on)):
        out_on[i] = False
        for lane in body_lanes[i]:
            out_on[i] |= lane == lane_ix
        if not out_on[i]:
            continue
        k = 0
        while k < paths.held[i] and paths.lane[i, k] != lane_ix:
            k += 1
        start_m = paths.start_m[i, k] if k < paths.held[i] else math.nan
        out_on[i] = start_m + from_m < nose_m[i] and start_m + to_m > nose_m[i] - length_m[i]
        count += out_on[i]
    return count


@piece
def _grade_at(paths: Paths, grades: Grades, i: int, k: int, at_m: float) -> float:
    """Grade at coordinate *at_m* of truck *i*, whose nose is on the k-th lane; *at_m* lies at or behind the nose."""
    while k > 0 and at_m < paths.start_m[i, k]:
        k -= 1
    lane = paths.lane[i, k]
    chainage_m = at_m - paths.start_m[i, k]
    j = grades.start[lane]
    while j + 1 < grades.start[lane + 1] and grades.from_m[j + 1] <= chainage_m:
        j += 1
    return grades.grade[j]  # type: ignore[no-any-return]


@piece
def _grade_least(paths: Paths, grades: Grades, i: int, from_m: float, to_m: float) -> float:
    """Lowest grade on truck *i*'s path that touches [from_m, to_m]; the nose's lane bounds the search from behind."""
    least = math.inf
    k = paths.nose_k[i]
    while k > 0 and from_m < paths.start_m[i, k]:
        k -= 1
    while k < paths.held[i] and paths.start_m[i, k] <= to_m:
        lane = paths.lane[i, k]
        for j in range(grades.start[lane], grades.start[lane + 1]):
            begin_m = paths.start_m[i, k] + grades.from_m[j]
            final_m = paths.start_m[i, k + 1]
            if j + 1 < grades.start[lane + 1]:
                final_m = paths.start_m[i, k] + grades.from_m[j + 1]
            if begin_m <= to_m and final_m >= from_m:
                least = min(least, grades.grade[j])
        k += 1
    return least if math.isfinite(least) else 0.0
