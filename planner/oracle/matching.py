"""Twin of the kernel that matches rows to columns: scipy's."""

from __future__ import annotations

from scipy.optimize import linear_sum_assignment

from planner.tables import FloatArray


def slow_match_rows(cost: FloatArray) -> list[int]:
    """The column of each row, so that the sum of the costs is least; *cost* (n, m), n not above m."""
    return [int(column) for column in linear_sum_assignment(cost)[1]]
