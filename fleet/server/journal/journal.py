"""
The journal: an append-only, chained, fenced record of everything the server decided.

A server may speak only of what is already here: whoever reads the journal after a crash knows every authority that any truck
may hold. Each record carries a digest over its own content and the digest before it, so a flipped, missing or reordered record
breaks the chain, and a broken chain means that nothing is granted. A new server takes a higher epoch first; an append in an
older epoch is refused by the journal itself, which is what makes two live servers harmless.

`MemoryJournal` keeps the same promises but one: it dies with the process. Virtual time uses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import ClassVar, Final, Protocol

from fleet.errors import Code, FleetError

DIGEST_BYTES: Final = 32
GENESIS: Final = bytes(DIGEST_BYTES)
EPOCH_BEGAN: Final = "EpochBegan"
SNAPSHOT_BEGAN: Final = "SnapshotBegan"
SNAPSHOT_ENDED: Final = "SnapshotEnded"
FRAMING: Final = frozenset({EPOCH_BEGAN, SNAPSHOT_BEGAN, SNAPSHOT_ENDED})
# Kept for ever beside the chain, whatever becomes of what a snapshot replaced.
AUDITED: Final = "Audited"

_HEADER: Final = Struct("<qqIII")


@dataclass(eq=False)
class JournalCorrupt(FleetError):
    """The journal is damaged: what it says cannot be believed, so nothing will be granted."""

    code: ClassVar[Code] = Code.BUG
    hint: ClassVar[str] = (
        "Every truck stands and is given nothing. Restore the data folder (`fleet journal restore`), or clear the corridor of trucks and "
        "start with a new folder."
    )

    place: str
    problem: str


@dataclass(eq=False)
class JournalFenced(FleetError):
    """Another server has taken charge: this one may not append any more."""

    code: ClassVar[Code] = Code.BUG

    epoch: int
    newest_epoch: int


@dataclass(eq=False)
class JournalLocked(FleetError):
    """Another server holds this journal."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Stop the other server, or name another data folder."

    folder: str


@dataclass(eq=False)
class JournalFull(FleetError):
    """There is no room to journal: nothing new is granted, stops still leave."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Free space on the disk of the data folder; the server goes on by itself."

    folder: str


@dataclass(eq=False)
class JournalFailed(FleetError):
    """The journal cannot be written, and a second try after a failed sync would lie: the server ends."""

    code: ClassVar[Code] = Code.BUG

    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something to remember: *kind* names its form, *key* whom or what it is about (may be empty)."""

    kind: str
    key: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A record in its place in the chain."""

    sequence: int
    epoch: int
    record: Record
    previous: bytes
    digest: bytes

    @property
    def head(self) -> Head:
        """Of the chain that ends here."""
        return Head(sequence=self.sequence, digest=self.digest)

    @property
    def head_before(self) -> Head:
        """Of the chain that this follows, as it says itself."""
        return Head(sequence=self.sequence - 1, digest=self.previous)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest record of a chain; sequence 0 is the empty chain."""

    sequence: int = 0
    digest: bytes = GENESIS

    @property
    def mark(self) -> int:
        """Enough of the digest to tell journals apart, as the wire has it."""
        return int.from_bytes(self.digest[:8], "little")


NOTHING: Final = Head()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a server must know to go on: the newest snapshot's records and everything after it, framing left out."""

    epoch: int  # the last one that any server held; 0 for none
    records: tuple[Record, ...]
    head: Head
    snapshot_count: int = 0  # how many of the records are the snapshot's, which come first


class Journal(Protocol):
    """One ledger's journal. Calls come from one thread at a time."""

    def recover(self) -> Recovery:
        """
        Everything since the newest snapshot, with the chain checked.

        Raises:
            JournalCorrupt: the chain, the framing or the head does not fit.
        """
        ...

    def acquire(self) -> int:
        """Takes charge: the returned epoch is higher than any before, durably."""
        ...

    def append(self, epoch: int, records: Sequence[Record]) -> int:
        """
        Makes *records* durable, all or none; the answer is the newest sequence.

        Raises:
            JournalFenced: a later epoch was acquired.
            JournalFull: no room; nothing was appended, trying again is right.
            JournalFailed: anything else; trying again would lie.
        """
        ...

    def snapshot(self, epoch: int, records: Sequence[Record]) -> int:
        """Like `append`, and recovery starts from here."""
        ...

    def compact(self) -> None:
        """After a snapshot: whatever no restart reads any more may be put away, as long as it can still be read."""
        ...

    def has_room(self) -> bool:
        """Whether grants may be promised: false from the first `JournalFull` until there is room to spare again."""
        ...

    def close(self) -> None:
        """Lets go of the journal."""
        ...


def digest_of(sequence: int, epoch: int, record: Record, previous: bytes) -> bytes:
    """The digest that seals *record* after *previous*; lengths are part of it, so no two contents read alike."""
    kind, key = record.kind.encode(), record.key.encode()
    chain = blake2b(previous, digest_size=DIGEST_BYTES)
    chain.update(_HEADER.pack(sequence, epoch, len(kind), len(key), len(record.body)))
    chain.update(kind)
    chain.update(key)
    chain.update(record.body)
    return chain.digest()


def seal(head: Head, epoch: int, records: Iterable[Record]) -> list[Sealed]:
    """Chains *records* behind *head*."""
    sealed: list[Sealed] = []
    sequence, previous = head.sequence, head.digest
    for record in records:
        sequence += 1
        digest = digest_of(sequence, epoch, record, previous)
        sealed.append(Sealed(sequence=sequence, epoch=epoch, record=record, previous=previous, digest=digest))
        previous = digest
    return sealed


