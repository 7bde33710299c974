"""
The operators' and transponders' word about intruders, and the answers to it.

Anyone may report: that only closes road. A transponder's word also moves the bubble around its truck, and comes every second;
it is remembered with the truck it is about, and not among the answered requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from fleet.errors import AlreadyExists, Code, FleetError, InvalidField, NotFound
from fleet.server.commands import IntrusionAnswer, ReleaseIntrusion, ReportIntrusion, StretchAnswer
from fleet.server.dispatch.answers import digest_of
from fleet.server.dispatch.books import Books
from fleet.server.intrusions import IntrusionKept, IntrusionKind, IntrusionReleased, IntrusionRules, IntrusionState, Sighting
from fleet.server.keep_out import KeepOut, Metres
from planner.limits import INTRUSIONS_MAX


@dataclass(eq=False)
class TooManyIntrusions(FleetError):
    """So many intrusions are open that one more is no help."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Stop everything, or release what is clear."

    open_count: int


_RELEASED: Final = IntrusionState.RELEASED


class Intruders:
    """Reports and releases at the desk."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._rules = IntrusionRules(KeepOut(books.corridor, books.lanes))

    def repeated(self, command: object, actor: str) -> IntrusionAnswer | None:
        """
        The answer, where *command* is the last word of a transponder once more; None for anything else.

        Raises:
            AlreadyExists: that word said something else.
        """
        if not isinstance(command, ReportIntrusion) or not command.tracked:
            return None
        kept = self._books.intrusions.open.get(command.intrusion_id)
        if kept is None or kept.request_id != command.request_id:
            return None
        if kept.digest != digest_of(command, actor):
            raise AlreadyExists(request_id=command.request_id)
        return self.answer(kept)

    def report(self, command: ReportIntrusion, actor: str, now_ns: int) -> IntrusionAnswer:
        """
        Closes road, or moves what is closed around a tracked truck.

        Raises:
            NotFound, InvalidField: no such lane, or metres it does not have; another kind under a known id.
            TransponderStale: an older word came late.
            TooManyIntrusions: there is no room for a new one.
        """
        book = self._books.intrusions
        if command.intrusion_id not in book.open and len(book.open) >= INTRUSIONS_MAX:
            raise TooManyIntrusions(open_count=len(book.open))
        said = Sighting(
            intrusion_id=command.intrusion_id,
            kind=IntrusionKind(command.kind),
            places=tuple(self._metres(at) for at in command.places),
            radius_m=command.radius_m,
            reporter=actor,
            detail=command.detail,
            tracked=command.tracked,
            speed_mps=command.speed_mps,
            stamp_ns=command.stamp_ns,
            request_id=command.request_id if command.tracked else "",
            digest=digest_of(command, actor) if command.tracked else "",
        )
        kept = self._rules.heard(book, said, now_ns)
        self._books.record(kept)
        return self.answer(kept)

    def release(self, command: ReleaseIntrusion, actor: str, now_ns: int) -> IntrusionAnswer:
        """
        A person says the place is clear.

        Raises:
            NotFound: no such intrusion is open.
        """
        kept = self._books.intrusions.open.get(command.intrusion_id)
        if kept is None:
            raise NotFound(kind="intrusion", name=command.intrusion_id)
        answer = self.answer(kept, _RELEASED)
        self._books.record(IntrusionReleased(intrusion_id=kept.intrusion_id, actor=actor, at_ns=now_ns))
        return answer

    def answers(self) -> list[IntrusionAnswer]:
        """Every open intrusion, oldest first."""
        return [self.answer(kept) for kept in self._books.intrusions.open.values()]

    def answer(self, kept: IntrusionKept, state: IntrusionState | None = None) -> IntrusionAnswer:
        """An intrusion as told to whoever asks."""
        books = self._books
        lanes = books.corridor.lanes
        return IntrusionAnswer(
            intrusion_id=kept.intrusion_id,
            kind=kept.kind,
            state=kept.state if state is None else state,
            stretches=tuple(StretchAnswer(lane_id=lanes[at.lane_ix].lane_id, start_m=at.from_m, end_m=at.to_m) for at in kept.closed),
            reporter=kept.reporter,
            detail=kept.detail,
            since_ns=kept.since_ns,
            heard_ns=kept.heard_ns,
            stopped_truck_ids=tuple(books.trips.known(row).truck_id for row in books.stopped_for.get(kept.intrusion_id, ())),
        )

    def _metres(self, at: StretchAnswer) -> Metres:
        lane_ix = self._books.corridor.lane_ix.get(at.lane_id)
        if lane_ix is None:
            raise NotFound(kind="lane", name=at.lane_id)
        length_m = self._books.corridor.lanes[lane_ix].length_m
        if not 0.0 <= at.start_m <= at.end_m <= length_m:
            raise InvalidField(name="stretches", problem=f"{at.lane_id} has metres 0 to {length_m:.1f}, not {at.start_m:g} to {at.end_m:g}")
        return Metres(lane_ix=lane_ix, from_m=at.start_m, to_m=at.end_m)
