"""One server, fifty sound trucks, and one client that means harm: how the sound ones fare before and meanwhile."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet.site import load_site
from tests.figures import memory_mib, percentile
from tests.fleet.attackers import BEGUN
from tests.fleet.healthy import Healthy
from tests.fleet.real_server import HOUSE, RealServer

SITE: Final = "ganqimaodu"
TRUCKS: Final = 50
SETTLING_S: Final = 2.0
AFTER_S: Final = 1.0
# What is under way through the transport at one moment, and the heap that grows with it.
MEMORY_MORE_MIB: Final = 64.0
ATTACK_WITHIN_S: Final = 120.0
SERVES_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fared:
    """
    One attack. *before_ms*, *during_ms*: answers late by so much; *memory_more_mib*: the server's, at most; *counts*: the attacker's own.

    *deaf* are trucks that heard nothing any more when it was over, *refused* what was said to sound trucks, *silenced* what the server said
    of them.
    """

    kind: str
    before_ms: list[float]
    during_ms: list[float]
    memory_more_mib: float
    counts: dict[str, int]
    deaf: tuple[str, ...]
    refused: tuple[str, ...]
    silenced: int

    def __str__(self) -> str:
        before, during = (
            f"p50 {percentile(late, 0.5):5.1f} p99 {percentile(late, 0.99):5.1f} ms" for late in (self.before_ms, self.during_ms)
        )
        return f"{self.kind:16} before {before}, during {during}, memory {self.memory_more_mib:+5.1f} MiB, {self.counts}"


class Siege:
    """A server under way and its sound trucks."""

    def __init__(self, server: RealServer, healthy: Healthy) -> None:
        self.server = server
        self._healthy = healthy

    async def attack(self, kind: str, before_s: float, seconds: float) -> Fared:
        """Drives on for *before_s* in peace, then for *seconds* under attack, then for a moment more."""
        healthy, refused = self._healthy, self._refusals()
        silenced = self._silenced()
        healthy.forget()
        await healthy.hear(before_s)
        before_ms, memory_before_mib = healthy.answers_ms(), memory_mib(self.server.pid)
        attacker = await begun(kind, self.server.address, seconds)
        healthy.forget()
        sizes_mib = [memory_before_mib]
        await healthy.hear(seconds, lambda: sizes_mib.append(memory_mib(self.server.pid)))
        during_ms = healthy.answers_ms()
        async with asyncio.timeout(ATTACK_WITHIN_S):
            counts = json.loads((await attacker.communicate())[0].decode().splitlines()[-1])
        healthy.forget()
        await healthy.hear(AFTER_S)
        return Fared(
            kind=kind,
            before_ms=before_ms,
            during_ms=during_ms,
            memory_more_mib=max(sizes_mib) - memory_before_mib,
            counts=counts,
            deaf=tuple(truck.truck_id for truck in healthy.watched if not truck.beats),
            refused=tuple(self._refusals()[len(refused) :]),
            silenced=self._silenced() - silenced,
        )

    def _silenced(self) -> int:
        sound = {truck.truck_id for truck in self._healthy.watched}
        return sum(line["truck"] in sound for line in self.server.said("truck_fell_silent"))

    def _refusals(self) -> list[str]:
        return [refusal for truck in self._healthy.watched for refusal in truck.refusals]


async def begun(kind: str, address: str, seconds: float) -> asyncio.subprocess.Process:
    """An attacker that has begun."""
    command = ["-m", "tests.fleet.attackers", kind, address, str(seconds)]
    attacker = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE, cwd=HOUSE)
    assert attacker.stdout is not None
    async with asyncio.timeout(ATTACK_WITHIN_S):
        said = (await attacker.stdout.readline()).decode().strip()
    assert said == BEGUN, said
    return attacker


@asynccontextmanager
async def besieged(data: Path) -> AsyncIterator[Siege]:
    """A server with its journal in *data*, and its trucks, all of them live."""
    server = RealServer(SITE, data, within_s=SERVES_WITHIN_S)
    await server.start()
    healthy = Healthy(load_site(SITE), TRUCKS, server.address)
    try:
        await healthy.connect()
        await healthy.hear(SETTLING_S)
        yield Siege(server, healthy)
    finally:
        await healthy.close()
        await server.end()
