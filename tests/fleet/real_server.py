"""`fleet serve` as a process of its own, in real time, with everything it says kept."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from pathlib import Path
from typing import Any, Final

HOUSE: Final = Path(__file__).resolve().parent.parent.parent
WITHIN_S: Final = 60.0
SERVES: Final = re.compile(r"khulan serves \S+ on (\S+), epoch (\d+)")


class RealServer:
    """One server of *site*, with its journal in *data*."""

    def __init__(self, site: str, data: Path, module: str = "fleet.cli.main") -> None:
        self._command = ["-m", module, "serve", "--site", site, "--data", str(data), "--listen", "127.0.0.1:0", "--day-start", "10:00"]
        self._log = data / "said.jsonl"
        self._process: asyncio.subprocess.Process | None = None
        self.address = ""

    async def start(self) -> None:
        """Starts it and waits until it serves."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self._command, stdout=asyncio.subprocess.PIPE, stderr=log, cwd=HOUSE
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            said = (await self._process.stdout.readline()).decode()
        found = SERVES.search(said)
        assert found, f"said {said!r}: {self._log.read_text('utf-8')[-2000:]}"
        self.address = found[1]

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
        """Every line of its log of that event."""
        lines = [json.loads(line) for line in self._log.read_text("utf-8").splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def end(self, number: int = signal.SIGTERM) -> None:
        """Ends it."""
        if not self.runs:
            return
        assert self._process is not None
        self.send(number)
        async with asyncio.timeout(WITHIN_S):
            await self._process.wait()
