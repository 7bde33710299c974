"""What a truck must not forget, and what it does when it might have."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.onboard.store import FileStore, StoreUnreadable, Term


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
