"""What the console answers over HTTP, to its own page and to whoever else speaks to its address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.requests import Request

from fleet.client import Ask, AsyncOperator, Page
from fleet.console import feed as feeds
from fleet.console.app import BODY_BYTES_MAX, ROWS_MAX, Console
from fleet.console.run import ConsoleAddressTaken, ConsoleSettings, run_console
from fleet.server.app import Server
from fleet.server.settings import ServerSettings
from fleet.site import load_site
from tests.console.wire import OURS, WITHIN_S, ask, command, feed
from tests.ports import address_to_keep

CORRIDOR = load_site("mandula")
STAND = next(stand for stand in CORRIDOR.stands if stand.stand_id.startswith("mn_park"))


@asynccontextmanager
async def serving(data: Path, listen: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """The address of a server in real time."""
    server = Server(CORRIDOR, ServerSettings(data=data, listen=listen, day_start_s=36_000))
    running = await server.start()
    try:
        yield running.address
    finally:
        server.ask_to_end()
        await server.stop()


@asynccontextmanager
async def console(server: str, *, steers: bool = True) -> AsyncIterator[int]:
    """The port of a console."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run_console(ConsoleSettings(server=server, steers=steers), address.set_result))
    try:
        async with asyncio.timeout(WITHIN_S):
            yield int((await address).rstrip("/").rpartition(":")[2])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A server, a console that steers it, and one that only looks."""

    server: str
    port: int
    looking_port: int


@pytest.fixture(scope="module")
async def room(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    """One for the whole file."""
    async with (
        serving(tmp_path_factory.mktemp("room")) as server,
        console(server) as port,
        console(server, steers=False) as looking_port,
    ):
        for each in (port, looking_port):
            async with feed(each) as stream:
                while (await stream.update())["site"] is None:
                    pass
        yield Room(server=server, port=port, looking_port=looking_port)


async def test_the_page_may_load_nothing_from_elsewhere(room: Room) -> None:
    """Whatever a name on the page may be made to say, it cannot bring a script along."""
    page = await ask(room.port, "GET", "/")

    assert page.status == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "khulan.example:80"])
async def test_a_foreign_host_name_is_not_answered(room: Room, host: str) -> None:
    """A name that resolves to this machine lets a foreign page read ours."""
    assert (await ask(room.port, "GET", "/api/lanes", {"host": host})).status == 400


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "application/json"}, {**OURS, "content-type": "text/plain"}, {**OURS, "x-khulan-console": "0"}]
)
async def test_a_command_that_a_foreign_page_could_send_is_refused(room: Room, headers: dict[str, str]) -> None:
    """A form of any site can post here; it cannot set our header."""
    for path in ("/api/do/stop_all", "/api/acknowledge"):
        answer = await ask(room.port, "POST", path, headers, b'{"stop_id": "s", "reason": "r"}')
        assert (answer.status, answer.data["reason"]) == (400, "InvalidField")

    assert (await ask(room.port, "GET", "/api/do/stop_all")).status == 405


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 50_000, b'{"from_yard_id": "' + b"x" * BODY_BYTES_MAX + b'"}'],
    ids=["empty", "half", "list", "text", "bytes", "deep", "large"],
)
async def test_a_bad_body_is_refused_with_its_reason(room: Room, body: bytes) -> None:
    """And nothing dies of it."""
    answer = await ask(room.port, "POST", "/api/do/create_order", OURS, body)

    assert (answer.status, answer.data["reason"]) == (400, "InvalidField")
    assert answer.data["details"]["name"] == "body"


@pytest.mark.parametrize(
    ("name", "fields", "wrong"),
    [
        ("create_order", {"to_yard_id": "cn", "container_count": 1}, "from_yard_id"),
        ("create_order", {"from_yard_id": "mn", "to_yard_id": "cn", "container_count": True}, "container_count"),
        ("create_order", {"from_yard_id": "mn", "to_yard_id": "cn", "container_count": 1, "due_ms": "soon"}, "due_ms"),
        ("hold_truck", {"truck_id": "t1", "reason": "  "}, "reason"),
        ("hold_truck", {"truck_id": ["t1"], "reason": "r"}, "truck_id"),
        ("hold_truck", {"truck_id": "t1", "reason": "half a letter \ud83d"}, "reason"),
        ("limit_lane", {"lane_id": "x", "kmh": -1, "reason": "r"}, "kmh"),
        ("stop_all", {"stop_id": "s", "reason": "r" * 501}, "reason"),
    ],
)
async def test_a_field_that_is_wrong_is_named(room: Room, name: str, fields: dict[str, Any], wrong: str) -> None:
    """Before the server is bothered."""
    answer = await command(room.port, name, **fields)

    assert (answer.status, answer.data["details"]["name"]) == (400, wrong)


@pytest.mark.parametrize("since", ["soon", "-1", "1.5", "٣", "9" * 16, "9" * 5000], ids=["word", "less", "part", "arabic", "16", "5000"])
async def test_a_moment_that_is_none_is_refused(room: Room, since: str) -> None:
    """However many digits it has."""
    answer = await ask(room.port, "GET", f"/api/history?since_ms={quote(since)}")

    assert (answer.status, answer.data["details"]["name"]) == (400, "since_ms")


@pytest.mark.parametrize("path", ["/api/secrets", "/api/do/format_disk", "/api/texts/de", "/api/why/nobody", "/static/../app.py"])
async def test_what_is_not_there_is_not_found(room: Room, path: str) -> None:
    """By our console, or by the server behind it."""
    method = "POST" if "/do/" in path else "GET"

    assert (await ask(room.port, method, path, OURS, b"{}")).status == 404


async def test_what_the_server_refuses_comes_with_its_reason_and_hint(room: Room) -> None:
    """Somebody who is refused must be able to do something about it."""
    await command(room.port, "acquire_control", holder="bat")
    answer = await command(room.port, "acquire_control", holder="li")

    assert (answer.status, answer.data["reason"]) == (409, "ControlHeld")
    assert answer.data["details"]["holder"] == "bat"
    assert answer.data["hint"]


async def test_everybody_who_looks_is_told_who_has_control(room: Room) -> None:
    """Two who command one fleet must know of each other."""
    await command(room.port, "take_over_control", holder="li", reason="change of shift")
    async with feed(room.looking_port) as stream:
        while (control := (await stream.update())["control"]) is None or control["holder"] != "li":
            pass

    assert control["until"] > 0


async def test_a_console_that_looks_may_stop_and_nothing_else(room: Room) -> None:
    """Stopping is never refused; lifting is steering."""
    refused = await command(room.looking_port, "create_order", from_yard_id="mn", to_yard_id="cn", container_count=1)
    unseen = await ask(room.looking_port, "POST", "/api/acknowledge", OURS, b'{"alarm": "stop:s1", "who": "bat"}')
    stopped = await command(room.looking_port, "stop_all", stop_id="s1", reason="smoke")
    kept = await command(room.looking_port, "lift_stop", stop_id="s1")
    lifted = await command(room.port, "lift_stop", stop_id="s1")

    assert [(each.status, each.data["reason"]) for each in (refused, unseen, kept)] == [(409, "OnlyLooks")] * 3
    assert stopped.data["active"]
    assert not lifted.data["active"]


async def test_an_order_is_made_once_however_often_it_is_sent(room: Room) -> None:
    """A double click must not move twice the coal."""
    fields = {"from_yard_id": "mn", "to_yard_id": "cn", "container_count": 2, "request_id": "double-click"}
    first, again = await command(room.port, "create_order", **fields), await command(room.port, "create_order", **fields)
    listed = await ask(room.port, "GET", "/api/orders")

    assert first.data["order_id"] == again.data["order_id"]
    assert [order["order_id"] for order in listed.data["rows"]].count(first.data["order_id"]) == 1


class Crowded:
    """A source whose lists have no end in sight: implements `fleet.console.source.Source`."""

    async def ask(self, ask: Ask[Any]) -> Any:
        """Five hundred rows more than a page is told, by the page."""
        first = int(ask.request.page_token or 0)
        last = min(first + ask.request.page_size, ROWS_MAX + 500)
        return Page(rows=tuple(range(first, last)), next_page_token=str(last) if last < ROWS_MAX + 500 else "")

    async def watch(self, ask: Ask[Any]) -> AsyncIterator[Any]:
        """Nothing ever changes: it ends at once."""
        del ask
        for nothing in ():
            yield nothing


async def test_of_a_long_list_the_newest_are_told() -> None:
    """The order that was just put in, and the truck at the gate, are what matters; what is over fills a page one day."""
    source = Crowded()
    console = Console(source, feeds.Feed(source), steers=False)

    answer = await console._read(Request({"type": "http", "path_params": {"what": "crossings"}}))

    assert json.loads(bytes(answer.body))["rows"] == list(range(500, ROWS_MAX + 500))


async def test_whoever_comes_back_hears_only_what_changed(room: Room, connect: Callable[[str], Any], standing_truck: Any) -> None:
    """A page whose line broke for a moment must not be sent a thousand trucks."""
    truck = standing_truck(connect(room.server), "t1", STAND.stand_id, STAND.stop_m)
    await truck.say_hello()
    await truck.hear_until("welcome")
    async with feed(room.port) as stream:
        first = update = await stream.update()
        while "t1" not in {found["id"] for found in update["trucks"]}:
            update = await stream.update()
        seen = stream.last_id
    async with feed(room.port, seen) as stream:
        resumed = await stream.update()
    async with feed(room.port, "nonsense 12") as stream, feed(room.port, f"{update['generation']} {5000 * '9'}") as other:
        anew, anew_too = await stream.update(), await other.update()

    assert first["whole"]
    assert (resumed["whole"], resumed["generation"]) == (False, update["generation"])
    assert resumed["number"] >= update["number"]
    assert anew["whole"]
    assert {found["id"] for found in anew_too["trucks"]} == {"t1"}
    assert {found["id"] for found in anew["trucks"]} == {"t1"}
    truck.call.cancel()


async def test_a_slow_reader_is_told_less_often_and_never_late(room: Room) -> None:
    """Whoever looks through a telephone in the desert must not see the past, nor make the console keep it for him."""
    async with AsyncOperator(room.server) as operator:
        fed = feeds.Feed(operator, period_s=0.1)
        watching = asyncio.create_task(fed.run())
        told = Console(operator, fed, steers=False)._updates("")
        async with asyncio.timeout(WITHIN_S):
            await anext(told)
            early = json.loads((await anext(told))["data"])
            while fed.number < early["number"] + 8:
                await fed.newer_than(fed.number, WITHIN_S)
            late = json.loads((await anext(told))["data"])
            newest = fed.number
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    assert late["number"] >= early["number"] + 8
    assert newest - late["number"] <= 1


async def test_a_page_that_opens_without_a_server_is_told(tmp_path: Path) -> None:
    """The page must say that it shows nothing, not show nothing."""
    async with serving(tmp_path) as address:
        pass
    async with console(address) as port:
        health = await ask(port, "GET", "/healthz")
        site = await ask(port, "GET", "/api/site")
        page = await ask(port, "GET", "/")
        async with feed(port) as stream:
            update = await stream.update()
        stopped = await command(port, "stop_all", stop_id="s", reason="r")

    assert (health.status, site.status, page.status) == (503, 404, 200)
    assert update["lost_since_ms"] is not None
    assert (stopped.status, stopped.data["reason"]) == (502, "NoServer")


async def test_a_line_that_is_lost_comes_back_with_everything(tmp_path: Path) -> None:
    """After the server's restart the page is whole again by itself; meanwhile it says since when it shows the past."""
    async with AsyncExitStack() as stack:
        first = AsyncExitStack()
        address = await first.enter_async_context(serving(tmp_path, address_to_keep()))
        port = await stack.enter_async_context(console(address))
        stream = await stack.enter_async_context(feed(port))
        while (live := await stream.update())["lost_since_ms"] is not None:
            pass
        await first.aclose()
        while (lost := await stream.update())["lost_since_ms"] is None:
            pass
        health = await ask(port, "GET", "/healthz")
        await stack.enter_async_context(serving(tmp_path, address))
        while (back := await stream.update())["lost_since_ms"] is not None:
            pass

    assert lost["tick"] >= live["tick"]
    assert health.status == 503
    assert back["whole"]
    assert back["generation"] != live["generation"]


async def test_an_address_that_somebody_has_is_refused_in_words(room: Room) -> None:
    """Two consoles on one port would take turns with whoever looks."""
    with pytest.raises(ConsoleAddressTaken, match="Name another"):
        await run_console(ConsoleSettings(server=room.server, port=room.port), lambda _: None)
