"""
The stops in force: all-stops, holds, quarantines and intrusions, and which truck each of them keeps halted.

A stop is named; only its own name lifts it. A truck is released when none is left, and even then nothing moves it but a new
grant after a re-sync. Stops may be told to a truck again at any time, and are, after every hello. A person who resumes one truck
lifts all its own stops: what still holds it, such as an intruder on its ground, stops it again in the same tick.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import numpy as np

from fleet.server.columns import CodeColumn
from fleet.server.facts import (
    AllStopLifted,
    AllStopSet,
    Fact,
    TruckHeld,
    TruckQuarantined,
    TruckRegistered,
    TruckRemoved,
    TruckResumed,
)
from fleet.server.intrusions import IntrusionMet, IntrusionReleased, stop_id_of
from fleet.server.loop.sessions import Sessions
from fleet.server.loop.truck_session import Event
from fleet.server.outgoing import Reaction, ResumeOut, StopOut
from planner.authority import Cause

# The loop's own holds are about trucks in each other's way: they brake as hard as they can.
OWN_ACTOR: Final = "khulan"
# But for this one: the truck is in nobody's way, and does not come to rest where nobody may.
BRAKES: Final = "brakes"
# A lost release would leave its truck standing for good; three lost in a row are a lost link.
RELEASE_REPEATS: Final = 3
OwnStop: TypeAlias = TruckHeld | TruckQuarantined | IntrusionMet


class Stops:
    """
    Which stops are in force, and what is still to be said about them.

    cause  (capacity,) why each truck is stopped, the gravest reason first: a `Cause`, NONE for one that is not

    Whoever drains `stops` and `resumes` empties them.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.cause: CodeColumn = np.zeros(len(sessions.state), np.int8)
        self._all: dict[str, AllStopSet] = {}
        self._of_row: dict[int, dict[str, OwnStop]] = {}
        self._removed: set[int] = set()
        self._lifted: dict[ResumeOut, int] = {}
        self.stops: list[StopOut] = []
        self.resumes: list[ResumeOut] = []
        self._appliers = {
            AllStopSet: self._all_stop,
            AllStopLifted: self._lift,
            TruckHeld: self._hold,
            TruckQuarantined: self._hold,
            IntrusionMet: self._hold,
            IntrusionReleased: self._clear,
            TruckResumed: self._resume,
            TruckRegistered: self._register,
            TruckRemoved: self._remove,
        }

    def forget_words(self) -> None:
        """What replaying a journal would have said was said by the server before."""
        self.stops.clear()
        self.resumes.clear()
        self._lifted.clear()

    def repeat(self, rolling: Iterable[int]) -> None:
        """Says the stops of trucks that still roll again, and, a few times, the releases of the last seconds."""
        for row in rolling:
            self.stops.extend(self.of(row))
        for resume, left in list(self._lifted.items()):
            stopped_again = resume.stop_id in self._all or resume.stop_id in self._of_row.get(resume.row, {})
            if not stopped_again:
                # A truck that hears of its release only now still needs a grant made after it.
                self.resumes.append(resume)
                self._sessions.owed[resume.row] = True
            if stopped_again or left == 1:
                del self._lifted[resume]
            else:
                self._lifted[resume] = left - 1

    def _release(self, row: int, stop_id: str) -> None:
        resume = ResumeOut(row=row, stop_id=stop_id)
        self.resumes.append(resume)
        self._lifted[resume] = RELEASE_REPEATS

    def apply(self, fact: Fact) -> None:
        """Changes the stops as *fact* says; facts of others pass by."""
        applier = self._appliers.get(type(fact))
        if applier is not None:
            applier(fact)  # type: ignore[operator]
            row = getattr(fact, "row", None)
            for at in range(len(self._sessions.truck_ids)) if row is None else (row,):
                self.cause[at] = self._cause_of(at)

    def all_stopped(self) -> bool:
        """Whether any all-stop is in force."""
        return bool(self._all)

    def own_all_stops(self) -> list[str]:
        """All-stops that the loop itself set, because what it remembers is in doubt."""
        return [stop.stop_id for stop in self._all.values() if stop.actor == OWN_ACTOR]

    def has(self, stop_id: str) -> bool:
        """Whether the all-stop of this name is in force."""
        return stop_id in self._all

    def bears(self, row: int, stop_id: str) -> bool:
        """Whether *row* has a stop of its own of this name."""
        return stop_id in self._of_row.get(row, {})

    def quarantine_of(self, row: int) -> str:
        """Why *row* is quarantined, a class name; "" when it is not."""
        own = self._of_row.get(row, {}).values()
        return next((stop.reason for stop in own if isinstance(stop, TruckQuarantined)), "")

    def intrusion_of(self, row: int) -> str | None:
        """The intrusion that *row* is stopped for, the first if several."""
        own = self._of_row.get(row, {}).values()
        return next((stop.intrusion_id for stop in own if isinstance(stop, IntrusionMet)), None)

    def _cause_of(self, row: int) -> Cause:
        own = self._of_row.get(row, {})
        if any(isinstance(stop, TruckQuarantined) for stop in own.values()):
            return Cause.QUARANTINE
        if self._all:
            return Cause.ALL_STOP
        if any(isinstance(stop, IntrusionMet) for stop in own.values()):
            return Cause.INTRUSION
        return Cause.HOLD if own else Cause.NONE

    def of(self, row: int) -> list[StopOut]:
        """Every stop in force on *row*, to be told after a hello."""
        return [self._all_stop_out(row, stop) for stop in self._all.values()] + [
            self._stop_out(row, stop) for stop in self._of_row.get(row, {}).values()
        ]

    def facts(self) -> list[Fact]:
        """What recreates the stops, in a snapshot."""
        own = [stop for stops in self._of_row.values() for stop in stops.values()]
        return [*self._all.values(), *own]

    def _rows(self) -> list[int]:
        return [row for row in range(len(self._sessions.truck_ids)) if row not in self._removed]

    @staticmethod
    def _all_stop_out(row: int, stop: AllStopSet) -> StopOut:
        reaction = Reaction.EMERGENCY_STOP if stop.actor == OWN_ACTOR else Reaction.SERVICE_STOP
        return StopOut(row=row, stop_id=stop.stop_id, reaction=reaction, cause=Cause.ALL_STOP.name.lower())

    @staticmethod
    def _stop_out(row: int, stop: OwnStop) -> StopOut:
        reaction, cause = Reaction.EMERGENCY_STOP, Cause.HOLD
        if isinstance(stop, TruckQuarantined):
            cause = Cause.QUARANTINE
        elif isinstance(stop, IntrusionMet):
            cause = Cause.INTRUSION
        elif stop.actor != OWN_ACTOR or stop.reason == BRAKES:
            reaction = Reaction.SERVICE_STOP
        return StopOut(row=row, stop_id=_name_of(stop), reaction=reaction, cause=cause.name.lower())

    def _all_stop(self, fact: AllStopSet) -> None:
        if fact.stop_id in self._all:
            return
        self._all[fact.stop_id] = fact
        for row in self._rows():
            self._sessions.fire(row, Event.STOP_ORDERED)
            self.stops.append(self._all_stop_out(row, fact))

    def _lift(self, fact: AllStopLifted) -> None:
        if self._all.pop(fact.stop_id, None) is None:
            return
        for row in self._rows():
            self._release(row, fact.stop_id)
            if not self._all and not self._of_row.get(row):
                self._sessions.fire(row, Event.RELEASED)

    def _hold(self, fact: OwnStop) -> None:
        stop_id = _name_of(fact)
        self._of_row.setdefault(fact.row, {})[stop_id] = fact
        self._sessions.fire(fact.row, Event.DISBELIEVED if isinstance(fact, TruckQuarantined) else Event.STOP_ORDERED)
        # A release of this tick would leave after the stop, and lift it.
        released = ResumeOut(row=fact.row, stop_id=stop_id)
        self.resumes = [resume for resume in self.resumes if resume != released]
        self._lifted.pop(released, None)
        self.stops.append(self._stop_out(fact.row, fact))

    def _clear(self, fact: IntrusionReleased) -> None:
        stop_id = stop_id_of(fact.intrusion_id)
        for row, own in self._of_row.items():
            if own.pop(stop_id, None) is not None:
                self._release(row, stop_id)
                if not own and not self._all:
                    self._sessions.fire(row, Event.RELEASED)

    def _resume(self, fact: TruckResumed) -> None:
        for stop_id in self._of_row.pop(fact.row, {}):
            self._release(fact.row, stop_id)
        self._sessions.fire(fact.row, Event.RELEASED)
        if self._all:
            self._sessions.fire(fact.row, Event.STOP_ORDERED)

    def _register(self, fact: TruckRegistered) -> None:
        if self._all:
            self._sessions.fire(fact.row, Event.STOP_ORDERED)

    def _remove(self, fact: TruckRemoved) -> None:
        self._removed.add(fact.row)
        self._of_row.pop(fact.row, None)


def _name_of(stop: OwnStop) -> str:
    return stop_id_of(stop.intrusion_id) if isinstance(stop, IntrusionMet) else stop.stop_id
