"""
Whose turn it is in each one-lane section, remembered.

A turn and its contest are facts: a server that comes back goes on where the one before it was, and no side's patience begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.server.fact_form import Fact, fact
from planner.sections import Turn


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class SectionTurned(Fact):
    """A section's turn as it is now (see `planner.sections.Turn`); the zone by its name, which another site may not have."""

    zone_id: str
    side: int
    entered: bool
    contested_ns: int


def turned(zone_id: str, turn: Turn) -> SectionTurned:
    """The fact that it is *turn* in a section."""
    return SectionTurned(zone_id=zone_id, side=turn.side, entered=turn.entered, contested_ns=turn.contested_ns)


class SectionTurns:
    """Turns by zone."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    def of(self, zone_id: str) -> Turn:
        """Whose turn it is; before anybody came, side 0's."""
        return self._turns.get(zone_id, Turn())

    def apply(self, fact: SectionTurned) -> None:
        """The turn is as *fact* says."""
        self._turns[fact.zone_id] = Turn(side=fact.side, entered=fact.entered, contested_ns=fact.contested_ns)

    def facts(self) -> list[Fact]:
        """What recreates the turns."""
        return [turned(zone_id, turn) for zone_id, turn in self._turns.items()]
