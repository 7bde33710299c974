"""Braking curves: upper bounds of integrated motion, over everything a truck may be asked to do."""

from __future__ import annotations

from itertools import product
from math import inf, isclose

import pytest

from planner.braking import (
    a_safe_mps2,
    best_speed_mps,
    headway_s,
    pushed_speed_mps,
    run_up_speed_mps,
    service_distance_m,
    service_speed_mps,
    service_speed_to_mps,
    stopping_distance_m,
    swept_m,
    travel_s,
)
from planner.limits import A_SAFE_MIN_MPS2, FRICTION_DRY, GRAVITY_MPS2

STEP_S = 0.002


def integrated_stop_m(speed: float, brake: float, grade: float, delays: tuple[float, float], drive: tuple[float, float]) -> float:
    """
    Metres to rest, in small steps that lean to the long side.

    *brake* is what brakes give with no grade; *delays* dead time and build-up; *drive* its acceleration and time to cut off.
    """
    (dead, build_up), (traction, cutoff) = delays, drive
    way = now = 0.0
    while speed > 0.0:
        share = 0.0 if now < dead else 1.0 if now >= dead + build_up else (now - dead) / build_up
        pull = (traction if now < cutoff else 0.0) - GRAVITY_MPS2 * min(0.0, grade)
        after = speed + (pull - share * brake) * STEP_S
        if now < dead + build_up or after > 0.0:
            way += max(speed, after) * STEP_S
        speed, now = max(0.0, after) if now >= dead + build_up else max(after, 1e-9), now + STEP_S
    return way


@pytest.mark.parametrize("speed", [0.05, 0.3, 1.0, 2.8, 6.9444, 11.1, 16.7, 25.0])
@pytest.mark.parametrize("grade", [-0.10, -0.05, -0.02, 0.0, 0.04])
def test_the_closed_form_bounds_every_integrated_stop(speed: float, grade: float) -> None:
    """Containment rests on this distance; low speeds and downhill are where closed forms go wrong."""
    tried = 0

    for brake, dead, build_up, drive in product((0.9, 2.2, 4.0), (0.0, 0.5, 1.1), (0.0, 0.5, 1.2), ((0.0, 0.0), (0.35, 0.3), (0.7, 0.5))):
        a_safe = a_safe_mps2(brake, 1.0, 1.0, grade)
        if a_safe <= A_SAFE_MIN_MPS2:
            continue
        pushed = pushed_speed_mps(speed, grade, dead + build_up, *drive)
        bound = stopping_distance_m(pushed, a_safe, dead, build_up)
        # The steps lean to the long side by at most one step of the highest speed and deceleration change.
        slack = 2 * STEP_S * (pushed + brake * (build_up + 1.0))
        assert bound >= integrated_stop_m(speed, brake, grade, (dead, build_up), drive) - slack
        tried += 1

    assert tried > 0


def test_the_distance_at_25_kmh_on_a_two_per_cent_descent() -> None:
    """The figure everybody else's spacing is checked against."""
    a_safe = a_safe_mps2(2.2, 1.0, FRICTION_DRY, -0.02)
    pushed = pushed_speed_mps(25 / 3.6, -0.02, 1.0, 0.0, 0.0)

    distance = stopping_distance_m(pushed, a_safe, 0.5, 0.5)

    assert distance == pytest.approx(18.0, abs=0.06)
    assert integrated_stop_m(25 / 3.6, 2.2, -0.02, (0.5, 0.5), (0.0, 0.0)) == pytest.approx(17.75, abs=0.1)


def test_both_branches_meet_where_full_braking_is_just_reached() -> None:
    """A gap between the branches would be a place where a little more speed needs less road."""
    a_safe, dead, build_up = 2.0, 0.5, 0.8
    edge = 0.5 * a_safe * build_up

    below, above = (stopping_distance_m(edge * factor, a_safe, dead, build_up) for factor in (1 - 1e-12, 1.0))

    assert isclose(below, above, rel_tol=1e-9)


def test_a_standing_truck_needs_no_road_and_a_brakeless_one_all_of_it() -> None:
    """The ends of the range must not divide by zero."""
    assert stopping_distance_m(0.0, 2.0, 0.5, 0.5) == 0.0
    assert stopping_distance_m(1.0, 0.0, 0.5, 0.5) == inf


def test_uphill_earns_no_credit_and_downhill_costs() -> None:
    """The steepest descent of the window counts; a climb may end before the truck does."""
    assert a_safe_mps2(2.2, 1.0, 0.7, 0.05) == a_safe_mps2(2.2, 1.0, 0.7, 0.0)
    assert a_safe_mps2(2.2, 1.0, 0.7, -0.05) < a_safe_mps2(2.2, 1.0, 0.7, 0.0)


def test_on_ice_friction_decides() -> None:
    """Brakes cannot give what the road does not take."""
    assert a_safe_mps2(2.2, 1.0, 0.12, 0.0) == pytest.approx(0.7 * 0.12 * GRAVITY_MPS2)


@pytest.mark.parametrize("room_m", [0.01, 1.0, 20.0, 300.0])
def test_service_speed_and_distance_undo_each_other(room_m: float) -> None:
    """The fastest speed that fits must fit exactly."""
    speed = service_speed_mps(room_m, 1.0, 1.5)

    assert service_distance_m(speed, 1.0, 1.5) == pytest.approx(room_m)
    assert service_speed_to_mps(room_m, 0.0, 1.0, 1.5) == pytest.approx(speed)
    assert service_speed_to_mps(room_m, 5.0, 1.0, 1.5) >= max(5.0, speed)


def test_a_stream_carries_what_the_formula_says() -> None:
    """The capacity the fleet is measured against: 417 trucks an hour at 25 km/h, 426 at 30, 375 at 60."""
    per_hour = [3600 / headway_s(kmh / 3.6, 27.0, 2.44, 1.5) for kmh in (25, 30, 60)]

    assert per_hour == pytest.approx([417, 426, 375], abs=1)
    assert best_speed_mps(27.0, 1.5) == pytest.approx(9.0)


@pytest.mark.parametrize("way_m", [5.0, 20.0, 46.0, 80.0, 200.0])
@pytest.mark.parametrize("wait_s", [0.0, 3.0, 11.0])
def test_a_run_up_meets_the_opening_and_can_still_stop(way_m: float, wait_s: float) -> None:
    """Held back just so far: faster would need the way to be open, slower would waste it."""
    speed = run_up_speed_mps(way_m, wait_s, 25 / 3.6, 0.5, 1.5)

    assert swept_m(speed, wait_s, 25 / 3.6, 0.5, 1.5) <= way_m or speed == 0.0
    assert speed == 25 / 3.6 or swept_m(speed + 0.01, wait_s, 25 / 3.6, 0.5, 1.5) > way_m


@pytest.mark.parametrize("way_m", [-1.0, 0.0, 10.0, 500.0])
def test_travel_time_speeds_up_and_then_holds(way_m: float) -> None:
    """Expected times of opening come from it."""
    seconds = travel_s(way_m, 2.0, 7.0, 0.5)

    rising_s = min(10.0, seconds)
    assert 2.0 * rising_s + 0.25 * rising_s**2 + 7.0 * (seconds - rising_s) == pytest.approx(max(0.0, way_m))
    assert travel_s(70.0, 7.0, 7.0, 0.5) == 10.0
