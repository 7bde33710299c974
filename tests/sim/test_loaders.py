"""Machines that break: when, what the server hears of it, and what is aboard of a truck that was under one."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from sim_harness.clock import Streams
from sim_harness.link import BayCalled, BayState, Cargo, Work
from sim_harness.loaders import FREED_S, Chance, Keeper, Loader, aboard_after
from sim_harness.traffic import Agenda

BOXES = (Cargo(container_id="A", mass_kg=30_000.0), Cargo(container_id="B", mass_kg=31_000.0))
LOAD = BayCalled(bay_id="L1", truck_id="t1", work=Work.LOAD, cargo=BOXES)
VISIT_S = 400.0


class Bay:
    """A machine, its day, and all that is said and noticed of it."""

    def __init__(self, mtbf_h: float = 0.0) -> None:
        """Never breaks by itself unless told."""
        self.now_s = 0.0
        self.said: list[tuple[float, BayState, str]] = []
        self.ended: list[tuple[float, float]] = []
        self.noticed: list[tuple[float, str]] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._turn: Iterator[int] = count()
        chance = Chance(rng=Streams(1).stream("L1", "failure"), mtbf_h=mtbf_h, mttr_min=45.0)
        keeper = Keeper(
            say=lambda _, state, truck_id: self.said.append((self.now_s, state, truck_id)),
            end=lambda _, share: self.ended.append((self.now_s, share)),
            notice=lambda event, **_: self.noticed.append((self.now_s, event)),
        )
        self.machine = Loader("L1", chance, Agenda(after=self._after, now_s=lambda: self.now_s), keeper)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now_s + seconds, next(self._turn), action))

    def until(self, seconds: float) -> None:
        """Let time pass."""
        while self._due and self._due[0][0] <= seconds:
            self.now_s, _, action = heapq.heappop(self._due)
            action()
        self.now_s = seconds


def test_machines_are_broken_as_long_as_the_bound_counts_on() -> None:
    """MTBF 40 h and MTTR 45 min leave 98.2 % of the day, whether there is work or not."""
    bay = Bay(mtbf_h=40.0)

    bay.until(40_000 * 3600.0)

    assert {event for _, event in bay.noticed} == {"loader_broke", "loader_mended"}
    spells = zip(bay.noticed[::2], bay.noticed[1::2], strict=False)
    broken_s = sum(mended_s - broke_s for (broke_s, _), (mended_s, _) in spells)
    assert broken_s / bay.now_s == pytest.approx(0.0184, rel=0.1)
    assert {state for _, state, _ in bay.said} == {BayState.BLOCKED, BayState.READY}


def test_a_truck_under_a_broken_machine_is_free_in_minutes() -> None:
    """With the share of the visit that was done when it broke, and the bay blocked until it is mended."""
    bay = Bay()
    bay.machine.work(LOAD, VISIT_S)
    bay.until(0.3 * VISIT_S)

    bay.machine.breaks()
    bay.until(5000.0)

    assert bay.ended == [(pytest.approx(0.3 * VISIT_S + FREED_S), pytest.approx(0.3))]
    assert bay.said == [(pytest.approx(0.3 * VISIT_S), BayState.BLOCKED, "")]
    bay.machine.mended()
    assert bay.said[1:] == [(5000.0, BayState.READY, "")]


def test_what_is_mended_sooner_than_the_truck_is_free_goes_on() -> None:
    """Nobody drives round for two minutes' repair."""
    bay = Bay()
    bay.machine.work(LOAD, VISIT_S)
    bay.until(100.0)
    bay.machine.breaks()
    bay.until(100.0 + FREED_S - 1.0)

    bay.machine.mended()
    bay.until(5000.0)

    assert bay.ended == [(pytest.approx(VISIT_S + FREED_S - 1.0), 1.0)]
    assert [(state, truck_id) for _, state, truck_id in bay.said] == [(BayState.BLOCKED, ""), (BayState.WORKING, "t1")]


def test_a_machine_that_breaks_twice_is_mended_twice() -> None:
    """Power is back, and what broke by itself meanwhile is still broken."""
    bay = Bay()

    bay.machine.breaks()
    bay.machine.breaks()
    bay.machine.mended()
    assert bay.machine.broken
    bay.machine.mended()

    assert not bay.machine.broken
    assert [state for _, state, _ in bay.said] == [BayState.BLOCKED, BayState.READY]


@pytest.mark.parametrize("breaks", [False, True])
def test_a_visit_called_for_twice_goes_on(breaks: bool) -> None:
    """A new server asks again for what the machine is at, or stands broken over: the truck is free once, not twice."""
    bay = Bay()
    assert bay.machine.takes(LOAD)
    bay.machine.work(LOAD, VISIT_S)
    bay.until(300.0)
    if breaks:
        bay.machine.breaks()

    assert not bay.machine.takes(LOAD)
    bay.until(5000.0)

    assert bay.ended == [(pytest.approx(300.0 + FREED_S), 0.75) if breaks else (pytest.approx(VISIT_S), 1.0)]
    assert bay.said[-1][1] is (BayState.BLOCKED if breaks else BayState.WORKING)


@pytest.mark.parametrize(
    ("work", "share", "aboard"),
    [
        (Work.LOAD, 0.0, 0),
        (Work.LOAD, 0.74, 0),
        (Work.LOAD, 0.75, 1),
        (Work.LOAD, 1.0, 2),
        (Work.UNLOAD, 0.0, 2),
        (Work.UNLOAD, 0.24, 2),
        (Work.UNLOAD, 0.25, 1),
        (Work.UNLOAD, 0.5, 0),
        (Work.UNLOAD, 1.0, 0),
    ],
)
def test_two_boxes_come_off_before_two_go_on(work: Work, share: float, aboard: int) -> None:
    """Four lifts of like length: a load begins with empties, an unloading ends with them."""
    assert aboard_after(work, share, 2) == aboard
