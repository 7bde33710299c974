"""
The thread that makes decisions durable: everything that waits goes into one commit, and then each tick's words may leave.

A slow disk delays grants, never the tick. A full disk is waited out: the same records are tried again until there is room, in
the same order, and the loop is told meanwhile to grant nothing. Any other fault ends the writing for good, because after a failed
sync nobody knows what the disk kept.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fleet.errors import FleetError
from fleet.server.facts import Fact
from fleet.server.journal import Journal, JournalFailed, JournalFull
from fleet.server.records import records_of

RETRY_FULL_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who hears of the writer's fate; called on the writer's thread."""

    changed: Callable[[bool, str], None]  # (writable, reason): the disk filled, or has room again
    failed: Callable[[FleetError], None]  # the end: nothing more will be written


class JournalWriter:
    """Writes one epoch's facts in the order submitted."""

    def __init__(self, journal: Journal, epoch: int, listener: Listener) -> None:
        self._journal = journal
        self._epoch = epoch
        self._listener = listener
        self._waiting: deque[tuple[Sequence[Fact], Callable[[], None]]] = deque()
        self._condition = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self.sequence = 0

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def submit(self, facts: Sequence[Fact], then: Callable[[], None]) -> None:
        """Makes *facts* durable and then calls *then*, on the writer's thread; nothing to write keeps its place in the order too."""
        with self._condition:
            self._waiting.append((facts, then))
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
            while (batch := self._next()) is not None:
                if not self._write([fact for facts, _ in batch for fact in facts]):
                    return
                for _, then in batch:
                    then()
        except FleetError as fault:
            self._listener.failed(fault)
        except Exception as fault:  # noqa: BLE001 - whatever it is, grants must not wait for ever for a thread that is gone
            self._listener.failed(JournalFailed(problem=f"{type(fault).__name__}: {fault}"))

    def _next(self) -> list[tuple[Sequence[Fact], Callable[[], None]]] | None:
        with self._condition:
            while not self._waiting:
                if self._closing:
                    return None
                self._condition.wait()
            batch = list(self._waiting)
            self._waiting.clear()
            return batch

    def _write(self, facts: Sequence[Fact]) -> bool:
        if not facts:
            return True
        records = records_of(facts)
        full = False
        while True:
            try:
                self.sequence = self._journal.append(self._epoch, records)
            except JournalFull as fault:
                if not full:
                    self._listener.changed(False, fault.reason)
                full = True
                with self._condition:
                    self._condition.wait_for(lambda: self._closing, timeout=RETRY_FULL_S)
                    if self._closing:
                        return False
            else:
                if full:
                    self._listener.changed(True, "")
                return True
