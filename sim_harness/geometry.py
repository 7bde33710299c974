"""
Where the true bodies are: lanes as polylines, a body as points along its path from nose to tail.

A body bends with the road, so it is kept as `BODY_POINTS` points at equal spacing along the path; the boxes between them, as wide
as the truck, are what must never meet another truck's. Shares nothing with the planner: it starts from the corridor's points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from planner._jit import kernel, piece
from planner.corridor import Corridor
from sim_harness.observation import FloatArray, IndexArray

BODY_POINTS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLines:
    """
    The lanes' centre lines as columns.

    first    (m + 1,) where each lane's points begin
    chain_m  (p,) chainage of each point, stretched so that a lane's last point lies at its length
    x_m, y_m (p,)
    length_m (m,)
    """

    first: IndexArray
    chain_m: FloatArray
    x_m: FloatArray
    y_m: FloatArray
    length_m: FloatArray

    @classmethod
    def of(cls, corridor: Corridor) -> LaneLines:
        """The centre lines of *corridor*."""
        first = np.zeros(len(corridor.lanes) + 1, dtype=np.int32)
        chains: list[FloatArray] = []
        points: list[FloatArray] = []
        for ix, lane in enumerate(corridor.lanes):
            line = np.array(lane.points, dtype=np.float64)
            chain = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
            chains.append(chain * (lane.length_m / chain[-1]))
            points.append(line)
            first[ix + 1] = first[ix] + len(line)
        flat = np.concatenate(points)
        return cls(
            first=first,
            chain_m=np.concatenate(chains),
            x_m=np.ascontiguousarray(flat[:, 0]),
            y_m=np.ascontiguousarray(flat[:, 1]),
            length_m=np.array([lane.length_m for lane in corridor.lanes], dtype=np.float64),
        )

    def places(self, lane_ix: IndexArray, chainage_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """East and north (k,) of the places *chainage_m* on *lane_ix*."""
        x_m = np.empty(len(lane_ix))
        y_m = np.empty(len(lane_ix))
        for lane in np.unique(lane_ix).tolist():
            rows = lane_ix == lane
            span = slice(self.first[lane], self.first[lane + 1])
            x_m[rows] = np.interp(chainage_m[rows], self.chain_m[span], self.x_m[span])
            y_m[rows] = np.interp(chainage_m[rows], self.chain_m[span], self.y_m[span])
        return x_m, y_m


@piece
def place(lines: tuple[IndexArray, FloatArray, FloatArray, FloatArray], lane: int, chainage_m: float) -> tuple[float, float]:
    """East and north of one place; a chainage off the lane lies on its first or last segment, prolonged."""
    first, chain_m, x_m, y_m = lines
    low = first[lane]
    high = first[lane + 1] - 1
    while high - low > 1:
        middle = (low + high) // 2
        if chain_m[middle] <= chainage_m:
            low = middle
        else:
            high = middle
    share = (chainage_m - chain_m[low]) / (chain_m[low + 1] - chain_m[low])
    return x_m[low] + share * (x_m[low + 1] - x_m[low]), y_m[low] + share * (y_m[low + 1] - y_m[low])


@kernel
def place_bodies(
    lines: tuple[IndexArray, FloatArray, FloatArray, FloatArray],
    lane_length_m: FloatArray,
    body_lanes: IndexArray,
    chainage_m: FloatArray,
    length_m: FloatArray,
    last: tuple[IndexArray, FloatArray],
    out_x_m: FloatArray,
    out_y_m: FloatArray,
) -> None:
    """
    Points of each body, nose first, equal metres of path between them.

    body_lanes  (n, k) lanes from the nose back, -1 fills; where they run out the first segment is prolonged
    chainage_m  (n,) the nose; length_m (n,)
    last        (n,) lane and (n,) chainage of the nose at the last call: a truck that stands keeps its points
    out_x_m, out_y_m  (n, points)
    """
    points = out_x_m.shape[1]
    last_lane, last_chainage_m = last
    for row in range(len(chainage_m)):
        lane = body_lanes[row, 0]
        if lane == last_lane[row] and chainage_m[row] == last_chainage_m[row]:
            continue
        last_lane[row] = lane
        last_chainage_m[row] = chainage_m[row]
        here_m = chainage_m[row]
        step_m = length_m[row] / (points - 1)
        k = 0
        for point in range(points):
            if point > 0:
                here_m -= step_m
            while here_m < 0.0 and k + 1 < body_lanes.shape[1] and body_lanes[row, k + 1] >= 0:
                k += 1
                lane = body_lanes[row, k]
                here_m += lane_length_m[lane]
            out_x_m[row, point], out_y_m[row, point] = place(lines, lane, here_m)


class Bodies:
    """The points of all bodies, kept from call to call so that standing trucks cost nothing."""

    def __init__(self, lines: LaneLines, length_m: FloatArray) -> None:
        count = len(length_m)
        self._lines = lines
        self._columns = (lines.first, lines.chain_m, lines.x_m, lines.y_m)
        self._length_m = length_m
        self._last = (np.full(count, -1, dtype=np.int32), np.full(count, np.nan))
        self.x_m = np.zeros((count, BODY_POINTS))
        self.y_m = np.zeros((count, BODY_POINTS))

    def move(self, body_lanes: IndexArray, chainage_m: FloatArray) -> None:
        """Brings `x_m` and `y_m` (n, points) to where the bodies are now."""
        place_bodies(self._columns, self._lines.length_m, body_lanes, chainage_m, self._length_m, self._last, self.x_m, self.y_m)
