"""Slow twins of the integrity kernels: one report at a time, each rule a line."""

from __future__ import annotations

from math import isfinite, nan
from typing import NamedTuple

from planner.authority import Verdict
from planner.limits import ACCELERATION_MAX_MPS2, BOUND_STOP_M, FROZEN_SPEED_MPS, FROZEN_STEP_M, OVERSPEED, STEP_MARGIN_M
from planner.tables import LaneTable, TruckTable


class OneReport(NamedTuple):
    """A report of one truck."""

    row: int
    stamp_ns: int
    lane_ix: int
    chainage_m: float
    speed_mps: float
    bound_m: float


def slow_inspect_reports(lanes: LaneTable, trucks: TruckTable, report: OneReport) -> tuple[Verdict, float]:
    """The verdict on one report, and the nose's path coordinate (nan for none)."""
    row = report.row
    if not all(isfinite(value) for value in (report.chainage_m, report.speed_mps, report.bound_m)) or report.bound_m < 0.0:
        return Verdict.NOT_FINITE, nan
    known = 0 <= report.lane_ix < lanes.count
    on_lane = known and -STEP_MARGIN_M <= report.chainage_m <= float(lanes.length_m[report.lane_ix]) + STEP_MARGIN_M
    path_m = trucks.locate(row, report.lane_ix, report.chainage_m) if on_lane else nan
    elapsed_s = (report.stamp_ns - int(trucks.stamp_ns[row])) * 1e-9
    bounds_m = report.bound_m + float(trucks.bound_m[row])
    step_m = path_m - float(trucks.nose_m[row])
    mean_mps = 0.5 * (report.speed_mps + float(trucks.speed_mps[row]))
    slack_m = bounds_m + STEP_MARGIN_M + ACCELERATION_MAX_MPS2 * elapsed_s * elapsed_s / 4.0
    rules = (
        (Verdict.STAMP_NOT_RISING, elapsed_s <= 0.0),
        (Verdict.LANE_UNKNOWN, not on_lane),
        (Verdict.OFF_PATH, path_m != path_m),  # noqa: PLR0124 - nan is the one number unlike itself
        (Verdict.JUMPED_AHEAD, step_m > float(trucks.speed_max_mps[row]) * elapsed_s * OVERSPEED + STEP_MARGIN_M + bounds_m),
        (Verdict.JUMPED_BACK, step_m < -(float(trucks.roll_back_m[row]) + bounds_m)),
        (Verdict.OUTSIDE_BOUND, path_m + report.bound_m + STEP_MARGIN_M < float(trucks.rear_m[row]) + float(trucks.length_m[row])),
        (Verdict.ODOMETRY_DISAGREES, abs(step_m - mean_mps * elapsed_s) > slack_m),
        (Verdict.BEYOND_AUTHORITY, path_m > float(trucks.end_m[row]) + STEP_MARGIN_M),
        (Verdict.FROZEN, step_m == 0.0 and report.speed_mps > FROZEN_SPEED_MPS and report.speed_mps * elapsed_s > FROZEN_STEP_M),
        (Verdict.UNSURE, report.bound_m > BOUND_STOP_M),
    )
    return next((verdict for verdict, broken in rules if broken), Verdict.ACCEPTED), path_m


def slow_believe_reports(trucks: TruckTable, report: OneReport, verdict: Verdict, path_m: float, *, intact: bool) -> None:
    """Let one report move what it may."""
    if verdict is not Verdict.ACCEPTED:
        return
    row = report.row
    trucks.stamp_ns[row] = report.stamp_ns
    trucks.nose_m[row], trucks.speed_mps[row], trucks.bound_m[row] = path_m, report.speed_mps, report.bound_m
    rear_m = path_m - float(trucks.length_m[row]) - report.bound_m - float(trucks.roll_back_m[row])
    if intact and rear_m > float(trucks.rear_m[row]):
        trucks.rear_m[row] = rear_m
