"""The mission's table: complete, ending, and strict."""

from __future__ import annotations

import pytest

from fleet.server.dispatch.mission import ABOARD, FINAL, TRANSITIONS, IllegalMissionEvent, MissionEvent, MissionState, advance
from fleet.v1 import common_pb2


def test_states_are_the_wires() -> None:
    """A number that means another state on the wire would send a truck to unload what it has not loaded."""
    wire = {name.removeprefix("MISSION_STATE_"): number for name, number in common_pb2.MissionState.items() if number}

    assert {state.name: int(state) for state in MissionState} == wire


def test_every_state_has_a_row() -> None:
    """A state without a row would be a state nobody thought about."""
    assert set(TRANSITIONS) == set(MissionState)
    assert {state for state, row in TRANSITIONS.items() if not row} == FINAL


@pytest.mark.parametrize("state", MissionState)
@pytest.mark.parametrize("event", MissionEvent)
def test_an_event_without_a_row_changes_nothing(state: MissionState, event: MissionEvent) -> None:
    """Whatever the table does not say is our own mistake, loudly."""
    after = TRANSITIONS[state].get(event)

    if after is None:
        with pytest.raises(IllegalMissionEvent):
            advance(state, event)
    else:
        assert advance(state, event) is after


def test_the_usual_day_of_a_mission() -> None:
    """Assigned to done, in the order the work is done."""
    state = MissionState.ASSIGNED

    for event in ("bay_booked", "stood_at_bay", "loaded", "departed", "stood_at_bay", "unloaded"):
        state = advance(state, MissionEvent(event))

    assert state is MissionState.DONE


@pytest.mark.parametrize("state", sorted(set(MissionState) - FINAL))
def test_a_truck_can_be_taken_away_in_every_state(state: MissionState) -> None:
    """A breakdown asks nobody how far the mission is."""
    assert advance(state, MissionEvent.REMOVED) is MissionState.RETURNED


def test_nothing_aboard_is_ever_abandoned() -> None:
    """A cancelled order frees trucks that have nothing aboard; a load is always delivered or brought back."""
    assert all(MissionEvent.ABANDONED not in TRANSITIONS[state] for state in ABOARD)
