"""The in-memory wire delays and loses, but never reorders: it stands for a stream."""

from __future__ import annotations

import numpy as np

from sim_harness.link import Wire


def test_a_frame_arrives_after_its_delay_and_not_before() -> None:
    """A word heard in the tick it was said would hide every race."""
    wire = Wire(np.random.default_rng(1), delay_ticks=2)

    wire.send(5, b"a")

    assert wire.arrived(6) == []
    assert wire.arrived(7) == [b"a"]
    assert wire.arrived(8) == []


def test_jitter_keeps_the_order() -> None:
    """Streams deliver in order: a late frame holds up those behind it."""
    wire = Wire(np.random.default_rng(2), jitter_ticks=8)
    for tick in range(200):
        wire.send(tick, tick.to_bytes(2, "big"))

    heard = [int.from_bytes(frame, "big") for tick in range(220) for frame in wire.arrived(tick)]

    assert heard == list(range(200))


def test_losses_come_at_the_rate_stated() -> None:
    """A campaign's link faults are only as honest as this."""
    wire = Wire(np.random.default_rng(3), loss=0.2)
    for tick in range(5000):
        wire.send(tick, b"x")

    assert abs(len(wire.arrived(5001)) / 5000 - 0.8) < 0.03
