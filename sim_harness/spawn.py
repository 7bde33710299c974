"""A control server of our own in another process, for as long as a run lasts, or killed and started again; and its operators' page."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Final

from planner.policy import MOVING

STARTED: Final = re.compile(r" on (\S+:\d+), epoch (\d+)")
CONSOLE_STARTED: Final = re.compile(r"the console is at (http://\S+)")
START_WITHIN_S: Final = 300.0  # on a machine that has much else to do
END_WITHIN_S: Final = 15.0
COMMAND: Final = (sys.executable, "-c", "from fleet.cli.main import main; main()")


class ServerDidNotStart(RuntimeError):
    """The server's process ended, or said nothing, before it served."""


class ServerProcess:
    """
    A server of *site* that takes its clock from us and keeps its journal in the folder *data*, which is there.

    *address* and *epoch* are those of the last start. A start after an end, however it came, goes on from the journal. *input_log*: it
    keeps what its core hears.
    """

    def __init__(self, site: str, data: Path, day_start_s: int, *, input_log: bool = False, policy: str = MOVING) -> None:
        day_start = f"{day_start_s // 3600:02d}:{day_start_s % 3600 // 60:02d}"
        where = ("--site", site, "--data", str(data), "--listen", "127.0.0.1:0")
        self._arguments = (
            *("serve", *where, "--lockstep", "--day-start", day_start, "--policy", policy),
            *(() if input_log else ("--input-log-hours", "0")),
        )
        self._log = data / "server.log"
        self._log_read = 0
        self._process: asyncio.subprocess.Process | None = None
        self.address = ""
        self.epoch = 0

    async def start(self) -> None:
        """
        Start it and wait until it serves.

        Raises:
            ServerDidNotStart: it ended before it served; the message holds its last words.
        """
        with self._log.open("a+b") as log:
            self._process = await asyncio.create_subprocess_exec(*COMMAND, *self._arguments, stdout=asyncio.subprocess.PIPE, stderr=log)
            try:
                self.address, self.epoch = await self._first_words(log)
            except BaseException:
                await self.end()
                raise

    async def _first_words(self, log: IO[bytes]) -> tuple[str, int]:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_WITHIN_S):
                async for line in self._process.stdout:
                    found = STARTED.search(line.decode(errors="replace"))
                    if found is not None:
                        return found[1], int(found[2])
        except TimeoutError:
            pass
        log.seek(0)
        last_words = log.read()[-2000:].decode(errors="replace")
        raise ServerDidNotStart(f"fleet serve did not come up; its last words: {last_words}")

    def logged(self) -> list[bytes]:
        """The lines it has written to its log since last asked, over all its starts."""
        with self._log.open("rb") as log:
            log.seek(self._log_read)
            lines = [line for line in log if line.endswith(b"\n")]
        self._log_read += sum(map(len, lines))
        return lines

    @property
    def pid(self) -> int:
        """The process of the last start."""
        assert self._process is not None
        return self._process.pid

    def signal(self, number: int) -> None:
        """Send a signal to the process, for example to freeze it or to let it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """End it without a word, as a power cut would, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        await self._process.wait()

    async def end(self) -> None:
        """Ask it to end, and make it end if it does not; does nothing when it has ended."""
        if self._process is not None:
            await _end(self._process)


@asynccontextmanager
async def served(site: str, data: Path, day_start_s: int, *, input_log: bool = False, policy: str = MOVING) -> AsyncIterator[str]:
    """
    The address of a server that lives as long as the context; see `ServerProcess`.

    Raises:
        ServerDidNotStart: it ended before it served.
    """
    server = ServerProcess(site, data, day_start_s, input_log=input_log, policy=policy)
    await server.start()
    try:
        yield server.address
    finally:
        await server.end()


@asynccontextmanager
async def console_of(server: str, log: Path, *, steers: bool = False, port: int = 0) -> AsyncIterator[str]:
    """
    The address of an operators' page on this machine for the *server* at that address, in a process of its own that writes to *log*.

    Nothing is waited for that a run would feel: a page that does not come up is an empty address, and its last words are in the log.
    """
    arguments = ("console", "--server", server, "--listen", f"127.0.0.1:{port}", *(("--steer",) if steers else ()))
    with log.open("ab") as written:
        process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=written)
    assert process.stdout is not None
    found = None
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(START_WITHIN_S):
                found = CONSOLE_STARTED.search((await process.stdout.readline()).decode(errors="replace"))
        yield found[1] if found else ""
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
