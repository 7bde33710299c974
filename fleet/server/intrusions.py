"""
Persons, animals and manned trucks on the road: what is known of each, and which road is kept clear of it.

An intruder that nobody follows is closed in where it was seen, and only a person's release opens any of that road: a second
report adds to it. A manned truck whose transponder reports is different: its word moves the bubble around it, so that trucks
may follow behind. That word is believed while it can be: the stamp rises, and the place lies where the truck could have got
since. It counts until it is too old, the time included that it was under way longer than the quickest of its kind. A word that
cannot be, or none for too long, loses the truck: it may be anywhere within reach, and that reach grows until a person has
looked. Time only ever widens.

Ages are control time, by when a word arrived. A transponder's stamps are compared with its own stamps only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import ClassVar, Final

from fleet.errors import Code, FleetError, InvalidField
from fleet.server.fact_form import Fact, fact
from fleet.server.keep_out import Closed, KeepOut, Metres, holds, joined
from planner.limits import (
    INTRUDER_MARGIN_M,
    LOST_STEP_MS,
    MANNED_ACCELERATION_MPS2,
    MANNED_REVERSE_MPS,
    SPEED_MAX_MPS,
    TRACK_AGE_MAX_MS,
    TRACK_DELAY_MS,
    TRACK_DRIFT_SHARE,
)

_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000
_TRACK_AGE_NS: Final = TRACK_AGE_MAX_MS * _NS_PER_MS
_STEP_NS: Final = LOST_STEP_MS * _NS_PER_MS
# How long a bubble must hold: until its word is too old, and what nobody can see of that word's age.
_TRACK_S: Final = (TRACK_AGE_MAX_MS + TRACK_DELAY_MS) / 1000.0
_DELAY_NS: Final = TRACK_DELAY_MS * _NS_PER_MS
# A truck that was said to be at so many places that fit no way between them may be anywhere.
PLACES_MAX: Final = 8
ANYTIME: Final = 0


class IntrusionKind(IntEnum):
    """What is on the road; numbers as on the wire."""

    PERSON = 1
    ANIMAL = 2
    MANNED_TRUCK = 3
    OTHER = 4


class IntrusionState(IntEnum):
    """How well it is known where; numbers as on the wire."""

    SEEN = 1
    TRACKED = 2
    LOST = 3
    RELEASED = 4


class Word(IntEnum):
    """What a report, or its absence, comes to."""

    SIGHTED = 1  # somebody saw it
    PLACED = 2  # its transponder says where it is, and that can be
    ASTRAY = 3  # a manned truck that nobody follows, or whose transponder cannot be believed


_S, _W = IntrusionState, Word
FIRST: Final[Mapping[Word, IntrusionState]] = {_W.SIGHTED: _S.SEEN, _W.PLACED: _S.TRACKED, _W.ASTRAY: _S.LOST}
AFTER: Final[Mapping[IntrusionState, Mapping[Word, IntrusionState]]] = {
    _S.SEEN: {_W.SIGHTED: _S.SEEN},
    _S.TRACKED: {_W.PLACED: _S.TRACKED, _W.ASTRAY: _S.LOST},
    # A transponder that is heard again does not say who else was on the road meanwhile: a person does.
    _S.LOST: {_W.PLACED: _S.LOST, _W.ASTRAY: _S.LOST},
}


@dataclass(eq=False)
class TransponderStale(FleetError):
    """A transponder's stamp did not rise: an older word came late."""

    code: ClassVar[Code] = Code.STALE

    intrusion_id: str
    stamp_ns: int
    known_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """
    Somebody's word about an intruder: it is on one of *places* and within *radius_m* of it.

    *tracked*: a transponder's own word, of one place; *speed_mps* and *stamp_ns* (its clock) are its too.
    """

    intrusion_id: str
    kind: IntrusionKind
    places: tuple[Metres, ...]
    radius_m: float
    reporter: str
    detail: str
    tracked: bool = False
    speed_mps: float = 0.0
    stamp_ns: int = 0
    request_id: str = ""
    digest: str = ""

    def __post_init__(self) -> None:
        assert self.places, "a word names a place"
        tracked_truck = self.kind is IntrusionKind.MANNED_TRUCK and len(self.places) == 1
        assert not self.tracked or tracked_truck, "only a manned truck has a transponder, and that is in one place"


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class IntrusionKept(Fact):
    """
    An intrusion as it is known now; a later one of the same id replaces it.

    *places*, *radius_m*: where it was last said to be; *placed_ns*: when that was so at the latest, while *heard_ns* is when the
    last word came. *closed*: the metres nobody is given, one stretch a lane. *until_ns*: up to when *closed* holds all places
    where it may be, `ANYTIME` where it always will. *lag_ns*: how much longer the last word was under way than the quickest.
    *request_id*, *digest*: of a transponder's last word. Times are control time, *stamp_ns* is the transponder's.
    """

    intrusion_id: str
    number: int
    kind: IntrusionKind
    state: IntrusionState
    places: tuple[Metres, ...]
    radius_m: float
    closed: tuple[Metres, ...]
    reporter: str
    detail: str
    since_ns: int
    heard_ns: int
    placed_ns: int
    until_ns: int
    stamp_ns: int
    lag_ns: int
    request_id: str
    digest: str


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class IntrusionReleased(Fact):
    """A person says the place is clear: the road opens, and the stops that bear its name are lifted. Made by the desk."""

    intrusion_id: str
    actor: str
    at_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class IntrusionMet(Fact):
    """A truck must stop at once: road it holds is kept clear of the intruder, or it saw the intruder itself."""

    row: int
    intrusion_id: str
    at_ns: int


