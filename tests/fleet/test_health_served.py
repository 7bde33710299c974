"""A real server, scraped and asked how it is while trucks drive, as its users do it: over HTTP, over gRPC, from the command line."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fleet.client import AsyncOperator, asks
from fleet.server.journal.sqlite import JOURNAL_FILE
from fleet.site import load_site
from sim_harness.spawn import COMMAND, console_of
from tests.fleet.real_server import HOUSE, RealServer, real_server
from tests.fleet.rolling import rolling
from tests.fleet.test_metrics import got

WITHIN_S = 60.0
DRIVEN_M = 5.0
# What is no longer nothing, once trucks have driven a while.
MOVING = (("khulan_grants_total", ""), ("khulan_report_age_seconds", "1"), ("khulan_clock_uncertainty_seconds", "1"))
LOOK_S = 0.2
CORRIDOR = load_site("mandula")
STANDS = [stand for stand in CORRIDOR.stands if stand.stand_id.startswith("mn_park")][:2]

pytestmark = pytest.mark.processes


def address_of(server: RealServer) -> str:
    """Where it is scraped."""
    return str(server.said("metrics_served")[-1]["listen"])


async def scraped(server: RealServer) -> dict[tuple[str, str], float]:
    """Every sample, by name and the value of its one label, once there is anything to tell of the server."""
    async with asyncio.timeout(WITHIN_S):
        while "khulan_state" not in (answer := await asyncio.to_thread(got, address_of(server), "/metrics"))[1]:
            assert answer[0] == 200
    text = answer[1]
    families = list(text_string_to_metric_families(text))
    return {
        (sample.name, sample.labels.get("site") or next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
    }


async def told_by_the_command(server: RealServer, *options: str) -> tuple[int, str]:
    """What `fleet health` says, and how it ends."""
    command = [*COMMAND, "health", "--server", server.address, *options]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=HOUSE, timeout=WITHIN_S, check=False)
    return done.returncode, done.stdout + done.stderr


@asynccontextmanager
async def driving(server: RealServer) -> AsyncIterator[list[Any]]:
    """Two trucks that join the server, and an order for them."""
    trucks = [rolling(CORRIDOR, stand, server.address) for stand in STANDS]
    async with asyncio.TaskGroup() as running:  # a truck that ends ends the test, with its reason
        for _, client in trucks:
            running.create_task(client.run())
        async with AsyncOperator(server.address) as operator:
            await operator.ask(asks.create_order(from_yard_id="mn", to_yard_id="cn", container_count=4))
        yield [hardware for hardware, _ in trucks]
        for _, client in trucks:
            client.leave("end of the test")


async def test_a_server_is_scraped_while_trucks_drive(tmp_path: Path) -> None:
    """What its users see: figures that move, the same over HTTP, over gRPC and from the command line, and the ticks go on."""
    async with real_server(tmp_path / "data", options=["--metrics", "0"]) as server:
        async with driving(server) as trucks, AsyncOperator(server.address) as operator, asyncio.timeout(WITHIN_S):
            while not any(truck.drove_m > DRIVEN_M for truck in trucks):
                seen = await scraped(server)
            # A report may come in the tick that is looked at: it is of no age then.
            while not all(seen.get(figure) for figure in MOVING):
                seen = await scraped(server)
            # A disk that is slow for a second is said too, and is no fault of ours.
            while (ready := await asyncio.to_thread(got, address_of(server), "/readyz"))[0] != 200 or not seen["khulan_state", "serving"]:
                seen = await scraped(server)
            health = await operator.ask(asks.health())
        code, said = await told_by_the_command(server, "--json")
        alive = await asyncio.to_thread(got, address_of(server), "/healthz")

    assert (ready, alive) == ((200, "serves\n"), (200, "ticks go on\n"))
    assert sum(seen["khulan_trucks", state] for state in ("live", "syncing", "silent")) == 2.0
    assert seen["khulan_tick_seconds_count", ""] > 0.0
    assert seen["khulan_messages_heard_total", ""] > 2.0
    assert seen["khulan_journal_records_total", ""] > 0.0
    assert health.decisions is not None
    assert health.decisions.grants >= seen["khulan_grants_total", ""]
    assert {clock.truck_id for clock in health.clocks} <= {stand.stand_id for stand in STANDS}
    assert (code, json.loads(said)["site_id"]) == (int(json.loads(said)["state"] != "serving"), "mandula")


async def test_a_server_that_switches_sites_is_scraped_at_the_same_address(tmp_path: Path, steep: str) -> None:
    """Nobody tells a scraper that the map is another."""
    async with real_server(tmp_path / "data", options=["--metrics", "0"]) as server, AsyncOperator(server.address) as operator:
        address = address_of(server)
        proposed = await operator.ask(asks.propose_site(text=steep), WITHIN_S)
        await operator.ask(asks.switch_site(proposed.digest), WITHIN_S)
        async with asyncio.timeout(2 * WITHIN_S):
            while len(server.said("server_started")) < 2:
                await asyncio.to_thread(threading.Event().wait, LOOK_S)
        seen = await scraped(server)

    assert address_of(server) == address
    assert ("khulan_server_info", "mandula_b") in seen
    assert seen["khulan_epoch", ""] == 2.0


async def test_the_console_shows_it_too(tmp_path: Path) -> None:
    """Whoever has a page open needs no second tool at night."""
    async with real_server(tmp_path / "data") as server, console_of(server.address, tmp_path / "console.log") as shown:
        address = shown.removeprefix("http://").rstrip("/")
        status, said = await asyncio.to_thread(got, address, "/api/health")
        _, page = await asyncio.to_thread(got, address, "/static/main.js")

    assert (status, json.loads(said)["site_id"]) == (200, "mandula")
    assert "screens/health.js" in page


async def test_a_lost_line_and_an_all_stop_are_seen(tmp_path: Path) -> None:
    """The two things a night shift looks for: who cannot be heard, and who was stopped."""
    async with real_server(tmp_path / "data", options=["--metrics", "0"]) as server, AsyncOperator(server.address) as operator:
        hardware, client = rolling(CORRIDOR, STANDS[0], server.address)
        running = asyncio.create_task(client.run())
        async with asyncio.timeout(WITHIN_S):
            while (await scraped(server))["khulan_trucks", "live"] != 1.0:
                pass
            await operator.ask(asks.stop_all("drill", "to see it"))
            while not (await scraped(server)).get(("khulan_stops_total", "all_stop")):
                pass
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            while not (seen := await scraped(server))["khulan_links_lost_total", ""]:
                pass

    assert hardware.drove_m == 0.0
    assert seen["khulan_trucks", "halted"] == 1.0


async def test_a_server_that_stands_still_is_alive_and_not_ready_and_says_why(tmp_path: Path) -> None:
    """Whatever starts servers again must not do so here; whatever sends them trucks must not either."""
    async with real_server(tmp_path / "data", options=["--metrics", "0"]) as server:
        await server.end(signal.SIGTERM)
        raw = bytearray((server.data / JOURNAL_FILE).read_bytes())
        at = raw.rindex(b"SnapshotEnded")
        raw[at : at + 1] = b"s"
        (server.data / JOURNAL_FILE).write_bytes(raw)
        await server.start()
        assert server.epoch == 0
        alive = await asyncio.to_thread(got, address_of(server), "/healthz")
        ready = await asyncio.to_thread(got, address_of(server), "/readyz")
        code, said = await told_by_the_command(server)
        seen = await scraped(server)

    assert (alive[0], ready[0], code) == (200, 503, 1)
    assert "damaged" in ready[1]
    assert re.search(r"lets nobody move: .*damaged", said)
    assert (seen["khulan_state", "standing_still"], seen["khulan_epoch", ""]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--metrics", "nowhere"], 2, "metrics must be HOST:PORT"),
        (["--metrics", "192.0.2.1:9464"], 1, "192.0.2.1:9464"),
        (["--otel", "collector:4317"], 2, "http://"),
    ],
)
def test_an_address_that_cannot_be_served_is_said_at_once(options: list[str], code: int, says: str, tmp_path: Path) -> None:
    """A person who mistyped must not find out by an empty dashboard."""
    start = [*COMMAND, "serve", "--site", "mandula", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]

    done = subprocess.run(
        [*start, *options],
        capture_output=True,
        text=True,
        cwd=HOUSE,
        timeout=WITHIN_S,
        check=False,
    )

    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
