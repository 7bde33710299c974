"""
How much faster than the clock a whole run goes: server core, truck dynamics, supervisors, plant and checks at 10 Hz.

Everything the default scenario runs is in it, protobuf both ways included; the journal is in memory and the judge sits every
tick. The first seconds, in which trucks say hello and kernels load, are not counted.
"""

from __future__ import annotations

import time
from typing import Final

from sim_harness import link
from sim_harness.bench.measure import Figure, Outcome
from sim_harness.bench.passing import PassingServer
from sim_harness.checkers import Checkers
from sim_harness.in_memory import Answers, InMemoryServer
from sim_harness.observation import TICK_S, TickView
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import load_scenario

SCENARIO: Final = "ganqimaodu"
WARM_S: Final = 600.0
REAL_TIME_FACTOR_MIN: Final = 1000.0
NS_PER_S: Final = 1e9


class TimedServer(PassingServer):
    """A server that knows how much CPU time it took."""

    spent_ns = 0

    def say(self, frame: bytes, gateway: int = 0) -> None:
        """Passes a gateway's frame on."""
        began_ns = time.process_time_ns()
        super().say(frame, gateway)
        self.spent_ns += time.process_time_ns() - began_ns

    def call(self, method: str, request: link.Request) -> None:
        """Passes a request on."""
        began_ns = time.process_time_ns()
        super().call(method, request)
        self.spent_ns += time.process_time_ns() - began_ns

    def tick(self, now_ns: int) -> Answers:
        """Runs one tick."""
        began_ns = time.process_time_ns()
        answers = super().tick(now_ns)
        self.spent_ns += time.process_time_ns() - began_ns
        return answers


class TimedCheckers:
    """Checks that know how much CPU time they took."""

    def __init__(self, checkers: Checkers) -> None:
        self._checkers = checkers
        self.spent_ns = 0

    def tick(self, view: TickView) -> None:
        """Looks at one tick."""
        began_ns = time.process_time_ns()
        self._checkers.tick(view)
        self.spent_ns += time.process_time_ns() - began_ns


def virtual(seconds: float = 300.0, warm_s: float = WARM_S) -> Outcome:
    """Runs the default scenario for *warm_s*, then measures the next *seconds*."""
    scenario = load_scenario(SCENARIO)
    server = TimedServer(InMemoryServer(scenario.corridor, int(opening_s(scenario.roster))))
    checkers = TimedCheckers(Checkers(scenario.roster))
    runner = Runner(scenario, server, Recorder(None, scenario.roster), checkers)
    for _ in range(round(warm_s / TICK_S)):
        runner.tick()
    server.spent_ns = checkers.spent_ns = 0
    began_ns = time.process_time_ns()
    ticks = round(seconds / TICK_S)
    for _ in range(ticks):
        runner.tick()
    whole_s = (time.process_time_ns() - began_ns) / NS_PER_S
    count = len(scenario.roster.truck_ids)
    server_s, checks_s = server.spent_ns / NS_PER_S, checkers.spent_ns / NS_PER_S

    def share(name: str, spent_s: float) -> Figure:
        return Figure(
            name=f"{name}, a tick", ours=1000.0 * spent_s / ticks, reference=1000.0 * whole_s / ticks, unit="ms", ratio=spent_s / whole_s
        )

    return Outcome(
        bench="virtual",
        about=f"{SCENARIO}, {count} trucks, {seconds:g} simulated seconds after the first {warm_s:g}; CPU time, one process",
        figures=(
            Figure(name="times real time", ours=seconds / whole_s, reference=None, unit="x", goal=REAL_TIME_FACTOR_MIN, at_least=True),
            Figure(name="truck steps a second", ours=count * ticks / whole_s, reference=None, unit="1/s"),
            share("server", server_s),
            share("checks", checks_s),
            share("trucks, plant and the rest", whole_s - server_s - checks_s),
        ),
    )
