"""
What the journal's folder takes up and what its disk has left, looked up by whoever may wait for a disk.

Nothing here opens the journal's file, not even to read: a process that closes a file loses every lock it has on it, those of SQLite
among them. The next stranger who looks into the journal then takes himself to be the last, and clears its log away under the server.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from fleet.server.health.values import DiskHealth
from fleet.server.journal.archive import PREFIX
from fleet.server.journal.sqlite import JOURNAL_FILE, RESERVE_FILE, WAL_FILE


class DiskLook:
    """
    Looks at one folder, again and again. Belongs to one thread at a time. *page_bytes*: of a page of its journal.

    The files of an archive are many after a year, and never change: each is looked at once.
    """

    def __init__(self, folder: Path, page_bytes: int) -> None:
        self._folder = folder
        self._page_bytes = page_bytes
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
        return DiskHealth(
            bytes=size,
            log_bytes=_size(self._folder / WAL_FILE),
            archive_bytes=self._archive_bytes(),
            pages=size // self._page_bytes,
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
