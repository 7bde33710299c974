"""When a snapshot is due: often enough for a quick start, and never so often that a server writes little else."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.server.journal.journal import Record
from fleet.server.journal.pace import SnapshotPace
from fleet.server.journal.sqlite import SqliteJournal

LEAST = 100


@pytest.fixture
def pace() -> SnapshotPace:
    """Of a journal that begins."""
    return SnapshotPace(LEAST)


def test_what_little_is_remembered_is_said_anew_after_the_least_number(pace: SnapshotPace) -> None:
    """A snapshot of nothing costs nothing, and spares the next start that many facts."""
    pace.journalled(LEAST - 1)
    before = pace.due
    pace.journalled(1)

    assert (before, pace.due) == (False, True)


@pytest.mark.parametrize("remembered", [10, 1_000, 100_000])
def test_snapshots_are_at_most_half_of_what_is_written_and_a_start_reads_at_most_twice_what_is_remembered(
    pace: SnapshotPace, remembered: int
) -> None:
    """However much is remembered: at a fixed interval it would be written again and again."""
    facts = said_anew = longest = since = 0
    pace.taken(remembered)
    while facts < 10 * max(remembered, LEAST):
        facts, since = facts + 7, since + 7
        pace.journalled(7)
        longest = max(longest, since)
        if pace.due:
            pace.taken(remembered)
            said_anew, since = said_anew + remembered, 0

    assert said_anew <= facts
    assert longest <= max(remembered, LEAST) + 7


def test_a_server_that_dies_again_and_again_gets_to_its_snapshot(pace: SnapshotPace) -> None:
    """Facts of servers before it count: else a start would read more each time."""
    pace.recovered(snapshot=300, since=299)
    before = pace.due
    pace.journalled(1)

    assert (before, pace.due) == (False, True)


def test_a_journal_says_how_much_of_it_was_a_snapshot(tmp_path: Path) -> None:
    """What a start goes on counting from."""
    records = [Record(kind="Fact", key=str(number), body=b"x") for number in range(9)]
    journal = SqliteJournal(tmp_path)
    begun = journal.recover().snapshot_count
    epoch = journal.acquire()
    journal.append(epoch, records[:2])
    journal.snapshot(epoch, records[:5])
    journal.append(epoch, records[5:])
    journal.close()

    again = SqliteJournal(tmp_path)
    recovery = again.recover()
    again.close()

    assert begun == 0
    assert (recovery.snapshot_count, len(recovery.records)) == (5, 9)
