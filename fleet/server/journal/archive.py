"""
What no restart reads any more: records before the newest snapshot, taken out of the journal's file into files of their own.

Nothing is lost: who gave which order, and every grant, is there for as long as the files are kept, and the chain runs through them.
They are never removed by us, and grow by about 60 KB a truck-hour, where the journal's own file had 240 KB of the same records. A
file holds records that follow each other, compressed; the digest before its first and that of its last; and of each record the mark
that trucks remember. It is on the disk whole before the journal lets go of its records, and never changes after that.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from fleet.durable import write_whole
from fleet.server.journal.journal import DIGEST_BYTES, Head, JournalCorrupt, Record, Sealed, checked, seal

PREFIX: Final = "archive-"
SEGMENT_RECORDS: Final = 5000

_MAGIC: Final = b"khulan-a"
# First and last sequence, the digests before the first and of the last.
_HEAD: Final = struct.Struct(f"<8sqq{DIGEST_BYTES}s{DIGEST_BYTES}s")
_MARK: Final = struct.Struct("<Q")
_RECORD: Final = struct.Struct("<qHHI")  # epoch, and the lengths of kind, key and body, which follow
_LEVEL: Final = 6
_MODE: Final = 0o644  # as the journal's own file


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Records *first* to *last* of the journal in *folder*, in one file."""

    folder: Path
    first: int
    last: int

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{PREFIX}{self.first:012d}-{self.last:012d}"


def segments(folder: Path, lasts: Iterable[int]) -> list[Segment]:
    """The files that end with those records, in order."""
    return [Segment(folder=folder, first=before + 1, last=last) for before, last in pairwise((0, *lasts))]


def forget_drafts(folder: Path, up_to: int) -> None:
    """Removes what was written before a crash, and not taken out of the journal after it, which let go of records *up_to* there."""
    for path in folder.glob(f".{PREFIX}*"):
        path.unlink()
    for path in folder.glob(f"{PREFIX}*"):
        _, _, last = path.name.removeprefix(PREFIX).partition("-")
        if last.isdigit() and int(last) > up_to:
            path.unlink()


def write(folder: Path, sealed: Sequence[Sealed]) -> Segment:
    """
    Makes a file of *sealed*, which follow each other; it is durable when this returns, and none when this fails.

    Raises:
        JournalCorrupt: they do not fit each other: such records stay where they are.
        OSError: the disk is full, or failed.
    """
    marks, body = bytearray(), bytearray()
    for row in checked(sealed, sealed[0].head_before):
        marks += _MARK.pack(row.head.mark)
        kind, key = row.record.kind.encode(), row.record.key.encode()
        body += _RECORD.pack(row.epoch, len(kind), len(key), len(row.record.body)) + kind + key + row.record.body
    first, last = sealed[0], sealed[-1]
    segment = Segment(folder=folder, first=first.sequence, last=last.sequence)
    head = _HEAD.pack(_MAGIC, first.sequence, last.sequence, first.previous, last.digest)
    write_whole(segment.path, head + marks + zlib.compress(body, _LEVEL), _MODE)
    return segment


def read(segment: Segment, head: Head) -> Iterator[Sealed]:
    """
    The records of *segment*, which must follow *head*.

    Raises:
        JournalCorrupt: the file is not the one that was written, or not the next.
    """
    place = f"records {segment.first} to {segment.last}"
    try:
        raw = segment.path.read_bytes()
        magic, first, last, previous, digest = _HEAD.unpack_from(raw)
        body = zlib.decompress(raw[_HEAD.size + _MARK.size * (last - first + 1) :])
        rows = list(_rows(body, Head(sequence=first - 1, digest=previous)))
    except (OSError, struct.error, zlib.error, ValueError) as fault:
        raise JournalCorrupt(place=place, problem=f"{segment.path.name} cannot be read: {fault}") from fault
    if magic != _MAGIC or (first, last) != (segment.first, segment.last) or not rows:
        raise JournalCorrupt(place=place, problem=f"{segment.path.name} is not what its name says")
    if (first - 1, previous) != (head.sequence, head.digest):
        raise JournalCorrupt(place=place, problem=f"do not follow record {head.sequence}")
    if (rows[-1].sequence, rows[-1].digest) != (last, digest):
        raise JournalCorrupt(place=place, problem="the content does not match its digest")
    marks = raw[_HEAD.size : _HEAD.size + _MARK.size * len(rows)]
    if marks != b"".join(_MARK.pack(row.head.mark) for row in rows):
        raise JournalCorrupt(place=place, problem="the marks are not those of the records")
    yield from rows


def mark_of(segment: Segment, sequence: int) -> int | None:
    """The mark of one record, without reading the others; None when there is none."""
    try:
        with segment.path.open("rb") as file:
            file.seek(_HEAD.size + _MARK.size * (sequence - segment.first))
            return int(_MARK.unpack(file.read(_MARK.size))[0])
    except (OSError, struct.error):
        return None


def _rows(body: bytes, head: Head) -> Iterator[Sealed]:
    at = 0
    while at < len(body):
        epoch, kind_size, key_size, size = _RECORD.unpack_from(body, at)
        at += _RECORD.size
        kind, key = body[at : at + kind_size].decode(), body[at + kind_size : at + kind_size + key_size].decode()
        at += kind_size + key_size
        record = Record(kind=kind, key=key, body=body[at : at + size])
        at += size
        (sealed,) = seal(head, epoch, [record])
        yield sealed
        head = sealed.head
