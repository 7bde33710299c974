"""A disk that is really full, to the last byte: what stands in for one elsewhere must not have been kinder."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from fleet.server.dispatch.orders import OrderKept
from fleet.server.journal.records import facts_of
from fleet.server.journal.sqlite import RESERVE_FILE, SqliteJournal
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from tests.fleet.on_full_disk import IMPATIENT_S, STANDS, WORDS, granted, heard_on, order
from tests.fleet.real_server import RealServer, real_server
from tests.fleet.small_disk import KINDS, SmallDisk, small_disk

WITHIN_S = 60.0

pytestmark = pytest.mark.processes


@pytest.fixture(params=KINDS)
async def small(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[RealServer, SmallDisk]]:
    """A server whose folder is a disk of its own; its log is elsewhere."""
    with small_disk(tmp_path / "disk", request.param) as disk:
        async with real_server(disk.folder) as process:
            yield process, disk


def orders_kept(folder: Path) -> set[int]:
    """How many containers each order in the journal has, of which every record must be whole."""
    with closing(SqliteJournal(folder)) as journal:
        recovery = journal.recover()
        assert journal.verify() == recovery.head.sequence
    return {fact.container_count for fact in facts_of(recovery.records) if isinstance(fact, OrderKept)}


async def test_nothing_new_is_granted_and_stops_work_until_there_is_room(
    small: tuple[RealServer, SmallDisk], connect: Callable[[str], Any], standing_truck: Any
) -> None:
    """What was kept in reserve is for people; the server goes on by itself, and no record was left half."""
    server, disk = small
    desk = dispatch_grpc.DispatchServiceStub(connect(server.address))
    trucks = [standing_truck(connect(server.address), f"t{at}", stand.stand_id, stand.stop_m) for at, stand in enumerate(STANDS[:2])]
    await trucks[0].say_hello()
    await trucks[0].hear_until("authority")

    disk.fill()
    # What a file has room for already is used up first: so many answers fit, and then the reserve gives way.
    asked = 0
    async with asyncio.timeout(WITHIN_S):
        while (server.data / RESERVE_FILE).exists():
            await desk.CreateTransportOrder(order(asked), timeout=WITHIN_S)
            asked += 1
    stopped = await desk.StopAll(d.StopAllRequest(stop_id="fire"), timeout=WITHIN_S)
    stop = await trucks[0].hear_until("stop")
    lifted = await desk.LiftStop(d.LiftStopRequest(request_id="l", stop_id="fire"), timeout=WITHIN_S)
    await trucks[1].say_hello()
    await trucks[1].hear_until("welcome")
    before = [await heard_on(truck, WORDS) for truck in trucks]

    assert (stopped.active, stop.stop_id, lifted.active) == (True, "fire", False)
    assert [granted(truck, since) for truck, since in zip(trucks, before, strict=True)] == [False, False]

    disk.make_room()
    await asyncio.gather(*(truck.hear_until("authority") for truck in trucks))
    assert (server.data / RESERVE_FILE).exists()
    assert server.said("journal_space_returned")

    await server.end(signal.SIGKILL)
    assert orders_kept(server.data) == {number + 1 for number in range(asked)}


async def test_killed_without_a_byte_left_it_goes_on_where_it_was(
    small: tuple[RealServer, SmallDisk], connect: Callable[[str], Any], standing_truck: Any
) -> None:
    """The stop leaves though it cannot be kept; what was answered is there afterwards, what was not takes effect when it is asked again."""
    server, disk = small
    desk = dispatch_grpc.DispatchServiceStub(connect(server.address))
    truck = standing_truck(connect(server.address), "t0", STANDS[0].stand_id, STANDS[0].stop_m)
    await truck.say_hello()
    await truck.hear_until("authority")

    (server.data / RESERVE_FILE).unlink()
    disk.fill()
    answered, refused = 0, None
    async with asyncio.timeout(WITHIN_S):
        while refused is None:
            disk.fill()
            try:
                await desk.CreateTransportOrder(order(answered), timeout=IMPATIENT_S)
                answered += 1
            except grpc.aio.AioRpcError as unanswered:
                refused = unanswered.code()
    stopping = asyncio.ensure_future(desk.StopAll(d.StopAllRequest(stop_id="flood"), timeout=WITHIN_S))
    await truck.hear_until("stop")
    await server.end(signal.SIGKILL)
    with pytest.raises(grpc.aio.AioRpcError):
        await stopping

    disk.make_room()
    assert orders_kept(server.data) == {number + 1 for number in range(answered)}
    await server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        anew = dispatch_grpc.DispatchServiceStub(channel)
        again = await anew.CreateTransportOrder(order(answered), timeout=WITHIN_S)
        listed = await anew.ListTransportOrders(d.ListTransportOrdersRequest(), timeout=WITHIN_S)

    assert refused is grpc.StatusCode.DEADLINE_EXCEEDED
    assert [found.container_count for found in listed.orders] == [number + 1 for number in range(answered + 1)]
    assert listed.orders[-1].order_id == again.order_id
