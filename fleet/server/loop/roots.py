"""
What holds each standing truck, at the root: the truck that waits for the truck that waits for the gate waits for the gate.

Quick enough for every truck at every look; the whole chain, with people and sentences, is for `explain`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fleet.server.loop.causes import Causes
from planner.authority import Cause
from planner.corridor import Corridor

NOTHING: Final = ""
_NAMES: Final = {int(cause): cause.name.lower() for cause in Cause}
_INTRUSION: Final = int(Cause.INTRUSION)
_LEADER: Final = int(Cause.LEADER)
_NONE: Final = int(Cause.NONE)


class Subjects:
    """What the references of causes are called at one site."""

    def __init__(self, corridor: Corridor) -> None:
        lanes = [lane.lane_id for lane in corridor.lanes]
        gates = [gate.gate_id for gate in corridor.gates]
        stands = [stand.stand_id for stand in corridor.stands]
        self._names: dict[int, Sequence[str]] = {
            int(Cause.ZONE): [zone.zone_id for zone in corridor.zones],
            **{int(cause): lanes for cause in (Cause.CLOSURE, Cause.TRACTION, Cause.SITE_CHANGE)},
            **{int(cause): gates for cause in (Cause.GATE, Cause.CUSTOMS, Cause.OPENING, Cause.INSPECTION)},
            **{
                int(cause): stands
                for cause in (Cause.GOAL, Cause.BAY, Cause.STAND, Cause.CHARGING, Cause.SLOT, Cause.NO_ORDER, Cause.FAULT, Cause.BATTERY)
            },
        }

    def name(self, cause: int, ref: int, truck_ids: Sequence[str]) -> str:
        """What *cause* refers to by *ref*, a truck by its row among *truck_ids*; `NOTHING` where that has no name."""
        names = truck_ids if cause == _LEADER else self._names.get(cause, ())
        return names[ref] if 0 <= ref < len(names) else NOTHING


class Roots:
    """Names the roots of one site's standing trucks."""

    def __init__(self, corridor: Corridor) -> None:
        self._subjects = Subjects(corridor)

    def of(self, causes: Causes, truck_ids: Sequence[str], intrusions: Mapping[int, str]) -> dict[str, tuple[str, str]]:
        """Cause and subject by truck id, for trucks that stand; *truck_ids* by row, *intrusions* by number."""
        count = len(truck_ids)
        code, ref, standing = causes.code[:count].tolist(), causes.ref[:count].tolist(), causes.standing[:count].tolist()
        found: dict[str, tuple[str, str]] = {}
        for row, truck_id in enumerate(truck_ids):
            if standing[row]:
                root = _root(row, code, ref, standing) if code[row] == _LEADER else row
                intruded = code[root] == _INTRUSION
                subject = intrusions.get(ref[root], NOTHING) if intruded else self._subjects.name(code[root], ref[root], truck_ids)
                found[truck_id] = (name_of(code[root]), subject)
        return found


def name_of(cause: int) -> str:
    """The wire's and the report's name of a cause."""
    return _NAMES[cause]


def _root(row: int, code: list[int], ref: list[int], standing: list[bool]) -> int:
    for _ in range(len(code)):
        ahead = ref[row]
        if code[row] != _LEADER or ahead < 0 or not standing[ahead] or code[ahead] == _NONE:
            return row
        row = ahead
    return row
