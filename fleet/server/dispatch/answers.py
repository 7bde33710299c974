"""
Which requests have been answered, and how: the same request hears the same answer again, another under the same id is refused.

Every answer is kept for seven days with a digest of its request. A request repeated later than that would be taken for a new one, so
nobody's answer goes before its time to make room: at the bound new requests are refused by name, one person's before everybody's. What
only makes things safer is never refused: it is obeyed, and its answer not kept. It may be told twice, for it asks for a state.

The proofs of gates and loaders are on a shelf of their own, for a day: there are thousands, and they are worth nothing tomorrow. Not kept
are the words of transponders, which come every second (`Intruders` knows the last), renewals of the control lease, and orders to stop
everything, whose id is the stop's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Any, ClassVar, Final, TypeAlias

from fleet.clock import NS_PER_S
from fleet.errors import AlreadyExists, Code, FleetError
from fleet.server.commands import (
    Answer,
    BayAnswer,
    CloseLane,
    Command,
    ControlAnswer,
    CrossingAnswer,
    GateAnswer,
    HoldTruck,
    IntrusionAnswer,
    LaneAnswer,
    OpeningAnswer,
    OrderAnswer,
    RenewControl,
    ReportBarrier,
    ReportBay,
    ReportIntrusion,
    StopAll,
    StopAnswer,
    TruckAnswer,
)
from fleet.server.fact_form import Fact, fact
from fleet.server.site_commands import SiteAnswer

DAY_NS: Final = 86_400 * NS_PER_S
KEPT_NS: Final = 7 * DAY_NS
PROOFS_KEPT_NS: Final = DAY_NS
_REDUCES: Final = (StopAll, HoldTruck, CloseLane, ReportIntrusion)
_PROOFS: Final = (ReportBarrier, ReportBay)


@dataclass(eq=False)
class AnswersFull(FleetError):
    """So many requests of the last seven days are remembered that one more could not be, and might take effect twice."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Find out who sends so many (`fleet audit`). Stops, holds and closures are taken all the same."

    kept: int
    whose: str


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswered(Fact):
    """A request and the answer it got; the answer is the one that is there, none of them for plain success."""

    request_id: str
    digest: str
    actor: str
    at_ns: int
    order: OrderAnswer | None = None
    truck: TruckAnswer | None = None
    lane: LaneAnswer | None = None
    stop: StopAnswer | None = None
    control: ControlAnswer | None = None
    crossing: CrossingAnswer | None = None
    gate: GateAnswer | None = None
    bay: BayAnswer | None = None

    def answer(self) -> Answer:
        """The answer kept."""
        options = (self.order, self.truck, self.lane, self.stop, self.control, self.crossing, self.gate, self.bay)
        return next((option for option in options if option is not None), OpeningAnswer())


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class IntrusionAnswered(Fact):
    """A request about an intruder and the answer it got."""

    request_id: str
    digest: str
    actor: str
    at_ns: int
    intrusion: IntrusionAnswer

    def answer(self) -> Answer:
        """The answer kept."""
        return self.intrusion


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAnswered(Fact):
    """A request about a site, and the answer it got."""

    request_id: str
    digest: str
    actor: str
    at_ns: int
    site: SiteAnswer

    def answer(self) -> Answer:
        """The answer kept."""
        return self.site


Answered: TypeAlias = CommandAnswered | IntrusionAnswered | SiteAnswered
_FIELD_OF: Final[Mapping[type[Any], str]] = {
    OrderAnswer: "order",
    TruckAnswer: "truck",
    LaneAnswer: "lane",
    StopAnswer: "stop",
    ControlAnswer: "control",
    CrossingAnswer: "crossing",
    GateAnswer: "gate",
    BayAnswer: "bay",
}


def digest_of(command: Command, actor: str) -> str:
    """Digest of everything a request says, and of who said it."""
    said = [type(command).__name__, actor, *(f"{entry.name}={getattr(command, entry.name)!r}" for entry in fields(command))]
    return blake2b("\n".join(said).encode(), digest_size=16).hexdigest()


