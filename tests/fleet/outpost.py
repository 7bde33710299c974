"""A server, a line that can break, and trucks at its other end; and what each of the two sides says of the other."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet.client import AsyncOperator, NoServer, Refused, asks
from tests.fleet.breakable import Breakable, breakable
from tests.fleet.real_server import HOUSE, RealServer

SITE: Final = "mandula"
WITHIN_S: Final = 60.0
WATCH_S: Final = 0.1
LIVE: Final = "live"


@dataclass(frozen=True, slots=True)
class Contact:
    """What a truck says of its server: gone or there, when, and after how long without proof."""

    at_ns: int
    lapsed: bool
    silence_s: float


@dataclass(frozen=True, slots=True)
class Session:
    """What the server says of a truck, at which of its ticks, and when that was heard."""

    at_ns: int
    tick: int
    live: bool


class Outpost:
    """Everything in it is on this machine, whose monotonic clock all its processes share."""

    def __init__(self, server: RealServer, line: Breakable, processes: list[asyncio.subprocess.Process], stands: tuple[str, ...]) -> None:
        self.server, self.line, self.processes = server, line, processes
        self.stands = stands
        self.tick = 0
        self._contacts: dict[str, list[Contact]] = defaultdict(list)
        self._sessions: dict[str, list[Session]] = defaultdict(list)
        self._news = asyncio.Event()

    async def all_well(self) -> None:
        """Returns once both sides have each other."""
        await self._until(lambda: all(self._has(stand) and self._is_had(stand) for stand in self.stands))

    async def trucks_notice(self, since_ns: int) -> list[Contact]:
        """Each truck's word that its server is gone."""
        await self._until(lambda: all(self._lapse(stand, since_ns) for stand in self.stands))
        return [contact for stand in self.stands if (contact := self._lapse(stand, since_ns))]

    async def server_notices(self, since_ns: int) -> list[Session]:
        """The server's word of each truck that it is gone."""
        await self._until(lambda: all(self._loss(stand, since_ns) for stand in self.stands))
        return [session for stand in self.stands if (session := self._loss(stand, since_ns))]

    async def back_after_s(self, since_ns: int) -> list[float]:
        """Seconds from *since_ns* until each truck had its server again."""
        await self.all_well()
        return [max(0.0, (self._contacts[stand][-1].at_ns - since_ns) / 1e9) for stand in self.stands]

    def _has(self, stand: str) -> bool:
        return bool(self._contacts[stand]) and not self._contacts[stand][-1].lapsed

    def _is_had(self, stand: str) -> bool:
        return bool(self._sessions[stand]) and self._sessions[stand][-1].live

    def _lapse(self, stand: str, since_ns: int) -> Contact | None:
        return next((contact for contact in self._contacts[stand] if contact.lapsed and contact.at_ns >= since_ns), None)

    def _loss(self, stand: str, since_ns: int) -> Session | None:
        return next((session for session in self._sessions[stand] if not session.live and session.at_ns >= since_ns), None)

    async def _until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not wanted():
                self._news.clear()
                await self._news.wait()

    def send(self, number: int) -> None:
        """Sends every truck's process a signal."""
        for process in self.processes:
            process.send_signal(number)

    async def listen(self, process: asyncio.subprocess.Process) -> None:
        """Hears what the trucks of a process print."""
        assert process.stdout is not None
        async for line in process.stdout:
            said = json.loads(line)
            self._contacts[said["truck"]].append(Contact(said["at_ns"], said["lapsed"], said["silence_s"]))
            self._news.set()

    async def watch(self) -> None:
        """Watches the fleet, past the line that breaks; anew when the server was frozen for so long that the watch ended."""
        async with AsyncOperator(self.server.address) as operator:
            while True:
                with suppress(NoServer, Refused):
                    async for update in operator.watch(asks.watch_fleet(WATCH_S)):
                        self.tick = update.tick
                        for truck in update.trucks:
                            self._hear(truck.truck_id, update.tick, live=truck.session == LIVE)

    def _hear(self, truck_id: str, tick: int, *, live: bool) -> None:
        heard = self._sessions[truck_id]
        if not heard or heard[-1].live != live:
            heard.append(Session(time.monotonic_ns(), tick, live))
            self._news.set()


@asynccontextmanager
async def outpost(data: Path, trucks: int, together: int) -> AsyncIterator[Outpost]:
    """So many trucks behind a line, so many *together* in a process, all of them live; the journal is in *data*."""
    server = RealServer(SITE, data, module="tests.fleet.blockable", within_s=WITHIN_S)
    await server.start()
    stands = tuple(f"mn_park_{at:02}" for at in range(1, trucks + 1))
    try:
        async with breakable(server.address) as line:
            processes = [await _apart(line.address, stands[at : at + together]) for at in range(0, trucks, together)]
            post = Outpost(server, line, processes, stands)
            hearing = [asyncio.create_task(post.watch()), *(asyncio.create_task(post.listen(process)) for process in processes)]
            try:
                await post.all_well()
                yield post
            finally:
                for task in hearing:
                    task.cancel()
                await asyncio.gather(*hearing, return_exceptions=True)
                for process in processes:
                    if process.returncode is None:
                        process.kill()
                    await process.wait()
    finally:
        await server.end()


async def _apart(address: str, stands: Sequence[str]) -> asyncio.subprocess.Process:
    command = ["-m", "tests.fleet.trucks_apart", SITE, address, *stands]
    return await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=HOUSE
    )


def now_ns() -> int:
    """The clock that everything at the outpost shares."""
    return time.monotonic_ns()
