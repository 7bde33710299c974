"""The loop on a ring: trucks drive, stop, go silent, are doubted and removed, and no ground is ever held twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fleet.server.commands import HoldTruck, LiftStop, RemoveTruck, ResumeTruck, StopAll
from fleet.server.facts import AllStopSet, LaneLimited, TruckQuarantined
from fleet.server.inputs import CommandGiven, GoodbyeHeard, JournalChanged, LinkLost
from fleet.server.loop.control_loop import JudgeObjected
from fleet.server.loop.truck_session import State
from planner.authority import Cause

MakeWorld = Callable[..., Any]


def given(command: object, ticket: int = 1) -> CommandGiven:
    """A command of an operator."""
    return CommandGiven(ticket=ticket, command=command, actor="operator")


def running(make_world: MakeWorld, count: int = 3, ticks: int = 300) -> Any:
    """A world whose trucks have been driving for half a minute."""
    world = make_world(count)
    world.greet_all()
    world.run(ticks)
    return world


def test_trucks_drive_round_and_round(make_world: MakeWorld) -> None:
    """The whole chain of hello, sync, route, grant and report carries trucks over the edge of every lane."""
    world = make_world(4)
    world.greet_all()

    world.run(6000)

    assert all(truck.s_m > 2900.0 for truck in world.trucks)


def test_nothing_is_granted_before_the_truck_has_answered_a_challenge(make_world: MakeWorld) -> None:
    """A hello may come from a buffer; an answer to our own number cannot."""
    world = make_world(1)
    world.greet_all()
    world.trucks[0].deaf = True

    said = world.run(60)

    assert all(out.grants is None for out in said)


def test_a_silent_truck_keeps_its_road_and_is_given_no_more(make_world: MakeWorld) -> None:
    """It may still be rolling: neither time nor silence frees a metre."""
    world = running(make_world)
    world.trucks[0].mute = True
    end_m = float(world.table.end_m[0])
    world.run(30)
    end_then_m = float(world.table.end_m[0])

    said = world.run(100)

    assert world.loop.sessions.state[0] == State.SILENT
    assert end_then_m >= end_m
    assert world.table.end_m[0] == end_then_m
    assert all(out.grants is None or 0 not in out.grants.rows for out in said)


def test_a_truck_heard_again_syncs_and_gets_a_new_grant(make_world: MakeWorld) -> None:
    """After silence the truck needs a grant of a higher term, even where its end stays the same."""
    world = running(make_world)
    world.trucks[0].mute = True
    world.run(60)
    world.trucks[0].mute = False

    said = world.run(10)

    assert any(out.grants is not None and 0 in out.grants.rows for out in said)
    assert world.loop.sessions.state[0] == State.LIVE


def test_a_new_link_supersedes_the_old_one(make_world: MakeWorld) -> None:
    """Make before break: the truck is welcomed on the new link and the old one is closed by name."""
    world = running(make_world)
    old_link = world.trucks[0].link
    world.inputs.append(world.hello(world.trucks[0]))

    said = world.run(20)

    assert [(welcome.row, welcome.supersedes) for out in said for welcome in out.welcomes] == [(0, old_link)]
    assert world.trucks[0].v_mps > 0.0


def test_a_link_lost_after_it_was_superseded_changes_nothing(make_world: MakeWorld) -> None:
    """The old stream's end arrives late; the truck is on the new one."""
    world = running(make_world)
    old_link = world.trucks[0].link
    world.inputs.append(world.hello(world.trucks[0]))
    world.run(10)
    world.inputs.append(LinkLost(link=old_link))

    world.run(2)

    assert world.loop.sessions.state[0] == State.LIVE


def test_a_lost_link_needs_a_hello(make_world: MakeWorld) -> None:
    """Reports alone do not bring a truck back whose stream ended."""
    world = running(make_world)
    world.inputs.append(LinkLost(link=world.trucks[0].link))

    said = world.run(50)

    assert world.loop.sessions.state[0] == State.SILENT
    assert all(out.grants is None or 0 not in out.grants.rows for out in said)


def test_a_goodbye_frees_no_road(make_world: MakeWorld) -> None:
    """A truck that says it leaves still stands where it stood."""
    world = running(make_world)
    world.trucks[0].mute = True
    world.inputs.append(GoodbyeHeard(row=0, reason="off"))
    world.run(2)
    ground = world.table.ground(0)

    world.run(100)

    assert world.loop.sessions.state[0] == State.ABSENT
    assert world.table.ground(0) == ground


