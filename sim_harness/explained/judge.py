"""
A whole answer, held against the truth: the chain hangs together, every link of it is true, and its end is a root.

A root is a link that no truck is said to be in the way of: a machine, a person, an office, the truck itself, or a truck that drives on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from fleet.errors import NotFound
from fleet.server.wire.reads import HoldRead
from sim_harness.explained.claims import Claims
from sim_harness.explained.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Untrue:
    """An answer that is not true: of which truck, when, what was said, and what is so instead."""

    at_s: float
    truck_id: str
    sentence: str
    problem: str

    def __str__(self) -> str:
        return f"{self.at_s:.1f} s, {self.truck_id}: {self.sentence!r}, but {self.problem}"


@dataclass(slots=True)
class Tally:
    """
    What was asked and found.

    *moments*: how many were looked at; *asked*: trucks that stood in one; *links* of their chains; *roots* by kind; *unexplained*: no
    cause was given, or none that is one; *unknown*: trucks that no server has greeted yet.
    """

    moments: int = 0
    asked: int = 0
    links: int = 0
    unknown: int = 0
    roots: Counter[str] = field(default_factory=Counter)
    unexplained: list[Untrue] = field(default_factory=list)
    untrue: list[Untrue] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take another's figures in."""
        self.moments += other.moments
        self.asked += other.asked
        self.links += other.links
        self.unknown += other.unknown
        self.roots += other.roots
        self.unexplained += other.unexplained
        self.untrue += other.untrue

    @property
    def figures(self) -> str:
        """In one sentence."""
        roots = ", ".join(f"{kind} {count}" for kind, count in self.roots.most_common())
        return (
            f"{self.moments} moments, {self.asked} standing trucks, {self.links} links; {len(self.untrue)} untrue, "
            f"{len(self.unexplained)} unexplained, {self.unknown} not greeted yet; roots: {roots}"
        )


class Explains(Protocol):
    """Whoever says why trucks stand."""

    def hold(self, truck_id: str, language: str = "en") -> HoldRead:
        """
        Why a truck stands.

        Raises:
            NotFound: it knows no such truck.
        """
        ...


class Judge:
    """Asks one server about every truck that stands."""

    def __init__(self, world: World, server: Explains) -> None:
        self._world = world
        self._server = server
        self._claims = Claims(world)
        self.tally = Tally()

    def look(self) -> None:
        """One moment: every truck that has stood for a while."""
        self.tally.moments += 1
        for row, truck_id in enumerate(self._world.roster.truck_ids):
            if self._world.standing(row):
                self._ask(truck_id)

    def _ask(self, truck_id: str) -> None:
        try:
            answer = self._server.hold(truck_id)
        except NotFound:
            self.tally.unknown += 1
            return
        self.tally.asked += 1
        self.tally.links += len(answer.causes)
        if not answer.causes or answer.causes[0].kind == "none":
            self.tally.unexplained.append(self._untrue(answer, "it stands"))
            return
        self.tally.roots[answer.causes[-1].kind] += 1
        problem = self._problem(answer)
        if problem:
            self.tally.untrue.append(self._untrue(answer, problem))

    def _untrue(self, answer: HoldRead, problem: str) -> Untrue:
        return Untrue(at_s=self._world.now_s, truck_id=answer.truck_id, sentence=answer.sentence, problem=problem)

    def _problem(self, answer: HoldRead) -> str:
        """The first thing that is wrong with a chain, "" for nothing."""
        about = answer.truck_id
        for number, link in enumerate(answer.causes):
            if link.truck_id != about:
                return f"link {number + 1} is about {link.truck_id!r}, not about {about!r}"
            row = self._world.fleet.row.get(about)
            if row is None:
                return f"there is no truck {about!r}"
            wrong = self._claims.wrong(row, link)
            if wrong:
                return f"{about} ({link.kind}): {wrong}"
            about = link.held_by
        return f"the chain comes back to {about}" if about else ""
