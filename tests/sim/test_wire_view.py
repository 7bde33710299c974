"""The picture that a run on the wire has of its fleet shows the same waits as the server's own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest

from fleet.server.fleet_view import FleetView
from fleet.server.headless import HeadlessServer
from fleet.server.shown import Shown
from planner.authority import Cause
from sim_harness.checkers import Checkers
from sim_harness.in_memory import InMemoryServer
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import load_scenario
from sim_harness.waits import Waits
from sim_harness.wire_view import WireView
from tests.sim.mutants.dispatching import one_side_only

EVERY_TICKS = 50
SECTION = str(Path(__file__).parent / "sites" / "long_section.scenario.yaml")
COLUMNS = ("session", "lane_ix", "chainage_m", "speed_mps", "laden", "end_lane_ix", "end_chainage_m", "standing", "cause", "lane_friction")


def shown_of(view: FleetView, name: str) -> np.ndarray:
    """A column; what a truck stands for only where it stands."""
    column: np.ndarray = getattr(view, name)
    return np.where(view.standing, column, 0) if name == "cause" else column


@pytest.mark.xdist_group("runner")
@pytest.mark.parametrize(
    ("server", "scenario", "trucks", "hours", "causes"),
    [
        (nullcontext, "mandula", 10, 0.4, {Cause.LEADER, Cause.GATE, Cause.SLOT}),
        (nullcontext, "crossing", 12, 0.2, {Cause.SLOT, Cause.STAND}),
        (one_side_only, SECTION, 2, 0.2, {Cause.ZONE}),
    ],
)
def test_the_services_tell_who_waits_for_whom(
    server: Callable[[], AbstractContextManager[None]], scenario: str, trucks: int, hours: float, causes: set[Cause]
) -> None:
    """A name lost on the way would make a queue look like a truck that was forgotten."""
    ready = load_scenario(scenario, [], hours=hours, trucks=trucks)
    started: list[HeadlessServer] = []
    served = InMemoryServer(ready.corridor, int(opening_s(ready.roster)), on_start=started.append)
    met: set[Cause] = set()
    with server(), Recorder(None, ready.roster) as recorder:
        runner = Runner(ready, served, recorder, Checkers(ready.roster))
        shown, view, waits = Shown(started[0].engine), WireView(ready.corridor), Waits(ready.roster, runner.trucks.columns)
        for tick in range(1, round(hours * 36_000.0) + 1):
            runner.tick()
            if tick % EVERY_TICKS:
                continue
            own = started[0].fleet()
            frictions = {lane.lane_id: lane.friction for lane in shown.lanes().lanes}
            seen = view.of(shown.fleet().trucks, frictions, tick=own.tick, now_ns=own.now_ns)

            assert seen.truck_ids == own.truck_ids
            assert [name for name in COLUMNS if not np.array_equal(shown_of(seen, name), shown_of(own, name))] == []
            assert waits.of(seen, range(trucks)) == waits.of(own, range(trucks))
            met |= {wait.cause for wait in waits.of(own, range(trucks)).values()}

    assert met >= causes
