"""Weak brakes, ice and a lost trailer in whole runs: server, onboard code and physics together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from fleet.server.loop.control_loop import ControlLoop
from planner.corridor import Corridor
from sim_harness.checkers import Checkers, CheckFigures
from sim_harness.faults.spec import FaultSpec
from sim_harness.fleet_columns import FleetColumns
from sim_harness.in_memory import Answers, InMemoryServer
from sim_harness.recording import Recorder
from sim_harness.runner import Runner
from sim_harness.scenario import load_scenario

pytestmark = pytest.mark.xdist_group("runner")

# Quick loaders and customs, so that trucks are soon on the road.
QUICK = ["processes.bay={shape: fixed, fixed_s: 40}", "plant.inspect_share=0", "plant.refuse_share=0", "plant.loader_mtbf_h=0"]
OPENING_S = 10 * 3600
LANE = "sb_2"  # on it, at 650 m, a gate's stop line: trucks brake for it
ICE_M = 560.0
ICE = FaultSpec(fault="slippery", at_s=400.0, for_s=600.0, value=0.15, lane=LANE, from_m=ICE_M, to_m=660.0)


class Listening(InMemoryServer):
    """A server whose alarms are kept by name."""

    def __init__(self, corridor: Corridor) -> None:
        self.loops: list[ControlLoop] = []
        self.alarms: list[str] = []
        super().__init__(corridor, OPENING_S, on_start=lambda started: self.loops.append(started.engine.loop))

    def tick(self, now_ns: int) -> Answers:
        """One tick."""
        heard = super().tick(now_ns)
        self.alarms += [alarm.name for alarm in heard.alarms]
        return heard


@dataclass(slots=True)
class Run:
    """One run in the making, and what was seen of it."""

    runner: Runner
    server: Listening
    checkers: Checkers
    corridor: Corridor
    ticks: int = 0

    @property
    def trucks(self) -> FleetColumns:
        """The fleet, truth and belief."""
        return self.runner.trucks.columns

    @property
    def loop(self) -> ControlLoop:
        """What decides."""
        return self.server.loops[-1]

    @property
    def checks(self) -> CheckFigures:
        """Overlaps, overruns and margins so far."""
        return self.checkers.figures()

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Runs until *done*, for at most *seconds*."""
        for _ in range(round(seconds * 10)):
            if done():
                return True
            self.runner.tick()
            self.ticks += 1
        return done()

    def cause(self, truck_id: str) -> str:
        """The root of the truck's standing, "" while it moves."""
        return self.server.causes().get(truck_id, ("", ""))[0]


@contextmanager
def started(trucks: int, *faults: FaultSpec) -> Iterator[Run]:
    """Mandula at its opening."""
    scenario = load_scenario("mandula", QUICK, seed=1, hours=1.0, trucks=trucks)
    scenario = replace(scenario, spec=scenario.spec.model_copy(update={"scheduled_faults": faults}))
    checkers = Checkers(scenario.roster)
    with Recorder(None, scenario.roster) as recorder:
        server = Listening(scenario.corridor)
        runner = Runner(scenario, server, recorder, checkers)
        yield Run(runner=runner, server=server, checkers=checkers, corridor=scenario.corridor)


def test_a_truck_with_weak_brakes_is_found_out_laid_up_and_runs_over_nothing() -> None:
    """From brakes that merely are weak to a parked truck, with nobody telling anybody: and the others carry on."""
    with started(3) as run:
        run.trucks.around.brake_health[0] = 0.8

        found = run.until(lambda: 0.0 < run.loop.trucks.brake_health[0] < 0.9, 1200)
        parked = run.until(lambda: run.cause("t001") == "fault", 900)
        trips = run.runner.books.round_trips
        run.until(lambda: run.runner.books.round_trips > trips, 600)

    assert found
    assert run.loop.trucks.brake_health[:3].tolist() == [pytest.approx(0.8, abs=0.02), 1.0, 1.0]
    assert parked
    assert run.server.alarms.count("truck_derated") == 1
    assert run.runner.books.round_trips > trips
    assert (run.checks.overruns, run.checks.overlaps, run.runner.books.emergency_brakes) == ((), (), 0)


def test_ice_that_one_truck_meets_slows_those_behind_before_they_reach_it() -> None:
    """The first one slips; whoever comes after is told, comes slower, and does not slip."""
    with started(4, ICE) as run:
        lane_ix = run.corridor.lane_ix[LANE]
        slipped: dict[int, int] = {}
        entered_mps: dict[int, float] = {}
        derated_tick = 0

        def all_passed() -> bool:
            nonlocal derated_tick
            places, motion = run.trucks.places, run.trucks.motion
            for row in range(4):
                before_m = ICE_M - float(places.chainage_m[row])
                if motion.slipping[row] > 0.0:
                    slipped.setdefault(row, run.ticks)
                if places.lane_ix[row] == lane_ix and 0.0 < before_m < 10.0:
                    entered_mps[row] = float(motion.speed_mps[row])
            if not derated_tick and run.loop.derating.grip.friction.min() < 0.7:
                derated_tick = run.ticks
            return len(entered_mps) == 4 and all(places.lane_ix[row] != lane_ix for row in entered_mps)

        passed = run.until(all_passed, 1400)

    first = next(iter(slipped))
    followers = [speed for row, speed in entered_mps.items() if row != first]
    assert passed
    assert list(slipped) == [first]
    assert derated_tick - slipped[first] <= 3
    assert entered_mps[first] > 6.9
    assert max(followers) < 5.5
    assert (run.checks.overruns, run.checks.overlaps) == ((), ())
    assert run.runner.books.emergency_brakes == 1
    assert [account["reached"] for account in run.runner.totals(0.0).faults] == [True]


def test_a_truck_that_loses_its_trailer_brakes_hard_and_keeps_the_road_behind_it() -> None:
    """Where the trailer is nobody knows but that it is behind: nobody may come there, whatever the sensor says later."""
    with started(3) as run:
        on_road = run.until(lambda: run.trucks.motion.speed_mps[0] > 6.0, 600)
        run.trucks.belief.intact[0] = False
        run.until(lambda: False, 0.4)
        rear_m = float(run.loop.trucks.rear_m[0])
        stood = run.until(lambda: run.trucks.motion.speed_mps[0] == 0.0, 20)
        run.trucks.belief.intact[0] = True
        run.until(lambda: False, 120)

    assert on_road
    assert stood
    assert run.server.alarms.count("truck_parted") == 1
    assert run.runner.books.emergency_brakes == 1
    assert run.cause("t001") == "hold"
    assert run.loop.trucks.rear_m[0] == rear_m
    assert run.trucks.motion.speed_mps[0] == 0.0
    assert (run.checks.overruns, run.checks.overlaps) == ((), ())
