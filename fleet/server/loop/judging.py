"""
The judge's seat in the loop: no decision leaves before plain code has looked at the ledger as it would be afterwards.

It looks at the rows a tick touched, and once a second at everything. If it objects, the process is to end: what it objects to was
decided by code that cannot be trusted any more. The next server finds an all-stop in the journal and waits for a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from fleet.errors import Code, FleetError
from fleet.server.facts import AllStopSet, Fact
from fleet.server.loop.sessions import Sessions
from fleet.server.loop.stops import OWN_ACTOR
from planner.corridor import Corridor
from planner.limits import JUDGE_SWEEP_TICKS
from planner.oracle import Judge, Objection
from planner.tables import TruckTable

JUDGE_STOP: Final = "judge"


@dataclass(eq=False)
class JudgeObjected(FleetError):
    """The judge found that a decision would let two trucks hold the same ground. Nothing of it was sent."""

    code: ClassVar[Code] = Code.BUG

    tick: int
    place_id: str
    holder: str
    claimant: str
    overlap_m: float
    # To be journalled before the process ends: the next server grants nothing until a person releases it.
    aftermath: tuple[Fact, ...]

    def facts(self) -> dict[str, str]:
        """Without the aftermath, which is for the journal."""
        return {name: text for name, text in FleetError.facts(self).items() if name != "aftermath"}


class Judging:
    """Collects what a tick touches and asks the judge."""

    def __init__(self, corridor: Corridor, trucks: TruckTable, sessions: Sessions) -> None:
        self._trucks = trucks
        self._sessions = sessions
        self._judge = Judge(corridor)
        self._touched: set[int] = set()

    def touch(self, rows: Iterable[int]) -> None:
        """The ends or paths of *rows* changed."""
        self._touched.update(rows)

    def require_sound(self, *, tick: int, now_ns: int) -> None:
        """
        Raises unless exclusivity holds on the ledger as this tick leaves it.

        Raises:
            JudgeObjected: two trucks would hold the same ground.
        """
        touched, self._touched = sorted(self._touched), set()
        found = self._judge.objections(self._trucks, touched) if touched else []
        if tick % JUDGE_SWEEP_TICKS == 0:
            found += self._judge.sweep(self._trucks)
        if found:
            raise self._objection(found[0], tick, now_ns)

    def _objection(self, found: Objection, tick: int, now_ns: int) -> JudgeObjected:
        names = self._sessions.truck_ids
        reason = f"{names[found.holder]} and {names[found.claimant]} at {found.place_id}"
        return JudgeObjected(
            tick=tick,
            place_id=found.place_id,
            holder=names[found.holder],
            claimant=names[found.claimant],
            overlap_m=found.overlap_m,
            aftermath=(AllStopSet(stop_id=JUDGE_STOP, reason=reason, actor=OWN_ACTOR, at_ns=now_ns),),
        )
