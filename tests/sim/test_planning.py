"""Planning beside the loop in whole runs: deterministic, replayed from what was heard, and harmless whatever it advises."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fleet.server.headless import HeadlessServer
from fleet.server.planning import HEARD_TICKS, LOOK_TICKS, Planning, TickPlanning
from fleet.server.replay.input_log import RUN_FILE
from fleet.server.replay.log_file import TICKS, read_log
from fleet.server.replay.replaying import Replay
from fleet.server.replay.sites import Sites
from planner.authority import Cause
from planner.foresight import ELDER_S
from planner.foresight.seen import Chart, Seen
from planner.foresight.turns import Turns
from sim_harness.checkers import Checkers
from sim_harness.day import Wish, run_day
from sim_harness.in_memory import InMemoryServer
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import load_scenario

pytestmark = pytest.mark.xdist_group("runner")

NS_PER_S = 1_000_000_000
HOURS = 0.1
SHORT = 0.05  # long enough for turns to be heard


class Senseless:
    """Every second somebody else is next in each zone, due now, and stays so however far it drives."""

    def __init__(self, zone_count: int, truck_count: int) -> None:
        self._chance = random.Random(1)  # noqa: S311 - a test's draw
        self._counts = (zone_count, truck_count)
        self._now_ns = 0

    def start(self) -> None:
        """Nothing runs beside the ticks."""

    def stop(self) -> None:
        """Nor has to end."""

    def look(self, tick: int, seen: Callable[[], Seen]) -> None:  # noqa: ARG002 - the Protocol's
        """What time it is."""
        self._now_ns = seen().now_ns

    def take(self, tick: int) -> tuple[Turns, ...]:
        """A row and a branch for each zone."""
        if tick % 10 or tick < 600:
            return ()
        zones, trucks = self._counts
        turns = [(zone, self._now_ns, self._chance.randrange(trucks), self._chance.randrange(2), 1e9) for zone in range(zones)]
        return (Turns.of(self._now_ns, turns),)


def drive(planning: Callable[[HeadlessServer], Planning | None]) -> tuple[float, float, Checkers]:
    """A short run: truck kilometres, the longest that a truck stood before a zone in seconds, and what the checkers saw."""
    scenario = load_scenario("crossing", [], hours=HOURS)
    servers: list[HeadlessServer] = []
    server = InMemoryServer(scenario.corridor, int(opening_s(scenario.roster)), policy="planned", on_start=servers.append)
    engine = servers[0].engine
    engine.planning = planning(servers[0])
    checkers = Checkers(scenario.roster)
    stood_ticks, longest = np.zeros(scenario.spec.trucks, np.int64), 0
    with Recorder(None, scenario.roster) as recorder:
        runner = Runner(scenario, server, recorder, checkers)
        for _ in range(round(HOURS * 36_000)):
            runner.tick()
            causes, count = engine.loop.causes, engine.loop.trucks.count
            held = causes.standing[:count] & (causes.code[:count] == Cause.ZONE)
            stood_ticks[:count] = np.where(held, stood_ticks[:count] + 1, 0)
            longest = max(longest, int(stood_ticks.max()))
        totals = runner.totals(0.0, "")
    return totals.truck_km, longest / 10.0, checkers


def test_a_planned_run_is_the_same_again_and_replays_without_planning(tmp_path: Path) -> None:
    """Turns are inputs: what was heard is in the log, and the core alone gives every word again."""
    scenario = load_scenario("crossing", ["policy=planned"], seed=3, hours=SHORT)

    first, again = (run_day(scenario, Wish(out=tmp_path / name, pages=False), lambda _: None) for name in ("first", "again"))
    replay = Replay(Sites())
    replay.feed(tmp_path / "first" / RUN_FILE, lambda _: None)

    assert first.trace_hash == again.trace_hash
    assert replay.verdict().good
    assert any(b'"Turns"' in block.first for block, _ in read_log(tmp_path / "first" / RUN_FILE) if block.kind == TICKS)


def test_whatever_is_advised_nobody_waits_for_ever_and_nobody_meets() -> None:
    """Advice is not trusted: the worst that senseless turns can do is some waiting, which an elder claim ends."""
    without_km, _, _ = drive(lambda _: None)

    km, longest_s, checkers = drive(lambda server: Senseless(server.engine.loop.trucks.lanes.zone_count, 8))

    assert checkers.figures().overlaps == ()
    assert km > 0.5 * without_km
    assert ELDER_S / 4 < longest_s < 3.0 * ELDER_S


def test_turns_are_heard_at_fixed_ticks_after_a_look() -> None:
    """In simulated time it must not matter how long planning takes."""
    chart = Chart(length_m=(), speed_max_mps=(), stops=(), exclusive=(), service_s=())
    nothing = np.zeros(0)
    nobody = np.zeros((0, 0), np.int32)
    empty = Seen(
        now_ns=5, comes=np.zeros(0, np.bool_), way_m=nothing, nose_m=nothing, end_m=nothing, speed_max_mps=nothing, beyond_m=nothing,
        path_lane=nobody, path_start_m=np.zeros((0, 1)), path_count=np.zeros(0, np.int32),
    )  # fmt: skip
    planning = TickPlanning(chart)

    heard = []
    for tick in range(1, 3 * LOOK_TICKS):
        heard += [(tick, turns.seen_ns) for turns in planning.take(tick)]
        planning.look(tick, lambda: empty)

    assert heard == [(LOOK_TICKS + HEARD_TICKS, 5), (2 * LOOK_TICKS + HEARD_TICKS, 5)]
