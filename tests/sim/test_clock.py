"""Chance must replay from a seed and must not leak between policies."""

from __future__ import annotations

import numpy as np

from sim_harness.clock import NormalColumns, Streams, VirtualClock


def test_a_stream_does_not_depend_on_other_streams() -> None:
    """A policy that asks one more question of chance must not change anybody else's day."""
    alone = Streams(7).stream("bay-1", "service").random(5)
    crowd = Streams(7)
    crowd.stream("bay-2", "service").random(100)

    beside = crowd.stream("bay-1", "service").random(5)

    assert alone.tolist() == beside.tolist()


def test_names_and_seeds_separate_streams() -> None:
    """Two bays with one stream would break down together."""
    first = Streams(7).stream("bay-1", "service").random()

    others = {
        Streams(7).stream("bay-1", "failure").random(),
        Streams(7).stream("bay-2", "service").random(),
        Streams(8).stream("bay-1", "service").random(),
    }

    assert first not in others
    assert len(others) == 3


def test_columns_equal_the_streams_they_are_made_of() -> None:
    """Drawing in blocks is a matter of speed and must not change a truck's noise."""
    columns = NormalColumns(Streams(3), ("a", "b"), "noise")
    single = Streams(3).stream("b", "noise").standard_normal(1024)

    drawn = np.array([columns.draw()[1] for _ in range(1024)])

    assert drawn.tolist() == single.tolist()


def test_time_moves_by_whole_ticks() -> None:
    """Time kept as a sum of floats would drift from the server's."""
    clock = VirtualClock()

    for _ in range(36_000):
        clock.advance()

    assert clock.now_ns == 3_600_000_000_000
    assert clock.now_s == 3600.0
