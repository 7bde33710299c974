"""Who takes which job, so that the sum of the costs is least: the Hungarian method behind one small pure function."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

FloatArray = NDArray[np.float64]

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
    allowed = np.isfinite(cost)
    if np.isnan(cost).any() or (np.abs(cost[allowed]) >= _FORBIDDEN / 10).any():
        raise ValueError("a cost is not a number, or too large")
    takers, jobs = linear_sum_assignment(np.where(allowed, cost, _FORBIDDEN))
    return [(int(taker), int(job)) for taker, job in zip(takers, jobs, strict=True) if allowed[taker, job]]
