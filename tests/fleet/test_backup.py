"""The restore drill: a copy made while the server runs on, and what a server that begins on it lets happen."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import FleetError
from fleet.server.journal.backup import STOP_ID, BackupInTheWay, back_up, restore
from fleet.server.journal.journal import JournalCorrupt, JournalLocked, Record
from fleet.server.journal.sqlite import JOURNAL_FILE, SqliteJournal
from fleet.site import load_site
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from tests.fleet.real_server import RealServer, real_server

WITHIN_S = 30.0
STAND = next(stand for stand in load_site("mandula").stands if stand.stand_id.startswith("mn_park"))
# Words in which a grant would have been, had there been one: about ten seconds.
WORDS = 50


def grown(folder: Path, count: int) -> None:
    """A journal with so many records more."""
    with closing(SqliteJournal(folder)) as journal:
        journal.recover()
        epoch = journal.acquire()
        for at in range(count):
            journal.append(epoch, [Record(kind="Fact", key=str(at), body=b"")])


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RealServer]:
    """A server that serves, and is gone after the test."""
    async with real_server(tmp_path / "data") as process:
        yield process


async def journal_command(*arguments: object) -> str:
    """What `fleet journal` says."""
    command = ["-m", "fleet.cli.main", "journal", *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


@pytest.mark.processes
async def test_on_a_restored_copy_nothing_is_granted_until_a_person_says_so(
    server: RealServer, connect: Callable[[str], Any], standing_truck: Any, tmp_path: Path
) -> None:
    """Even if every truck that calls knows no more than the copy: others may hold road that it has never heard of."""
    desk = dispatch_grpc.DispatchServiceStub(connect(server.address))
    for number in (1, 2):
        if number == 2:
            copied = await journal_command("backup", server.data, tmp_path / "copy")
        request = d.CreateTransportOrderRequest(request_id=f"r{number}", from_yard_id="mn", to_yard_id="cn", container_count=number)
        await desk.CreateTransportOrder(request, timeout=WITHIN_S)

    await server.end(signal.SIGKILL)
    await journal_command("restore", tmp_path / "copy", server.data)
    await server.start()
    desk = dispatch_grpc.DispatchServiceStub(connect(server.address))
    truck = standing_truck(connect(server.address), "t0", STAND.stand_id, STAND.stop_m)
    await truck.say_hello()
    welcome = await truck.hear_until("welcome")
    for _ in range(WORDS):
        await truck.hear()
    orders = (await desk.ListTransportOrders(d.ListTransportOrdersRequest(), timeout=WITHIN_S)).orders

    assert "whole:" in copied
    assert welcome.epoch > 1_000_000
    assert [order.container_count for order in orders] == [1]
    assert [message.stop.stop_id for message in truck.heard if message.HasField("stop")][:1] == [STOP_ID]
    assert not any(message.HasField("authority") for message in truck.heard)

    await desk.LiftStop(d.LiftStopRequest(request_id="lift", stop_id=STOP_ID), timeout=WITHIN_S)
    assert (await truck.hear_until("authority")).term.epoch == welcome.epoch


@pytest.mark.processes
async def test_on_a_copy_that_was_made_by_hand_whoever_heard_of_more_stops_everybody(
    server: RealServer, connect: Callable[[str], Any], standing_truck: Any, tmp_path: Path
) -> None:
    """Nothing in the files tells an old copy of all of them; heartbeats told the trucks, even those that were given nothing since."""
    truck = standing_truck(connect(server.address), "t0", STAND.stand_id, STAND.stop_m)
    await truck.say_hello()
    await truck.hear_until("authority")
    await server.end(signal.SIGKILL)
    shutil.copytree(server.data, tmp_path / "copy")
    await server.start()
    again = standing_truck(connect(server.address), "t0", STAND.stand_id, STAND.stop_m)
    again.stamp_ns = 10**12
    await again.say_hello(seen=truck.accepted)
    await again.hear_until("welcome")
    heard = (await again.hear_until("heartbeat")).journal
    await server.end(signal.SIGKILL)

    shutil.rmtree(server.data)
    shutil.copytree(tmp_path / "copy", server.data)
    await server.start()
    last = standing_truck(connect(server.address), "t0", STAND.stand_id, STAND.stop_m)
    last.stamp_ns = 2 * 10**12
    await last.say_hello(seen=truck.accepted, journal_seen=heard)
    refusal = await last.hear_until("refusal")
    desk = dispatch_grpc.DispatchServiceStub(connect(server.address))
    watch = await desk.WatchFleet(d.WatchFleetRequest(), timeout=WITHIN_S).read()

    assert heard.sequence > 0
    assert heard.digest != 0
    assert refusal.reason == "JournalBehind"
    assert [stop.stop_id for stop in watch.stops] == ["journal_behind"]


def test_a_copy_holds_what_its_origin_held_and_is_whole(tmp_path: Path) -> None:
    """A copy that nobody could restore is worse than none: it is checked when it is made."""
    grown(tmp_path / "data", 5)

    copied = back_up(tmp_path / "data", tmp_path / "copy", now_ns=1)

    with closing(SqliteJournal(tmp_path / "copy")) as journal:
        records = journal.recover().records
        assert journal.verify() == copied.records + 2
    assert [record.key for record in records[:-1]] == ["0", "1", "2", "3", "4"]
    assert records[-1].kind == "AllStopSet"


def test_a_damaged_journal_is_not_copied(tmp_path: Path) -> None:
    """Whoever relies on last night's copy must have heard last night that there is none."""
    grown(tmp_path / "data", 5)
    with closing(sqlite3.connect(tmp_path / "data" / JOURNAL_FILE)) as connection, connection:
        connection.execute("update record set key = 'x' where key = '3'")

    with pytest.raises(JournalCorrupt):
        back_up(tmp_path / "data", tmp_path / "copy", now_ns=1)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_what_is_replaced_is_kept(tmp_path: Path) -> None:
    """The lost journal may be all that tells where trucks were sent since."""
    grown(tmp_path / "data", 2)
    back_up(tmp_path / "data", tmp_path / "copy", now_ns=1)
    grown(tmp_path / "data", 3)

    aside = restore(tmp_path / "copy", tmp_path / "data")

    assert aside is not None
    with closing(SqliteJournal(aside)) as journal:
        assert len(journal.recover().records) == 5
    with closing(SqliteJournal(tmp_path / "data")) as journal:
        assert len(journal.recover().records) == 3


def test_nothing_is_put_under_a_running_server_or_from_nowhere(tmp_path: Path) -> None:
    """A journal exchanged while it is in use would be two journals."""
    grown(tmp_path / "data", 2)
    back_up(tmp_path / "data", tmp_path / "copy", now_ns=1)
    said: list[FleetError] = []

    with closing(SqliteJournal(tmp_path / "data")):
        for backup in (tmp_path / "copy", tmp_path / "nothing"):
            with pytest.raises((JournalLocked, BackupInTheWay)) as refused:
                restore(backup, tmp_path / "data")
            said.append(refused.value)

    assert [type(fault) for fault in said] == [JournalLocked, BackupInTheWay]


def test_a_copy_that_came_back_by_hand_is_stopped_as_well(tmp_path: Path) -> None:
    """Copying files is what people do at night."""
    grown(tmp_path / "data", 2)
    back_up(tmp_path / "data", tmp_path / "copy", now_ns=1)
    shutil.rmtree(tmp_path / "data")
    shutil.copytree(tmp_path / "copy", tmp_path / "data")

    with closing(SqliteJournal(tmp_path / "data")) as journal:
        assert journal.recover().records[-1].kind == "AllStopSet"
