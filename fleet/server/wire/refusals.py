"""
Who was refused what for want of rights, counted so that a flood of it fills neither log nor journal.

The first of a kind is told at once, to the log and to the core, which keeps it for the audit. More of the same are counted, and told as
one when the window is over. So many kinds are told apart in a window, and no more: whoever comes up with ever new ones is counted too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, TypeAlias

from fleet.errors import FleetError
from fleet.log import Event, Log
from fleet.server.commands import NoteRefusals
from fleet.server.inputs import CommandGiven
from fleet.server.wire.inbox import Inbox, Overloaded

WINDOW_TICKS: Final = 600  # a minute
KINDS_MAX: Final = 32
TOLD_CHARS_MAX: Final = 300
OTHERS: Final = ("many", "many", "Others", False)

_Kind: TypeAlias = tuple[str, str, str, bool]  # actor, method, reason, whether the core knows
_LOG: Final = Log("access")


class Refusals:
    """Belongs to the thread of the streams."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._counts: dict[_Kind, int] = {}
        self._ticks = 0

    def refused(self, actor: str, what: str, error: FleetError, known: bool = False) -> None:
        """*actor*, as far as he is known, asked for *what*; *known*: the core refused it, and has it on record."""
        kind = (actor[:TOLD_CHARS_MAX], what[:TOLD_CHARS_MAX], error.reason, known)
        if kind not in self._counts and len(self._counts) >= KINDS_MAX:
            kind = OTHERS
        if kind in self._counts:
            self._counts[kind] += 1
            return
        self._counts[kind] = 0
        self._tell(kind, 1)

    def ticked(self) -> None:
        """A tenth of a second went by; at the end of a window what was counted is told."""
        if not self._counts:
            return
        self._ticks += 1
        if self._ticks < WINDOW_TICKS:
            return
        self._ticks = 0
        counts, self._counts = self._counts, {}
        for kind, count in counts.items():
            if count:
                self._tell(kind, count)

    def _tell(self, kind: _Kind, count: int) -> None:
        actor, what, reason, known = kind
        _LOG.alarm(Event.ACCESS_REFUSED, actor=actor, method=what, reason=reason, count=count)
        if known:
            return
        note = CommandGiven(ticket=0, command=NoteRefusals(request_id="", what=what, reason=reason, count=count), actor=actor)
        with suppress(Overloaded):  # the log has it
            self._inbox.put(actor, note)
