"""Slow twin of the avoidance kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from planner.authority import Cause
from planner.braking import a_safe_mps2, even_stop_speed_mps, run_up_speed_mps, service_distance_m, travel_s
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
from planner.oracle.spacing import Holding, Turn, Wall, ground_of, left_of, legs_of, pull_of, service_of, stop_of
from planner.tables import LaneTable, TruckTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What avoidance says of one truck."""

    margin_m: float = inf
    closing_s: float = inf
    advice_mps: float = 0.0
    even_mps: float = 0.0
    overrun: bool = False
    in_doubt: bool = False
    unbraked: bool = False


def _passed_in_s(trucks: TruckTable, way_m: float, row: int) -> float:
    return travel_s(way_m, max(0.0, float(trucks.speed_mps[row])), float(trucks.speed_max_mps[row]), pull_of(trucks, row))


def _left_m(lanes: LaneTable, trucks: TruckTable, zone: int, row: int) -> float:
    tail = ground_of(trucks, row)[0].k
    ways = [
        leg.base_m + float(lanes.part_to_m[p]) - float(trucks.rear_m[row])
        for leg in legs_of(trucks, row)[tail:]
        for p in range(int(lanes.part_start[leg.lane]), int(lanes.part_start[leg.lane + 1]))
        if lanes.part_zone[p] == zone and leg.base_m < float(trucks.end_m[row])
    ]
    return max([0.0, *ways])


def _wish_mps(lanes: LaneTable, trucks: TruckTable, zones: Sequence[Holding], row: int, turn: Turn) -> float:
    if turn.ref < 0 or turn.cause not in {Cause.LEADER, Cause.ZONE}:
        return inf
    bound, nose_m, brake = float(trucks.bound_m[row]), float(trucks.nose_m[row]), service_of(trucks, row, turn.friction)
    lag_s, wish = CLEARING_LAG_S, inf
    if turn.cause == Cause.LEADER:
        then = max(0.0, float(trucks.speed_mps[turn.ref]))
        rest_m = STANDING_MARGIN_M + STOP_MARK_M + bound + service_distance_m(then, REACTION_S, brake)
        wish = then + (turn.gap_m - rest_m) / ADVICE_S
        lag_s += _passed_in_s(trucks, turn.closed_m + STANDING_MARGIN_M - nose_m - turn.gap_m, turn.ref)
    elif zones[turn.ref].row >= 0 and zones[turn.ref].row != row:
        holder = zones[turn.ref].row
        lag_s += _passed_in_s(trucks, _left_m(lanes, trucks, turn.ref, holder), holder)
    if turn.closed_m < inf:
        way_m = turn.end_m - STOP_MARK_M - bound - nose_m
        wish = run_up_speed_mps(way_m, lag_s, float(trucks.speed_max_mps[row]), pull_of(trucks, row), brake)
    return wish


def _even_mps(trucks: TruckTable, row: int, a_safe: float, grade: float) -> float:
    """The speed at which weak brakes or a slippery road cost no more road than sound brakes on a dry one at top speed."""
    sound = a_safe_mps2(float(trucks.brake_guaranteed_mps2[row]), 1.0, FRICTION_DRY, grade)
    if a_safe >= sound:
        return inf
    lags = float(trucks.brake_dead_s[row]), float(trucks.brake_build_up_s[row])
    return even_stop_speed_mps(float(trucks.speed_max_mps[row]), sound, a_safe, *lags)


def slow_assess_conflicts(
    lanes: LaneTable, trucks: TruckTable, walls: Sequence[Wall], zones: Sequence[Holding], turns: Sequence[Turn]
) -> list[Mark]:
    """Margins, closing times, speeds to wish for and trucks to stop."""
    marks = []
    for row, turn in enumerate(turns):
        if not trucks.path_count[row]:
            marks.append(Mark())
            continue
        ground, speed = ground_of(trucks, row), float(trucks.speed_mps[row])
        grade = min(0.0, *(float(lanes.grade_min[leg.lane]) for leg in ground))
        a_safe = left_of(trucks, row, turn.friction, grade)
        stop_m = stop_of(trucks, row, a_safe, grade)
        margin_m = float(trucks.end_m[row]) - (float(trucks.nose_m[row]) + float(trucks.bound_m[row]) + stop_m)
        closing = speed - (max(0.0, float(trucks.speed_mps[turn.leader])) if turn.leader >= 0 else 0.0)
        even = _even_mps(trucks, row, a_safe, grade)
        wish = max(CRAWL_MPS, min(even, _wish_mps(lanes, trucks, zones, row, turn)))
        doubted = any(
            leg.lane == lane
            and owner != row
            and leg.base_m + low < float(trucks.end_m[row])
            and leg.base_m + high > float(trucks.rear_m[row])
            for lane, low, high, owner in walls
            for leg in ground
        )
        marks.append(
            Mark(
                margin_m=margin_m,
                closing_s=max(0.0, turn.gap_m) / closing if closing > SPEED_STANDING_MPS else inf,
                advice_mps=wish if wish < float(trucks.speed_max_mps[row]) else 0.0,
                even_mps=max(CRAWL_MPS, even) if even < float(trucks.speed_max_mps[row]) else 0.0,
                overrun=margin_m < -OVERRUN_M and stop_m > 0.0,
                in_doubt=doubted,
                unbraked=a_safe <= A_SAFE_MIN_MPS2,
            )
        )
    return marks
