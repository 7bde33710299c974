"""The ladder's arithmetic, and brakes that are weaker than declared."""

from __future__ import annotations

import math

import pytest

from fleet.onboard.ladder import Ladder, LadderUnsound, contact_rung, heartbeat_counts, may_accept
from fleet.onboard.senses import Brakes, agree, brakes_trusted, sense, senses_at, watch_brakes
from planner.limits import BRAKE_FAILED


@pytest.mark.parametrize(("silence_s", "reaction"), [(0.0, 0), (0.99, 0), (1.0, 1), (1.99, 1), (2.0, 2), (99.0, 2)])
def test_silence_climbs_the_ladder(silence_s: float, reaction: int) -> None:
    """One second: no more acceleration. Two: a service stop."""
    assert Ladder().reaction(silence_s) == reaction


def test_the_last_rung_may_be_an_emergency_stop() -> None:
    """Sites may ask for it in the welcome."""
    assert contact_rung(6.0, 1.0, 2.0, 5.0) == 3


def test_a_ladder_is_read_from_its_rungs() -> None:
    """The order of the rungs in the message means nothing."""
    assert Ladder.of_rungs([(2.5, 2), (1.5, 1)]) == Ladder(ease_s=1.5, stop_s=2.5, emergency_s=math.inf)
    assert Ladder.of_rungs([]) == Ladder()


@pytest.mark.parametrize("rungs", [[(1.0, 1)], [(30.0, 2)], [(3.0, 1), (2.0, 2)], [(-1.0, 2)], [(math.nan, 2)]])
def test_a_ladder_that_never_stops_the_truck_is_refused(rungs: list[tuple[float, int]]) -> None:
    """A server may shorten a truck's patience, not lengthen it beyond reason."""
    with pytest.raises(LadderUnsound):
        Ladder.of_rungs(rungs)


@pytest.mark.parametrize(
    ("tick", "echo_ns", "counts"),
    [(11, 900, True), (10, 900, False), (9, 900, False), (11, 0, False), (11, 1001, False), (11, -5, False)],
)
def test_a_heartbeat_counts_if_its_tick_rises_and_it_echoes_what_was_asked(tick: int, echo_ns: int, *, counts: bool) -> None:
    """Neither a repeated tick nor an echo of something never asked proves anything."""
    assert heartbeat_counts(tick, 10, echo_ns, 1000, 1000) is counts


def test_an_old_challenge_proves_nothing() -> None:
    """One second is as old as an answer may be."""
    assert heartbeat_counts(2, 1, 1, 1, 1_000_000_001)
    assert not heartbeat_counts(2, 1, 1, 1, 1_000_000_002)


@pytest.mark.parametrize(("epoch", "sequence", "accepted"), [(5, 8, True), (5, 7, False), (5, 6, False), (6, 99, False), (4, 99, False)])
def test_a_message_is_taken_in_order_and_of_the_agreed_epoch(epoch: int, sequence: int, *, accepted: bool) -> None:
    """Neither an older sequence nor any other epoch, higher ones included."""
    assert may_accept(epoch, sequence, 5, 5, 7) is accepted


def apply_brakes(brakes: Brakes, share: float) -> Brakes:
    """One application of 1 m/s² for three seconds that delivers *share* of it after the lag."""
    for step in range(30):
        brakes = watch_brakes(brakes, 1.0, share if step >= 10 else 0.0, (0.5, 0.5), 0.1, False)
    return watch_brakes(brakes, 0.0, 0.0, (0.5, 0.5), 0.1, False)


def test_three_weak_applications_derate_the_brakes() -> None:
    """One may be a patch of gravel; three are the brakes."""
    brakes = brakes_trusted()
    healths = []
    for _ in range(3):
        brakes = apply_brakes(brakes, 0.8)
        healths.append(brakes.health)

    assert healths == [1.0, 1.0, pytest.approx(0.8)]


def test_a_strong_application_between_them_begins_the_count_anew() -> None:
    """In a row means in a row."""
    brakes = brakes_trusted()
    for share in (0.8, 0.8, 1.0, 0.8, 0.8):
        brakes = apply_brakes(brakes, share)

    assert brakes.health == 1.0


def test_health_does_not_come_back_by_itself() -> None:
    """A depot repairs brakes; a few good stops do not."""
    brakes = brakes_trusted()
    for share in (0.5, 0.5, 0.5, 1.0, 1.0):
        brakes = apply_brakes(brakes, share)

    assert brakes.health < BRAKE_FAILED


def test_the_lag_of_a_growing_demand_is_not_weakness() -> None:
    """Brakes that follow a rising demand are always a little behind it."""
    brakes = brakes_trusted()
    for _ in range(4):
        measured_mps2 = 0.0
        for step in range(30):
            asked_mps2 = 0.5 + 0.03 * step
            measured_mps2 += 0.15 * (asked_mps2 - measured_mps2)
            brakes = watch_brakes(brakes, asked_mps2, measured_mps2, (0.5, 0.5), 0.1, False)
        brakes = watch_brakes(brakes, 0.0, 0.0, (0.5, 0.5), 0.1, False)

    assert brakes.health == 1.0


@pytest.mark.parametrize(("place_share", "seconds"), [(0.5, 5.0), (2.0, 5.0), (1.1, 30.0)])
def test_wheels_and_places_that_creep_apart_are_noticed(place_share: float, seconds: float) -> None:
    """A speed shown at half would halve the stopping distance a truck believes in, and no single step betrays it."""
    senses, nose_m = senses_at(0.0), 0.0
    for _ in range(round(seconds * 10)):
        nose_m += 5.0 * place_share * 0.1
        senses = sense(senses, nose_m, 5.0, 0.4, 0.1)

    assert not agree(senses.apart_m, 0.4)
    assert senses.doubt_m >= abs(senses.apart_m)


def test_honest_drift_and_fixes_never_look_like_a_contradiction() -> None:
    """An odometer that is one per cent wrong, set right at each nail, is how trucks drive all day."""
    senses, nose_m = senses_at(0.0), 0.0
    for step in range(20_000):
        nose_m += 5.0 * 0.1
        error_m = 0.01 * (nose_m % 10.0) + (0.25 if int(nose_m / 10.0) % 2 else -0.25)
        senses = sense(senses, nose_m + error_m, 5.0 * 1.01, 0.4, 0.1)
        assert agree(senses.apart_m, 0.4), f"step {step}"

    assert senses.doubt_m == 0.0
