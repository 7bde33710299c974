"""
The wire stands by itself: a truck in another language, made from the .proto files alone, drives as ours do and is as safe.

Its onboard computer is a process of Node.js, its server a process of ours in real time; how it really moves is the simulator's.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from fleet.client import AsyncOperator, asks
from fleet.onboard import Ladder, LadderUnsound
from fleet.onboard.contact import Contact
from fleet.onboard.words import Heartbeat
from fleet.site import load_site
from sim_harness import cab as simulated
from tests.fleet.real_server import HOUSE, RealServer

SOURCE: Final = HOUSE / "tests" / "node_truck"
WITHIN_S: Final = 60.0
TRUCK: Final = "N001"
# A truck may begin its day in a bay; then nobody waits until it has come there from a stand.
BAY: Final = "w_bay_01"
COAL_KG: Final = 30_000.0
LOADING: Final = 3  # of MissionState
# One challenge, whose echo comes back three times: in time, with a tick that does not rise, and when it is too old to prove anything.
ASKED_NS: Final = 300_000_000
HEARD_NS: Final = ((500_000_000, 5), (900_000_000, 5), (1_400_000_000, 6))
LOOKED_NS: Final = tuple(round(at_s * 1e9) for at_s in (1.45, 1.55, 2.45, 2.55, 3.55, 4.45, 4.55, 10.6))
SILENCE: Final = """
const { Contact, ladderOf } = require("./contact");
const { rungs, asked, heard, looked } = JSON.parse(process.argv[1]);
const contact = new Contact();
let found;
try {
  const said = rungs.map(([s, reaction]) => ({ reaction, silence: { seconds: String(Math.trunc(s)), nanos: 1e9 * (s % 1) } }));
  contact.welcomed(ladderOf(said), 0n);
  contact.ask(BigInt(asked));
  for (const [at, tick] of heard) contact.hear({ tick: String(tick), challenge_echo: String(asked), challenge: "1" }, BigInt(at));
  found = looked.map((at) => contact.reaction(BigInt(at)));
} catch (refused) {
  found = refused.reason;
}
process.stdout.write(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def modules() -> Path:
    """The packages that the truck stands on, as its lock file names them, fetched once for each such file."""
    lock = (SOURCE / "package-lock.json").read_bytes()
    folder = HOUSE / "build" / "node_truck" / hashlib.sha256(lock).hexdigest()[:16]
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, folder)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True, timeout=120)
        (folder / "complete").touch()
    return folder / "node_modules"


class NodeTruck:
    """The process, what it told, and the true motion of the truck that it drives."""

    def __init__(self, cab: simulated.SimulatedCab) -> None:
        self.cab = cab
        self.facts: list[dict[str, Any]] = []
        self.track: list[tuple[float, float]] = []  # wall's milliseconds and true metres
        self._stepped = asyncio.Event()

    def watch(self, cab: simulated.SimulatedCab) -> None:
        """Keeps the truth, and lets those who wait for it look."""
        self.track.append((time.time() * 1000, cab.travelled_m))
        self._stepped.set()

    async def listen(self, said: asyncio.StreamReader) -> None:
        """Takes in what the process tells."""
        async for line in said:
            self.facts.append(json.loads(line))

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits, a step of the truck at a time."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while not holds():
                    self._stepped.clear()
                    await self._stepped.wait()
        except TimeoutError:
            pytest.fail(f"never {what}: at {self.cab.nose}, {self.cab.speed_mps} m/s; told {self.facts[-12:]}")

    def told(self, fact: str) -> list[dict[str, Any]]:
        """Every such fact so far."""
        return [each for each in self.facts if each["fact"] == fact]

    def grants(self, epoch: int) -> list[tuple[float, float]]:
        """When it took each authority of an epoch, and how far that reaches on its way."""
        found = []
        for each in self.told("authority_taken"):
            if each["term"]["epoch"] == str(epoch):
                end_m = self.cab.along_m(each["end"]["lane_id"], each["end"]["chainage_m"])
                assert end_m is not None, each
                found.append((each["at_ms"], end_m))
        return found


@asynccontextmanager
async def driving(server: RealServer, modules: Path, memory: Path) -> AsyncIterator[NodeTruck]:
    """The truck, in a bay of the proving ground, and its computer."""
    corridor = load_site("crossing")
    cab = simulated.SimulatedCab(corridor, *simulated.place_of(corridor, BAY))
    truck = NodeTruck(cab)
    async with simulated.served(cab, watch=truck.watch) as address:
        said = {"protos": HOUSE / "protos", "server": server.address, "cab": address, "truck": TRUCK, "memory": memory}
        arguments = [word for name, value in said.items() for word in (f"--{name}", str(value))]
        process = await asyncio.create_subprocess_exec(
            "node", SOURCE / "main.js", *arguments, stdout=asyncio.subprocess.PIPE, env={**os.environ, "NODE_PATH": str(modules)}
        )
        assert process.stdout is not None
        listening = asyncio.create_task(truck.listen(process.stdout))
        try:
            yield truck
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), WITHIN_S) == 0, truck.facts[-3:]
            await listening


