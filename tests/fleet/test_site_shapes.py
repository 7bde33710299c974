"""Curves of site files: a lane that kinks or falls short of its node would throw a truck off its path."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.site.shapes import Pose, alignment, arc_straight_arc, follow, lengths_m, resample, s_curve, shift_radius_m

HEADINGS = st.floats(-math.pi, math.pi)
PLACES = st.floats(-300.0, 300.0)


def _turns(points: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    steps = np.diff(points, axis=0)
    return np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])))


@given(advance_m=st.floats(20.0, 600.0), share=st.floats(0.01, 0.98))
def test_a_shift_is_tangent_at_both_ends(advance_m: float, share: float) -> None:
    """Fans hang off plain lanes: a kink at the node would be a jump of the steering."""
    shift_m = share * advance_m

    advances, shifts = s_curve(advance_m, -shift_m)

    assert (advances[0], shifts[0]) == (0.0, 0.0)
    assert advances[-1] == pytest.approx(advance_m)
    assert shifts[-1] == pytest.approx(-shift_m)
    assert (np.diff(advances) > 0.0).all()
    step_m = 1.01
    assert abs(math.atan2(shifts[1], advances[1])) <= step_m / shift_radius_m(advance_m, shift_m)


@given(x_m=PLACES, y_m=PLACES, start_rad=HEADINGS, end_rad=HEADINGS, radius_m=st.floats(10.0, 40.0))
def test_arc_straight_arc_meets_both_headings(x_m: float, y_m: float, start_rad: float, end_rad: float, radius_m: float) -> None:
    """It closes yard loops: it must end where the next lane begins, heading as that does, and turn no tighter than told."""
    end = Pose(x_m=x_m, y_m=y_m, heading_rad=end_rad)

    points = arc_straight_arc(Pose(x_m=0.0, y_m=0.0, heading_rad=start_rad), end, radius_m)

    if points is None or lengths_m(points)[-1] < 1.0:
        return
    assert points[-1] == pytest.approx([x_m, y_m], abs=1e-6)
    last = points[-1] - points[-2]
    off_rad = (math.atan2(last[1], last[0]) - end_rad + math.pi) % math.tau - math.pi
    assert abs(off_rad) <= 0.6 / radius_m + 1e-6
    assert np.abs(_turns(points)).max(initial=0.0) <= 1.01 / radius_m + 1e-6


def test_an_alignment_goes_on_straight_beyond_its_ends() -> None:
    """Yards beside station 0 are placed at stations below it."""
    road = alignment(Pose(x_m=0.0, y_m=0.0, heading_rad=0.0), [(100.0, 0.0), (50.0 * math.pi / 2.0, 1.0 / 50.0)])

    before, after = road.pose(-30.0, 2.0), road.pose(road.length_m + 10.0, 0.0)

    assert (before.x_m, before.y_m) == pytest.approx((-30.0, 2.0))
    assert (after.x_m, after.y_m) == pytest.approx((150.0, 60.0))
    assert after.heading_rad == pytest.approx(math.pi / 2.0)


def test_travel_against_the_stations_mirrors_travel_along_them() -> None:
    """Northbound lanes are drawn with falling stations and must lie exactly beside the southbound ones."""
    road = alignment(Pose(x_m=0.0, y_m=0.0, heading_rad=0.3), [(80.0, 0.0), (90.0, -1.0 / 200.0)])

    along, against = follow(road, (10.0, 4.0), (160.0, 4.0)), follow(road, (160.0, 4.0), (10.0, 4.0))

    assert along == pytest.approx(against[::-1])


def test_resampling_keeps_ends_and_steps() -> None:
    """Envelopes count on samples no further apart than told."""
    stations, points = resample(np.array([[0.0, 0.0], [10.3, 0.0]]), 1.0)

    assert np.diff(stations).max() <= 1.0
    assert points[[0, -1]].tolist() == [[0.0, 0.0], [10.3, 0.0]]
