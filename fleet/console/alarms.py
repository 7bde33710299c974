"""
What a person should look at, and whether somebody has said that he does.

A concern lasts as long as what it is about. Who acknowledges it takes nothing back: it stays on the list, quieter, with his name and the
time. When it ends, so does the acknowledgement; the same trouble tomorrow is a new one. The list is kept by the console's process and is
the same on every page that looks at it, and forgotten when that process ends: it steers nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from fleet.client.values import BlockedBay, OverdueGate
from fleet.errors import Code, FleetError

# Shares of what is declared, or of a full battery, under which somebody should know.
BRAKES_LOW: Final = 0.9
BATTERY_LOW: Final = 0.1
GRAVE_SESSIONS: Final = ("quarantined", "halted", "silent")
GRAVE_CAUSES: Final = ("braked", "intrusion", "judge", "fault")

Truck = Mapping[str, Any]


@dataclass(eq=False)
class NothingToAcknowledge(FleetError):
    """There is no such alarm now."""

    code: ClassVar[Code] = Code.STALE
    hint: ClassVar[str] = "It may just have ended; look at the list again."

    alarm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One thing to look at: *kind* names the sentence, *truck_id* is empty when it is about everybody, *fields* fill the sentence."""

    kind: str
    truck_id: str
    grave: bool
    fields: Mapping[str, str]

    @property
    def key(self) -> str:
        """Names it for as long as it lasts."""
        return f"{self.kind}:{self.fields.get('id') or self.truck_id}"


def concerns(trucks: Iterable[Truck], stops: Iterable[Mapping[str, Any]], full_wh: Mapping[str, float]) -> list[Concern]:
    """All about trucks and stops, the gravest first; *full_wh* is the battery of each type of truck."""
    found = [
        Concern(kind="stop", truck_id="", grave=True, fields={"id": stop["stop_id"], "reason": stop["reason"]})
        for stop in stops
        if stop["active"]
    ]
    for truck in sorted(trucks, key=lambda each: str(each["id"])):
        found.extend(_about(truck, full_wh.get(truck["type"], 0.0)))
    return sorted(found, key=lambda concern: not concern.grave)


def about_gates(overdue: Iterable[OverdueGate], now: datetime | None) -> list[Concern]:
    """One for each overdue gate, with the minutes that it has been taken by *now*; none of them grave."""
    return [
        Concern(kind="gate", truck_id=gate.truck_id, grave=False, fields={"id": gate.gate_id, "n": str(gate.taken_min(now))})
        for gate in overdue
    ]


def about_bays(blocked: Iterable[BlockedBay]) -> list[Concern]:
    """One for each bay or charger that is out of order; none of them grave."""
    return [Concern(kind="bay", truck_id=bay.truck_id, grave=False, fields={"id": bay.bay_id}) for bay in blocked]


def _about(truck: Truck, full_wh: float) -> Iterable[Concern]:
    truck_id = truck["id"]
    cause = truck["for"][0] if truck["for"] else ""
    # An all-stop is one alarm, whatever the number of trucks it halts.
    if truck["session"] in GRAVE_SESSIONS and cause != "all_stop":
        yield Concern(kind=truck["session"], truck_id=truck_id, grave=True, fields={})
    elif cause in GRAVE_CAUSES:
        yield Concern(kind=cause, truck_id=truck_id, grave=True, fields={})
    if 0.0 < truck["brakes"] < BRAKES_LOW:
        yield Concern(kind="brakes", truck_id=truck_id, grave=False, fields={"n": str(round(truck["brakes"] * 100))})
    if full_wh > 0.0 and truck["wh"] < BATTERY_LOW * full_wh:
        yield Concern(kind="battery", truck_id=truck_id, grave=False, fields={"n": str(round(100 * truck["wh"] / full_wh))})


class Alarms:
    """The concerns of now, and who acknowledged which when."""

    def __init__(self) -> None:
        self._now: list[Concern] = []
        self._acknowledged: dict[str, tuple[str, int]] = {}

    def take(self, found: list[Concern]) -> None:
        """These are the concerns now."""
        self._now = found
        keys = {concern.key for concern in found}
        self._acknowledged = {key: said for key, said in self._acknowledged.items() if key in keys}

    def acknowledge(self, key: str, who: str, at_ms: int) -> None:
        """
        *who* looks at it, since Unix time *at_ms*; whoever said so first stays on record.

        Raises:
            NothingToAcknowledge: there is no such concern now.
        """
        if key not in {concern.key for concern in self._now}:
            raise NothingToAcknowledge(alarm=key)
        self._acknowledged.setdefault(key, (who, at_ms))

    def data(self) -> list[dict[str, Any]]:
        """As the page is told."""
        return [
            {
                "key": concern.key,
                "kind": concern.kind,
                "truck": concern.truck_id or None,
                "grave": concern.grave,
                "fields": dict(concern.fields),
                "seen": self._acknowledged.get(concern.key),
            }
            for concern in self._now
        ]
