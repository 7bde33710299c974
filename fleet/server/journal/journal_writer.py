"""
The thread that makes decisions durable: everything that waits goes into one commit, and then each tick's words may leave.

A slow disk delays grants, never the tick. A full disk is waited out: the same records are tried again until there is room, in
the same order. From the first refusal until there is room to spare the loop is told to grant nothing; what a journal kept in
reserve is for stops, and for answers to people. Any other fault ends the writing for good, because after a failed
sync nobody knows what the disk kept.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fleet.clock import NS_PER_S, SystemClock
from fleet.errors import FleetError
from fleet.log import Event, Log
from fleet.server.facts import Fact
from fleet.server.health.durations import Durations
from fleet.server.journal.journal import Journal, JournalCorrupt, JournalFailed, JournalFull
from fleet.server.journal.records import records_of
from fleet.server.traces import NO_TRACES, Traces

RETRY_FULL_S: Final = 0.5

_LOG: Final = Log("journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who hears of the writer's fate; called on the writer's thread."""

    changed: Callable[[bool, str], None]  # (writable, reason): the disk filled, or has room again
    failed: Callable[[FleetError], None]  # the end: nothing more will be written


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Facts of one tick, or a snapshot of everything so far; *then* is called once they are durable."""

    facts: Sequence[Fact]
    then: Callable[[], None]
    snapshot: bool = False


class JournalWriter:
    """Writes one epoch's facts in the order submitted."""

    def __init__(self, journal: Journal, epoch: int, listener: Listener, traces: Traces = NO_TRACES) -> None:
        self._journal = journal
        self._epoch = epoch
        self._listener = listener
        self._traces = traces
        self._waiting: deque[Batch] = deque()
        self._condition = threading.Condition()
        self._closing = False
        self._full = False
        self._looks_for_room_ns = 0
        self._clock = SystemClock()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self.sequence = 0
        self.commits = Durations()
        self.snapshot_ns = 0  # when the newest snapshot was durable, by the system's clock; 0 for none since the start
        self.wrote_all = False  # once closed: everything submitted is durable

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def submit(self, facts: Sequence[Fact], then: Callable[[], None]) -> None:
        """Makes *facts* durable and then calls *then*, on the writer's thread; nothing to write keeps its place in the order too."""
        self._put(Batch(facts=facts, then=then))

    def submit_snapshot(self, facts: Sequence[Fact], then: Callable[[], None] | None = None) -> None:
        """Makes *facts*, which recreate everything submitted so far, the place where recovery starts; then calls *then*."""
        self._put(Batch(facts=facts, then=then or _nothing, snapshot=True))

    def _put(self, batch: Batch) -> None:
        with self._condition:
            self._waiting.append(batch)
            self._condition.notify()

    @property
    def waiting_count(self) -> int:
        """Ticks whose facts are not durable yet."""
        return len(self._waiting)

    def close(self) -> None:
        """Writes what waits, unless the disk is full, and ends."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._look_for_room()
            while (batches := self._next()) is not None:
                if not self._write(batches):
                    return
                if self._full and self._clock.now_ns() >= self._looks_for_room_ns:
                    self._look_for_room()
                for batch in batches:
                    batch.then()
                if _is_snapshot(batches) and not self._closing:
                    self._put_away()
                    self._look_for_room()  # on a disk that is all but full it may have taken what is kept in reserve
            self.wrote_all = True
        except FleetError as fault:
            self._listener.failed(fault)
        except Exception as fault:  # noqa: BLE001 - whatever it is, grants must not wait for ever for a thread that is gone
            self._listener.failed(JournalFailed(problem=f"{type(fault).__name__}: {fault}"))

    def _next(self) -> list[Batch] | None:
        """
        What goes into the next commit: every tick that waits, up to a snapshot, or a snapshot alone; None at the end.

        Nothing, when a disk is full and nobody said anything for a while: room may have come back all the same.
        """
        with self._condition:
            while not self._waiting:
                if self._closing:
                    return None
                if not self._condition.wait(RETRY_FULL_S if self._full else None):
                    return []
            batches = [self._waiting.popleft()]
            while self._waiting and not batches[0].snapshot and not self._waiting[0].snapshot:
                batches.append(self._waiting.popleft())
            return batches

    def _write(self, batches: Sequence[Batch]) -> bool:
        """Makes them durable, however long the disk is full; false when told to end meanwhile."""
        records = records_of(fact for batch in batches for fact in batch.facts)
        if not records:
            return True
        append, name = (self._journal.append, "journal commit")
        if _is_snapshot(batches):
            append, name = (self._journal.snapshot, "journal snapshot")
        while True:
            began_ns = self._clock.now_ns()
            try:
                with self._traces.span(name, records=len(records), ticks=len(batches)):
                    self.sequence = append(self._epoch, records)
            except JournalFull:
                self._tell(full=True)
                with self._condition:
                    self._condition.wait_for(lambda: self._closing, timeout=RETRY_FULL_S)
                    if self._closing:
                        return False
            else:
                ended_ns = self._clock.now_ns()
                self.commits.add(ended_ns, ended_ns - began_ns)
                if _is_snapshot(batches):
                    self.snapshot_ns = ended_ns
                return True

    def _put_away(self) -> None:
        try:
            with self._traces.span("journal compaction"):
                self._journal.compact()
        except JournalCorrupt as damage:
            # No restart reads that record: the fleet goes on, and a person has to look before the journal can shrink again.
            _LOG.alarm(Event.JOURNAL_DAMAGED, **damage.facts())

    def _look_for_room(self) -> None:
        self._looks_for_room_ns = self._clock.now_ns() + int(RETRY_FULL_S * NS_PER_S)
        self._tell(full=not self._journal.has_room())

    def _tell(self, *, full: bool) -> None:
        if full != self._full:
            self._full = full
            self._listener.changed(not full, JournalFull.__name__ if full else "")


def _is_snapshot(batches: Sequence[Batch]) -> bool:
    return bool(batches) and batches[0].snapshot


def _nothing() -> None:
    """Nobody waits for a snapshot."""
