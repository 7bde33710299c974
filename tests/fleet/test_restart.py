from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fleet.server.journal.sqlite import SqliteJournal
from fleet.server.replay.past import Past
from fleet.server.replay.replaying import Replay
from fleet.server.replay.rotating_log import FOLDER, segments
from fleet.server.replay.sites import Sites
from fleet.site import load_site
from fleet.v1 import common_pb2
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from tests.fleet.real_server import RealServer, real_server
from tests.soak.kill_storm import storm

WITHIN_S = 30.0
CORRIDOR = load_site("mandula")
STANDS = [stand for stand in CORRIDOR.stands if stand.stand_id.startswith("mn_park")][:3]

SERVERS = 2
COMMANDS = 1_000
KILLS = 3

pytestmark = pytest.mark.processes


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RealServer]:
    """A server that serves, and is gone after the test."""
    async with real_server(tmp_path / "data") as process:
        yield process


async def fleet_of(desk: Any) -> dict[str, d.Truck]:
    """Every truck by id."""
    return {truck.truck_id: truck for truck in (await desk.ListTrucks(d.ListTrucksRequest(), timeout=WITHIN_S)).trucks}


async def mission_of(truck: Any) -> Any:
    """The first mission with a name that the truck hears."""
    while not (mission := await truck.hear_until("mission")).mission_id:
        pass
    return mission


async def test_after_a_kill_everything_is_as_it_was(server: RealServer, connect: Callable[[str], Any], standing_truck: Any) -> None:
    """Kill -9 loses no order, no mission and no authority, and nobody moves before he has said hello again."""
    desk = dispatch_grpc.DispatchServiceStub(connect(server.address))
    order = d.CreateTransportOrderRequest(request_id="r", from_yard_id="mn", to_yard_id="cn", container_count=40)
    created = await desk.CreateTransportOrder(order, timeout=WITHIN_S)
    channel = connect(server.address)
    trucks = [standing_truck(channel, f"t{at}", stand.stand_id, stand.stop_m) for at, stand in enumerate(STANDS)]
    for truck in trucks:
        await truck.say_hello()
        await truck.hear_until("authority")
    missions = {truck.truck_id: (await mission_of(truck)).mission_id for truck in trucks}
    before = await fleet_of(desk)

    await server.end(signal.SIGKILL)
    await server.start()
    desk = dispatch_grpc.DispatchServiceStub(connect(server.address))
    found = await desk.GetTransportOrder(d.GetTransportOrderRequest(order_id=created.order_id), timeout=WITHIN_S)
    repeated = await desk.CreateTransportOrder(order, timeout=WITHIN_S)
    unseen = await fleet_of(desk)

    assert server.epoch == 2
    assert (found.container_count, found.order_id) == (40, created.order_id)
    assert repeated.order_id == created.order_id
    assert {truck.mission_id for truck in unseen.values()} == set(missions.values())
    for truck_id, truck in unseen.items():
        assert truck.session != common_pb2.SESSION_STATE_LIVE
        assert (truck.end.lane_id, truck.end.chainage_m) == (before[truck_id].end.lane_id, before[truck_id].end.chainage_m)

    channel = connect(server.address)
    for truck in trucks:
        again = standing_truck(channel, truck.truck_id, truck.lane_id, truck.chainage_m)
        again.stamp_ns = truck.stamp_ns
        await again.say_hello(seen=truck.accepted)
        welcome = await again.hear_until("welcome")
        authority = await again.hear_until("authority")
        assert welcome.epoch == authority.term.epoch == 2


async def test_what_two_servers_decided_replays_across_the_kill(
    server: RealServer, connect: Callable[[str], Any], standing_truck: Any
) -> None:
    """Inputs and journal of a night with a kill in it give every decision again, of both servers."""
    for number in (1, SERVERS):
        desk = dispatch_grpc.DispatchServiceStub(connect(server.address))
        request = d.CreateTransportOrderRequest(request_id=f"r{number}", from_yard_id="mn", to_yard_id="cn", container_count=4)
        truck = standing_truck(connect(server.address), "t0", STANDS[0].stand_id, STANDS[0].stop_m)
        truck.stamp_ns = number * 10**12
        await truck.say_hello(seen=common_pb2.Term(epoch=number - 1, sequence=1 if number > 1 else 0))
        await truck.hear_until("authority")
        await desk.CreateTransportOrder(request, timeout=WITHIN_S, wait_for_ready=True)
        for _ in range(15):  # what a kill costs the log is its last second
            await truck.hear_until("heartbeat")
        await server.end(signal.SIGKILL if number < SERVERS else signal.SIGTERM)
        if number < SERVERS:
            await server.start()

    with closing(SqliteJournal(server.data)) as journal:
        replay = Replay(Sites(), Past(journal.chain()))
        for file in segments(server.data / FOLDER):
            replay.feed(file, lambda _: None)
        verdict = replay.verdict()

    assert verdict.good, verdict
    assert verdict.epochs == (1, 2)
    assert verdict.tick_count > 10
    assert "ends before its end" in verdict.notes[0]


async def test_a_truck_that_knows_more_than_the_journal_is_given_nothing(
    server: RealServer, connect: Callable[[str], Any], standing_truck: Any
) -> None:
    """It met a server that this journal never heard of: somebody restored a backup, and the ledger is not the truth."""
    truck = standing_truck(connect(server.address), "t0", STANDS[0].stand_id, STANDS[0].stop_m)

    await truck.say_hello(seen=common_pb2.Term(epoch=9, sequence=1))
    for _ in range(20):
        await truck.hear()

    assert not any(message.HasField("authority") for message in truck.heard)


async def test_asked_to_end_it_ends_well(server: RealServer) -> None:
    """Exit 0 tells the supervisor of the process that nothing needs repair."""
    assert await server.end(signal.SIGTERM) == 0


async def test_a_second_process_on_the_same_data_says_so_and_ends(server: RealServer) -> None:
    """Exit 1 and one sentence; the first goes on."""
    command = ["-m", "fleet.cli.main", "serve", "--site", "mandula", "--data", str(server.data), "--listen", "127.0.0.1:0"]
    second = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(WITHIN_S):
        _, said = await second.communicate()

    assert second.returncode == 1
    assert b"Another server holds this journal" in said
    assert server.runs


async def test_every_order_takes_effect_exactly_once_through_a_storm_of_kills(tmp_path: Path) -> None:
    """The answer is kept in the same commit as the order: a retry after a kill finds it, and never makes another."""
    outcome = await storm(tmp_path / "data", commands=COMMANDS, kills=KILLS, again=COMMANDS // 20, seed=1)

    assert outcome.storm.kills == KILLS
    assert outcome.storm.retries > 0
    assert outcome.good, (outcome.missing, outcome.duplicates, outcome.shared, outcome.changed)
