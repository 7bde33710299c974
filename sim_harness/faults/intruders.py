"""Who is on the road and should not be: people, animals, manned trucks. Trucks see them by their own sensors."""

from __future__ import annotations

import math
from typing import Final

from sim_harness import link
from sim_harness.faults.scene import Scene
from sim_harness.faults.spec import FaultSpec
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import TICK_S

# How far ahead along its own path a truck's sensors see (assumed: lidar on a fenced road, by night and in dust).
SIGHT_M: Final = 60.0
MANNED_LENGTH_M: Final = 6.0
# A driver keeps so far off a truck ahead.
KEEPS_OFF_M: Final = 15.0
TRANSPONDER_TICKS: Final = 10


def metres_ahead(fleet: FleetColumns, row: int, lane_ix: int, from_m: float, to_m: float) -> float:
    """Metres from a truck's nose to the stretch along its path; 0 when the nose is in it, infinite when it is not ahead."""
    paths = fleet.paths
    nose_m = float(fleet.motion.nose_m[row])
    for k in range(int(paths.nose_k[row]), int(paths.held[row])):
        start_m = float(paths.start_m[row, k])
        if start_m > nose_m + SIGHT_M:
            break
        if paths.lane[row, k] == lane_ix and start_m + to_m > nose_m:
            return max(0.0, start_m + from_m - nose_m)
    return math.inf


class Intruder:
    """Somebody on a stretch of road; every truck near enough sees him."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        assert spec.lane is not None
        assert spec.from_m is not None
        assert spec.to_m is not None
        self._scene = scene
        self._lane_ix = scene.corridor.lane_ix[spec.lane]
        self._from_m, self._to_m = spec.from_m, spec.to_m
        self._seen_by: set[int] = set()

    def begin(self) -> None:
        """Step onto the road."""
        self._scene.fleet.sensing.append(self._be_seen)

    def tick(self) -> None:
        """Stay there."""

    def end(self) -> None:
        """Leave it. What a truck saw, it saw: a person must say that the road is clear."""
        fleet = self._scene.fleet
        fleet.sensing.remove(self._be_seen)
        for row in self._seen_by:
            fleet.belief.obstacle_m[row] = math.inf
            fleet.onboard.same[row] = False

    def where(self) -> tuple[int, float, float]:
        """Lane row and metres that are taken."""
        return self._lane_ix, self._from_m, self._to_m

    def _be_seen(self) -> None:
        fleet, (lane_ix, from_m, to_m) = self._scene.fleet, self.where()
        for row in range(len(fleet.roster.truck_ids)):
            ahead_m = metres_ahead(fleet, row, lane_ix, from_m, to_m)
            if ahead_m < SIGHT_M:
                self._seen_by.add(row)
                fleet.belief.obstacle_m[row] = ahead_m
                fleet.onboard.same[row] = False
            elif row in self._seen_by and fleet.belief.obstacle_m[row] != math.inf:
                fleet.belief.obstacle_m[row] = math.inf
                fleet.onboard.same[row] = False


class Manned(Intruder):
    """
    A manned truck that drives along the stretch, behind whatever is ahead of it, and stays at its end.

    Its transponder, where it has one that works, says every second where it is.
    """

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        super().__init__(scene, spec)
        self._end_m = self._to_m
        self._speed_mps = spec.amount
        self._transponds = spec.fault == "manned_tracked"
        self._intrusion_id = f"{spec.fault}-{spec.aimed_at}-{spec.at_s:g}".replace(" ", "-")
        self._to_m = min(self._from_m + MANNED_LENGTH_M, self._end_m)
        self._ticks = 0

    def tick(self) -> None:
        """Drive on while the road ahead is free, and say where it is."""
        ahead = self._scene.fleet.rows_on(self._lane_ix, self._to_m, self._to_m + KEEPS_OFF_M)
        drives = self._to_m < self._end_m and not ahead
        if drives:
            step_m = min(self._speed_mps * TICK_S, self._end_m - self._to_m)
            self._from_m, self._to_m = self._from_m + step_m, self._to_m + step_m
        if self._transponds and self._ticks % TRANSPONDER_TICKS == 0:
            lane_id = self._scene.corridor.lanes[self._lane_ix].lane_id
            place = (lane_id, 0.5 * (self._from_m + self._to_m))
            speed_mps = self._speed_mps if drives else 0.0
            request_id = f"{self._intrusion_id}-{self._ticks}"
            self._scene.call(*link.transponder(request_id, self._intrusion_id, place, speed_mps, self._scene.now_ns()))
        self._ticks += 1


class RemovedInPlace:
    """An operator declares a truck removed that still stands where it stood. Nobody can undo that; it is barred."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        assert spec.truck is not None
        self._scene = scene
        self._truck_id = spec.truck

    def begin(self) -> None:
        """Declare it."""
        self._scene.call(*link.remove(f"removed-{self._truck_id}", self._truck_id))

    def tick(self) -> None:
        """It stands there."""

    def end(self) -> None:
        """It still does."""
