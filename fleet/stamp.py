"""How it is seen that files changed, without reading them again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[tuple[int, int, int], ...]  # of each file, what changes when it is written


def stamp_of_files(files: Iterable[Path]) -> Stamp:
    """What *files* look like now; files that are not there look like nothing."""
    found = []
    for file in files:
        try:
            about = file.stat()
        except OSError:
            found.append((0, 0, 0))
        else:
            found.append((about.st_ino, about.st_mtime_ns, about.st_size))
    return tuple(found)
