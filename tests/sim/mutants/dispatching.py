"""Dispatchers that are unsafe to nobody, and under which the fleet comes to a stand."""

from __future__ import annotations

from dataclasses import replace

from fleet.server.dispatch import bay_matching, departures, sections
from planner.corridor import StandKind
from planner.sections import Side, Turn, Verdict
from tests.sim.mutants.patching import Mutant, patched


def no_queue() -> Mutant:
    """Trucks go from stand to stand only: on a site as full as can be nobody can leave before somebody else has."""
    return patched(bay_matching, "staging_of", lambda *_: None)


def bays_alone() -> Mutant:
    """A truck that leaves a yard looks for a bay in the other one, and overlooks the parking stands."""
    return patched(departures.Departures, "_refuges_in", lambda *_: ((StandKind.BAY,),))


def no_heads() -> Mutant:
    """Nobody in the queue before the bays is ever near enough to be given one."""
    return patched(bay_matching.BayMatching, "_head_of_queue", lambda *_: None)


def one_side_only() -> Mutant:
    """A one-lane section that is always the homeward side's."""

    def decide(turn: Turn, sides: tuple[Side, Side], *_: object) -> Verdict:
        return Verdict(turn=replace(turn, side=1), tokens=tuple(comer.row for comer in sides[1].comers[:1]))

    return patched(sections, "decide", decide)
