"""The session table: complete, and cautious wherever it could be bold."""

from __future__ import annotations

import pytest

from fleet.server.loop.truck_session import TRANSITIONS, Event, IllegalTransition, State, advance

NEVER = {(State.ABSENT, Event.SYNCED), (State.SILENT, Event.SYNCED)}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_pair_has_a_row_or_is_known_never_to_happen(state: State, event: Event) -> None:
    """A forgotten row would be found by the first truck that needs it."""
    if (state, event) in NEVER:
        with pytest.raises(IllegalTransition):
            advance(state, event)
    else:
        assert advance(state, event) is TRANSITIONS[state][event]


@pytest.mark.parametrize("state", State)
def test_a_stop_order_is_accepted_in_every_state(state: State) -> None:
    """The operator's stop must never be refused for being untimely."""
    assert advance(state, Event.STOP_ORDERED) in {State.HALTED, State.QUARANTINED}


@pytest.mark.parametrize("state", [State.HALTED, State.QUARANTINED])
@pytest.mark.parametrize("event", [event for event in Event if event is not Event.RELEASED])
def test_only_a_person_ends_a_halt_or_a_quarantine(state: State, event: Event) -> None:
    """Two real driverless trucks collided when communications came back and they moved by themselves."""
    assert advance(state, event) in {State.HALTED, State.QUARANTINED}


@pytest.mark.parametrize("state", [state for state in State if state not in {State.SYNCING, State.LIVE}])
@pytest.mark.parametrize("event", Event)
def test_a_truck_becomes_live_only_out_of_a_sync(state: State, event: Event) -> None:
    """Being heard is not enough: it must have answered a challenge of this server."""
    if (state, event) not in NEVER:
        assert advance(state, event) is not State.LIVE


def test_a_released_truck_syncs_before_it_is_live() -> None:
    """A halt may have lasted hours; what the truck holds is settled anew."""
    state = advance(State.HALTED, Event.RELEASED)

    path = [state := advance(state, event) for event in (Event.HEARD, Event.SYNCED)]

    assert path == [State.SYNCING, State.LIVE]
