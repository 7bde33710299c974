"""A control server of our own in another process, for as long as a run lasts."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

STARTED: Final = re.compile(r" on (\S+:\d+), epoch \d+")
START_WITHIN_S: Final = 120.0
END_WITHIN_S: Final = 15.0
COMMAND: Final = (sys.executable, "-c", "from fleet.cli.main import main; main()")


class ServerDidNotStart(RuntimeError):
    """The server's process ended, or said nothing, before it served."""


@asynccontextmanager
async def served(site: str, data: Path, day_start_s: int) -> AsyncIterator[str]:
    """
    The address of a server of *site* that takes its clock from us and keeps its journal in the folder *data*, which is there.

    Raises:
        ServerDidNotStart: it ended before it served; the message holds its last words.
    """
    day_start = f"{day_start_s // 3600:02d}:{day_start_s % 3600 // 60:02d}"
    arguments = ("serve", "--site", site, "--data", str(data), "--listen", "127.0.0.1:0", "--lockstep", "--day-start", day_start)
    with (data / "server.log").open("w+b") as log:
        process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=log)
        try:
            yield await _address(process, log)
        finally:
            await _end(process)


async def _address(process: asyncio.subprocess.Process, log: IO[bytes]) -> str:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_WITHIN_S):
            async for line in process.stdout:
                found = STARTED.search(line.decode(errors="replace"))
                if found is not None:
                    return found[1]
    except TimeoutError:
        pass
    log.seek(0)
    last_words = log.read()[-2000:].decode(errors="replace")
    raise ServerDidNotStart(f"fleet serve did not come up; its last words: {last_words}")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(END_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
