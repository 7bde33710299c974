"""
What the truck may do: the term agreed, the route held, the end of authority, and the order in which all of it came.

Every message of a term is taken at most once and never out of order, and its term is on the disk before anything follows from
it. A refused message changes nothing but, where it was read in order, the highest term seen: what the truck acts on stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import ClassVar, Final

from fleet.errors import Code, FleetError
from fleet.onboard.ladder import may_accept
from fleet.onboard.route import Path, RouteUnsound
from fleet.onboard.store import NOTHING_SEEN, JournalSeen, JournalStore, Term, TermStore
from fleet.onboard.words import Acknowledgement, LanePoint, MovementAuthority, Route, Shortening

NO_END: Final = -inf
SAME_END_M: Final = 0.01


@dataclass(eq=False)
class EpochNotAgreed(FleetError):
    """A message of a term this truck did not agree to when it said hello."""

    epoch: int
    agreed: int
    code: ClassVar[Code] = Code.STALE


@dataclass(eq=False)
class EpochFell(FleetError):
    """A server of an older term than this truck has already obeyed."""

    epoch: int
    seen: int
    code: ClassVar[Code] = Code.STALE


@dataclass(eq=False)
class RouteNotHeld(FleetError):
    """The message runs along a route this truck does not hold."""

    quoted: int
    held: int
    code: ClassVar[Code] = Code.STALE


@dataclass(eq=False)
class EndOffRoute(FleetError):
    """The end of authority does not lie on the route held."""

    lane_id: str
    chainage_m: float


@dataclass(eq=False)
class EndTooNear(FleetError):
    """An authority that ends before this truck can stop. Only a shortening moves an end back."""

    end_m: float
    earliest_m: float
    code: ClassVar[Code] = Code.PRECONDITION


class Permission:
    """
    Route and authority of one truck.

    *end_m* is the supervised location in path metres, minus infinity while none is held; *needs_grant* is true until an
    authority arrives that is newer than whatever last took the right to move away.
    """

    def __init__(self, store: TermStore) -> None:
        self._store = store
        self._journals = store if isinstance(store, JournalStore) else None
        self._answer: Acknowledgement | None = None
        self._route_epoch = 0
        self.agreed_epoch = 0
        self.path: Path | None = None
        self.route_sequence = 0
        self.end_m = NO_END
        self.friction = 0.0
        self.advised_speed_mps = 0.0
        self.needs_grant = True

    @property
    def seen(self) -> Term:
        """The highest term ever accepted."""
        return self._store.highest()

    @property
    def journal_seen(self) -> JournalSeen:
        """How far the journal of a server whose term was agreed reached when last heard of."""
        return NOTHING_SEEN if self._journals is None else self._journals.journal_seen()

    def note_journal(self, seen: JournalSeen) -> None:
        """The server of the agreed term says how far its journal reaches."""
        if seen.sequence and self._journals is not None:
            self._journals.note_journal(seen)

    @property
    def end(self) -> LanePoint | None:
        """The end of authority as a place; None while none is held."""
        if self.path is None or self.end_m == NO_END:
            return None
        return self.path.place(self.end_m)

    def agree(self, epoch: int) -> None:
        """
        Takes a server's term, as its welcome names it.

        Raises:
            EpochFell: the truck has already agreed to a later one.
        """
        if epoch < self.seen.epoch or epoch <= 0:
            raise EpochFell(epoch, self.seen.epoch)
        self._store.remember(Term(epoch, 0))
        self.agreed_epoch = epoch

    def take_route(self, route: Route, place_first: Callable[[Path], float | None], tail_m: float, nose_m: float) -> bool:
        """
        Takes a route; false when it is an old one. *place_first* answers where a first route puts the nose, None if nowhere.

        Raises:
            EpochNotAgreed, RouteUnsound, RouteDisagrees: the route is refused and the old one stays.
        """
        if not self._is_new(route.term):
            return False
        if self.path is None:
            path = Path(route.segments, 0.0)
            if place_first(path) is None:
                raise RouteUnsound(0, "does not hold the place where this truck stands")
        else:
            path = self.path.succeeded_by(route.segments, tail_m, max(self.end_m, nose_m))
        self._store.remember(route.term)
        self.path = path
        self.route_sequence = route.term.sequence
        self._route_epoch = route.term.epoch
        return True

    def take_authority(self, authority: MovementAuthority, earliest_m: float) -> bool:
        """
        Takes an authority; false when it is an old one. *earliest_m* is the nearest end the truck can still honour.

        Raises:
            EpochNotAgreed, RouteNotHeld, EndOffRoute, EndTooNear: it is refused, and what was held stays held.
        """
        if not self._is_new(authority.term):
            return False
        end_m = self._end_on_route(authority.term, authority.route_sequence, authority.end)
        if end_m < self.end_m - SAME_END_M and end_m < earliest_m:
            raise EndTooNear(end_m, earliest_m)
        self._store.remember(authority.term)
        self.end_m = end_m
        self.friction = authority.friction
        self.advised_speed_mps = authority.advised_speed_mps
        self.needs_grant = False
        return True

    def take_shortening(self, shortening: Shortening, earliest_m: float) -> Acknowledgement | None:
        """
        Moves the end back as far as the truck can honour, and answers with the end now supervised.

        The same shortening twice gets the same answer twice: the first may have been lost. None: an old one.

        Raises:
            EpochNotAgreed, RouteNotHeld, EndOffRoute: it is refused, and what was held stays held.
        """
        if self._answer is not None and self._answer.term == shortening.term:
            return self._answer
        if not self._is_new(shortening.term) or self.path is None:
            return None
        asked_m = self._end_on_route(shortening.term, shortening.route_sequence, shortening.end)
        honoured = asked_m >= earliest_m or asked_m >= self.end_m
        end_m = min(self.end_m, asked_m if honoured else earliest_m)
        self._store.remember(shortening.term)
        self.end_m = end_m
        end = shortening.end if end_m <= asked_m else self.path.place(end_m)
        self._answer = Acknowledgement(term=shortening.term, honoured=honoured, end=end)
        return self._answer

    def _is_new(self, term: Term) -> bool:
        if term.epoch != self.agreed_epoch or self.agreed_epoch <= 0:
            raise EpochNotAgreed(term.epoch, self.agreed_epoch)
        seen = self.seen
        return may_accept(term.epoch, term.sequence, self.agreed_epoch, seen.epoch, seen.sequence)

    def _end_on_route(self, term: Term, route_sequence: int, end: LanePoint) -> float:
        if self.path is None or route_sequence != self.route_sequence or term.epoch != self._route_epoch:
            raise RouteNotHeld(route_sequence, self.route_sequence)
        end_m = self.path.locate(end, SAME_END_M)
        if end_m is None:
            raise EndOffRoute(end.lane_id, end.chainage_m)
        return end_m
