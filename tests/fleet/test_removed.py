"""A truck declared removed may still stand there: its road opens when somebody has seen that it is empty."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.server.commands import RemoveTruck
from tests.fleet.ring_intruders import MakeWorld, given, released

REMOVED = "removed:T1"


def queue(make_world: MakeWorld) -> Any:
    """Two trucks, the first of which stands still while the second comes up to it."""
    world = make_world(2, apart_m=150.0)
    world.greet_all()
    world.run(60)
    world.trucks[1].mute = world.trucks[1].deaf = True
    world.run(30)
    return world


def remove(world: Any) -> None:
    """Two persons declare the truck ahead gone."""
    gone = RemoveTruck(request_id="x", truck_id="T1", taken_to="depot", second_person="Bat", powered_off=True)
    world.inputs.append(given(gone))
    world.run(2)


@pytest.mark.parametrize("restarted", [False, True])
def test_nobody_drives_into_a_truck_that_was_declared_removed_and_still_stands_there(make_world: MakeWorld, *, restarted: bool) -> None:
    """A word is no proof: two persons may speak of another truck."""
    world = queue(make_world)
    tail_m = world.trucks[1].s_m - 16.5
    remove(world)
    if restarted:
        world.restart()
        world.inputs.append(world.hello(world.trucks[0]))

    world.run(600)

    assert world.trucks[0].v_mps == 0.0
    assert world.trucks[0].s_m < tail_m
    assert REMOVED in world.loop.intrusions.book.open


def test_its_road_opens_when_somebody_has_seen_that_it_is_empty(make_world: MakeWorld) -> None:
    """And the truck behind goes on with a new grant."""
    world = queue(make_world)
    place_m = world.trucks[1].s_m
    remove(world)
    world.run(600)
    world.inputs.append(released(REMOVED))

    world.run(300)

    assert world.trucks[0].s_m > place_m
    assert REMOVED not in world.loop.intrusions.book.open


def test_where_it_was_doubted_to_be_stays_closed_as_well(make_world: MakeWorld) -> None:
    """The doubt ends with the truck; the road it added does not open with it."""
    world = queue(make_world)
    world.trucks[1].mute = False
    world.trucks[1].lie_m = 300.0
    world.run(10)
    doubted = world.loop.doubts.of(1)
    assert doubted

    remove(world)

    closed = {at.lane_ix: (at.from_m, at.to_m) for at in world.loop.intrusions.book.open[REMOVED].closed}
    assert all(closed[at.lane_ix][0] <= at.from_m and at.to_m <= closed[at.lane_ix][1] for at in doubted)
