"""
What a power cut may leave of the journal's files, rebuilt state by state.

Killing a process does not test durability: the kernel still has every write. Here the files are photographed between commits, and
the sectors written since the last sync are kept, dropped or torn by chance, as a disk that lost power would.
"""

from __future__ import annotations

import os
import random
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.server.journal.journal import Record
from fleet.server.journal.sqlite import HEAD_FILE, JOURNAL_FILE, RESERVE_FILE, SqliteJournal

WAL_FILE = f"{JOURNAL_FILE}-wal"
SECTOR = 512
COMMITS = 12
STATES = int(os.environ.get("FLEET_CRASH_STATES", "80"))


@dataclass(frozen=True)
class Photograph:
    """The files after a commit that was answered: so much was promised."""

    promised: int
    files: dict[str, bytes]


def photograph(folder: Path, promised: int) -> Photograph:
    """The files as they are now."""
    files = {name: (folder / name).read_bytes() for name in (JOURNAL_FILE, WAL_FILE, HEAD_FILE) if (folder / name).exists()}
    return Photograph(promised=promised, files=files)


@pytest.fixture(scope="module")
def roll(tmp_path_factory: pytest.TempPathFactory) -> list[Photograph]:
    """A journal photographed after every commit."""
    folder = tmp_path_factory.mktemp("roll")
    photographs = []
    with closing(SqliteJournal(folder)) as journal:
        journal.recover()
        epoch = journal.acquire()
        photographs.append(photograph(folder, 0))
        for at in range(COMMITS):
            journal.append(epoch, [Record(kind="Fact", key=str(at), body=bytes([at]) * 700)])
            photographs.append(photograph(folder, at + 1))
    return photographs


def torn(before: bytes, after: bytes, chance: random.Random) -> bytes:
    """*before* with some of the sectors of *after*: those written since the last sync, kept or lost each by itself."""
    sectors = []
    for at in range(0, len(after), SECTOR):
        old, new = before[at : at + SECTOR], after[at : at + SECTOR]
        if old == new or chance.random() < 0.5:
            sectors.append(new)
        else:
            sectors.append(old.ljust(len(new), b"\0"))
    return b"".join(sectors)


def recovered(folder: Path, files: dict[str, bytes]) -> int | str:
    """How many records a server finds in those files, or why it will not start."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / RESERVE_FILE).touch()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        with closing(SqliteJournal(folder)) as journal:
            keys = [record.key for record in journal.recover().records]
    except FleetError as fault:
        return fault.reason
    assert keys == [str(at) for at in range(len(keys))]
    return len(keys)


def test_a_power_cut_during_a_commit_loses_nothing_that_was_promised(roll: list[Photograph], tmp_path: Path) -> None:
    """The commit under way is there whole or not at all; the ones before are there, and the server starts."""
    chance = random.Random(1)  # noqa: S311 - chance that replays
    found = set()
    for _ in range(STATES):
        at = chance.randrange(1, len(roll))
        before, after = roll[at - 1], roll[at]
        files = dict(before.files)
        files[WAL_FILE] = torn(before.files[WAL_FILE], after.files[WAL_FILE], chance)
        count = recovered(tmp_path / "cut", files)
        found.add(count == before.promised)
        assert count in {before.promised, after.promised}

    assert found == {True, False}


def test_a_power_cut_after_a_commit_may_lose_the_head_but_not_the_record(roll: list[Photograph], tmp_path: Path) -> None:
    """The head file is not synced with every commit: it may be old or torn, and the journal still stands."""
    chance = random.Random(2)  # noqa: S311 - chance that replays
    for _ in range(STATES):
        at = chance.randrange(1, len(roll))
        before, after = roll[at - 1], roll[at]
        files = dict(after.files)
        files[HEAD_FILE] = chance.choice([before.files[HEAD_FILE], torn_head(before, after, chance)])
        assert recovered(tmp_path / "cut", files) == after.promised


def torn_head(before: Photograph, after: Photograph, chance: random.Random) -> bytes:
    """The head file with part of the newest slot's bytes."""
    old, new = before.files[HEAD_FILE], after.files[HEAD_FILE]
    cut = chance.randrange(len(new))
    return new[:cut] + old[cut:]


def test_a_shortened_write_ahead_log_is_noticed(roll: list[Photograph], tmp_path: Path) -> None:
    """SQLite drops what it cannot read from the log's end without a word; the head remembers how far it went."""
    last = roll[-1]
    for at in range(1, len(roll) - 1):
        files = dict(last.files)
        files[WAL_FILE] = roll[at].files[WAL_FILE]
        assert recovered(tmp_path / "cut", files) == "JournalCorrupt"
