"""What the journal remembers: a server that comes back knows who could hold what, and gives nobody anything before a hello."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fleet.server.commands import HoldTruck, LiftStop, StopAll
from fleet.server.facts import GrantsIssued, decode, encode
from fleet.server.inputs import CommandGiven
from fleet.server.loop.truck_session import State
from planner.oracle import Judge

MakeWorld = Callable[..., Any]


def remembered(world: Any) -> dict[str, Any]:
    """Everything durable of a loop."""
    loop, count = world.loop, world.table.count
    table, ledger = loop.trucks, loop.ledger
    return {
        "end_m": table.end_m[:count].tolist(),
        "sent_m": table.sent_m[:count].tolist(),
        "paths": [(table.path(row), float(table.path_start_m[row, 0])) for row in range(count)],
        "terms": list(zip(ledger.issued_epoch[:count].tolist(), ledger.issued_sequence[:count].tolist(), strict=True)),
        "pending": ledger.pending[:count].tolist(),
        "removed": ledger.removed[:count].tolist(),
        "kept_rear_m": ledger._rear_kept_m[:count].tolist(),
        "stopped": [sorted(stop.stop_id for stop in loop.stops.of(row)) for row in range(count)],
        "truck_ids": list(loop.sessions.truck_ids),
    }


def busy(make_world: MakeWorld, ticks: int = 700) -> Any:
    """A world that has seen a hold, a revoked limit and a quarantine."""
    world = make_world(4)
    world.greet_all()
    world.run(ticks)
    world.inputs.append(CommandGiven(ticket=1, command=HoldTruck(request_id="h", truck_id="T2", reason="look"), actor="op"))
    world.trucks[0].lie_m = -60.0
    world.run(20)
    return world


def test_replaying_the_journal_yields_the_same_ledger(make_world: MakeWorld) -> None:
    """Recovery is nothing but apply again: what it would forget, two trucks could hold at once."""
    world = busy(make_world)
    before = remembered(world)

    world.restart()

    assert remembered(world) == before


@pytest.mark.parametrize("ticks", [1, 2, 3, 7, 50, 333])
def test_a_journal_cut_at_any_tick_holds_every_end_that_was_said(make_world: MakeWorld, ticks: int) -> None:
    """Whenever the server dies, no truck holds an end that its successor does not know."""
    world = make_world(3)
    world.greet_all()
    world.run(ticks)

    world.restart()

    for truck in (truck for truck in world.trucks if truck.end_m is not None):
        held_m = world.table.locate(truck.row, world.place(truck.end_m).lane_ix, world.place(truck.end_m).chainage_m)
        assert held_m <= world.table.end_m[truck.row] + 1e-6


def test_a_rear_is_remembered_before_somebody_else_gets_its_road(make_world: MakeWorld) -> None:
    """With the old rear the recovered ledger would hold the same ground twice, and its own judge would object."""
    world = make_world(6, apart_m=25.0)
    world.greet_all()
    world.run(900)

    world.restart()

    assert Judge(world.corridor).sweep(world.table) == []


def test_nothing_is_granted_in_a_new_epoch_before_the_hello(make_world: MakeWorld) -> None:
    """Trucks of the old server keep reporting; only a hello brings them under the new one."""
    world = busy(make_world)
    world.restart()

    said = world.run(40)

    assert all(out.grants is None and not out.routes for out in said)
    assert set(world.loop.sessions.state[:2].tolist()) <= {State.ABSENT, State.QUARANTINED}


def test_after_the_hellos_everyone_drives_on(make_world: MakeWorld) -> None:
    """A kill -9 costs seconds, not the day."""
    world = make_world(4)
    world.greet_all()
    world.run(600)
    before = [truck.s_m for truck in world.trucks]
    world.restart()
    world.greet_all()

    world.run(300)

    assert all(truck.s_m > was_m + 80.0 for truck, was_m in zip(world.trucks, before, strict=True))


def test_an_unseen_truck_blocks_the_road_it_may_hold(make_world: MakeWorld) -> None:
    """The others are back, one is not: it counts as standing anywhere on what it held."""
    world = make_world(2)
    world.greet_all()
    world.run(600)
    world.trucks[1].mute = True
    world.restart()
    world.inputs.append(world.hello(world.trucks[0]))

    world.run(300)

    assert world.table.end_m[0] <= world.table.rear_m[1]
    assert world.trucks[0].v_mps == 0.0


def test_a_truck_that_knows_a_higher_term_stops_the_fleet(make_world: MakeWorld) -> None:
    """The journal is an old copy: others may hold road it has forgotten too."""
    world = make_world(3)
    world.greet_all()
    world.run(300)
    lost = [at for at, fact in enumerate(world.journal) if isinstance(fact, GrantsIssued) and 0 in fact.rows][-1]
    del world.journal[lost]
    world.restart()
    world.greet_all()

    said = world.run(100)

    assert world.trucks[0].refused == "JournalBehind"
    assert {stop.stop_id for out in said for stop in out.stops} == {"journal_behind"}
    assert all(out.grants is None for out in said)


def test_a_truck_that_heard_of_a_longer_journal_stops_the_fleet_until_a_person_has_looked(make_world: MakeWorld) -> None:
    """It was given nothing that the old copy has forgotten; who was has not called yet. What a person has seen is no news after that."""
    world = make_world(3)
    world.greet_all()
    world.run(100)
    world.restart()
    world.inputs = [world.hello(truck, journal_known=truck is not world.trucks[0]) for truck in world.trucks]

    said = world.run(50)
    refused = world.trucks[0].refused
    world.inputs.append(CommandGiven(ticket=1, command=LiftStop(request_id="r", stop_id="journal_behind"), actor="op"))
    world.run(1)
    world.inputs.append(world.hello(world.trucks[0], journal_known=False))
    later = world.run(50)

    assert refused == "JournalBehind"
    assert {stop.stop_id for out in said for stop in out.stops} == {"journal_behind"}
    assert all(out.grants is None for out in said)
    assert {0, 1, 2} <= {row for out in later if out.grants is not None for row in out.grants.rows.tolist()}


def test_an_end_the_ledger_does_not_know_stops_the_fleet(make_world: MakeWorld) -> None:
    """A truck on an unknown path is proof that something was forgotten."""
    world = make_world(2)
    world.greet_all()
    world.run(200)
    known = world.place(world.trucks[0].end_m)
    unknown = world.place(world.trucks[0].end_m + 60.0)
    assert unknown != known
    world.inputs.append(world.hello(world.trucks[0], end_held=unknown))

    world.run(2)

    assert world.trucks[0].refused == "JournalBehind"
    assert world.loop.stops.has("journal_behind")


def test_an_all_stop_outlives_the_server(make_world: MakeWorld) -> None:
    """A restart is not a person's release."""
    world = make_world(2)
    world.greet_all()
    world.run(200)
    world.inputs.append(CommandGiven(ticket=1, command=StopAll(stop_id="red", reason="fog"), actor="op"))
    world.run(100)
    world.restart()
    world.greet_all()
    said = world.run(100)
    world.inputs.append(CommandGiven(ticket=2, command=LiftStop(request_id="l", stop_id="red"), actor="op"))

    world.run(150)

    assert all(out.grants is None for out in said)
    assert all(truck.v_mps > 0.5 for truck in world.trucks)


