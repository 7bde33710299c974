"""
How far a truck needs to stop, and what the road under its way gives it for that.

Friction is known by cells of equal length along each lane (`FRICTION_CELL_M`): a patch of ice is a matter of metres and not of a
whole road.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from planner._jit import piece
from planner.braking import a_safe_mps2, pushed_speed_mps, stopping_distance_m
from planner.kernels.ground import REAR
from planner.limits import A_SAFE_MIN_MPS2, FRICTION_CELL_M, SERVICE_SHARE, SPEED_STANDING_MPS
from planner.tables import REAL_COLUMNS, FloatArray, IndexArray, LaneColumns, TruckColumns

SPEED: Final = REAL_COLUMNS.index("speed_mps")
BRAKE_SERVICE: Final = REAL_COLUMNS.index("brake_service_mps2")
BRAKE_GUARANTEED: Final = REAL_COLUMNS.index("brake_guaranteed_mps2")
BRAKE_HEALTH: Final = REAL_COLUMNS.index("brake_health")
DEAD_S: Final = REAL_COLUMNS.index("brake_dead_s")
BUILD_UP_S: Final = REAL_COLUMNS.index("brake_build_up_s")
CUTOFF_S: Final = REAL_COLUMNS.index("traction_cutoff_s")
ACCELERATION_LADEN: Final = REAL_COLUMNS.index("acceleration_laden_mps2")
ACCELERATION_EMPTY: Final = REAL_COLUMNS.index("acceleration_empty_mps2")


class Grip(NamedTuple):
    """
    What is believed of the road. m lanes, c cells.

    cell_start  (m + 1,)  cells of lane l are [cell_start[l], cell_start[l + 1]), in order along the lane
    friction    (c,)
    """

    cell_start: IndexArray
    friction: FloatArray


@piece
def pull_mps2(i: int, trucks: TruckColumns) -> float:
    """What the drive of *i* gives under its load."""
    return float(trucks.real[ACCELERATION_LADEN, i] if trucks.laden[i] else trucks.real[ACCELERATION_EMPTY, i])


@piece
def left_mps2(i: int, friction: float, grade: float, trucks: TruckColumns) -> float:
    """A_safe of *i* with its brakes as they are, on a road of *friction* and *grade*."""
    return float(a_safe_mps2(trucks.real[BRAKE_GUARANTEED, i], trucks.real[BRAKE_HEALTH, i], friction, grade))


@piece
def service_mps2(i: int, friction: float, trucks: TruckColumns) -> float:
    """How hard *i* brakes in normal driving, on a level road of *friction*; never nothing, so that distances stay finite."""
    share_mps2 = SERVICE_SHARE * max(left_mps2(i, friction, 0.0, trucks), A_SAFE_MIN_MPS2)
    return float(min(trucks.real[BRAKE_SERVICE, i], share_mps2))


@piece
def emergency_m(i: int, a_safe: float, grade: float, trucks: TruckColumns) -> float:
    """Metres until *i* stands, braking in emergency from now; none when it stands already."""
    real = trucks.real
    if real[SPEED, i] < SPEED_STANDING_MPS:
        return 0.0
    delay_s = real[DEAD_S, i] + real[BUILD_UP_S, i]
    pushed = pushed_speed_mps(real[SPEED, i], grade, delay_s, pull_mps2(i, trucks), real[CUTOFF_S, i])
    return float(stopping_distance_m(pushed, a_safe, real[DEAD_S, i], real[BUILD_UP_S, i]))


@piece
def worst_road(i: int, to_m: float, grip: Grip, lanes: LaneColumns, trucks: TruckColumns) -> tuple[float, float, int]:
    """
    What the way of *i* from its rear to *to_m* is like: the lowest friction, the lowest grade of its lanes (0 when they only
    climb), and the lane of the lowest friction.
    """
    friction, grade, where = np.inf, 0.0, trucks.path_lane[i, trucks.rear_k[i]]
    for k in range(trucks.rear_k[i], trucks.path_count[i]):
        base_m = trucks.path_start_m[i, k]
        if k > trucks.rear_k[i] and base_m >= to_m:
            break
        lane = trucks.path_lane[i, k]
        grade = min(grade, lanes.grade_min[lane])
        first, last = grip.cell_start[lane], grip.cell_start[lane + 1] - 1
        low = min(last, first + max(0, int((trucks.real[REAR, i] - base_m) / FRICTION_CELL_M)))
        high = min(last, first + max(0, int((to_m - base_m) / FRICTION_CELL_M)))
        for cell in range(low, high + 1):
            if grip.friction[cell] < friction:
                friction, where = grip.friction[cell], lane
    return float(friction), float(grade), int(where)
