"""One fault that happened: when, what was noticed of it, and whether its safe state was reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim_harness.faults.scene import Effect
from sim_harness.faults.spec import FaultSpec


@dataclass(slots=True)
class Incident:
    """
    A fault at work, and what came of it.

    *needed*: something happened that the safe state must answer; a link lost for a blink, or a stretch that nobody came to,
    needs nothing. *needed_s*: since when. *broken*: the state, or a rule it rests on, was seen violated.
    """

    spec: FaultSpec
    effect: Effect
    began_s: float
    ended_s: float | None = None
    alarm: str | None = None
    seen_s: float | None = None
    needed: bool = False
    needed_s: float | None = None
    safe_s: float | None = None
    broken: str = ""

    def need(self, now_s: float) -> None:
        """From now on the safe state is required."""
        if not self.needed:
            self.needed, self.needed_s = True, now_s

    def reach(self, now_s: float) -> None:
        """The safe state is reached."""
        if self.safe_s is None:
            self.safe_s = now_s

    def breach(self, what: str) -> None:
        """A rule was seen broken."""
        self.broken = self.broken or what

    @property
    def reached(self) -> bool | None:
        """Whether the safe state was reached; None where nothing was required."""
        if self.broken:
            return False
        return (self.safe_s is not None) if self.needed else None

    def overdue(self, now_s: float) -> bool:
        """Whether the safe state should have been reached by now."""
        return self.needed and self.needed_s is not None and self.safe_s is None and now_s - self.needed_s > self.spec.kind.safe_s

    def account(self) -> Mapping[str, Any]:
        """The incident as `report.json` has it."""
        spec = self.spec
        return {
            "fault": spec.fault,
            "row": spec.kind.row,
            "target": spec.aimed_at,
            "shape": None if spec.failing is None else spec.failing.value,
            "value": spec.amount if spec.kind.value is not None else None,
            "at_s": self.began_s,
            "ended_s": self.ended_s,
            "alarm": self.alarm,
            "seen_s": self.seen_s,
            "state": spec.kind.state.value,
            "needed_s": self.needed_s,
            "safe_s": self.safe_s,
            "reached": self.reached,
            "broken": self.broken,
        }