def test_a_shortening_left_unanswered_is_asked_again(make_world: MakeWorld) -> None:
    """The answer went to the old server; its road is not free until the new one hears it."""
    world = make_world(1)
    world.greet_all()
    world.run(100)
    world.trucks[0].deaf = True
    held_m = float(world.table.end_m[0])
    world.desk.limit_m[0], world.desk.revoked[0] = held_m - 8.0, True
    world.run(1)
    world.restart()
    world.trucks[0].deaf = False
    world.desk.limit_m[0] = held_m - 8.0
    world.greet_all()
    kept_m = float(world.table.end_m[0])

    said = world.run(6)

    assert kept_m == held_m
    assert sum(len(out.shortenings) for out in said) == 1
    assert world.table.end_m[0] == pytest.approx(held_m - 8.0)


def test_a_snapshot_replaces_the_whole_journal(make_world: MakeWorld) -> None:
    """Every outstanding authority and every stop is in it, whatever its age."""
    world = busy(make_world)
    kept = [decode(*encode(fact)) for fact in world.loop.snapshot()]
    before = remembered(world)
    rears = world.table.rear_m[: world.table.count].copy()
    world.journal = kept

    world.restart()

    after = remembered(world)
    assert after == {**before, "kept_rear_m": rears.tolist()}
    np.testing.assert_array_equal(world.table.rear_m[: world.table.count], rears)
