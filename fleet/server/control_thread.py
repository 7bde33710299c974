"""
The thread that ticks: ten times a second, off the event loop, so that no amount of messages delays a decision.

A tick that comes late runs at once; ticks that were missed altogether are counted and said, never made up for, because the loop
decides on the present. Reads run here too, between ticks, a bounded number each time.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from fleet.clock import NS_PER_S, Clock
from fleet.log import Event, Log
from fleet.server.health.pulse import Pulse
from fleet.server.limits import BEHIND_TICKS_MAX, READS_PER_TICK_MAX, READS_PER_TICK_NS, READS_WAITING_MAX
from fleet.server.settings import TICK_NS
from fleet.server.wire.inbox import Overloaded
from fleet.server.wire.shedding import Shed

SAY_MISSED_EVERY_NS: Final = 10 * NS_PER_S

_LOG: Final = Log("control_thread")
_T = TypeVar("_T")


class ControlThread:
    """
    Calls *tick* at every tick's time until stopped; *failed* hears of whatever ends it, on this thread.

    *behind_ticks* counts ticks that lately came too late, less those that came in time since: 0 when all is well.
    """

    def __init__(self, clock: Clock, tick: Callable[[int], None], failed: Callable[[Exception], None], shed: Shed) -> None:
        self._clock = clock
        self._tick = tick
        self._failed = failed
        self._stopping = threading.Event()
        self._reads: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._shed = shed
        self.missed_count = 0
        self.behind_ticks = 0
        self._say_missed_from_ns = 0
        self.pulse = Pulse()
        self._ticks = 0

    @property
    def waiting_count(self) -> int:
        """Reads that wait for their turn."""
        return len(self._reads)

    def start(self) -> None:
        """Begins to tick."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the tick under way; no tick runs once this returns."""
        self._stopping.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    async def read(self, reading: Callable[[], _T]) -> _T:
        """
        What *reading* returns, run between two ticks.

        Raises:
            Overloaded: too many others wait.
        """
        if len(self._reads) >= READS_WAITING_MAX:
            self._shed.reads += 1
            raise Overloaded(waiting=len(self._reads))
        future: Future[_T] = Future()
        self._reads.append((reading, future))
        return await asyncio.wrap_future(future)

    def _run(self) -> None:
        due_ns = self._clock.now_ns()
        try:
            while not self._stopping.is_set():
                now_ns = self._clock.now_ns()
                if now_ns < due_ns:
                    self._stopping.wait((due_ns - now_ns) / NS_PER_S)
                    continue
                self._tick(now_ns)
                self._ticks += 1  # as the loop numbers them: each epoch has a thread of its own
                self.pulse.ticked(self._ticks, due_ns, now_ns, self._clock.now_ns())
                self._serve_reads()
                due_ns = self._next_due(due_ns)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the process must not live on without its loop
            self._failed(fault)
        finally:
            self._refuse_reads()

    def _next_due(self, due_ns: int) -> int:
        late_ns = self._clock.now_ns() - (due_ns + TICK_NS)
        if late_ns < TICK_NS:
            self.behind_ticks = max(self.behind_ticks - 1, 0)
            return due_ns + TICK_NS
        missed = late_ns // TICK_NS
        self.missed_count += missed
        # A pause is one misfortune, however long; it is overload when it goes on.
        self.behind_ticks = min(self.behind_ticks + 1, BEHIND_TICKS_MAX)
        # A machine that is too slow misses every other tick: that is one thing to say, not ten a second.
        if due_ns >= self._say_missed_from_ns:
            self._say_missed_from_ns = due_ns + SAY_MISSED_EVERY_NS
            _LOG.alarm(Event.TICK_MISSED, missed=missed, missed_in_all=self.missed_count)
        return due_ns + (missed + 1) * TICK_NS

    def _serve_reads(self) -> None:
        until_ns = self._clock.now_ns() + READS_PER_TICK_NS
        for number in range(min(len(self._reads), READS_PER_TICK_MAX)):
            if number and self._clock.now_ns() >= until_ns:
                return
            reading, future = self._reads.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(reading())
            except Exception as fault:  # noqa: BLE001 - it belongs to whoever asked, and is raised there
                future.set_exception(fault)

    def _refuse_reads(self) -> None:
        while self._reads:
            self._reads.popleft()[1].cancel()
