"""
What a truck's own stream costs the server, beside a bare grpc.aio handler with the same reads and writes.

Both servers run as processes of their own on loopback and are driven in turns by the same trucks; their CPU time is read from
the system. Decisions, journal and answers are in ours; the bare handler only reads and writes.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from statistics import median
from typing import Final

from fleet.site import load_site
from sim_harness.bench.load import Load, parking
from sim_harness.bench.measure import Figure, Outcome
from sim_harness.bench.process import Process, process
from sim_harness.spawn import COMMAND

SITE: Final = "ganqimaodu"
TRUCKS: Final = 80
ROUNDS: Final = 5
ROUND_S: Final = 4.0
RATIO_MIN: Final = 0.85


async def _drive(trucks: int, ours: Process, rounds: int, round_s: float) -> tuple[list[float], list[float], float]:
    """CPU seconds per report of ours and of the bare server, round by round; and our writes per read."""
    corridor = load_site(SITE)
    stands = parking(corridor)[:trucks]
    load = Load(corridor, stands, ours.address)
    await load.connect()
    written, read = await load.report(round_s)
    ratio = read / written
    with process(sys.executable, "-m", "sim_harness.bench.bare", f"{ratio:.4f}") as bare:
        bare_load = Load(corridor, stands, bare.address)
        await bare_load.connect()
        spent: dict[Process, list[float]] = {ours: [], bare: []}
        for _ in range(rounds):
            for server, each in ((ours, load), (bare, bare_load)):
                before_s = server.cpu_s
                written, _ = await each.report(round_s)
                spent[server].append((server.cpu_s - before_s) / written)
                await asyncio.sleep(0.2)
        await bare_load.close()
    await load.close()
    return spent[ours], spent[bare], ratio


def streams(trucks: int = TRUCKS, rounds: int = ROUNDS, round_s: float = ROUND_S) -> Outcome:
    """Measures *rounds* turns of *round_s* each."""
    serving = (*COMMAND, "serve", "--site", SITE, "--listen", "127.0.0.1:0")
    with tempfile.TemporaryDirectory() as data, process(*serving, "--data", data) as ours:
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