def test_an_all_stop_stops_everyone_and_only_its_own_id_lifts_it(make_world: MakeWorld) -> None:
    """Somebody else's lift must not start the fleet."""
    world = running(make_world)
    world.inputs.append(given(StopAll(stop_id="red", reason="fog")))
    world.run(150)
    world.inputs.append(given(LiftStop(request_id="r", stop_id="blue")))
    said = world.run(50)
    stood = [truck.v_mps for truck in world.trucks]
    world.inputs.append(given(LiftStop(request_id="r2", stop_id="red")))

    world.run(100)

    assert stood == [0.0, 0.0, 0.0]
    assert all(out.grants is None for out in said)
    assert {int(code) for code in world.loop.causes.code[:3]} != {int(Cause.ALL_STOP)}
    assert any(truck.v_mps > 1.0 for truck in world.trucks)


def test_an_all_stop_leaves_before_anything_is_durable(make_world: MakeWorld) -> None:
    """Stops only reduce: they may not wait for a disk."""
    world = running(make_world)
    world.inputs.append(given(StopAll(stop_id="red", reason="fog")))

    out = world.tick()

    assert {stop.row for stop in out.stops} == {0, 1, 2}
    assert any(isinstance(fact, AllStopSet) for fact in out.facts)


def test_a_stop_is_told_again_after_a_hello(make_world: MakeWorld) -> None:
    """A truck that was away when everything was stopped must not drive when it comes back."""
    world = running(make_world)
    world.trucks[0].deaf = True
    world.inputs.append(given(StopAll(stop_id="red", reason="fog")))
    world.run(5)
    world.trucks[0].deaf = False
    world.inputs.append(world.hello(world.trucks[0]))

    world.run(2)

    assert world.trucks[0].stops == {"red"}


def test_a_held_truck_is_released_by_a_person_and_goes_on(make_world: MakeWorld) -> None:
    """Hold and resume are a pair; in between only that truck stands, with its cause named."""
    world = running(make_world)
    world.inputs.append(given(HoldTruck(request_id="h", truck_id="T0", reason="look")))
    world.run(150)
    cause, speed_mps = Cause(int(world.loop.causes.code[0])), world.trucks[0].v_mps
    world.inputs.append(given(ResumeTruck(request_id="r", truck_id="T0")))

    world.run(100)

    assert (cause, speed_mps) == (Cause.HOLD, 0.0)
    assert world.trucks[0].v_mps > 1.0


def test_lifting_an_all_stop_leaves_a_held_truck_held(make_world: MakeWorld) -> None:
    """Two people stopped it for two reasons."""
    world = running(make_world)
    world.inputs += [given(HoldTruck(request_id="h", truck_id="T0", reason="look")), given(StopAll(stop_id="red", reason="fog"))]
    world.run(100)
    world.inputs.append(given(LiftStop(request_id="l", stop_id="red")))

    world.run(100)

    assert world.loop.sessions.state[0] == State.HALTED
    assert world.trucks[0].v_mps == 0.0


def test_a_jump_ahead_is_quarantined_and_frees_nothing(make_world: MakeWorld) -> None:
    """A trusted forward jump would free the road the truck still stands on."""
    world = running(make_world)
    rear_m = float(world.table.rear_m[0])
    world.trucks[0].lie_m = 45.0

    said = world.run(4)

    assert world.loop.sessions.state[0] == State.QUARANTINED
    assert world.table.rear_m[0] - rear_m < 5.0
    assert "quarantine:T0" in {stop.stop_id for out in said for stop in out.stops}
    assert any(isinstance(fact, TruckQuarantined) for out in said for fact in out.facts)


def test_doubt_adds_road_and_stops_whoever_holds_some_of_it(make_world: MakeWorld) -> None:
    """The doubted truck may be where it says: whoever has ground there must stop."""
    world = running(make_world, count=2)
    world.trucks[1].lie_m = world.trucks[0].s_m - world.trucks[1].s_m

    world.run(4)

    assert world.loop.sessions.state[1] == State.QUARANTINED
    assert world.loop.sessions.state[0] == State.HALTED


