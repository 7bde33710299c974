"""
Secrets of trucks: 32 bytes each, shared by a truck and its server and by nobody between them.

The server's are one file beside its journal, a line a truck; a truck's own is a file in its store. Both are their owner's alone to read:
a file that others can read is not used.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from fleet.durable import write_whole
from fleet.errors import Code, FleetError

KEYS_FILE: Final = "keys"
KEY_BYTES: Final = 32
TRUCK_ID_CHARS_MAX: Final = 64


@dataclass(eq=False)
class KeysUnusable(FleetError):
    """A file of keys cannot be used."""

    code: ClassVar[Code] = Code.PRECONDITION

    path: str
    problem: str


@dataclass(eq=False)
class KeyExists(FleetError):
    """The truck has a key already."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "With --renew the old key counts no more once the server has started anew: the truck needs the new one."

    truck_id: str


def read_keys(path: Path) -> dict[str, bytes]:
    """
    The server's keys by truck id; none when there is no file.

    Raises:
        KeysUnusable: it can be read by others, or is no file of keys.
    """
    if not path.exists():
        return {}
    found: dict[str, bytes] = {}
    for number, line in enumerate(_private_text(path).splitlines(), start=1):
        words = line.split()
        key = _key(words[1]) if len(words) == 2 else None
        if key is None or words[0] in found:
            raise KeysUnusable(
                path=str(path), problem=f"line {number} is not a truck's id and {2 * KEY_BYTES} hexadecimal digits, once each"
            )
        found[words[0]] = key
    return found


def read_key(path: Path) -> bytes:
    """
    A truck's own key.

    Raises:
        KeysUnusable: it is not there, can be read by others, or is no key.
    """
    key = _key(_private_text(path).strip())
    if key is None:
        raise KeysUnusable(path=str(path), problem=f"does not hold {2 * KEY_BYTES} hexadecimal digits")
    return key


def make_key(path: Path, truck_id: str, *, renew: bool = False) -> bytes:
    """
    A new key for *truck_id*, kept in the server's file at *path*.

    Raises:
        KeyExists: it has one, and is not to be given another.
        KeysUnusable: the file cannot be used, or nobody can be called that.
    """
    if not truck_id.isprintable() or not 0 < len(truck_id) <= TRUCK_ID_CHARS_MAX or len(truck_id.split()) != 1:
        raise KeysUnusable(path=str(path), problem=f"{truck_id[:TRUCK_ID_CHARS_MAX]!r} cannot be a truck's id")
    known = read_keys(path)
    if truck_id in known and not renew:
        raise KeyExists(truck_id=truck_id)
    key = secrets.token_bytes(KEY_BYTES)
    write_whole(path, _text_of({**known, truck_id: key}).encode())
    return key


def _text_of(keys: Mapping[str, bytes]) -> str:
    return "".join(f"{truck_id} {key.hex()}\n" for truck_id, key in sorted(keys.items()))


def _key(digits: str) -> bytes | None:
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES else None


def _private_text(path: Path) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as fault:
        raise KeysUnusable(path=str(path), problem=fault.strerror or str(fault)) from fault
    with os.fdopen(fd, encoding="utf-8", errors="replace") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeysUnusable(path=str(path), problem="others than its owner can read or write it: chmod 600")
        return file.read()
