"""Who takes which contested zone when: the answer of planning, as columns that can be kept and sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.tables import FloatArray, IndexArray, LongArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turns:
    """
    Whose turn it is, (e,) by zone and within a zone in order; none: whoever comes first goes first.

    seen_ns   when the fleet was as the plan has it
    zone branch row   whose turn, by which branch
    entry_m   path coordinate of the truck's end from which on it has taken its turn
    due_ns    when its nose is planned to be there
    """

    seen_ns: int
    zone: IndexArray
    branch: IndexArray
    row: IndexArray
    entry_m: FloatArray
    due_ns: LongArray

    @classmethod
    def of(cls, seen_ns: int, turns: list[tuple[int, int, int, int, float]]) -> Turns:
        """Those of *turns*: zone, due, row, branch, entry."""
        turns = sorted(turns)
        return cls(
            seen_ns=seen_ns,
            zone=np.array([turn[0] for turn in turns], np.int32),
            due_ns=np.array([turn[1] for turn in turns], np.int64),
            row=np.array([turn[2] for turn in turns], np.int32),
            branch=np.array([turn[3] for turn in turns], np.int32),
            entry_m=np.array([turn[4] for turn in turns], np.float64),
        )
