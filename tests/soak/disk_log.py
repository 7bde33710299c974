"""
What a process did to the files of one folder, in order: written down by `disk_log.c`, which is loaded before its C library.

The same library fills the disk and makes it fail, where nobody may mount a small one. It wants a C compiler.
"""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final

SOURCE: Final = Path(__file__).with_suffix(".c")
NO_LIMIT: Final = -1

_ENTRY: Final = Struct("<cBqqI")
_FAULT: Final = Struct("<qq")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One thing done to the file *name* at *at_ns* of the machine's monotonic clock; the folder itself is `.`.

    *op*: C created, W *data* written at *offset*, T set to the size *offset*, A room taken up to *offset*, S synced, U unlinked,
    R renamed to *data*.
    """

    op: str
    name: str
    at_ns: int
    offset: int
    data: bytes


def compiler() -> str | None:
    """The C compiler of this machine; None when it has none."""
    return shutil.which("cc")


def built(folder: Path) -> Path:
    """The library, compiled into *folder*."""
    cc = compiler()
    assert cc is not None, "a disk is only written down where there is a C compiler"
    library = folder / "disk_log.so"
    command = [cc, "-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    return library


def watched(library: Path, folder: Path, *, log: Path | None = None, fault: Path | None = None) -> Mapping[str, str]:
    """The environment of a process whose doings in *folder* are written to *log*, and go wrong as *fault* says."""
    named = {"KHULAN_DISK_LOG": log, "KHULAN_DISK_FAULT": fault}
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "KHULAN_DISK_FOLDER": str(folder.absolute()),
        **{name: str(path.absolute()) for name, path in named.items() if path is not None},
    }


def entries(log: Path) -> Iterator[Entry]:
    """Everything in *log*; the last entry of a process that was killed may be half, and is left out."""
    raw = log.read_bytes()
    at = 0
    while at + _ENTRY.size <= len(raw):
        op, name_size, at_ns, offset, size = _ENTRY.unpack_from(raw, at)
        begin = at + _ENTRY.size + name_size
        data = raw[begin : begin + size]
        if len(data) < size:
            return
        yield Entry(op=op.decode(), name=raw[at + _ENTRY.size : begin].decode(), at_ns=at_ns, offset=offset, data=data)
        at = begin + size


class Fault:
    """What goes wrong on a watched disk, changed while it is in use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(_FAULT.pack(NO_LIMIT, 0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _FAULT.size)

    def leave_room(self, size: int) -> None:
        """The folder may grow by so many bytes and no more; `NO_LIMIT` for as many as it likes."""
        self._shared[:8] = size.to_bytes(8, "little", signed=True)

    def fail_syncs(self) -> None:
        """From now on the disk says that it could not keep what it was given."""
        self._shared[8:] = (1).to_bytes(8, "little")

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        self._shared[:] = _FAULT.pack(NO_LIMIT, 0)

    def close(self) -> None:
        """Lets go of the file."""
        self._shared.close()
