"""
Shortest-time paths over lanes, with closures and expected waits.

A `Roads` table belongs to one corridor and owns the search's memory. Whoever asks gives the cost of each lane: travel time,
plus what a truck expects to wait there, +inf where it may not go. Costs are whole seconds' sums of the same floats in the
same order, so two servers find the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.kernels.graph import shortest_times
from planner.tables import LaneTable, require_column

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Lanes to drive after the source, the goal's last, and the seconds they cost; no lanes when the source is the goal."""

    lanes: tuple[int, ...]
    time_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reach:
    """
    Everything that can be reached from the end of lane *source_ix*.

    time_s   (m,) to the end of each lane, +inf where no way leads
    from_ix  (m,) the lane before each lane
    """

    source_ix: int
    time_s: FloatArray
    from_ix: IndexArray

    def way_to(self, lane_ix: int) -> Way | None:
        """The quickest way to the end of *lane_ix*, or None."""
        if not np.isfinite(self.time_s[lane_ix]):
            return None
        lanes: list[int] = []
        at = lane_ix
        while at != self.source_ix:
            lanes.append(at)
            at = int(self.from_ix[at])
        return Way(lanes=tuple(reversed(lanes)), time_s=float(self.time_s[lane_ix]))


class Roads:
    """Searches over one corridor's lanes."""

    def __init__(self, lanes: LaneTable) -> None:
        self._lanes = lanes
        room = len(lanes.succ_lane) + 1
        self._heap_s = np.empty(room, np.float64)
        self._heap_lane = np.empty(room, np.int32)

    def reach(self, source_ix: int, cost_s: FloatArray) -> Reach:
        """
        Times to everywhere from the end of *source_ix*.

        Raises:
            TableFault: *cost_s* is no column of this corridor's lanes.
        """
        lanes = self._lanes
        require_column("cost_s", cost_s, (lanes.count,), np.float64)
        time_s = np.empty(lanes.count, np.float64)
        from_ix = np.empty(lanes.count, np.int32)
        shortest_times(lanes.succ_start, lanes.succ_lane, cost_s, source_ix, self._heap_s, self._heap_lane, time_s, from_ix)
        return Reach(source_ix=source_ix, time_s=time_s, from_ix=from_ix)

    def way(self, source_ix: int, goal_ix: int, cost_s: FloatArray) -> Way | None:
        """The quickest way from the end of one lane to the end of another, or None."""
        return self.reach(source_ix, cost_s).way_to(goal_ix)


def alternatives(roads: Roads, source_ix: int, goal_ix: int, cost_s: FloatArray, *, count: int, detour: float = 2.0) -> list[Way]:
    """
    Up to *count* ways, quickest first, each avoiding something the ones before it used.

    Every lane already used costs *detour* times as much in the next search, so that parallel lanes and gates are found and
    the same road twice is not; the times given back are at the costs asked for.
    """
    found: list[Way] = []
    dearer = cost_s.copy()
    for _ in range(2 * count):
        way = roads.way(source_ix, goal_ix, dearer)
        if way is None or len(found) == count:
            break
        used = np.array(way.lanes, np.int64)
        true_s = float(cost_s[used].sum()) if len(used) else 0.0
        if all(way.lanes != other.lanes for other in found):
            found.append(Way(lanes=way.lanes, time_s=true_s))
        dearer[used] *= detour
    return sorted(found, key=lambda way: (way.time_s, way.lanes))
