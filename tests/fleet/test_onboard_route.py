"""Routes laid out along one axis, and the ones that must be refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from fleet.onboard.route import Path, RouteDisagrees, RouteUnsound
from fleet.onboard.words import LanePoint, Segment


def segment(lane_id: str, start_m: float, end_m: float, speed_max_mps: float = 6.9) -> Segment:
    """A flat piece of a lane."""
    return Segment(lane_id=lane_id, start_m=start_m, end_m=end_m, speed_max_mps=speed_max_mps, grade=0.0, no_stop=False)


A_B_C = (segment("a", 20.0, 100.0), segment("b", 0.0, 30.0), segment("b", 30.0, 50.0), segment("c", 0.0, 200.0))


def test_places_and_coordinates_are_inverse() -> None:
    """What the server says in lanes the supervisor must find where the server means it."""
    path = Path(A_B_C, 500.0)

    for at_m in (500.0, 579.9, 580.0, 611.0, 630.0, 829.0):
        assert path.locate(path.place(at_m)) == pytest.approx(at_m)


def test_a_lanes_end_is_the_next_ones_start() -> None:
    """An end of authority may be told either way."""
    path = Path(A_B_C, 0.0)

    assert path.locate(LanePoint("a", 100.0)) == path.locate(LanePoint("b", 0.0)) == 80.0
    assert path.place(80.0) == LanePoint("b", 0.0)


@pytest.mark.parametrize("point", [LanePoint("d", 1.0), LanePoint("a", 10.0), LanePoint("c", 202.0)])
def test_a_place_off_the_path_is_nowhere(point: LanePoint) -> None:
    """Nothing is rounded onto the path beyond a position's own error."""
    assert Path(A_B_C, 0.0).locate(point) is None


@pytest.mark.parametrize(
    "segments",
    [
        (),
        (segment("a", 0.0, 10.0), segment("a", 11.0, 20.0)),
        (segment("a", 0.0, 10.0), segment("b", 1.0, 20.0)),
        (segment("a", 0.0, 10.0), segment("b", 0.0, 20.0), segment("a", 0.0, 10.0)),
        (segment("a", 10.0, 10.0),),
        (segment("a", 0.0, math.nan),),
        (segment("a", 0.0, 10.0, speed_max_mps=0.0),),
        (segment("a", 0.0, 10.0, speed_max_mps=math.inf),),
        (replace(segment("a", 0.0, 10.0), grade=0.5),),
    ],
)
def test_segments_that_make_no_road_are_refused(segments: tuple[Segment, ...]) -> None:
    """A hole in the road, a lane twice or a number that is none would let the truck believe anything."""
    with pytest.raises(RouteUnsound):
        Path(segments, 0.0)


def test_a_new_route_keeps_every_metre_still_held_in_its_place() -> None:
    """The truck's own axis goes on without a jump when the road ahead is told anew."""
    path = Path(A_B_C, 500.0)

    new = path.succeeded_by((segment("b", 0.0, 50.0), segment("d", 0.0, 70.0)), 585.0, 625.0)

    assert new.locate(LanePoint("b", 45.0)) == pytest.approx(625.0)
    assert new.locate(LanePoint("d", 10.0)) == pytest.approx(640.0)


@pytest.mark.parametrize(
    "segments",
    [
        (segment("b", 0.0, 50.0), segment("d", 0.0, 70.0)),  # leaves road held on c
        (segment("c", 0.0, 200.0),),  # leaves the tail behind
        (segment("b", 0.0, 40.0), segment("c", 0.0, 200.0)),  # another b, ten metres shorter
    ],
)
def test_a_route_that_moves_held_road_is_refused(segments: tuple[Segment, ...]) -> None:
    """An end of authority would silently come to mean another place."""
    with pytest.raises(RouteDisagrees):
        Path(A_B_C, 500.0).succeeded_by(segments, 585.0, 660.0)


def test_a_lane_held_to_its_beginning_may_be_left_out() -> None:
    """Who holds road up to a fork, and none of what follows, can be sent either way."""
    path = Path(A_B_C, 500.0)

    new = path.succeeded_by((segment("a", 80.0, 100.0), segment("d", 0.0, 70.0)), 565.0, 580.0)

    assert new.locate(LanePoint("d", 0.0)) == pytest.approx(580.0)
    with pytest.raises(RouteDisagrees):
        path.succeeded_by((segment("a", 80.0, 100.0), segment("d", 0.0, 70.0)), 565.0, 580.1)


def test_the_lanes_under_the_body_come_tail_first() -> None:
    """A hello names them in that order."""
    assert Path(A_B_C, 0.0).lanes_between(75.0, 131.0) == ("a", "b", "c")
