"""No end of authority where a truck's body would lie in a no-stop stretch: a server's death strands nobody there."""

from __future__ import annotations

import numpy as np
import pytest

from sim_harness import paths
from sim_harness.checkers import Checkers
from sim_harness.in_memory import InMemoryServer
from sim_harness.no_stops import EndCheck, EndWatch, NoStops
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import Scenario, load_scenario
from sim_harness.tiny import TRUCK, Place, tiny_roster, tiny_view

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


# The tiny corridor's gate bans standing from just past its line at 300 m of `out` to 310 m, its strip from 500 to 540 m.
BEYOND_M = TRUCK.length_m + 2.0 * TRUCK.bound_max_m + 3.75


def ends_looked_at(*ends_m: float | None) -> int:
    """How many of one truck's ends are found bad, that it holds one after another; None: it holds none."""
    roster = tiny_roster(1)
    held = paths.empty_paths(1)
    paths.set_path(held, 0, list(range(6)), np.array([lane.length_m for lane in roster.corridor.lanes]), 0.0)
    check = EndCheck(roster)
    for tick, end_m in enumerate(ends_m):
        place = Place(lane_id="out", chainage_m=100.0, ahead_m=None if end_m is None else end_m - 100.0)
        check.look(held, tiny_view(roster, tick / 2.0, [place]))
    return len(check.bad)


@pytest.mark.parametrize(
    ("end_m", "bad"),
    [
        (300.0, 0),
        (300.2, 0),
        (300.3, 1),
        (309.0, 1),
        (310.0 + BEYOND_M - 0.1, 1),
        (310.0 + BEYOND_M, 0),
        (500.0, 0),
        (520.0, 1),
        (540.0 + BEYOND_M, 0),
    ],
)
def test_an_end_is_bad_from_where_a_stretch_begins_until_a_truck_is_clear_of_it(end_m: float, bad: int) -> None:
    """The check that every run has must see what the watch sees."""
    assert ends_looked_at(end_m) == bad


def test_an_end_that_moved_back_is_the_truck_s_own_answer() -> None:
    """Asked to stop short, it stops where it can; what it was given beyond that is another matter."""
    assert ends_looked_at(340.0, 305.0) == 0
    assert ends_looked_at(340.0, 305.0, 306.0) == 1
    assert ends_looked_at(340.0, 305.0, 305.0 + 1e-6) == 0


def test_an_end_counts_once_and_a_first_one_counts() -> None:
    """Not once a look; and a truck that held nothing may be given nothing bad either."""
    assert ends_looked_at(None, 305.0, 305.0, 305.0) == 1
