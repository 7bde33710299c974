"""
An input log on disk: blocks, each whole or not there, so that a kill costs the last block and nothing else.

    magic   8 bytes, "KHINPUT1"
    block   kind 1 byte · lengths of the three parts u32 u32 u32 · CRC-32 of these 13 bytes u32 · BLAKE2b-128 of the parts 16 bytes · parts

Numbers are little-endian, each part is one Zstandard frame: a head in JSON, and two bodies that may be empty.

    H   what a file begins with: the software, the site, the options of the core
    S   a core begins. Head: *epoch*, *tick* (ticks it ran before), *facts* (facts it decided before in this epoch) and *from*, which says
        what it remembers: "records", the body, as `form` writes facts; "journal", the journal's records up to the epoch's beginning;
        "checkpoint", the body, as `checkpoint` writes it
    T   ticks. Head: *epoch*, of the core; *tick*, of the first; *now_ns*, the first tick's control time, then the differences;
        *snapshots*, before which ticks of the block (their count: after the last) the core's snapshot was taken. Bodies: inputs, and
        words and facts, as `form` writes them
    E   the log was closed in order

A file may hold several starts, and ticks of a core beside those of its successor. One that does not end with E was cut off: by a kill, or
by somebody.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import IO, Any, ClassVar, Final

import zstandard

from fleet.errors import Code, FleetError
from fleet.server.replay.form import text_of

MAGIC: Final = b"KHINPUT1"
HEAD, START, TICKS, END = b"H", b"S", b"T", b"E"
CHECK_BYTES: Final = 16
LEVEL: Final = 1
_HEADER: Final = Struct("<cIII")
_GUARD: Final = Struct(f"<I{CHECK_BYTES}s")


@dataclass(eq=False)
class LogDamaged(FleetError):
    """The input log is damaged."""

    code: ClassVar[Code] = Code.BUG

    file: str
    at_byte: int
    problem: str


@dataclass(eq=False)
class LogCutShort(LogDamaged):
    """The input log ends before its end: its writer was killed, or somebody cut it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block: its *kind*, its head and its two bodies."""

    kind: bytes
    head: Mapping[str, Any]
    first: bytes = b""
    second: bytes = b""


class LogWriter:
    """Writes blocks to *path*, which is made anew; each is with the operating system before `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.byte_count = len(MAGIC)
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        self._file = path.open("wb", buffering=0)
        self._file.write(MAGIC)

    def write(self, block: Block) -> None:
        """
        Appends *block*.

        Raises:
            OSError: the disk does not take it.
        """
        parts = [self._compressor.compress(part) for part in (text_of(block.head).encode(), block.first, block.second)]
        header = _HEADER.pack(block.kind, *map(len, parts))
        body = b"".join(parts)
        raw = header + _GUARD.pack(zlib.crc32(header), _check(body)) + body
        written = self._file.write(raw)
        if written != len(raw):
            raise OSError(f"{written} of {len(raw)} bytes were written")
        self.byte_count += len(raw)

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()


def read_log(path: Path) -> Iterator[tuple[Block, int]]:
    """
    Every block of a log and how many bytes were read so far.

    Raises:
        LogCutShort: it ends inside a block, or without its last; all before was given.
        LogDamaged: bytes were changed.
        OSError: it cannot be read.
    """
    ended = False
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
        if magic != MAGIC[: len(magic)]:
            raise LogDamaged(file=path.name, at_byte=0, problem="is no input log of this version")
        while (block := _read_block(file, path.name)) is not None:
            ended = block.kind == END
            yield block, file.tell()
        if not ended:
            raise LogCutShort(file=path.name, at_byte=file.tell(), problem="its last block is missing")


def _read_block(file: IO[bytes], name: str) -> Block | None:
    at_byte = file.tell()
    raw = file.read(_HEADER.size + _GUARD.size)
    if not raw:
        return None
    if len(raw) < _HEADER.size + _GUARD.size:
        raise LogCutShort(file=name, at_byte=at_byte, problem="the last block is torn")
    crc, check = _GUARD.unpack_from(raw, _HEADER.size)
    if crc != zlib.crc32(raw[: _HEADER.size]):
        raise LogDamaged(file=name, at_byte=at_byte, problem="a block's header does not match its checksum")
    kind, *lengths = _HEADER.unpack_from(raw)
    body = file.read(sum(lengths))
    if len(body) < sum(lengths):
        raise LogCutShort(file=name, at_byte=at_byte, problem="the last block is torn")
    if check != _check(body):
        raise LogDamaged(file=name, at_byte=at_byte, problem="a block does not match its digest")
    try:
        head, first, second = _parts(body, lengths)
        return Block(kind=kind, head=json.loads(head), first=first, second=second)
    except (zstandard.ZstdError, ValueError) as fault:
        raise LogDamaged(file=name, at_byte=at_byte, problem=f"a block cannot be read: {fault}") from fault


def _parts(body: bytes, lengths: list[int]) -> list[bytes]:
    reader = zstandard.ZstdDecompressor()
    ends = [sum(lengths[: at + 1]) for at in range(len(lengths))]
    return [reader.decompress(body[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=CHECK_BYTES).digest()
