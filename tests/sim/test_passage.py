"""
The server dies at every single tick of a passage: every truck stops by itself, and its tail has cleared the no-stop stretch.

What trucks do without a server depends on themselves alone. So at each tick the fleet is remembered, left to itself until it
stands, looked at, and put back as it was.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sim_harness.checkers import Checkers
from sim_harness.in_memory import InMemoryServer
from sim_harness.no_stops import NoStops
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import Scenario, load_scenario
from sim_harness.truck_agent import Trucks

QUICK = ["processes.bay={shape: fixed, fixed_s: 20}", "plant.loader_mtbf_h=0", "plant.inspect_share=0", "plant.refuse_share=0"]
SECONDS = 420
ALONE_TICKS = 450
STANDING_MPS = 0.01


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Two trucks that drive to the other yard, gates and junctions included."""
    return load_scenario("mandula", QUICK, trucks=2, hours=SECONDS / 3600.0)


def left_alone(trucks: Trucks, now_ns: int) -> Iterator[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """The speeds of the trucks, tick by tick, from the server's death on; afterwards all is as it was."""
    columns = trucks.columns
    kept = [block.copy() for block in columns.compiled]
    places = [column.copy() for column in columns.places]
    happened, emergency = list(columns.happened), columns.was_emergency.copy()
    for tick in range(1, ALONE_TICKS + 1):
        trucks.step(now_ns + tick * 100_000_000)
        yield columns.motion.speed_mps
    for block, before in zip(columns.compiled, kept, strict=True):
        block[:] = before  # type: ignore[index]
    for column, before in zip(columns.places, places, strict=True):
        column[:] = before
    columns.happened[:], columns.was_emergency = happened, emergency


def test_killed_at_every_tick_of_a_passage_no_truck_is_left_in_it(scenario: Scenario) -> None:
    """A truck across a junction, or under a barrier, is what a server's death must never leave behind."""
    no_stops = NoStops(scenario.corridor)
    length_m = scenario.roster.truck_types[0].length_m
    stranded: list[tuple[float, str]] = []
    moved_again: list[tuple[float, str]] = []
    killed_count = 0
    with Recorder(None, scenario.roster) as recorder:
        server = InMemoryServer(scenario.corridor, int(opening_s(scenario.roster)))
        runner = Runner(scenario, server, recorder, Checkers(scenario.roster))
        trucks = runner.trucks
        nose_m, end_m = trucks.columns.motion.nose_m, trucks.columns.onboard.end_m
        for tick in range(1, SECONDS * 10 + 1):
            runner.tick()
            within = [row for row in range(2) if no_stops.under(trucks.road(row), float(nose_m[row]) - length_m, float(nose_m[row]))]
            if not within or not trucks.motion.speed_mps[within].any():
                continue
            killed_count += 1
            stood = np.zeros(2, dtype=np.bool_)
            for speed_mps in left_alone(trucks, tick * 100_000_000):
                moved_again += [(tick / 10.0, "moved") for row in range(2) if stood[row] and speed_mps[row] > STANDING_MPS]
                stood |= speed_mps == 0.0
                last = nose_m.copy(), end_m.copy(), speed_mps.copy()
            for row, truck_id in enumerate(scenario.roster.truck_ids):
                at_m = float(last[0][row])
                rests = last[2][row] == 0.0 and at_m <= last[1][row]
                if not rests or no_stops.under(trucks.road(row), at_m - length_m, at_m):
                    stranded.append((tick / 10.0, truck_id))

    assert killed_count > 300
    assert stranded == []
    assert moved_again == []
