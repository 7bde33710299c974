"""Brakes and road that turn out worse than declared: believed by the whole server in the same tick, and for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fleet.server.commands import ResumeTruck
from fleet.server.facts import BrakesDerated, LaneFrictionSet, ShorteningIssued, StretchDerated, TruckHeld, TruckRecommissioned
from fleet.server.inputs import CommandGiven, ReportRow
from fleet.server.loop.truck_session import State
from fleet.server.outgoing import Outgoing, Reaction
from planner.limits import FRICTION_DRY

MakeWorld = Callable[..., Any]
OUT = 0
ICY_CELL = 1  # metres 100 to 200 of `out`
INTACT, INTACT_AND_BRAKING = 2, 10


def running(make_world: MakeWorld, count: int = 3) -> Any:
    """A world whose trucks have been driving for half a minute."""
    world = make_world(count)
    world.greet_all()
    world.run(300)
    return world


def say(world: Any, truck_id: str, **changes: object) -> None:
    """From now on one truck's reports say *changes*."""
    before = world.report

    def report(truck: Any) -> ReportRow:
        said: ReportRow = before(truck)
        return replace(said, **changes) if truck.truck_id == truck_id else said

    world.report = report


def alarms(outs: Sequence[Outgoing], name: str) -> list[dict[str, str | int | float]]:
    """What was alarmed under *name*."""
    return [dict(alarm.fields) for out in outs for alarm in out.alarms if alarm.name == name]


def resume(world: Any, truck_id: str) -> None:
    """A person lifts what holds the truck."""
    world.inputs.append(CommandGiven(ticket=1, command=ResumeTruck(request_id="r", truck_id=truck_id), actor="operator"))


def until_reported(world: Any) -> Outgoing:
    """Runs to the tick that hears what the trucks say now; the answer is that tick."""
    while not world.inputs:
        world.run(1)
    (out,) = world.run(1)
    return out  # type: ignore[no-any-return]


def iced(make_world: MakeWorld) -> tuple[Any, Outgoing]:
    """
    Three trucks on one lane, and the tick in which the middle one, standing near 187 m, says that it slipped.

    The hindmost stands before its end at 150 m, in the hundred metres around; the foremost has long left them.
    """
    world = make_world(3)
    world.desk.limit_m[:2] = 150.0, 190.0
    world.greet_all()
    world.run(400)
    say(world, "T1", friction=0.2)
    world.inputs.clear()
    world.run(1)
    return world, until_reported(world)


def test_grip_that_one_truck_lost_is_told_in_the_same_tick_to_whoever_holds_that_road(make_world: MakeWorld) -> None:
    """A truck whose end does not move would otherwise brake for its end as on a dry road."""
    world, out = iced(make_world)

    met = [fact for fact in out.facts if isinstance(fact, StretchDerated)]
    assert [(fact.row, fact.lane_ix, fact.from_m, fact.to_m, fact.friction) for fact in met] == [(1, OUT, 100.0, 300.0, 0.2)]
    assert [alarm["lane"] for alarm in alarms([out], "stretch_derated")] == ["out"]
    assert out.grants is not None
    told = dict(zip(out.grants.rows.tolist(), out.grants.friction.tolist(), strict=True))
    assert (told[0], told[1]) == (0.2, 0.2)
    assert told.get(2, FRICTION_DRY) == FRICTION_DRY
    assert world.table.rear_m[2] > 300.0


def slipping(make_world: MakeWorld, flags: int) -> tuple[Any, list[Outgoing]]:
    """A truck at full speed 15 m before its end, that finds the road icy and then says *flags*; what was said for a second."""
    world = make_world(1)
    world.desk.limit_m[0] = 400.0
    world.greet_all()
    while world.trucks[0].s_m < 385.0:
        world.trucks[0].v_mps = min(world.trucks[0].v_mps + 0.1, 6.9)
        world.run(1)
    say(world, "T0", friction=0.1, speed_mps=6.9, flags=flags)
    return world, world.run(10)


