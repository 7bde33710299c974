"""
Avoidance on telemetry: what the newest reports say about margins, closing trucks and road that was added by doubt.

Nothing here gives road. It can stop a truck, and it can wish for a speed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from planner._jit import kernel, piece
from planner.braking import a_safe_mps2, pushed_speed_mps, run_up_speed_mps, service_distance_m, stopping_distance_m, travel_s
from planner.kernels.ground import END, NOBODY, REAR, Holders, Walls
from planner.kernels.integrity import NOSE, SPEED, SPEED_MAX
from planner.kernels.spacing import (
    BOUND,
    BRAKE_SERVICE,
    CAUSE,
    CLOSED_M,
    END_M,
    FRICTION,
    GAP_M,
    LEADER,
    LEADER_ROW,
    REF,
    ZONE,
    Answers,
)
from planner.limits import (
    A_SAFE_MIN_MPS2,
    ADVICE_S,
    CLEARING_LAG_S,
    CRAWL_MPS,
    OVERRUN_M,
    REACTION_S,
    SPEED_STANDING_MPS,
    STANDING_MARGIN_M,
    STOP_MARK_M,
)
from planner.tables import REAL_COLUMNS, BoolArray, FloatArray, Heads, LaneColumns, TruckColumns

BRAKE_GUARANTEED: Final = REAL_COLUMNS.index("brake_guaranteed_mps2")
BRAKE_HEALTH: Final = REAL_COLUMNS.index("brake_health")
DEAD_S: Final = REAL_COLUMNS.index("brake_dead_s")
BUILD_UP_S: Final = REAL_COLUMNS.index("brake_build_up_s")
CUTOFF_S: Final = REAL_COLUMNS.index("traction_cutoff_s")
ACCELERATION_LADEN: Final = REAL_COLUMNS.index("acceleration_laden_mps2")
ACCELERATION_EMPTY: Final = REAL_COLUMNS.index("acceleration_empty_mps2")


class Marks(NamedTuple):
    """
    What avoidance says of each truck, (n,) each.

    margin_m    end held less where the truck would stop in an emergency, from now; negative: past it
    closing_s   time until the ground ahead would be met at the speeds of now; +inf when not closing
    advice_mps  the speed that avoids stop-and-go; 0 for no wish
    overrun     it can no longer be inside its authority: stop it
    in_doubt    somebody else's doubted road, or an intruder, lies on its ground: stop it
    unbraked    not enough braking is left to move at all: stop it
    """

    margin_m: FloatArray
    closing_s: FloatArray
    advice_mps: FloatArray
    overrun: BoolArray
    in_doubt: BoolArray
    unbraked: BoolArray


@piece
def _grade_min(i: int, lanes: LaneColumns, trucks: TruckColumns, heads: Heads) -> float:
    """Steepest downhill on the lanes under the ground of *i*."""
    grade = min(0.0, lanes.grade_min[heads.rear_lane[i]])
    for k in range(trucks.rear_k[i] + 1, trucks.end_k[i] + 1):
        grade = min(grade, lanes.grade_min[trucks.path_lane[i, k]])
    return float(grade)


@piece
def _pull_mps2(i: int, trucks: TruckColumns) -> float:
    return float(trucks.real[ACCELERATION_LADEN, i] if trucks.laden[i] else trucks.real[ACCELERATION_EMPTY, i])


@piece
def _mark_margin(i: int, friction: float, lanes: LaneColumns, trucks: TruckColumns, heads: Heads, marks: Marks) -> None:
    real = trucks.real
    grade = _grade_min(i, lanes, trucks, heads)
    a_safe = a_safe_mps2(real[BRAKE_GUARANTEED, i], real[BRAKE_HEALTH, i], friction, grade)
    delay_s = real[DEAD_S, i] + real[BUILD_UP_S, i]
    pushed = pushed_speed_mps(real[SPEED, i], grade, delay_s, _pull_mps2(i, trucks), real[CUTOFF_S, i])
    if real[SPEED, i] < SPEED_STANDING_MPS:
        pushed = 0.0
    stop_m = stopping_distance_m(pushed, a_safe, real[DEAD_S, i], real[BUILD_UP_S, i])
    marks.margin_m[i] = real[END, i] - (real[NOSE, i] + real[BOUND, i] + stop_m)
    marks.unbraked[i] = a_safe <= A_SAFE_MIN_MPS2
    marks.overrun[i] = marks.margin_m[i] < -OVERRUN_M and pushed > 0.0


@piece
def _passed_in_s(way_m: float, i: int, trucks: TruckColumns) -> float:
    """When *i* will be *way_m* further, if nothing holds it."""
    return float(travel_s(way_m, max(0.0, trucks.real[SPEED, i]), trucks.real[SPEED_MAX, i], _pull_mps2(i, trucks)))


@piece
def _left_m(zone: int, i: int, lanes: LaneColumns, trucks: TruckColumns) -> float:
    """How far *i* still has to go until its rear has left *zone*."""
    left_m = 0.0
    for k in range(trucks.rear_k[i], trucks.path_count[i]):
        base_m = trucks.path_start_m[i, k]
        if base_m >= trucks.real[END, i]:
            break
        lane = trucks.path_lane[i, k]
        for p in range(lanes.part_start[lane], lanes.part_start[lane + 1]):
            if lanes.part_zone[p] == zone:
                left_m = max(left_m, base_m + lanes.part_to_m[p] - trucks.real[REAR, i])
    return left_m


@piece
def _advice_mps(i: int, lanes: LaneColumns, trucks: TruckColumns, holders: Holders, said: Answers) -> float:
    """
    The speed that lets the reason of waiting pass before the truck must brake for it; +inf for no wish.

    Before a closed chain: held back so far that it meets the opening at speed, with room to brake should the way not open. A
    queue that creeps up to the line and starts from rest there loses a quarter of the zone's capacity. Behind a leader: its
    speed, and a little more while the gap is wide.
    """
    real = trucks.real
    cause, ref = said.whole[CAUSE, i], said.whole[REF, i]
    if ref == NOBODY or (cause != LEADER and cause != ZONE):  # noqa: PLR1714 - numba has no `in` for mixed widths
        return np.inf
    lag_s, wish = CLEARING_LAG_S, np.inf
    if cause == LEADER:
        then = max(0.0, real[SPEED, ref])
        rest_m = STANDING_MARGIN_M + STOP_MARK_M + real[BOUND, i] + service_distance_m(then, REACTION_S, real[BRAKE_SERVICE, i])
        wish = then + (said.real[GAP_M, i] - rest_m) / ADVICE_S
        lag_s += _passed_in_s(said.real[CLOSED_M, i] + STANDING_MARGIN_M - real[NOSE, i] - said.real[GAP_M, i], ref, trucks)
    elif holders.row[ref] >= 0 and holders.row[ref] != i:
        lag_s += _passed_in_s(_left_m(ref, holders.row[ref], lanes, trucks), holders.row[ref], trucks)
    if said.real[CLOSED_M, i] < np.inf:
        way_m = said.real[END_M, i] - STOP_MARK_M - real[BOUND, i] - real[NOSE, i]
        wish = run_up_speed_mps(way_m, lag_s, real[SPEED_MAX, i], _pull_mps2(i, trucks), real[BRAKE_SERVICE, i])
    return float(wish)


@kernel
def assess_conflicts(
    count: int, lanes: LaneColumns, trucks: TruckColumns, walls: Walls, heads: Heads, holders: Holders, said: Answers, marks: Marks
) -> None:
    """
    Margins, closing times, speeds to wish for and trucks to stop.

    trucks   *rear_k* and *end_k*, as well as *heads*, as `order_rears` leaves them
    holders  as `extend_ends` leaves them
    said     what `extend_ends` answered in this tick
    marks    written; a truck without a path has infinite margin and no wish
    """
    real = trucks.real
    for i in range(count):
        marks.margin_m[i], marks.closing_s[i], marks.advice_mps[i] = np.inf, np.inf, 0.0
        marks.overrun[i], marks.in_doubt[i], marks.unbraked[i] = False, False, False
        if trucks.path_count[i] == 0:
            continue
        _mark_margin(i, said.real[FRICTION, i], lanes, trucks, heads, marks)
        ahead = said.whole[LEADER_ROW, i]
        closing_mps = real[SPEED, i] - (max(0.0, real[SPEED, ahead]) if ahead != NOBODY else 0.0)
        if closing_mps > SPEED_STANDING_MPS and said.real[GAP_M, i] < np.inf:
            marks.closing_s[i] = max(0.0, said.real[GAP_M, i]) / closing_mps
        wish = max(CRAWL_MPS, _advice_mps(i, lanes, trucks, holders, said))
        if wish < real[SPEED_MAX, i]:
            marks.advice_mps[i] = wish
    for w in range(len(walls.lane)):
        for i in range(count):
            if i == walls.owner[w] or trucks.path_count[i] == 0:
                continue
            for k in range(trucks.rear_k[i], trucks.end_k[i] + 1):
                base_m = trucks.path_start_m[i, k]
                meets = base_m + walls.from_m[w] < real[END, i] and base_m + walls.to_m[w] > real[REAR, i]
                if trucks.path_lane[i, k] == walls.lane[w] and meets:
                    marks.in_doubt[i] = True
