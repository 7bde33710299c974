"""
Fixed blocks in the loop, where a server is set to them: a limit on every end, under the desk's own.

Keeps only how long each truck has waited for its block, which a new server may forget.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fleet.server.columns import FlagColumn, FloatColumn, IntColumn, RowColumn
from planner.authority import Cause
from planner.blocks import BlockTable, blocks_of, hold_to
from planner.corridor import Corridor
from planner.policy import BLOCK_M, MOVING
from planner.tables import TruckTable
from planner.zones import claims_after

__all__ = ["MOVING", "Blocking", "blocking_of"]

_LEADER: Final = int(Cause.LEADER)


class Blocking:
    """Who waits for which block."""

    def __init__(self, blocks: BlockTable, trucks: TruckTable) -> None:
        self._blocks = blocks
        self._trucks = trucks
        self._since: IntColumn = np.zeros(0, np.int64)

    def hold_back(self, limit_m: FloatColumn, cause: RowColumn, ref: RowColumn, may_extend: FlagColumn, *, tick: int) -> None:
        """Lowers *limit_m* (n,) to the first block that is another truck's, which is then the leader in *cause* and *ref*."""
        count = self._trucks.count
        if len(self._since) < count:
            self._since = np.concatenate([self._since, np.zeros(count - len(self._since), np.int64)])
        limits = hold_to(self._blocks, self._trucks, may_extend=may_extend, limit_m=limit_m, since=self._since)
        self._since = claims_after(self._since, limits.refused, tick)
        lower = limits.limit_m < limit_m
        limit_m[lower], cause[lower], ref[lower] = limits.limit_m[lower], _LEADER, limits.holder[lower]


def blocking_of(corridor: Corridor, trucks: TruckTable, policy: str) -> Blocking | None:
    """
    What *policy* asks for beyond moving authority; None for nothing.

    Raises:
        ValueError: there is no such policy.
    """
    if policy not in BLOCK_M:
        raise ValueError(f"there is no policy {policy!r}; there are {', '.join(BLOCK_M)}")
    block_m = BLOCK_M[policy]
    return None if block_m is None else Blocking(blocks_of(corridor, block_m), trucks)
