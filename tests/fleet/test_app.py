from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.server.app import Running, Server
from fleet.server.journal.journal import JournalLocked
from fleet.server.journal.sqlite import SqliteJournal
from fleet.server.outgoing import Reaction
from fleet.server.settings import ServerSettings, TransportSettings
from fleet.server.transport import AddressTaken
from fleet.server.wire.codec_out import Rung, Terms
from fleet.site import load_site
from fleet.v1 import dispatch_pb2, dispatch_pb2_grpc

WITHIN_S = 20.0
CORRIDOR = load_site("mandula")
STAND = next(stand for stand in CORRIDOR.stands if stand.stand_id.startswith("mn_park"))


def settings(data: Path, listen: str = "127.0.0.1:0") -> ServerSettings:
    """A server in real time, in the middle of the working day."""
    return ServerSettings(data=data, listen=listen, day_start_s=36_000)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Path], Awaitable[tuple[Server, Running]]]]:
    """Starts servers, and ends those that a test left running."""
    servers: list[Server] = []

    async def started(data: Path) -> tuple[Server, Running]:
        server = Server(CORRIDOR, settings(data))
        running = await server.start()
        servers.append(server)
        return server, running

    yield started
    for server in servers:
        await server.stop()


@pytest.mark.parametrize("listen", ["50051", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "0.0.0.0:50051", "10.0.0.1:50051"])
def test_plaintext_is_served_on_loopback_only(listen: str, tmp_path: Path) -> None:
    """Without certificates whoever reaches the port may drive trucks."""
    with pytest.raises(ValueError, match="listen"):
        ServerSettings(data=tmp_path, listen=listen)


@pytest.mark.parametrize("changes", [{"ping_timeout_ms": 3000}, {"connection_age_grace_ms": 100}])
def test_transport_timers_prove_their_relations(changes: dict[str, int]) -> None:
    """A timer that another one outruns is a promise nobody keeps."""
    with pytest.raises(ValueError, match="ms"):
        TransportSettings(**changes)


@pytest.mark.parametrize(
    "terms",
    [
        {"ladder": ()},
        {"report_period_ms": 600},
        {"report_period_ms": 0},
        {"ladder": (Rung(silence_ms=1000, reaction=Reaction.SERVICE_STOP), Rung(silence_ms=2000, reaction=Reaction.NO_ACCELERATION))},
        {"ladder": (Rung(silence_ms=2000, reaction=Reaction.NO_ACCELERATION), Rung(silence_ms=1000, reaction=Reaction.SERVICE_STOP))},
    ],
)
def test_a_ladder_grows_later_and_harder(terms: dict[str, Any]) -> None:
    """Every truck obeys it when it is alone: it must make sense before anyone is told."""
    with pytest.raises(ValueError, match=r"ladder|report_period_ms"):
        Terms(map_digest="m", **terms)


async def test_what_lives_as_long_as_the_server_is_looked_through_once(tmp_path: Path) -> None:
    """A collection over all of it keeps every truck waiting for a fifth of a second; after the end nothing of it is kept."""
    server = Server(CORRIDOR, settings(tmp_path))
    await server.start()
    kept = gc.get_freeze_count()
    await server.stop()

    assert kept > 100_000
    assert gc.get_freeze_count() < kept


async def test_a_second_server_on_the_same_data_does_not_start(tmp_path: Path) -> None:
    """One ledger, one server."""
    first = SqliteJournal(tmp_path)

    with pytest.raises(JournalLocked):
        Server(CORRIDOR, settings(tmp_path))
    first.close()


async def test_a_taken_address_is_refused_by_name(tmp_path: Path) -> None:
    """The person who starts the server learns what to change."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Server(CORRIDOR, settings(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}"))

        with pytest.raises(AddressTaken):
            await server.start()


async def test_a_server_plans_beside_its_ticks_where_it_is_told_to(tmp_path: Path, serve: Any) -> None:
    """Planning begins and ends with the server, on a thread of its own; a server that is not told to has none."""

    def planning() -> bool:
        return any(thread.name == "planning" for thread in threading.enumerate())

    await serve(tmp_path / "plain")
    without = planning()
    planner = Server(CORRIDOR, replace(settings(tmp_path / "planned"), policy="planned"))
    await planner.start()
    beside = planning()
    await planner.stop()

    assert (without, beside, planning()) == (False, True, False)


async def test_a_server_that_ends_in_order_starts_from_its_snapshot(tmp_path: Path, connect: Callable[[str], Any], serve: Any) -> None:
    """The next start reads one snapshot, not a day of ticks."""
    server, running = await serve(tmp_path)
    desk = dispatch_pb2_grpc.DispatchServiceStub(connect(running.address))
    wanted = dispatch_pb2.CreateTransportOrderRequest(request_id="r", from_yard_id="mn", to_yard_id="cn", container_count=3)
    created = await desk.CreateTransportOrder(wanted, timeout=WITHIN_S)
    await server.stop()

    _, running = await serve(tmp_path)
    desk = dispatch_pb2_grpc.DispatchServiceStub(connect(running.address))
    found = await desk.GetTransportOrder(dispatch_pb2.GetTransportOrderRequest(order_id=created.order_id), timeout=WITHIN_S)
    repeated = await desk.CreateTransportOrder(wanted, timeout=WITHIN_S)

    assert running.epoch == 2
    assert found == created
    assert repeated == created


async def test_with_a_full_disk_stops_still_leave_and_answers_wait(
    tmp_path: Path, connect: Callable[[str], Any], standing_truck: Any, serve: Any
) -> None:
    """The one thing that must work when nothing else does; and when there is room again, it goes on by itself."""
    server, running = await serve(tmp_path)
    channel = connect(running.address)
    desk = dispatch_pb2_grpc.DispatchServiceStub(channel)
    truck = standing_truck(channel, "t1", STAND.stand_id, STAND.stop_m)
    await truck.say_hello()
    await truck.hear_until("welcome")
    disk = server._journal._connection
    disk.execute(f"pragma max_page_count={disk.execute('pragma page_count').fetchone()[0]}")
    stops = [dispatch_pb2.StopAllRequest(stop_id=f"smoke-{at}", reason="x" * 256) for at in range(60)]

    asked = asyncio.gather(*(desk.StopAll(stop, timeout=2 * WITHIN_S) for stop in stops))
    stop = await truck.hear_until("stop")
    async with asyncio.timeout(WITHIN_S):
        while server._writability.has_room:
            await truck.hear_until("heartbeat")
    waited = not asked.done()
    disk.execute("pragma max_page_count=1000000")
    answers = await asked
    truck.call.cancel()

    assert stop.stop_id
    assert waited
    assert all(answer.active for answer in answers)
    assert server._writability.has_room
