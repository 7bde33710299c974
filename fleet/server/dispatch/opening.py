"""
When the border is open, and who can still get through before it closes.

Windows are local seconds of the day; control time begins at a given second of a given day. Nobody who cannot have left the
strip between the border gate and the customs gate before closing may enter it, so at closing the strip is empty. During a
shift handover no gate takes a truck; what has been opened stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fleet.clock import NS_PER_S
from fleet.server.fact_form import Fact, fact
from planner.corridor import Corridor, Window

DAY_S: Final = 86_400
NEVER_S: Final = float("inf")


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningSet(Fact):
    """A person opened or closed a gate (row), or the whole border (-1), until *until_ns* (0: until said otherwise)."""

    gate_ix: int
    open: bool
    until_ns: int


class Opening:
    """The day's windows, and what persons said on top of them."""

    def __init__(self, corridor: Corridor, day_start_s: int) -> None:
        self._windows = corridor.windows
        self._handovers = corridor.shift_handovers
        self._day_start_s = day_start_s
        self.said: dict[int, OpeningSet] = {}

    def apply(self, change: OpeningSet) -> None:
        """A person's word replaces the one before, for the same gate."""
        self.said[change.gate_ix] = change

    def border_left_s(self, now_ns: int) -> float:
        """Seconds until the border closes: 0 when it is closed, infinite when it never does."""
        said = self._in_force(-1, now_ns)
        if said is not None:
            if not said.open:
                return 0.0
            # Open by word: what follows the word is the window again, if that is open by then.
            return NEVER_S if said.until_ns == 0 else (said.until_ns - now_ns) / NS_PER_S
        return _left_s(self._windows, self._local_s(now_ns)) if self._windows else NEVER_S

    def gate_takes(self, gate_ix: int, now_ns: int) -> bool:
        """Whether the gate takes another truck now."""
        said = self._in_force(gate_ix, now_ns)
        if said is not None:
            return said.open
        return _left_s(self._handovers, self._local_s(now_ns)) == 0.0

    def handover_near(self, now_ns: int, within_s: float) -> bool:
        """Whether a shift handover is on, or begins within *within_s*."""
        local_s = self._local_s(now_ns)
        return any(_left_s(self._handovers, local_s + ahead_s) > 0.0 for ahead_s in (0.0, within_s))

    def facts(self) -> list[Fact]:
        """What persons said."""
        return [self.said[gate_ix] for gate_ix in sorted(self.said)]

    def _in_force(self, gate_ix: int, now_ns: int) -> OpeningSet | None:
        said = self.said.get(gate_ix)
        return said if said is not None and (said.until_ns == 0 or now_ns < said.until_ns) else None

    def _local_s(self, now_ns: int) -> float:
        return (self._day_start_s + now_ns / NS_PER_S) % DAY_S


def _left_s(windows: Sequence[Window], local_s: float) -> float:
    """Seconds left of the window that is on at *local_s*; 0 when none is. Windows may pass midnight or touch one another."""
    left_s = 0.0
    while left_s < DAY_S:
        at_s = local_s + left_s
        ends = [
            window.close_s - shifted
            for window in windows
            for shifted in (at_s % DAY_S, at_s % DAY_S + DAY_S)
            if window.open_s <= shifted < window.close_s
        ]
        if not ends:
            return left_s
        left_s += max(ends)
    return NEVER_S
