"""No end of authority where a truck's body would lie in a no-stop stretch: a server's death strands nobody there."""

from __future__ import annotations

import pytest

from sim_harness.checkers import Checkers
from sim_harness.in_memory import InMemoryServer
from sim_harness.no_stops import EndWatch, NoStops
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import Scenario, load_scenario

QUICK = ["processes.bay={shape: fixed, fixed_s: 20}", "plant.loader_mtbf_h=0"]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """The small site with all its trucks, for a few minutes."""
    return load_scenario("mandula", QUICK, hours=0.25)


def test_no_end_of_authority_ever_lies_where_a_truck_may_not_be_left_standing(scenario: Scenario) -> None:
    """Whatever instant the server dies at, every truck has a place to stop in what it holds."""
    watch = EndWatch(scenario.roster)
    with Recorder(None, scenario.roster) as recorder:
        server = InMemoryServer(scenario.corridor, int(opening_s(scenario.roster)))
        runner = Runner(scenario, server, recorder, Checkers(scenario.roster))
        for tick in range(round(scenario.hours * 36_000)):
            runner.tick()
            watch.tick(runner.trucks, tick / 10.0)

    assert watch.ends_count > 1000
    assert watch.bad == []


def test_a_body_at_a_gate_is_in_the_way_and_one_before_its_line_is_not(scenario: Scenario) -> None:
    """The watch itself must see what it looks for: tail in the gate, nose in the gate, or clear of it on either side."""
    no_stops = NoStops(scenario.corridor)
    gate = scenario.corridor.gates[scenario.corridor.gate_ix["g2"]]
    road = [(scenario.corridor.lane_ix[gate.lane_id], 1000.0)]
    line_m, clear_m = 1000.0 + gate.stop_line_m, 1000.0 + gate.clear_m

    assert not no_stops.under(road, line_m - 16.5, line_m)
    assert no_stops.under(road, line_m - 16.0, line_m + 0.5)
    assert no_stops.under(road, clear_m - 0.5, clear_m + 16.0)
    assert not no_stops.under(road, clear_m, clear_m + 16.5)
