"""
Why a truck stands: the chain of causes from the truck to its root.

The control loop names one cause a truck. Where that cause is another truck (ahead on the lane, in the zone, at the gate, in the
bay), the chain goes on with that truck's own cause, until it ends at a gate, a person, an office, or a truck that moves. A
chain cannot run in a circle for long: a truck met twice ends it. A truck that nothing is heard of is explained whether it stood when it
was last heard or not: nobody knows better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from fleet.clock import NS_PER_S
from fleet.errors import NotFound
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.gates import NOBODY
from fleet.server.dispatch.in_the_way import InTheWay, Known
from fleet.server.dispatch.owners import OWNERS, Owner
from fleet.server.dispatch.phrases import MOVES, phrase
from fleet.server.dispatch.stands import BAYS
from fleet.server.fleet_view import FleetView
from fleet.server.inputs import LanePlace
from fleet.texts import say
from planner.authority import Cause
from planner.limits import SPEED_STANDING_MPS

MOVING: Final = "moving"
_SYNCING: Final = 2  # sessions' numbers on the wire
_LIVE: Final = 3
_HEARD_NS: Final = NS_PER_S  # a report so young means that contact is there
# A word of somebody's, and not the road, keeps these: they hold whatever the truck was doing when it was last heard.
_UNHEARD: Final = frozenset({Cause.SESSION, Cause.QUARANTINE, Cause.HOLD, Cause.ALL_STOP, Cause.INTRUSION})


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseLink:
    """
    One link: *truck_id* stands for *kind*, which points to *subject_id* ("" nothing), since *since_ns* (control time).

    *end*: of its authority, None where it holds none. *held_by*: id of the truck that has the subject and that the next link is about,
    "" for none: then this is the root. *owner* can end it, *owner_id* by name ("" unknown); *reason* is what somebody gave as one.
    """

    kind: str
    truck_id: str
    subject_id: str
    since_ns: int
    end: LanePlace | None
    held_by: str
    owner: Owner
    owner_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a truck stands, from the truck to the root, and the same as a sentence."""

    truck_id: str
    standing: bool
    causes: tuple[CauseLink, ...]
    sentence: str


def explain(books: Books, view: FleetView, truck_id: str, language: str = "en", known: Known | None = None) -> Explanation:
    """
    The chain for one truck; *known* is what the loop knows beside.

    Raises:
        NotFound: there is no such truck.
    """
    if truck_id not in view.truck_ids:
        raise NotFound(kind="truck", name=truck_id)
    row = view.truck_ids.index(truck_id)
    if not _kept(view, row):
        return Explanation(truck_id=truck_id, standing=False, causes=(), sentence=f"{truck_id} {say(language, MOVES)}.")
    chain = _Chain(books, view, language, known)
    links: list[CauseLink] = []
    words: list[str] = []
    seen: set[int] = set()
    while row != NOBODY and row not in seen:
        seen.add(row)
        link, text, row = chain.link(row)
        links.append(link)
        words.append(text)
    return Explanation(
        truck_id=truck_id,
        standing=bool(view.standing[view.truck_ids.index(truck_id)]),
        causes=tuple(links),
        sentence="; ".join(words) + ".",
    )


def _kept(view: FleetView, row: int) -> bool:
    """Whether there is something to explain: it stands, has just come to rest, or nothing is heard of it and it may stand."""
    at_rest = bool(view.standing[row]) or float(view.speed_mps[row]) < SPEED_STANDING_MPS
    return at_rest or int(view.session[row]) != _LIVE or int(view.cause[row]) == Cause.SESSION


def _cause(view: FleetView, row: int) -> tuple[Cause, int]:
    """The cause and what it refers to; a server that has just begun has looked at nobody yet, whether it has greeted him or not."""
    cause, ref = Cause(int(view.cause[row])), int(view.cause_ref[row])
    unheard = (int(view.session[row]) != _LIVE and cause not in _UNHEARD) or cause is Cause.NONE
    return (Cause.SESSION, NOBODY) if unheard else (cause, ref)


