"""A server whose journal is damaged: it answers, it takes stops, and nobody moves."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from fleet.server.journal.sqlite import JOURNAL_FILE, WAL_FILE
from fleet.v1 import common_pb2
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from tests.fleet.real_server import RealServer, real_server

WITHIN_S = 30.0

pytestmark = pytest.mark.processes


def order(request_id: str, count: int) -> d.CreateTransportOrderRequest:
    """So many containers to be moved."""
    return d.CreateTransportOrderRequest(request_id=request_id, from_yard_id="mn", to_yard_id="cn", container_count=count)


def rows(data: Path) -> list[tuple[Any, ...]]:
    """Everything in the journal's table of records."""
    with closing(sqlite3.connect(data / JOURNAL_FILE)) as connection:
        return connection.execute("select sequence, digest from record order by sequence").fetchall()


def damage(data: Path) -> int:
    """Changes what the journal says of the second order; the answer is the record's sequence."""
    with closing(sqlite3.connect(data / JOURNAL_FILE)) as connection, connection:
        found = connection.execute("select max(sequence), body from record where kind = 'OrderKept'")
        sequence, body = found.fetchone()
        connection.execute("update record set body = ? where sequence = ?", (body[:-1] + b"!", sequence))
    return int(sequence)


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A server that lost its second order to the disk, and was started again."""

    process: RealServer
    bad_record: int
    rows: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Damaged]:
    """The same for all of these: it lets nothing change it."""
    async with real_server(tmp_path_factory.mktemp("standstill") / "data") as process:
        async with grpc.aio.insecure_channel(process.address) as channel:
            desk = dispatch_grpc.DispatchServiceStub(channel)
            for number, count in enumerate((16, 17)):
                await desk.CreateTransportOrder(order(f"r{number}", count), timeout=WITHIN_S)
        await process.end(signal.SIGKILL)
        bad_record = damage(process.data)
        before = rows(process.data)
        await process.start()
        yield Damaged(process=process, bad_record=bad_record, rows=before)


async def test_it_names_the_record_and_shows_what_came_before(server: Damaged, connect: Callable[[str], Any]) -> None:
    """Who must decide what to do sees where the damage is, and how things stood until then."""
    desk = dispatch_grpc.DispatchServiceStub(connect(server.process.address))

    orders = (await desk.ListTransportOrders(d.ListTransportOrdersRequest(), timeout=WITHIN_S)).orders
    trucks = await desk.ListTrucks(d.ListTrucksRequest(), timeout=WITHIN_S)

    said = server.process.log.read_text("utf-8")
    assert f"place record {server.bad_record}, problem the content does not match its digest" in said
    assert server.process.said("journal_damaged")
    assert [order.container_count for order in orders] == [16]
    assert list(trucks.trucks) == []


async def test_a_stop_is_taken_and_everything_else_refused(server: Damaged, connect: Callable[[str], Any]) -> None:
    """A stop must never be refused; an order that could not be kept must never be taken."""
    desk = dispatch_grpc.DispatchServiceStub(connect(server.process.address))

    stop = await desk.StopAll(d.StopAllRequest(stop_id="fire", reason="smoke"), timeout=WITHIN_S)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await desk.CreateTransportOrder(order("r9", 5), timeout=WITHIN_S)
    with pytest.raises(grpc.aio.AioRpcError):
        await desk.LiftStop(d.LiftStopRequest(request_id="r8", stop_id="journal_damaged"), timeout=WITHIN_S)
    watch = await desk.WatchFleet(d.WatchFleetRequest(), timeout=WITHIN_S).read()

    assert stop.active
    assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert f"record {server.bad_record}" in str(refused.value.details())
    assert {found.stop_id for found in watch.stops} == {"fire", "journal_damaged"}


async def test_no_truck_is_taken_on_and_none_is_told_that_somebody_is_there(
    server: Damaged, connect: Callable[[str], Any], standing_truck: Any
) -> None:
    """Without a welcome and a heartbeat every truck stands by itself."""
    truck = standing_truck(connect(server.process.address), "t0", "mn_park_lane", 1.0)

    await truck.say_hello(seen=common_pb2.Term(epoch=1, sequence=3))

    assert await truck.hear_end() == ["refusal"]
    assert truck.heard[0].refusal.reason == "JournalCorrupt"


async def test_it_appends_nothing_and_ends_with_exit_code_1(server: Damaged) -> None:
    """What is in the files is all that anybody has to repair them from."""
    code = await server.process.end(signal.SIGTERM)

    assert code == 1
    assert rows(server.process.data) == server.rows
    assert not (server.process.data / WAL_FILE).exists()