def framed(records: Sequence[Record]) -> list[Record]:
    """A snapshot's records between its two framing records; the count is inside, so that a half is never taken for a whole."""
    count = str(len(records)).encode()
    return [Record(kind=SNAPSHOT_BEGAN, key="", body=count), *records, Record(kind=SNAPSHOT_ENDED, key="", body=count)]


def epoch_record(epoch: int) -> Record:
    """The record that opens *epoch*."""
    return Record(kind=EPOCH_BEGAN, key="", body=str(epoch).encode())


def next_head(head: Head, sealed: Sealed) -> Head:
    """
    The head of a chain once *sealed* has followed *head*.

    Raises:
        JournalCorrupt: it does not follow, or is not what was sealed.
    """
    problem = ""
    if sealed.sequence != head.sequence + 1:
        problem = f"follows record {head.sequence}: records are missing" if head.sequence else "the chain does not begin at its beginning"
    elif sealed.previous != head.digest:
        problem = "does not name the record before it"
    elif sealed.digest != digest_of(sealed.sequence, sealed.epoch, sealed.record, sealed.previous):
        problem = "the content does not match its digest"
    if problem:
        raise JournalCorrupt(place=f"record {sealed.sequence}", problem=problem)
    return sealed.head


def checked(chain: Iterable[Sealed], head: Head = NOTHING) -> Iterator[Sealed]:
    """
    *chain* as it is, as far as its records follow each other, the first of them *head*.

    Raises:
        JournalCorrupt: one does not.
    """
    for sealed in chain:
        head = next_head(head, sealed)
        yield sealed


class ChainReader:
    """
    Reads a chain from the newest snapshot on (or from its first record) and refuses whatever does not fit.

    Feed every record in order, then `finish`. A snapshot may stand only at the very start: any other means that a newer one
    was forgotten.
    """

    def __init__(self, *, starts_with_snapshot: bool) -> None:
        self._snapshot_left = -1
        self._snapshot_count = 0
        self._awaits_snapshot = starts_with_snapshot
        self._first = True
        self._epoch = 0
        self._records: list[Record] = []
        self.head = Head()

    @property
    def records(self) -> tuple[Record, ...]:
        """What was fed so far, framing left out."""
        return tuple(self._records)

    def feed(self, sealed: Sealed) -> None:
        """
        Takes the next record.

        Raises:
            JournalCorrupt: it does not follow.
        """
        # What comes before the newest snapshot is not read: its own word for that is taken.
        head = next_head(sealed.head_before if self._first and self._awaits_snapshot else self.head, sealed)
        if sealed.epoch < self._epoch:
            self._fault(sealed.sequence, "the epoch fell")
        self.head, self._epoch = head, sealed.epoch
        kind = sealed.record.kind
        if kind == SNAPSHOT_BEGAN:
            self._begin_snapshot(sealed)
        elif self._awaits_snapshot:
            self._fault(sealed.sequence, "no snapshot where one was noted")
        elif kind == SNAPSHOT_ENDED:
            self._end_snapshot(sealed)
        elif kind not in FRAMING:
            self._snapshot_left -= self._snapshot_left > 0
            self._records.append(sealed.record)
        self._first = False

    def finish(self) -> Recovery:
        """
        The chain as read.

        Raises:
            JournalCorrupt: a snapshot was begun or expected and did not end.
        """
        if self._awaits_snapshot or self._snapshot_left >= 0:
            self._fault(self.head.sequence, "the snapshot is not whole")
        return Recovery(epoch=self._epoch, records=self.records, head=self.head, snapshot_count=self._snapshot_count)

    def _begin_snapshot(self, sealed: Sealed) -> None:
        if not self._awaits_snapshot:
            self._fault(sealed.sequence, "a snapshot that nobody noted")
        self._awaits_snapshot = False
        self._snapshot_left = self._snapshot_count = int(sealed.record.body)

    def _end_snapshot(self, sealed: Sealed) -> None:
        if self._snapshot_left != 0 or len(self._records) != int(sealed.record.body):
            self._fault(sealed.sequence, "the snapshot is not whole")
        self._snapshot_left = -1

    def _fault(self, sequence: int, problem: str) -> None:
        raise JournalCorrupt(place=f"record {sequence}", problem=problem)


class MemoryJournal:
    """A journal for virtual time: same epochs, same fence, same order; keeps only a count unless told to *keep* the records."""

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep
        self._epoch = 0
        self._kept: list[Record] = []
        self.sequence = 0

    def recover(self) -> Recovery:
        """What was kept; the head has no digest, for nothing can change it behind our back."""
        return Recovery(epoch=self._epoch, records=tuple(self._kept), head=Head(sequence=self.sequence))

    def acquire(self) -> int:
        """Takes charge."""
        self._epoch += 1
        self.sequence += 1
        return self._epoch

    def append(self, epoch: int, records: Sequence[Record]) -> int:
        """
        Counts *records*, and keeps them if told to.

        Raises:
            JournalFenced: a later epoch was acquired.
        """
        if epoch != self._epoch:
            raise JournalFenced(epoch=epoch, newest_epoch=self._epoch)
        self.sequence += len(records)
        if self._keep:
            self._kept.extend(records)
        return self.sequence

    def snapshot(self, epoch: int, records: Sequence[Record]) -> int:
        """
        Replaces what is kept.

        Raises:
            JournalFenced: a later epoch was acquired.
        """
        self._kept.clear()
        return self.append(epoch, records)

    def compact(self) -> None:
        """Nothing is kept that a restart would not read."""

    def has_room(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Nothing to let go of."""
