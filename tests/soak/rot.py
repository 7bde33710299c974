"""
Every byte of a small journal flipped, and every file of it cut short at every byte: noticed each time, or nothing was lost.

Harmless is only what leaves every record readable as it was written: a page that is free, a byte of padding, the older slot of the
head, a file header that SQLite does not believe in either.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet.errors import FleetError
from fleet.server.journal.journal import Record
from fleet.server.journal.sqlite import HEAD_FILE, JOURNAL_FILE, RESERVE_FILE, WAL_FILE, SqliteJournal
from tests.soak.power_cut import in_memory
from tests.soak.verdict import Verdict

FILES: Final = (JOURNAL_FILE, WAL_FILE, HEAD_FILE)
FACTS: Final = 12
FLIP: Final = 0x41


def record(number: int) -> Record:
    """The record of that number."""
    return Record(kind="Fact", key=str(number), body=bytes([number]) * 90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that happened to one file: the byte at *at* flipped, or everything from there on gone."""

    name: str
    at: int
    cut: bool

    def done_to(self, raw: bytes) -> bytes:
        """The file as it is afterwards."""
        if self.cut:
            return raw[: self.at]
        return raw[: self.at] + bytes([raw[self.at] ^ FLIP]) + raw[self.at + 1 :]


def write(folder: Path) -> None:
    """A journal of two servers, with a snapshot; half of its pages are in the file, half of them in the log only."""
    for turn in range(2):
        journal = SqliteJournal(folder)
        numbers = range(len(journal.recover().records), FACTS * (turn + 1) // 2)
        epoch = journal.acquire()
        for number in numbers:
            journal.append(epoch, [record(number)])
        if turn == 0:
            journal.snapshot(epoch, [record(number) for number in numbers])
            journal.close()


def small_journal(folder: Path) -> dict[str, bytes]:
    """The files of a journal whose server was cut off."""
    code = "import os, sys; from pathlib import Path; from tests.soak.rot import write; write(Path(sys.argv[1])); os._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    return {name: (folder / name).read_bytes() for name in FILES}


def damages(files: dict[str, bytes], every: int) -> Iterator[Damage]:
    """Everything that may happen to one byte, or from one byte on; with *every*, at one byte in so many (each of the head)."""
    for name, raw in files.items():
        for at in range(0, len(raw), 1 if name == HEAD_FILE else every):
            yield Damage(name=name, at=at, cut=False)
            yield Damage(name=name, at=at, cut=True)


def outcome(folder: Path, files: dict[str, bytes]) -> tuple[Record, ...] | str:
    """What a server finds in those files, or the reason why it believes none of it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in {**files, RESERVE_FILE: b""}.items():
        (folder / name).write_bytes(content)
    try:
        with closing(SqliteJournal(folder)) as journal:
            return journal.recover().records
    except FleetError as fault:
        return fault.reason


def unnoticed(every: int) -> tuple[list[Damage], Counter[str]]:
    """What happened without being noticed though a record was lost or changed; and how often each outcome was met."""
    bad, met = [], Counter[str]()
    with in_memory() as folder:
        files = small_journal(folder / "whole")
        sound = outcome(folder / "sound", files)
        assert sound == tuple(record(number) for number in range(FACTS)), sound
        for damage in damages(files, every):
            found = outcome(folder / "damaged", {**files, damage.name: damage.done_to(files[damage.name])})
            met["nothing lost" if found == sound else found if isinstance(found, str) else "LOST"] += 1
            if found not in (sound, "JournalCorrupt"):
                bad.append(damage)
    return bad, met


def run() -> Verdict:
    """Every byte."""
    bad, met = unnoticed(int(os.environ.get("FLEET_ROT_EVERY", "1")))
    return Verdict(good=not bad, figures=f"{met.total()} damages: {dict(met)} {bad[:3]}")
