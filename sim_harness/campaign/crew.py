"""
Worker processes that are handed runs one by one.

Processes are spawned, never forked: the server's core holds threads and compiled code. A process that dies, or says nothing
for too long, is the outcome of the run it was making, and another takes its place. Outcomes come back in any order, each with
the ticket it was handed out under: whoever needs an order makes it.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Final, Self

from sim_harness.campaign.outcome import Outcome, of_death
from sim_harness.campaign.worker import READY, Job, serve

# A worker speaks once a simulated minute. The longest that takes is while kernels are compiled from nothing on a busy machine.
SILENCE_MAX_S: Final = 600.0
LOOK_EVERY_S: Final = 5.0
JOIN_WITHIN_S: Final = 10.0


class WorkerDidNotStart(RuntimeError):
    """A worker process ended before it could take a run; its own words stand above."""


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    heard_s: float
    ready: bool = False
    ticket: int | None = None


class Crew:
    """At most *jobs* processes, started when there is work for them and ended with the context."""

    def __init__(self, jobs: int) -> None:
        assert jobs >= 1
        self._jobs = jobs
        self._queue: deque[tuple[int, Job]] = deque()
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for one in self._workers:
            one.process.kill()
        for one in self._workers:
            one.process.join(JOIN_WITHIN_S)
            one.pipe.close()
        self._workers.clear()

    @property
    def busy(self) -> bool:
        """Whether an outcome is still to come."""
        return bool(self._queue or self._working)

    @property
    def _working(self) -> int:
        return sum(one.ticket is not None for one in self._workers)

    def hand(self, ticket: int, job: Job) -> None:
        """Have *job* done when its turn comes."""
        self._queue.append((ticket, job))

    def forget(self) -> None:
        """Drop what nobody has begun."""
        self._queue.clear()

    def next(self) -> tuple[int, Outcome]:
        """
        Wait for the next outcome; its ticket comes with it.

        Raises:
            WorkerDidNotStart: a process ended before it could take a run.
        """
        assert self.busy, "nothing was handed out"
        while True:
            while len(self._workers) < min(self._jobs, self._working + len(self._queue)):
                self._workers.append(_spawned())
            self._hand_out()
            heard = wait([one.pipe for one in self._workers], LOOK_EVERY_S)
            for one in [one for one in self._workers if one.pipe in heard]:
                found = self._hear(one)
                if found is not None:
                    return found
            for one in self._workers:
                if time.monotonic() - one.heard_s > SILENCE_MAX_S and (one.ticket is not None or not one.ready):
                    one.process.kill()

    def _hand_out(self) -> None:
        for one in self._workers:
            if one.ready and one.ticket is None and self._queue:
                ticket, job = self._queue.popleft()
                try:
                    one.pipe.send(job)
                except OSError:  # it died idle: its pipe says so at the next look, and the job waits for another
                    self._queue.appendleft((ticket, job))
                    continue
                one.ticket, one.heard_s = ticket, time.monotonic()

    def _hear(self, one: _Worker) -> tuple[int, Outcome] | None:
        """One word of a worker; an outcome and its ticket when it was that."""
        try:
            word = one.pipe.recv()
        except (EOFError, OSError):
            return self._lost(one)
        one.heard_s = time.monotonic()
        if word == READY:
            one.ready = True
        elif isinstance(word, Outcome):
            assert one.ticket is not None
            ticket, one.ticket = one.ticket, None
            return ticket, word
        return None

    def _lost(self, one: _Worker) -> tuple[int, Outcome] | None:
        """A worker is no more: what it was at has come to that."""
        one.process.join(JOIN_WITHIN_S)
        one.pipe.close()
        self._workers.remove(one)
        how = _how(one.process.exitcode)
        if not one.ready:
            raise WorkerDidNotStart(f"a worker process {how} before it could take a run")
        if one.ticket is None:
            return None
        if time.monotonic() - one.heard_s > SILENCE_MAX_S:
            how = f"said nothing for {SILENCE_MAX_S:.0f} s and was ended"
        return one.ticket, of_death(f"the process that ran it {how}")


def _how(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"ended with exit code {exit_code}"
    return f"was ended by {signal.Signals(-exit_code).name}"


def _spawned() -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    with _uninterrupted():
        process.start()
    theirs.close()
    return _Worker(process=process, pipe=ours, heard_s=time.monotonic())


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Children started meanwhile ignore Ctrl-C from their first instruction: a terminal sends it to them too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
