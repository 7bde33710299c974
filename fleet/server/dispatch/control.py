"""
The book of who commands and what is stopped: the facts, what recreates them, and the refusals of whoever has no control.

What is done with it is the `Helm`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from fleet.errors import Code, FleetError
from fleet.server.fact_form import Fact, fact
from fleet.server.facts import AllStopLifted, AllStopSet

LIFTED_KEPT_MAX: Final = 1000  # whoever asks a second time for a lift is told that it is over


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


class Controls:
    """Stops in force, those lifted of late, and the control lease."""

    def __init__(self) -> None:
        self.stops: dict[str, AllStopSet] = {}
        self.lifted: dict[str, AllStopSet] = {}
        self.lease: ControlTaken | None = None

    def appliers(self) -> Mapping[type[Fact], Callable[[Any], None]]:
        """What applies each kind of fact kept here."""
        return {ControlTaken: self._control_taken}

    def apply(self, change: AllStopSet | AllStopLifted) -> None:
        """An all-stop begins or is over."""
        if isinstance(change, AllStopSet):
            self.stops.setdefault(change.stop_id, change)
            return
        over = self.stops.pop(change.stop_id, None)
        if over is not None:
            self.lifted.pop(change.stop_id, None)
            self.lifted[change.stop_id] = over
            if len(self.lifted) > LIFTED_KEPT_MAX:
                del self.lifted[next(iter(self.lifted))]

    def facts(self) -> list[Fact]:
        """What recreates all of it."""
        return [*self.stops.values(), *([self.lease] if self.lease is not None else [])]

    def _control_taken(self, taken: ControlTaken) -> None:
        self.lease = taken
