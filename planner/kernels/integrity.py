"""Whether reports can be true, and what a believed one moves."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner._jit import kernel, piece
from planner.authority import Verdict
from planner.kernels.ground import END, REAR
from planner.limits import ACCELERATION_MAX_MPS2, BOUND_STOP_M, FROZEN_SPEED_MPS, FROZEN_STEP_M, OVERSPEED, STEP_MARGIN_M
from planner.tables import REAL_COLUMNS, BoolArray, FloatArray, IndexArray, LaneColumns, LongArray, TruckColumns

NOSE: Final = REAL_COLUMNS.index("nose_m")
SPEED: Final = REAL_COLUMNS.index("speed_mps")
BOUND: Final = REAL_COLUMNS.index("bound_m")
LENGTH: Final = REAL_COLUMNS.index("length_m")
ROLL_BACK: Final = REAL_COLUMNS.index("roll_back_m")
SPEED_MAX: Final = REAL_COLUMNS.index("speed_max_mps")

ACCEPTED: Final = int(Verdict.ACCEPTED)
STAMP_NOT_RISING: Final = int(Verdict.STAMP_NOT_RISING)
NOT_FINITE: Final = int(Verdict.NOT_FINITE)
LANE_UNKNOWN: Final = int(Verdict.LANE_UNKNOWN)
OFF_PATH: Final = int(Verdict.OFF_PATH)
JUMPED_AHEAD: Final = int(Verdict.JUMPED_AHEAD)
JUMPED_BACK: Final = int(Verdict.JUMPED_BACK)
OUTSIDE_BOUND: Final = int(Verdict.OUTSIDE_BOUND)
BEYOND_AUTHORITY: Final = int(Verdict.BEYOND_AUTHORITY)
ODOMETRY_DISAGREES: Final = int(Verdict.ODOMETRY_DISAGREES)
FROZEN: Final = int(Verdict.FROZEN)
UNSURE: Final = int(Verdict.UNSURE)

NS: Final = 1e-9


class Reports(NamedTuple):
    """Reports, a truck at most once; (k,) each."""

    rows: IndexArray
    stamp_ns: LongArray
    lane_ix: IndexArray
    chainage_m: FloatArray
    speed_mps: FloatArray
    bound_m: FloatArray


class Last(NamedTuple):
    """What was last believed, by truck row; (n,) each."""

    stamp_ns: LongArray
    path_m: FloatArray
    speed_mps: FloatArray
    bound_m: FloatArray


@piece
def _path_index(i: int, lane: int, trucks: TruckColumns) -> int:
    """Index of *lane* in the path of *i*, looked for from where its nose was last; -1 when it is not there."""
    count = trucks.path_count[i]
    hint = min(max(trucks.nose_k[i], 0), max(count - 1, 0))
    for k in range(hint, count):
        if trucks.path_lane[i, k] == lane:
            return k
    for k in range(hint - 1, -1, -1):
        if trucks.path_lane[i, k] == lane:
            return k
    return -1


@piece
def _contradiction(  # noqa: PLR0911 - a list of rules; the first one broken answers
    i: int, path_m: float, elapsed_s: float, speed: float, bound: float, last: Last, trucks: TruckColumns
) -> int:
    """What a report at *path_m* contradicts of what is believed of row *i*."""
    real = trucks.real
    bounds_m = bound + last.bound_m[i]
    step_m = path_m - last.path_m[i]
    if step_m > real[SPEED_MAX, i] * elapsed_s * OVERSPEED + STEP_MARGIN_M + bounds_m:
        return JUMPED_AHEAD
    if step_m < -(real[ROLL_BACK, i] + bounds_m):
        return JUMPED_BACK
    # The truck's rear never lies behind its confirmed rear: with its whole bound the nose must be at least a length ahead of it.
    if path_m + bound + STEP_MARGIN_M < real[REAR, i] + real[LENGTH, i]:
        return OUTSIDE_BOUND
    # Two ends of a speed profile leave at most this much between the mean and the truth.
    slack_m = bounds_m + STEP_MARGIN_M + ACCELERATION_MAX_MPS2 * elapsed_s * elapsed_s / 4.0
    if abs(step_m - 0.5 * (speed + last.speed_mps[i]) * elapsed_s) > slack_m:
        return ODOMETRY_DISAGREES
    if path_m > real[END, i] + STEP_MARGIN_M:
        return BEYOND_AUTHORITY
    if step_m == 0.0 and speed > FROZEN_SPEED_MPS and speed * elapsed_s > FROZEN_STEP_M:
        return FROZEN
    return UNSURE if bound > BOUND_STOP_M else ACCEPTED


@kernel
def inspect_reports(
    reports: Reports, last: Last, lanes: LaneColumns, trucks: TruckColumns, out_verdict: NDArray[np.int8], out_path_m: FloatArray
) -> None:
    """
    Judge each report by itself.

    reports      rows must be valid; every other number may be anything
    trucks       *nose_k* is a hint and is refreshed where a report's lane was found
    out_verdict  (k,)
    out_path_m   (k,) path coordinate of the nose, nan where it has none
    """
    for at in range(len(reports.rows)):
        i = reports.rows[at]
        lane, chainage_m = reports.lane_ix[at], reports.chainage_m[at]
        speed, bound = reports.speed_mps[at], reports.bound_m[at]
        out_path_m[at] = np.nan
        elapsed_s = (reports.stamp_ns[at] - last.stamp_ns[i]) * NS
        if not (np.isfinite(chainage_m) and np.isfinite(speed) and np.isfinite(bound) and bound >= 0.0):
            out_verdict[at] = NOT_FINITE
            continue
        known = 0 <= lane < len(lanes.length_m)
        on_lane = known and -STEP_MARGIN_M <= chainage_m <= lanes.length_m[lane] + STEP_MARGIN_M
        k = _path_index(i, lane, trucks) if on_lane else -1
        if k >= 0:
            trucks.nose_k[i] = k
            out_path_m[at] = trucks.path_start_m[i, k] + chainage_m
        if elapsed_s <= 0.0:
            out_verdict[at] = STAMP_NOT_RISING
        elif not on_lane:
            out_verdict[at] = LANE_UNKNOWN
        elif k < 0:
            out_verdict[at] = OFF_PATH
        else:
            out_verdict[at] = _contradiction(i, out_path_m[at], elapsed_s, speed, bound, last, trucks)


@kernel
def believe_reports(reports: Reports, verdict: NDArray[np.int8], path_m: FloatArray, intact: BoolArray, trucks: TruckColumns) -> None:
    """
    Move what accepted reports may move: place, speed, bound, stamp and the confirmed rear.

    verdict, path_m  (k,) as `inspect_reports` leaves them
    intact           (k,) trailer and boxes proven attached; otherwise the rear stays where it was
    trucks           written; a confirmed rear only moves forward
    """
    real = trucks.real
    for at in range(len(reports.rows)):
        if verdict[at] != ACCEPTED:
            continue
        i = reports.rows[at]
        trucks.stamp_ns[i] = reports.stamp_ns[at]
        real[NOSE, i] = path_m[at]
        real[SPEED, i] = reports.speed_mps[at]
        real[BOUND, i] = reports.bound_m[at]
        if intact[at]:
            real[REAR, i] = max(real[REAR, i], path_m[at] - real[LENGTH, i] - reports.bound_m[at] - real[ROLL_BACK, i])