def test_a_truck_that_brakes_in_emergency_for_ice_needs_no_person_to_go_on(make_world: MakeWorld) -> None:
    """It already does what a stop would make it do; afterwards it knows the road and drives by it."""
    _, outs = slipping(make_world, INTACT_AND_BRAKING)

    assert [fact for out in outs for fact in out.facts if isinstance(fact, StretchDerated)]
    assert not [fact for out in outs for fact in out.facts if isinstance(fact, TruckHeld)]


def test_a_truck_that_does_not_brake_for_what_it_found_is_stopped(make_world: MakeWorld) -> None:
    """It had half a second to hear, to decide and to say so: the second net is still there."""
    _, outs = slipping(make_world, INTACT)

    held = [(at, fact.reason) for at, out in enumerate(outs) for fact in out.facts if isinstance(fact, TruckHeld)]
    heard = [at for at, out in enumerate(outs) for fact in out.facts if isinstance(fact, StretchDerated)]
    assert [reason for _, reason in held] == ["overrun"]
    assert 4 <= held[0][0] - heard[0] <= 7


def test_ice_is_told_once_and_does_not_melt_by_reports(make_world: MakeWorld) -> None:
    """A truck that slips on a better spot says nothing of the worse one, and one that goes gently proves nothing."""
    world, _ = iced(make_world)
    say(world, "T1", friction=0.5)
    outs = world.run(20)
    say(world, "T1", friction=0.0)
    outs += world.run(20)

    assert world.loop.derating.grip.friction[ICY_CELL] == 0.2
    assert not [fact for out in outs for fact in out.facts if isinstance(fact, StretchDerated)]
    assert not [row for out in outs if out.grants is not None for row in out.grants.rows.tolist() if row == 0]


def test_ice_outlives_the_server_and_a_person_ends_it(make_world: MakeWorld) -> None:
    """The next server must not send trucks onto it as onto a dry road; whoever had it gritted says so."""
    world, _ = iced(make_world)
    world.restart()
    after_restart = float(world.loop.derating.grip.friction[ICY_CELL])
    from_snapshot = [fact for fact in world.loop.snapshot() if isinstance(fact, StretchDerated)]
    say(world, "T1", friction=0.0)
    world.greet_all()

    world.desk.extra = [LaneFrictionSet(lane_ix=OUT, friction=1.0, reason="gritted", actor="operator")]
    world.run(20)

    assert after_restart == 0.2
    assert [(fact.lane_ix, fact.from_m, fact.friction) for fact in from_snapshot] == [(OUT, 100.0, 0.2), (OUT, 200.0, 0.2)]
    assert world.loop.derating.grip.friction.tolist() == [FRICTION_DRY] * len(world.loop.derating.grip.friction)


def test_weak_brakes_are_alarmed_once_and_take_no_road(make_world: MakeWorld) -> None:
    """Authority already given is the truck's: it drives on it with what brakes it has."""
    world = running(make_world)
    end_m = float(world.table.end_m[0])
    say(world, "T0", brake_health=0.8)

    outs = world.run(100)

    assert alarms(outs, "truck_derated") == [{"truck": "T0", "brake_health": 0.8}]
    assert [fact.brake_health for out in outs for fact in out.facts if isinstance(fact, BrakesDerated)] == [0.8]
    assert not [fact for out in outs for fact in out.facts if isinstance(fact, ShorteningIssued)]
    assert world.table.brake_health[:3].tolist() == [0.8, 1.0, 1.0]
    assert world.table.end_m[0] > end_m
    assert world.loop.sessions.state[0] == State.LIVE


def test_a_weak_truck_is_wished_slower(make_world: MakeWorld) -> None:
    """So that its stop takes no more road than a sound one's."""
    world = running(make_world, count=1)
    say(world, "T0", brake_health=0.7)

    outs = world.run(60)

    wished = [float(out.grants.advised_speed_mps[0]) for out in outs if out.grants is not None]
    assert 5.0 < wished[-1] < 25.0 / 3.6 - 0.3


