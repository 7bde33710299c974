"""
One short run in virtual time under every watch we have, up to the first thing that must never be.

A *drill* says what happens in it: a script that waits for a moment (a follower close behind, a gate open ahead), breaks something
then, and lets time pass. The script looks at the truth alone, so that the same drill can be played by the product and by a mutant.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, TypeVar

import numpy as np

from fleet.errors import FleetError
from fleet.server.loop.judging import JudgeObjected
from planner.corridor import Corridor
from planner.limits import FRICTION_DRY
from planner.tables import TableFault
from sim_harness import paths
from sim_harness.checkers import Checkers
from sim_harness.faults.spec import SECONDS_MAX, FaultSpec
from sim_harness.in_memory import InMemoryServer
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import Scenario, load_scenario

TICKS_A_SECOND: Final = 10
WAIT_MAX_S: Final = 400.0
# A run has somebody who breaks things only if something is to break; this never comes.
NEVER: Final = FaultSpec(fault="journal_full", at_s=SECONDS_MAX)

# Kinds of violations.
OVERLAP: Final = "overlap"
OVERRUN: Final = "overrun"
SHARED: Final = "shared ground"
THROUGH: Final = "barrier driven through"
MARGIN: Final = "negative margin"
STRANDED: Final = "end in a no-stop stretch"
UNSAFE: Final = "safe state missed"
STOPPED: Final = "server stopped itself"

Found = TypeVar("Found")
Script = Callable[["Play"], Iterator[None]]


class MomentMissed(AssertionError):
    """The moment that a drill waits for never came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """What must never be, and was: when, which watch saw it, and what it says."""

    time_s: float
    kind: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """
    A short run: where, from which seed, and what happens.

    *ground* changes the corridor that everybody is given; *friction* is the road's, and the server knows.
    """

    name: str
    script: Script
    scenario: str = "crossing"
    settings: tuple[str, ...] = ()
    seed: int = 1
    trucks: int = 8
    ground: Callable[[Corridor], Corridor] | None = None
    friction: float = FRICTION_DRY


@cache
def loaded(scenario: str, settings: tuple[str, ...], trucks: int) -> Scenario:
    """A scenario, its site read once."""
    return load_scenario(scenario, settings, trucks=trucks)


