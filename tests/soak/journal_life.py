"""
The life of a journal, to be watched: servers that append, take snapshots, end well or are cut off, one after the other.

What was promised is written to a file of its own as soon as it is: so many records are durable, and such an epoch is taken. That
file is no part of the journal; whoever watches the disk finds the promises among the writes.
"""

from __future__ import annotations

import argparse
import os
import threading
from pathlib import Path
from struct import Struct
from typing import Final

from fleet.errors import FleetError
from fleet.server.facts import AllStopLifted
from fleet.server.journal.journal_writer import JournalWriter, Listener
from fleet.server.journal.sqlite import SqliteJournal

PROMISES_FILE: Final = "promises"
PROMISE: Final = Struct("<qq")  # an epoch that is taken, and how many facts are durable
SNAPSHOT_EVERY: Final = 7
BATCHES_MAX: Final = 4


def fact(number: int) -> AllStopLifted:
    """The fact of that number, of a size of its own."""
    return AllStopLifted(stop_id=f"{number}", actor="x" * (number * 37 % 900), at_ns=number)


class Life:
    """One server's turn at the journal in *folder*."""

    def __init__(self, folder: Path, *, synchronous: str, pages: int) -> None:
        self._promises = os.open(folder / PROMISES_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._journal = SqliteJournal(folder)
        # Small enough that pages move from the log into the file, and the log begins anew, again and again.
        self._journal._connection.execute(f"pragma wal_autocheckpoint={pages}")
        self._journal._connection.execute(f"pragma synchronous={synchronous}")
        self.count = len(self._journal.recover().records)
        self._epoch = self._journal.acquire()
        self._promise(self.count)
        self._writer = JournalWriter(self._journal, self._epoch, Listener(changed=self._changed, failed=self._failed))
        self._writer.start()

    def live(self, commits: int) -> None:
        """So many commits, one after the other: of one fact or several ticks', and a snapshot now and then."""
        for at in range(commits):
            if at % SNAPSHOT_EVERY == SNAPSHOT_EVERY - 1:
                self._wait(snapshot=True)
            for _ in range(at % BATCHES_MAX):
                self._submit(self.count)
            self._submit(self.count)
            self._wait(snapshot=False)

    def close(self) -> None:
        """Ends as a server does that was asked to."""
        self._writer.close()
        self._journal.close()

    def _submit(self, number: int) -> None:
        self.count += 1
        self._writer.submit([fact(number)], lambda: self._promise(number + 1))

    def _wait(self, *, snapshot: bool) -> None:
        durable = threading.Event()
        if snapshot:
            self._writer.submit_snapshot([fact(number) for number in range(self.count)], durable.set)
        else:
            self._writer.submit([], durable.set)
        durable.wait()

    def _promise(self, count: int) -> None:
        os.write(self._promises, PROMISE.pack(self._epoch, count))

    def _changed(self, writable: bool, reason: str) -> None:
        raise AssertionError(f"the disk is large: {writable} {reason}")

    def _failed(self, fault: FleetError) -> None:
        raise AssertionError(str(fault))


def main() -> None:
    """Lives on *folder*: several servers, the last of them cut off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--commits", type=int, default=50)
    parser.add_argument("--synchronous", default="full")
    parser.add_argument("--pages", type=int, default=24)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for number in range(given.servers):
        life = Life(given.folder, synchronous=given.synchronous, pages=given.pages)
        life.live(given.commits)
        if number < given.servers - 1:
            life.close()
    os._exit(0)  # without closing anything


if __name__ == "__main__":
    main()