def test_a_report_with_an_old_stamp_is_refused_and_moves_nothing(make_world: MakeWorld) -> None:
    """Networks repeat and reorder; an old place is not a new one, and not a reason to stop either."""
    world = running(make_world)
    world.tick()
    world.trucks[0].clock_back_ns = 5_000_000_000
    nose_m = float(world.table.nose_m[0])

    said = world.run(8)

    assert world.table.nose_m[0] == nose_m
    assert world.trucks[0].report_refusals == 1
    assert [refused.reason for out in said for refused in out.report_refusals] == ["StampNotRising"]
    assert world.loop.sessions.state[0] != State.QUARANTINED


def test_a_truck_that_lost_a_box_frees_no_road(make_world: MakeWorld) -> None:
    """What it lost lies somewhere behind it."""
    world = running(make_world, count=1)
    rear_m = float(world.table.rear_m[0])
    report = world.report
    world.report = lambda truck: replace(report(truck), flags=0)

    world.run(50)

    assert world.table.rear_m[0] - rear_m < 3.0
    assert world.table.nose_m[0] - rear_m > 30.0


def test_a_revoked_limit_shortens_and_only_the_answer_frees(make_world: MakeWorld) -> None:
    """A barrier's proof is gone: the end must come back to the line, by agreement."""
    world = running(make_world, count=1, ticks=100)
    world.trucks[0].deaf = True
    held_m = float(world.table.end_m[0])
    limit_m = held_m - 8.0
    world.desk.limit_m[0], world.desk.limit_cause[0], world.desk.revoked[0] = limit_m, Cause.GATE, True
    first = world.tick()
    unanswered_m = float(world.table.end_m[0])
    world.trucks[0].deaf = False
    world._shorten(world.trucks[0], 1, first.shortenings[0].sequence, first.shortenings[0].end)

    world.run(4)

    assert unanswered_m == held_m
    assert world.table.end_m[0] == pytest.approx(limit_m)


def test_a_removed_truck_holds_nothing_and_its_id_is_barred(make_world: MakeWorld) -> None:
    """Two persons saw it go; whoever calls by its name now is somebody else. Its road opens by another word."""
    world = running(make_world)
    world.trucks[0].mute = True
    gone = RemoveTruck(request_id="x", truck_id="T0", taken_to="depot", second_person="Bat", powered_off=True)
    world.inputs.append(given(gone))
    world.run(2)
    world.inputs.append(world.hello(world.trucks[0]))

    world.run(2)

    assert world.table.ground(0) == []
    assert world.trucks[0].refused == "TruckBarred"


def test_a_second_computer_with_the_same_name_freezes_both(make_world: MakeWorld) -> None:
    """One of the two is not where the ledger thinks; only a person can tell which."""
    world = running(make_world)
    twin = world.hello(world.trucks[0], instance_id="i2")
    world.trucks[0].link -= 1
    world.inputs.append(twin)

    said = world.run(2)

    assert [refusal.error.reason for out in said for refusal in out.refusals] == ["TruckDuplicated"]
    assert world.loop.sessions.state[0] == State.QUARANTINED


def test_a_truck_with_another_map_is_not_taken_on(make_world: MakeWorld) -> None:
    """Chainages of another map are other places."""
    world = make_world(1)
    world.inputs.append(world.hello(world.trucks[0], map_digest="other"))

    world.run(2)

    assert world.trucks[0].refused == "MapMismatch"
    assert world.table.count == 0


def test_a_newcomer_on_held_road_is_refused(make_world: MakeWorld) -> None:
    """Its body would overlap ground that somebody may drive on."""
    world = make_world(2, apart_m=10.0)
    world.greet_all()

    world.run(2)

    assert [truck.refused for truck in world.trucks] == ["", "RoadTaken"]


def test_while_the_journal_cannot_write_nothing_is_granted(make_world: MakeWorld) -> None:
    """What is not remembered may not be said; stops still leave, and it goes on by itself."""
    world = running(make_world)
    world.inputs.append(JournalChanged(writable=False, reason="full"))
    said = world.run(150)
    cause = {Cause(int(code)) for code in world.loop.causes.code[:3]}
    world.inputs.append(JournalChanged(writable=True, reason="space"))

    after = world.run(50)

    assert all(out.grants is None for out in said)
    assert cause == {Cause.JOURNAL}
    assert any(out.grants is not None for out in after)


