"""What reaches the disk, in which order, and what is left when the power goes in between."""

from __future__ import annotations

from pathlib import Path

from tests.soak.power_cut import lived, losses

STATES = 2000
HASTY_STATES = 100


def test_no_cut_at_any_instant_loses_what_was_promised(tmp_path: Path) -> None:
    """Whatever was sent to a truck or answered to a person is there after the power comes back, and the server starts."""
    log = lived(tmp_path, "--commits", "20")

    assert losses(log, STATES, seed=1) == []


def test_a_journal_that_does_not_wait_for_the_disk_is_found_out(tmp_path: Path) -> None:
    """Cuts that lose nothing prove nothing, unless the same cuts lose something of a journal that never syncs a commit."""
    log = lived(tmp_path, "--commits", "20", "--synchronous", "normal")

    found = losses(log, HASTY_STATES, seed=1)

    assert any("were promised" in loss for loss in found)