async def load(truck: NodeTruck, operator: AsyncOperator) -> None:
    """The loader does what the server calls it for, once the truck is proven immobilised."""
    async with aclosing(operator.watch(asks.watch_border())) as calls:
        called = await anext(call.bay_call async for call in calls if call.bay_call is not None)
    await truck.until(lambda: any(each["state"] == LOADING for each in truck.told("mission_heard")), "began to be loaded")
    await operator.ask(asks.report_bay(BAY, "working", TRUCK))
    truck.cab.load(COAL_KG)
    await operator.ask(asks.report_bay(BAY, "clear", TRUCK, called.containers))


@pytest.mark.processes
@pytest.mark.xdist_group("node")
async def test_a_truck_made_from_the_protos_alone_outlives_its_server_inside_its_authority(modules: Path, tmp_path: Path) -> None:
    """Another maker's truck must be as safe as ours when the server dies, and serve as well when it is back."""
    server = RealServer("crossing", tmp_path / "data")
    await server.start()
    try:
        async with driving(server, modules, tmp_path / "memory.json") as truck:
            async with AsyncOperator(server.address) as operator:
                await operator.ask(asks.create_order(from_yard_id="west", to_yard_id="east", container_count=1))
                await load(truck, operator)
            await truck.until(lambda: truck.cab.speed_mps > 1.2, "drove off with its load")
            await server.end(signal.SIGKILL)
            killed_ms = time.time() * 1000
            await truck.until(lambda: truck.cab.speed_mps == 0.0, "stopped for a dead server")
            stood_m = truck.cab.travelled_m
            await server.start()
            await truck.until(lambda: truck.cab.travelled_m > stood_m + 3.0, "drove on")
            async with AsyncOperator(server.address) as operator:
                seen = await operator.ask(asks.truck(TRUCK))

            first, second = truck.grants(1), truck.grants(2)
            held_m, granted_ms = max(end_m for _, end_m in first), second[0][0]
            assert [each["epoch"] for each in truck.told("welcomed")] == ["1", "2"]
            assert all(at_m < held_m for at_ms, at_m in truck.track if at_ms < granted_ms), "it passed the end that it held"
            assert all(at_m <= stood_m for at_ms, at_m in truck.track if killed_ms < at_ms < granted_ms), "it moved without a server"
            assert all(at_m < max(end_m for _, end_m in first + second) for _, at_m in truck.track)
            assert (seen.session, seen.laden, seen.mission) == ("live", True, "to_unload")
            assert [truck.told(refused) for refused in ("refused_by_server", "report_refused")] == [[], []]
            assert server.said("truck_quarantined") == []
    finally:
        await server.end(signal.SIGKILL)


@pytest.mark.parametrize(
    "rungs",
    [
        [], [(1.0, 1), (2.0, 2), (4.0, 3)], [(0.5, 3)], [(3.0, 2), (3.5, 3)],
        [(2.0, 1), (1.0, 2)], [(11.0, 2)], [(1.0, 1)], [(0.0, 2)], [(2.0, 2), (1.0, 3)],
    ],
)  # fmt: skip
def test_silence_does_to_it_what_it_does_to_ours(rungs: list[tuple[float, int]]) -> None:
    """Of a dead server it sees one rung in the other test; the rest, and ladders that must be refused, are to be right as well."""
    contact = Contact()
    try:
        contact.welcomed(Ladder.of_rungs(rungs), 0)
        contact.ask(ASKED_NS)
        for at_ns, tick in HEARD_NS:
            contact.hear(Heartbeat(tick=tick, challenge_echo=ASKED_NS, challenge=1, epoch=1), at_ns)
        ours: list[int] | str = [contact.reaction(at_ns) for at_ns in LOOKED_NS]
    except LadderUnsound:
        ours = "LadderUnsound"

    asked = {"rungs": rungs, "asked": ASKED_NS, "heard": HEARD_NS, "looked": LOOKED_NS}
    done = subprocess.run(["node", "-e", SILENCE, json.dumps(asked)], cwd=SOURCE, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ours


def test_its_figures_are_those_of_the_site() -> None:
    """A truck that brakes worse than its type, as the server knows it, is let too near to others."""
    said = json.loads((SOURCE / "truck_type.json").read_text("utf-8"))
    kind = load_site("crossing").truck_types[0]

    assert said == {name: pytest.approx(getattr(kind, name), rel=1e-4) if name != "truck_type_id" else kind.truck_type_id for name in said}


def test_its_lock_names_packages_and_no_place() -> None:
    """Where packages come from is for whoever installs them."""
    lock = json.loads((SOURCE / "package-lock.json").read_text("utf-8"))

    assert not any("resolved" in package for package in lock["packages"].values())
    assert all("integrity" in package for name, package in lock["packages"].items() if name)


def test_it_knows_nothing_of_ours_but_the_protos() -> None:
    """What it needs beside them would be a wire that does not stand by itself."""
    needed = {name for file in SOURCE.glob("*.js") for name in re.findall(r'require\("([^"]+)"\)', file.read_text("utf-8"))}

    assert {name for name in needed if not name.startswith(("./", "node:"))} == {"@grpc/grpc-js", "@grpc/proto-loader"}
    assert {(SOURCE / f"{name}.js").exists() for name in needed if name.startswith("./")} == {True}
