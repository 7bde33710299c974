"""Progress: trucks that wait for each other are found and named, whoever is forgotten is, and an ordinary day is quiet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fleet.server.fleet_view import FleetView
from planner.authority import Cause
from sim_harness import progress
from sim_harness.books import Books
from sim_harness.campaign.outcome import Failing, ways
from sim_harness.clock import Streams
from sim_harness.day import Wish, run_day
from sim_harness.progress import LOCKED_S, LOOK_S, UNUSED_S, ProgressWatch
from sim_harness.recording import Recorder
from sim_harness.report import Report
from sim_harness.scenario import load_scenario
from sim_harness.tiny import tiny_roster
from sim_harness.truck_agent import Trucks
from sim_harness.waits import Wait, cycle, locked
from tests.sim.mutants.dispatching import bays_alone, no_heads, no_queue, one_side_only

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
        ((waiting(0, 1, 2, every=False), waiting(1, 0), waiting(2, 3), waiting(3, 4), waiting(4, 2)), [0, 1, 2, 3, 4], [2, 3, 4]),
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


def test_a_run_ends_once_nobody_can_move_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of the day would show nothing but trucks that stand; it is no server that stopped itself, either."""
    monkeypatch.setattr(progress, "STANDSTILL_ENDS_S", 180.0)
    with no_queue():
        report = run("crossing", 0.5, 12)

    assert report.standstill_since_s is not None
    assert report.standstill_since_s + 180.0 <= report.sim_seconds < 1_000.0
    assert any("nobody has moved since" in failure for failure in report.failures), report.failures
    assert ways(report, 0.5) == (Failing.STANDSTILL,)


def test_the_same_day_with_the_dispatcher_as_it_is_makes_progress() -> None:
    """A truck on every stand is the most a site is made for."""
    report = run("crossing", 0.12, 12)

    assert report.verdict == "pass", report.failures
    assert report.round_trips >= 4


@pytest.mark.parametrize(
    ("mutant", "scenario", "trucks", "said"),
    [
        (bays_alone, "crossing", 8, "waits (stand west), and nobody"),
        (one_side_only, SECTION, 2, "waits (zone narrow), and nobody"),
        (no_heads, "mandula", 10, "while a bay of mn is free"),
    ],
)
def test_a_truck_that_is_forgotten_is_found(mutant: object, scenario: str, trucks: int, said: str) -> None:
    """A decision that never comes leaves no ring, only somebody who waits for nobody."""
    assert callable(mutant)
    with mutant():
        report = run(scenario, 0.3, trucks)

    assert report.verdict == "fail"
    assert any(said in failure for failure in report.failures), report.failures


def test_an_ordinary_hour_is_quiet() -> None:
    """Queues at bays, gates and merges are what a full day looks like."""
    report = run("mandula", 1.0, 10)

    assert report.verdict == "pass", report.failures
    assert report.standstills == 0
    assert 0.0 < report.longest_wait_s < 1800.0


class Watched:
    """Trucks on the tiny corridor that stand or creep where a test puts them, for causes that it names."""

    def __init__(self, *places: tuple[str, float]) -> None:
        self.roster = tiny_roster(len(places))
        lane_ix = self.roster.corridor.lane_ix
        at = np.array([lane_ix[lane_id] for lane_id, _ in places], np.int32)
        self.trucks = Trucks(self.roster, Streams(1), at, np.array([chainage_m for _, chainage_m in places]))
        self.books = Books(self.roster, Recorder(None, self.roster))
        self.watch = ProgressWatch(self.roster, self.trucks.columns, self.books)
        self.cause = [(Cause.BAY, -1)] * len(places)
        self.time_s = 0.0

    def look(self, *, calm: bool = True, served: bool = True) -> None:
        """Let time pass, and look; *served*: there is a server to ask."""
        self.time_s += LOOK_S
        view = self.trucks.view(self.time_s)
        server = server_view(self.roster.truck_ids, self.cause, view.speed_mps < 0.05) if served else None
        self.watch.look(view, server, calm=calm)

    def looks(self, seconds: float, *, calm: bool = True, served: bool = True) -> None:
        """Look for so long."""
        for _ in range(round(seconds / LOOK_S)):
            self.look(calm=calm, served=served)

    def said(self) -> list[str]:
        """What was found."""
        return [found.sentence for found in self.watch.found]


def server_view(truck_ids: tuple[str, ...], causes: Sequence[tuple[Cause, int]], standing: np.ndarray) -> FleetView:
    """What a server names, and nothing else."""
    count = len(truck_ids)
    rows, zeros, none = np.zeros(count, np.int32), np.zeros(count), np.zeros(0)
    return FleetView(
        tick=1,
        now_ns=0,
        epoch=1,
        truck_ids=truck_ids,
        truck_type_ids=truck_ids,
        session=np.zeros(count, np.int8),
        lane_ix=rows,
        chainage_m=zeros,
        speed_mps=zeros,
        laden=np.zeros(count, np.bool_),
        end_lane_ix=rows,
        end_chainage_m=zeros,
        rear_lane_ix=rows,
        rear_chainage_m=zeros,
        battery_wh=zeros,
        brake_health=zeros,
        report_age_ns=np.zeros(count, np.int64),
        standing=standing,
        cause=np.array([int(cause) for cause, _ in causes], np.int32),
        cause_ref=np.array([ref for _, ref in causes], np.int32),
        cause_since_ns=np.zeros(count, np.int64),
        lane_friction=none,
    )


