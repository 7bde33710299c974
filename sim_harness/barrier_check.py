"""
Whether any truck drives through a barrier that is not up for it.

The barrier's true state is the plant's, the truck's place is the simulator's; what the server believes of either is not asked. A truck
that could not stop any more when the barrier fell before it is to blame for nothing, nor is one that slides through on its brakes because they,
or the road, give less than declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim_harness.dynamics import EMERGENCY_BRAKE, SERVICE_BRAKE
from sim_harness.observation import IndexArray, Roster, TickView

# What a truck may need to stop: time to hear of it and to react, and its service brakes.
REACTION_S: Final = 1.5
BRAKE_MPS2: Final = 1.5
MARGIN_M: Final = 2.0
_BRAKING: Final = (SERVICE_BRAKE, EMERGENCY_BRAKE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivenThrough:
    """A truck passed a barrier that was not up for it."""

    time_s: float
    truck_id: str
    gate_id: str


class BarrierCheck:
    """Looks whenever asked, often enough that no truck crosses a whole lane in between."""

    def __init__(self, roster: Roster) -> None:
        self._truck_ids = roster.truck_ids
        self._row = {truck_id: row for row, truck_id in enumerate(roster.truck_ids)}
        corridor = roster.corridor
        self._place = {gate.gate_id: (corridor.lane_ix[gate.lane_id], gate.barrier_m) for gate in corridor.gates}
        self._gated = np.zeros(len(corridor.lanes), dtype=np.bool_)
        self._gated[[lane_ix for lane_ix, _ in self._place.values()]] = True
        self._lane_ix: IndexArray | None = None
        self._chainage_m = np.zeros(len(roster.truck_ids))
        self._raised: Mapping[str, str] = {}
        # Trucks that could not stop any more when the barrier fell before them, by gate.
        self._excused: dict[str, str] = {}
        self.found: list[DrivenThrough] = []

    def look(self, view: TickView, raised: Mapping[str, str]) -> None:
        """Look at the trucks now; *raised*: gates whose barrier is up, each with the truck it is up for."""
        before = self._raised
        if raised != before:
            self._raised = dict(raised)
            for gate_id, truck_id in before.items():
                if raised.get(gate_id) != truck_id and self._too_near(view, gate_id, truck_id):
                    self._excused[gate_id] = truck_id
        if self._lane_ix is not None:
            for row in np.flatnonzero(self._gated[self._lane_ix]).tolist():
                self._follow(view, row, (before, raised))
        self._lane_ix = view.lane_ix.copy()
        self._chainage_m[:] = view.chainage_m

    def _follow(self, view: TickView, row: int, up: tuple[Mapping[str, str], Mapping[str, str]]) -> None:
        """One truck that was on a lane with gates a look ago; *up*: what was raised then, and now."""
        assert self._lane_ix is not None
        was_ix, was_m = int(self._lane_ix[row]), float(self._chainage_m[row])
        now_m = float(view.chainage_m[row]) if view.lane_ix[row] == was_ix else np.inf
        truck_id = self._truck_ids[row]
        for gate_id, (lane_ix, barrier_m) in self._place.items():
            if lane_ix != was_ix or not was_m < barrier_m <= now_m:
                continue
            slid = bool(view.undeclared[row]) and int(view.mode[row]) in _BRAKING
            if all(raised.get(gate_id) != truck_id for raised in up) and self._excused.pop(gate_id, None) != truck_id and not slid:
                self.found.append(DrivenThrough(time_s=view.time_s, truck_id=truck_id, gate_id=gate_id))

    def _too_near(self, view: TickView, gate_id: str, truck_id: str) -> bool:
        """Whether a truck can no longer stop before a barrier that has just fallen."""
        row = self._row[truck_id]
        lane_ix, barrier_m = self._place[gate_id]
        way_m, speed_mps = barrier_m - float(view.chainage_m[row]), float(view.speed_mps[row])
        needed_m = REACTION_S * speed_mps + speed_mps * speed_mps / (2.0 * BRAKE_MPS2) + MARGIN_M
        return bool(view.lane_ix[row] == lane_ix) and way_m < needed_m
