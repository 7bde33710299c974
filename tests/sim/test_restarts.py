from __future__ import annotations

import random

from fleet.server.facts import Fact, encode
from planner.corridor import Corridor
from sim_harness.checkers import Checkers
from sim_harness.in_memory import Answers, InMemoryServer
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import load_scenario

HOURS = 0.15
TICKS_BETWEEN = (100, 400)


def written(facts: list[Fact]) -> list[tuple[str, bytes]]:
    """Facts as the journal has them: equal bytes are equal facts."""
    return [encode(fact) for fact in facts]


class KilledServer(InMemoryServer):
    """A server that is killed at chance ticks and goes on from its journal; half of the kills come just after a snapshot."""

    def __init__(self, corridor: Corridor, day_start_s: int, chance: random.Random) -> None:
        super().__init__(corridor, day_start_s, mortal=True)
        self._chance = chance
        self._ticks_left = chance.randrange(*TICKS_BETWEEN)
        self.kills = 0
        self.differences = 0

    def tick(self, now_ns: int) -> Answers:
        """A tick, after a kill if it is time for one."""
        self._ticks_left -= 1
        if self._ticks_left < 0:
            self._kill_and_compare()
        return super().tick(now_ns)

    def _kill_and_compare(self) -> None:
        dead = self._server
        assert dead is not None
        if self._chance.random() < 0.5:
            dead.snapshot()
        self.kill()
        self.start()
        assert self._server is not None
        self._ticks_left = self._chance.randrange(*TICKS_BETWEEN)
        self.kills += 1
        self.differences += written(dead.engine.desk.facts()) != written(self._server.engine.desk.facts())


def test_a_server_killed_again_and_again_forgets_nothing_and_hurts_nobody() -> None:
    """
    The journal alone carries orders, missions and authorities over a kill, and trucks go on by themselves afterwards.

    The dead server's desk and the new one's are compared fact by fact; bodies and ends of authority are watched all the while.
    """
    scenario = load_scenario("mandula", hours=HOURS)
    server = KilledServer(scenario.corridor, int(opening_s(scenario.roster)), random.Random(5))  # noqa: S311 - chance that replays
    checkers = Checkers(scenario.roster)
    with Recorder(None, scenario.roster) as recorder:
        totals = Runner(scenario, server, recorder, checkers).run(lambda _: None)

    figures = checkers.figures()
    assert server.kills > 10
    assert server.differences == 0
    assert figures.overlaps == ()
    assert figures.overruns == ()
    assert totals.emergency_brakes == 0
    assert totals.truck_km > 1.0
