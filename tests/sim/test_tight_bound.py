"""
The emergency curve is a bound, and a tight one: at exactly the declared worst nobody passes his end, and little is left over.

Service braking is dead, so every stop is an emergency stop at the last moment that the supervisor allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from planner.corridor import GradePiece
from sim_harness import link
from sim_harness.checkers import Checkers, CheckFigures
from sim_harness.faults.spec import FaultSpec
from sim_harness.in_memory import InMemoryServer
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import Scenario, load_scenario

SECONDS = 240.0
LONG_S = 900.0
TRUCKS = 4
RESUME_TICKS = 200
SETTINGS = ["processes.bay={shape: fixed, fixed_s: 20}", "plant.loader_mtbf_h=0"]
COLD_LAG_S = 0.3
DERATED = 0.9
# The position bound of 0.4 m and, downhill, what a step of 0.1 s and a bound over changing grades cost: 0.44 m level, up to 1.03 m.
LITTLE_M = 1.1


def brakes_at(share: float, *, grade: float = 0.0, lag_s: float = 0.0, seconds: float = SECONDS) -> Scenario:
    """Every truck brakes with *share* of what it declares, and only in emergency; *grade* is everywhere, *lag_s* declared and true."""
    ready = load_scenario("mandula", SETTINGS, trucks=TRUCKS, hours=seconds / 3600.0)
    kinds = tuple(replace(kind, brake_dead_s=kind.brake_dead_s + lag_s) for kind in ready.corridor.truck_types)
    lanes = tuple(replace(lane, grades=(GradePiece(from_m=0.0, grade=grade),)) for lane in ready.corridor.lanes)
    corridor = replace(ready.corridor, truck_types=kinds, lanes=lanes)
    types = tuple(kinds[corridor.type_ix[kind.truck_type_id]] for kind in ready.roster.truck_types)
    faults = [
        FaultSpec(fault=name, at_s=0.0, for_s=seconds, truck=truck_id, value=value)
        for truck_id in ready.roster.truck_ids
        for name, value in (("brakes", share), ("service_brake", None))
    ]
    spec = ready.spec.model_copy(update={"scheduled_faults": tuple(faults)})
    return replace(ready, corridor=corridor, roster=replace(ready.roster, corridor=corridor, truck_types=types), spec=spec)


def drive(scenario: Scenario, *, estimates_health: bool = True) -> tuple[CheckFigures, Mapping[str, float], int]:
    """
    What was found, when each truck knew that its brakes are weak, and how often one braked in emergency.

    The server halts whoever passes his end, as it should; here somebody careless lets them all go on again and again.
    """
    checkers = Checkers(scenario.roster)
    derated_s: dict[str, float] = {}
    with Recorder(None, scenario.roster) as recorder:
        server = InMemoryServer(scenario.corridor, int(opening_s(scenario.roster)), mortal=True)
        runner = Runner(scenario, server, recorder, checkers)
        onboard = runner.trucks.columns.onboard

        def forget() -> None:
            onboard.weak_count[:] = 0
            onboard.health[:] = 1.0

        if not estimates_health:
            runner.trucks.columns.sensing.append(forget)
        for tick in range(1, round(scenario.hours * 36_000) + 1):
            runner.tick()
            for row, truck_id in enumerate(scenario.roster.truck_ids):
                if onboard.health[row] < DERATED:
                    derated_s.setdefault(truck_id, tick / 10.0)
                if tick % RESUME_TICKS == 0:
                    server.call(*link.resume(f"careless-{tick}-{row}", truck_id))
    return checkers.figures(), derated_s, runner.books.emergency_brakes


@pytest.mark.parametrize(
    ("grade", "lag_s"),
    [(0.0, 0.0), (-0.02, 0.0), (0.0, COLD_LAG_S), (-0.02, COLD_LAG_S)],
    ids=["level", "downhill", "at -30 degrees", "downhill at -30 degrees"],
)
def test_at_the_declared_worst_nobody_passes_his_end_and_little_is_left(grade: float, lag_s: float) -> None:
    """Padding would cost capacity every day; a bound that is none would cost a truck."""
    figures, _, emergency_brakes = drive(brakes_at(1.0, grade=grade, lag_s=lag_s))

    assert emergency_brakes >= TRUCKS
    assert figures.overruns == ()
    assert figures.overlaps == ()
    assert figures.authority_margin_m_min is not None
    assert 0.0 <= figures.authority_margin_m_min < LITTLE_M, figures.authority_margin_m_min


def test_below_the_declared_worst_nothing_holds_until_the_truck_knows() -> None:
    """
    What remains, plainly: brakes that suddenly give less than they declare pass an end before anybody can know.

    With the estimate of their health they do so until it has seen them three times; without it, for as long as they are let.
    """
    weak = brakes_at(0.8, seconds=LONG_S)
    known, derated_s, _ = drive(weak)
    unknown, never_s, _ = drive(weak, estimates_health=False)

    assert known.overruns
    assert derated_s
    assert all(past.time_s <= derated_s.get(past.truck_id, LONG_S) for past in known.overruns)
    assert never_s == {}
    assert len(unknown.overruns) > len(known.overruns)
    assert max(past.time_s for past in unknown.overruns) > max(derated_s.values())
