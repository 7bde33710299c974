"""
A disk of a few megabytes, mounted for a test, and something that fills it to the last byte.

Where no such disk can be mounted, its tests are not collected, and the report's header says so.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

SIZE_MB: Final = 32
KINDS: Final = ("tmpfs", "ext4")
BALLAST: Final = "ballast"
_PIECES: Final = (1 << 20, 4096, 1)


class SmallDisk:
    """What is mounted at *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / BALLAST

    def fill(self) -> None:
        """Writes until there is no room for one byte more."""
        ballast = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        try:
            for piece in _PIECES:
                with suppress(OSError):
                    while True:
                        os.write(ballast, bytes(piece))
            os.fsync(ballast)
        finally:
            os.close(ballast)

    def make_room(self) -> None:
        """Takes all of that away again."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(at: Path, kind: str) -> Iterator[SmallDisk]:
    """
    A disk of *kind*, mounted at *at*, which is made.

    Raises:
        OSError, CalledProcessError: nobody here may mount it, or nothing is here to make it with.
    """
    at.mkdir()
    if kind == "tmpfs":
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "khulan", str(at))
    else:
        image = at.with_name(f"{at.name}.image")
        with image.open("wb") as file:
            file.truncate(SIZE_MB << 20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        _run("mount", "-o", "loop", str(image), str(at))
    try:
        yield SmallDisk(at)
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def can_mount() -> bool:
    """Whether every kind of them can be mounted here: only root may, and not in every container."""
    with TemporaryDirectory() as folder:
        try:
            for kind in KINDS:
                with small_disk(Path(folder, kind), kind):
                    pass
        except (OSError, subprocess.CalledProcessError):
            return False
    return True


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True)
