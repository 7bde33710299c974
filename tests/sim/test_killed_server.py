"""
A live, moving fleet whose server is killed: real processes, real streams, simulated time.

Trucks stop by themselves where they may stand, the books survive, and after the restart nobody moves before he was told to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.v1 import truck_pb2
from planner.limits import CLEARING_SPEED_MPS
from sim_harness.outage import OutageRunner, Silence
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.scenario import Scenario, load_scenario
from sim_harness.spawn import ServerProcess

# Quick loaders and gates, so that a few minutes see trucks laden and empty, at gates, at bays and in between.
QUICK = [
    "processes.bay={shape: fixed, fixed_s: 15}",
    *(f"processes.g{number}={{shape: triangular, least_s: 3, mode_s: 5, most_s: 12}}" for number in range(1, 7)),
    "plant.inspect_share=0",
    "plant.refuse_share=0",
    "plant.loader_mtbf_h=0",
]
BEGIN = [
    *(f"mn_bay_{number:02d}" for number in (1, 2)),
    *(f"mn_park_{number:02d}" for number in range(1, 6)),
    *(f"cn_park_{number:02d}" for number in range(1, 4)),
]
# The longest way out of a no-stop stretch at walking pace is well under a minute.
SILENT_S = 36.0
MOVING_MPS = 0.5
CONTAINER_T = 32.5

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("wire")]


def scene(seed: int) -> Scenario:
    """Ten trucks at the small site, in both yards and two of them at bays."""
    scenario = load_scenario("mandula", QUICK, seed=seed, hours=1.0)
    stands = scenario.corridor.stands
    return replace(scenario, stands=tuple(stands[scenario.corridor.stand_ix[stand_id]] for stand_id in BEGIN))


@asynccontextmanager
async def fleet_on_the_wire(data: Path, seed: int) -> AsyncIterator[OutageRunner]:
    """A fleet connected to a server process of its own."""
    scenario = scene(seed)
    server = ServerProcess(scenario.site, data, int(opening_s(scenario.roster)))
    await server.start()
    try:
        with Recorder(None, scenario.roster) as recorder:
            runner = OutageRunner(scenario, server, recorder)
            await runner.open()
            try:
                yield runner
            finally:
                await runner.close()
    finally:
        await server.end()


def on_the_road(runner: OutageRunner) -> bool:
    """Whether there is something to lose: several trucks roll, laden ones and empty ones."""
    view = runner.view
    moving = view.speed_mps > MOVING_MPS
    return bool(moving.sum() >= 4 and (moving & view.laden).any() and (moving & ~view.laden).any())


def in_the_way(runner: OutageRunner) -> bool:
    """Whether, besides, somebody is where nobody may be left standing: at a gate, or where ways meet."""
    return on_the_road(runner) and runner.stranded() != []


def assert_stopped_safely(runner: OutageRunner, silence: Silence) -> None:
    """All stand by themselves, inside what they hold and where they are in nobody's way, and go on standing."""
    assert max(silence.stopped_s) < SILENT_S - 5.0
    assert silence.moved_again == set()
    assert silence.fastest_late_mps <= CLEARING_SPEED_MPS + 0.01
    assert runner.beyond_end() == []
    assert runner.stranded() == []


def assert_nothing_ever_touched(runner: OutageRunner) -> None:
    """What must never be, over the whole run."""
    figures = runner.checkers.figures()
    assert figures.overlaps == ()
    assert figures.overruns == ()
    assert runner.books.emergency_brakes == 0
    assert runner.ends.ends_count > 0
    assert runner.ends.bad == []


def everybody_granted(runner: OutageRunner) -> bool:
    """Whether each truck has been given an authority since the server last started."""
    return len(runner.granted_s) == runner.truck_count


@pytest.mark.parametrize(("kill_s", "seed"), [(97.3, 1), (238.1, 3)])
async def test_trucks_stop_by_themselves_and_the_books_survive(tmp_path: Path, kill_s: float, seed: int) -> None:
    """The server may die at any instant: nobody is hurt, nothing is forgotten, and all go on by themselves."""
    async with fleet_on_the_wire(tmp_path, seed) as runner:
        await runner.drive(kill_s)
        assert await runner.drive(60.0, lambda: in_the_way(runner))
        before = await runner.ledger()
        await runner.kill()
        silence = await runner.alone(SILENT_S)
        assert_stopped_safely(runner, silence)

        await runner.restart()
        assert runner.epoch == 2
        assert await runner.ledger() == before
        assert before.crossings
        assert await runner.drive(10.0, lambda: everybody_granted(runner))
        stood_km = runner.truck_km
        await runner.drive(30.0)

        assert runner.moved_early == set()
        assert runner.truck_km > stood_km + 0.3
        assert_nothing_ever_touched(runner)


