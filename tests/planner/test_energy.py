"""What driving takes, and when a fleet must begin to charge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.corridor import GradePiece, Lane
from planner.energy import drive_wh, early_count


def lane(*grades: tuple[float, float], length_m: float = 1000.0) -> Lane:
    """A straight lane; grades from metres on."""
    pieces = tuple(GradePiece(from_m=from_m, grade=grade) for from_m, grade in grades)
    points = ((0.0, 0.0), (length_m, 0.0))
    return Lane(
        lane_id="a", from_node_id="n", to_node_id="m", points=points, length_m=length_m, width_m=4.0, speed_max_mps=7.0, grades=pieces
    )


def test_a_level_kilometre_takes_what_was_worked_out_by_hand() -> None:
    """100 t · 9.81 · 0.009 · 1 km / 0.85 / 3600, and 15 % for getting going: 3.3 kWh, within the published 2.4 to 3.4."""
    assert drive_wh([lane((0.0, 0.0))], 100_000.0) == pytest.approx(3318.1, abs=0.1)


def test_what_a_climb_takes_a_descent_does_not_give_back() -> None:
    """A forecast that counted on it would leave the truck at the foot of the next hill."""
    level, hill = drive_wh([lane((0.0, 0.0))], 100_000.0), drive_wh([lane((0.0, 0.04), (500.0, -0.04))], 100_000.0)

    assert hill > 1.5 * level


def test_a_way_downhill_is_no_charger() -> None:
    """Nobody sets out with an empty battery because it goes down."""
    assert drive_wh([lane((0.0, -0.05))], 100_000.0) == 0.0


def test_a_fleet_begins_to_charge_before_the_last_of_it_would_have_to_wait() -> None:
    """Nine trucks that all last for two hours, three chargers of half an hour: the last three would begin an hour after the first."""
    batteries_s = [7200.0] * 9

    assert early_count(batteries_s, 1800.0, 3, 3599.0) == 0
    assert early_count(batteries_s, 1800.0, 3, 3601.0) == 9


def test_a_fleet_whose_batteries_are_spread_sends_only_those_early_that_would_go_soon() -> None:
    """Whoever comes by with a half full battery would otherwise be sent to every charger that is free."""
    batteries_s = [600.0 * k for k in range(60)]

    assert early_count(batteries_s, 450.0, 4, 3600.0) == 7


@given(st.lists(st.floats(-1e4, 1e5), max_size=4))
def test_who_finds_a_charger_free_anyway_never_goes_early(batteries_s: list[float]) -> None:
    """As many trucks as chargers do not wait for each other: going early would only mean going more often."""
    assert early_count(batteries_s, 1800.0, 4, 1e9) == 0
    assert early_count(batteries_s, 1800.0, 0, 1e9) == 0
