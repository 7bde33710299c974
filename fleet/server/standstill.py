"""
What a server still does when its journal cannot be believed: it answers what it is asked, and lets nobody move.

Who holds which road is in the journal and nowhere else, so nothing is granted, and nothing is appended that would hide the damage.
No truck is taken on and none hears a heartbeat: each stands by itself, as it does without any server, until a person has restored
the journal or cleared the corridor. No epoch is taken either: a term that no journal knows would be given out twice.

What could be read before the damage is shown to whoever asks, as it was then. An all-stop is accepted, because a stop always is;
every other command is refused with the place of the damage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from google.protobuf.message import Message

from fleet.server.commands import Command, StopAll
from fleet.server.engine import Engine
from fleet.server.journal.journal import JournalCorrupt
from fleet.server.loop.stops import OWN_ACTOR
from fleet.server.wire.counter import Counter, MessageT

STOP_ID: Final = "journal_damaged"


class StandstillCounter(Counter):
    """Takes stops in and refuses everything else; implements `Counter` without a loop."""

    def __init__(self, engine: Engine, damage: JournalCorrupt, now_ns: Callable[[], int]) -> None:
        super().__init__(engine.inbox, engine.reader, engine.writer)
        self._engine = engine
        self._damage = damage
        self._now_ns = now_ns
        # Whoever lists the stops, or asks why a truck stands, sees it.
        self._stop(StopAll(stop_id=STOP_ID, reason=str(damage)), OWN_ACTOR)

    async def _answer(self, command: Command, actor: str, form: type[MessageT]) -> MessageT:
        if not isinstance(command, StopAll):
            raise self._damage
        message: Message = self._writer.message(self._stop(command, actor))
        assert isinstance(message, form), f"a stop was answered with {type(message).__name__}"
        return message

    def _stop(self, command: StopAll, actor: str) -> object:
        answer, _facts = self._engine.desk.command(command, actor, self._now_ns())
        return answer
