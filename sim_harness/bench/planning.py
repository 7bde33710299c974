"""
What planning beside the loop costs the loop: ticks of one server at ten a second, with the planning thread and without, in turns.

The fleet comes from a simulated day that has run for a while; then it goes on at the wall's pace, in the same process, so that the thread
plans as often, and searches as long, as it would in a real server. Trucks are moved between the ticks, where a real server would
hear them. A tick is late by what the machine, and whoever has the interpreter's lock, keep it from beginning.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import numpy as np

from fleet.server.engine import Engine
from fleet.server.headless import HeadlessServer
from fleet.server.planning_thread import PlanningThread
from fleet.server.warm_up import warm_up
from planner.foresight.seen import chart_of
from planner.foresight.turns import Turns
from planner.policy import PLANNED
from sim_harness.bench.measure import NS_PER_MS, Figure, Outcome
from sim_harness.bench.passing import PassingServer
from sim_harness.checkers import Checkers
from sim_harness.in_memory import Answers, InMemoryServer
from sim_harness.observation import TICK_S
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import load_scenario

SCENARIO: Final = "one_lane"
WARM_S: Final = 900.0
ROUNDS: Final = 3
ROUND_S: Final = 20.0
TICK_NS: Final = round(TICK_S * 1e9)


class PacedServer(PassingServer):
    """Ticks when the wall says so; knows how late each began and how long it took."""

    def __init__(self, inner: InMemoryServer) -> None:
        super().__init__(inner)
        self._due_ns = 0
        self._waiting = threading.Event()
        self.late_ns: list[int] = []
        self.took_ns: list[int] = []

    def begin(self) -> None:
        """The pace begins now, and the record anew."""
        self._due_ns = time.monotonic_ns() + TICK_NS
        self.late_ns, self.took_ns = [], []

    def tick(self, now_ns: int) -> Answers:
        """Runs one tick at its time, or at once where that is over."""
        if self._due_ns:
            self._waiting.wait(max(0, self._due_ns - time.monotonic_ns()) / 1e9)
        began_ns = time.monotonic_ns()
        answers = super().tick(now_ns)
        if self._due_ns:
            self.took_ns.append(time.monotonic_ns() - began_ns)
            self.late_ns.append(max(0, began_ns - self._due_ns))
            # What was missed is not made up for, as in the real loop.
            self._due_ns = max(self._due_ns + TICK_NS, began_ns)
        return answers


class Counted(PlanningThread):
    """Counts what was heard."""

    heard_count = 0

    def take(self, tick: int) -> tuple[Turns, ...]:
        """What was found since the last tick."""
        found = super().take(tick)
        self.heard_count += len(found)
        return found

    @property
    def awaited(self) -> bool:
        """Whether nothing was heard of it yet, and still may be."""
        return self.heard_count == 0 and self._thread.is_alive()


def planning(rounds: int = ROUNDS, round_s: float = ROUND_S, warm_s: float = WARM_S) -> Outcome:
    """Runs the scenario for *warm_s*, then *rounds* of *round_s* each way; one with the thread lasts until a plan was heard."""
    scenario = load_scenario(SCENARIO)
    # As a server does: the search's kernels compiled beside the ticks would hold the interpreter's lock for seconds.
    warm_up(scenario.corridor, PLANNED)
    started: list[HeadlessServer] = []
    inner = InMemoryServer(scenario.corridor, int(opening_s(scenario.roster)), on_start=started.append)
    engine, server = started[0].engine, PacedServer(inner)
    runner = Runner(scenario, server, Recorder(None, scenario.roster), Checkers(scenario.roster))
    for _ in range(round(warm_s / TICK_S)):
        runner.tick()
    late: dict[bool, list[int]] = {False: [], True: []}
    took: dict[bool, list[int]] = {False: [], True: []}
    heard = 0
    for at in range(2 * rounds):
        beside = at % 2 == 1
        thread = _beside(engine) if beside else None
        server.begin()
        for _ in range(round(round_s / TICK_S)):
            runner.tick()
        # On a busy machine the first plan takes longer than a short round; without one there was nothing beside the ticks.
        while thread is not None and thread.awaited:
            runner.tick()
        late[beside] += server.late_ns
        took[beside] += server.took_ns
        if thread is not None:
            thread.stop()
            heard += thread.heard_count
        engine.planning = None
    figures = [_figure(f"a tick, p{q}", took, q) for q in (50, 99)] + [_figure(f"late, p{q}", late, q) for q in (50, 99)]
    missed = {which: 100.0 * sum(each > TICK_NS for each in late[which]) / len(late[which]) for which in late}
    figures.append(Figure(name="ticks a whole tick late", ours=missed[True], reference=missed[False], unit="%"))
    return Outcome(
        bench="planning",
        about=f"{SCENARIO}, {len(scenario.roster.truck_ids)} trucks at 10 Hz, {rounds} times {round_s:g} s each way; "
        f"with the planning thread ({heard} plans heard) beside without",
        figures=tuple(figures),
    )


def _beside(engine: Engine) -> Counted:
    """A planning thread that has begun, in *engine*."""
    thread = Counted(chart_of(engine.corridor, engine.loop.trucks.lanes, engine.desk.books.gates.service_s.tolist()))
    engine.planning = thread
    thread.start()
    return thread


def _figure(name: str, spent_ns: dict[bool, list[int]], quantile: int) -> Figure:
    with_ms, without_ms = (float(np.percentile(spent_ns[which], quantile)) / NS_PER_MS for which in (True, False))
    return Figure(name=name, ours=with_ms, reference=without_ms, unit="ms", ratio=with_ms / max(without_ms, 1e-3))
