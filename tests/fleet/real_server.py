"""`fleet serve` as a process of its own, in real time: it may be killed and started again, and everything it says is kept."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from tests.ports import address_to_keep

HOUSE: Final = Path(__file__).resolve().parent.parent.parent
WITHIN_S: Final = 180.0
SERVES: Final = re.compile(r"khulan (?:serves|lets nobody move).*? on ([\d.]+:\d+)(?:, epoch (\d+))?")


class RealServer:
    """
    One server of *site*, with its journal in *data* and its log beside that.

    *module* is what stands for the command `fleet`, *options* are more of its options. Each start and each end must be over *within_s*.
    """

    def __init__(
        self,
        site: str,
        data: Path,
        *,
        module: str = "fleet.cli.main",
        environment: Mapping[str, str] | None = None,
        within_s: float = WITHIN_S,
        options: Sequence[str] = (),
    ) -> None:
        self.data = data
        self.log = data.with_name(f"{data.name}.log")
        self.address = address_to_keep()
        self.epoch = 0  # 0 while it lets nobody move
        self._command = ["-m", module, "serve", "--site", site, "--data", str(data), "--day-start", "10:00", *options]
        self._environment = environment
        self._within_s = within_s
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts it, always at the same address, and waits until it serves."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._command,
                "--listen",
                self.address,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=HOUSE,
                env=self._environment,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(self._within_s):
            said = (await self._process.stdout.readline()).decode()
        found = SERVES.search(said)
        assert found, f"said {said!r}; its log ends with {self.log.read_text('utf-8')[-2000:]}"
        self.address, self.epoch = found[1], int(found[2] or 0)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    def send(self, number: int) -> None:
        """Sends it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def said(self, event: str) -> list[dict[str, Any]]:
        """Every line of its log of that event, the one under way left out."""
        whole, _, _ = self.log.read_text("utf-8").rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Sends it the signal, if it runs, and waits for its end; the answer is its exit code."""
        if self.runs:
            self.send(number)
        return await self.ended()

    async def ended(self) -> int:
        """Waits until it has ended; the answer is its exit code."""
        assert self._process is not None
        async with asyncio.timeout(self._within_s):
            return await self._process.wait()


@asynccontextmanager
async def real_server(data: Path, environment: Mapping[str, str] | None = None, options: Sequence[str] = ()) -> AsyncIterator[RealServer]:
    """A server of mandula that serves, and is gone afterwards."""
    server = RealServer("mandula", data, environment=environment, options=options)
    await server.start()
    try:
        yield server
    finally:
        await server.end(signal.SIGKILL)