def test_weak_brakes_outlive_server_reboot_and_resume(make_world: MakeWorld) -> None:
    """None of them is a repair: only a person who saw to the brakes says that they are as declared."""
    world = running(make_world)
    say(world, "T0", brake_health=0.8)
    world.run(10)
    say(world, "T0", brake_health=1.0)
    resume(world, "T0")
    world.run(10)
    resumed = float(world.table.brake_health[0])
    snapshot = [fact for fact in world.loop.snapshot() if isinstance(fact, BrakesDerated)]
    world.restart()
    restarted = float(world.table.brake_health[0])
    world.greet_all()

    world.desk.extra = [TruckRecommissioned(row=0, reason="new linings", actor="operator", at_ns=0)]
    world.run(10)

    assert (resumed, restarted) == (0.8, 0.8)
    assert [(fact.row, fact.brake_health) for fact in snapshot] == [(0, 0.8)]
    assert world.table.brake_health[0] == 1.0


def test_a_recommissioned_truck_that_is_still_weak_is_derated_again(make_world: MakeWorld) -> None:
    """The truck measures; the person may have been mistaken."""
    world = running(make_world)
    say(world, "T0", brake_health=0.8)
    world.run(10)
    world.desk.extra = [TruckRecommissioned(row=0, reason="new linings", actor="operator", at_ns=0)]

    outs = world.run(10)

    assert world.table.brake_health[0] == 0.8
    assert len(alarms(outs, "truck_derated")) == 1


def test_a_truck_with_hardly_any_brakes_is_held_and_released_by_a_person(make_world: MakeWorld) -> None:
    """It stops as it would by itself, by a name that a person lifts; lifted, it stays weak and is not stopped anew."""
    world = running(make_world)
    say(world, "T0", brake_health=0.55)
    outs = world.run(150)
    stood_mps = world.trucks[0].v_mps
    resume(world, "T0")
    world.run(50)

    assert [(stop.stop_id, stop.reaction) for out in outs for stop in out.stops][:1] == [("brakes:T0", Reaction.SERVICE_STOP)]
    assert {"truck": "T0", "reason": "brakes"} in alarms(outs, "truck_halted")
    assert stood_mps == 0.0
    assert world.loop.sessions.state[0] == State.LIVE
    assert world.table.brake_health[0] == 0.55


def test_a_parted_truck_is_stopped_hard_and_its_rear_frees_nothing_until_a_person_has_looked(make_world: MakeWorld) -> None:
    """What it lost lies behind it, also when the sensor says later that all is well."""
    world = running(make_world)
    say(world, "T0", flags=0)
    outs = world.run(4)
    rear_m = float(world.table.rear_m[0])
    say(world, "T0", flags=2)
    outs += world.run(150)
    frozen_m, stood_mps = float(world.table.rear_m[0]), world.trucks[0].v_mps
    world.restart()
    world.greet_all()
    world.run(20)
    restarted_m = float(world.table.rear_m[0])
    resume(world, "T0")
    world.run(20)

    assert [(stop.stop_id, stop.reaction) for out in outs for stop in out.stops][:1] == [("parted:T0", Reaction.EMERGENCY_STOP)]
    assert alarms(outs, "truck_parted") == [{"truck": "T0"}]
    assert stood_mps == 0.0
    assert frozen_m == pytest.approx(rear_m, abs=1.5)
    assert restarted_m == pytest.approx(frozen_m, abs=1.5)
    assert world.table.rear_m[0] > frozen_m + 5.0


def test_a_truck_that_is_still_parted_when_released_is_held_again(make_world: MakeWorld) -> None:
    """Whoever lifts the hold without looking must not free the road the trailer stands on."""
    world = running(make_world)
    say(world, "T0", flags=0)
    world.run(100)
    rear_m = float(world.table.rear_m[0])
    resume(world, "T0")

    outs = world.run(20)

    assert [fact.stop_id for out in outs for fact in out.facts if isinstance(fact, TruckHeld)] == ["parted:T0"]
    assert world.table.rear_m[0] == rear_m
    assert world.loop.sessions.state[0] == State.HALTED
