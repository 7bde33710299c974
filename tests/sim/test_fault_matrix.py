"""Every kind of fault, on a truck or a stretch it matters to: its safe state is reached, and nothing else is broken by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from planner.corridor import StandKind
from sim_harness.checkers import Checkers
from sim_harness.day import Wish, run_day
from sim_harness.faults.engine import EFFECTS
from sim_harness.faults.kind import Target
from sim_harness.faults.kinds import KINDS
from sim_harness.faults.spec import FaultSpec
from sim_harness.in_memory import InMemoryServer
from sim_harness.recording import Recorder
from sim_harness.report import Report, opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import Scenario, load_scenario

PROBE_S = 400.0
FAST_MPS = 5.0
ROOM_M = 150.0
TRUCKS = 5
SETTINGS = [
    "processes.bay={shape: fixed, fixed_s: 20}",
    "plant.loader_mtbf_h=0",
    "plant.portal_alarm_share=0",
    "plant.inspect_share=0",
    "plant.refuse_share=0",
]
# What a fault of this kind needs said about it here, so that it bites: long enough, strong enough.
STRONG: Mapping[str, Mapping[str, Any]] = {
    "link": {"for_s": 12.0},
    "reports": {"for_s": 12.0},
    "position_sensor": {"shape": "wrong", "value": 12.0},
    "speed_sensor": {"shape": "wrong", "value": 0.5},
    "clock": {"shape": "drift", "value": 0.9},
    "service_brake": {"for_s": 240.0},
    "brakes": {"value": 0.5, "for_s": 500.0},
    "server_killed": {"for_s": 8.0},
    "second_server": {"for_s": 6.0},
    "server_slow": {"value": 2.5},
    "flood": {"value": 50.0, "for_s": 5.0},
}


def run(scenario: Scenario, faults: Sequence[FaultSpec], seconds: float) -> Report:
    """The report of a run of *seconds* in which *faults* happen."""
    spec = scenario.spec.model_copy(update={"scheduled_faults": tuple(faults)})
    return run_day(replace(scenario, spec=spec, hours=seconds / 3600.0), Wish(), lambda _: None)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """The small site; its trucks set out at once."""
    return load_scenario("mandula", SETTINGS, trucks=TRUCKS)


class Aim:
    """Whom faults are aimed at, and when: a laden truck that drives fast with road ahead of it, that road, a gate, a bay."""

    def __init__(self, scenario: Scenario) -> None:
        self.at_s = 0.0
        self.whom: dict[Target, dict[str, Any]] = {}
        with Recorder(None, scenario.roster) as recorder:
            server = InMemoryServer(scenario.corridor, int(opening_s(scenario.roster)))
            runner = Runner(scenario, server, recorder, Checkers(scenario.roster))
            while not self.whom and self.at_s < PROBE_S:
                runner.tick()
                self.at_s = round(self.at_s + 0.1, 1)
                self._look(scenario, runner)

    def _look(self, scenario: Scenario, runner: Runner) -> None:
        fleet, corridor = runner.trucks.columns, scenario.corridor
        for row, truck_id in enumerate(fleet.roster.truck_ids):
            lane = corridor.lanes[int(fleet.places.lane_ix[row])]
            nose_m = float(fleet.places.chainage_m[row])
            if fleet.motion.speed_mps[row] < FAST_MPS or nose_m + ROOM_M > lane.length_m or not fleet.around.laden[row]:
                continue
            bay = next(stand for stand in corridor.stands if stand.kind is StandKind.BAY)
            self.whom = {
                Target.TRUCK: {"truck": truck_id},
                Target.STRETCH: {"lane": lane.lane_id, "from_m": round(nose_m + 50.0, 1), "to_m": round(nose_m + 110.0, 1)},
                Target.GATE: {"gate": corridor.gates[0].gate_id},
                Target.BAY: {"bay": bay.stand_id},
                Target.SERVER: {},
            }

    def fault(self, name: str) -> FaultSpec:
        """A fault of kind *name* that bites."""
        return FaultSpec.model_validate({"fault": name, "at_s": self.at_s + 0.1, **self.whom[KINDS[name].target], **STRONG.get(name, {})})


@pytest.fixture(scope="module")
def aim(scenario: Scenario) -> Aim:
    """Whom each fault is aimed at."""
    found = Aim(scenario)
    assert found.whom, "somebody drives by then"
    return found


# These may pass without anybody's having had to do anything: brakes nobody used, a clock that is only odd, a grip that sufficed, a
# place that is known to be uncertain.
MAY_PASS = {"roll_back", "brakes", "slippery", "clock", "nails"}
# Of these a margin may be used up, and is counted apart.
WORSE = {"brakes", "slippery", "position_sensor", "speed_sensor", "misread"}


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_a_fault_ends_in_its_safe_state(name: str, scenario: Scenario, aim: Aim) -> None:
    """One kind each: it bites, its safe state is reached, and no truck touches another or passes its end meanwhile."""
    fault = aim.fault(name)

    report = run(scenario, (fault,), min(fault.ends_s, aim.at_s + 400.0) + 60.0)

    (account,) = report.faults
    assert account["reached"] or (account["reached"] is None and name in MAY_PASS), account
    assert report.overlaps == 0
    assert report.overruns == 0
    assert report.failures == ()
    assert (report.undeclared_margin_m_min is not None) == (name in WORSE)


def test_a_truck_that_keeps_its_emergency_brakes_on_is_named_for_it() -> None:
    """
    A day that a campaign found: a speed sensor that comes and goes made a truck believe that it had rolled back too far.

    It stays where it is until somebody has seen to it. Whoever asks must not hear that it is about to move off.
    """
    stated = {"fault": "speed_sensor", "at_s": 120, "for_s": 15.6, "shape": "intermittent", "value": 2.91, "truck": "t008"}

    report = run(load_scenario("crossing", seed=52, trucks=8), (FaultSpec.model_validate(stated),), 480.0)

    assert report.failures == ()
    assert report.waiting_s_by_cause["braked"] > 300.0


INTRUDED: Sequence[Mapping[str, Any]] = (
    {"fault": "manned_tracked", "at_s": 224, "for_s": 105, "lane": "w_bay_02", "from_m": 0, "to_m": 80},
    {"fault": "manned_untracked", "at_s": 300, "for_s": 180, "lane": "w_park_through", "from_m": 0, "to_m": 80},
    {"fault": "second_server", "at_s": 350},
)
CREPT_TWICE: Sequence[Mapping[str, Any]] = (
    {"fault": "customs", "at_s": 119.2, "for_s": 290.7, "truck": "t005"},
    {"fault": "map", "at_s": 679.5, "for_s": 55.1, "truck": "t005"},
    {"fault": "roll_back", "at_s": 689.2, "for_s": 18.4, "value": 7.35, "truck": "t005"},
    {"fault": "server_paused", "at_s": 692.3, "for_s": 2.3},
)


def test_a_failing_battery_asks_for_nothing_before_it_is_used_up(scenario: Scenario, aim: Aim) -> None:
    """What is left of one may carry a truck a long way; that it does not stop on the way there is no missed safe state."""
    fault = aim.fault("battery").model_copy(update={"value": 20.0, "for_s": 400.0})

    (account,) = run(scenario, (fault,), fault.ends_s + 10.0).faults

    assert (account["needed_s"], account["reached"]) == (None, None)


def test_a_dead_service_brake_asks_for_nothing_before_it_is_used(scenario: Scenario, aim: Aim) -> None:
    """Nobody can know of it before: on an empty road a truck may drive for kilometres until it is to brake."""
    fault = aim.fault("service_brake").model_copy(update={"for_s": 3.0})

    (account,) = run(scenario, (fault,), fault.ends_s + 5.0).faults

    assert (account["needed_s"], account["reached"]) == (None, None)


NEXT_LANE: Sequence[Mapping[str, Any]] = (
    {"fault": "reports", "at_s": 252.3, "for_s": 36.1, "shape": "slow", "value": 1.2, "truck": "t003"},
)
REMOVED: Sequence[Mapping[str, Any]] = (
    {"fault": "dead_spot", "at_s": 141.4, "for_s": 60.0, "lane": "w_bay_02", "from_m": 0, "to_m": 87},
    {"fault": "removed_in_place", "at_s": 158.2, "truck": "t002"},
)


def test_a_grant_that_a_later_route_overtook_is_said_again() -> None:
    """
    A day that a campaign found: reports tell the newest word alone, and a route that came before a delayed grant was the newest.

    The server must not take that for the grant: the truck, which waits for one since it was without contact, would wait for ever.
    """
    stated = {"fault": "reports", "at_s": 120.7, "for_s": 27.5, "shape": "delayed", "value": 0.73, "truck": "t008"}
    scenario = load_scenario("crossing", ["weather=[{kind: rain, friction: 0.25}]"], seed=223, trucks=8)

    report = run(scenario, (FaultSpec.model_validate(stated),), 460.0)

    assert report.failures == ()


@pytest.mark.parametrize(
    ("stated", "seed", "trucks"),
    [
        pytest.param(INTRUDED, 109, 1, id="halted after a takeover"),
        pytest.param(CREPT_TWICE, 270, 8, id="crept clear again"),
        pytest.param(NEXT_LANE, 221, 8, id="the end lies between two lanes"),
        pytest.param(REMOVED, 975, 8, id="removed while nobody hears it"),
    ],
)
def test_who_waits_for_a_person_or_creeps_clear_again_is_at_no_fault(stated: Sequence[Mapping[str, Any]], seed: int, trucks: int) -> None:
    """
    Days that campaigns found, in which the watches asked too much.

    A vehicle whose transponder falls silent halts everybody until a person has seen that it is gone: nobody goes on within a minute
    of a takeover then. A truck that rolled back into a stretch where none may stand creeps out of it once more. An end that lies
    between two lanes has not moved when it is said to lie at the beginning of the second, nor has one of a truck declared removed, which
    has none any more.
    """
    faults = tuple(FaultSpec.model_validate(fault) for fault in stated)

    report = run(load_scenario("crossing", seed=seed, trucks=trucks), faults, 760.0)

    assert [account["fault"] for account in report.faults if account["reached"] is False] == []
    assert report.failures == ()


def test_a_truck_is_measured_as_declared_again_once_it_has_stood_on_good_road(scenario: Scenario, aim: Aim) -> None:
    """A stretch that was slippery for a minute must not excuse whoever crossed it for the rest of the day."""
    fault = aim.fault("slippery").model_copy(update={"for_s": 60.0})
    spec = scenario.spec.model_copy(update={"scheduled_faults": (fault,)})
    marked: set[int] = set()
    with Recorder(None, scenario.roster) as recorder:
        server = InMemoryServer(scenario.corridor, int(opening_s(scenario.roster)))
        runner = Runner(replace(scenario, spec=spec), server, recorder, Checkers(scenario.roster))
        for _ in range(round(10.0 * (fault.ends_s + 400.0))):
            runner.tick()
            marked |= set(np.flatnonzero(runner.trucks.columns.undeclared).tolist())

    assert marked
    assert not runner.trucks.columns.undeclared.any()
    assert not runner.trucks.columns.ailments.any()
