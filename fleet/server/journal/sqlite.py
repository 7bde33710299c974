"""
The journal in one SQLite file: write-ahead log, synchronous=FULL, one transaction a tick.

SQLite keeps a commit through a power cut, but it cuts a damaged write-ahead log short without a word. Two things notice that:
the chain over the records, and a small second file with the newest record's sequence and digest, written after every commit.
The second file may lag behind the journal after a power cut; the journal may never lag behind it. Its two slots are written in
turn, so a torn write leaves the older one; it is on the disk, and so are the names of all these files, before the first record is.

An exclusive lock on a third file keeps a second server off the ledger. A fourth is ballast: when the disk fills it is given
back, so that the commit under way can still finish, and stops and answers after it; there is room again once it can be filled anew.

SQLite also throws a log away that it cannot use, and what was in it would be lost to whoever wants to know what happened. So the log
has a second name while a journal is read, which it keeps when the journal turns out to be damaged.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import ENOSPC
from itertools import islice
from pathlib import Path
from typing import Final, NoReturn

from fleet.durable import make_folder, sync_folder
from fleet.server.journal import archive
from fleet.server.journal.folder import HeadFile, Reserve, locked
from fleet.server.journal.journal import (
    AUDITED,
    ChainReader,
    Head,
    JournalCorrupt,
    JournalFailed,
    JournalFenced,
    JournalFull,
    Record,
    Recovery,
    Sealed,
    checked,
    epoch_record,
    framed,
    seal,
)

JOURNAL_FILE: Final = "journal.sqlite"
HEAD_FILE: Final = "head"
WAL_FILE: Final = f"{JOURNAL_FILE}-wal"
DAMAGED_FILE: Final = f"{WAL_FILE}.damaged"
RESERVE_FILE: Final = "reserve"
READ_ROWS: Final = 512
# An old journal is not archived in one go: meanwhile nothing becomes durable.
SEGMENTS_AT_ONCE: Final = 4

_ROWS: Final = """(
    sequence integer primary key, epoch integer not null, kind text not null, key text not null,
    body blob not null, previous blob not null, digest blob not null
) strict"""
SCHEMA: Final = f"""
create table if not exists record {_ROWS};
create table if not exists leadership (epoch integer primary key) strict;
create table if not exists snapshot (first integer primary key) strict;
create table if not exists audit {_ROWS};
create table if not exists archived (up_to integer primary key) strict;
"""
# The last records of two files of the archive: of the one before a record's, and of its own.
AROUND: Final = "select coalesce(max(up_to), 0), (select min(up_to) from archived where up_to >= ?) from archived where up_to < ?"
COLUMNS: Final = "sequence, epoch, kind, key, body, previous, digest"
COLUMN_TYPES: Final = (int, int, str, str, bytes, bytes, bytes)
# Raised by a full disk: by the file itself, and by the write-ahead log's shared index, before anything is written.
FULL_CODES: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN})


class SqliteJournal:
    """The embedded ledger: `Journal` over one folder."""

    def __init__(self, folder: Path) -> None:
        """
        Opens the journal in *folder*, making both when they are not there.

        Raises:
            JournalLocked: another process has it.
            JournalFull: not even what the reserve gives back is enough to open it.
        """
        make_folder(folder)
        self.folder = folder
        self.believed: tuple[Record, ...] = ()  # what could be read before a fault was found
        self._lock = locked(folder)
        self._reserve = Reserve(folder / RESERVE_FILE)
        self._turn = 0
        self._head = Head()
        self._reader: sqlite3.Connection | None = None  # of whoever asks beside the one who appends
        self._fault: JournalCorrupt | None = None  # the file is no journal
        try:
            try:
                self._open()
            except JournalFull:
                self._reserve.give_way()
                self._open()
        except BaseException:
            os.close(self._lock)
            raise
        self.has_room()
        sync_folder(folder)

    def recover(self) -> Recovery:
        """
        Everything since the newest snapshot, with the chain checked.

        Raises:
            JournalCorrupt: the chain, the framing, the epochs or the head do not fit.
        """
        recovery, newest_epoch = self._read()
        if newest_epoch != recovery.epoch:
            raise JournalCorrupt(place="epochs", problem=f"newest {newest_epoch}, the chain says {recovery.epoch}")
        noted = self._head_file.read()
        if noted is None:
            raise JournalCorrupt(place=HEAD_FILE, problem="missing or unreadable")
        if noted.sequence > recovery.head.sequence:
            raise JournalCorrupt(
                place=f"record {recovery.head.sequence + 1}",
                problem=f"is missing; the head says that records up to {noted.sequence} were written",
            )
        self._head = recovery.head
        with suppress(OSError):
            (self.folder / DAMAGED_FILE).unlink()
        with suppress(OSError, sqlite3.Error):  # what is wrong with the archive keeps no server from its work
            archive.forget_drafts(self.folder, self._archived())
        return recovery

    def _read(self) -> tuple[Recovery, int]:
        """What the records say, from the newest snapshot on, and the newest epoch; what was read before a fault is `believed`."""
        self._require_journal()
        noted = self._head_file.read()
        reader = ChainReader(starts_with_snapshot=False)
        with self._reading(lambda: reader.head.sequence):
            try:
                first = self._one("select max(first) from snapshot")
                if first is not None:
                    reader = ChainReader(starts_with_snapshot=True)
                for sealed in self._rows(first or 1):
                    reader.feed(sealed)
                    if noted is not None and sealed.sequence == noted.sequence and sealed.digest != noted.digest:
                        raise JournalCorrupt(place=f"record {sealed.sequence}", problem="is not the one in the head: another journal's")
                return reader.finish(), self._one("select max(epoch) from leadership") or 0
            finally:
                self.believed = reader.records

    def acquire(self, *, skip: int = 0) -> int:
        """
        Takes charge: the returned epoch is higher than any before, durably, and by *skip* more. Only after `recover`.

        A new epoch is what a full disk is waited out in: it may use what the reserve gives back.

        Raises:
            JournalFull: no room.
            JournalFailed: the file cannot be written.
        """
        epoch = int(self._one("select max(epoch) from leadership") or 0) + 1 + skip
        try:
            self._begin(epoch)
        except JournalFull:
            self._begin(epoch)
        return epoch

    def _begin(self, epoch: int) -> None:
        with self._transaction():
            self._connection.execute("insert into leadership (epoch) values (?)", (epoch,))
            head = self._insert(epoch, [epoch_record(epoch)])
        self._advance(head)

    def append(self, epoch: int, records: Sequence[Record]) -> int:
        """
        Makes *records* durable, all or none.

        Raises:
            JournalFenced: a later epoch was acquired.
            JournalFull: no room; nothing was appended, trying again is right.
            JournalFailed: anything else; trying again would lie.
        """
        with self._transaction():
            self._require_leading(epoch)
            head = self._insert(epoch, records)
        self._advance(head)
        return head.sequence

    def snapshot(self, epoch: int, records: Sequence[Record]) -> int:
        """
        Like `append`, and recovery starts from here.

        Raises:
            JournalFenced: a later epoch was acquired.
            JournalFull: no room; nothing was appended.
            JournalFailed: anything else.
        """
        with self._transaction():
            self._require_leading(epoch)
            self._connection.execute("insert into snapshot (first) values (?)", (self._head.sequence + 1,))
            head = self._insert(epoch, framed(records))
        self._advance(head)
        return head.sequence

    @property
    def page_bytes(self) -> int:
        """Of a page of the file; nobody else need open it to know."""
        return int(self._connection.execute("pragma page_size").fetchone()[0])

    @property
    def head(self) -> Head:
        """The newest record that is durable; may be read on any thread."""
        return self._head

    def has(self, sequence: int, mark: int) -> bool:
        """
        Whether record *sequence* is in the journal and has that mark. On one thread, which need not be the one that appends.

        Nothing is in every journal. What cannot be read is not there.
        """
        if sequence == 0:
            return True
        if sequence > self._head.sequence:
            return False
        try:
            if self._reader is None:
                self._reader = sqlite3.connect(self.folder / JOURNAL_FILE, check_same_thread=False)
            found = self._reader.execute("select digest from record where sequence = ?", (sequence,)).fetchone()
            if found is not None:
                return Head(sequence=sequence, digest=found[0]).mark == mark
            before, last = self._reader.execute(AROUND, (sequence, sequence)).fetchone()
        except sqlite3.Error:
            return False
        return last is not None and archive.mark_of(archive.Segment(folder=self.folder, first=before + 1, last=last), sequence) == mark

    def has_room(self) -> bool:
        """Whether the reserve is there, or could be filled again, with as much to spare."""
        return self._reserve.fill()

    def verify(self, look: Callable[[Sealed], None] | None = None) -> int:
        """
        Checks the chain over every record ever written; the answer is their count. *look* is shown each that fits.

        Raises:
            JournalCorrupt: a record does not fit.
        """
        self._require_journal()
        head = Head()
        with self._reading(lambda: head.sequence):
            for sealed in checked(self._all_rows()):
                head = sealed.head
                if look is not None:
                    look(sealed)
        return head.sequence

    def chain(self) -> Iterator[Sealed]:
        """
        Every record ever written, in order, unchecked.

        Raises:
            JournalCorrupt: the file is no journal.
        """
        self._require_journal()
        return self._all_rows()

    def compact(self) -> None:
        """
        Lets the archive have what no restart reads any more, a few files at a time; when it has no room for them, another time.

        Raises:
            JournalFailed: a disk failed.
            JournalCorrupt: an old record is damaged; it stays where it is, and so does everything after it.
        """
        first = self._one("select max(first) from snapshot") or 1
        try:
            for _ in range(SEGMENTS_AT_ONCE):
                self._put_away(first)
        except JournalFull:
            return
        except OSError as fault:
            if fault.errno != ENOSPC:
                raise JournalFailed(problem=str(fault)) from fault

    def _put_away(self, first: int) -> None:
        """Moves the oldest records into a file of the archive, as far as they are older than *first*."""
        up_to = 0
        with self._reading(lambda: up_to):
            up_to = self._archived()
            sealed = list(islice(self._rows(up_to + 1), min(first - 1 - up_to, archive.SEGMENT_RECORDS)))
        if not sealed:
            return
        segment = archive.write(self.folder, sealed)
        try:
            with self._transaction():
                self._connection.execute("delete from record where sequence <= ?", (segment.last,))
                self._connection.execute("delete from snapshot where first < ?", (first,))
                self._connection.execute("insert into archived (up_to) values (?)", (segment.last,))
        except JournalFull:
            segment.path.unlink()
            raise

    def segments(self) -> list[archive.Segment]:
        """The files of the archive."""
        self._require_journal()
        with self._reading(lambda: 0):
            return archive.segments(
                self.folder, (last for (last,) in self._connection.execute("select up_to from archived order by up_to"))
            )

    def close(self) -> None:
        """Lets go of the files; the lock last."""
        for connection in (self._reader, self._connection):
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()
        self._head_file.close()
        os.close(self._lock)

    def _open(self) -> None:
        try:
            self._connection = self._opened()
            self._head_file = HeadFile(self.folder / HEAD_FILE)
            self._begin_head()
        except OSError as fault:
            if fault.errno == ENOSPC:
                raise JournalFull(folder=str(self.folder)) from fault
            raise JournalFailed(problem=str(fault)) from fault

    def _opened(self) -> sqlite3.Connection:
        """The file's connection; to nothing, and `_fault` says why, when it is no journal."""
        log, second_name = self.folder / WAL_FILE, self.folder / DAMAGED_FILE
        if not second_name.exists():  # else it is that of an earlier try: it counts
            with suppress(OSError):
                second_name.hardlink_to(log)
        try:
            return _connect(self.folder / JOURNAL_FILE)
        except sqlite3.Error as fault:
            if getattr(fault, "sqlite_errorcode", 0) in FULL_CODES:
                raise JournalFull(folder=str(self.folder)) from fault
            self._fault = JournalCorrupt(place=JOURNAL_FILE, problem=str(fault))
            return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)

    @contextmanager
    def _reading(self, read_up_to: Callable[[], int]) -> Iterator[None]:
        """Whatever SQLite or Python make of a damaged page is said of the record after the last that could be read."""
        try:
            yield
        except (sqlite3.Error, ValueError, OverflowError) as fault:  # no page; text that is no UTF-8, a count that is no number
            raise JournalCorrupt(place=f"record {read_up_to() + 1}", problem=f"cannot be read: {fault}") from fault

    def _require_journal(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _all_rows(self) -> Iterator[Sealed]:
        head = Head()
        for segment in self.segments():
            for sealed in archive.read(segment, head):
                yield sealed
                head = sealed.head
        yield from self._rows(head.sequence + 1)

    def _archived(self) -> int:
        return self._one("select max(up_to) from archived") or 0

    def _rows(self, first: int) -> Iterator[Sealed]:
        found = self._connection.execute(f"select {COLUMNS} from record where sequence >= ? order by sequence", (first,))  # noqa: S608 - our own column list
        while rows := found.fetchmany(READ_ROWS):
            for row in rows:
                sequence, epoch, kind, key, body, previous, digest = row
                if tuple(map(type, row)) != COLUMN_TYPES:
                    raise JournalCorrupt(place=f"record {sequence}", problem="is not made of what a record is made of")
                yield Sealed(sequence=sequence, epoch=epoch, record=Record(kind=kind, key=key, body=body), previous=previous, digest=digest)

    def _one(self, query: str) -> int | None:
        found = self._connection.execute(query).fetchone()[0]
        return None if found is None else int(found)

    def _require_leading(self, epoch: int) -> None:
        newest = self._one("select max(epoch) from leadership") or 0
        if newest != epoch:
            raise JournalFenced(epoch=epoch, newest_epoch=newest)

    def _insert(self, epoch: int, records: Sequence[Record]) -> Head:
        sealed = seal(self._head, epoch, records)
        self._put("record", sealed)
        self._put("audit", [row for row in sealed if row.record.kind == AUDITED])
        return sealed[-1].head if sealed else self._head

    def _put(self, table: str, sealed: Sequence[Sealed]) -> None:
        self._connection.executemany(
            f"insert into {table} ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own names
            [(row.sequence, row.epoch, row.record.kind, row.record.key, row.record.body, row.previous, row.digest) for row in sealed],
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("begin immediate")
            yield
            self._connection.execute("commit")
        except sqlite3.Error as fault:
            self._fail(fault)
        except BaseException:
            self._roll_back()
            raise

    def _fail(self, fault: sqlite3.Error) -> NoReturn:
        self._roll_back()
        if getattr(fault, "sqlite_errorcode", 0) in FULL_CODES:
            self._reserve.give_way()
            raise JournalFull(folder=str(self.folder)) from fault
        raise JournalFailed(problem=str(fault)) from fault

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("rollback")

    def _advance(self, head: Head) -> None:
        if head == self._head:
            return
        self._head = head
        self._turn += 1
        try:
            self._head_file.write(head, self._turn)
        except OSError as fault:
            raise JournalFailed(problem=str(fault)) from fault

    def _begin_head(self) -> None:
        """A journal without a record has a head as well: one that is lost later, or never reached the disk, is missed."""
        try:
            begun = self._one("select max(sequence) from record") is not None
        except sqlite3.Error:
            begun = True  # there is something, and whoever reads it finds out what is wrong with it
        if not begun and self._head_file.read() is None:
            self._head_file.write(Head(), self._turn)
            self._head_file.sync()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")
        connection.execute("pragma cell_size_check=on")
        connection.executescript(SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
