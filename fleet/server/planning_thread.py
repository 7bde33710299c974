"""
Planning on a thread of its own, beside the one that ticks.

The ticking thread gives it the fleet as columns nobody else has and picks up what it found, both by one operation of a deque: it never
waits. The search runs in kernels without the interpreter's lock; what is not, the making of the task, gives it up every few
milliseconds. Between two looks the thread sleeps.

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

SEARCH_NS: Final = NS_PER_S // 2  # for each look: an eighth of a core

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
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="planning", daemon=True)

    def start(self) -> None:
        """Begins to wait for something to plan."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the kernel under way."""
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self, tick: int, seen: Callable[[], Seen]) -> None:
        """Hands over the fleet every `LOOK_TICKS`; while the one before is still being planned, the newest waits."""
        if tick % LOOK_TICKS == 0 and self._thread.is_alive():
            self._seen.append(seen())
            self._wake.set()

    def take(self, tick: int) -> tuple[Turns, ...]:  # noqa: ARG002 - the Protocol's: what is found is heard at once
        """What was found since the last tick."""
        return (self._found.popleft(),) if self._found else ()

    def _run(self) -> None:
        in_force: Turns | None = None
        try:
            while not self._stopping:
                self._wake.wait()
                self._wake.clear()
                while self._seen and not self._stopping:
                    seen = self._seen.popleft()
                    with self._traces.span("plan"):
                        in_force = plan(seen, self._chart, in_force, self._until(self._clock.now_ns() + SEARCH_NS)).turns
                    self._found.append(in_force)
        except Exception as fault:  # noqa: BLE001 - whatever it is, trucks go on without plans
            _LOG.alarm(Event.PLANNING_FAILED, reason=type(fault).__name__, exc_info=fault)

    def _until(self, end_ns: int) -> Callable[[], bool]:
        return lambda: not self._stopping and self._clock.now_ns() < end_ns
