"""
The one thing a truck must not forget: the highest (epoch, sequence) it ever accepted. Beside it stands how far the server's journal
reached, as heartbeats say, so that a server which begins on an old copy of it can be told.

A truck that forgot it could be talked into an older server's authority. So it is on the disk before the truck acts on it or
lets anybody know. Two slots are written in turn, each with its own checksum: a power cut tears at most the newer one, and that
one had not been acknowledged yet.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol, runtime_checkable

from fleet.durable import write_whole

_RECORD: Final = struct.Struct("<8sQQQ")  # magic, writes so far, epoch, sequence; the checksum follows
_SEEN: Final = struct.Struct("<QQ")  # sequence and mark of a journal's record; its own checksum follows
_CHECK: Final = struct.Struct("<I")
_SLOT_BYTES: Final = 512  # one disk sector, so that the slots never share one
_MAGIC: Final = b"khulan-1"


class Term(NamedTuple):
    """A server's epoch, and the order within it; compared left to right."""

    epoch: int
    sequence: int


NEVER: Final = Term(0, 0)


class StoreUnreadable(RuntimeError):
    """The memory of accepted terms exists and neither of its slots can be read: only a person may begin it anew."""


class JournalSeen(NamedTuple):
    """How far a server's journal reached when it was last heard of, and a mark of its newest record."""

    sequence: int
    mark: int


NOTHING_SEEN: Final = JournalSeen(0, 0)


@runtime_checkable
class JournalStore(Protocol):
    """What a memory of terms may remember besides. Nothing the truck does follows from it: a server asks it back in every hello."""

    def journal_seen(self) -> JournalSeen:
        """What was last noted."""
        ...

    def note_journal(self, seen: JournalSeen) -> None:
        """Remembers *seen*, durably at the latest with the next term."""
        ...


class TermStore(Protocol):
    """Remembers the highest accepted term, durably."""

    def highest(self) -> Term:
        """The highest term remembered; (0, 0) when there is none."""
        ...

    def remember(self, term: Term) -> None:
        """Returns only once *term* would survive a power cut."""
        ...


class MemoryStore:
    """Forgets with the process: for simulated trucks, whose process is the simulator."""

    def __init__(self, term: Term = NEVER) -> None:
        self._term = term
        self._seen = NOTHING_SEEN

    def highest(self) -> Term:
        """The highest term remembered."""
        return self._term

    def remember(self, term: Term) -> None:
        """Keeps *term* for the life of the process."""
        self._term = max(self._term, term)

    def journal_seen(self) -> JournalSeen:
        """What was last noted."""
        return self._seen

    def note_journal(self, seen: JournalSeen) -> None:
        """Keeps *seen* for the life of the process."""
        self._seen = seen


class FileStore:
    """
    Two checksummed slots in a small file, written in turn and synced before `remember` returns.

    Raises:
        StoreUnreadable: the file is there, but holds no slot that checks.
        OSError: the disk failed. The truck must not go on: what it accepted may be forgotten.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            write_whole(path, _slot(0, NEVER, NOTHING_SEEN))
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        slots = list(self._slots())
        if not slots:
            os.close(self._fd)
            raise StoreUnreadable(f"{path}: no slot checks; find out what this truck holds before removing the file")
        self._writes, self._term, self._seen = max(slots)

    def highest(self) -> Term:
        """The highest term on the disk."""
        return self._term

    def remember(self, term: Term) -> None:
        """Writes and syncs *term*; a lower one than is known changes nothing."""
        if term <= self._term:
            return
        # The slot that holds the present term stays untouched, whatever becomes of this write.
        writes = self._writes + 1
        record = _slot(writes, term, self._seen)
        written = os.pwrite(self._fd, record, (writes % 2) * _SLOT_BYTES)
        if written != len(record):
            raise OSError(f"wrote {written} of {len(record)} bytes")
        os.fsync(self._fd)
        self._writes, self._term = writes, term

    def journal_seen(self) -> JournalSeen:
        """What was last noted, or on the disk with the newest term."""
        return self._seen

    def note_journal(self, seen: JournalSeen) -> None:
        """Keeps *seen* for the next write: a journal is looked for that knows less than the newest grant, and each grant is a write."""
        self._seen = seen

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._fd)

    def _slots(self) -> Iterator[tuple[int, Term, JournalSeen]]:
        for slot in range(2):
            raw = os.pread(self._fd, _SLOT_BYTES, slot * _SLOT_BYTES)
            if len(raw) < _RECORD.size + _CHECK.size:
                continue
            (check,) = _CHECK.unpack_from(raw, _RECORD.size)
            magic, writes, epoch, sequence = _RECORD.unpack_from(raw)
            if magic == _MAGIC and check == zlib.crc32(raw[: _RECORD.size]):
                yield writes, Term(epoch, sequence), _seen_in(raw[_RECORD.size + _CHECK.size :])


def _seen_in(raw: bytes) -> JournalSeen:
    """What stands behind a term; nothing where an older version wrote it."""
    if len(raw) < _SEEN.size + _CHECK.size:
        return NOTHING_SEEN
    (check,) = _CHECK.unpack_from(raw, _SEEN.size)
    return JournalSeen(*_SEEN.unpack_from(raw)) if check == zlib.crc32(raw[: _SEEN.size]) else NOTHING_SEEN


def _slot(writes: int, term: Term, seen: JournalSeen) -> bytes:
    body, behind = _RECORD.pack(_MAGIC, writes, *term), _SEEN.pack(*seen)
    return body + _CHECK.pack(zlib.crc32(body)) + behind + _CHECK.pack(zlib.crc32(behind))
