"""One fault that happened: when, what was noticed of it, and whether its safe state was reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sim_harness.faults.kind import State
from sim_harness.faults.scene import Effect
from sim_harness.faults.spec import FaultSpec

# Looked for when the fault is over.
AFTERWARDS: Final = frozenset({State.WENT_ON, State.WAITED, State.LEFT_ALONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Blockage:
    """Lanes under a body that did not move from one second of the run to another."""

    lane_ids: tuple[str, ...]
    from_s: float
    to_s: float


@dataclass(slots=True)
class Incident:
    """
    A fault at work, and what came of it.

    *needed*: something happened that the safe state must answer; a link lost for a blink, or a stretch that nobody came to,
    needs nothing. *needed_s*: since when. *broken*: the state, or a rule it rests on, was seen violated. *blockages*: where its truck
    stood and could not go on.
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
    blockages: list[Blockage] = field(default_factory=list)

    def need(self, now_s: float) -> None:
        """From now on the safe state is required."""
        if not self.needed:
            self.needed, self.needed_s = True, now_s

    def wait(self, now_s: float) -> None:
        """Something else keeps the safe state from being reached for now: its time begins anew."""
        if self.needed:
            self.needed_s = now_s

    def reach(self, now_s: float) -> None:
        """The safe state is reached."""
        if self.safe_s is None:
            self.safe_s = now_s

    def breach(self, what: str) -> None:
        """A rule was seen broken."""
        self.broken = self.broken or what

    def due(self, now_s: float) -> bool:
        """
        Whether the safe state must have been reached by now.

        A state that the fault itself asks for is not due once the fault is over: a link that is back asks nobody to stand. What
        follows a fault (that driving goes on) is due whenever it ended.
        """
        if not self.needed or self.needed_s is None:
            return False
        until_s = now_s if self.ended_s is None or self.spec.kind.state in AFTERWARDS else self.ended_s
        return until_s - self.needed_s >= self.spec.kind.safe_s

    def reached(self, now_s: float) -> bool | None:
        """Whether the safe state was reached; None where none was required, or it was not due before all was over."""
        if self.broken:
            return False
        if self.needed and self.safe_s is not None:
            return True
        return False if self.due(now_s) else None

    def account(self, now_s: float) -> Mapping[str, Any]:
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
            "reached": self.reached(now_s),
            "broken": self.broken,
            "blockages": [asdict(blockage) for blockage in self.blockages],
        }