def kept_answer(command: Command, actor: str, answer: Answer, now_ns: int) -> Answered | None:
    """The fact that remembers *answer*; None for what is not kept."""
    if isinstance(command, StopAll | RenewControl) or (isinstance(command, ReportIntrusion) and command.tracked):
        return None
    name = _FIELD_OF.get(type(answer))
    about: dict[str, Any] = {
        "request_id": command.request_id,
        "digest": digest_of(command, actor),
        "actor": actor,
        "at_ns": now_ns,
    }
    if isinstance(answer, IntrusionAnswer):
        return IntrusionAnswered(**about, intrusion=answer)
    if isinstance(answer, SiteAnswer):
        return SiteAnswered(**about, site=answer)
    kept: dict[str, Any] = {name: answer} if name else {}
    return CommandAnswered(**about, **kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many answers are kept: to requests, to those of one sender, and to proofs of gates and bays."""

    answers_max: int = 200_000
    of_one_max: int = 150_000
    proofs_max: int = 50_000


class Answers:
    """What was answered of late, the oldest first, and for how many there is room."""

    def __init__(self) -> None:
        self.room = Room()
        self.people: dict[str, Answered] = {}
        self.proofs: dict[str, Answered] = {}
        self._of_one: dict[str, int] = {}

    def appliers(self) -> Mapping[type[Fact], Callable[[Any], None]]:
        """What applies each kind of fact kept here."""
        return dict.fromkeys((CommandAnswered, IntrusionAnswered, SiteAnswered), self._keep)

    def earlier(self, command: Command, actor: str) -> Answer | None:
        """
        The answer the same request got before, or None.

        Raises:
            AlreadyExists: the id was used for another request.
        """
        if isinstance(command, StopAll | RenewControl):
            return None
        kept = self.people.get(command.request_id) or self.proofs.get(command.request_id)
        if kept is None:
            return None
        if kept.digest != digest_of(command, actor):
            raise AlreadyExists(request_id=command.request_id)
        return kept.answer()

    def has_room(self, command: Command, actor: str, now_ns: int) -> bool:
        """
        Whether the answer to *command* can be kept; false only for what is obeyed all the same.

        Raises:
            AnswersFull: it cannot, and the request must not be obeyed.
        """
        if isinstance(command, _PROOFS):
            return True
        whose = self._without_room(actor)
        if not whose:
            return True
        self._forget(self.people, now_ns - KEPT_NS)
        if not self._without_room(actor):
            return True
        if isinstance(command, _REDUCES):
            return False
        raise AnswersFull(kept=len(self.people), whose=whose)

    def facts(self) -> list[Fact]:
        """What recreates them."""
        return [*self.people.values(), *self.proofs.values()]

    def _without_room(self, actor: str) -> str:
        if self._of_one.get(actor, 0) >= self.room.of_one_max:
            return actor
        return "everybody" if len(self.people) >= self.room.answers_max else ""

    def _keep(self, kept: Answered) -> None:
        if isinstance(kept, CommandAnswered) and (kept.gate is not None or kept.bay is not None):
            self.proofs[kept.request_id] = kept
            self._forget(self.proofs, kept.at_ns - PROOFS_KEPT_NS)
            while len(self.proofs) > self.room.proofs_max:
                del self.proofs[next(iter(self.proofs))]
            return
        self.people[kept.request_id] = kept
        self._of_one[kept.actor] = self._of_one.get(kept.actor, 0) + 1
        self._forget(self.people, kept.at_ns - KEPT_NS)

    def _forget(self, shelf: dict[str, Answered], before_ns: int) -> None:
        """Drops what is older; the shelf is in the order of its answers."""
        while shelf and (oldest := next(iter(shelf.values()))).at_ns < before_ns:
            del shelf[oldest.request_id]
            if shelf is self.people:
                self._of_one[oldest.actor] -= 1
                if not self._of_one[oldest.actor]:
                    del self._of_one[oldest.actor]
