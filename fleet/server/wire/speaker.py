"""Says one tick's words to everyone they are for: trucks and gateways, whoever waits for an answer, the border, the log."""

from __future__ import annotations

from typing import Final

from fleet.log import Event, Log
from fleet.server.outgoing import Alarm, Outgoing
from fleet.server.wire.call_board import CallBoard
from fleet.server.wire.counter import Counter
from fleet.server.wire.switchboard import Switchboard

_LOG: Final = Log("control_loop")
_EVENTS: Final = {event.value: event for event in Event}
# What belongs to a quiet day, or was a person's wish; everything else the loop points out is for a person to look at.
_QUIET: Final = frozenset({
    Event.TRUCK_REGISTERED, Event.TRUCK_SYNCED, Event.TRUCK_LEFT, Event.TRUCK_EVENT_HEARD,
    Event.SITE_PROPOSED, Event.SITE_WITHDRAWN, Event.SITE_SWITCHED, Event.BAY_MENDED,
})  # fmt: skip


class Speaker:
    """Belongs to the thread of the streams."""

    def __init__(self, switchboard: Switchboard, counter: Counter, board: CallBoard) -> None:
        self._switchboard = switchboard
        self._counter = counter
        self._board = board

    def early(self, outgoing: Outgoing) -> None:
        """What only reduces, or proves that the loop lives: it need not wait for the journal."""
        self._switchboard.say_early(outgoing)

    def durable(self, outgoing: Outgoing) -> None:
        """Everything else, once the tick's facts are in the journal."""
        self._switchboard.say_durable(outgoing)
        self._board.put(outgoing.border_calls)
        for reply in outgoing.replies:
            self._counter.answered(reply)
        for alarm in outgoing.alarms:
            _say(alarm)


def _say(alarm: Alarm) -> None:
    event = _EVENTS[alarm.name]
    say = _LOG.fact if event in _QUIET else _LOG.alarm
    say(event, **dict(alarm.fields))
