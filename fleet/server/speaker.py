"""Says one tick's words to everyone they are for: trucks and gateways, whoever waits for an answer, the border, the log."""

from __future__ import annotations

from typing import Final

from fleet.log import Event, Log
from fleet.server.call_board import CallBoard
from fleet.server.counter import Counter
from fleet.server.outgoing import Alarm, Outgoing
from fleet.server.switchboard import Switchboard

_LOG: Final = Log("control_loop")
_EVENTS: Final = {event.value: event for event in Event}


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
    event = _EVENTS.get(alarm.name)
    if event is None:
        _LOG.alarm(Event.REQUEST_FAILED, alarm=alarm.name, **dict(alarm.fields))
    else:
        _LOG.alarm(event, **dict(alarm.fields))
