"""Stops in closed form, and the planner's formula and the simulator's motion judged by them."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from sim_harness.referee import stops
from sim_harness.referee.closed_form import Phase, Stop, way_to_rest_m

CASES = {"grid": stops.usual_cases(), "random": stops.random_cases(500, seed=2)}
MILLIMETRE_M = 1e-3


def test_steady_braking_from_10_mps_at_2_mps2_takes_25_m() -> None:
    """The formula of every schoolbook."""
    assert way_to_rest_m(10.0, [Phase(span_s=inf, acceleration_mps2=-2.0)]) == pytest.approx(25.0)


def test_a_stop_that_ends_while_the_brakes_build_up_ends_at_a_root_of_a_quadratic() -> None:
    """1 m/s under 2 m/s3 is gone after a second, 2/3 m on."""
    assert way_to_rest_m(1.0, [Phase(span_s=5.0, acceleration_mps2=0.0, jerk_mps3=-2.0)]) == pytest.approx(2.0 / 3.0)


def test_the_whole_stop_of_our_truck_adds_up() -> None:
    """0.3 s of pull, 0.2 s of rolling, 0.5 s of build-up and then 2.2 m/s2, by hand."""
    stop = Stop(brake_mps2=2.2, dead_s=0.5, build_up_s=0.5, pull_mps2=0.4, cutoff_s=0.3)

    fast_mps = 5.0 + 0.4 * 0.3
    slower_mps = fast_mps - 0.5 * 2.2 * 0.5
    by_hand_m = 5.0 * 0.3 + 0.5 * 0.4 * 0.3**2 + fast_mps * 0.2 + fast_mps * 0.5 - 2.2 * 0.5**2 / 6.0 + slower_mps**2 / (2 * 2.2)
    assert way_to_rest_m(5.0, stop.phases()) == pytest.approx(by_hand_m)


def test_wheels_slide_as_soon_as_the_road_gives_no_more() -> None:
    """Brakes of 4 m/s2 on a road of 1: built up in a quarter of the time, and a quarter as strong."""
    sliding = Stop(brake_mps2=4.0, grip_mps2=1.0, dead_s=0.5, build_up_s=0.8)
    weak = Stop(brake_mps2=1.0, dead_s=0.5, build_up_s=0.2)

    assert way_to_rest_m(7.0, sliding.phases()) == pytest.approx(way_to_rest_m(7.0, weak.phases()))


def test_brakes_weaker_than_the_slope_never_stop() -> None:
    """Infinitely far, and not a number that looks like a distance."""
    assert way_to_rest_m(1.0, Stop(brake_mps2=0.5, dead_s=0.5, build_up_s=0.5, slope_mps2=-0.6).phases()) == inf


@pytest.mark.parametrize("cases", CASES.values(), ids=CASES.keys())
def test_the_planners_formula_is_exact_for_the_truck_it_imagines(cases: stops.Cases) -> None:
    """What is added for safety is added on purpose, and not by an error of the formula."""
    flat = stops.level(cases)

    assert np.abs(flat.planned_m() - stops.imagined_m(flat)).max() <= MILLIMETRE_M


@pytest.mark.parametrize("cases", CASES.values(), ids=CASES.keys())
def test_simulated_stops_are_exact_to_a_millimetre(cases: stops.Cases) -> None:
    """The simulator judges everything else, so its own motion must be beyond doubt: laden, empty, uphill, downhill, on ice."""
    assert np.abs(cases.simulated_m() - cases.exact_m()).max() <= MILLIMETRE_M


@pytest.mark.parametrize("cases", CASES.values(), ids=CASES.keys())
def test_no_truck_needs_more_road_than_the_formula_asks_for(cases: stops.Cases) -> None:
    """Movement authorities rest on this bound; the truck brakes with no more than the guaranteed worst."""
    assert (cases.exact_m() - cases.planned_m()).max() <= stops.ROUNDING_M
    assert (cases.simulated_m() - cases.planned_m()).max() <= MILLIMETRE_M


def test_the_bound_holds_for_motors_that_let_go_late() -> None:
    """Even a drive that pulls against full brakes is in the formula."""
    assert (stops.late(CASES["random"], seed=3).simulated_m() - stops.late(CASES["random"], seed=3).planned_m()).max() <= MILLIMETRE_M
