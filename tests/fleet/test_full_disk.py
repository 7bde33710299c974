"""A disk that fills while the server runs, and one that fails: what is promised then, and what is not."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from fleet.server.journal.sqlite import RESERVE_FILE, SqliteJournal
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from tests.fleet.on_full_disk import IMPATIENT_S, STANDS, WORDS, granted, heard_on, order
from tests.fleet.real_server import RealServer, real_server
from tests.soak.disk_log import NO_LIMIT, Fault, built, watched

WITHIN_S = 30.0

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
async def disk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[RealServer, Fault]]:
    """A server whose disk can be filled, or made to fail; each of these tests leaves it on a sound one."""
    folder = tmp_path_factory.mktemp("disk")
    fault, data = Fault(folder / "fault"), folder / "data"
    async with real_server(data, watched(built(folder), data, fault=fault.path)) as process:
        yield process, fault
    fault.close()


@pytest.fixture
def server(disk: tuple[RealServer, Fault]) -> RealServer:
    """The server."""
    return disk[0]


@pytest.fixture
def fault(disk: tuple[RealServer, Fault]) -> Iterator[Fault]:
    """What goes wrong on its disk."""
    yield disk[1]
    disk[1].heal()


@pytest.fixture
async def desk(server: RealServer, connect: Callable[[str], Any]) -> Any:
    """An operator's desk."""
    return dispatch_grpc.DispatchServiceStub(connect(server.address))


async def test_a_full_disk_grants_nothing_and_takes_stops_until_there_is_room(
    server: RealServer, fault: Fault, desk: Any, connect: Callable[[str], Any], standing_truck: Any
) -> None:
    """What was kept in reserve is for people; trucks get road again by themselves, once there is room for it to spare."""
    trucks = [standing_truck(connect(server.address), f"t{at}", stand.stand_id, stand.stop_m) for at, stand in enumerate(STANDS[:2])]
    await trucks[0].say_hello()
    await trucks[0].hear_until("authority")

    fault.leave_room(0)
    taken = await desk.CreateTransportOrder(order(0), timeout=WITHIN_S)
    assert not (server.data / RESERVE_FILE).exists()
    stopped = await desk.StopAll(d.StopAllRequest(stop_id="fire"), timeout=WITHIN_S)
    stop = await trucks[0].hear_until("stop")
    lifted = await desk.LiftStop(d.LiftStopRequest(request_id="l", stop_id="fire"), timeout=WITHIN_S)
    await trucks[1].say_hello()
    await trucks[1].hear_until("welcome")
    before = [await heard_on(truck, WORDS) for truck in trucks]

    assert (taken.container_count, stopped.active, stop.stop_id, lifted.active) == (1, True, "fire", False)
    assert [granted(truck, since) for truck, since in zip(trucks, before, strict=True)] == [False, False]
    assert server.said("journal_append_failed")

    fault.leave_room(NO_LIMIT)
    await asyncio.gather(*(truck.hear_until("authority") for truck in trucks))
    assert (server.data / RESERVE_FILE).exists()
    assert server.said("journal_space_returned")


async def test_without_any_room_a_stop_still_leaves_and_nothing_is_answered_that_is_not_kept(
    server: RealServer, fault: Fault, desk: Any, connect: Callable[[str], Any], standing_truck: Any
) -> None:
    """The last byte is gone: what only reduces need not wait, and whoever asks for more hears of it when it is in the journal."""
    truck = standing_truck(connect(server.address), "t2", STANDS[2].stand_id, STANDS[2].stop_m)
    await truck.say_hello()
    await truck.hear_until("authority")

    (server.data / RESERVE_FILE).unlink()
    fault.leave_room(0)
    with pytest.raises(grpc.aio.AioRpcError) as unanswered:
        await desk.CreateTransportOrder(order(1), timeout=IMPATIENT_S)
    stopping = asyncio.ensure_future(desk.StopAll(d.StopAllRequest(stop_id="flood"), timeout=WITHIN_S))
    await truck.hear_until("stop")
    listed = await desk.ListTransportOrders(d.ListTransportOrdersRequest(), timeout=WITHIN_S)
    fault.leave_room(NO_LIMIT)
    stopped = await stopping
    again = await desk.CreateTransportOrder(order(1), timeout=WITHIN_S)

    assert unanswered.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert stopped.active
    assert [found.order_id for found in listed.orders].count(again.order_id) == 1


async def test_a_disk_that_fails_ends_the_server_and_what_was_answered_is_there(server: RealServer, fault: Fault, desk: Any) -> None:
    """After a failed sync nobody knows what the disk kept: the server must not go on as though it knew."""
    kept = await desk.CreateTransportOrder(order(2), timeout=WITHIN_S)

    fault.fail_syncs()
    with pytest.raises(grpc.aio.AioRpcError):
        await desk.CreateTransportOrder(order(3), timeout=WITHIN_S)
    code = await server.ended()
    fault.heal()
    await server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        anew = dispatch_grpc.DispatchServiceStub(channel)
        again = await anew.CreateTransportOrder(order(3), timeout=WITHIN_S)
        listed = await anew.ListTransportOrders(d.ListTransportOrdersRequest(), timeout=WITHIN_S)

    assert code == 1
    assert "The journal cannot be written" in server.log.read_text("utf-8")
    assert [found.order_id for found in listed.orders][-2:] == [kept.order_id, again.order_id]


async def test_a_server_starts_on_a_full_disk_with_what_it_kept_in_reserve(tmp_path: Path, connect: Callable[[str], Any]) -> None:
    """Whoever finds a stopped server beside a full disk must be able to start it, and is not told that the journal is damaged."""
    fault, data = Fault(tmp_path / "fault"), tmp_path / "data"
    async with real_server(data, watched(built(tmp_path), data, fault=fault.path)) as server:
        epoch = server.epoch
        await server.end(signal.SIGTERM)
        with closing(SqliteJournal(server.data)) as journal:
            journal.verify()

        fault.leave_room(0)
        await server.start()

        assert server.epoch == epoch + 1
        assert not (server.data / RESERVE_FILE).exists()
        desk = dispatch_grpc.DispatchServiceStub(connect(server.address))
        async with asyncio.timeout(WITHIN_S):
            while not server.said("journal_append_failed"):
                await desk.ListLanes(d.ListLanesRequest())
        fault.heal()
    fault.close()
