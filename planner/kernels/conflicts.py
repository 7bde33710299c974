"""
Avoidance on telemetry: what the newest reports say about margins, closing trucks and road that was added by doubt.

Nothing here gives road. It can stop a truck, and it can wish for a speed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from planner._jit import kernel, piece
from planner.braking import a_safe_mps2, even_stop_speed_mps, run_up_speed_mps, service_distance_m, travel_s
from planner.kernels.ground import END, NOBODY, REAR, Holders, Walls
from planner.kernels.integrity import NOSE, SPEED_MAX
from planner.kernels.spacing import (
    BOUND,
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
from planner.kernels.stopping import BRAKE_GUARANTEED, BUILD_UP_S, DEAD_S, SPEED, emergency_m, left_mps2, pull_mps2, service_mps2
from planner.limits import (
    A_SAFE_MIN_MPS2,
    ADVICE_S,
    CLEARING_LAG_S,
    CRAWL_MPS,
    FRICTION_DRY,
    OVERRUN_M,
    REACTION_S,
    SPEED_STANDING_MPS,
    STANDING_MARGIN_M,
    STOP_MARK_M,
)
from planner.tables import BoolArray, FloatArray, Heads, LaneColumns, TruckColumns


class Marks(NamedTuple):
    """
    What avoidance says of each truck, (n,) each.

    margin_m    end held less where the truck would stop in an emergency, from now; negative: past it
    closing_s   time until the ground ahead would be met at the speeds of now; +inf when not closing
    advice_mps  the speed that avoids stop-and-go; 0 for no wish
    even_mps    the speed that makes up for what brakes and grip lack; 0 where they lack nothing
    overrun     it can no longer be inside its authority: stop it
    in_doubt    somebody else's doubted road, or an intruder, lies on its ground: stop it
    unbraked    not enough braking is left to move at all: stop it
    """

    margin_m: FloatArray
    closing_s: FloatArray
    advice_mps: FloatArray
    even_mps: FloatArray
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
def _mark_margin(i: int, friction: float, lanes: LaneColumns, trucks: TruckColumns, heads: Heads, marks: Marks) -> float:
    """
    Mark margin, overrun and too little braking; the answer is the speed at which a stop takes no more road than one from top
    speed with sound brakes on a dry road, +inf for a truck that has both.

    So weak brakes and ice cost speed, and not the road that spacing and sight were laid out for.
    """
    real = trucks.real
    grade = _grade_min(i, lanes, trucks, heads)
    a_safe = left_mps2(i, friction, grade, trucks)
    stop_m = emergency_m(i, a_safe, grade, trucks)
    marks.margin_m[i] = real[END, i] - (real[NOSE, i] + real[BOUND, i] + stop_m)
    marks.unbraked[i] = a_safe <= A_SAFE_MIN_MPS2
    marks.overrun[i] = marks.margin_m[i] < -OVERRUN_M and stop_m > 0.0
    sound = a_safe_mps2(real[BRAKE_GUARANTEED, i], 1.0, FRICTION_DRY, grade)
    if a_safe >= sound:
        return np.inf
    return float(even_stop_speed_mps(real[SPEED_MAX, i], sound, a_safe, real[DEAD_S, i], real[BUILD_UP_S, i]))


@piece
def _passed_in_s(way_m: float, i: int, trucks: TruckColumns) -> float:
    """When *i* will be *way_m* further, if nothing holds it."""
    return float(travel_s(way_m, max(0.0, trucks.real[SPEED, i]), trucks.real[SPEED_MAX, i], pull_mps2(i, trucks)))


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
    brake_mps2 = service_mps2(i, said.real[FRICTION, i], trucks)
    if cause == LEADER:
        then = max(0.0, real[SPEED, ref])
        rest_m = STANDING_MARGIN_M + STOP_MARK_M + real[BOUND, i] + service_distance_m(then, REACTION_S, brake_mps2)
        wish = then + (said.real[GAP_M, i] - rest_m) / ADVICE_S
        lag_s += _passed_in_s(said.real[CLOSED_M, i] + STANDING_MARGIN_M - real[NOSE, i] - said.real[GAP_M, i], ref, trucks)
    elif holders.row[ref] >= 0 and holders.row[ref] != i:
        lag_s += _passed_in_s(_left_m(ref, holders.row[ref], lanes, trucks), holders.row[ref], trucks)
    if said.real[CLOSED_M, i] < np.inf:
        way_m = said.real[END_M, i] - STOP_MARK_M - real[BOUND, i] - real[NOSE, i]
        wish = run_up_speed_mps(way_m, lag_s, real[SPEED_MAX, i], pull_mps2(i, trucks), brake_mps2)
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
        marks.margin_m[i], marks.closing_s[i], marks.advice_mps[i], marks.even_mps[i] = np.inf, np.inf, 0.0, 0.0
        marks.overrun[i], marks.in_doubt[i], marks.unbraked[i] = False, False, False
        if trucks.path_count[i] == 0:
            continue
        even_mps = _mark_margin(i, said.real[FRICTION, i], lanes, trucks, heads, marks)
        ahead = said.whole[LEADER_ROW, i]
        closing_mps = real[SPEED, i] - (max(0.0, real[SPEED, ahead]) if ahead != NOBODY else 0.0)
        if closing_mps > SPEED_STANDING_MPS and said.real[GAP_M, i] < np.inf:
            marks.closing_s[i] = max(0.0, said.real[GAP_M, i]) / closing_mps
        wish = max(CRAWL_MPS, min(even_mps, _advice_mps(i, lanes, trucks, holders, said)))
        if wish < real[SPEED_MAX, i]:
            marks.advice_mps[i] = wish
        if even_mps < real[SPEED_MAX, i]:
            marks.even_mps[i] = max(CRAWL_MPS, even_mps)
    for w in range(len(walls.lane)):
        for i in range(count):
            if i == walls.owner[w] or trucks.path_count[i] == 0:
                continue
            for k in range(trucks.rear_k[i], trucks.end_k[i] + 1):
                base_m = trucks.path_start_m[i, k]
                meets = base_m + walls.from_m[w] < real[END, i] and base_m + walls.to_m[w] > real[REAR, i]
                if trucks.path_lane[i, k] == walls.lane[w] and meets:
                    marks.in_doubt[i] = True
