"""
Columns side by side in one block of memory.

A kernel that is handed fifty arrays spends longer on unpacking its arguments than on a hundred trucks. Gathered into one
array of records it is handed one, and reads `state.end_m[i]` all the same.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np

from planner._jit import COMPILED

Columns = TypeVar("Columns", bound=tuple[Any, ...])


def gather(columns: Columns) -> tuple[Columns, Columns]:
    """
    Move equally long *columns* (a named tuple of arrays) into one block.

    Returns the columns as views into it, and the block as kernels take it: compiled code reads fields of an array of
    records by name, uncompiled code gets the views.
    """
    names: tuple[str, ...] = columns._fields  # type: ignore[attr-defined]
    dtype = np.dtype([(name, column.dtype) for name, column in zip(names, columns, strict=True)], align=True)
    block = np.zeros(len(columns[0]), dtype=dtype)
    for name, column in zip(names, columns, strict=True):
        block[name] = column
    views = type(columns)(*(block[name] for name in names))
    return views, cast("Columns", block) if COMPILED else views
