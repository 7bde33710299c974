"""
The one thing a truck must not forget: the highest (epoch, sequence) it ever accepted.

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
from typing import Final, NamedTuple, Protocol

_RECORD: Final = struct.Struct("<8sQQQ")  # magic, writes so far, epoch, sequence; the checksum follows
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

    def highest(self) -> Term:
        """The highest term remembered."""
        return self._term

    def remember(self, term: Term) -> None:
        """Keeps *term* for the life of the process."""
        self._term = max(self._term, term)


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
            _create(path)
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        slots = list(self._slots())
        if not slots:
            os.close(self._fd)
            raise StoreUnreadable(f"{path}: no slot checks; find out what this truck holds before removing the file")
        self._writes, self._term = max(slots)

    def highest(self) -> Term:
        """The highest term on the disk."""
        return self._term

    def remember(self, term: Term) -> None:
        """Writes and syncs *term*; a lower one than is known changes nothing."""
        if term <= self._term:
            return
        # The slot that holds the present term stays untouched, whatever becomes of this write.
        writes = self._writes + 1
        _write_slot(self._fd, writes, term)
        os.fsync(self._fd)
        self._writes, self._term = writes, term

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._fd)

    def _slots(self) -> Iterator[tuple[int, Term]]:
        for slot in range(2):
            raw = os.pread(self._fd, _RECORD.size + _CHECK.size, slot * _SLOT_BYTES)
            if len(raw) < _RECORD.size + _CHECK.size:
                continue
            (check,) = _CHECK.unpack_from(raw, _RECORD.size)
            magic, writes, epoch, sequence = _RECORD.unpack_from(raw)
            if magic == _MAGIC and check == zlib.crc32(raw[: _RECORD.size]):
                yield writes, Term(epoch, sequence)


def _write_slot(fd: int, writes: int, term: Term) -> None:
    body = _RECORD.pack(_MAGIC, writes, *term)
    record = body + _CHECK.pack(zlib.crc32(body))
    written = os.pwrite(fd, record, (writes % 2) * _SLOT_BYTES)
    if written != len(record):
        raise OSError(f"wrote {written} of {len(record)} bytes")


def _create(path: Path) -> None:
    """Makes a memory that knows nothing; it appears whole or not at all, and its name is durable too."""
    draft = path.with_name(f"{path.name}.new")
    fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _write_slot(fd, 0, NEVER)
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
