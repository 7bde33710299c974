"""What no restart reads any more: out of the journal's file, and still there, whole and in order."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from errno import ENOSPC
from itertools import pairwise
from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.server.facts import AllStopLifted
from fleet.server.journal import archive
from fleet.server.journal.backup import back_up, restore
from fleet.server.journal.folder import RESERVE_BYTES, Reserve
from fleet.server.journal.journal import JournalCorrupt, Record
from fleet.server.journal.journal_writer import JournalWriter, Listener
from fleet.server.journal.sqlite import JOURNAL_FILE, RESERVE_FILE, SqliteJournal

ROUNDS = 4
FACTS = 100
PAGE = 4096
TABLE_LEAF = b"\x0d"


def record(number: int) -> Record:
    """The record of that number."""
    return Record(kind="Fact", key=str(number), body=bytes(200))


def grown(folder: Path, rounds: int = ROUNDS) -> list[tuple[int, int]]:
    """A journal with snapshots, archived after each; the answer is every head it ever had."""
    heads, number = [], 0
    with closing(SqliteJournal(folder)) as journal:
        journal.recover()
        epoch = journal.acquire()
        for _ in range(rounds):
            for _ in range(FACTS // 20):
                journal.append(epoch, [record(number + at) for at in range(20)])
                number += 20
                heads.append((journal.head.sequence, journal.head.mark))
            journal.snapshot(epoch, [record(-1)])
            journal.compact()
    return heads


def test_every_record_is_still_read_in_its_place(tmp_path: Path) -> None:
    """Who did what, years ago, is what an archive is for; and the chain runs through it."""
    grown(tmp_path)

    with closing(SqliteJournal(tmp_path)) as journal:
        chain = list(journal.chain())
        assert journal.verify() == len(chain)
        assert [found.key for found in journal.recover().records] == ["-1"]
    assert [found.record.key for found in chain if found.record.kind == "Fact" and found.record.key != "-1"] == [
        str(number) for number in range(ROUNDS * FACTS)
    ]
    assert all(after.previous == before.digest for before, after in pairwise(chain))


def test_the_journal_itself_stays_small(tmp_path: Path) -> None:
    """A file that only grows fills the disk one day, and the fleet stands."""
    grown(tmp_path / "short", rounds=2)
    grown(tmp_path / "long", rounds=12)
    sizes = [(tmp_path / name / JOURNAL_FILE).stat().st_size for name in ("short", "long")]

    assert sizes[1] <= 1.5 * sizes[0]


def test_what_a_truck_remembers_of_an_archived_record_is_known(tmp_path: Path) -> None:
    """A truck that comes back after a week must not stop everybody."""
    heads = grown(tmp_path)

    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        assert all(journal.has(*head) for head in heads)
        assert not any(journal.has(sequence, mark ^ 1) for sequence, mark in heads)


def test_a_damaged_missing_or_exchanged_file_is_noticed(tmp_path: Path) -> None:
    """An archive that can be changed unnoticed proves nothing; and a restart, which does not read it, does not mind."""
    grown(tmp_path)
    first, second = files(tmp_path)[:2]
    whole = {file: file.read_bytes() for file in (first, second)}
    damages = [bytes([byte ^ 0x41]) for byte in whole[first][::37]]
    found = set()
    for at, flipped in zip(range(0, len(whole[first]), 37), damages, strict=True):
        first.write_bytes(whole[first][:at] + flipped + whole[first][at + 1 :])
        found.add(verified(tmp_path))
    first.write_bytes(whole[second])
    found.add(verified(tmp_path))
    first.unlink()
    found.add(verified(tmp_path))
    first.write_bytes(whole[first])

    assert found == {"JournalCorrupt"}
    assert verified(tmp_path) == ""


def verified(folder: Path) -> str:
    """What is wrong with the journal, though a restart finds all it needs; empty when nothing is."""
    with closing(SqliteJournal(folder)) as journal:
        assert len(journal.recover().records) == 1
        try:
            journal.verify()
        except FleetError as fault:
            return fault.reason
    return ""


def test_a_damaged_record_is_not_put_away_as_though_it_were_sound(tmp_path: Path) -> None:
    """The archive's own digests would make a lie of it."""
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        epoch = journal.acquire()
        journal.append(epoch, [record(number) for number in range(10)])
        journal.snapshot(epoch, [record(-1)])
        journal._connection.execute("update record set key = 'x' where key = '5'")

        with pytest.raises(JournalCorrupt):
            journal.compact()

        assert files(tmp_path) == []


