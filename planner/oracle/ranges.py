"""Slow twin of the kernel that checks ranges."""

from __future__ import annotations

from collections.abc import Sequence


def slow_check_ranges(row: Sequence[float], ranges: Sequence[tuple[float, float]]) -> bool:
    """Whether every number of *row* lies in its range."""
    return all(low <= value <= high for value, (low, high) in zip(row, ranges, strict=True))
