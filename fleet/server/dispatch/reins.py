"""
How far each truck may go for the desk's sake, and why no further: the columns the control loop reads.

They change only when something happens to a truck: whoever changes something loosens its reins, and they are drawn anew in
the same tick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleet.server.columns import CodeColumn, FlagColumn, FloatColumn, RowColumn
from planner.authority import Cause

NOBODY = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rein:
    """An end the desk allows: path coordinate, why no further, and the row (gate, stand, lane, truck) it is for."""

    limit_m: float
    cause: Cause
    ref: int = NOBODY


class Reins:
    """
    limit_m (n,) path coordinate, -inf no extension at all; limit_cause, limit_ref (n,); revoked (n,) a proof was lost; token_ix (n,)
    zone row of the one-lane section that the truck may enter behind another.

    wait: why a settled truck does not leave its stand, by row; after a start, until it was looked at, that it was not seen yet.
    """

    def __init__(self, capacity: int) -> None:
        self.limit_m: FloatColumn = np.full(capacity, -np.inf)
        self.limit_cause: CodeColumn = np.full(capacity, Cause.SESSION, np.int8)
        self.limit_ref: RowColumn = np.full(capacity, NOBODY, np.int32)
        self.token_ix: RowColumn = np.full(capacity, NOBODY, np.int32)
        self.revoked: FlagColumn = np.zeros(capacity, np.bool_)
        self.wait: list[tuple[Cause, int]] = [(Cause.SESSION, NOBODY)] * capacity
        self._loose: dict[int, None] = {}
        self._rows: dict[int, None] = {}

    def loosen(self, row: int) -> None:
        """The truck's rein must be drawn anew."""
        self._rows[row] = None
        self._loose[row] = None

    def loosen_all(self) -> None:
        """Every truck's."""
        self._loose.update(self._rows)

    def take_loose(self) -> list[int]:
        """Rows to draw anew, in the order they were loosened."""
        rows = list(self._loose)
        self._loose.clear()
        return rows

    def draw(self, row: int, rein: Rein) -> None:
        """Sets a truck's limit."""
        self.limit_m[row] = rein.limit_m
        self.limit_cause[row] = rein.cause
        self.limit_ref[row] = rein.ref

    def because(self, row: int, cause: Cause, ref: int = NOBODY) -> None:
        """Why a settled truck stays; loosens the rein when that is new."""
        if self.wait[row] != (cause, ref):
            self.wait[row] = (cause, ref)
            self.loosen(row)
