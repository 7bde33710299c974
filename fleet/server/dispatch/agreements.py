"""
What one person asked for and another must still agree to.

Two persons are asked for where one person's mistake would take away a margin that nothing else watches:

    lifting an all-stop              everything goes on at once
    declaring a truck removed        its road is taken from it, and it may be standing there
    better grip on a lane            every braking distance there is counted shorter
    a higher limit, or none          every truck there is let go faster than somebody thought safe
    weak brakes believed again       one truck's braking distance is counted shorter

One person suffices where the safety argument says so: to resume a held or quarantined truck, to release an intruder's place (it begins
again with a new grant, and onboard sensors look too), to open a lane. Whoever asked is asked again in ten minutes: what he saw is old by
then. A change of the same thing meanwhile, by a person or by what a truck met, makes his word void, for he spoke of what was before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from fleet.clock import NS_PER_S
from fleet.errors import Code, FleetError
from fleet.server.dispatch.persons import is_called, person_of
from fleet.server.fact_form import Fact, fact

AGREE_WITHIN_NS: Final = 600 * NS_PER_S


@dataclass(eq=False)
class SecondPersonOther(FleetError):
    """Each of the two who declare a truck removed names the other, and these two did not."""

    code: ClassVar[Code] = Code.PRECONDITION

    asked_by: str
    named: str


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementAsked(Fact):
    """*actor* asked for *what* about *subject*; *names* is the second person, where one is named."""

    subject: str
    what: str
    actor: str
    names: str
    asked_ns: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementEnded(Fact):
    """Nobody waits for a second word about *subject* any more: agreed, or nobody came (lapsed)."""

    subject: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """Something two persons must want: *subject* and *what* in words that are the same from both."""

    subject: str
    what: str
    names: str = ""


class Agreements:
    """Everything that waits for a second word, by subject."""

    def __init__(self) -> None:
        self.asked: dict[str, AgreementAsked] = {}

    def appliers(self) -> Mapping[type[Fact], Callable[[Any], None]]:
        """What applies each kind of fact kept here."""
        return {AgreementAsked: self._ask, AgreementEnded: self._end}

    def first_of(self, matter: Matter, actor: str, now_ns: int) -> AgreementAsked | None:
        """
        The first word, where *actor* saying the same makes it two persons'.

        Raises:
            SecondPersonOther: they name each other otherwise.
        """
        asked = self.asked.get(matter.subject)
        if asked is None or asked.what != matter.what or now_ns - asked.asked_ns > AGREE_WITHIN_NS:
            return None
        if person_of(asked.actor) == person_of(actor):
            return None
        if matter.names and not (is_called(actor, asked.names) and is_called(asked.actor, matter.names)):
            raise SecondPersonOther(asked_by=asked.actor, named=asked.names)
        return asked

    def about(self, *subjects: str) -> str:
        """What is asked about *subjects*, and by whom, for people to read; empty for nothing."""
        if not self.asked:
            return ""
        found = [asked for subject in subjects if (asked := self.asked.get(subject)) is not None]
        return "; ".join(f"{asked.what}, asked by {asked.actor}" for asked in found)

    def overtake(self, subject: str) -> None:
        """The thing changed: who spoke of it spoke of what was before."""
        self.asked.pop(subject, None)

    def lapsed(self, now_ns: int) -> list[AgreementEnded]:
        """An end for each that nobody agreed to in time."""
        late = [subject for subject, asked in self.asked.items() if now_ns - asked.asked_ns > AGREE_WITHIN_NS]
        return [AgreementEnded(subject=subject, cause="lapsed") for subject in late]

    def facts(self) -> list[Fact]:
        """What recreates them."""
        return list(self.asked.values())

    def _ask(self, asked: AgreementAsked) -> None:
        self.asked[asked.subject] = asked

    def _end(self, ended: AgreementEnded) -> None:
        self.overtake(ended.subject)


def stop_subject(stop_id: str) -> str:
    """The lift of an all-stop."""
    return f"stop {stop_id}"


def removal_subject(truck_id: str) -> str:
    """That a truck is gone."""
    return f"removal of {truck_id}"


def brakes_subject(truck_id: str) -> str:
    """That a truck's weak brakes were put right."""
    return f"brakes of {truck_id}"


def limit_subject(lane_id: str) -> str:
    """The temporary limit of a lane."""
    return f"limit of {lane_id}"


def grip_subject(lane_id: str) -> str:
    """The grip of a lane."""
    return f"grip of {lane_id}"
