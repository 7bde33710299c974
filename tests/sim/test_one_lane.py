"""A long one-lane section in whole runs: batches in one direction, and a truck that stands still in the middle of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim_harness.checkers import Checkers
from sim_harness.faults.spec import FaultSpec
from sim_harness.in_memory import InMemoryServer
from sim_harness.no_stops import EndWatch
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import load_scenario

pytestmark = pytest.mark.xdist_group("runner")

SCENARIO = str(Path(__file__).parent / "sites" / "long_section.scenario.yaml")
# The second truck is in the section from about 360 s on; four of six wait behind it.
STANDS = FaultSpec(fault="wall", at_s=420.0, for_s=300.0, truck="t002")


def test_a_truck_that_stands_in_a_section_locks_nobody_out_for_good() -> None:
    """Those behind it wait where they are, the other side waits before it, and afterwards everybody passes, both ways."""
    scenario = load_scenario(SCENARIO, trucks=6, hours=0.5)
    scenario = replace(scenario, spec=scenario.spec.model_copy(update={"scheduled_faults": (STANDS,)}))
    corridor, checkers, watch = scenario.corridor, Checkers(scenario.roster), EndWatch(scenario.roster)
    out, back = corridor.lane_ix["sb_one"], corridor.lane_ix["nb_one"]
    passed: dict[int, set[int]] = {out: set(), back: set()}
    most, stood, head_on = 0, False, False
    with Recorder(None, scenario.roster) as recorder:
        runner = Runner(scenario, InMemoryServer(corridor, int(opening_s(scenario.roster))), recorder, checkers)
        for tick in range(round(scenario.hours * 36_000)):
            runner.tick()
            watch.tick(runner.trucks, tick / 10.0)
            view = runner.trucks.view(tick / 10.0)
            on = {lane: np.flatnonzero(view.lane_ix == lane).tolist() for lane in passed}
            most, head_on = max(most, len(on[out])), head_on or bool(on[out] and on[back])
            stood = stood or bool((view.speed_mps[on[out]] < 0.01).sum() > 1)
            for lane, rows in on.items():
                passed[lane].update(rows)

    assert stood
    assert most > 1
    assert not head_on
    assert watch.bad == []
    assert checkers.figures().overlaps == ()
    assert [len(rows) for rows in passed.values()] == [6, 6]
