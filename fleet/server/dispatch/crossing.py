"""
One truck's passage of the border with cargo, as customs sees it, as a table.

A crossing exists from the moment a load is aboard; it is declared when the truck leaves its bay. Customs may change its mind
until the truck is through: what it can no longer act on is refused where the command is taken, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import ClassVar, Final

from fleet.errors import Code, FleetError
from fleet.server.commands import CrossingAnswer
from fleet.server.fact_form import Fact, fact
from fleet.server.outgoing import Container, Crossing

FINISHED_KEPT_MAX: Final = 2000


class CrossingState(IntEnum):
    """Customs' view; numbers as on the wire."""

    QUEUED = 1
    DECLARED = 2
    CLEARED = 3
    INSPECTION = 4
    REFUSED = 5
    THROUGH = 6


class CrossingEvent(StrEnum):
    """What may happen to a crossing."""

    DECLARE = "declare"
    CLEAR = "clear"
    INSPECT = "inspect"
    REFUSE = "refuse"
    HOLD = "hold"
    LEAVE = "leave"  # the tail has left the last gate of the checkpoint


_S = CrossingState
_E = CrossingEvent

TRANSITIONS: Final[Mapping[CrossingState, Mapping[CrossingEvent, CrossingState]]] = {
    _S.QUEUED: {_E.DECLARE: _S.DECLARED},
    _S.DECLARED: {_E.CLEAR: _S.CLEARED, _E.INSPECT: _S.INSPECTION, _E.REFUSE: _S.REFUSED, _E.HOLD: _S.DECLARED},
    # A portal alarm turns a cleared load into an inspection; a hold takes the clearance back.
    _S.CLEARED: {
        _E.CLEAR: _S.CLEARED,
        _E.INSPECT: _S.INSPECTION,
        _E.REFUSE: _S.REFUSED,
        _E.HOLD: _S.DECLARED,
        _E.LEAVE: _S.THROUGH,
    },
    _S.INSPECTION: {_E.CLEAR: _S.CLEARED, _E.INSPECT: _S.INSPECTION, _E.REFUSE: _S.REFUSED, _E.HOLD: _S.INSPECTION},
    # The load goes back; a new mission makes a new crossing.
    _S.REFUSED: {_E.REFUSE: _S.REFUSED},
    _S.THROUGH: {},
}

DECISIONS: Final[Mapping[int, CrossingEvent]] = {1: _E.CLEAR, 2: _E.INSPECT, 3: _E.REFUSE, 4: _E.HOLD}
"""The wire's CrossingDecision as events."""

PASSABLE: Final = frozenset({CrossingState.CLEARED, CrossingState.INSPECTION, CrossingState.REFUSED})
"""Decided, so the customs gate may be passed: out, to the X-ray, or on to the turn-back link."""


@dataclass(eq=False)
class IllegalCrossingEvent(FleetError):
    """The crossing cannot take that decision any more."""

    code: ClassVar[Code] = Code.PRECONDITION

    state: str
    event: str


def advance(state: CrossingState, event: CrossingEvent) -> CrossingState:
    """
    The state after *event*.

    Raises:
        IllegalCrossingEvent: *event* has no row under *state*; nothing changed.
    """
    after = TRANSITIONS[state].get(event)
    if after is None:
        raise IllegalCrossingEvent(state=state.name, event=event.name)
    return after


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingKept(Fact):
    """
    A crossing as it is now.

    *row* is the truck's, -1 once the truck has no more to do with it. *scan*: it must pass, or has passed, an X-ray gate.
    *scanned*: an X-ray gate opened for it.
    """

    crossing_id: str
    number: int
    row: int
    truck_id: str
    state: CrossingState
    containers: tuple[Container, ...]
    declared_ns: int
    scan: bool = False
    scanned: bool = False

    def after(self, event: CrossingEvent) -> CrossingKept:
        """The crossing after *event*."""
        return replace(self, state=advance(self.state, event), scan=self.scan or event is CrossingEvent.INSPECT)

    def value(self) -> Crossing:
        """As told to customs."""
        return Crossing(
            crossing_id=self.crossing_id,
            truck_id=self.truck_id,
            state=self.state,
            containers=self.containers,
            homeward=False,
            declared_ns=self.declared_ns,
        )

    def answer(self) -> CrossingAnswer:
        """As told to whoever asks."""
        return CrossingAnswer(
            crossing_id=self.crossing_id,
            truck_id=self.truck_id,
            state=self.state,
            containers=self.containers,
            homeward=False,
            declared_ns=self.declared_ns,
        )


class Crossings:
    """All crossings of late, oldest first, and the present one of each truck row."""

    def __init__(self) -> None:
        self.by_id: dict[str, CrossingKept] = {}
        self.of_row: dict[int, CrossingKept] = {}
        self.newest_number = 0

    def apply(self, kept: CrossingKept) -> None:
        """The crossing is as *kept* says."""
        self.newest_number = max(self.newest_number, kept.number)
        before = self.by_id.get(kept.crossing_id)
        if before is not None and before.row >= 0 and before.row != kept.row:
            self.of_row.pop(before.row, None)
        self.by_id[kept.crossing_id] = kept
        if kept.row >= 0:
            self.of_row[kept.row] = kept
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        if len(self.by_id) <= 2 * FINISHED_KEPT_MAX:
            return
        finished = [crossing_id for crossing_id, kept in self.by_id.items() if kept.row < 0]
        for crossing_id in finished[:-FINISHED_KEPT_MAX]:
            del self.by_id[crossing_id]