class _Chain:
    """Makes the links of one answer."""

    def __init__(self, books: Books, view: FleetView, language: str, known: Known | None) -> None:
        self._books = books
        self._view = view
        self._language = language
        self._way = InTheWay(books, view, known)
        self._known = known

    def link(self, row: int) -> tuple[CauseLink, str, int]:
        """The link of *row*, the words for it, and the row the chain goes on with (-1: it ends here)."""
        view, name = self._view, self._view.truck_ids[row]
        end = None
        if int(view.end_lane_ix[row]) >= 0:
            end = LanePlace(lane_ix=int(view.end_lane_ix[row]), chainage_m=float(view.end_chainage_m[row]))
        if not _kept(view, row):
            moves = CauseLink(
                kind=MOVING,
                truck_id=name,
                subject_id="",
                since_ns=int(view.now_ns),
                end=end,
                held_by="",
                owner=Owner.NOBODY,
                owner_id="",
                reason="",
            )
            return moves, f"{name} {say(self._language, MOVES)}", NOBODY
        cause, ref = _cause(view, row)
        subject, onward = self._way.of(row, cause, ref)
        holder = view.truck_ids[onward] if 0 <= onward < len(view.truck_ids) else ""
        link = CauseLink(
            kind=cause.name.lower(),
            truck_id=name,
            subject_id=subject,
            since_ns=int(view.cause_since_ns[row]),
            end=end,
            held_by=holder,
            owner=Owner.TRUCK if holder else OWNERS[cause],
            owner_id=holder or subject if OWNERS[cause] in {Owner.TRUCK, Owner.GATE, Owner.YARD, Owner.ROAD} else holder,
            reason="",
        )
        link = self._by_whom(link, row, cause, ref)
        return link, f"{name} {self._text(link, row, cause)}", onward if holder else NOBODY

    def _by_whom(self, link: CauseLink, row: int, cause: Cause, ref: int) -> CauseLink:
        """*link* with the person who caused it, and why; whose bay it is, with those that are out of order."""
        books = self._books
        owner, owner_id, reason = link.owner, link.owner_id, ""
        match cause:
            case Cause.HOLD if (held := books.holds.get(row)) is not None:
                owner_id, reason = held.actor, held.reason
            case Cause.ALL_STOP if (stop := books.controls.stops.get(link.subject_id)) is not None:
                owner_id, reason = stop.actor, stop.reason
            case Cause.CLOSURE if (closure := books.roads.closures.get(ref)) is not None:
                owner_id, reason = closure.actor, closure.reason
            case Cause.INTRUSION if (kept := books.intrusions.open.get(link.subject_id)) is not None:
                owner_id, reason = kept.reporter, kept.detail
            case Cause.QUARANTINE if self._known is not None:
                reason = self._known.quarantine_of(row)
            case Cause.SLOT | Cause.BAY if ref >= 0 and (bays := self._out_of_order(cause, ref)):
                reason = say(self._language, "out_of_order", bays=", ".join(bays))
                if not link.held_by:
                    owner, owner_id = Owner.YARD, link.subject_id
            case Cause.NO_ORDER if books.trips.known(row).decommissioned:
                reason = say(self._language, "decommissioned")
        return replace(link, owner=owner, owner_id=owner_id, reason=reason)

    def _out_of_order(self, cause: Cause, stand_ix: int) -> list[str]:
        """The bay that works on the truck, or those of the yard in which it waits for one, where their keepers blocked them."""
        stands = self._books.stands
        asked = stands.all_of(stands.stands[stand_ix].yard_id, BAYS) if cause is Cause.SLOT else [stand_ix]
        return [stands.stands[ix].stand_id for ix in asked if stands.blocked(ix)]

    def _renewed(self, row: int) -> bool:
        """Whether contact with it is there, and has just begun or begun again: the server is about to give it road."""
        heard = 0 <= int(self._view.report_age_ns[row]) < _HEARD_NS
        unseen = int(self._view.session[row]) == _LIVE and int(self._view.cause[row]) in {Cause.NONE, Cause.SESSION}
        return heard and (unseen or int(self._view.session[row]) == _SYNCING)

    def _text(self, link: CauseLink, row: int, cause: Cause) -> str:
        if cause is Cause.SESSION and self._renewed(row):
            return say(self._language, "cause.greeted")
        if cause is Cause.SESSION and float(self._view.speed_mps[row]) >= SPEED_STANDING_MPS:
            return say(self._language, "cause.unheard")
        if cause is Cause.QUARANTINE:
            return phrase(cause, link.reason, self._language)
        if cause is Cause.SLOT and link.held_by and link.subject_id not in self._books.corridor.stand_ix:
            return say(self._language, "cause.slot_queue", subject=link.subject_id, truck=link.held_by)
        text = phrase(cause, link.subject_id, self._language, link.held_by)
        return f"{text} ({link.reason})" if link.reason else text
