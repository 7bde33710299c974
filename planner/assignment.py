"""Who takes which job, so that the sum of the costs is least: the Hungarian method behind one small pure function."""

from __future__ import annotations

import numpy as np

from planner.kernels.matching import match_rows
from planner.tables import FloatArray

# Beyond any real cost, below anything that costs precision: a forbidden pair is chosen only when nothing else is left.
_FORBIDDEN = 1e9


def assign(cost: FloatArray) -> list[tuple[int, int]]:
    """
    Pairs (taker, job) of least total cost, as many pairs as allowed ones can make; ascending by taker.

    cost  (takers, jobs), +inf where a taker may not have a job; no other value may reach 1e8

    Raises:
        ValueError: a cost is no number, or too large to be told from a forbidden one.
    """
    if cost.ndim != 2:
        raise ValueError(f"cost must have two dimensions, has {cost.ndim}")
    if 0 in cost.shape:
        return []
    if cost.shape[0] > cost.shape[1]:
        return sorted((taker, job) for job, taker in assign(cost.T))
    allowed = np.isfinite(cost)
    if np.isnan(cost).any() or (np.abs(cost[allowed]) >= _FORBIDDEN / 10).any():
        raise ValueError("a cost is not a number, or too large")
    rows, columns = cost.shape
    column_of, row_of = np.empty(rows, np.int32), np.empty(columns, np.int32)
    space = np.empty((3, columns)), np.empty((2, columns), np.bool_), np.empty((2, columns), np.int32)
    match_rows(np.ascontiguousarray(np.where(allowed, cost, _FORBIDDEN)), column_of, row_of, *space)
    return [(row, column) for row, column in enumerate(column_of.tolist()) if allowed[row, column]]
