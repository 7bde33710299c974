"""Manned trucks on the ring: a bubble around one that is tracked, and all within reach of one that is not."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.server.commands import ResumeTruck
from fleet.server.intrusions import IntrusionState
from fleet.server.loop.truck_session import State
from fleet.server.outgoing import Outgoing, Reaction, Reply
from planner.limits import TRACK_AGE_MAX_MS
from tests.fleet.ring_intruders import MANNED, TICK_NS, MakeWorld, closed, given, released, running, seen, stops_of, tracked

TRACK_TICKS = TRACK_AGE_MAX_MS * 1_000_000 // TICK_NS


def follow(world: Any, from_m: float, speed_mps: float, seconds: int) -> list[Outgoing]:
    """A manned truck drives along the road out and says so every second."""
    said: list[Outgoing] = []
    for second in range(seconds):
        world.inputs.append(tracked(from_m + speed_mps * second, (second + 1) * 10**9, speed_mps))
        said += world.run(10)
    return said


def test_the_bubble_moves_with_the_manned_truck_and_trucks_follow(make_world: MakeWorld) -> None:
    """A pickup on the road costs the speed of the pickup, and no stop."""
    world = running(make_world, count=2)
    ahead_m = world.trucks[1].s_m + 120.0

    said = follow(world, ahead_m, 4.0, 60)

    low_m, high_m = closed(world, "out", "pickup")
    at_m = ahead_m + 4.0 * 59
    assert low_m < at_m < high_m
    assert stops_of(said, 0) | stops_of(said, 1) == set()
    assert ahead_m + 60.0 < world.trucks[1].s_m < low_m
    assert world.loop.intrusions.book.open["pickup"].state is IntrusionState.TRACKED


def test_before_a_manned_truck_that_comes_up_from_behind_nobody_is_overrun(make_world: MakeWorld) -> None:
    """It is faster, and its driver sees less than we do: what its bubble meets is stopped, and a person lets it go."""
    world = running(make_world)
    s_m = world.trucks[0].s_m
    world.inputs.append(tracked(s_m - 60.0, 10**9, 12.0))

    said = world.run(5)

    assert ("intrusion:pickup", Reaction.EMERGENCY_STOP) in stops_of(said)


def test_a_truck_stopped_by_a_bubble_that_moved_on_is_let_go_by_a_person(make_world: MakeWorld) -> None:
    """The bubble is off its road; the stop is not off the truck before somebody says so."""
    world = running(make_world)
    s_m = world.trucks[0].s_m
    for second in range(20):
        world.inputs.append(tracked(s_m + 20.0 + 10.0 * second, (second + 1) * 10**9, 10.0))
        world.run(10)
    stood = world.trucks[0].v_mps, world.loop.sessions.state[0]
    world.inputs += [tracked(s_m + 220.0, 21 * 10**9, 10.0), given(ResumeTruck(request_id="x", truck_id="T0"))]

    world.run(20)

    assert stood == (0.0, State.HALTED)
    assert world.trucks[0].v_mps > 0.5


def test_a_transponder_that_falls_silent_closes_all_within_its_reach(make_world: MakeWorld) -> None:
    """Untracked, it may be anywhere by now: the road is closed, more of it with every step, until a person has looked."""
    world = running(make_world, count=2)
    world.inputs.append(tracked(700.0, 10**9, 4.0))
    world.tick()
    bubble = closed(world, "out", "pickup")

    before = world.run(TRACK_TICKS)
    state_before = world.loop.intrusions.book.open["pickup"].state
    said = world.run(2)
    first = closed(world, "out", "pickup")
    world.run(51)
    second = closed(world, "out", "pickup")

    assert state_before is IntrusionState.TRACKED
    assert not any(alarm.name == "intrusion_lost" for out in before for alarm in out.alarms)
    assert [alarm.name for out in said for alarm in out.alarms if alarm.name.startswith("intrusion")] == ["intrusion_lost"]
    assert world.loop.intrusions.book.open["pickup"].state is IntrusionState.LOST
    assert second[0] < first[0] < bubble[0] < bubble[1] < first[1] <= second[1]


def test_a_lost_truck_is_not_found_by_its_transponder_but_by_a_person(make_world: MakeWorld) -> None:
    """What it did meanwhile it does not say; its new word closes more, and frees nothing."""
    world = running(make_world)
    world.inputs.append(tracked(700.0, 10**9, 4.0))
    world.run(30)
    lost = closed(world, "out", "pickup")
    world.inputs.append(tracked(712.0, 4 * 10**9, 4.0))
    world.run(2)
    heard = (closed(world, "out", "pickup"), world.loop.intrusions.book.open["pickup"].state)
    world.inputs += [released("pickup"), tracked(716.0, 5 * 10**9, 4.0)]

    world.run(2)

    assert heard[0][0] <= lost[0]
    assert heard[0][1] >= lost[1]
    assert heard[1] is IntrusionState.LOST
    assert world.loop.intrusions.book.open["pickup"].state is IntrusionState.TRACKED
    assert closed(world, "out", "pickup")[0] > lost[0]


@pytest.mark.parametrize(("at_m", "lane_id"), [(900.0, "out"), (710.0, "back")], ids=["too far", "another road"])
def test_a_word_that_cannot_be_loses_the_truck(make_world: MakeWorld, at_m: float, lane_id: str) -> None:
    """A spoofed or jumping transponder is no transponder: old road and new are closed."""
    world = running(make_world)
    world.inputs.append(tracked(700.0, 10**9, 4.0))
    world.run(10)
    before = closed(world, "out", "pickup")
    world.inputs.append(tracked(at_m, 2 * 10**9, 4.0, lane_id))

    world.tick()

    assert world.loop.intrusions.book.open["pickup"].state is IntrusionState.LOST
    assert closed(world, "out", "pickup")[0] < before[0]
    assert closed(world, lane_id, "pickup")[0] <= at_m <= closed(world, lane_id, "pickup")[1]


def test_words_that_are_longer_and_longer_under_way_lose_the_truck(make_world: MakeWorld) -> None:
    """They come every second and look fresh; what they say grows older with each of them."""
    world = running(make_world)
    states = []
    for second in range(6):
        world.inputs.append(tracked(700.0 + second, (second + 1) * 4 * 10**8, 1.0))
        world.run(10)
        states.append(world.loop.intrusions.book.open["pickup"].state)

    assert states[:3] == [IntrusionState.TRACKED] * 3
    assert states[-1] is IntrusionState.LOST


def test_a_word_that_is_not_newer_is_refused_and_moves_nothing(make_world: MakeWorld) -> None:
    """Networks repeat and reorder."""
    world = running(make_world)
    world.inputs.append(tracked(700.0, 10**9, 4.0))
    world.tick()
    kept = world.loop.intrusions.book.open["pickup"]
    world.inputs.append(tracked(690.0, 10**9, 4.0))

    out = world.tick()

    assert [reply.value.reason for reply in out.replies if isinstance(reply, Reply)] == ["TransponderStale"]
    assert world.loop.intrusions.book.open["pickup"] == kept


def test_a_manned_truck_without_a_transponder_closes_all_within_its_reach(make_world: MakeWorld) -> None:
    """Nobody knows where it will be when the next person looks."""
    world = running(make_world)
    world.inputs.append(seen(800.0, 801.0, "pickup", kind=MANNED))
    world.tick()
    first = closed(world, "out", "pickup")

    world.run(60)

    assert first[0] < 700.0
    assert closed(world, "out", "pickup")[0] < first[0]
    assert closed(world, "back", "pickup") != (0.0, 0.0)