def stop_id_of(intrusion_id: str) -> str:
    """The name of the stop that an intrusion gives."""
    return f"intrusion:{intrusion_id}"


class IntrusionBook:
    """The open intrusions by id, oldest first."""

    def __init__(self) -> None:
        self.open: dict[str, IntrusionKept] = {}
        self.newest_number = 0

    def apply(self, change: IntrusionKept | IntrusionReleased) -> None:
        """One is seen, moves, is lost or is over."""
        if isinstance(change, IntrusionKept):
            self.open[change.intrusion_id] = change
            self.newest_number = max(self.newest_number, change.number)
        else:
            self.open.pop(change.intrusion_id, None)

    def names(self) -> dict[int, str]:
        """The ids of open intrusions by number."""
        return {kept.number: kept.intrusion_id for kept in self.open.values()}

    def name_of(self, number: int) -> str:
        """The id behind a number, "" when it is no longer open."""
        return self.names().get(number, "")


class IntrusionRules:
    """What a word about an intruder, or the lack of one, makes of what was known. Changes nothing itself."""

    def __init__(self, keep_out: KeepOut) -> None:
        self._keep_out = keep_out

    def heard(self, book: IntrusionBook, said: Sighting, now_ns: int) -> IntrusionKept:
        """
        The intrusion after *said*.

        Raises:
            InvalidField: the id was given to another kind.
            TransponderStale: an older word came late.
        """
        before = book.open.get(said.intrusion_id)
        if before is None:
            return self._first(said, book.newest_number + 1, now_ns)
        if before.kind is not said.kind:
            raise InvalidField(name="kind", problem=f"is {said.kind.name}, and {said.intrusion_id} is a {before.kind.name}")
        lag_ns = _lag_ns(before, said, now_ns) if said.tracked else 0
        possible = all(holds(before.closed, place) for place in said.places)
        state = AFTER[before.state][_word_of(said, possible=possible)]
        kept = _about(before, said, state, lag_ns, now_ns)
        if state is _S.TRACKED:
            return self._placed(said, kept)
        if state is _S.SEEN:
            return replace(kept, closed=joined(before.closed, self._margin(said)))
        if not possible:
            # Either word may be the true one, and the older is as old as it was.
            kept = replace(kept, places=before.places + said.places, placed_ns=before.placed_ns)
        return self._wider(kept, now_ns)

    def overdue(self, kept: IntrusionKept, now_ns: int) -> IntrusionKept:
        """*kept* when its road no longer holds every place where it may be: lost, and wider."""
        return self._wider(replace(kept, state=AFTER[kept.state][_W.ASTRAY]), now_ns)

    def _first(self, said: Sighting, number: int, now_ns: int) -> IntrusionKept:
        state = FIRST[_word_of(said, possible=True)]
        kept = IntrusionKept(
            intrusion_id=said.intrusion_id,
            number=number,
            kind=said.kind,
            state=state,
            places=said.places,
            radius_m=said.radius_m,
            closed=(),
            reporter=said.reporter,
            detail=said.detail,
            since_ns=now_ns,
            heard_ns=now_ns,
            placed_ns=now_ns,
            until_ns=ANYTIME,
            stamp_ns=said.stamp_ns,
            lag_ns=0,
            request_id=said.request_id,
            digest=said.digest,
        )
        if state is _S.TRACKED:
            return self._placed(said, kept)
        return replace(kept, closed=self._margin(said)) if state is _S.SEEN else self._wider(kept, now_ns)

    def _margin(self, said: Sighting) -> Closed:
        return self._keep_out.around(said.places, said.radius_m + INTRUDER_MARGIN_M)

    def _placed(self, said: Sighting, kept: IntrusionKept) -> IntrusionKept:
        """The bubble: where the truck is, and where it can be until its word is too old."""
        ahead_m = said.radius_m + said.speed_mps * _TRACK_S + 0.5 * MANNED_ACCELERATION_MPS2 * _TRACK_S**2
        behind_m = said.radius_m + MANNED_REVERSE_MPS * _TRACK_S
        closed = self._keep_out.bubble(said.places[0], said.radius_m, ahead_m, behind_m)
        return replace(kept, closed=closed, until_ns=kept.placed_ns + _TRACK_AGE_NS)

    def _wider(self, kept: IntrusionKept, now_ns: int) -> IntrusionKept:
        """As far around its places as it gets until the next step, and everything closed before."""
        everything = self._keep_out.everything()
        if len(kept.places) > PLACES_MAX:
            return replace(kept, closed=everything, until_ns=ANYTIME)
        reach_s = (now_ns - kept.placed_ns + _DELAY_NS + _STEP_NS) / _NS_PER_S
        around = self._keep_out.around(kept.places, kept.radius_m + SPEED_MAX_MPS * reach_s)
        closed = joined(kept.closed, around)
        return replace(kept, closed=closed, until_ns=ANYTIME if closed == everything else now_ns + _STEP_NS)


