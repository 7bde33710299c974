"""
Who commands, what is stopped, and which requests have been answered.

Every answer is kept with a digest of its request: the same request hears the same answer again, another one under the same id
is refused. All-stops are never refused; who lifts one needs its id, and a second person where identities are proven.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Any, ClassVar, Final, TypeAlias

from fleet.errors import AlreadyExists, Code, FleetError
from fleet.server.commands import (
    Answer,
    BayAnswer,
    Command,
    ControlAnswer,
    CrossingAnswer,
    GateAnswer,
    IntrusionAnswer,
    LaneAnswer,
    OpeningAnswer,
    OrderAnswer,
    StopAll,
    StopAnswer,
    TruckAnswer,
)
from fleet.server.fact_form import Fact, fact
from fleet.server.facts import AllStopLifted, AllStopSet
from fleet.server.site_commands import SiteAnswer

ANSWERS_KEPT_MAX: Final = 50_000


@dataclass(eq=False)
class ControlHeld(FleetError):
    """Somebody else has control."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Wait until it is given back, or take it over."

    holder: str


@dataclass(eq=False)
class ControlNotHeld(FleetError):
    """Only the holder of the control lease may do that."""

    code: ClassVar[Code] = Code.STALE
    hint: ClassVar[str] = "Acquire control first."

    holder: str
    actor: str


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTaken(Fact):
    """Who may command, until when; *taken_from* names the one it was taken from, "" nobody."""

    holder: str
    epoch: int
    sequence: int
    expires_ns: int
    taken_from: str
    reason: str


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class LiftAsked(Fact):
    """One person asked to lift an all-stop; another must still agree."""

    stop_id: str
    actor: str


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswered(Fact):
    """A request and the answer it got; the answer is the one that is there, none of them for plain success."""

    request_id: str
    digest: str
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


def request_id_of(command: Command) -> str:
    """What names the request; an all-stop is named by its own id."""
    return f"stop {command.stop_id}" if isinstance(command, StopAll) else command.request_id


def digest_of(command: Command, actor: str) -> str:
    """Digest of everything a request says, and of who said it."""
    said = [type(command).__name__, actor, *(f"{entry.name}={getattr(command, entry.name)!r}" for entry in fields(command))]
    return blake2b("\n".join(said).encode(), digest_size=16).hexdigest()


def kept_answer(command: Command, actor: str, answer: Answer) -> Answered:
    """The fact that remembers *answer*."""
    if isinstance(answer, IntrusionAnswer):
        return IntrusionAnswered(request_id=request_id_of(command), digest=digest_of(command, actor), intrusion=answer)
    if isinstance(answer, SiteAnswer):
        return SiteAnswered(request_id=request_id_of(command), digest=digest_of(command, actor), site=answer)
    name = _FIELD_OF.get(type(answer))
    kept: dict[str, Any] = {name: answer} if name else {}
    return CommandAnswered(request_id=request_id_of(command), digest=digest_of(command, actor), **kept)


class Controls:
    """Stops in force, lifts half agreed, the control lease, answered requests."""

    def __init__(self) -> None:
        self.stops: dict[str, AllStopSet] = {}
        self.lifted: dict[str, AllStopSet] = {}
        self.lift_asked: dict[str, str] = {}
        self.lease: ControlTaken | None = None
        self.answered: dict[str, Answered] = {}

    def appliers(self) -> Mapping[type[Fact], Callable[[Any], None]]:
        """What applies each kind of fact kept here."""
        return {
            ControlTaken: self._control_taken,
            LiftAsked: self._lift_asked,
            CommandAnswered: self._command_answered,
            IntrusionAnswered: self._command_answered,
            SiteAnswered: self._command_answered,
        }

    def apply(self, change: AllStopSet | AllStopLifted) -> None:
        """An all-stop begins or is over."""
        if isinstance(change, AllStopSet):
            self.stops.setdefault(change.stop_id, change)
            return
        over = self.stops.pop(change.stop_id, None)
        if over is not None:
            self.lifted[change.stop_id] = over
        self.lift_asked.pop(change.stop_id, None)

    def earlier_answer(self, command: Command, actor: str) -> Answer | None:
        """
        The answer the same request got before, or None.

        Raises:
            AlreadyExists: the id was used for another request.
        """
        kept = self.answered.get(request_id_of(command))
        if kept is None:
            return None
        if kept.digest != digest_of(command, actor):
            raise AlreadyExists(request_id=request_id_of(command))
        return kept.answer()

    def require_control(self, actor: str, now_ns: int) -> None:
        """
        Refuses whoever does not hold a live control lease.

        Raises:
            ControlNotHeld: somebody else does, or nobody.
        """
        lease = self.lease
        if lease is None or lease.expires_ns <= now_ns or lease.holder != actor:
            holder = lease.holder if lease is not None and lease.expires_ns > now_ns else ""
            raise ControlNotHeld(holder=holder, actor=actor)

    def facts(self) -> list[Fact]:
        """What recreates all of it."""
        facts: list[Fact] = list(self.stops.values())
        facts += [LiftAsked(stop_id=stop_id, actor=actor) for stop_id, actor in self.lift_asked.items()]
        if self.lease is not None:
            facts.append(self.lease)
        facts += self.answered.values()
        return facts

    def _control_taken(self, taken: ControlTaken) -> None:
        self.lease = taken

    def _lift_asked(self, asked: LiftAsked) -> None:
        self.lift_asked[asked.stop_id] = asked.actor

    def _command_answered(self, kept: Answered) -> None:
        self.answered[kept.request_id] = kept
        while len(self.answered) > ANSWERS_KEPT_MAX:
            del self.answered[next(iter(self.answered))]
