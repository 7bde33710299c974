"""What a truck must not forget, and what it does when it might have."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.onboard.store import NOTHING_SEEN, FileStore, JournalSeen, StoreUnreadable, Term


def test_a_term_survives_the_process(tmp_path: Path) -> None:
    """A restarted truck that forgot its term could be talked into an older server's authority."""
    store = FileStore(tmp_path / "terms")
    store.remember(Term(3, 17))
    store.close()

    assert FileStore(tmp_path / "terms").highest() == Term(3, 17)


def test_a_lower_term_is_not_remembered(tmp_path: Path) -> None:
    """The highest ever accepted only rises."""
    store = FileStore(tmp_path / "terms")
    store.remember(Term(3, 17))
    store.remember(Term(2, 99))

    assert store.highest() == Term(3, 17)


def test_a_torn_write_costs_at_most_the_newest_term(tmp_path: Path) -> None:
    """A power cut may tear the slot being written, never the one before it, which is what was acknowledged last."""
    path = tmp_path / "terms"
    store = FileStore(path)
    for sequence in range(1, 6):
        store.remember(Term(1, sequence))
    store.close()
    whole = path.read_bytes()

    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        found = FileStore(path)
        assert found.highest() in {Term(1, 4), Term(1, 5)}
        found.close()


def test_a_memory_that_cannot_be_read_is_not_begun_anew(tmp_path: Path) -> None:
    """Silently starting from nothing is the one thing this file exists to prevent."""
    path = tmp_path / "terms"
    path.write_bytes(b"\0" * 700)

    with pytest.raises(StoreUnreadable):
        FileStore(path)


def test_a_write_that_fails_leaves_the_last_good_term(tmp_path: Path) -> None:
    """The truck dies of the error; what it wakes up with is what it had acknowledged."""
    path = tmp_path / "terms"
    store = FileStore(path)
    store.remember(Term(1, 1))
    store.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        store.remember(Term(1, 2))

    assert store.highest() == Term(1, 1)
    assert FileStore(path).highest() == Term(1, 1)


def test_how_far_the_journal_went_survives_with_the_next_term(tmp_path: Path) -> None:
    """What was granted since a copy was made is what the copy must not be believed about; each grant writes it down."""
    path = tmp_path / "terms"
    store = FileStore(path)
    store.remember(Term(3, 17))
    store.note_journal(JournalSeen(400, 2**63 + 5))
    store.close()
    before = FileStore(path).journal_seen()

    store = FileStore(path)
    store.note_journal(JournalSeen(400, 2**63 + 5))
    store.remember(Term(3, 18))
    store.close()

    assert before == NOTHING_SEEN
    assert FileStore(path).journal_seen() == JournalSeen(400, 2**63 + 5)


def test_a_memory_of_an_older_version_is_read(tmp_path: Path) -> None:
    """It knows terms only; software that is put back reads what this one wrote, too."""
    path = tmp_path / "terms"
    store = FileStore(path)
    store.remember(Term(3, 17))
    store.close()
    whole = bytearray(path.read_bytes())
    for slot in (0, 512):
        whole[slot + 36 : slot + 56] = bytes(len(whole[slot + 36 : slot + 56]))
    path.write_bytes(whole)

    assert FileStore(path).highest() == Term(3, 17)
    assert FileStore(path).journal_seen() == NOTHING_SEEN