STRIP = 0
UNLOADING_BAY = 2


@pytest.mark.parametrize(("calm", "found"), [(True, True), (False, False)])
def test_a_truck_that_others_drive_by_before_a_zone_is_found(calm: bool, found: bool) -> None:
    """A zone that is never its own is a wait without an end; after a breakdown it is not the planner's."""
    fleet = Watched(("out", 480.0), ("back", 655.0))
    fleet.cause = [(Cause.ZONE, STRIP), (Cause.BAY, -1)]

    for at in range(140):
        # The other truck is in the zone at every look, and never in the same place.
        fleet.trucks.columns.motion.nose_m[1] = 660.0 + at % 2
        fleet.look(calm=calm)

    assert [said for said in fleet.said() if "T0 waits for zone strip while others drive through" in said] == fleet.said()
    assert bool(fleet.said()) == found


def test_a_bay_whose_machine_is_broken_is_not_left_unused() -> None:
    """Trucks that wait for the only bay of a yard are served when it is mended; one that works and stays empty is forgotten."""
    fleet = Watched(("turn_east", 15.0))
    fleet.cause = [(Cause.SLOT, UNLOADING_BAY)]
    fleet.books.notice("loader_broke", bay_id="U1")
    fleet.looks(3600.0)
    assert fleet.said() == []

    fleet.books.notice("loader_mended", bay_id="U1")
    fleet.looks(UNUSED_S - LOOK_S)
    assert fleet.said() == []
    fleet.looks(2 * LOOK_S)

    (said,) = fleet.said()
    assert "while a bay of E is free" in said


def test_a_truck_that_is_passed_by_again_and_again_is_found() -> None:
    """Whoever came later and was served twice meanwhile is nearer to the bay, and will always be."""
    fleet = Watched(("turn_east", 15.0), ("turn_west", 15.0), ("unload", 150.0))
    fleet.cause = [(Cause.SLOT, UNLOADING_BAY), (Cause.BAY, -1), (Cause.BAY, -1)]
    fleet.looks(60.0)
    for _ in range(2):
        fleet.cause[1] = (Cause.SLOT, UNLOADING_BAY)
        fleet.looks(200.0)
        fleet.cause[1] = (Cause.BAY, -1)
        fleet.books.notice("unloading_started", truck_id="T1", bay_id="U1")
        fleet.looks(200.0)
    assert fleet.said() == []

    fleet.looks(200.0)

    assert len(fleet.said()) == 1
    assert "T0 waits for stand U1 of E taken by T2" in fleet.said()[0]
    assert "while T1 came later and was served twice" in fleet.said()[0]


def test_a_truck_that_is_to_be_scanned_after_those_who_stand_behind_it_is_found() -> None:
    """An inspection is customs' business; whose turn it is before the X-ray is not."""
    fleet = Watched(("out", 480.0), ("out", 440.0))
    scan = fleet.watch._waits
    scan._scan_lanes = {fleet.roster.corridor.lane_ix["out"]}
    fleet.cause = [(Cause.INSPECTION, 0), (Cause.LEADER, 0)]
    fleet.looks(LOCKED_S + 2 * LOOK_S)

    (said,) = fleet.said()
    assert "T0 waits at gate" in said
    assert "to be scanned after T1; T1 waits behind T0" in said


def test_a_laden_truck_that_waits_for_one_with_nothing_to_do_is_found() -> None:
    """No ring, and yet nobody will ever move: its containers stay on the road for good."""
    fleet = Watched(("back", 400.0), ("unload", 150.0))
    fleet.cause = [(Cause.SLOT, UNLOADING_BAY), (Cause.NO_ORDER, -1)]
    fleet.looks(300.0)
    assert (fleet.said(), fleet.watch.longest_wait_s) == ([], 0.0)

    fleet.trucks.columns.around.laden[0] = True
    fleet.look()

    assert fleet.watch.longest_wait_s == 300.0
    assert fleet.said() == ["T0 waits for stand U1 of E taken by T1; T1 has nothing to do"]


def test_who_stood_while_the_server_was_dead_waits_from_its_return_on() -> None:
    """The first cause that a new server names may be over in the next tick: a minute without one is no minute of that."""
    fleet = Watched(("unload", 150.0))
    fleet.cause = [(Cause.NO_ORDER, -1)]
    fleet.trucks.columns.around.laden[0] = True

    fleet.looks(300.0, calm=False, served=False)
    fleet.look()
    at_once = fleet.said()
    fleet.looks(LOCKED_S)

    assert at_once == []
    assert fleet.said() == ["T0 has nothing to do"]


def test_a_truck_that_drives_on_and_on_and_gets_nothing_done_is_found() -> None:
    """Motion is no progress: a truck sent round and round burns its battery and carries nothing."""
    fleet = Watched(("out", 50.0))
    fleet.trucks.columns.motion.speed_mps[0] = 10.0
    driven_m = []

    while not fleet.said() and fleet.time_s < 3600.0:
        fleet.trucks.columns.motion.nose_m[0] += 10.0 * LOOK_S
        if fleet.time_s == 300.0:
            fleet.books.notice("gate_passed", truck_id="T0", gate_id="G1", wait_s=0.0)
            driven_m.clear()
        driven_m.append(10.0 * LOOK_S)
        fleet.look()

    assert "got nothing done" in fleet.said()[0]
    assert sum(driven_m) == pytest.approx(2.0 * sum(lane.length_m for lane in fleet.roster.corridor.lanes), abs=300.0)
