"""Whether the journal can take what is decided: while it cannot, or lags, the loop is told to grant nothing."""

from __future__ import annotations

from typing import Final

from fleet.log import Event, Log
from fleet.server.inputs import JournalChanged
from fleet.server.wire.inbox import Inbox

# Ticks waiting for the disk: beyond the one nothing new is granted, below the other it goes on.
TICKS_BEHIND_MAX: Final = 10
TICKS_CAUGHT_UP: Final = 1
SENDER: Final = "journal"

_LOG: Final = Log("journal")


class Writability:
    """Told by the writer (room) and by the control thread (ticks waiting); tells the loop through the inbox."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self.behind = False  # too much waits for the disk
        self.has_room = True

    def room_changed(self, has_room: bool, reason: str) -> None:
        """The disk filled, or has room again."""
        self.has_room = has_room
        if has_room:
            _LOG.fact(Event.JOURNAL_SPACE_RETURNED)
        else:
            _LOG.alarm(Event.JOURNAL_APPEND_FAILED, reason=reason)
        self._tell(reason)

    def ticks_waiting(self, count: int) -> None:
        """So many ticks are decided and not durable."""
        behind = count > TICKS_BEHIND_MAX or (self.behind and count > TICKS_CAUGHT_UP)
        if behind != self.behind:
            self.behind = behind
            self._tell("JournalSlow" if behind else "")

    def _tell(self, reason: str) -> None:
        self._inbox.put(SENDER, JournalChanged(writable=self.has_room and not self.behind, reason=reason))