def test_an_old_page_that_cannot_be_read_is_told_as_damage_and_stays(tmp_path: Path) -> None:
    """A disk that loses what no restart reads must not end the server again and again, after each snapshot."""
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        epoch = journal.acquire()
        journal.append(epoch, [record(number) for number in range(FACTS)])
        journal.snapshot(epoch, [record(-1)])
    with (tmp_path / JOURNAL_FILE).open("r+b") as file:
        raw = file.read()
        for at in range(PAGE, len(raw), PAGE):
            if raw[at : at + 1] == TABLE_LEAF and b"Fact7" + bytes(200) in raw[at : at + PAGE]:
                file.seek(at)
                file.write(b"?")
                break

    with closing(SqliteJournal(tmp_path)) as journal:
        assert len(journal.recover().records) == 1
        with pytest.raises(JournalCorrupt, match="record 1"):
            journal.compact()


def test_what_finds_no_room_in_the_archive_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last room on a disk is for stops and answers; what is old can wait for another time."""
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        epoch = journal.acquire()
        journal.append(epoch, [record(number) for number in range(10)])
        journal.snapshot(epoch, [record(-1)])
        with monkeypatch.context() as full:
            full.setattr(os, "fsync", no_room)
            journal.compact()
        drafts = files(tmp_path)
        journal.compact()

        assert drafts == []
        assert [segment.last for segment in journal.segments()] == [11]
        assert journal.verify() == 14


def no_room(_: int) -> None:
    """A disk that is full."""
    raise OSError(ENOSPC, "No space left on device")


def test_a_half_file_of_a_server_at_work_is_not_copied(tmp_path: Path) -> None:
    """It may be gone the next moment, and the copy needs none of it."""
    grown(tmp_path / "data")
    draft = tmp_path / "data" / f"{archive.PREFIX}{10**6:012d}-{2 * 10**6:012d}"
    draft.write_bytes(b"half")

    back_up(tmp_path / "data", tmp_path / "copy", now_ns=1)

    copied, there = ([file.name for file in files(tmp_path / name)] for name in ("copy", "data"))
    assert [*copied, draft.name] == there


def test_what_a_crash_left_of_a_file_is_gone_with_the_next_start(tmp_path: Path) -> None:
    """Nobody would ever read it, and the disk is not ours alone."""
    grown(tmp_path)
    kept = files(tmp_path)
    for name in (f"{archive.PREFIX}000000000900-000000000999", f".{archive.PREFIX}000000000900-000000000999.new"):
        (tmp_path / name).write_bytes(b"half")

    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        assert journal.verify() > 0

    assert files(tmp_path) == kept


def files(folder: Path) -> list[Path]:
    """All that is there of an archive, drafts too."""
    return sorted(path for path in folder.iterdir() if archive.PREFIX in path.name)


def test_a_copy_takes_the_archive_along(tmp_path: Path) -> None:
    """What was restored is as whole as what was copied."""
    grown(tmp_path / "data")
    back_up(tmp_path / "data", tmp_path / "copy", now_ns=1)
    aside = restore(tmp_path / "copy", tmp_path / "data")

    assert aside is not None
    for folder in (tmp_path / "data", aside):
        with closing(SqliteJournal(folder)) as journal:
            assert journal.verify() > ROUNDS * FACTS


def test_a_reserve_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks while it is tried, or after a server was killed over it, must not count on room that there is not."""
    file, half = tmp_path / RESERVE_FILE, tmp_path / f".{RESERVE_FILE}.new"
    half.write_bytes(b"of one that was killed")
    reserve = Reserve(file)
    left = half.exists()
    seen: list[bool] = []

    def no_room(_file: int, _at: int, _count: int) -> None:
        seen.append(file.exists())
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", no_room)
        refused = reserve.fill()
    after = sorted(tmp_path.iterdir())
    filled = reserve.fill()

    assert (left, seen, refused, after) == (False, [False], False, [])
    assert (filled, file.stat().st_size, sorted(tmp_path.iterdir())) == (True, RESERVE_BYTES, [file])


def test_a_writer_puts_away_after_each_snapshot_and_fills_the_reserve_again(tmp_path: Path) -> None:
    """Nobody has to remember it; and what it took of the reserve on a disk that is all but full is missed at once."""
    begun, done = threading.Event(), threading.Event()
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        writer = JournalWriter(journal, journal.acquire(), Listener(changed=lambda *_: None, failed=lambda _: None))
        writer.start()
        fact = AllStopLifted(stop_id="a", actor="op", at_ns=1)
        writer.submit([fact], begun.set)
        assert begun.wait(10)
        (tmp_path / RESERVE_FILE).unlink()
        writer.submit_snapshot([fact])
        writer.submit([fact], done.set)

        assert done.wait(10)
        writer.close()
        assert (tmp_path / RESERVE_FILE).exists()
        assert [segment.last for segment in journal.segments()] == [2]
