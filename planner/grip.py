"""
The road's friction, cell by cell.

A lane may be kilometres long and a patch of ice as long as a truck. So friction is believed of cells of `FRICTION_CELL_M`: what one
truck's wheels have met on one, every truck must brake with there, and only there.
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np

from planner.kernels.stopping import Grip
from planner.limits import FRICTION_CELL_M
from planner.tables import LaneTable

__all__ = ["Grip", "cell_stretch", "cells_of", "even_grip"]


def even_grip(lanes: LaneTable, friction: float) -> Grip:
    """A road of the same *friction* everywhere."""
    counts = [max(1, ceil(length_m / FRICTION_CELL_M)) for length_m in lanes.length_m.tolist()]
    start = np.cumsum([0, *counts]).astype(np.int32)
    return Grip(cell_start=start, friction=np.full(int(start[-1]), friction))


def cells_of(grip: Grip, lane_ix: int, from_m: float, to_m: float) -> range:
    """The cells that [from_m, to_m] of a lane meets, cut to the lane."""
    first, last = int(grip.cell_start[lane_ix]), int(grip.cell_start[lane_ix + 1]) - 1
    low = min(last, first + max(0, floor(from_m / FRICTION_CELL_M)))
    high = min(last, first + max(0, floor(to_m / FRICTION_CELL_M)))
    return range(low, high + 1)


def cell_stretch(grip: Grip, cell: int) -> tuple[int, float, float]:
    """Lane row and metres of a cell; the last one of a lane may reach past the lane's end."""
    lane_ix = int(np.searchsorted(grip.cell_start, cell, side="right")) - 1
    from_m = (cell - int(grip.cell_start[lane_ix])) * FRICTION_CELL_M
    return lane_ix, from_m, from_m + FRICTION_CELL_M
