from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from errno import ENOSPC
from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.server.facts import AllStopLifted, Fact
from fleet.server.journal.journal import JournalCorrupt, JournalFailed, JournalFenced, JournalFull, JournalLocked, Record
from fleet.server.journal.journal_writer import JournalWriter, Listener
from fleet.server.journal.sqlite import DAMAGED_FILE, HEAD_FILE, JOURNAL_FILE, RESERVE_FILE, WAL_FILE, SqliteJournal
from tests.soak.rot import small_journal, unnoticed

# Of the file and its log, one byte in so many; the long version has all of them.
ROT_EVERY = 23


def record(text: str, size: int = 0) -> Record:
    """A record named *text*, with so many bytes more."""
    return Record(kind="Fact", key=text, body=text.encode() + bytes(size))


def keys(journal: SqliteJournal) -> list[str]:
    """The keys of what is recovered."""
    return [found.key for found in journal.recover().records]


def written(folder: Path, count: int) -> None:
    """A journal of so many records, closed in order."""
    with closing(SqliteJournal(folder)) as journal:
        journal.recover()
        epoch = journal.acquire()
        for at in range(count):
            journal.append(epoch, [record(str(at))])


def test_what_was_appended_is_recovered(tmp_path: Path) -> None:
    """An authority that was sent must be known after a crash."""
    written(tmp_path, 3)

    with closing(SqliteJournal(tmp_path)) as journal:
        assert keys(journal) == ["0", "1", "2"]


def test_each_server_takes_a_higher_epoch(tmp_path: Path) -> None:
    """Trucks follow the higher term; two of one number would be two masters."""
    epochs = []
    for _ in range(3):
        with closing(SqliteJournal(tmp_path)) as journal:
            journal.recover()
            epochs.append(journal.acquire())

    assert epochs == [1, 2, 3]


def test_a_second_server_cannot_open_the_ledger(tmp_path: Path) -> None:
    """Two servers on one ledger are kept apart before they can disagree."""
    with closing(SqliteJournal(tmp_path)), pytest.raises(JournalLocked):
        SqliteJournal(tmp_path)


def test_an_append_in_an_older_epoch_is_refused_by_the_file(tmp_path: Path) -> None:
    """The fence is in the transaction itself, not in the memory of whoever was paused."""
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        old = journal.acquire()
        journal.acquire()

        with pytest.raises(JournalFenced):
            journal.append(old, [record("late")])
        assert keys(journal) == []


def test_recovery_starts_at_the_newest_snapshot(tmp_path: Path) -> None:
    """Restart time must not grow with the age of the site."""
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        epoch = journal.acquire()
        journal.append(epoch, [record("old")])
        journal.snapshot(epoch, [record("kept")])
        journal.append(epoch, [record("new")])

    with closing(SqliteJournal(tmp_path)) as journal:
        assert keys(journal) == ["kept", "new"]
        assert journal.verify() == 6


def test_a_flipped_bit_in_a_record_is_noticed(tmp_path: Path) -> None:
    """SQLite does not check its pages; the chain does."""
    written(tmp_path, 3)
    with closing(sqlite3.connect(tmp_path / JOURNAL_FILE)) as connection, connection:
        connection.execute("update record set body = x'39' where key = '1'")

    with closing(SqliteJournal(tmp_path)) as journal, pytest.raises(JournalCorrupt):
        journal.recover()


def test_a_journal_cut_short_is_noticed(tmp_path: Path) -> None:
    """SQLite drops the damaged end of its write-ahead log without a word; the head file remembers."""
    written(tmp_path, 3)
    with closing(sqlite3.connect(tmp_path / JOURNAL_FILE)) as connection, connection:
        connection.execute("delete from record where key = '2'")

    with closing(SqliteJournal(tmp_path)) as journal, pytest.raises(JournalCorrupt):
        journal.recover()


def test_a_journal_knows_which_records_are_its_own(tmp_path: Path) -> None:
    """Trucks remember how far it went: a copy is shorter, or goes on otherwise."""
    written(tmp_path / "one", 3)
    written(tmp_path / "two", 3)
    heads = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        with closing(SqliteJournal(folder)) as journal:
            journal.recover()
            epoch = journal.acquire()
            journal.append(epoch, [record(folder.name)])
            heads.append(journal.head)

    with closing(SqliteJournal(tmp_path / "one")) as journal:
        journal.recover()
        mine, other = ((head.sequence, head.mark) for head in heads)
        assert [journal.has(*mine), journal.has(*other), journal.has(mine[0] + 1, 0), journal.has(0, 0)] == [True, False, False, True]


def test_a_lost_head_file_is_noticed(tmp_path: Path) -> None:
    """Without it nobody can say that the journal is whole."""
    written(tmp_path, 1)
    (tmp_path / HEAD_FILE).unlink()

    with closing(SqliteJournal(tmp_path)) as journal, pytest.raises(JournalCorrupt):
        journal.recover()


def test_an_older_copy_of_the_journal_is_noticed(tmp_path: Path) -> None:
    """A restored backup has forgotten authorities that trucks still hold."""
    written(tmp_path, 1)
    shutil.copy(tmp_path / JOURNAL_FILE, tmp_path / "backup")
    written(tmp_path, 2)
    shutil.copy(tmp_path / "backup", tmp_path / JOURNAL_FILE)

    with closing(SqliteJournal(tmp_path)) as journal, pytest.raises(JournalCorrupt):
        journal.recover()