def test_a_lane_limit_sends_the_routes_over_it_anew(make_world: MakeWorld) -> None:
    """A truck supervises itself on its route alone; it must hear of the limit."""
    world = running(make_world, count=1, ticks=50)
    back = world.corridor.lane_ix["back"]
    world.inputs.append(given(LaneLimited(lane_ix=back, speed_limit_mps=2.0, reason="mud", actor="operator")))

    out = world.tick()

    assert len(out.routes) == 1
    assert out.routes[0].speed_max_mps[out.routes[0].lane_ix == back].max() == 2.0


def test_the_judge_stops_a_decision_that_would_overlap(make_world: MakeWorld) -> None:
    """If everything above it is wrong, plain code still holds the line, and the next server waits for a person."""
    world = running(make_world)
    world.table.end_m[0] = world.table.sent_m[0] = world.table.rear_m[1] + 15.0

    with pytest.raises(JudgeObjected) as caught:
        world.run(11)

    assert [fact.stop_id for fact in caught.value.aftermath if isinstance(fact, AllStopSet)] == ["judge"]


def test_every_standing_truck_has_a_named_cause(make_world: MakeWorld) -> None:
    """Standing time without a name fails a run."""
    world = make_world(5)
    world.greet_all()
    world.desk.limit_m[4] = 260.0
    unnamed = 0

    for _ in range(900):
        world.tick()
        standing = world.loop.causes.standing[: world.table.count]
        code = world.loop.causes.code[: world.table.count]
        unnamed += int((standing & np.isin(code, [Cause.NONE, Cause.HORIZON])).sum())

    assert unnamed == 0
    assert standing[:5].all()
    assert [Cause(int(at)) for at in code[:5]] == [Cause.LEADER] * 4 + [Cause.GOAL]


def test_the_same_inputs_give_the_same_words(make_world: MakeWorld) -> None:
    """Replay and audit rest on it."""
    worlds = [running(make_world, count=4, ticks=400) for _ in range(2)]

    ends = [[(out.tick, out.grants.rows.tolist(), out.grants.end_m.tolist()) for out in world.outs if out.grants] for world in worlds]

    assert ends[0] == ends[1]


def lose_one_tick(world: Any, row: int) -> Any:
    """A tick of which one truck hears nothing."""
    world.trucks[row].deaf = True
    out = world.tick()
    world.trucks[row].deaf = False
    return out


def test_a_lost_grant_is_said_again(make_world: MakeWorld) -> None:
    """The last grant before a limit has no successor that would heal its loss."""
    world = make_world(1)
    world.greet_all()
    world.desk.limit_m[0] = 110.0
    world.run(300)
    world.desk.limit_m[0] = 140.0
    lost = lose_one_tick(world, 0)
    stood_m = world.trucks[0].s_m

    world.run(150)

    assert lost.grants is not None
    assert world.trucks[0].s_m == pytest.approx(stood_m + 30.0, abs=0.5)


def test_a_lost_shortening_is_asked_again(make_world: MakeWorld) -> None:
    """Until it is answered the truck is given nothing."""
    world = running(make_world, count=1, ticks=100)
    limit_m = float(world.table.end_m[0]) - 8.0
    world.desk.limit_m[0], world.desk.revoked[0] = limit_m, True
    lose_one_tick(world, 0)

    world.run(25)

    assert world.table.end_m[0] == pytest.approx(limit_m)


def test_a_lost_stop_is_said_again_while_the_truck_rolls(make_world: MakeWorld) -> None:
    """A stop has no answer but standing still."""
    world = running(make_world)
    world.inputs.append(given(StopAll(stop_id="red", reason="fog")))
    lose_one_tick(world, 0)

    world.run(12)

    assert world.trucks[0].stops == {"red"}


def test_a_lost_release_is_said_again(make_world: MakeWorld) -> None:
    """The fleet believes it is free; so must the truck."""
    world = running(make_world)
    world.inputs.append(given(HoldTruck(request_id="h", truck_id="T0", reason="look")))
    world.run(100)
    world.inputs.append(given(ResumeTruck(request_id="r", truck_id="T0")))
    for _ in range(8):
        lose_one_tick(world, 0)

    world.run(60)

    assert world.trucks[0].stops == set()
    assert world.trucks[0].v_mps > 1.0
