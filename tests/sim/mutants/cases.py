"""
Which drill kills which mutant, and what it shows.

A planner's mutants are killed twice where the judge stands before them: once by him, and once, with him silenced, by what happens on the
road.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from tests.sim.mutants import controller, drills, onboard
from tests.sim.mutants.controller import unjudged
from tests.sim.mutants.patching import Mutant
from tests.sim.mutants.play import (
    MARGIN,
    OVERLAP,
    OVERRUN,
    SHARED,
    STOPPED,
    STRANDED,
    THROUGH,
    UNSAFE,
    Drill,
    MomentMissed,
    Play,
    Violation,
)

# One coincidence less in a drill, when a timetable changes, is one seed more.
SEEDS: Final = (1, 2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A mutant, the drill that kills it, and the kind of violation it comes to; *judged*: the judge sits."""

    mutant: Callable[[], Mutant]
    drill: Drill
    shows: str
    judged: bool = True

    @property
    def name(self) -> str:
        """The mutant's name, and that nobody judges it where so."""
        return self.mutant.__name__ if self.judged else f"{self.mutant.__name__}, unjudged"

    @contextmanager
    def made(self) -> Iterator[None]:
        """The product is this mutant while the context lasts."""
        with ExitStack() as entered:
            entered.enter_context(self.mutant())
            if not self.judged:
                entered.enter_context(unjudged())
            yield

    def played(self, seed: int) -> dict[str, Violation]:
        """The first violation of each kind in the drill of *seed*, up to the kind that the case comes to."""
        with self.made():
            return Play(replace(self.drill, seed=seed)).run(self.shows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """How a mutant was killed: in the drill of which seed, and the first violation of each kind it showed there."""

    seed: int
    seen: dict[str, Violation]


@cache
def kill_of(case: Case) -> Kill | None:
    """The first seed that kills the mutant; None when it survives them all."""
    for seed in SEEDS:
        with suppress(MomentMissed):
            seen = case.played(seed)
            if case.shows in seen:
                return Kill(seed=seed, seen=seen)
    return None


@cache
def passed_by_the_product(drill: Drill, seed: int) -> dict[str, Violation]:
    """What the product shows in the drill of *seed*: nothing, if all is well."""
    return Play(replace(drill, seed=seed)).run()


CASES: Final = (
    # Whose ground is where.
    Case(mutant=controller.extrapolated_leader, drill=drills.LEADER_IS_OUT_OF_REACH, shows=OVERLAP),
    Case(mutant=controller.release_by_timeout, drill=drills.LEADER_IS_OUT_OF_REACH, shows=OVERLAP),
    Case(mutant=controller.rss_spacing, drill=drills.ALL_IS_WELL, shows=STOPPED),
    Case(mutant=controller.rss_spacing, drill=drills.LEADER_STOPS_DEAD, shows=SHARED, judged=False),
    Case(mutant=controller.leader_overlooked, drill=drills.ALL_IS_WELL, shows=STOPPED),
    Case(mutant=controller.leader_overlooked, drill=drills.ALL_IS_WELL, shows=OVERLAP, judged=False),
    # Zones, gates, and places where none may stand.
    Case(mutant=controller.zone_freed_at_nose, drill=drills.ALL_IS_WELL, shows=STOPPED),
    Case(mutant=controller.zone_freed_at_nose, drill=drills.TAIL_IN_THE_CROSSING, shows=OVERLAP, judged=False),
    Case(mutant=controller.zone_claimed_by_two, drill=drills.ALL_IS_WELL, shows=STOPPED),
    Case(mutant=controller.zone_claimed_by_two, drill=drills.TAIL_IN_THE_CROSSING, shows=OVERLAP, judged=False),
    Case(mutant=controller.no_stops_ignored, drill=drills.QUEUE_BEYOND_A_GATE, shows=STRANDED),
    Case(mutant=controller.tail_left_in_no_stop, drill=drills.ALL_IS_WELL, shows=STRANDED),
    Case(mutant=controller.barrier_not_awaited, drill=drills.ALL_IS_WELL, shows=THROUGH),
    # What is believed.
    Case(mutant=controller.forward_jump_trusted, drill=drills.POSITION_JUMPS_AHEAD, shows=SHARED),
    Case(mutant=controller.stale_report_trusted, drill=drills.NOT_HEARD_AT_A_GATE, shows=UNSAFE),
    Case(mutant=controller.rear_without_bound, drill=drills.LESS_FAR_THAN_THEY_BELIEVE, shows=SHARED),
    Case(mutant=controller.doubt_not_road, drill=drills.CLAIMS_TO_BE_ELSEWHERE, shows=UNSAFE),
    # Road given and taken back.
    Case(mutant=controller.shortening_unacknowledged, drill=drills.BARRIER_FALLS_UNHEARD, shows=SHARED),
    Case(mutant=controller.recovery_forgets_authorities, drill=drills.RESTART_OUT_OF_REACH, shows=SHARED),
    Case(mutant=controller.handshake_skipped, drill=drills.JOURNAL_COMES_BACK_OLD, shows=UNSAFE),
    # Brakes and the road.
    Case(mutant=controller.grade_ignored, drill=drills.DOWNHILL, shows=MARGIN),
    Case(mutant=controller.friction_ignored, drill=drills.ON_GLAZE, shows=MARGIN),
    Case(mutant=onboard.brake_over_declared, drill=drills.SERVICE_BRAKES_FAIL, shows=OVERRUN),
    Case(mutant=onboard.no_emergency_curve, drill=drills.SERVICE_BRAKES_FAIL, shows=OVERRUN),
    Case(mutant=onboard.roll_back_ignored, drill=drills.ROLLS_BACK, shows=OVERLAP),
    Case(mutant=onboard.place_taken_for_exact, drill=drills.FURTHER_THAN_THEY_BELIEVE, shows=OVERRUN),
    Case(mutant=onboard.intruder_ignored, drill=drills.SOMEBODY_ON_THE_ROAD, shows=UNSAFE),
    # Words and contact.
    Case(mutant=onboard.shortening_always_honoured, drill=drills.BARRIER_FALLS_TOO_LATE, shows=OVERRUN),
    Case(mutant=onboard.epoch_ignored, drill=drills.OLD_WORDS, shows=SHARED),
    Case(mutant=onboard.sequence_ignored, drill=drills.OLD_WORDS, shows=SHARED),
    Case(mutant=onboard.stops_ignored, drill=drills.CLAIMS_TO_BE_ELSEWHERE, shows=UNSAFE),
    Case(mutant=onboard.ladder_ignored, drill=drills.LEADER_IS_OUT_OF_REACH, shows=UNSAFE),
    Case(mutant=onboard.goes_on_by_itself, drill=drills.GREETED_BUT_NOT_GRANTED, shows=UNSAFE),
)
