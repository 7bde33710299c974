"""What a truck in quarantine says of its place proves nothing, until a person has looked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleet.server.commands import ResumeTruck
from fleet.server.inputs import CommandGiven
from fleet.server.loop.truck_session import State

MakeWorld = Callable[..., Any]


def disbelieved(make_world: MakeWorld) -> Any:
    """A world of three trucks that drive, the first of which has just said that it is 20 m ahead of where it is."""
    world = make_world(3)
    world.greet_all()
    world.run(300)
    world.trucks[0].lie_m = 20.0
    world.run(4)
    assert world.loop.sessions.state[0] == State.QUARANTINED
    return world


def test_a_hello_from_quarantine_frees_nothing(make_world: MakeWorld) -> None:
    """Its reports are not heeded, so its contact lapses and it says hello, again and again, from where nobody believes it to be."""
    world = disbelieved(make_world)
    rear_m = float(world.table.rear_m[0])

    world.inputs.append(world.hello(world.trucks[0]))
    said = world.run(20)

    assert [welcome.row for out in said for welcome in out.welcomes] == [0]
    assert world.table.rear_m[0] == rear_m


def test_a_truck_that_a_person_has_looked_at_frees_road_again(make_world: MakeWorld) -> None:
    """Else a quarantine would close its road for good."""
    world = disbelieved(make_world)
    rear_m = float(world.table.rear_m[0])
    world.trucks[0].lie_m = 0.0
    world.inputs.append(world.hello(world.trucks[0]))
    world.run(2)

    world.inputs.append(CommandGiven(ticket=1, command=ResumeTruck(request_id="r1", truck_id="T0"), actor="operator"))
    world.run(300)

    assert world.table.rear_m[0] > rear_m + 20.0


def unsure(make_world: MakeWorld) -> Any:
    """A world of three trucks that drive, the first of which has just found that its sources disagree by 900 m."""
    world = make_world(3)
    world.greet_all()
    world.run(300)
    world.trucks[0].bound_m = 900.0
    world.run(1)  # what it said before
    return world


def test_a_truck_that_does_not_know_its_place_waits_for_a_person_and_says_so(make_world: MakeWorld) -> None:
    """It stops by itself and stays; believed, it would stand there for good for no reason anybody can see."""
    world = unsure(make_world)
    rear_m = float(world.table.rear_m[0])

    said = world.run(4)

    assert world.loop.sessions.state[0] == State.QUARANTINED
    assert [dict(alarm.fields)["reason"] for out in said for alarm in out.alarms if alarm.name == "truck_quarantined"] == ["Unsure"]
    assert world.table.rear_m[0] == rear_m


def test_one_that_is_only_unsure_inside_its_own_road_stops_nobody_else(make_world: MakeWorld) -> None:
    """It keeps to what it holds: road ahead of that is as free as it was."""
    world = unsure(make_world)

    world.run(4)

    assert world.loop.doubts.facts() == []
    assert not world.trucks[1].stops
    assert not world.trucks[2].stops


def test_a_hello_from_a_truck_that_does_not_know_its_place_moves_nothing(make_world: MakeWorld) -> None:
    """With so wide a bound it could be anywhere that it says."""
    world = unsure(make_world)
    rear_m, nose_m = float(world.table.rear_m[0]), float(world.table.nose_m[0])
    world.trucks[0].lie_m = -200.0

    world.inputs.append(world.hello(world.trucks[0]))
    world.run(1)

    assert world.loop.sessions.state[0] == State.QUARANTINED
    assert (world.table.rear_m[0], world.table.nose_m[0]) == (rear_m, nose_m)
