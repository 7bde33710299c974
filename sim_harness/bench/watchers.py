"""
What people who watch cost the loop: ticks of a real server with nobody looking, and with a hundred who are told of the fleet twice a
second, in turns; and what happens to the loop when all of them vanish at once.

Server, trucks and watchers are three processes. Every truck is somewhere else in each report, so that every update tells of all.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from typing import Final

import numpy as np

from fleet.site import load_site
from sim_harness.bench.load import Load, parking
from sim_harness.bench.measure import NS_PER_MS, Figure, Outcome
from sim_harness.bench.process import Process, process
from sim_harness.bench.streams import SITE, TRUCKS
from sim_harness.observation import TICK_S

WATCHERS: Final = 100
ROUNDS: Final = 4
ROUND_S: Final = 5.0
SETTLE_S: Final = 1.0
WOBBLE_M: Final = 0.01
PERCENTS: Final = (50, 99)
WHATS: Final = {"took_ns": "a tick", "late_ns": "begins late by", "spent_ns": "a tick's own CPU"}
# A hundred watchers may cost the loop so much of a tick.
GOAL_MS: Final = 0.1 * TICK_S * 1000.0


class Measured:
    """What was seen in one kind of round."""

    def __init__(self) -> None:
        self.ticks: dict[str, list[int]] = {"took_ns": [], "late_ns": [], "spent_ns": []}
        self.cpu_s = 0.0
        self.seconds = 0.0
        self.updates = 0
        self.octets = 0

    def keep(self, ticks: dict[str, list[int]]) -> None:
        """The server's ticks of one round."""
        for name, values in ticks.items():
            self.ticks[name] += values

    @property
    def tick_cpu_ms(self) -> float:
        """CPU of the whole server, by the time of one tick."""
        return 1000.0 * TICK_S * self.cpu_s / self.seconds

    def ms(self, name: str, percent: int) -> float:
        """What so many of a hundred ticks do not exceed."""
        return float(np.percentile(self.ticks[name], percent)) / NS_PER_MS


async def _round(server: Process, load: Load, seconds: float, into: Measured) -> None:
    """Lets trucks report for a while, and keeps what the server's ticks were meanwhile."""
    await load.report(SETTLE_S)
    server.take()
    before_s = server.cpu_s
    await load.report(seconds)
    into.cpu_s += server.cpu_s - before_s
    into.seconds += seconds
    into.keep(server.take())


async def _drive(server: Process, trucks: int, watchers: int, rounds: int, round_s: float) -> dict[str, Measured]:
    corridor = load_site(SITE)
    load = Load(corridor, parking(corridor)[:trucks], server.address, wobble_m=WOBBLE_M)
    await load.connect()
    found = {name: Measured() for name in ("alone", "watched", "left")}
    for _ in range(rounds):
        await _round(server, load, round_s, found["alone"])
        with process(sys.executable, "-m", "sim_harness.bench.onlookers", server.address, str(watchers)) as looking:
            looking.take()
            await _round(server, load, round_s, found["watched"])
            told = looking.take()
            found["watched"].updates += told["updates"]
            found["watched"].octets += told["bytes"]
            server.take()
            looking.kill()
            await load.report(SETTLE_S)
            found["left"].keep(server.take())
    await load.close()
    return found


def watchers(trucks: int = TRUCKS, count: int = WATCHERS, rounds: int = ROUNDS, round_s: float = ROUND_S) -> Outcome:
    """Measures *rounds* turns of *round_s* each way."""
    with tempfile.TemporaryDirectory() as data, process(sys.executable, "-m", "sim_harness.bench.timed", SITE, data) as server:
        found = asyncio.run(_drive(server, trucks, count, rounds, round_s))
    alone, watched, left = found["alone"], found["watched"], found["left"]
    cost_ms = {at: watched.ms("took_ns", at) - alone.ms("took_ns", at) for at in PERCENTS}
    figures = [
        Figure(name=f"{what}, p{at}", ours=watched.ms(name, at), reference=alone.ms(name, at), unit="ms")
        for name, what in WHATS.items()
        for at in PERCENTS
    ]
    figures += [Figure(name=f"what they cost a tick, p{at}", ours=cost_ms[at], reference=None, unit="ms", goal=GOAL_MS) for at in PERCENTS]
    figures += [
        Figure(name="server's CPU in 100 ms", ours=watched.tick_cpu_ms, reference=alone.tick_cpu_ms, unit="ms"),
        # All threads, and nothing that others on the machine could take away or add.
        Figure(name="of it they cost", ours=watched.tick_cpu_ms - alone.tick_cpu_ms, reference=None, unit="ms", goal=GOAL_MS),
    ]
    figures += [
        Figure(
            name=f"the second after they are killed: {WHATS[name]}, p99", ours=left.ms(name, 99), reference=alone.ms(name, 99), unit="ms"
        )
        for name in WHATS
    ]
    return Outcome(
        bench="watchers",
        about=f"{trucks} trucks that report 10 times/s, {count} watchers told of all of them twice a second, beside none; "
        f"told {watched.updates / (watched.seconds + rounds * SETTLE_S):.0f} updates/s of {count * 2}, "
        f"{watched.octets / max(1, watched.updates) / 1000:.1f} kB each",
        figures=tuple(figures),
    )
