"""
What each hour of a local day came to: round trips, tonnes, and for how long trucks stood for which cause.

Trips and tonnes are kept in the tick that makes them; standing is counted once a second and kept once a minute, so a server that dies
forgets a minute of it at most. A truck that stands behind another stands for whatever that one stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fleet.clock import NS_PER_S
from fleet.server.columns import FlagColumn, FloatColumn, RowColumn
from fleet.server.fact_form import Fact, fact
from planner.authority import Cause

DAY_S: Final = 86_400
HOUR_S: Final = 3600
# A month to compare with, and with a fact an hour still little to write down in a snapshot.
DAYS_KEPT: Final = 31
# Seldom enough to cost the journal nothing, often enough that a crash costs the account nothing.
KEEP_EVERY_S: Final = 60.0
# A loop that did not look for longer does not know who stood meanwhile.
UNSEEN_S: Final = 10.0

_LEADER: Final = int(Cause.LEADER)
_NONE: Final = int(Cause.NONE)


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class HourKept(Fact):
    """
    One hour so far: *day* counts local days from the one in which control time was 0, *hour* from 0 to 23.

    *watched_s*: seconds in which the server looked at a fleet. *waiting_s*: truck seconds by the cause's lower-case name.
    """

    day: int
    hour: int
    watched_s: float = 0.0
    round_trips: int = 0
    containers: int = 0
    tonnes: float = 0.0
    waiting_s: Mapping[str, float]


def roots_of(cause: RowColumn, ref: RowColumn, standing: FlagColumn) -> RowColumn:
    """
    By row (n,): the cause at the root of what each truck stands for; meaningless for one that moves.

    Trucks that stand behind one another in a ring stand for the truck ahead.
    """
    count = len(cause)
    rows = np.arange(count)
    # References of other causes are rows of gates and stands: nothing is looked up by them.
    ahead = np.where((cause == _LEADER) & (ref >= 0) & (ref < count), ref, rows)
    ahead = np.where(standing[ahead] & (cause[ahead] != _NONE), ahead, rows)
    for _ in range(count.bit_length()):
        ahead = ahead[ahead]
    found: RowColumn = cause[ahead]
    return found


class Days:
    """The hours of the last days. *day_start_s*: seconds after local midnight at control time 0."""

    def __init__(self, day_start_s: int) -> None:
        self._day_start_ns = day_start_s * NS_PER_S
        self.hours: dict[tuple[int, int], HourKept] = {}
        self._place = (0, 0)
        self._looked_ns = -1
        self._watched_s = 0.0
        self._waiting_s: FloatColumn = np.zeros(len(Cause))

    def apply(self, kept: HourKept) -> None:
        """An hour's newest account replaces the one before; what is too old goes."""
        place = (kept.day, kept.hour)
        if place not in self.hours:
            self.hours = {known: hour for known, hour in self.hours.items() if known[0] > kept.day - DAYS_KEPT}
        self.hours[place] = kept

    def place_of(self, now_ns: int) -> tuple[int, int]:
        """Day and hour at a moment of control time."""
        day, second = divmod((self._day_start_ns + now_ns) // NS_PER_S, DAY_S)
        return day, second // HOUR_S

    def come(self, now_ns: int) -> HourKept | None:
        """It is *now_ns*; the answer is an hour that has ended with something in it that is not kept."""
        place = self.place_of(now_ns)
        if place == self._place:
            return None
        ended = self.counted() if self._watched_s > 0.0 else None
        self._place = place
        return ended

    def counted(self, *, round_trips: int = 0, containers: int = 0, tonnes: float = 0.0) -> HourKept:
        """The present hour with these and all that was seen on top of what is kept; to be recorded."""
        seen = self._present()
        self._watched_s = 0.0
        self._waiting_s[:] = 0.0
        return replace(
            seen, round_trips=seen.round_trips + round_trips, containers=seen.containers + containers, tonnes=seen.tonnes + tonnes
        )

    def look(self, root_cause: RowColumn, standing: FlagColumn, now_ns: int) -> HourKept | None:
        """Counts who stands (n,) for what since the last look; the answer is to be recorded when it is time to."""
        before_ns, self._looked_ns = self._looked_ns, now_ns
        if before_ns < 0 or not len(standing):
            return None
        seen_s = min((now_ns - before_ns) / NS_PER_S, UNSEEN_S)
        self._watched_s += seen_s
        self._waiting_s += np.bincount(root_cause[standing], minlength=len(Cause)) * seen_s
        return self.counted() if self._watched_s >= KEEP_EVERY_S else None

    def now(self) -> list[HourKept]:
        """Every hour kept, the oldest first, the present one with what was seen since."""
        hours = {**self.hours, self._place: self._present()}
        return [hours[place] for place in sorted(hours)]

    def facts(self) -> list[Fact]:
        """What recreates them."""
        return list(self.hours.values())

    def _present(self) -> HourKept:
        """The present hour with what was seen on top of what is kept."""
        day, hour = self._place
        kept = self.hours.get(self._place) or HourKept(day=day, hour=hour, waiting_s={})
        waiting_s = dict(kept.waiting_s)
        for code in np.flatnonzero(self._waiting_s).tolist():
            name = Cause(code).name.lower()
            waiting_s[name] = round(waiting_s.get(name, 0.0) + float(self._waiting_s[code]), 3)
        return replace(kept, watched_s=round(kept.watched_s + self._watched_s, 3), waiting_s=waiting_s)
