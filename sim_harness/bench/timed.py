"""
A real server that keeps how long its ticks took and how late they began.

Run as a process of its own: `python -m sim_harness.bench.timed SITE DATA`; the address is printed, and for each line of input the ticks
since the last one, as JSON: `took_ns` and `late_ns` by the wall's clock, and `spent_ns` of the ticking thread's CPU.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Final

from fleet.log import configure
from fleet.server.app import Server
from fleet.server.settings import TICK_NS, ServerSettings
from fleet.site import load_site
from planner.corridor import Corridor

MIDDAY_S: Final = 36_000


class TimedServer(Server):
    """Looks at the clock before and after each tick."""

    def __init__(self, corridor: Corridor, settings: ServerSettings) -> None:
        super().__init__(corridor, settings)
        self.took_ns: list[int] = []
        self.late_ns: list[int] = []
        self.spent_ns: list[int] = []
        self._began_ns = 0

    def _tick(self, now_ns: int) -> None:
        began_ns, before_ns = time.monotonic_ns(), time.thread_time_ns()
        super()._tick(now_ns)
        self.took_ns.append(time.monotonic_ns() - began_ns)
        self.spent_ns.append(time.thread_time_ns() - before_ns)
        self.late_ns.append(max(0, began_ns - self._began_ns - TICK_NS) if self._began_ns else 0)
        self._began_ns = began_ns

    def taken(self) -> str:
        """The ticks since last taken."""
        took_ns, self.took_ns = self.took_ns, []
        late_ns, self.late_ns = self.late_ns, []
        spent_ns, self.spent_ns = self.spent_ns, []
        return json.dumps({"took_ns": took_ns, "late_ns": late_ns, "spent_ns": spent_ns})


async def serve(site: str, data: Path) -> None:
    """Serves until nobody asks any more."""
    configure()  # its log is not among the figures
    server = TimedServer(load_site(site), ServerSettings(data=data, listen="127.0.0.1:0", day_start_s=MIDDAY_S))
    running = await server.start()
    print(running.address, flush=True)  # noqa: T201 - this is how the parent learns the address
    while await asyncio.to_thread(sys.stdin.readline):
        print(server.taken(), flush=True)  # noqa: T201 - and this the figures
    await server.stop()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
