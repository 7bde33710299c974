"""Slow plain twins of the routing kernels: relaxation until nothing improves, no heap, no order to get wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]


def slow_shortest_times(succ_start: IndexArray, succ_lane: IndexArray, cost_s: FloatArray, source_ix: int) -> list[float]:
    """Seconds from the end of *source_ix* to the end of every lane; +inf where no way leads."""
    lane_count = len(cost_s)
    times = [float("inf")] * lane_count
    times[source_ix] = 0.0
    improved = True
    while improved:
        improved = False
        for lane in range(lane_count):
            for ahead in succ_lane[succ_start[lane] : succ_start[lane + 1]]:
                reached_s = times[lane] + float(cost_s[ahead])
                if reached_s < times[ahead]:
                    times[ahead] = reached_s
                    improved = True
    return times
