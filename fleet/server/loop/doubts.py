"""
Road that doubt adds.

When a truck's place is doubted it keeps the road it holds, and every place it may be instead counts as occupied as well: its
body at the claimed place, its bounds, and what it needs to stop from there. Nobody is given such road; whoever holds some of it
already must stop. A person's release, or the truck's removal, ends the doubt.
"""

from __future__ import annotations

from typing import Final

from fleet.server.facts import DoubtAdded, Fact, TruckRemoved, TruckResumed
from fleet.server.loop.telemetry import Disbelief
from fleet.server.reach import Reach
from planner.authority import Verdict
from planner.kernels.ground import Walls
from planner.limits import BOUND_STOP_M
from planner.tables import TruckTable
from planner.zones import no_walls, walls_of

# From the highest speed any site allows, with weak brakes downhill: what a truck may still roll after it was told to stop.
REACH_M: Final = 80.0
# One truck that claims so many places is no longer one doubt: everything stops.
STRETCHES_MAX: Final = 64


class Doubts:
    """Stretches by doubted truck, and the same as walls for the planner."""

    def __init__(self, trucks: TruckTable) -> None:
        self._trucks = trucks
        self._reach = Reach(trucks.lanes)
        self._of_row: dict[int, list[DoubtAdded]] = {}
        self.walls: Walls = no_walls()

    def apply(self, fact: Fact) -> None:
        """Adds or ends a doubt; facts of others pass by."""
        if isinstance(fact, DoubtAdded):
            self._of_row.setdefault(fact.row, []).append(fact)
        elif isinstance(fact, TruckResumed | TruckRemoved):
            if self._of_row.pop(fact.row, None) is None:
                return
        else:
            return
        self.walls = walls_of(self._trucks.lanes, [(at.lane_ix, at.from_m, at.to_m, at.row) for at in self._all()])

    def facts(self) -> list[Fact]:
        """What recreates the doubts, in a snapshot."""
        return list(self._all())

    def of(self, row: int) -> list[DoubtAdded]:
        """Where one truck may be as well."""
        return list(self._of_row.get(row, []))

    def full(self, row: int) -> bool:
        """Whether *row* has claimed more places than one doubt covers."""
        return len(self._of_row.get(row, [])) > STRETCHES_MAX

    def raise_over(self, claim: Disbelief) -> list[DoubtAdded]:
        """
        The stretches that a disbelieved *claim* adds: body, bounds and reach, over every lane they may lie on.

        A truck that only owns to not knowing its place, and would be on its own road there, stops by itself inside that.
        """
        lanes = self._trucks.lanes
        if not 0 <= claim.lane_ix < lanes.count or (claim.verdict is Verdict.UNSURE and self._is_on_own_road(claim)):
            return []
        bound_m = min(max(claim.bound_m, 0.0), BOUND_STOP_M)
        behind_m = float(self._trucks.length_m[claim.row] + self._trucks.roll_back_m[claim.row]) + bound_m
        place_m = min(max(claim.chainage_m, 0.0), float(lanes.length_m[claim.lane_ix]))
        found = self._reach.along(claim.lane_ix, place_m, REACH_M + bound_m, forward=True)
        for lane, (low_m, high_m) in self._reach.along(claim.lane_ix, place_m, behind_m, forward=False).items():
            known = found.get(lane, (low_m, high_m))
            found[lane] = (min(low_m, known[0]), max(high_m, known[1]))
        return [DoubtAdded(row=claim.row, lane_ix=lane, from_m=low_m, to_m=high_m) for lane, (low_m, high_m) in found.items()]

    def _is_on_own_road(self, claim: Disbelief) -> bool:
        trucks, row = self._trucks, claim.row
        nose_m = trucks.locate(row, claim.lane_ix, claim.chainage_m)
        tail_m = nose_m - float(trucks.length_m[row])
        return float(trucks.rear_m[row]) <= tail_m and nose_m <= float(trucks.end_m[row])  # not so for nan: off its path

    def meet(self, row: int) -> bool:
        """Whether road of somebody else's doubt lies on the ground of *row*."""
        others = [at for at in self._all() if at.row != row]
        ground = self._trucks.ground(row) if others else []
        return any(at.lane_ix == lane and at.from_m < high_m and low_m < at.to_m for at in others for lane, low_m, high_m in ground)

    def _all(self) -> list[DoubtAdded]:
        return [at for stretches in self._of_row.values() for at in stretches]
