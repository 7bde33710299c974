"""A map change as it is done: a server process, trucks on their streams, and the operator's command line."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner

from fleet.cli import journal, site
from fleet.client import AsyncOperator, asks
from fleet.site import corridor_of_text, load_site, text_of
from fleet.v1 import truck_pb2

WITHIN_S = 40.0
SITE = load_site("mandula")
STAND = SITE.stands[SITE.stand_ix["mn_park_03"]]
APPS = {"journal": journal.app, "site": site.app}
SERVES = re.compile(r"khulan serves (\S+) on (\S+), epoch (\d+)")

pytestmark = pytest.mark.processes


class Served:
    """`fleet serve`, and what it says each time it begins to serve."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._process: asyncio.subprocess.Process | None = None
        self.address = "127.0.0.1:0"

    async def start(self, site: str) -> tuple[str, int]:
        """Starts it; the site and the epoch that it serves."""
        command = ["-m", "fleet.cli.main", "serve", "--site", site, "--data", str(self._data), "--listen", "127.0.0.1:0"]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *command, "--day-start", "10:00", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        return await self.serves()

    async def serves(self) -> tuple[str, int]:
        """Waits until it begins to serve."""
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            found = SERVES.search((await self._process.stdout.readline()).decode())
        assert found
        self.address = found[2]
        return found[1], int(found[3])

    async def end(self) -> int:
        """Asks it to end; its exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WITHIN_S):
            await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A server's process, ended after the test."""
    process = Served(tmp_path / "data")
    yield process
    await process.end()


async def fleet(*words: str) -> tuple[int, str, str]:
    """`fleet WORDS`: exit code, output, errors."""
    if words[0] in APPS:
        done = await asyncio.to_thread(CliRunner().invoke, APPS[words[0]], list(words[1:]))
        return done.exit_code, done.stdout, done.stderr
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fleet.cli.main", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(WITHIN_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
def steeper(tmp_path: Path) -> Path:
    """The file of a site with a slope on the border strip."""
    path = tmp_path / "steeper.yaml"
    path.write_text("extends: mandula\nsite: steeper\nlanes: {sb_2: {grades: [{from_m: 0, grade: 0.01}]}}\n", "utf-8")
    return path


async def talk(truck: Any, ready: asyncio.Event) -> None:
    """Answers heartbeats with reports until the stream ends, and what is proposed once *ready*."""
    with suppress(grpc.aio.AioRpcError):
        while (message := await truck.hear()) is not None:
            if message.HasField("heartbeat"):
                await truck.say_report()
            if message.HasField("site_proposed") and ready.is_set():
                said = truck_pb2.SiteAcknowledged(digest=message.site_proposed.digest)
                await truck.call.write(truck_pb2.TruckMessage(site_acknowledged=said))


async def test_an_operator_changes_the_map_under_a_running_server(
    served: Served, steeper: Path, connect: Callable[[str], Any], standing_truck: Any
) -> None:
    """Propose, see who is ready, switch: the process goes on under the new site, and the truck says hello with what it had loaded."""
    after = corridor_of_text(text_of(steeper))
    began = await served.start("mandula")
    at = ("--server", served.address)
    truck = standing_truck(connect(served.address), "t1", STAND.stand_id, STAND.stop_m)
    await truck.say_hello(map_digest=SITE.digest)
    await truck.hear_until("authority")
    ready = asyncio.Event()
    talking = asyncio.ensure_future(talk(truck, ready))

    proposed = await fleet("site", "propose", str(steeper), *at)
    unready = await fleet("site", "proposal", "--json", *at)
    blocked = await fleet("site", "switch", *at)
    ready.set()
    async with asyncio.timeout(WITHIN_S):
        while (found := await fleet("site", "proposal", *at))[0] != 0:
            ready.set()
    mistaken = await fleet("site", "switch", "--digest", "abc", *at)
    switched = await fleet("site", "switch", "--digest", after.digest[:8], *at)
    goes_on = await served.serves()
    await talking

    assert [code for code, _, _ in (proposed, unready, blocked, found, mistaken, switched)] == [0, 1, 1, 0, 1, 0]
    assert "Lanes that differ: sb_2." in proposed[1]
    assert [block["reason"] for block in json.loads(unready[1])["blocks"]] == ["not_acknowledged"]
    assert "t1: not acknowledged" in blocked[2]
    assert "Ready: t1." in found[1]
    assert "Nothing blocks the switch" in found[1]
    assert "Switched to steeper" in switched[1]
    assert (began, goes_on) == (("mandula", 1), ("steeper", 2))
    assert served.address == at[1]

    again = standing_truck(connect(served.address), "t1", STAND.stand_id, STAND.stop_m)
    again.stamp_ns = truck.stamp_ns
    await again.say_hello(map_digest=SITE.digest, ready_digest=after.digest, seen=truck.accepted)
    welcome = await again.hear_until("welcome")
    await again.hear_until("authority")
    again.call.cancel()

    assert (welcome.epoch, welcome.map_digest) == (2, after.digest)


async def test_after_a_switch_the_server_wants_the_new_sites_file(served: Served, tmp_path: Path, steeper: Path) -> None:
    """The old one is refused in one line that says which is wanted; the journal itself can give it."""
    after = corridor_of_text(text_of(steeper))
    await served.start("mandula")
    async with AsyncOperator(served.address) as operator:
        proposed = await operator.ask(asks.propose_site(text=text_of(steeper)))
        switched = await operator.ask(asks.switch_site(after.digest))
    await served.serves()
    ended = await served.end()

    data = str(tmp_path / "data")
    refused = await fleet("serve", "--site", "mandula", "--data", data, "--listen", "127.0.0.1:0")
    code, text, _ = await fleet("journal", "site", data)
    shown = await fleet("journal", "export", data)
    kept = Path(data) / f"steeper-{after.digest[:12]}.yaml"
    goes_on = await served.start(str(kept))
    await served.end()
    replayed = await fleet("sim", "replay", data, "--json")

    assert (proposed.state, proposed.blocks, switched.state) == ("proposed", (), "switched")
    assert (ended, refused[0], code, shown[0]) == (0, 1, 0, 0)
    assert refused[2].splitlines()[-1].startswith("fleet serve: The journal is on another site than the one given")
    assert after.digest in refused[2]
    assert [line for line in shown[1].splitlines() if '"SiteInForce"' in line]
    assert corridor_of_text(text).digest == load_site(kept).digest == after.digest
    assert goes_on == ("steeper", 3)
    assert replayed[0] == 0, replayed[1]
    assert json.loads(replayed[1])["epochs"] == [1, 2, 3]


async def test_a_proposal_is_withdrawn_and_a_site_that_is_not_sound_never_made(served: Served, tmp_path: Path) -> None:
    """What the file lacks is said with its line, before anybody is asked."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("extends: mandula\nsite: broken\nlanes: {sb_2: {speed_kmh: fast}}\n", "utf-8")
    await served.start("mandula")
    at = ("--server", served.address)

    unsound = await fleet("site", "propose", str(broken), *at)
    same = await fleet("site", "propose", "mandula", *at)
    async with AsyncOperator(served.address) as operator:
        other = await operator.ask(asks.propose_site(name="ganqimaodu"))
    withdrawn = await fleet("site", "withdraw", *at)
    gone = await fleet("site", "withdraw", *at)

    assert [code for code, _, _ in (unsound, same, withdrawn, gone)] == [1, 1, 0, 1]
    assert "broken.yaml:3" in unsound[2]
    assert "is the one in force" in same[2]
    assert len(other.changed_lane_ids) == len(SITE.lanes)
    assert "is withdrawn" in withdrawn[1]
