"""Files that are replaced: never half, never open to others, and nothing left beside them."""

from __future__ import annotations

import os
import stat
from errno import ENOSPC
from pathlib import Path

import pytest

from fleet.durable import write_whole


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills must not cost a truck its key, or a site its list of who is revoked."""
    path = tmp_path / "keys"
    write_whole(path, b"old")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_room)
        with pytest.raises(OSError, match="No space"):
            write_whole(path, b"new")

    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("keys", b"old")]


def test_nobody_else_may_read_it_though_the_file_before_was_open(tmp_path: Path) -> None:
    """A secret takes nothing over from the file that it replaces."""
    path = tmp_path / "keys"
    path.write_bytes(b"")
    path.chmod(0o666)

    write_whole(path, b"secret")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def no_room(_: int) -> None:
    """A disk that is full."""
    raise OSError(ENOSPC, "No space left on device")