def _word_of(said: Sighting, *, possible: bool) -> Word:
    if said.kind is not IntrusionKind.MANNED_TRUCK:
        return _W.SIGHTED
    return _W.PLACED if said.tracked and possible else _W.ASTRAY


def _about(before: IntrusionKept, said: Sighting, state: IntrusionState, lag_ns: int, now_ns: int) -> IntrusionKept:
    """*before* with the newest word about place and origin; what follows for the road is not yet in it."""
    return replace(
        before,
        state=state,
        places=said.places,
        # What is lost may still be as wide as it was.
        radius_m=said.radius_m if state is _S.TRACKED else max(said.radius_m, before.radius_m),
        reporter=said.reporter,
        detail=said.detail or before.detail,
        heard_ns=now_ns,
        placed_ns=now_ns - lag_ns,
        stamp_ns=max(said.stamp_ns, before.stamp_ns),
        lag_ns=lag_ns,
        request_id=said.request_id,
        digest=said.digest,
    )


def _lag_ns(before: IntrusionKept, said: Sighting, now_ns: int) -> int:
    """
    How much longer this word was under way than the quickest one, clocks' drift forgiven.

    Raises:
        TransponderStale: it is not newer than the last one.
    """
    step_ns = said.stamp_ns - before.stamp_ns
    if step_ns <= 0:
        raise TransponderStale(intrusion_id=said.intrusion_id, stamp_ns=said.stamp_ns, known_ns=before.stamp_ns)
    late_ns = (now_ns - before.heard_ns) - step_ns
    return max(0, before.lag_ns + late_ns - step_ns // TRACK_DRIFT_SHARE)
