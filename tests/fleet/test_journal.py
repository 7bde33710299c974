from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.server.journal.journal import (
    ChainReader,
    Head,
    JournalCorrupt,
    JournalFenced,
    MemoryJournal,
    Record,
    Sealed,
    framed,
    seal,
)


def records(count: int) -> list[Record]:
    """So many records, all different."""
    return [Record(kind="Fact", key=str(at), body=bytes([at])) for at in range(count)]


def read(chain: list[Sealed], *, starts_with_snapshot: bool = False) -> tuple[Record, ...]:
    """What a reader makes of *chain*."""
    reader = ChainReader(starts_with_snapshot=starts_with_snapshot)
    for sealed in chain:
        reader.feed(sealed)
    return reader.finish().records


def test_a_chain_reads_back_as_it_was_sealed() -> None:
    """Recovery must see every decision, in order."""
    chain = seal(Head(), 1, records(3))

    found = read(chain)

    assert found == tuple(records(3))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda chain: chain[1:], id="first missing"),
        pytest.param(lambda chain: [chain[0], chain[2]], id="middle missing"),
        pytest.param(lambda chain: [chain[0], chain[2], chain[1]], id="reordered"),
        pytest.param(lambda chain: [chain[0], replace(chain[1], epoch=0), chain[2]], id="epoch changed"),
        pytest.param(lambda chain: [replace(chain[0], record=records(2)[1]), *chain[1:]], id="content changed"),
        pytest.param(lambda chain: [chain[0], chain[0], *chain[1:]], id="doubled"),
    ],
)
def test_a_damaged_chain_is_refused(damage: object) -> None:
    """A journal that lies must stop the server, not steer it."""
    chain = seal(Head(), 1, records(3))

    with pytest.raises(JournalCorrupt):
        read(damage(chain))  # type: ignore[operator]


def test_contents_that_join_alike_have_different_digests() -> None:
    """Lengths are sealed too: moving a byte from kind to key is a change."""
    one = seal(Head(), 1, [Record(kind="ab", key="c", body=b"")])
    other = seal(Head(), 1, [Record(kind="a", key="bc", body=b"")])

    assert one[0].digest != other[0].digest


def test_recovery_from_a_snapshot_leaves_its_frame_out() -> None:
    """The loop applies facts; it knows nothing of how the journal keeps them."""
    before = seal(Head(), 1, records(2))
    head = Head(sequence=before[-1].sequence, digest=before[-1].digest)
    chain = seal(head, 1, [*framed(records(3)), Record(kind="Fact", key="after", body=b"")])

    found = read(chain, starts_with_snapshot=True)

    assert [record.key for record in found] == ["0", "1", "2", "after"]


def test_half_a_snapshot_is_no_snapshot() -> None:
    """Facts missing from a snapshot are authorities forgotten."""
    chain = seal(Head(), 1, framed(records(3)))

    with pytest.raises(JournalCorrupt):
        read(chain[:-1], starts_with_snapshot=True)


def test_a_snapshot_in_the_middle_means_a_newer_one_was_forgotten() -> None:
    """Reading on from an older place would apply the same facts twice."""
    chain = seal(Head(), 1, [*records(2), *framed(records(1))])

    with pytest.raises(JournalCorrupt):
        read(chain)


def test_an_older_epoch_may_not_append() -> None:
    """The fence is what makes a server that was paused and replaced harmless."""
    journal = MemoryJournal()
    old = journal.acquire()
    new = journal.acquire()

    journal.append(new, records(1))

    with pytest.raises(JournalFenced):
        journal.append(old, records(1))
