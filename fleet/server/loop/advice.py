"""
The turns in force, as planning last said them, and who is next by them now.

They are advice (see `planner.foresight`): this is where it ends by itself. A turn is over once the truck's end lies beyond the entry, or
when the truck is later than it may be; it has not begun while the truck is far from due. Who may not drive, and who was given another way,
has none. Nothing of it outlives the server: the next one goes by who comes first until it hears of turns.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fleet.server.columns import FlagColumn, IntColumn
from fleet.server.facts import Fact, RouteSet
from planner.corridor import NO_ZONE, Corridor
from planner.foresight import ELDER_S, LEAD_S, SLACK_S, STALE_S
from planner.foresight.turns import Turns
from planner.limits import SAME_PLACE_M, TICK_PERIOD_S
from planner.spacing import NO_TURNS
from planner.tables import IndexArray, TruckTable

_NS_PER_S: Final = 1_000_000_000
_LEAD_NS, _SLACK_NS, _STALE_NS = (int(seconds * _NS_PER_S) for seconds in (LEAD_S, SLACK_S, STALE_S))
ELDER_TICKS: Final = round(ELDER_S / TICK_PERIOD_S)


class Advice:
    """Heard from planning, asked by spacing; with nothing heard nothing is looked at."""

    def __init__(self, corridor: Corridor, trucks: TruckTable) -> None:
        self._trucks = trucks
        # In one-lane sections the desk decides whose turn it is.
        self._advised: FlagColumn = np.array([section == NO_ZONE for section in corridor.section_of_zone], np.bool_)
        self._turns: Turns | None = None
        self._open: FlagColumn = np.zeros(0, np.bool_)

    def hear(self, turns: Turns) -> None:
        """These are in force from now on, and no others."""
        self._open = self._advised[turns.zone]
        self._turns = turns if self._open.any() else None

    @property
    def in_force(self) -> Turns | None:
        """What was heard last; None where that was nothing, or is too old."""
        return self._turns

    def apply(self, fact: Fact) -> None:
        """A truck with another way takes no turn on its old one."""
        if self._turns is not None and isinstance(fact, RouteSet):
            self._open &= self._turns.row != fact.row

    def next_turns(self, may_extend: FlagColumn, now_ns: int) -> IndexArray:
        """Who is next where, (3, a) as `planner.spacing` takes it."""
        turns = self._turns
        if turns is None:
            return NO_TURNS
        if now_ns - turns.seen_ns > _STALE_NS:
            self._turns = None
            return NO_TURNS
        # A turn that is over stays over: whoever was late does not come back into it.
        self._open &= (self._trucks.end_m[turns.row] <= turns.entry_m + SAME_PLACE_M) & (now_ns <= turns.due_ns + _SLACK_NS)
        still = (self._open & may_extend[turns.row]).nonzero()[0]
        zones = turns.zone[still]
        first = np.ones(len(zones), np.bool_)
        first[1:] = zones[1:] != zones[:-1]
        following = still[first]
        following = following[turns.due_ns[following] - _LEAD_NS <= now_ns]
        return np.stack([turns.zone[following], turns.branch[following], turns.row[following]]) if len(following) else NO_TURNS


def elder_count(claim_since: IntColumn, tick: int) -> int:
    """How many claims are so old that they come before any advice."""
    return int(np.count_nonzero((claim_since > 0) & (tick - claim_since >= ELDER_TICKS)))
