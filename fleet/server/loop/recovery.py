"""
What a snapshot must name so that replaying it is replaying the whole journal: every truck that ever had a row, and its boots.

A row is never given back, so even a removed truck stays named: its id is barred for good. The last hello of each boot stays
too, or an old one could be told again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from fleet.server.facts import Fact, TruckGreeted, TruckRegistered, TruckRemoved
from planner.limits import BOOTS_MAX
from planner.tables import TruckTable


class Holder(Protocol):
    """Whoever remembers something of the fleet: it changes as facts say, the same at recovery as when they are made."""

    def apply(self, fact: Fact) -> None:
        """Takes *fact* in; those that concern others pass by."""
        ...


class Registry:
    """The trucks as registered, and those declared removed."""

    def __init__(self) -> None:
        self._registered: list[TruckRegistered] = []
        self._removed: list[TruckRemoved] = []
        self._greeted: dict[int, dict[tuple[str, str], TruckGreeted]] = {}

    def apply(self, fact: Fact) -> None:
        """Takes note of trucks that come and go; facts of others pass by."""
        if isinstance(fact, TruckRegistered):
            self._registered.append(fact)
        elif isinstance(fact, TruckRemoved):
            self._removed.append(fact)
        elif isinstance(fact, TruckGreeted):
            boots, boot = self._greeted.setdefault(fact.row, {}), (fact.instance_id, fact.boot_id)
            boots.pop(boot, None)
            boots[boot] = fact
            if len(boots) > BOOTS_MAX:
                del boots[next(iter(boots))]

    def facts(self, trucks: TruckTable) -> list[Fact]:
        """Registrations as if made today, each on its present path and ground; then the last hellos, and the removals."""
        greeted = [fact for boots in self._greeted.values() for fact in boots.values()]
        return [*(self._today(fact, trucks) for fact in self._registered), *greeted, *self._removed]

    @staticmethod
    def _today(fact: TruckRegistered, trucks: TruckTable) -> TruckRegistered:
        row = fact.row
        count = int(trucks.path_count[row])
        if count == 0:
            return fact
        return replace(
            fact,
            lanes=tuple(trucks.path(row)),
            start_m=float(trucks.path_start_m[row, 0]),
            rear_m=float(trucks.rear_m[row]),
            end_m=float(trucks.end_m[row]),
        )