async def test_killed_in_the_middle_of_a_word_the_server_still_delivers(tmp_path: Path) -> None:
    """What it managed to say is on its books, what it did not hear is said again: every container comes to one place once."""
    async with fleet_on_the_wire(tmp_path, 4) as runner:
        await runner.drive(222.2)
        assert await runner.drive(60.0, lambda: in_the_way(runner))
        await runner.kill(mid_tick=True)
        assert_stopped_safely(runner, await runner.alone(SILENT_S))
        await runner.restart()
        assert runner.forgotten(await runner.ledger()) == []
        delivered = await runner.drive(500.0, lambda: runner.books.tonnes > 0.0)
        await runner.drive(2.0)
        books = await runner.ledger()

        assert delivered
        assert [order.delivered_count for order in books.orders.values()] == [round(runner.books.tonnes / CONTAINER_T)]
        assert runner.moved_early == set()
        assert_nothing_ever_touched(runner)


async def test_a_frozen_server_is_a_silent_one_and_goes_on_when_thawed(tmp_path: Path) -> None:
    """A process that hangs keeps its streams up; only its heartbeat is missing, and what waited for it is old when it wakes."""
    async with fleet_on_the_wire(tmp_path, 5) as runner:
        await runner.drive(150.0)
        assert on_the_road(runner)
        await runner.freeze()
        silence = await runner.alone(5.0)
        assert silence.moved_again == set()
        runner.thaw()
        assert await runner.drive(20.0, lambda: everybody_granted(runner))
        stood_km = runner.truck_km
        await runner.drive(30.0)

        assert runner.epoch == 1
        assert runner.truck_km > stood_km + 0.3
        assert_nothing_ever_touched(runner)


def heartbeats(runner: OutageRunner, epoch: int, tick: int) -> Callable[[int, int], list[truck_pb2.ControlMessage]]:
    """What a server of that term says to prove that it is there: its tick rises, and it answers each truck's challenge."""

    def say(row: int, now_ns: int) -> list[truck_pb2.ControlMessage]:
        echo = runner.trucks.supervisor(row).report(now_ns).challenge
        heartbeat = truck_pb2.Heartbeat(tick=tick + now_ns // 1_000_000, challenge=now_ns, epoch=epoch, challenge_echo=echo)
        return [truck_pb2.ControlMessage(heartbeat=heartbeat)]

    return say


def stale_words(runner: OutageRunner, epoch: int) -> Callable[[int, int], list[truck_pb2.ControlMessage]]:
    """What a server of a term gone by would go on saying: that it is there, and that the road is free far ahead."""
    beat = heartbeats(runner, epoch, tick=2_000_000)

    def say(row: int, now_ns: int) -> list[truck_pb2.ControlMessage]:
        lane = runner.corridor.lanes[runner.trucks.road(row)[-1][0]]
        held = runner.trucks.supervisor(row).permission.route_sequence
        authority = truck_pb2.MovementAuthority(route_sequence=held, friction=0.7)
        authority.term.epoch, authority.term.sequence = epoch, now_ns
        authority.end.lane_id, authority.end.chainage_m = lane.lane_id, lane.length_m
        return [*beat(row, now_ns), truck_pb2.ControlMessage(authority=authority)]

    return say


async def test_a_server_of_a_term_gone_by_moves_nobody(tmp_path: Path) -> None:
    """A controller that was thought dead and speaks again must not keep one truck rolling, nor set one in motion."""
    async with fleet_on_the_wire(tmp_path, 6) as runner:
        await runner.drive(120.0)
        await runner.kill()
        await runner.alone(3.0)
        await runner.restart()
        assert await runner.drive(10.0, lambda: everybody_granted(runner))
        await runner.drive(20.0)
        await runner.kill()
        # The same words of the term agreed would be believed.
        await runner.alone(3.0, heartbeats(runner, epoch=2, tick=1_000_000))
        assert on_the_road(runner)
        ends = runner.view.end_path_m.tolist()
        silence = await runner.alone(SILENT_S, stale_words(runner, epoch=1))

        assert_stopped_safely(runner, silence)
        assert runner.view.end_path_m.tolist() == ends
        assert_nothing_ever_touched(runner)
