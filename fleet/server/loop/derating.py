"""
Brakes and road that are worse than declared: believed at once, and better again only by a person's word.

A truck that measures weak brakes is believed for good. It may report better brakes later, and a reboot makes it forget what it
measured; neither is a repair. Lifting a hold is none either: whoever lets a held truck drive on has not said that its brakes are as
declared. `TruckRecommissioned` says just that, and a truck that measures weakness again is derated again.

Grip is believed of cells of road (`planner.grip`). A truck that slips shows what grip there was under its body; that holds for
everybody, in the same tick. Nothing a truck reports makes it better: a slip on a better spot of the cell says nothing about the worse
one, and trucks that brake gently because of it never prove that they could brake harder. A person who has looked at the road (it
was gritted, it thawed) says so with `LaneFrictionSet`. All of it is journalled: ice does not melt when a server dies.

Nothing here takes road from anyone. A derated truck finishes what it does and is laid up by the desk; one with too little brakes left,
and one that lost its trailer or a box, is held, and a person releases it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import floor
from typing import Any, Final, NamedTuple

import numpy as np

from fleet.server.columns import FlagColumn, FloatColumn, IntColumn
from fleet.server.facts import BrakesDerated, Fact, LaneFrictionSet, StretchDerated, TruckHeld, TruckRecommissioned
from fleet.server.loop.stops import BRAKES, OWN_ACTOR
from fleet.server.loop.telemetry import PARTED, Worse
from planner.grip import Grip, cell_stretch, cells_of, even_grip
from planner.limits import BRAKE_FAILED, BRAKE_WEAK, FRICTION_MIN
from planner.tables import TruckTable

# Grip is believed by whole hundredths: noise makes no facts.
FRICTION_STEPS: Final = 100
# A truck slips where it happens to brake: the ice began before, and ends beyond.
AROUND_M: Final = 50.0
# So long may what was just found out be on its way to a truck, and its answer on its way back, before the truck is stopped for it.
NEWS_NS: Final = 500_000_000
NEVER_NS: Final = -(1 << 62)


class Finding(NamedTuple):
    """A fact to be decided, and the alarm that goes with it."""

    fact: Fact
    alarm: str
    fields: Mapping[str, str | int | float]


class Derating:
    """
    What is believed of brakes and road beyond the last report.

    Health itself is the trucks' column; here is what of it is durable. *grip* is the road as everybody must brake on it. *even*:
    it is the same everywhere; *lane_friction* (m,) is the lowest on each lane. *weaker_ns* (capacity,) and *slicker_ns* say when
    brakes, and any of the road, last turned out worse.
    """

    def __init__(self, trucks: TruckTable, lane_ids: tuple[str, ...], friction: float) -> None:
        self._trucks = trucks
        self._lane_ids = lane_ids
        self._friction = friction
        self._kept_health: FloatColumn = np.ones(trucks.capacity)
        self.grip: Grip = even_grip(trucks.lanes, friction)
        self.weaker_ns: IntColumn = np.full(trucks.capacity, NEVER_NS, np.int64)
        self.slicker_ns = NEVER_NS
        self._look_over()
        self._appliers: Mapping[type[Fact], Callable[[Any], None]] = {
            BrakesDerated: self._weaken,
            TruckRecommissioned: self._restore,
            StretchDerated: self._derate,
            LaneFrictionSet: self._set_friction,
        }

    def apply(self, fact: Fact) -> None:
        """Changes what is believed as *fact* says; facts of others pass by."""
        applier = self._appliers.get(type(fact))
        if applier is not None:
            applier(fact)

    def facts(self) -> list[Fact]:
        """What recreates it, in a snapshot; who met it, and when, is told once."""
        weak = (self._kept_health < 1.0).nonzero()[0].tolist()
        brakes: list[Fact] = [BrakesDerated(row=row, brake_health=float(self._kept_health[row]), at_ns=0) for row in weak]
        return brakes + [self._stretch(-1, range(cell, cell + 1), float(self.grip.friction[cell]), 0) for cell in self._derated()]

    def findings(self, worse: Worse, truck_ids: list[str], held: Callable[[int, str], bool], now_ns: int) -> list[Finding]:
        """
        What follows from *worse*, each fact and alarm once.

        *held*: whether a hold of this name is in force on a row.
        """
        found: list[Finding] = []
        if worse.brakes:
            count = self._trucks.count
            for row in (self._trucks.brake_health[:count] < self._kept_health[:count]).nonzero()[0].tolist():
                found += self._weaker(row, truck_ids[row], now_ns)
        for row, friction in worse.opinions:
            found += self._met(row, truck_ids[row], friction, now_ns)
        for row in worse.parted:
            stop_id = f"{PARTED}:{truck_ids[row]}"
            if not held(row, stop_id):
                hold = TruckHeld(row=row, stop_id=stop_id, reason=PARTED, actor=OWN_ACTOR, at_ns=now_ns)
                found.append(Finding(hold, "truck_parted", {"truck": truck_ids[row]}))
        return found

    def just_heard(self, friction: FloatColumn, now_ns: int) -> FlagColumn:
        """
        Which trucks may still be on the way of hearing, or of saying, that they must stop sooner than they thought, (n,).

        *friction* (n,) is the lowest on each one's way.
        """
        heard: FlagColumn = self.weaker_ns[: len(friction)] >= now_ns - NEWS_NS
        return heard | (friction < self._friction) if self.slicker_ns >= now_ns - NEWS_NS else heard

    def loosens(self, lane_ix: int, friction: float) -> bool:
        """Whether a person who says *friction* of a whole lane would have trucks count on more grip anywhere on it."""
        return min(max(friction, FRICTION_MIN), self._friction) > float(self.lane_friction[lane_ix])

    def _weaker(self, row: int, truck_id: str, now_ns: int) -> list[Finding]:
        health = float(self._trucks.brake_health[row])
        derated = BrakesDerated(row=row, brake_health=health, at_ns=now_ns)
        found = [Finding(derated, "truck_derated" if health < BRAKE_WEAK else "", {"truck": truck_id, "brake_health": health})]
        if health < BRAKE_FAILED:
            hold = TruckHeld(row=row, stop_id=f"{BRAKES}:{truck_id}", reason=BRAKES, actor=OWN_ACTOR, at_ns=now_ns)
            found.append(Finding(hold, "truck_halted", {"truck": truck_id, "reason": BRAKES}))
        return found

    def _met(self, row: int, truck_id: str, friction: float, now_ns: int) -> list[Finding]:
        """The cells under the body of *row* and around it, lane by lane, where any is believed better than what it met."""
        trucks = self._trucks
        friction = max(floor(friction * FRICTION_STEPS) / FRICTION_STEPS, FRICTION_MIN)
        high_m = float(trucks.nose_m[row]) + AROUND_M
        low_m = float(trucks.nose_m[row] - trucks.length_m[row]) - AROUND_M
        found: list[Finding] = []
        for k in range(trucks.k_at(row, low_m), trucks.k_at(row, high_m) + 1):
            lane_ix, base_m = int(trucks.path_lane[row, k]), float(trucks.path_start_m[row, k])
            end_m = float(trucks.path_start_m[row, k + 1])
            cells = cells_of(self.grip, lane_ix, max(low_m, base_m) - base_m, min(high_m, end_m) - base_m)
            if friction < self.grip.friction[cells.start : cells.stop].max():
                fields: dict[str, str | int | float] = {"truck": truck_id, "lane": self._lane_ids[lane_ix], "friction": friction}
                found.append(Finding(self._stretch(row, cells, friction, now_ns), "stretch_derated", fields))
        return found

    def _stretch(self, row: int, cells: range, friction: float, now_ns: int) -> StretchDerated:
        lane_ix, from_m, _ = cell_stretch(self.grip, cells.start)
        to_m = min(cell_stretch(self.grip, cells.stop - 1)[2], float(self._trucks.lanes.length_m[lane_ix]))
        return StretchDerated(row=row, lane_ix=lane_ix, from_m=from_m, to_m=to_m, friction=friction, at_ns=now_ns)

    def _derated(self) -> list[int]:
        return [int(cell) for cell in (self.grip.friction != self._friction).nonzero()[0]]

    def _weaken(self, fact: BrakesDerated) -> None:
        health = min(float(self._kept_health[fact.row]), fact.brake_health)
        self._kept_health[fact.row] = health
        self.weaker_ns[fact.row] = fact.at_ns
        self._trucks.brake_health[fact.row] = min(float(self._trucks.brake_health[fact.row]), health)

    def _restore(self, fact: TruckRecommissioned) -> None:
        self._kept_health[fact.row] = self._trucks.brake_health[fact.row] = 1.0

    def _derate(self, fact: StretchDerated) -> None:
        # Cells are half-open, and whoever looks for those of a stretch looks for both of its ends.
        for cell in cells_of(self.grip, fact.lane_ix, fact.from_m, np.nextafter(fact.to_m, 0.0)):
            self.grip.friction[cell] = min(float(self.grip.friction[cell]), fact.friction)
        self.slicker_ns = fact.at_ns
        self._look_over()

    def _set_friction(self, fact: LaneFrictionSet) -> None:
        start = self.grip.cell_start
        # No person's word makes a road better than the site declares it.
        self.grip.friction[start[fact.lane_ix] : start[fact.lane_ix + 1]] = min(max(fact.friction, FRICTION_MIN), self._friction)
        self._look_over()

    def _look_over(self) -> None:
        self.even = bool((self.grip.friction == self.grip.friction[0]).all())
        # Always an array of its own: who was given the last one may keep it.
        self.lane_friction: FloatColumn = np.minimum.reduceat(self.grip.friction, self.grip.cell_start[:-1])
