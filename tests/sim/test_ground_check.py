"""Trucks that hold the same ground are found before they meet there; those that only hold the next metre are not."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from planner.corridor import Corridor, Zone, ZoneKind
from sim_harness import paths
from sim_harness.ground_check import GroundCheck, Shared
from sim_harness.observation import Roster
from sim_harness.tiny import TRUCK, Place, tiny_roster, tiny_view

LENGTH_M = TRUCK.length_m


def looked_at(roster: Roster, *moments: Sequence[Place]) -> list[Shared]:
    """What is found when trucks that drive round the ring are looked at, half a second after half a second."""
    held = paths.empty_paths(len(roster.truck_ids))
    lengths_m = np.array([lane.length_m for lane in roster.corridor.lanes])
    for row in range(len(roster.truck_ids)):
        paths.set_path(held, row, list(range(len(lengths_m))), lengths_m, 0.0)
    check = GroundCheck(roster)
    for tick, places in enumerate(moments):
        check.look(held, tiny_view(roster, tick / 2.0, places))
    return check.found


def exclusive(roster: Roster) -> Roster:
    """The same road, but its strip is one truck's at a time."""
    corridor: Corridor = roster.corridor
    (zone,) = corridor.zones
    alone: Zone = replace(zone, kind=ZoneKind.EXCLUSIVE)
    return replace(roster, corridor=replace(corridor, zones=(alone,)))


def test_an_end_beyond_the_tail_ahead_is_found_long_before_the_bodies_meet() -> None:
    """The first sign of a wrong decision is road given twice; a collision needs bad luck besides."""
    behind = Place(lane_id="out", chainage_m=100.0, ahead_m=50.1)

    (found,) = looked_at(tiny_roster(2), [behind, Place(lane_id="out", chainage_m=150.0 + LENGTH_M)])

    assert (found.truck_id, found.other_truck_id, found.place_id) == ("T0", "T1", "out")


def test_ground_that_ends_where_another_begins_is_shared_by_nobody() -> None:
    """Stretches are half-open: one truck's end may be the next one's tail."""
    behind = Place(lane_id="out", chainage_m=100.0, ahead_m=50.0)

    assert looked_at(tiny_roster(2), [behind, Place(lane_id="out", chainage_m=150.0 + LENGTH_M)]) == []


def test_an_end_on_the_next_lane_is_found_there() -> None:
    """Ground lies on as many lanes as it is long; the follower's nose may be far from where it is shared."""
    found = looked_at(
        tiny_roster(2), [Place(lane_id="out", chainage_m=990.0, ahead_m=31.0), Place(lane_id="unload", chainage_m=20.0 + LENGTH_M)]
    )

    assert [shared.place_id for shared in found] == ["unload"]


@pytest.mark.parametrize("ahead_m", [None, -30.0])
def test_a_body_is_ground_whatever_it_holds(ahead_m: float | None) -> None:
    """A truck past its end, or without one, still stands where it stands."""
    lost = Place(lane_id="out", chainage_m=150.0 + LENGTH_M, ahead_m=ahead_m)

    assert len(looked_at(tiny_roster(2), [Place(lane_id="out", chainage_m=100.0, ahead_m=51.0), lost])) == 1


def test_an_episode_counts_once_and_again_when_it_comes_back() -> None:
    """How often is what is counted, not for how long."""
    ahead = Place(lane_id="out", chainage_m=150.0 + LENGTH_M)
    shared, apart = (Place(lane_id="out", chainage_m=100.0, ahead_m=far_m) for far_m in (60.0, 40.0))

    found = looked_at(tiny_roster(2), [shared, ahead], [shared, ahead], [apart, ahead], [shared, ahead])

    assert [at.time_s for at in found] == [0.0, 1.5]


def test_a_zone_is_shared_along_one_branch_and_by_no_two() -> None:
    """The strip is driven one way at a time: followers may hold it together, those who come the other way may not."""
    first, second = Place(lane_id="out", chainage_m=550.0), Place(lane_id="out", chainage_m=500.0, ahead_m=30.0)
    oncoming = Place(lane_id="back", chainage_m=640.0)

    assert looked_at(tiny_roster(2), [first, second]) == []
    (found,) = looked_at(tiny_roster(2), [second, oncoming])
    assert found.place_id == "strip"


def test_a_zone_of_one_truck_is_not_shared_along_a_branch_either() -> None:
    """Exclusive means one."""
    first, second = Place(lane_id="out", chainage_m=556.0), Place(lane_id="out", chainage_m=500.0, ahead_m=30.0)

    (found,) = looked_at(exclusive(tiny_roster(2)), [first, second])

    assert found.place_id == "strip"


def test_a_zone_is_left_when_the_tail_is_out_of_it() -> None:
    """Not when the nose is: a tail in the zone is what the crossing truck would hit."""
    oncoming = Place(lane_id="back", chainage_m=640.0)
    inside = Place(lane_id="out", chainage_m=540.0 + LENGTH_M - 0.1)
    outside = Place(lane_id="out", chainage_m=540.0 + LENGTH_M)

    assert len(looked_at(tiny_roster(2), [inside, oncoming])) == 1
    assert looked_at(tiny_roster(2), [outside, oncoming]) == []


def test_sharing_is_the_same_as_by_comparing_everyone_with_everyone() -> None:
    """Chains along lanes are there for speed and must not lose a pair."""
    roster = tiny_roster(40)
    random = np.random.default_rng(11)
    places = [
        Place(lane_id="out", chainage_m=float(at_m), ahead_m=float(random.uniform(0.0, 40.0))) for at_m in random.uniform(17, 990, 40)
    ]

    found = looked_at(roster, places)

    spans = [(place.chainage_m - LENGTH_M, place.chainage_m + (place.ahead_m or 0.0)) for place in places]
    expected = {
        (f"T{a}", f"T{b}") for a, b in itertools.combinations(range(40), 2) if min(spans[a][1], spans[b][1]) > max(spans[a][0], spans[b][0])
    }
    assert {(shared.truck_id, shared.other_truck_id) for shared in found} == expected
    assert expected
