"""Plants what must never happen and sees it found; the same for what must not be taken for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fleet.onboard import Mode
from sim_harness.checkers import Checkers
from sim_harness.tiny import TRUCK, Place, tiny_roster, tiny_view


def test_two_bodies_on_one_lane_that_meet_are_one_overlap_however_long_it_lasts() -> None:
    """A harness that cannot see a collision proves nothing; one that counts every tick says nothing about how many."""
    roster = tiny_roster(2)
    checkers = Checkers(roster)

    for tick in range(20):
        checkers.tick(tiny_view(roster, tick / 10, [Place(lane_id="out", chainage_m=100.0), Place(lane_id="out", chainage_m=116.0)]))

    (overlap,) = checkers.figures().overlaps
    assert (overlap.time_s, overlap.truck_id, overlap.other_truck_id) == (0.0, "T0", "T1")


def test_an_overlap_that_ends_and_begins_again_counts_twice() -> None:
    """Episodes are what is counted."""
    roster = tiny_roster(2)
    checkers = Checkers(roster)

    for tick, gap_m in enumerate([20.0, 16.0, 20.0, 16.0]):
        checkers.tick(
            tiny_view(roster, tick / 10, [Place(lane_id="out", chainage_m=100.0), Place(lane_id="out", chainage_m=100.0 + gap_m)])
        )

    assert len(checkers.figures().overlaps) == 2


def test_bumper_to_bumper_and_side_by_side_are_no_overlaps() -> None:
    """Trucks may stand as close as their outlines allow: the check is about bodies, not about margins."""
    roster = tiny_roster(3)
    checkers = Checkers(roster)

    checkers.tick(
        tiny_view(
            roster,
            0.0,
            [
                Place(lane_id="out", chainage_m=100.0),
                Place(lane_id="out", chainage_m=100.0 + TRUCK.length_m),
                # The way back lies 20 m beside the way out, and runs the other way.
                Place(lane_id="back", chainage_m=1100.0),
            ],
        )
    )

    assert checkers.figures().overlaps == ()


def test_a_tail_round_a_corner_still_blocks_the_lane_behind_it() -> None:
    """A body lies on several lanes: forgetting the tail would miss the collisions that happen at junctions."""
    roster = tiny_roster(2)
    checkers = Checkers(roster)

    checkers.tick(tiny_view(roster, 0.0, [Place(lane_id="turn_east", chainage_m=5.0), Place(lane_id="unload", chainage_m=192.0)]))

    assert len(checkers.figures().overlaps) == 1


def test_a_corner_that_only_touches_the_outline_of_a_box_is_not_an_overlap() -> None:
    """Boxes standing at an angle are compared along the sides of both: the boxes around them would say they meet."""
    roster = tiny_roster(2)
    checkers = Checkers(roster)

    # One truck stands across the end of `unload`; the other's nose is 1.7 m short of its side.
    checkers.tick(
        tiny_view(
            roster,
            0.0,
            [Place(lane_id="turn_east", chainage_m=18.0), Place(lane_id="unload", chainage_m=200.0 - 0.5 * TRUCK.width_m - 0.1)],
        )
    )

    assert checkers.figures().overlaps == ()


def test_overlaps_are_the_same_as_by_comparing_everyone_with_everyone() -> None:
    """Sorting and pruning are there for speed and must not lose a pair."""
    from shapely import LineString  # noqa: PLC0415 - only this test needs it

    roster = tiny_roster(60)
    checkers = Checkers(roster)
    random = np.random.default_rng(7)
    names = [lane.lane_id for lane in roster.corridor.lanes]
    places = [
        Place(lane_id=name, chainage_m=float(random.uniform(17.0, 200.0)) if name[:4] != "turn" else 19.0)
        for name in random.choice(names, 60)
    ]

    checkers.tick(tiny_view(roster, 0.0, places))

    bodies = [
        LineString([_point(roster, place, 0.0), _point(roster, place, TRUCK.length_m)]).buffer(0.5 * TRUCK.width_m, cap_style="flat")
        for place in places
    ]
    expected = {(f"T{a}", f"T{b}") for a in range(60) for b in range(a + 1, 60) if bodies[a].intersection(bodies[b]).area > 1e-6}
    assert {(found.truck_id, found.other_truck_id) for found in checkers.figures().overlaps} == expected
    assert expected


def _point(roster: object, place: Place, back_m: float) -> tuple[float, float]:
    from sim_harness.geometry import LaneLines  # noqa: PLC0415
    from sim_harness.observation import Roster  # noqa: PLC0415

    assert isinstance(roster, Roster)
    x_m, y_m = LaneLines.of(roster.corridor).places(
        np.array([roster.corridor.lane_ix[place.lane_id]], dtype=np.int32), np.array([place.chainage_m - back_m])
    )
    return float(x_m[0]), float(y_m[0])


def test_a_nose_beyond_the_end_held_is_one_overrun() -> None:
    """The end of authority is the one promise a truck makes."""
    roster = tiny_roster(1)
    checkers = Checkers(roster)

    for tick, ahead_m in enumerate([1.0, 0.0, -0.1, -0.3, 2.0]):
        checkers.tick(tiny_view(roster, tick / 10, [Place(lane_id="out", chainage_m=100.0 + tick, ahead_m=ahead_m)]))

    (overrun,) = checkers.figures().overruns
    assert overrun.time_s == pytest.approx(0.2)
    assert overrun.beyond_m == pytest.approx(0.1)


def test_a_truck_that_holds_nothing_overruns_nothing() -> None:
    """No end is not an end at the origin."""
    roster = tiny_roster(1)
    checkers = Checkers(roster)

    checkers.tick(tiny_view(roster, 0.0, [Place(lane_id="out", chainage_m=100.0, ahead_m=None)]))

    figures = checkers.figures()
    assert figures.overruns == ()
    assert figures.authority_margin_m_min is None


def _integrated_stop_m(speed_mps: float, grade: float, pull_mps2: float) -> float:
    """
    Metres to rest by small steps.

    0.3 s of traction, 0.5 s without brakes, 0.5 s of build-up, then 2.2 m/s²; the grade pulls throughout.
    """
    step_s, now_s, way_m = 1e-4, 0.0, 0.0
    while speed_mps > 0.0:
        brake = 2.2 * min(1.0, max(0.0, (now_s + 0.5 * step_s - 0.5) / 0.5))
        pull = pull_mps2 if now_s < 0.3 - 0.5 * step_s else 0.0
        after_mps = speed_mps + step_s * (pull - brake - 9.81 * grade)
        way_m += 0.5 * (speed_mps + max(0.0, after_mps)) * step_s
        speed_mps, now_s = after_mps, now_s + step_s
    return way_m


@pytest.mark.parametrize("speed_mps", [0.3, 2.0, 25 / 3.6])
@pytest.mark.parametrize("grade", [0.0, -0.02])
@pytest.mark.parametrize(("mode", "pull_mps2"), [(Mode.DRIVE, 0.7), (Mode.SERVICE_BRAKE, 0.0)])
def test_the_margin_is_what_is_left_after_the_worst_stop(speed_mps: float, grade: float, mode: Mode, pull_mps2: float) -> None:
    """The formula must agree with motion integrated step by step, also where the stop ends during build-up, or while still pulling."""
    roster = tiny_roster(1)
    checkers = Checkers(roster)
    view = tiny_view(roster, 0.0, [Place(lane_id="out", chainage_m=100.0, speed_mps=speed_mps, ahead_m=40.0, mode=mode)])

    checkers.tick(replace(view, grade_least=np.array([grade])))

    margin_m = checkers.figures().authority_margin_m_min
    assert margin_m == pytest.approx(40.0 - _integrated_stop_m(speed_mps, grade, pull_mps2), abs=1e-3)


def test_brakes_that_cannot_hold_the_grade_show_as_a_margin_far_below_nothing() -> None:
    """On glare ice downhill no distance is enough: the figure must say so, and stay a number that JSON can carry."""
    roster = tiny_roster(1)
    checkers = Checkers(roster)
    view = tiny_view(roster, 0.0, [Place(lane_id="out", chainage_m=100.0, speed_mps=1.0, ahead_m=40.0, mode=Mode.SERVICE_BRAKE)])

    checkers.tick(replace(view, grade_least=np.array([-0.05]), friction=np.array([0.05])))

    margin_m = checkers.figures().authority_margin_m_min
    assert margin_m is not None
    assert -np.inf < margin_m < -1000.0


def test_a_brake_already_called_has_its_dead_time_behind_it() -> None:
    """Else every emergency stop would look like a broken promise while it is being kept."""
    roster = tiny_roster(1)
    driving, braking = Checkers(roster), Checkers(roster)
    place = Place(lane_id="out", chainage_m=100.0, speed_mps=5.0, ahead_m=40.0)

    driving.tick(tiny_view(roster, 0.0, [place]))
    for tick in range(20):
        braking.tick(tiny_view(roster, tick / 10, [replace(place, mode=Mode.EMERGENCY_BRAKE, ahead_m=40.0 if tick == 19 else 90.0)]))

    left_m = braking.figures().authority_margin_m_min
    most_m = driving.figures().authority_margin_m_min
    assert left_m == pytest.approx(40.0 - 5.0**2 / (2 * 2.2))
    assert most_m is not None
    assert left_m is not None
    assert left_m > most_m + 3.0


def test_a_follower_is_measured_against_the_tail_ahead_across_lanes() -> None:
    """A leader just past a node is still the leader."""
    roster = tiny_roster(2)
    checkers = Checkers(roster)

    # From the nose at 980 m to the tail at 1000 + 30 - 16.5: 33.5 m, closing at 4 m/s.
    checkers.tick(
        tiny_view(
            roster, 0.0, [Place(lane_id="out", chainage_m=980.0, speed_mps=6.0), Place(lane_id="unload", chainage_m=30.0, speed_mps=2.0)]
        )
    )

    figures = checkers.figures()
    assert figures.ttc_s_min == pytest.approx(33.5 / 4.0)
    assert figures.headway_s_min == pytest.approx(50.0 / 6.0)
    assert figures.drac_mps2_max == pytest.approx(4.0**2 / (2 * 33.5))
    # A second in which the follower gains 0.7 m/s, then 2.2 m/s²; the leader stops with 4.0.
    assert figures.rss_margin_m_min == pytest.approx(33.5 - (6.35 + 6.7**2 / (2 * 2.2) - 2.0**2 / (2 * 4.0)))


def test_trucks_that_never_close_in_have_no_time_to_collision() -> None:
    """Null, not infinity: a reader must be able to parse the report."""
    roster = tiny_roster(2)
    checkers = Checkers(roster)

    checkers.tick(tiny_view(roster, 0.0, [Place(lane_id="out", chainage_m=100.0), Place(lane_id="back", chainage_m=100.0)]))

    assert checkers.figures().ttc_s_min is None
    assert checkers.figures().rss_margin_m_min is None


def test_each_minute_keeps_its_least_margin() -> None:
    """The report draws them over time; a minute in which nobody held an end has none."""
    roster = tiny_roster(1)
    checkers = Checkers(roster)
    held_m = {0.1: 30.0, 60.0: 20.0, 60.1: 40.0, 130.0: None, 180.1: 25.0, 181.0: 35.0}

    for time_s, ahead_m in held_m.items():
        checkers.tick(tiny_view(roster, time_s, [Place(lane_id="out", chainage_m=100.0, ahead_m=ahead_m, mode=Mode.SERVICE_BRAKE)]))

    assert checkers.figures().authority_margin_m_by_minute == (20.0, 40.0, None, 25.0)
    assert checkers.figures().authority_margin_m_min == 20.0
