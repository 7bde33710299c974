"""
The machines of bays, and their keepers.

A machine breaks by the calendar, whether it works or not, and its keeper says at once that the bay is blocked. Was it at work, the keeper
has it clear of the truck within minutes, unless it is mended first; the truck leaves with what is aboard by then. A visit is as many
containers off as on, one lift after the other (assumed, with two of either).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim_harness.link import BayCalled, BayState, Work
from sim_harness.traffic import Agenda

# From a breakdown until the keeper has the machine clear of its truck by hand (assumed).
FREED_S: Final = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """How long one machine is sound, and how long a repair takes; *mtbf_h* 0: it never breaks."""

    rng: np.random.Generator
    mtbf_h: float
    mttr_min: float

    def sound_s(self) -> float:
        """Seconds until it breaks, from when it was mended."""
        return float(self.rng.exponential(self.mtbf_h * 3600.0)) if self.mtbf_h > 0.0 else math.inf

    def repair_s(self) -> float:
        """Seconds until it is mended, from when it broke."""
        return float(self.rng.exponential(self.mttr_min * 60.0))


def aboard_after(work: Work, share: float, containers: int) -> int:
    """How many of a visit's *containers* are on the truck when *share* of it is done: of a load empties come off first."""
    lifts = math.floor(share * 2 * containers)
    return max(0, lifts - containers) if work is Work.LOAD else max(0, containers - lifts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """
    Who stands by a machine: proves the bay's state, for a truck or for none; ends a visit of which so large a share is done, the truck
    free; and notices, for the record, what became of the bay.
    """

    say: Callable[[str, BayState, str], None]
    end: Callable[[BayCalled, float], None]
    notice: Callable[..., None]


@dataclass(slots=True, kw_only=True)
class _Visit:
    called: BayCalled
    whole_s: float
    done_s: float
    since_s: float


class Loader:
    """One bay's machine: works on one truck at a time, breaks, frees its truck, and is mended."""

    def __init__(self, bay_id: str, chance: Chance, agenda: Agenda, keeper: Keeper) -> None:
        self._bay_id = bay_id
        self._chance = chance
        self._agenda = agenda
        self._keeper = keeper
        self._visit: _Visit | None = None
        self._faults = 0
        self._plan = 0
        self._await_breakdown()

    @property
    def broken(self) -> bool:
        """Whether it does nothing."""
        return self._faults > 0

    def takes(self, called: BayCalled) -> bool:
        """
        Whether a visit may begin.

        One that is under way and called for once more, by the next server, goes on; who comes to a broken machine is free at once.
        """
        if self._visit is not None and self._visit.called.truck_id == called.truck_id:
            self._keeper.say(self._bay_id, BayState.BLOCKED if self.broken else BayState.WORKING, called.truck_id)
            return False
        if self.broken:
            self._keeper.say(self._bay_id, BayState.BLOCKED, "")
            self._keeper.end(called, 0.0)
        return not self.broken

    def work(self, called: BayCalled, seconds: float) -> None:
        """A visit of so many seconds begins."""
        self._visit = _Visit(called=called, whole_s=seconds, done_s=0.0, since_s=0.0)
        self._go_on(self._visit)

    def breaks(self) -> None:
        """It stands still until it is `mended`, once for each time it broke."""
        self._faults += 1
        if self._faults > 1:
            return
        self._keeper.notice("loader_broke", bay_id=self._bay_id)
        self._keeper.say(self._bay_id, BayState.BLOCKED, "")
        visit = self._visit
        if visit is not None:
            visit.done_s += self._agenda.now_s() - visit.since_s
            self._next(FREED_S, lambda: self._end(visit, visit.done_s / visit.whole_s))

    def mended(self) -> None:
        """One fault less; without any it goes on where it was, or is ready."""
        self._faults -= 1
        if self._faults:
            return
        self._keeper.notice("loader_mended", bay_id=self._bay_id)
        if self._visit is None:
            self._keeper.say(self._bay_id, BayState.READY, "")
            return
        self._keeper.say(self._bay_id, BayState.WORKING, self._visit.called.truck_id)
        self._go_on(self._visit)

    def _await_breakdown(self) -> None:
        sound_s = self._chance.sound_s()
        if sound_s < math.inf:
            self._agenda.after(sound_s, self._break_down)

    def _break_down(self) -> None:
        self.breaks()
        self._agenda.after(self._chance.repair_s(), self._repaired)

    def _repaired(self) -> None:
        self.mended()
        self._await_breakdown()

    def _go_on(self, visit: _Visit) -> None:
        visit.since_s = self._agenda.now_s()
        self._next(visit.whole_s - visit.done_s, lambda: self._end(visit, 1.0))

    def _next(self, seconds: float, action: Callable[[], None]) -> None:
        """What becomes of the visit next, unless something else does before."""
        self._plan += 1
        plan = self._plan
        self._agenda.after(seconds, lambda: action() if plan == self._plan else None)

    def _end(self, visit: _Visit, share: float) -> None:
        self._visit = None
        self._keeper.end(visit.called, share)
