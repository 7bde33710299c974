"""Progress: trucks that wait for each other are found and named, whoever is forgotten is, and an ordinary day is quiet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fleet.server.dispatch import departures, sections
from planner.authority import Cause
from planner.corridor import StandKind
from planner.sections import Side, Turn, Verdict
from sim_harness.books import Books
from sim_harness.campaign.outcome import Failing, ways
from sim_harness.clock import Streams
from sim_harness.day import Wish, run_day
from sim_harness.progress import LOOK_S, ProgressWatch
from sim_harness.recording import Recorder
from sim_harness.report import Report
from sim_harness.scenario import load_scenario
from sim_harness.tiny import tiny_roster
from sim_harness.truck_agent import Trucks
from sim_harness.waits import Wait, cycle, locked
from tests.sim.mutants.patching import patched

pytestmark = pytest.mark.xdist_group("runner")

SECTION = str(Path(__file__).parent / "sites" / "long_section.scenario.yaml")


def waiting(row: int, *on: int, every: bool = True) -> Wait:
    """A truck that waits for others."""
    return Wait(row=row, cause=Cause.ZONE, place_id="z", on=on, every=every)


def table(*waits: Wait) -> dict[int, Wait]:
    """Waits by row."""
    return {wait.row: wait for wait in waits}


@pytest.mark.parametrize(
    ("waits", "rows", "ring"),
    [
        ((waiting(0, 1), waiting(1, 0)), [0, 1], [0, 1]),
        ((waiting(0, 1), waiting(1, 2), waiting(2, 1)), [0, 1, 2], [1, 2]),
        ((waiting(0, 1, 9), waiting(1, 0)), [0, 1], [0, 1]),
        ((waiting(0, 1, 2, every=False), waiting(1, 0), waiting(2, 0)), [0, 1, 2], [0, 1]),
        ((waiting(3, 5), waiting(5, 7), waiting(7, 3)), [3, 5, 7], [3, 5, 7]),
    ],
)
def test_trucks_that_wait_for_one_another_are_locked(waits: Sequence[Wait], rows: list[int], ring: list[int]) -> None:
    """A way round that nobody can leave is the one thing that never ends by itself."""
    held = table(*waits)

    assert locked(held) == rows
    assert cycle(held, rows) == ring


@pytest.mark.parametrize(
    "waits",
    [
        (waiting(0, 1), waiting(1, 2)),
        (waiting(0, 1, 9, every=False), waiting(1, 0)),
        (waiting(0), waiting(1, 0)),
    ],
)
def test_a_wait_that_ends_with_a_truck_that_goes_on_locks_nobody(waits: Sequence[Wait]) -> None:
    """A queue is no ring, one of two stands may come free, and who is kept by nobody seen is another matter."""
    assert locked(table(*waits)) == []


def no_queue() -> AbstractContextManager[None]:
    """Trucks go from stand to stand only: on a site as full as can be nobody can leave before somebody else has."""
    return patched(departures, "staging_of", lambda *_: None)


def bays_alone() -> AbstractContextManager[None]:
    """A truck that leaves a yard looks for a bay in the other one, and overlooks the parking stands."""
    return patched(departures, "_REFUGES", ((StandKind.BAY,),))


def one_side_only() -> AbstractContextManager[None]:
    """A one-lane section that is always the homeward side's."""

    def decide(turn: Turn, sides: tuple[Side, Side], _: int) -> Verdict:
        return Verdict(turn=replace(turn, side=1), tokens=tuple(comer.row for comer in sides[1].comers[:1]))

    return patched(sections, "decide", decide)


def run(scenario: str, hours: float, trucks: int) -> Report:
    """A day of its own length and fleet."""
    return run_day(load_scenario(scenario, [], seed=1, hours=hours, trucks=trucks), Wish(), lambda _: None)


def test_a_dispatcher_that_lets_trucks_lock_each_other_is_found_out_and_the_ring_is_named() -> None:
    """Nothing is unsafe about it, and nothing moves: whoever is woken must see at once who waits for whom."""
    with no_queue():
        report = run("crossing", 0.06, 12)

    assert report.verdict == "fail"
    assert report.standstills >= 1
    said = next(failure for failure in report.failures if "standstill" in failure)
    assert "t005 waits for stand e_park_01 of east taken by t007; t007 waits for stand w_bay_01 of west taken by t005" in said
    assert ways(report, 0.06) == (Failing.STANDSTILL,)


def test_the_same_day_with_the_dispatcher_as_it_is_makes_progress() -> None:
    """A truck on every stand is the most a site is made for."""
    report = run("crossing", 0.12, 12)

    assert report.verdict == "pass", report.failures
    assert report.round_trips >= 4


@pytest.mark.parametrize(
    ("mutant", "scenario", "trucks", "said"),
    [(bays_alone, "crossing", 8, "waits (stand west), and nobody"), (one_side_only, SECTION, 2, "waits (zone narrow), and nobody")],
)
def test_a_truck_that_is_forgotten_is_found(mutant: object, scenario: str, trucks: int, said: str) -> None:
    """A decision that never comes leaves no ring, only somebody who waits for nobody."""
    assert callable(mutant)
    with mutant():
        report = run(scenario, 0.2, trucks)

    assert report.verdict == "fail"
    assert any(said in failure for failure in report.failures), report.failures


def test_an_ordinary_hour_is_quiet() -> None:
    """Queues at bays, gates and merges are what a full day looks like."""
    report = run("mandula", 1.0, 10)

    assert report.verdict == "pass", report.failures
    assert report.standstills == 0
    assert 0.0 < report.longest_wait_s < 1800.0


def test_a_truck_that_drives_on_and_on_and_gets_nothing_done_is_found() -> None:
    """Motion is no progress: a truck sent round and round burns its battery and carries nothing."""
    roster = tiny_roster(1)
    trucks = Trucks(roster, Streams(1), np.zeros(1, np.int32), np.array([50.0]))
    books = Books(roster, Recorder(None, roster))
    watch = ProgressWatch(roster, trucks.columns, books)

    for at in range(900):
        trucks.columns.motion.nose_m[0] += 10.0 * LOOK_S
        trucks.columns.motion.speed_mps[0] = 10.0
        if at == 30:
            books.notice("gate_passed", truck_id=roster.truck_ids[0], gate_id="g", wait_s=0.0)
        watch.look(trucks.view(at * LOOK_S), None, calm=True)

    assert len(watch.found) == 1
    assert "got nothing done" in watch.found[0].sentence
