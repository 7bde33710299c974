"""What the control thread writes down of each tick: a few numbers into arrays that are there already."""

from __future__ import annotations

from typing import Final

import numpy as np

from fleet.server.columns import IntColumn
from fleet.server.health.durations import Durations

# Ticks whose time is remembered: longer than any answer to a challenge counts.
REMEMBERED: Final = 256


class Pulse:
    """Written by the thread that ticks; read by whoever asks whether it still does."""

    def __init__(self) -> None:
        self.took = Durations()
        self.late = Durations()
        self.ended_ns = 0  # of the newest tick; 0 before the first
        self._number: IntColumn = np.full(REMEMBERED, -1, np.int64)
        self._began_ns: IntColumn = np.zeros(REMEMBERED, np.int64)

    def ticked(self, tick: int, due_ns: int, began_ns: int, ended_ns: int) -> None:
        """*tick* was due, began and ended."""
        at = tick % REMEMBERED
        self._number[at], self._began_ns[at] = tick, began_ns
        self.took.add(ended_ns, ended_ns - began_ns)
        self.late.add(ended_ns, began_ns - due_ns)
        self.ended_ns = ended_ns

    def began_ns(self, ticks: IntColumn) -> IntColumn:
        """When each of *ticks* (k,) began; 0 where that is forgotten."""
        at = ticks % REMEMBERED
        began_ns: IntColumn = np.where(self._number[at] == ticks, self._began_ns[at], 0)
        return began_ns
