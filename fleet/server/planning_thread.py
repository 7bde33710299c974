"""
Planning on a thread of its own, beside the one that ticks.

The ticking thread gives it the fleet as columns nobody else has and picks up what it found, both by one operation of a deque: it never
waits. The search runs in kernels without the interpreter's lock. What does not, the making of the task and the reading of the plan (14 ms
with 100 trucks), gives the lock up only every few milliseconds, and so keeps away from the ticks: it begins some time after the one that
looked, and a search lasts a whole number of ticks, all of them short: the desk's long one, once a second, is just over. Between two looks
the thread sleeps.

Planning is no part of deciding. When it fails, that is said once and nobody plans any more: whoever comes first goes first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from fleet.clock import NS_PER_S, Clock, SystemClock
from fleet.log import Event, Log
from fleet.server.planning import LOOK_TICKS
from fleet.server.traces import NO_TRACES, Traces
from planner.foresight.plan import plan
from planner.foresight.seen import Chart, Seen
from planner.foresight.turns import Turns
from planner.limits import MISSION_PERIOD_TICKS, TICK_PERIOD_NS

SEARCH_NS: Final = NS_PER_S // 2  # for each look: an eighth of a core
REST_NS: Final = TICK_PERIOD_NS // 5  # from a look to the search: what its tick has to say goes out first, and the next is far
LOOK_AT_TICK: Final = 2  # of every `LOOK_TICKS`

assert LOOK_TICKS % MISSION_PERIOD_TICKS == 0, "looks keep their place among the desk's long ticks"
assert LOOK_AT_TICK > 1, "the desk has its long ticks from the first on: no look is in one"
assert LOOK_AT_TICK * TICK_PERIOD_NS + REST_NS + SEARCH_NS < MISSION_PERIOD_TICKS * TICK_PERIOD_NS, "no long tick meets a search"
assert SEARCH_NS % TICK_PERIOD_NS == 0, "a search ends as far from a tick as it began"

_LOG: Final = Log("planning_thread")


class PlanningThread:
    """Plans from `start` to `stop`."""

    def __init__(self, chart: Chart, clock: Clock | None = None, traces: Traces = NO_TRACES) -> None:
        self._chart = chart
        self._clock = clock or SystemClock()
        self._traces = traces
        self._seen: deque[Seen] = deque(maxlen=1)
        self._found: deque[Turns] = deque(maxlen=1)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="planning", daemon=True)

    def start(self) -> None:
        """Begins to wait for something to plan."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the kernel under way."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self, tick: int, seen: Callable[[], Seen]) -> None:
        """Hands over the fleet once in `LOOK_TICKS`; while the one before is still being planned, the newest waits."""
        if tick % LOOK_TICKS == LOOK_AT_TICK and self._thread.is_alive():
            self._seen.append(seen())
            self._wake.set()

    def take(self, tick: int) -> tuple[Turns, ...]:  # noqa: ARG002 - the Protocol's: what is found is heard at once
        """What was found since the last tick."""
        return (self._found.popleft(),) if self._found else ()

    def _run(self) -> None:
        in_force: Turns | None = None
        try:
            while not self._stopping.is_set():
                self._wake.wait()
                self._wake.clear()
                while self._seen and not self._stopping.wait(REST_NS / NS_PER_S):
                    seen = self._seen.popleft()
                    with self._traces.span("plan"):
                        in_force = plan(seen, self._chart, in_force, self._until(self._clock.now_ns() + SEARCH_NS)).turns
                    self._found.append(in_force)
        except Exception as fault:  # noqa: BLE001 - whatever it is, trucks go on without plans
            _LOG.alarm(Event.PLANNING_FAILED, reason=type(fault).__name__, exc_info=fault)

    def _until(self, end_ns: int) -> Callable[[], bool]:
        return lambda: not self._stopping.is_set() and self._clock.now_ns() < end_ns
