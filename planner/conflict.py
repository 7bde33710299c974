"""
The avoidance loop: what the newest reports say about each truck, and what to do about it at once.

It works on the same ground and zones as spacing, after it, and can only make a decision more cautious: it stops trucks and wishes
for speeds, it never gives road. `conflict_tick` runs the whole chain, from reports to wishes, in one call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.integrity import Findings, ReportColumns, believe, inspect
from planner.kernels.conflicts import Marks, assess_conflicts
from planner.spacing import ExtendRequest, Extension, extend
from planner.tables import BoolArray, FloatArray, LaneTable, TruckTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What avoidance says of each truck, (n,) each."""

    margin_m: FloatArray  # end held less where an emergency stop would end; +inf without a path
    closing_s: FloatArray  # until the ground ahead is met at the speeds of now; +inf when not closing
    advised_speed_mps: FloatArray  # avoids stop-and-go; 0 for no wish
    overrun: BoolArray  # cannot be inside its authority any more: stop it
    in_doubt: BoolArray  # doubted road or an intruder on its ground: stop it
    unbraked: BoolArray  # too little braking left to move: stop it

    @property
    def stop(self) -> BoolArray:
        """Trucks to stop at once, (n,)."""
        return self.overrun | self.in_doubt | self.unbraked


def assess(lanes: LaneTable, trucks: TruckTable, request: ExtendRequest, extension: Extension) -> Assessment:
    """Look at the tick that *extension* answers *request* in, before its ends are taken over. Nothing is written to *trucks*."""
    n = trucks.count
    real, flags = np.empty((4, n)), np.empty((3, n), np.bool_)
    marks = Marks(
        margin_m=real[0],
        closing_s=real[1],
        advice_mps=real[2],
        even_mps=real[3],
        overrun=flags[0],
        in_doubt=flags[1],
        unbraked=flags[2],
    )
    assess_conflicts(n, lanes.columns, trucks.columns, request.walls, trucks.heads, extension.holders, extension.answers, marks)
    if request.pressed is not None and np.count_nonzero(request.pressed):
        marks.advice_mps[request.pressed] = marks.even_mps[request.pressed]
    return Assessment(
        margin_m=marks.margin_m,
        closing_s=marks.closing_s,
        advised_speed_mps=marks.advice_mps,
        overrun=marks.overrun,
        in_doubt=marks.in_doubt,
        unbraked=marks.unbraked,
    )


def conflict_tick(
    lanes: LaneTable, trucks: TruckTable, reports: ReportColumns, intact: BoolArray, request: ExtendRequest
) -> tuple[Findings, Extension, Assessment]:
    """
    One full avoidance tick: integrity, gaps, conflicts, zones, spacing, advice.

    Believed reports move *trucks*; ends of authority are answered and not written.
    """
    findings = inspect(lanes, trucks, reports)
    believe(trucks, reports, findings, intact)
    extension = extend(lanes, trucks, request)
    return findings, extension, assess(lanes, trucks, request, extension)
