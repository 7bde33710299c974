"""`fleet serve` as a process of its own, which may be killed and started again."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping
from pathlib import Path

WITHIN_S = 180.0
SERVES = re.compile(r"khulan (?:serves|lets nobody move).*? on ([\d.]+:\d+)(?:, epoch (\d+))?")


class ServerProcess:
    """A server of *site* with its journal in *data*; what it writes to stderr is kept beside it."""

    def __init__(self, data: Path, *, site: str = "mandula", environment: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.site = site
        self.environment = environment
        self.address = "127.0.0.1:0"
        self.epoch = 0  # 0 while it lets nobody move
        self.log = data.with_name(f"{data.name}.log")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts it, where it listened before if it did, and waits until it serves."""
        command = ["-m", "fleet.cli.main", "serve", "--site", self.site, "--data", str(self.data), "--listen", self.address]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *command, "--day-start", "10:00", stdout=asyncio.subprocess.PIPE, stderr=log, env=self.environment
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            said = (await self._process.stdout.readline()).decode()
        found = SERVES.search(said)
        assert found, f"said {said!r}; its log ends with {self.log.read_text('utf-8')[-2000:]}"
        self.address, self.epoch = found[1], int(found[2] or 0)

    async def end(self, number: int) -> int:
        """Sends it the signal and waits for its end; the answer is its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Waits until it has ended; the answer is its exit code."""
        assert self._process is not None
        async with asyncio.timeout(WITHIN_S):
            return await self._process.wait()

    @property
    def runs(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None
