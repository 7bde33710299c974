"""Slow twin of fixed blocks: sets and lists, from scratch."""

from __future__ import annotations

from dataclasses import dataclass, field

from planner.braking import a_safe_mps2, service_distance_m
from planner.limits import (
    A_SAFE_MIN_MPS2,
    HORIZON_EXTRA_M,
    HORIZON_HOLD_S,
    NO_STOP_BEFORE_M,
    REACTION_S,
    SAME_PLACE_M,
    SERVICE_SHARE,
    STOP_MARK_M,
)
from planner.tables import LaneTable, TruckTable

NOBODY = -1
INF = float("inf")


@dataclass(kw_only=True)
class SlowBlocks:
    """The question; *pieces* of each lane are (end chainage, block)."""

    lanes: LaneTable
    trucks: TruckTable
    pieces: list[list[tuple[float, int]]]
    may_extend: list[bool]
    limit_m: list[float]
    since: list[int]
    block_row: dict[int, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class SlowLimit:
    """One truck's answer."""

    limit_m: float = INF
    holder: int = NOBODY
    refused: bool = False


def _along(asked: SlowBlocks, row: int) -> list[tuple[float, float, int]]:
    """Pieces on a truck's path: (from, to, block), path coordinates."""
    trucks = asked.trucks
    found: list[tuple[float, float, int]] = []
    for k in range(int(trucks.path_count[row])):
        base_m = float(trucks.path_start_m[row, k])
        from_m = base_m
        for to_m, block in asked.pieces[int(trucks.path_lane[row, k])]:
            found.append((from_m, base_m + to_m, block))
            from_m = base_m + to_m
    return found


def _reach_m(asked: SlowBlocks, row: int) -> float:
    """How far the truck may want to go, chains of no-stop stretches that begin before that included."""
    lanes, trucks = asked.lanes, asked.trucks
    speed = float(trucks.speed_max_mps[row])
    left = a_safe_mps2(float(trucks.brake_guaranteed_mps2[row]), float(trucks.brake_health[row]), float(trucks.friction[row]), 0.0)
    braking_m = service_distance_m(
        speed, REACTION_S, min(float(trucks.brake_service_mps2[row]), SERVICE_SHARE * max(left, A_SAFE_MIN_MPS2))
    )
    free_m = float(trucks.nose_m[row] + trucks.bound_m[row]) + STOP_MARK_M + braking_m + speed * HORIZON_HOLD_S + HORIZON_EXTRA_M
    reach_m = min(free_m, asked.limit_m[row])
    for k in range(int(trucks.path_count[row])):
        lane, base_m = int(trucks.path_lane[row, k]), float(trucks.path_start_m[row, k])
        for stop in range(int(lanes.stop_start[lane]), int(lanes.stop_start[lane + 1])):
            to_m = base_m + float(lanes.stop_to_m[stop]) + float(trucks.beyond_m[row])
            if to_m > trucks.end_m[row] and base_m + float(lanes.stop_from_m[stop]) - NO_STOP_BEFORE_M < reach_m:
                reach_m = min(max(reach_m, to_m), asked.limit_m[row])
    return reach_m


def _turn(asked: SlowBlocks, row: int) -> SlowLimit:
    end_m = float(asked.trucks.end_m[row])
    reach_m = _reach_m(asked, row)
    for from_m, _, block in _along(asked, row):
        if from_m < end_m - SAME_PLACE_M:
            continue
        if from_m >= reach_m:
            return SlowLimit(limit_m=max(end_m, from_m))
        holder = asked.block_row.get(block, NOBODY)
        if holder not in {NOBODY, row}:
            return SlowLimit(limit_m=max(end_m, from_m), holder=holder, refused=True)
        asked.block_row[block] = row
    return SlowLimit()


def slow_hold_to_blocks(asked: SlowBlocks) -> list[SlowLimit]:
    """How far blocks let each truck's end go; *asked.block_row* is left as it is after all turns."""
    trucks = asked.trucks
    rows = range(trucks.count)
    asked.block_row = {}
    for row in rows:
        rear_m, end_m = float(trucks.rear_m[row]), float(trucks.end_m[row]) - SAME_PLACE_M
        for from_m, to_m, block in _along(asked, row):
            if to_m > rear_m and from_m < end_m:
                asked.block_row.setdefault(block, row)
    limits = [SlowLimit(refused=asked.since[row] > 0 and not asked.may_extend[row]) for row in rows]
    waiting = sorted((row for row in rows if asked.since[row] > 0), key=lambda row: (asked.since[row], row))
    for row in (*waiting, *(row for row in rows if row not in waiting)):
        if asked.may_extend[row]:
            limits[row] = _turn(asked, row)
    return limits
