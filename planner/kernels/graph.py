"""
Shortest times over lanes.

The graph's vertices are lanes: being on a lane costs its travel time, going on to a successor costs nothing. So closures,
queues at gates and slow lanes are all one column of costs. The heap lives in the caller's arrays; a lane is pushed once for
each time its arrival improves, which is at most once for each way into it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner._jit import kernel, piece

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]


@piece
def _sift_up(heap_s: FloatArray, heap_lane: IndexArray, at: int) -> None:
    while at > 0:
        above = (at - 1) // 2
        if heap_s[above] <= heap_s[at]:
            break
        heap_s[above], heap_s[at] = heap_s[at], heap_s[above]
        heap_lane[above], heap_lane[at] = heap_lane[at], heap_lane[above]
        at = above


@piece
def _sift_down(heap_s: FloatArray, heap_lane: IndexArray, count: int) -> None:
    at = 0
    while True:
        least = at
        for below in (2 * at + 1, 2 * at + 2):
            if below < count and heap_s[below] < heap_s[least]:
                least = below
        if least == at:
            break
        heap_s[least], heap_s[at] = heap_s[at], heap_s[least]
        heap_lane[least], heap_lane[at] = heap_lane[at], heap_lane[least]
        at = least


@kernel
def shortest_times(
    succ_start: IndexArray,
    succ_lane: IndexArray,
    cost_s: FloatArray,
    source_ix: int,
    heap_s: FloatArray,
    heap_lane: IndexArray,
    out_time_s: FloatArray,
    out_from_ix: IndexArray,
) -> None:
    """
    Seconds from the end of one lane to the end of every other.

    succ_start   (m + 1,) successors of lane i are succ_lane[succ_start[i] : succ_start[i + 1]]
    cost_s       (m,) seconds to drive a lane, +inf when it may not be entered
    source_ix    where the truck is; its own cost is not counted, and a way back to it is not looked for
    heap_s, heap_lane  (e + 1,) room for the search, e successors
    out_time_s   (m,) +inf where no way leads
    out_from_ix  (m,) the lane before, -1 at the source and where no way leads; of equal ways the one found first
    """
    out_time_s[:] = np.inf
    out_from_ix[:] = -1
    out_time_s[source_ix] = 0.0
    heap_s[0] = 0.0
    heap_lane[0] = source_ix
    count = 1
    while count > 0:
        time_s = heap_s[0]
        lane = heap_lane[0]
        count -= 1
        heap_s[0] = heap_s[count]
        heap_lane[0] = heap_lane[count]
        _sift_down(heap_s, heap_lane, count)
        if time_s > out_time_s[lane]:
            continue
        for at in range(succ_start[lane], succ_start[lane + 1]):
            ahead = succ_lane[at]
            reached_s = time_s + cost_s[ahead]
            if reached_s < out_time_s[ahead]:
                out_time_s[ahead] = reached_s
                out_from_ix[ahead] = lane
                heap_s[count] = reached_s
                heap_lane[count] = ahead
                count += 1
                _sift_up(heap_s, heap_lane, count - 1)
