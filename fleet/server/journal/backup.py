"""
A copy of a journal while its server runs on, and its way back.

A copy is old from its first moment: trucks are given road that it has never heard of. So a copy carries an all-stop of its own, in an
epoch far above its origin's. Whichever way it comes back into use, the server that begins on it lets nobody move until a person has
lifted that stop; and no term that the lost journal gave out is ever given out again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from fleet.durable import sync_folder
from fleet.errors import Code, FleetError
from fleet.server.facts import AllStopSet
from fleet.server.journal import archive
from fleet.server.journal.folder import HeadFile, locked
from fleet.server.journal.journal import Head, JournalCorrupt
from fleet.server.journal.records import records_of
from fleet.server.journal.sqlite import DAMAGED_FILE, HEAD_FILE, JOURNAL_FILE, WAL_FILE, SqliteJournal
from fleet.server.replay.rotating_log import FOLDER as INPUT_LOG_FOLDER

STOP_ID: Final = "journal_restored"
ACTOR: Final = "khulan"
# More terms than any journal begins while its backups are of use.
EPOCHS_SKIPPED: Final = 1_000_000


@dataclass(eq=False)
class BackupInTheWay(FleetError):
    """There is something where the copy was to go, or nothing where it was to come from; nothing was changed."""

    code: ClassVar[Code] = Code.INVALID

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """What a copy holds of its origin: so many records, the last of this digest, written in this epoch."""

    records: int
    epoch: int
    digest: str


def back_up(folder: Path, to: Path, now_ns: int) -> BackedUp:
    """
    Copies the journal in *folder* into the new folder *to*, whole and checked, without disturbing its server. *now_ns*: Unix time.

    Raises:
        BackupInTheWay: there is no journal in *folder*, or *to* is there already.
        JournalCorrupt: the journal, or its copy, is damaged; there is no copy then.
    """
    if not (folder / JOURNAL_FILE).is_file():
        raise BackupInTheWay(path=str(folder))
    if to.exists():
        raise BackupInTheWay(path=str(to))
    part = to.with_name(f"{to.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        copied = _copied(folder, part)
        with closing(SqliteJournal(part)) as journal:
            # Files of the archive never change, and none that the copied moment needs is ever removed.
            for segment in archive.segments(folder, (segment.last for segment in journal.segments())):
                _copy(segment.path, part)
            journal.verify()
            recovery = journal.recover()
            epoch = journal.acquire(skip=EPOCHS_SKIPPED)
            stop = AllStopSet(stop_id=STOP_ID, reason="the journal is a restored copy", actor=ACTOR, at_ns=now_ns)
            journal.append(epoch, records_of([stop]))
        sync_folder(part)
        part.rename(to)
        sync_folder(to.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return BackedUp(records=copied.sequence, epoch=recovery.epoch, digest=copied.digest.hex())


def restore(backup: Path, folder: Path) -> Path | None:
    """
    Puts the copy *backup* in the place of the journal in *folder*; the answer is where the old one's files went, None for none.

    Raises:
        BackupInTheWay: there is no journal in *backup*.
        JournalLocked: a server runs on one of the two.
        JournalCorrupt: the copy is damaged; nothing was changed.
    """
    if not (backup / JOURNAL_FILE).is_file():
        raise BackupInTheWay(path=str(backup))
    with closing(SqliteJournal(backup)) as journal:
        journal.verify()
        journal.recover()
        folder.mkdir(parents=True, exist_ok=True)
        lock = locked(folder)
        try:
            aside = _set_aside(folder)
            # The head last: until it is there, a server finds a journal without one and lets nobody move.
            for file in files_of(backup):
                _copy(file, folder)
            sync_folder(folder)
        finally:
            os.close(lock)
    return aside


def files_of(folder: Path) -> list[Path]:
    """The files in *folder* that a journal is made of, its archive first and its head last."""
    names = (*_archive_names(folder), JOURNAL_FILE, WAL_FILE, HEAD_FILE)
    return [folder / name for name in names if (folder / name).is_file()]


def _copied(folder: Path, part: Path) -> Head:
    """Copies the records and makes their head; SQLite sees to it that the copy is of one moment."""
    with closing(HeadFile(folder / HEAD_FILE)) as head_file:
        noted = head_file.read() or Head()
    try:
        with (
            closing(sqlite3.connect(f"{(folder / JOURNAL_FILE).absolute().as_uri()}?mode=ro", uri=True)) as origin,
            closing(sqlite3.connect(part / JOURNAL_FILE)) as copy,
        ):
            origin.backup(copy)
            found = copy.execute("select sequence, digest from record order by sequence desc limit 1").fetchone()
    except sqlite3.Error as fault:
        raise JournalCorrupt(place=JOURNAL_FILE, problem=str(fault)) from fault
    copied = Head(sequence=found[0], digest=found[1]) if found else Head()
    if copied.sequence < noted.sequence:
        raise JournalCorrupt(place=f"record {copied.sequence + 1}", problem=f"is missing; records up to {noted.sequence} were written")
    with closing(HeadFile(part / HEAD_FILE)) as head_file:
        head_file.write(copied, 0)
    return copied


def _archive_names(folder: Path) -> list[str]:
    return [path.name for path in sorted(folder.glob(f"{archive.PREFIX}*"))]


def _set_aside(folder: Path) -> Path | None:
    """Moves what is there of a journal into a folder of its own."""
    names = [
        name
        for name in (*(file.name for file in files_of(folder)), f"{JOURNAL_FILE}-shm", DAMAGED_FILE, INPUT_LOG_FOLDER)
        if (folder / name).exists()
    ]
    if not names:
        return None
    number = 1
    while (aside := folder / f"replaced-{number}").exists():
        number += 1
    aside.mkdir()
    for name in names:
        (folder / name).rename(aside / name)
    sync_folder(aside)
    return aside


def _copy(file: Path, folder: Path) -> None:
    """Copies *file* into *folder*, durably but for its name there."""
    copy = Path(shutil.copyfile(file, folder / file.name))
    with copy.open("rb+") as written:
        os.fsync(written.fileno())
