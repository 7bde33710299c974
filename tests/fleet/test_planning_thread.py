"""Planning beside the ticks: what it finds is heard between two of them, and its end is nobody else's."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from fleet.server.planning import LOOK_TICKS
from fleet.server.planning_thread import LOOK_AT_TICK, PlanningThread
from fleet.site import load_site
from planner.foresight.seen import Seen, chart_of
from planner.foresight.turns import Turns
from planner.tables import LaneTable, TruckTable

SITE = load_site("crossing")
LANES = LaneTable.of(SITE)
CHART = chart_of(SITE, LANES, [30.0] * len(SITE.gates))


def empty(now_ns: int = 7) -> Seen:
    """A fleet of nobody."""
    return Seen.of(TruckTable(LANES, 1), np.zeros(0, np.bool_), np.zeros(0), now_ns)


def heard(planning: PlanningThread) -> Turns:
    """What the next ticks hear, however many it takes."""
    waiting = threading.Event()
    for tick in range(1, 6000):
        found = planning.take(tick)
        if found:
            return found[0]
        waiting.wait(0.01)
    raise AssertionError("nothing was found in a minute")


def test_what_was_found_is_heard_once_by_the_tick_that_asks() -> None:
    """The loop hears turns when it begins a tick, and never in the middle of one: nothing else hands them over."""
    planning = PlanningThread(CHART)
    planning.start()

    planning.look(LOOK_AT_TICK, empty)
    turns = heard(planning)
    again = planning.take(LOOK_AT_TICK + 1)
    planning.stop()

    assert (turns.seen_ns, len(turns.zone)) == (7, 0)
    assert again == ()


def test_the_fleet_is_drawn_only_when_it_is_looked_at() -> None:
    """Copying it costs the tick, so most ticks do not; and without a thread nobody would read it."""
    drawn: list[int] = []

    def draw() -> Seen:
        drawn.append(1)
        return empty()

    planning = PlanningThread(CHART)
    planning.look(LOOK_AT_TICK, draw)
    planning.start()
    for tick in range(1, LOOK_TICKS + 1):
        planning.look(tick, draw)
    planning.stop()

    assert len(drawn) == 1


def test_a_plan_that_fails_ends_planning_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """Trucks drive without plans as they did before there were any."""
    planning = PlanningThread(CHART)
    broken = Seen.of(TruckTable(LANES, 1), np.ones(3, np.bool_), np.zeros(0), 7)
    planning.start()

    planning.look(LOOK_AT_TICK, lambda: broken)
    ended = threading.Event()
    for _ in range(6000):
        if not any(thread.name == "planning" for thread in threading.enumerate()):
            break
        ended.wait(0.01)
    planning.look(LOOK_TICKS + LOOK_AT_TICK, empty)

    assert planning.take(LOOK_TICKS + LOOK_AT_TICK + 1) == ()
    planning.stop()
    said = capsys.readouterr()
    assert "planning_failed" in said.out + said.err


def test_an_end_waits_for_no_plan() -> None:
    """A server that ends must not be held up by a search."""
    planning = PlanningThread(CHART)
    planning.start()
    for tick in range(LOOK_AT_TICK, 4 * LOOK_TICKS, LOOK_TICKS):
        planning.look(tick, empty)

    planning.stop()

    assert not any(thread.name == "planning" for thread in threading.enumerate())
