"""
The audit: who wanted what, when, what it changed, and what came of it, refusals too.

Each entry is a fact in the same transaction as what it tells of. The journal keeps it for ever, snapshots or not; the desk itself needs
none of it, so it is in no snapshot.

Two things are left out because they come every second or so and say nothing new: renewals of a control lease that its holder has, and
further words of a transponder that is followed. Refusals are told one by one up to a bound a minute; beyond it they are counted, so that
a program that asks wrongly without end does not fill the disk.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from fleet.clock import NS_PER_S
from fleet.errors import FleetError
from fleet.server.commands import Answer, Command, NoteRefusals, StopAll
from fleet.server.fact_form import Fact, fact

WINDOW_NS: Final = 60 * NS_PER_S
REFUSALS_MAX: Final = 60  # a window
TEXT_MAX: Final = 400
VALUE_MAX: Final = 100
MANY: Final = "many"
DONE: Final = "done"
ASKED: Final = "asked"
_NAMES: Final = frozenset({"request_id", "text"})


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class Audited(Fact):
    """
    *actor* wanted *command*, a command's name or a remote call's, with *detail*; *before* and *after* are what differs of the thing.

    *outcome*: done, asked (a second person must agree), or the name of the refusal. *count* above 1: so many refusals alike.
    """

    actor: str
    request_id: str
    command: str
    detail: str
    before: str
    after: str
    outcome: str
    count: int
    at_ns: int


def entry_of(
    command: Command, actor: str, outcome: str, now_ns: int, change: tuple[Answer | None, Answer | None] = (None, None)
) -> Audited:
    """What is to be kept of a request; *change* is the thing it was about, before and after."""
    before, after = difference(*change)
    return Audited(
        actor=actor,
        request_id=command.stop_id if isinstance(command, StopAll) else command.request_id,
        command=type(command).__name__,
        detail=detail_of(command),
        before=before,
        after=after,
        outcome=outcome,
        count=1,
        at_ns=now_ns,
    )


def detail_of(command: Command) -> str:
    """What a request says, in short."""
    said = [(entry.name, getattr(command, entry.name)) for entry in fields(command) if entry.name not in _NAMES]
    return ", ".join(f"{name}={_short(value)}" for name, value in said)[:TEXT_MAX]


def difference(before: Answer | None, after: Answer | None) -> tuple[str, str]:
    """What differs between a thing before and after, as two lists of fields; all of it where it was not there before."""
    was, is_ = [], []
    for entry in fields(after) if after is not None else ():
        now = getattr(after, entry.name)
        then = getattr(before, entry.name) if before is not None else None
        if before is None or then != now:
            is_.append(f"{entry.name}={_short(now)}")
            if before is not None:
                was.append(f"{entry.name}={_short(then)}")
    return ", ".join(was)[:TEXT_MAX], ", ".join(is_)[:TEXT_MAX]


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}…"


class RefusalBound:
    """Tells refusals one by one, or counts them."""

    def __init__(self) -> None:
        self._window_ns = 0
        self._told = 0
        self._untold = 0

    def refused(self, command: Command, actor: str, refusal: FleetError, now_ns: int) -> list[Audited]:
        """What is to be kept of a refusal."""
        kept = self.over(now_ns)
        if self._told >= REFUSALS_MAX:
            self._untold += 1
            return kept
        self._told += 1
        return [*kept, entry_of(command, actor, refusal.reason, now_ns)]

    def over(self, now_ns: int) -> list[Audited]:
        """What was counted, once its window is over."""
        if now_ns - self._window_ns < WINDOW_NS:
            return []
        self._window_ns, self._told = now_ns, 0
        count, self._untold = self._untold, 0
        return [_refusals(MANY, MANY, MANY, count, now_ns)] if count else []


def noted(note: NoteRefusals, actor: str, now_ns: int) -> Audited:
    """What the streams refused before it came to the desk."""
    return _refusals(actor, note.what, note.reason, note.count, now_ns)


def _refusals(actor: str, command: str, outcome: str, count: int, now_ns: int) -> Audited:
    return Audited(actor=actor, request_id="", command=command, detail="", before="", after="", outcome=outcome, count=count, at_ns=now_ns)
