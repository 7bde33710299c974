"""
What holds a truck, said in the languages of the border.

Each phrase goes on after the truck's name; its subject is the gate, truck, stand, lane, zone or person it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fleet.texts import say
from planner.authority import Cause

MOVES: Final = "moves"  # what is said of a truck that does not stand
# Where a truck has what another waits for, it is named.
_TAKEN: Final[Mapping[Cause, str]] = {
    Cause.ZONE: "cause.zone_taken",
    Cause.GATE: "cause.gate_busy",
    Cause.SLOT: "cause.slot_taken",
    Cause.STAND: "cause.stand_taken",
    Cause.CHARGING: "cause.charging_taken",
}


def phrase(cause: Cause, subject: str, language: str, holder: str = "") -> str:
    """The phrase for *cause* in *language*, English where that is not ours; *holder* is the truck that has *subject*, "" none."""
    if holder and cause in _TAKEN:
        return say(language, _TAKEN[cause], subject=subject, truck=holder)
    return say(language, f"cause.{cause.name.lower()}", subject=subject or say(language, "unnamed"))
