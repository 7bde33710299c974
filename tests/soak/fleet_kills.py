"""
A large fleet on the wire whose server is killed at random instants, again and again: how soon is road given again, and to whom.

Trucks and plant go on in simulated time, each truck on a stream of its own; the server is a process of ours. What a kill costs is the
wall's time until the process serves again, and simulated time from there to each truck's first new grant. Meanwhile no truck may pass
the end it held, and none may be granted anything before it has said hello to the new server. (Until silence stops it, a truck may
drive on towards the end it holds; where everybody stands before the server is back, tests look at who moves.)
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sim_harness.bench.process import cpu_s
from sim_harness.outage import OutageRunner
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.scenario import Scenario, load_scenario
from sim_harness.spawn import ServerProcess
from tests.figures import percentile
from tests.soak.verdict import Verdict, say
from tests.soak.wide_site import write_wide

TRUCKS: Final = 500
KILLS: Final = 50
BEFORE_S: Final = 60.0
# Between two kills, simulated: some fall before everybody has his first grant.
APART_S: Final = (0.5, 12.0)
# Without a server, simulated: from hardly noticed to everybody standing.
AWAY_S: Final = (0.1, 6.0)
GRANTED_WITHIN_S: Final = 15.0
GRANTS_FLOW_S: Final = 5.0
SAY_EVERY: Final = 5


@dataclass(slots=True)
class Outages:
    """
    *starts_s*: the wall's time of each start, *work_s* what of it the process worked, which others on the machine make less longer;
    *first_s*, *each_s*: from the end of a start to a truck's first grant, simulated.
    """

    starts_s: list[float] = field(default_factory=list)
    work_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    each_s: list[float] = field(default_factory=list)
    ungranted: int = 0
    wrong: list[str] = field(default_factory=list)

    def flow_s(self) -> list[float]:
        """From each kill until grants flow again, when the process is started at once."""
        return sorted(start + first for start, first in zip(self.starts_s, self.first_s, strict=True))


def p95(values: list[float]) -> float:
    """The value that one in twenty exceeds."""
    return percentile(values, 0.95)


async def outages(data: Path, scenario: Scenario, *, kills: int, seed: int, before_s: float = BEFORE_S) -> Outages:
    """So many kills of the server of *scenario*, which keeps its journal in *data*; the first after so long, simulated."""
    server = ServerProcess(scenario.site, data, int(opening_s(scenario.roster)))
    await server.start()
    found = Outages()
    try:
        with Recorder(None, scenario.roster) as recorder:
            runner = OutageRunner(scenario, server, recorder)
            await runner.open()
            try:
                await runner.drive(before_s)
                chance = random.Random(seed)  # noqa: S311 - chance that replays
                for number in range(1, kills + 1):
                    await _outage(runner, found, chance)
                    if number % SAY_EVERY == 0:
                        say(told(found, runner.truck_count))
            finally:
                await runner.close()
    finally:
        await server.end()
    figures = runner.checkers.figures()
    found.wrong += [f"overlap {overlap}" for overlap in figures.overlaps] + [f"overrun {overrun}" for overrun in figures.overruns]
    found.wrong += [f"an end where nobody may stand: {end}" for end in runner.ends.bad]
    return found


async def _outage(runner: OutageRunner, found: Outages, chance: random.Random) -> None:
    await runner.drive(chance.uniform(*APART_S))
    await runner.kill(mid_tick=chance.random() < 0.5)
    await runner.alone(chance.uniform(*AWAY_S))
    found.wrong += [f"past its old end: {truck_id}" for truck_id in runner.beyond_end()]
    began_s = time.monotonic()
    await runner.restart()
    found.starts_s.append(time.monotonic() - began_s)
    found.work_s.append(cpu_s(runner.server_pid))
    back_s = runner.now_s
    await runner.drive(GRANTED_WITHIN_S, lambda: _everybody(runner, found))
    granted_s = [at_s - back_s for at_s in runner.granted_s]
    found.first_s.append(granted_s[0] if granted_s else GRANTED_WITHIN_S)
    found.each_s += granted_s
    found.ungranted += runner.truck_count - len(granted_s)


def _everybody(runner: OutageRunner, found: Outages) -> bool:
    """Whether every truck has its first grant of this server; notes those that had it before they said hello."""
    found.wrong += [f"granted before its hello: truck {row}" for row in runner._granted.keys() - runner._lines.greeted]
    return len(runner.granted_s) == runner.truck_count


def told(found: Outages, trucks: int) -> str:
    """The figures."""
    flow_s = found.flow_s()
    return (
        f"{len(flow_s)} kills under {trucks} trucks: grants flow again after {statistics.median(flow_s):.1f} s, p95 {p95(flow_s):.1f} s "
        f"(start of the process {statistics.median(found.starts_s):.1f} s, p95 {p95(found.starts_s):.1f} s, of which it worked "
        f"{statistics.median(found.work_s):.1f} s, p95 {p95(found.work_s):.1f} s); a truck's first grant "
        f"{statistics.median(found.each_s):.1f} s after the start, p95 {p95(found.each_s):.1f} s; {found.ungranted} without one within "
        f"{GRANTED_WITHIN_S:.0f} s; {len(found.wrong)} wrong {found.wrong[:3]}"
    )


def run() -> Verdict:
    """The long version."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = load_scenario(str(write_wide(Path(folder), TRUCKS)), seed=1)
        found = asyncio.run(outages(Path(folder), scenario, kills=KILLS, seed=1))
    return Verdict(good=not found.wrong and p95(found.flow_s()) <= GRANTS_FLOW_S, figures=told(found, TRUCKS))
