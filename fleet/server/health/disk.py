"""What the journal's folder takes up and what its disk has left, looked up by whoever may wait for a disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Final

from fleet.server.health.values import DiskHealth
from fleet.server.journal.archive import PREFIX
from fleet.server.journal.sqlite import JOURNAL_FILE, RESERVE_FILE, WAL_FILE

# Of a database of SQLite: where its file says how many bytes a page has, and what says 65536 there.
_PAGE_AT: Final = 16
_PAGE: Final = Struct(">H")
_PAGE_OF_ONE: Final = 65_536


class DiskLook:
    """
    Looks at one folder, again and again. Belongs to one thread at a time.

    The files of an archive are many after a year, and never change: each is looked at once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed_ns = -1
        self._archived: dict[str, int] = {}

    def look(self) -> DiskHealth:
        """
        What is there now.

        Raises:
            OSError: the folder is gone, or its disk does not answer.
        """
        left = os.statvfs(self._folder)
        size = _size(self._folder / JOURNAL_FILE)
        page = _page_bytes(self._folder / JOURNAL_FILE)
        return DiskHealth(
            bytes=size,
            log_bytes=_size(self._folder / WAL_FILE),
            archive_bytes=self._archive_bytes(),
            pages=size // page if page else 0,
            free_bytes=left.f_bavail * left.f_frsize,
            reserve_kept=(self._folder / RESERVE_FILE).exists(),
        )

    def _archive_bytes(self) -> int:
        changed_ns = self._folder.stat().st_mtime_ns
        if changed_ns != self._changed_ns:
            self._changed_ns = changed_ns
            names = [name for name in os.listdir(self._folder) if name.startswith(PREFIX)]  # noqa: PTH208 - names are all that is wanted
            self._archived = {name: self._archived.get(name) or _size(self._folder / name) for name in names}
        return sum(self._archived.values())


def _size(path: Path) -> int:
    """Bytes; 0 where there is no such file."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _page_bytes(path: Path) -> int:
    """Bytes of a page of the database; 0 where there is none yet."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        head = file.read(_PAGE_AT + _PAGE.size)
        if len(head) == _PAGE_AT + _PAGE.size:
            (said,) = _PAGE.unpack_from(head, _PAGE_AT)
            return _PAGE_OF_ONE if said == 1 else int(said)
    return 0
