"""
What the server has asked of the border and the yards, and not been answered yet.

A call stays open until the proof that answers it; whoever connects hears every open call first. Ids rise over restarts, so
nobody who was away can mistake an old call for a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from fleet.server.fact_form import Fact, fact
from fleet.server.outgoing import BayCall, BayLeft, BorderCall, BorderContent, GateCall, GatePassed, ManifestDeclared


class CallKind(StrEnum):
    """Kinds of calls; with the name of the place or crossing they name what is asked, once."""

    MANIFEST = "manifest"
    GATE = "gate"
    PASSED = "passed"
    BAY = "bay"
    LEFT = "left"


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class CallOpened(Fact):
    """Something was asked; exactly one of the contents is there."""

    call_id: int
    manifest: ManifestDeclared | None = None
    gate: GateCall | None = None
    passed: GatePassed | None = None
    bay: BayCall | None = None
    left: BayLeft | None = None

    def content(self) -> BorderContent:
        """What was asked."""
        found = [content for content in (self.manifest, self.gate, self.passed, self.bay, self.left) if content is not None]
        assert len(found) == 1, f"call {self.call_id} asks for {len(found)} things"
        return found[0]


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class CallClosed(Fact):
    """The call was answered, or nobody needs it any more."""

    call_id: int


def key_of(content: BorderContent) -> tuple[CallKind, str]:
    """What the call is about: at most one call of a kind is open for a place or crossing."""
    match content:
        case ManifestDeclared(crossing=crossing):
            return CallKind.MANIFEST, crossing.crossing_id
        case GateCall(gate_id=gate_id):
            return CallKind.GATE, gate_id
        case GatePassed(gate_id=gate_id):
            return CallKind.PASSED, gate_id
        case BayCall(bay_id=bay_id):
            return CallKind.BAY, bay_id
        case BayLeft(bay_id=bay_id):
            return CallKind.LEFT, bay_id


class Calls:
    """Open calls, oldest first, and those made since last asked."""

    def __init__(self) -> None:
        self.open: dict[int, BorderCall] = {}
        self._of: dict[tuple[CallKind, str], int] = {}
        self._said: list[BorderCall] = []
        self.newest_id = 0

    def apply(self, change: CallOpened | CallClosed) -> None:
        """Opens or closes a call."""
        if isinstance(change, CallClosed):
            call = self.open.pop(change.call_id, None)
            if call is not None:
                self._of.pop(key_of(call.content), None)
            return
        call = BorderCall(call_id=change.call_id, content=change.content())
        self.newest_id = max(self.newest_id, change.call_id)
        self.open[change.call_id] = call
        self._of[key_of(call.content)] = change.call_id
        self._said.append(call)

    def find(self, kind: CallKind, name: str) -> int | None:
        """The id of the open call of this kind about *name*."""
        return self._of.get((kind, name))

    def say_again(self) -> None:
        """After a recovery every open call is made again: whoever heard it may be gone."""
        self._said = list(self.open.values())

    def drain(self) -> Sequence[BorderCall]:
        """Calls made since last asked."""
        said, self._said = self._said, []
        return said

    def facts(self) -> list[Fact]:
        """What recreates the open calls, and the count of all that were."""
        facts: list[Fact] = [opened(call) for call in self.open.values()]
        if self.newest_id not in self.open and self.newest_id > 0:
            # A call opened and closed at once leaves nothing but its number, which must not be given out again.
            spent = CallOpened(call_id=self.newest_id, passed=GatePassed(gate_id="", truck_id=""))
            facts += [spent, CallClosed(call_id=self.newest_id)]
        return facts


def opened(call: BorderCall) -> CallOpened:
    """The fact behind *call*."""
    match call.content:
        case ManifestDeclared() as manifest:
            return CallOpened(call_id=call.call_id, manifest=manifest)
        case GateCall() as gate:
            return CallOpened(call_id=call.call_id, gate=gate)
        case GatePassed() as passed:
            return CallOpened(call_id=call.call_id, passed=passed)
        case BayCall() as bay:
            return CallOpened(call_id=call.call_id, bay=bay)
        case BayLeft() as left:
            return CallOpened(call_id=call.call_id, left=left)
