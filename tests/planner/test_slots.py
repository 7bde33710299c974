"""Forecasts of queues."""

from __future__ import annotations

import numpy as np
import pytest

from planner.slots import book, fits_before, queue_room, queue_wait_s


def test_two_servers_take_turns() -> None:
    """Four trucks at once at two gates: two at once, two after them."""
    slots = book([0.0, 0.0, 0.0, 0.0], [0.0, 5.0], 10.0)

    assert [(slot.server, slot.start_s, slot.end_s) for slot in slots] == [(0, 0.0, 10.0), (1, 5.0, 15.0), (0, 10.0, 20.0), (1, 15.0, 25.0)]


def test_who_comes_late_does_not_wait() -> None:
    """A free server waits for the truck, not the truck for the server."""
    (slot,) = book([30.0], [0.0], 10.0)

    assert slot.start_s == 30.0


def test_without_servers_nothing_is_booked() -> None:
    """A closed group of gates has no windows, and a wait there never ends."""
    assert book([0.0], [], 10.0) == []
    assert queue_wait_s(3, 0, 10.0) == float("inf")


@pytest.mark.parametrize(("ahead", "servers", "wait_s"), [(0, 2, 0.0), (1, 2, 0.0), (2, 2, 20.0), (5, 2, 40.0), (3, 1, 60.0)])
def test_a_wait_is_whole_services(ahead: int, servers: int, wait_s: float) -> None:
    """Equal servers take the queue in rows."""
    assert queue_wait_s(ahead, servers, 20.0) == wait_s


def test_no_truck_is_parked_across_the_end_of_a_stretch() -> None:
    """Two stretches of one and a half truck lengths hold one truck each, not three together."""
    assert queue_room([25.0, 25.0], 16.5, 3.5) == 2
    assert queue_room([36.5], 16.5, 3.5) == 2
    assert queue_room([36.4], 16.5, 3.5) == 1


def test_who_would_be_late_does_not_fit() -> None:
    """At closing nobody may be left inside."""
    assert fits_before(np.array([50.0, 50.0]), np.array([10.0, 11.0]), 60.0).tolist() == [True, False]