def test_damage_anywhere_is_noticed_or_loses_nothing() -> None:
    """Whatever a disk does to the file, the log or the head, the server either knows everything or refuses to grant."""
    bad, met = unnoticed(ROT_EVERY)

    assert bad == []
    assert met["JournalCorrupt"] > met["nothing lost"] > 0


def test_a_fault_names_the_record_after_which_nothing_is_believed(tmp_path: Path) -> None:
    """A person must know from when on things are missing; and the log that was of no use is kept for whoever looks into it."""
    files = small_journal(tmp_path)
    raw = files[WAL_FILE]
    at = raw.index(b"\x08" * 90)
    (tmp_path / WAL_FILE).write_bytes(raw[:at] + b"!" + raw[at + 1 :])
    damaged_log = (tmp_path / WAL_FILE).read_bytes()

    with closing(SqliteJournal(tmp_path)) as journal:
        with pytest.raises(JournalCorrupt) as found:
            journal.recover()
        believed = [record.key for record in journal.believed]

    assert found.value.place == "record 19"
    assert believed == [str(at) for at in range(8)]
    assert (tmp_path / DAMAGED_FILE).read_bytes() == damaged_log


def test_a_full_disk_is_told_apart_and_waited_out(tmp_path: Path) -> None:
    """Room returns; after a failed sync nothing does. The reserve is given back at the first sign."""
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        epoch = journal.acquire()
        pages = journal._connection.execute("pragma page_count").fetchone()[0]
        journal._connection.execute(f"pragma max_page_count={pages}")

        with pytest.raises(JournalFull):
            journal.append(epoch, [record("big", 1 << 20)])
        assert not (tmp_path / RESERVE_FILE).exists()

        journal._connection.execute("pragma max_page_count=100000")
        journal.append(epoch, [record("small")])
        assert keys(journal) == ["small"]


def test_any_other_fault_is_final(tmp_path: Path) -> None:
    """Trying again after a failed write would lie about what the disk kept."""
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        epoch = journal.acquire()
        journal._connection.execute("pragma query_only=on")

        with pytest.raises(JournalFailed):
            journal.append(epoch, [record("lost")])


class Heard:
    """A listener that remembers, and can be waited for."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.changed = threading.Event()
        self.failed = threading.Event()

    def listener(self) -> Listener:
        """Itself, as the writer wants it."""
        return Listener(changed=self._changed, failed=self._failed)

    def _changed(self, writable: bool, reason: str) -> None:
        self.events.append((writable, reason))
        self.changed.set()

    def _failed(self, fault: FleetError) -> None:
        self.events.append(fault.reason)
        self.failed.set()


def lifted(name: str) -> Fact:
    """A small fact."""
    return AllStopLifted(stop_id=name, actor="op", at_ns=1)


def test_words_leave_only_after_their_facts_are_durable(tmp_path: Path) -> None:
    """Journal before send: what is called afterwards must find the facts in the file."""
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        writer = JournalWriter(journal, journal.acquire(), Heard().listener())
        seen: list[int] = []
        done = threading.Event()
        writer.start()

        writer.submit([lifted("a")], lambda: seen.append(writer.sequence))
        writer.submit([], lambda: seen.append(writer.sequence))
        writer.submit([lifted("b"), lifted("c")], done.set)

        assert done.wait(10)
        writer.close()
        assert seen[0] >= 2
        assert len(journal.recover().records) == 3


def test_the_writer_waits_out_a_full_disk_in_order(tmp_path: Path) -> None:
    """Nothing that was decided is dropped or overtaken when the disk fills."""
    heard = Heard()
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        writer = JournalWriter(journal, journal.acquire(), heard.listener())
        pages = journal._connection.execute("pragma page_count").fetchone()[0]
        journal._connection.execute(f"pragma max_page_count={pages}")
        order: list[str] = []
        done = threading.Event()
        for at in range(200):
            writer.submit([lifted(f"{at:04}" * 16)], lambda at=at: order.append(str(at)))  # type: ignore[misc]
        writer.submit([lifted("last")], done.set)

        writer.start()

        assert heard.changed.wait(10)
        assert order == []
        journal._connection.execute("pragma max_page_count=100000")
        assert done.wait(10)
        writer.close()
        assert order == [str(at) for at in range(200)]
        assert heard.events == [(False, "JournalFull"), (True, "")]


def test_room_that_returns_while_nobody_says_anything_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet that stands for want of room has nothing to write; it must not stand until somebody asks for something."""
    heard = Heard()
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        writer = JournalWriter(journal, journal.acquire(), heard.listener())
        with monkeypatch.context() as full:
            full.setattr(os, "posix_fallocate", no_room)
            (tmp_path / RESERVE_FILE).unlink()
            writer.start()
            assert heard.changed.wait(10)
            heard.changed.clear()

        assert heard.changed.wait(10)
        writer.close()
        assert heard.events == [(False, "JournalFull"), (True, "")]


def no_room(*_: int) -> None:
    """A disk that is full."""
    raise OSError(ENOSPC, "No space left on device")


def test_the_writer_ends_on_any_other_fault(tmp_path: Path) -> None:
    """The process must end then; somebody has to be told."""
    heard = Heard()
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        writer = JournalWriter(journal, journal.acquire(), heard.listener())
        journal.acquire()
        spoken: list[int] = []

        writer.start()
        writer.submit([lifted("a")], lambda: spoken.append(1))

        assert heard.failed.wait(10)
        writer.close()
        assert heard.events == ["JournalFenced"]
        assert spoken == []
