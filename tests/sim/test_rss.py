"""What RSS calls a safe distance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_harness.rss import Rule, safe_gap_m

RULE = Rule(response_s=1.0, acceleration_mps2=0.7, speed_max_mps=7.0, brake_least_mps2=2.2, brake_leader_mps2=4.0, margin_m=0.0)


def test_behind_a_standing_leader_it_is_the_whole_way_to_rest() -> None:
    """A second of speeding up from 5 m/s, then 2.2 m/s2."""
    assert safe_gap_m(5.0, 0.0, RULE) == pytest.approx(5.35 + 5.7**2 / 4.4)


def test_nobody_speeds_up_beyond_the_limit_and_the_too_fast_keep_their_speed() -> None:
    """The limit is the one the truck keeps by itself; it does not slow down within the response."""
    at_limit_m = 7.0**2 / 4.4

    assert safe_gap_m(6.3, 0.0, RULE) == pytest.approx(0.5 * (6.3 + 7.0) + at_limit_m)
    assert safe_gap_m(7.0, 0.0, RULE) == pytest.approx(7.0 + at_limit_m)
    assert safe_gap_m(8.0, 0.0, RULE) == pytest.approx(8.0 + 8.0**2 / 4.4)


def test_only_the_margin_is_asked_behind_a_leader_that_is_much_faster() -> None:
    """A distance is never negative, and the margin is kept on top of it."""
    assert safe_gap_m(1.0, 12.0, RULE._replace(margin_m=2.0)) == 2.0


def test_a_follower_that_gains_nothing_divides_by_nothing() -> None:
    """Without acceleration the response is driven at constant speed."""
    assert safe_gap_m(5.0, 0.0, RULE._replace(acceleration_mps2=0.0)) == pytest.approx(5.0 + 25.0 / 4.4)


def test_a_wall_asks_for_more_than_any_leader_that_rolls() -> None:
    """Why nothing is spaced by it: behind a crash the distance that was safe by RSS is too short by the leader's stop."""
    assert safe_gap_m(6.0, 0.0, RULE) - safe_gap_m(6.0, 6.0, RULE) == pytest.approx(36.0 / 8.0)


@given(
    speed=st.floats(0.0, 12.0),
    leader=st.floats(0.0, 12.0),
    response=st.floats(0.1, 2.0),
    gain=st.floats(0.05, 1.0),
    least=st.floats(0.5, 3.0),
    most=st.floats(3.0, 8.0),
)
def test_the_worst_follower_comes_to_rest_no_further_than_the_tail(
    speed: float, leader: float, response: float, gain: float, least: float, most: float
) -> None:
    """The meaning of the formula, by driving it: respond, brake weakly, behind a leader that brakes hard."""
    rule = Rule(response, gain, 7.0, least, most, 0.0)
    step_s, at_s, way_m, now_mps = 0.01, 0.0, 0.0, speed
    while now_mps > 0.0 or at_s < response:
        wish = now_mps + gain * step_s if at_s < response else now_mps - least * step_s
        then = min(wish, max(7.0, speed)) if at_s < response else max(0.0, wish)
        way_m += 0.5 * (now_mps + then) * step_s
        now_mps, at_s = then, at_s + step_s

    gap_m = way_m - leader**2 / (2 * most)

    # The response may last up to a step longer here.
    assert safe_gap_m(speed, leader, rule) == pytest.approx(max(0.0, gap_m), abs=0.01 * (13.0 + 13.0 * gain / least + gain) + 0.05)
