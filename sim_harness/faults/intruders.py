"""Who is on the road and should not be: people, animals, manned trucks. Trucks see them by their own sensors."""

from __future__ import annotations

import math
from typing import Final

from sim_harness.faults.scene import Scene
from sim_harness.faults.spec import FaultSpec
from sim_harness.fleet_columns import FleetColumns

# How far ahead along its own path a truck's sensors see (assumed: lidar on a fenced road, by night and in dust).
SIGHT_M: Final = 60.0


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
    """Somebody on a stretch of road, who may move along it; every truck near enough sees him."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        assert spec.lane is not None
        assert spec.from_m is not None
        assert spec.to_m is not None
        self._scene = scene
        self._lane_ix = scene.corridor.lane_ix[spec.lane]
        self._from_m, self._to_m = spec.from_m, spec.to_m
        self._length_m = spec.to_m - spec.from_m
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

    def _be_seen(self) -> None:
        fleet = self._scene.fleet
        for row in range(len(fleet.roster.truck_ids)):
            ahead_m = metres_ahead(fleet, row, self._lane_ix, self._from_m, self._to_m)
            if ahead_m < SIGHT_M:
                self._seen_by.add(row)
                fleet.belief.obstacle_m[row] = ahead_m
                fleet.onboard.same[row] = False
            elif row in self._seen_by and fleet.belief.obstacle_m[row] != math.inf:
                fleet.belief.obstacle_m[row] = math.inf
                fleet.onboard.same[row] = False
