"""The folder of a journal: made, locked to one server, with a file that remembers how far the journal went, and one of ballast."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Final

from fleet.server.journal.journal import DIGEST_BYTES, Head, JournalLocked

LOCK_FILE: Final = "lock"
RESERVE_BYTES: Final = 4 << 20

_SLOT: Final = Struct(f"<q{DIGEST_BYTES}s{DIGEST_BYTES}s")


class HeadFile:
    """The newest record's sequence and digest, in two slots written in turn."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Room for both slots is taken now: a full disk must not stop a head from following its commit.
        os.posix_fallocate(self._file, 0, 2 * _SLOT.size)

    def read(self) -> Head | None:
        """The newer sound slot; None when there is none."""
        heads: list[Head] = []
        for slot in (0, 1):
            raw = os.pread(self._file, _SLOT.size, slot * _SLOT.size)
            if len(raw) == _SLOT.size:
                sequence, digest, check = _SLOT.unpack(raw)
                if check == _slot_check(sequence, digest):
                    heads.append(Head(sequence=sequence, digest=digest))
        return max(heads, key=lambda head: head.sequence, default=None)

    def write(self, head: Head, turn: int) -> None:
        """Overwrites the slot whose *turn* it is."""
        raw = _SLOT.pack(head.sequence, head.digest, _slot_check(head.sequence, head.digest))
        os.pwrite(self._file, raw, (turn & 1) * _SLOT.size)

    def sync(self) -> None:
        """Makes it durable."""
        os.fsync(self._file)

    def close(self) -> None:
        """Makes the head durable and lets go."""
        self.sync()
        os.close(self._file)


class Reserve:
    """Ballast in the file *path*: room for what must still be written when the disk is full."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.new")
        self._draft.unlink(missing_ok=True)  # of a server that was killed meanwhile

    def fill(self) -> bool:
        """Whether it is there, or could be filled again, with as much to spare."""
        if self._path.exists():
            return True
        try:
            # Under another name, until there is room: whoever looks meanwhile must not take an attempt for a reserve.
            with self._draft.open("wb") as reserve:
                # Twice as much: what was just enough would be gone, and cried for, in no time.
                os.posix_fallocate(reserve.fileno(), 0, 2 * RESERVE_BYTES)
                os.ftruncate(reserve.fileno(), RESERVE_BYTES)
            self._draft.replace(self._path)
        except OSError:
            with suppress(OSError):
                self._draft.unlink()
            return False
        return True

    def give_way(self) -> None:
        """Gives the room back."""
        with suppress(OSError):
            self._path.unlink()


def _slot_check(sequence: int, digest: bytes) -> bytes:
    return blake2b(digest, digest_size=DIGEST_BYTES, salt=sequence.to_bytes(16, "little", signed=True)).digest()


def locked(folder: Path) -> int:
    """
    The open lock of *folder*.

    Raises:
        JournalLocked: another process has it.
    """
    lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as held:
        os.close(lock)
        raise JournalLocked(folder=str(folder)) from held
    return lock
