"""The crossing's table."""

from __future__ import annotations

import pytest

from fleet.server.dispatch.crossing import (
    DECISIONS,
    PASSABLE,
    TRANSITIONS,
    CrossingEvent,
    CrossingKept,
    CrossingState,
    IllegalCrossingEvent,
    advance,
)
from fleet.v1 import border_pb2, common_pb2


def test_states_and_decisions_are_the_wires() -> None:
    """Customs' word must not become another word on the way in."""
    states = {name.removeprefix("CROSSING_STATE_"): number for name, number in common_pb2.CrossingState.items() if number}
    decisions = {number: name.removeprefix("CROSSING_DECISION_").lower() for name, number in border_pb2.CrossingDecision.items() if number}

    assert {state.name: int(state) for state in CrossingState} == states
    assert {number: event.value for number, event in DECISIONS.items()} == decisions


@pytest.mark.parametrize("state", CrossingState)
@pytest.mark.parametrize("event", CrossingEvent)
def test_an_event_without_a_row_changes_nothing(state: CrossingState, event: CrossingEvent) -> None:
    """A decision that comes too late is refused, not bent into another."""
    after = TRANSITIONS[state].get(event)

    if after is None:
        with pytest.raises(IllegalCrossingEvent):
            advance(state, event)
    else:
        assert advance(state, event) is after


def test_only_a_cleared_load_gets_through() -> None:
    """No inspection, hold or refusal ends in passing the border."""
    assert [state for state, row in TRANSITIONS.items() if CrossingEvent.LEAVE in row] == [CrossingState.CLEARED]
    assert PASSABLE.isdisjoint({CrossingState.QUEUED, CrossingState.DECLARED, CrossingState.THROUGH})


def test_a_refusal_is_not_taken_back() -> None:
    """The load is on its way home; a new mission makes a new crossing."""
    assert set(TRANSITIONS[CrossingState.REFUSED].values()) == {CrossingState.REFUSED}


def test_a_hold_takes_a_clearance_back() -> None:
    """Customs may think again while the truck is still before the gate."""
    assert advance(CrossingState.CLEARED, CrossingEvent.HOLD) is CrossingState.DECLARED


def test_an_inspection_wants_a_scan_even_once_cleared() -> None:
    """The officer's word to inspect stays on the crossing, whatever its state becomes."""
    kept = CrossingKept(crossing_id="crossing-1", number=1, row=0, truck_id="T", state=CrossingState.CLEARED, containers=(), declared_ns=1)

    assert kept.after(CrossingEvent.INSPECT).after(CrossingEvent.CLEAR).scan
