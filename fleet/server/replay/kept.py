"""
What is kept of a running core, and who listens to it.

A tick is a function of what was remembered, what was heard and the time. Whoever keeps the start of an epoch and, for every tick, its
time and its inputs can run the core again; whoever keeps its words too can tell whether it still says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final, Protocol

from fleet.server.dispatch.books import DispatchOptions
from fleet.server.inputs import Input
from fleet.server.journal.journal import Record
from fleet.server.loop.control_loop import JudgeObjected, LoopOptions
from fleet.server.outgoing import Outgoing

_WORDS: Final = tuple(entry.name for entry in fields(Outgoing) if entry.name not in {"tick", "now_ns"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Started:
    """
    A core has taken charge in *epoch*, remembering *records*; *loop* and *dispatch* are its options.

    *checkpoint* writes down all its state, between two ticks.
    """

    epoch: int
    loop: LoopOptions
    dispatch: DispatchOptions
    records: Sequence[Record]
    checkpoint: Callable[[], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What ended a core instead of an answer: the class of the error, and what it says."""

    reason: str
    detail: str

    @classmethod
    def of(cls, error: Exception) -> Fault:
        """*error* as it is written down."""
        # What tools add below the first line (where objects lie in memory) is of this process alone.
        return cls(reason=type(error).__name__, detail=str(error).partition("\n")[0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """One tick of the core of *epoch*: what was heard and what was *said*, an error where there was no answer."""

    epoch: int
    tick: int
    now_ns: int
    heard: Sequence[Input]
    said: Outgoing | Exception

    def answers(self) -> list[object]:
        """Every word and fact of the tick, in the order of `Outgoing`."""
        return answers_of(self.said)

    @property
    def fact_count(self) -> int:
        """How many facts it decided."""
        return len(self.said.facts) if isinstance(self.said, Outgoing) else 0


class Ear(Protocol):
    """
    Hears a core, on the thread that ticks; what it is given never changes afterwards.

    A server that is supplanted and does not know it yet may tick on beside its successor: the epoch tells them apart.
    """

    def began(self, started: Started) -> None:
        """An epoch begins."""
        ...

    def ticked(self, kept: Kept) -> None:
        """A tick is over."""
        ...

    def snapshot_taken(self, epoch: int) -> None:
        """The core of *epoch* was asked for its snapshot, which counts the rears as journalled."""
        ...


def answers_of(said: Outgoing | Exception) -> list[object]:
    """
    Every word and fact of a tick, in the order of `Outgoing`.

    A judge that objects decides what a person must lift: those facts are its answer, after the fault.
    """
    if isinstance(said, Exception):
        return [Fault.of(said), *(said.aftermath if isinstance(said, JudgeObjected) else ())]
    found: list[object] = []
    for name in _WORDS:
        words = getattr(said, name)
        if type(words) is tuple:
            found.extend(words)
        elif words is not None:
            found.append(words)
    return found
