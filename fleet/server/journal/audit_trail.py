"""
The audit as it is read: beside a running server, or without one.

Entries are read from the journal's own file, by whoever may read that; the server's control thread has no part in it. Each is held
against the digest it was sealed with, so that one that was altered is not told as if it had happened.

Entries stay in that file for ever, some 400 bytes each, and there is one for each command that changed anything or was refused; of a
flood of refusals there are as many as `refusals` lets through.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from fleet.errors import Code, FleetError
from fleet.server.dispatch.audit import Audited
from fleet.server.dispatch.persons import is_called
from fleet.server.facts import decode
from fleet.server.journal.journal import JournalCorrupt, Record, digest_of
from fleet.server.journal.sqlite import COLUMNS, JOURNAL_FILE

NEWEST: Final = 2**62
LOOKED_THROUGH_MAX: Final = 20_000  # entries for one page: whoever asks for what hardly happens asks more than once
BUSY_S: Final = 5.0


@dataclass(eq=False)
class AuditUnreadable(FleetError):
    """The audit cannot be read."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Name the folder given to `fleet serve --data`."

    folder: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Entries with their places in the journal, the newest first; *older* is where the next page begins, 0 after the last."""

    entries: Sequence[tuple[int, Audited]]
    older: int


class AuditTrail:
    """Of one data folder. *looked_through_max*: entries for one page."""

    def __init__(self, folder: Path, looked_through_max: int = LOOKED_THROUGH_MAX) -> None:
        self._folder = folder
        self._looked_max = looked_through_max

    def page(self, *, count: int, before: int = NEWEST, since_ns: int = 0, who: str = "") -> Page:
        """
        At most *count* entries older than the place *before*, none from before *since_ns* (control time), all of *who*.

        Raises:
            AuditUnreadable: there is no journal here, or nobody may read it.
            JournalCorrupt: an entry is not what was written.
        """
        file = (self._folder / JOURNAL_FILE).absolute()
        if not file.is_file():
            raise AuditUnreadable(folder=str(self._folder), problem="there is no journal")
        try:
            with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as connection:
                return self._page(connection, count, before, since_ns, who)
        except sqlite3.Error as fault:
            raise AuditUnreadable(folder=str(self._folder), problem=str(fault)) from fault

    def _page(self, connection: sqlite3.Connection, count: int, before: int, since_ns: int, who: str) -> Page:
        rows = connection.execute(
            f"select {COLUMNS} from audit where sequence < ? order by sequence desc limit ?",  # noqa: S608 - our own column list
            (before, self._looked_max),
        )
        entries: list[tuple[int, Audited]] = []
        for looked, (sequence, epoch, kind, key, body, previous, digest) in enumerate(rows, 1):
            if digest_of(sequence, epoch, Record(kind=kind, key=key, body=body), previous) != digest:
                raise JournalCorrupt(place=f"audit {sequence}", problem="the content does not match its digest")
            audited = decode(kind, body)
            assert isinstance(audited, Audited), "nothing else is put into that table"
            if audited.at_ns < since_ns:
                return Page(entries=entries, older=0)
            if not who or is_called(audited.actor, who):
                entries.append((sequence, audited))
            if len(entries) == count or looked == self._looked_max:
                return Page(entries=entries, older=sequence)
        return Page(entries=entries, older=0)
