"""Hellos that come late or are told again: a hello sets a truck's place, so an old one must never be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fleet.server.facts import TruckGreeted
from fleet.server.loop.truck_session import State
from sim_harness.tiny import TRUCK

MakeWorld = Callable[..., Any]


def driven(make_world: MakeWorld) -> tuple[Any, Any]:
    """A world whose truck has driven a good way since its hello, and that hello."""
    world = make_world(1)
    (truck,) = world.trucks
    old = world.hello(truck)
    world.inputs.append(old)
    world.run(150)
    assert truck.s_m > 100.0
    return world, old


def told_again(world: Any, hello: Any) -> tuple[list[str], float, float]:
    """Let somebody say *hello* on a link of his own: who was refused for what, and the confirmed rear before and after."""
    before_m = float(world.loop.trucks.rear_m[0])
    world.inputs.append(replace(hello, link=900))
    (out,) = world.run(1)
    return [refusal.error.reason for refusal in out.refusals], before_m, float(world.loop.trucks.rear_m[0])


def test_a_hello_told_again_is_refused_and_moves_nothing(make_world: MakeWorld) -> None:
    """A round later the same place is one the truck has yet to come to: believed, it would free the road under the truck."""
    world, old = driven(make_world)
    (truck,) = world.trucks
    place = world.place(truck.s_m + 40.0)
    ahead = replace(old, report=replace(old.report, lane_ix=place.lane_ix, chainage_m=place.chainage_m))

    reasons, _, after_m = told_again(world, ahead)

    assert reasons == ["HelloStale"]
    assert after_m <= truck.s_m - TRUCK.length_m
    assert truck.refused == ""


def test_a_hello_older_than_a_report_is_refused(make_world: MakeWorld) -> None:
    """One that waited in a gateway while the truck drove on."""
    world, old = driven(make_world)
    late = replace(old, report=replace(old.report, stamp_ns=int(world.loop.trucks.stamp_ns[0]) - 1))

    reasons, _, _ = told_again(world, late)

    assert reasons == ["HelloStale"]


def test_a_place_that_jumped_is_no_more_believed_in_a_hello_than_in_a_report(make_world: MakeWorld) -> None:
    """A truck that lost only its contact says hello; from 40 m ahead, inside its road, it would free the road it still stands on."""
    world, _ = driven(make_world)
    (truck,) = world.trucks
    before_m = float(world.loop.trucks.rear_m[0])
    hello = world.hello(truck)
    place = world.place(truck.s_m + 40.0)
    assert world.loop.trucks.end_m[0] > world.loop.trucks.nose_m[0] + 40.0

    world.inputs.append(replace(hello, report=replace(hello.report, lane_ix=place.lane_ix, chainage_m=place.chainage_m)))
    world.run(1)

    assert world.loop.sessions.state[0] == State.QUARANTINED
    assert world.loop.trucks.rear_m[0] == before_m


@pytest.mark.parametrize("snapshot", [False, True])
def test_an_old_hello_is_known_for_one_after_a_restart(make_world: MakeWorld, *, snapshot: bool) -> None:
    """The journal remembers the last hello of each boot, and so does its snapshot."""
    world, old = driven(make_world)
    if snapshot:
        world.journal = list(world.loop.snapshot())
    world.restart()

    reasons, before_m, after_m = told_again(world, old)

    assert reasons == ["HelloStale"]
    assert after_m == before_m


def test_a_hello_of_a_boot_that_another_followed_is_refused(make_world: MakeWorld) -> None:
    """Clocks begin anew with each boot, so stamps of two boots say nothing about which came first; their order here does."""
    world, old = driven(make_world)
    (truck,) = world.trucks
    truck.boot_id, truck.stamp_ns = "b2", 0
    world.inputs.append(world.hello(truck))
    world.run(20)

    ahead_of_everything = replace(old, report=replace(old.report, stamp_ns=10**15))
    reasons, _, _ = told_again(world, ahead_of_everything)

    assert reasons == ["HelloStale"]


def test_a_truck_that_says_hello_anew_is_welcome(make_world: MakeWorld) -> None:
    """With the same boot and a stamp that rises, or after a reboot with a clock that starts from nothing."""
    world, _ = driven(make_world)
    (truck,) = world.trucks

    world.inputs.append(world.hello(truck))
    (again,) = world.run(1)
    truck.boot_id, truck.clock_back_ns, truck.stamp_ns = "b2", world.now_ns - 1, 0
    world.inputs.append(world.hello(truck))
    (rebooted,) = world.run(1)

    assert [len(out.welcomes) for out in (again, rebooted)] == [1, 1]
    greeted = [fact for fact in world.journal if isinstance(fact, TruckGreeted)]
    assert [fact.boot_id for fact in greeted] == ["b1", "b1", "b2"]
