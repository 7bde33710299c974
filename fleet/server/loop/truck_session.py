"""
The session of one truck with the server, as a table.

Only a live truck may be given road. A truck that fell silent, left, or was stopped keeps every metre it holds: the session says
who may be *given* something, never who has let go. After silence comes a re-sync (an answer to our own challenge); after a stop
or a quarantine comes a person, and then the same re-sync. Nothing here starts a truck by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final

from fleet.errors import Code, FleetError


class State(IntEnum):
    """Where a session stands; numbers as on the wire."""

    ABSENT = 1
    SYNCING = 2
    LIVE = 3
    SILENT = 4
    QUARANTINED = 5
    HALTED = 6


class Event(IntEnum):
    """What can happen to a session."""

    HELLO = 1  # a hello was accepted
    SYNCED = 2  # it answered our challenge since the hello or the silence
    HEARD = 3  # an accepted report after silence
    SILENCE_EXCEEDED = 4
    LINK_LOST = 5
    GOODBYE = 6
    STOP_ORDERED = 7
    DISBELIEVED = 8
    RELEASED = 9  # by a person, and no other stop remains


@dataclass(eq=False)
class IllegalTransition(FleetError):
    """The session's table has no such step."""

    code: ClassVar[Code] = Code.BUG

    state: str
    event: str


_S, _E = State, Event

TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    _S.ABSENT: {
        _E.HELLO: _S.SYNCING,
        _E.HEARD: _S.ABSENT,
        _E.SILENCE_EXCEEDED: _S.ABSENT,
        _E.LINK_LOST: _S.ABSENT,
        _E.GOODBYE: _S.ABSENT,
        _E.STOP_ORDERED: _S.HALTED,
        _E.DISBELIEVED: _S.QUARANTINED,
        _E.RELEASED: _S.ABSENT,
    },
    _S.SYNCING: {
        _E.HELLO: _S.SYNCING,
        _E.SYNCED: _S.LIVE,
        _E.HEARD: _S.SYNCING,
        _E.SILENCE_EXCEEDED: _S.SILENT,
        _E.LINK_LOST: _S.SILENT,
        _E.GOODBYE: _S.ABSENT,
        _E.STOP_ORDERED: _S.HALTED,
        _E.DISBELIEVED: _S.QUARANTINED,
        _E.RELEASED: _S.SYNCING,
    },
    _S.LIVE: {
        _E.HELLO: _S.SYNCING,
        _E.SYNCED: _S.LIVE,
        _E.HEARD: _S.LIVE,
        _E.SILENCE_EXCEEDED: _S.SILENT,
        _E.LINK_LOST: _S.SILENT,
        _E.GOODBYE: _S.ABSENT,
        _E.STOP_ORDERED: _S.HALTED,
        _E.DISBELIEVED: _S.QUARANTINED,
        _E.RELEASED: _S.LIVE,
    },
    # A silent truck keeps its road: it may still be rolling.
    _S.SILENT: {
        _E.HELLO: _S.SYNCING,
        _E.HEARD: _S.SYNCING,
        _E.SILENCE_EXCEEDED: _S.SILENT,
        _E.LINK_LOST: _S.SILENT,
        _E.GOODBYE: _S.ABSENT,
        _E.STOP_ORDERED: _S.HALTED,
        _E.DISBELIEVED: _S.QUARANTINED,
        _E.RELEASED: _S.SILENT,
    },
    # Coming back proves nothing about what was disbelieved, and a quarantined truck is stopped already.
    _S.QUARANTINED: {
        _E.HELLO: _S.QUARANTINED,
        _E.SYNCED: _S.QUARANTINED,
        _E.HEARD: _S.QUARANTINED,
        _E.SILENCE_EXCEEDED: _S.QUARANTINED,
        _E.LINK_LOST: _S.QUARANTINED,
        _E.GOODBYE: _S.QUARANTINED,
        _E.STOP_ORDERED: _S.QUARANTINED,
        _E.DISBELIEVED: _S.QUARANTINED,
        _E.RELEASED: _S.SILENT,
    },
    # Released, a truck must be heard and must answer once more before it is given road.
    _S.HALTED: {
        _E.HELLO: _S.HALTED,
        _E.SYNCED: _S.HALTED,
        _E.HEARD: _S.HALTED,
        _E.SILENCE_EXCEEDED: _S.HALTED,
        _E.LINK_LOST: _S.HALTED,
        _E.GOODBYE: _S.HALTED,
        _E.STOP_ORDERED: _S.HALTED,
        _E.DISBELIEVED: _S.QUARANTINED,
        _E.RELEASED: _S.SILENT,
    },
}


def advance(state: State, event: Event) -> State:
    """
    Return the state after *event*.

    Raises:
        IllegalTransition: *event* has no row under *state*; nothing changed.
    """
    after = TRANSITIONS[state].get(event)
    if after is None:
        raise IllegalTransition(state=state.name, event=event.name)
    return after