def scenario_of(drill: Drill) -> Scenario:
    """The scenario that *drill* plays in."""
    base = loaded(drill.scenario, drill.settings, drill.trucks)
    spec = base.spec.model_copy(update={"seed": drill.seed, "scheduled_faults": (NEVER,)})
    if drill.ground is None:
        return replace(base, spec=spec, seed=drill.seed)
    corridor = drill.ground(base.corridor)
    return replace(base, spec=spec, seed=drill.seed, corridor=corridor, roster=replace(base.roster, corridor=corridor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A truck and the one it follows, by row, and the metres between them."""

    leader: int
    follower: int
    gap_m: float


class Play:
    """A drill under way."""

    def __init__(self, drill: Drill) -> None:
        self.drill = drill
        self.scenario = scenario_of(drill)
        self.now_s = 0.0
        self.faults: list[FaultSpec] = []
        self._own: dict[str, str] = {}
        roster = self.scenario.roster
        self._checkers = Checkers(roster)
        self.server = InMemoryServer(self.scenario.corridor, int(opening_s(roster)), mortal=True, friction=drill.friction)
        self.runner = Runner(self.scenario, self.server, Recorder(None, roster), self._checkers)
        self.fleet.set_road(drill.friction)

    # -- playing -------------------------------------------------------------------------------------------------------

    def run(self, shows: str | None = None) -> dict[str, Violation]:
        """
        Play the drill to its end, or to the first violation; with *shows*, to the first of that kind. The first of each kind seen.

        Raises:
            MomentMissed: what the drill waits for never came.
        """
        seen: dict[str, Violation] = {}
        for _ in self.drill.script(self):
            try:
                self.runner.tick()
            except JudgeObjected as objection:
                said = f"the judge objected to {objection.holder} and {objection.claimant} at {objection.place_id}"
                return {**seen, STOPPED: Violation(time_s=self.now_s, kind=STOPPED, said=said)}
            except (FleetError, TableFault) as stopped:
                # As with the judge: the process ends, and every truck stops by itself.
                return {**seen, STOPPED: Violation(time_s=self.now_s, kind=STOPPED, said=f"{type(stopped).__name__}: {stopped}")}
            self.now_s = round(self.now_s + 1.0 / TICKS_A_SECOND, 1)
            for kind, said in self._look():
                seen.setdefault(kind, Violation(time_s=self.now_s, kind=kind, said=said))
            if seen and (shows is None or shows in seen):
                return seen
        return seen

    def _look(self) -> Iterator[tuple[str, str]]:
        """What the watches have seen by now: kind and sentence."""
        yield from self._own.items()
        figures = self._checkers.figures()
        for overlap in figures.overlaps[:1]:
            yield OVERLAP, f"{overlap.truck_id} and {overlap.other_truck_id} on {overlap.lane_id}"
        for overrun in figures.overruns[:1]:
            yield OVERRUN, f"{overrun.truck_id} on {overrun.lane_id}"
        for shared in self.runner.stage.grounds.found[:1]:
            yield SHARED, f"{shared.truck_id} and {shared.other_truck_id} at {shared.place_id}"
        for hit in self.runner.stage.barriers.found[:1]:
            yield THROUGH, f"{hit.truck_id} at {hit.gate_id}"
        margin_m = figures.authority_margin_m_min
        if margin_m is not None and margin_m < 0.0:
            yield MARGIN, f"{figures.authority_margin_truck_id}, {margin_m:.2f} m"
        for end in self.runner.stage.ends.bad[:1]:
            yield STRANDED, f"{end.truck_id} could be left standing there"
        for broken in self.runner.troubles.undone(self.now_s)[:1]:
            yield UNSAFE, broken

    # -- what scripts say ----------------------------------------------------------------------------------------------

    def seconds(self, seconds: float) -> Iterator[None]:
        """Let time pass."""
        for _ in range(round(seconds * TICKS_A_SECOND)):
            yield

    def until(self, moment: Callable[[], Found | None], within_s: float = WAIT_MAX_S) -> Generator[None, None, Found]:
        """
        Let time pass until *moment* finds something; what it found.

        Raises:
            MomentMissed: it did not *within_s*.
        """
        for _ in range(round(within_s * TICKS_A_SECOND)):
            found = moment()
            if found is not None:
                return found
            yield
        raise MomentMissed(f"{self.drill.name}: waited {within_s:g} s in vain")

    def sees(self, kind: str, said: str) -> None:
        """The script itself sees what must never be."""
        self._own.setdefault(kind, said)

    def breaks(self, fault: str, **stated: Any) -> FaultSpec:
        """From the next tick on something is broken."""
        spec = FaultSpec.model_validate({"fault": fault, "at_s": self.now_s, **stated})
        self.faults.append(spec)
        self.runner.troubles.faults.inject(spec)
        return spec

    def truck_id(self, row: int) -> str:
        """The name of the truck of *row*."""
        return self.scenario.roster.truck_ids[row]

    # -- what scripts look at ------------------------------------------------------------------------------------------

    @property
    def fleet(self) -> Any:
        """The simulated trucks' columns."""
        return self.runner.trucks.columns

    def speed_mps(self, row: int) -> float:
        """The true speed of one truck."""
        return float(self.fleet.motion.speed_mps[row])

    def lane_of(self, row: int) -> str:
        """The lane under one truck's nose."""
        return self.scenario.corridor.lanes[int(self.fleet.places.lane_ix[row])].lane_id

    def ahead_m(self, row: int) -> float:
        """Metres from one truck's nose to the end it holds; not a number where it holds none."""
        return float(self.fleet.onboard.end_m[row] - self.fleet.motion.nose_m[row])

    def pairs(self, gap_max_m: float) -> Iterator[Pair]:
        """Trucks that follow one another along their paths by no more than *gap_max_m*."""
        fleet = self.fleet
        count = len(fleet.roster.truck_ids)
        for leader in range(count):
            body = fleet.places.body_lanes[leader]
            tail_lane = int(body[body >= 0][-1])
            tail_m = float(fleet.motion.nose_m[leader] - fleet.length_m[leader])
            chainage_m = tail_m - paths.path_coordinate(fleet.paths, leader, tail_lane, 0.0)
            for follower in range(count):
                at_m = paths.path_coordinate(fleet.paths, follower, tail_lane, chainage_m)
                gap_m = at_m - float(fleet.motion.nose_m[follower])
                if follower != leader and np.isfinite(gap_m) and 0.0 < gap_m <= gap_max_m:
                    yield Pair(leader=leader, follower=follower, gap_m=gap_m)
