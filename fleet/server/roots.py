"""
What holds each standing truck, at the root: the truck that waits for the truck that waits for the gate waits for the gate.

Quick enough for every truck at every look; the whole chain, with people and sentences, is for `explain`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fleet.server.fleet_view import FleetView
from planner.authority import Cause
from planner.corridor import Corridor

NOTHING: Final = ""
_AT_GATES: Final = frozenset({Cause.GATE, Cause.CUSTOMS, Cause.OPENING, Cause.INSPECTION})
_AT_STANDS: Final = frozenset({Cause.GOAL, Cause.BAY, Cause.STAND, Cause.CHARGING, Cause.SLOT, Cause.NO_ORDER})


class Roots:
    """Names the roots of one site's standing trucks."""

    def __init__(self, corridor: Corridor) -> None:
        self._gates = [gate.gate_id for gate in corridor.gates]
        self._stands = [stand.stand_id for stand in corridor.stands]
        self._lanes = [lane.lane_id for lane in corridor.lanes]
        self._zones = [zone.zone_id for zone in corridor.zones]

    def of(self, view: FleetView) -> dict[str, tuple[str, str]]:
        """Cause and subject by truck id, for trucks that stand."""
        code, ref = view.cause.tolist(), view.cause_ref.tolist()
        standing = view.standing.tolist()
        found: dict[str, tuple[str, str]] = {}
        for row, truck_id in enumerate(view.truck_ids):
            if standing[row]:
                root = self._root(row, code, ref, standing)
                found[truck_id] = (Cause(code[root]).name.lower(), self._subject(Cause(code[root]), ref[root], view))
        return found

    @staticmethod
    def _root(row: int, code: list[int], ref: list[int], standing: list[bool]) -> int:
        for _ in range(len(code)):
            ahead = ref[row]
            if code[row] != Cause.LEADER or ahead < 0 or not standing[ahead] or code[ahead] == Cause.NONE:
                return row
            row = ahead
        return row

    def _subject(self, cause: Cause, ref: int, view: FleetView) -> str:
        if cause is Cause.LEADER:
            return _named(view.truck_ids, ref)
        if cause is Cause.ZONE:
            return _named(self._zones, ref)
        if cause is Cause.CLOSURE:
            return _named(self._lanes, ref)
        if cause in _AT_GATES:
            return _named(self._gates, ref)
        return _named(self._stands, ref) if cause in _AT_STANDS else NOTHING


def _named(names: Sequence[str], ref: int) -> str:
    return names[ref] if 0 <= ref < len(names) else NOTHING
