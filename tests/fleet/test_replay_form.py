"""The written form of ticks: what was heard comes back as it was, and nothing else is taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from fleet.server.facts import GrantsIssued
from fleet.server.inputs import LinkLost, ReportsHeard
from fleet.server.replay import form
from fleet.server.replay.form import FormBroken


def test_inputs_come_back_bit_for_bit() -> None:
    """Floats too: the core decides on the last bit."""
    chance = np.random.default_rng(1)
    kinds = {"rows": np.int32, "lane_ix": np.int32, "stamp_ns": np.int64, "flags": np.int64}
    whole = {"accepted_epoch", "accepted_sequence", "challenge", "challenge_echo"}

    def reports(count: int) -> ReportsHeard:
        columns = {
            name: chance.integers(-(2**31), 2**31, count).astype(np.int64 if name in whole else kinds.get(name, np.float64))
            for name in ReportsHeard.__slots__
        }
        columns["speed_mps"] = chance.standard_normal(count) * 1e-300
        return ReportsHeard(**columns)  # type: ignore[arg-type]

    for counts in ((3, 3, 3), (2, 5, 0), (0,), ()):
        ticks = [[reports(count), LinkLost(link=count)] for count in counts]

        back = form.inputs(form.encode(ticks))

        assert [[type(each) for each in tick] for tick in back] == [[type(each) for each in tick] for tick in ticks]
        for (before, _), (after, _) in zip(ticks, back, strict=True):
            for name in ReportsHeard.__slots__:
                column, other = getattr(before, name), getattr(after, name)
                assert (column.dtype, column.tobytes()) == (other.dtype, other.tobytes())
                assert other.flags.writeable


@pytest.mark.parametrize("raw", [b"", b"\x01\x00\x00\x00x", form.encode([]) + b"\x00", form.encode([[LinkLost(link=1)]])[:-3]])
def test_bytes_that_were_never_written_are_refused(raw: bytes) -> None:
    """Nothing is guessed at."""
    with pytest.raises(FormBroken):
        form.items(raw)


def test_an_answer_is_no_input() -> None:
    """The two bodies of a block must not be exchanged unnoticed."""
    with pytest.raises(FormBroken):
        form.inputs(
            form.encode(
                [[GrantsIssued(**{name: 0 if name in {"tick", "epoch", "at_ns"} else np.zeros(1) for name in GrantsIssued.__slots__})]]
            )
        )  # type: ignore[arg-type]
    with pytest.raises(FormBroken):
        form.inputs(form.encode([[LinkLost(link="one")]]))  # type: ignore[arg-type]
