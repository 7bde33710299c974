"""
What a power cut may leave of a journal, rebuilt from all that was done to its files since they were made.

Killing a process does not test durability: the kernel still has every write. Here a cut falls between any two of the things done.
What a file held at its last sync is there. Of what was written since, each sector is kept or lost by itself; of what was made,
renamed or unlinked since the folder was last synced, the first few. Then a server's own recovery reads what is left.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from fleet.errors import FleetError
from fleet.server.journal.journal import Record
from fleet.server.journal.records import records_of
from fleet.server.journal.sqlite import RESERVE_FILE, SqliteJournal
from tests.soak.disk_log import Entry, built, entries, watched
from tests.soak.journal_life import PROMISE, PROMISES_FILE, fact
from tests.soak.verdict import Verdict

SECTOR: Final = 512
SOAK_STATES: Final = 10_000
FOLDER: Final = "."
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - states are many, small, and nobody's secret
# After so many cuts that it recovered from, a server also goes on.
GO_ON_EVERY: Final = 10


@dataclass(slots=True, eq=False)
class File:
    """Bytes that a sync has made safe, and what was done since."""

    safe: bytes = b""
    since: list[Entry] = field(default_factory=list)

    def sync(self) -> None:
        """All that was done so far is safe."""
        content = bytearray(self.safe)
        for entry in self.since:
            _do(content, entry, range(len(entry.data)))
        self.safe, self.since = bytes(content), []

    def cut(self, chance: random.Random) -> bytes:
        """What the disk may have kept."""
        content = bytearray(self.safe)
        keep = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for entry in self.since:
            # Sectors lie on the disk as they lie in the file; a write that ends inside of one takes it along whole.
            for low in range(-(entry.offset % SECTOR), max(len(entry.data), 1), SECTOR):
                if chance.random() < keep:
                    _do(content, entry, range(max(low, 0), min(low + SECTOR, len(entry.data))))
        return bytes(content)


def _do(content: bytearray, entry: Entry, part: range) -> None:
    """Does *entry* to *content*; of a write only the bytes in *part*."""
    if entry.op == "T":
        del content[entry.offset :]
    content.extend(bytes(max(entry.offset + part.stop - len(content), 0)))
    content[entry.offset + part.start : entry.offset + part.stop] = entry.data[part.start : part.stop]


@dataclass(frozen=True, slots=True)
class Naming:
    """From now on *name* is *file*, or nothing."""

    name: str
    file: File | None


class Disk:
    """One folder on a disk that may lose its power at any time."""

    def __init__(self) -> None:
        self._safe: dict[str, File] = {}
        self._since: list[Naming] = []
        self._now: dict[str, File] = {}

    def do(self, entry: Entry) -> None:
        """Takes what was done next."""
        name = entry.name
        if name == FOLDER:
            self._safe, self._since = dict(self._now), []
        elif entry.op == "C":
            self._name(name, File())
        elif entry.op == "U":
            self._name(name, None)
        elif entry.op == "R":
            moved = self._now[name]
            self._name(entry.data.decode(), moved)
            self._name(name, None)
        elif name in self._now:  # else it was unlinked while it was open
            if entry.op == "S":
                self._now[name].sync()
            else:
                self._now[name].since.append(entry)

    def cut(self, chance: random.Random) -> dict[str, bytes]:
        """The files that may be left when the power goes now."""
        names = dict(self._safe)
        for naming in self._since[: chance.randint(0, len(self._since))]:
            _place(names, naming)
        return {name: file.cut(chance) for name, file in names.items() if name != RESERVE_FILE}

    def _name(self, name: str, file: File | None) -> None:
        naming = Naming(name, file)
        _place(self._now, naming)
        self._since.append(naming)


def _place(names: dict[str, File], naming: Naming) -> None:
    if naming.file is None:
        names.pop(naming.name, None)
    else:
        names[naming.name] = naming.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """An epoch that was taken, and so many facts that were called durable."""

    epoch: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a cut left, how much was promised before it, and where it fell."""

    files: dict[str, bytes]
    promised: Promised
    at: int


def states(log: Sequence[Entry], count: int, seed: int) -> Iterator[State]:
    """So many cuts through what was done, spread evenly over it, each with its own luck."""
    chance = random.Random(seed)  # noqa: S311 - chance that replays
    instants = sorted(chance.choices(range(1, len(log) + 1), k=count))
    disk, done, promised = Disk(), 0, Promised()
    for at in instants:
        for entry in log[done:at]:
            if entry.name == PROMISES_FILE:
                promised = _heard(promised, entry)
            else:
                disk.do(entry)
        done = at
        yield State(files=disk.cut(chance), promised=promised, at=at)


def _heard(promised: Promised, entry: Entry) -> Promised:
    if entry.op != "W":
        return promised
    epoch, count = PROMISE.unpack(entry.data)
    return Promised(epoch=epoch, count=count)


def lived(folder: Path, *options: str) -> list[Entry]:
    """All that was done to the files of a journal in its life (`journal_life`), which leaves them in *folder*."""
    log = folder / "log"
    command = [sys.executable, "-m", "tests.soak.journal_life", str(folder / "data"), *options]
    subprocess.run(command, check=True, env=watched(built(folder), folder / "data", log=log))
    return list(entries(log))


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder whose syncs cost nothing, where there is such a thing."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def found_after(folder: Path, state: State, *, go_on: bool) -> str:
    """What is wrong with what a server finds after the cut; empty when nothing is."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # Ballast says nothing, and is long.
    for name, content in {**state.files, RESERVE_FILE: b""}.items():
        (folder / name).write_bytes(content)
    try:
        with closing(SqliteJournal(folder)) as journal:
            recovery = journal.recover()
            if go_on:
                journal.verify()
                journal.append(journal.acquire(), [Record(kind="Fact", key="", body=b"more")])
                assert len(journal.recover().records) == len(recovery.records) + 1
    except FleetError as fault:
        return str(fault)
    count = len(recovery.records)
    if recovery.records != tuple(map(written, range(count))):
        return f"{count} facts, and not those that were written"
    if count < state.promised.count:
        return f"{count} facts where {state.promised.count} were promised"
    if recovery.epoch < state.promised.epoch:
        return f"epoch {recovery.epoch} where {state.promised.epoch} was taken"
    return ""


@cache
def written(number: int) -> Record:
    """The fact of that number as it is written."""
    (record,) = records_of([fact(number)])
    return record


def losses(log: Sequence[Entry], count: int, seed: int) -> list[str]:
    """What is wrong after so many cuts, each with the place of its cut."""
    found = []
    with in_memory() as folder:
        for number, state in enumerate(states(log, count, seed)):
            wrong = found_after(folder / "cut", state, go_on=number % GO_ON_EVERY == 0)
            if wrong:
                found.append(f"cut at {state.at}: {wrong}")
    return found


def run() -> Verdict:
    """Many cuts through a longer life; and a journal that does not wait for the disk must be found out."""
    with tempfile.TemporaryDirectory() as folder:
        sound, hasty = Path(folder, "sound"), Path(folder, "hasty")
        sound.mkdir()
        hasty.mkdir()
        lost = losses(lived(sound, "--servers", "4", "--commits", "40"), SOAK_STATES, seed=1)
        found_out = losses(lived(hasty, "--synchronous", "normal"), SOAK_STATES // 20, seed=2)
    figures = f"{len(lost)} of {SOAK_STATES} cuts lost something {lost[:3]}; without syncs {len(found_out)} of {SOAK_STATES // 20} did"
    return Verdict(good=not lost and bool(found_out), figures=figures)
