"""
Saying again what may have been lost on the way, once a second.

A radio may drop a message and keep the link. Every report carries the highest term its truck accepted: one that still lies
below what was issued a second ago shows that a route, a grant or a shortening never arrived, and it is said anew under a
higher term. Stops carry no term: a truck that was stopped and still moves is told again, and so, a few times, is one that was
released.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fleet.server.columns import FlagColumn, IntColumn
from fleet.server.loop.ledger import NONE_PENDING, Ledger
from fleet.server.loop.sessions import NO_LINK, Sessions
from fleet.server.loop.stops import Stops
from fleet.server.loop.telemetry import Telemetry
from fleet.server.loop.truck_session import State

REPEAT_TICKS: Final = 10
_LIVE, _HALTED, _QUARANTINED = int(State.LIVE), int(State.HALTED), int(State.QUARANTINED)


class Repeats:
    """Remembers the terms of a second ago, by row."""

    def __init__(self, ledger: Ledger, sessions: Sessions, telemetry: Telemetry, stops: Stops) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._telemetry = telemetry
        self._stops = stops
        self._epoch: IntColumn = np.zeros(0, np.int64)
        self._sequence: IntColumn = np.zeros(0, np.int64)
        self._pending: IntColumn = np.zeros(0, np.int64)

    def look(self, standing: FlagColumn) -> tuple[list[int], list[int]]:
        """
        Rows whose route and grant are to be said anew, and rows whose unanswered shortening is; once every REPEAT_TICKS.

        Stops and releases are repeated by themselves; *standing* (n,) needs no further stop.
        """
        ledger, sessions, telemetry = self._ledger, self._sessions, self._telemetry
        count = len(standing)
        known = min(len(self._epoch), count)
        epoch, sequence = telemetry.accepted_epoch[:known], telemetry.accepted_sequence[:known]
        behind = (epoch < self._epoch[:known]) | ((epoch == self._epoch[:known]) & (sequence < self._sequence[:known]))
        behind &= (sessions.state[:known] == _LIVE) & (self._epoch[:known] == ledger.epoch)
        self._epoch, self._sequence = ledger.issued_epoch[:count].copy(), ledger.issued_sequence[:count].copy()
        state = sessions.state[:count]
        rolling = ((state == _HALTED) | (state == _QUARANTINED)) & ~standing & (sessions.link[:count] != NO_LINK)
        self._stops.repeat(rolling.nonzero()[0].tolist())
        pending = ledger.pending[:count]
        unanswered = (pending[:known] != NONE_PENDING) & (pending[:known] == self._pending) & ledger.greeted[:known]
        self._pending = pending.copy()
        return behind.nonzero()[0].tolist(), unanswered.nonzero()[0].tolist()
