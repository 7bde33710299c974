"""
A disk of a few megabytes, mounted for a test, and something that fills it to the last byte.

Only root may mount, and not everywhere: where it cannot be done the test is skipped, and says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

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


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {' '.join(command)}: {done.stderr.strip()}")


@contextmanager
def small_disk(at: Path, kind: str) -> Iterator[SmallDisk]:
    """A disk of *kind*, mounted at *at*, which is made; skips the test where that cannot be."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    at.mkdir()
    if kind == "tmpfs":
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "khulan", str(at))
    else:
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("there is no mkfs.ext4")
        image = at.with_name(f"{at.name}.image")
        with image.open("wb") as file:
            file.truncate(SIZE_MB << 20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        _run("mount", "-o", "loop", str(image), str(at))
    try:
        yield SmallDisk(at)
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)
