"""
A long day through real gRPC at the highest speed that holds: does the server's process stay as small as it was?

Memory and open files of the server are read once a simulated minute. The first half hour is not counted: kernels are compiled, the
first trucks are greeted, and every cache is filled. After it, memory may rise by no more than what a straight line through a leak of a
megabyte an hour would give, and files by none.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sim_harness.checkers import Checkers, CheckFigures
from sim_harness.observation import Totals
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.scenario import Scenario, load_scenario
from sim_harness.spawn import ServerProcess
from sim_harness.wire_runner import WireRunner
from tests.figures import memory_mib
from tests.soak.verdict import Verdict, say

SCENARIO: Final = "mandula"
HOURS: Final = 8.0
SETTLED_S: Final = 1800.0
LEAK_MIB_PER_H: Final = 1.0
# The allocator takes memory in arenas of this size and gives it back when it likes.
ARENAS_MIB: Final = 8.0
FILES_MORE: Final = 2


@dataclass(slots=True)
class Footprint:
    """Resident memory and open files of one process, sampled."""

    pid: int
    time_s: list[float] = field(default_factory=list)
    resident_mib: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def sample(self, time_s: float) -> None:
        """Read both now; *time_s* is simulated."""
        self.time_s.append(time_s)
        self.resident_mib.append(memory_mib(self.pid))
        self.files.append(sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir()))

    def growth_mib_per_h(self) -> float:
        """Slope of the straight line through memory, once settled."""
        settled = [(at, size) for at, size in zip(self.time_s, self.resident_mib, strict=True) if at >= SETTLED_S]
        if len(settled) < 2:
            return 0.0
        return statistics.linear_regression(*zip(*settled, strict=True)).slope * 3600.0

    def rose(self) -> list[str]:
        """What grew that should not have."""
        settled = [index for index, at in enumerate(self.time_s) if at >= SETTLED_S]
        if not settled:
            return ["the day was too short to see anything"]
        first, last = settled[0], settled[-1]
        hours = (self.time_s[last] - self.time_s[first]) / 3600.0
        more_mib = self.resident_mib[last] - self.resident_mib[first]
        found = []
        if more_mib > ARENAS_MIB + LEAK_MIB_PER_H * hours:
            found.append(f"memory rose by {more_mib:.1f} MiB in {hours:.1f} h")
        if self.files[last] > self.files[first] + FILES_MORE:
            found.append(f"open files rose from {self.files[first]} to {self.files[last]}")
        return found


async def drive(scenario: Scenario, data: Path) -> tuple[Footprint, Totals, CheckFigures]:
    """Run the day against a server of our own that keeps its files in *data*."""
    server = ServerProcess(scenario.site, data, int(opening_s(scenario.roster)), input_log=True)
    checkers = Checkers(scenario.roster)
    await server.start()
    try:
        footprint = Footprint(server.pid)
        with Recorder(None, scenario.roster) as recorder:
            totals = await WireRunner(scenario, server.address, recorder, checkers).run(footprint.sample)
    finally:
        await server.end()
    return footprint, totals, checkers.figures()


def told(footprint: Footprint, hours: float, wall_s: float, data: Path) -> Iterator[str]:
    """The figures, a line each."""
    size, files = footprint.resident_mib, footprint.files
    yield f"{hours:g} h over gRPC in {wall_s:.0f} s, {hours * 3600.0 / wall_s:.0f} x real time"
    yield f"server memory: {size[0]:.0f} MiB at first, {max(size):.0f} at most, {size[-1]:.0f} at last"
    yield f"once settled, {footprint.growth_mib_per_h():+.2f} MiB an hour; open files {files[0]} at first, {files[-1]} at last"
    kept = {path.name: path.stat().st_size / 1e6 for path in sorted(data.rglob("*")) if path.is_file()}
    yield "on the disk: " + ", ".join(f"{name} {size_mb:.1f} MB" for name, size_mb in kept.items())


def run() -> Verdict:
    """Eight hours."""
    with tempfile.TemporaryDirectory(prefix="khulan-soak-") as folder:
        footprint, totals, figures = asyncio.run(drive(load_scenario(SCENARIO, hours=HOURS, seed=1), Path(folder)))
        for line in told(footprint, HOURS, totals.wall_seconds, Path(folder)):
            say(line)
    wrong = footprint.rose()
    if figures.overlaps or figures.overruns:
        wrong.append(f"{len(figures.overlaps)} overlaps, {len(figures.overruns)} overruns")
    return Verdict(good=not wrong, figures="; ".join(wrong) or f"as small after {HOURS:g} h as it was")
