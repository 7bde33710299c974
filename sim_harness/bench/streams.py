"""
What a truck's own stream costs the server, beside a bare grpc.aio handler with the same reads and writes.

Both servers run as processes of their own on loopback and are driven in turns by the same trucks; their CPU time is read from
the system. Decisions, journal and answers are in ours; the bare handler only reads and writes.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

from fleet.site import load_site
from planner.corridor import StandKind
from sim_harness.bench.load import Load
from sim_harness.bench.measure import Figure, Outcome

SITE: Final = "ganqimaodu"
TRUCKS: Final = 80
ROUNDS: Final = 5
ROUND_S: Final = 4.0
RATIO_MIN: Final = 0.85
# Which of a process's CPU clocks: the one that counts every nanosecond its threads were scheduled.
SCHEDULED: Final = 2
ADDRESS: Final = re.compile(r"127\.0\.0\.1:\d+")


def cpu_s(pid: int) -> float:
    """
    CPU seconds of a process and all its threads, user and system, in nanosecond steps.

    Read from the process's own CPU clock, whose number the kernel derives from its id (clock_getcpuclockid(3) on Linux): the
    counters of /proc step by a hundredth of a second, more than a short round costs.
    """
    return time.clock_gettime_ns(~pid << 3 | SCHEDULED) / 1e9


@contextmanager
def process(*arguments: str) -> Iterator[tuple[int, str]]:
    """A server process while it is needed: its id, and the address it printed."""
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            address = next((found[0] for line in server.stdout if (found := ADDRESS.search(line))), None)
            if address is None:
                raise ConnectionError(f"{' '.join(arguments)} ended without an address")
            yield server.pid, address
        finally:
            server.terminate()


async def _drive(trucks: int, ours: tuple[int, str], rounds: int, round_s: float) -> tuple[list[float], list[float], float]:
    """CPU seconds per report of ours and of the bare server, round by round; and our writes per read."""
    corridor = load_site(SITE)
    stands = [stand for stand in corridor.stands if stand.kind is not StandKind.BAY and stand.kind is not StandKind.SIDING][:trucks]
    load = Load(corridor, stands, ours[1])
    await load.connect()
    written, read = await load.report(round_s)
    ratio = read / written
    with process("-m", "sim_harness.bench.bare", f"{ratio:.4f}") as bare:
        bare_load = Load(corridor, stands, bare[1])
        await bare_load.connect()
        spent: dict[int, list[float]] = {ours[0]: [], bare[0]: []}
        for _ in range(rounds):
            for (pid, _), each in ((ours, load), (bare, bare_load)):
                before_s = cpu_s(pid)
                written, _ = await each.report(round_s)
                spent[pid].append((cpu_s(pid) - before_s) / written)
                await asyncio.sleep(0.2)
        await bare_load.close()
    await load.close()
    return spent[ours[0]], spent[bare[0]], ratio


def streams(trucks: int = TRUCKS, rounds: int = ROUNDS, round_s: float = ROUND_S) -> Outcome:
    """Measures *rounds* turns of *round_s* each."""
    with tempfile.TemporaryDirectory() as data:
        serving = ("-m", "fleet.cli.main", "serve", "--site", SITE, "--data", data, "--listen", "127.0.0.1:0")
        with process(*serving) as ours:
            ours_s, bare_s, ratio = asyncio.run(_drive(trucks, ours, rounds, round_s))
    mine, bare = median(ours_s), median(bare_s)
    return Outcome(
        bench="streams",
        about=f"{trucks} standing trucks, 10 reports/s each, {ratio:.2f} answers a report; server CPU, ours beside a bare grpc.aio handler",
        figures=(
            Figure(name="CPU a report", ours=1e6 * mine, reference=1e6 * bare, unit="us", ratio=mine / bare),
            Figure(
                name="reports a second a core",
                ours=1.0 / mine,
                reference=1.0 / bare,
                unit="1/s",
                ratio=bare / mine,
                goal=RATIO_MIN,
                at_least=True,
            ),
        ),
    )
