"""
Whether a report can be true: the integrity of telemetry, before it may move anything.

A report is held against the truck's own last believed one, against physics, and against the road the truck holds. What is
merely late, repeated or unreadable is *refused*: the next report says the same better. What contradicts the last one is
*doubted*: then nothing the truck says about its place can be believed any more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.authority import Verdict
from planner.kernels.integrity import Last, Reports, believe_reports, inspect_reports
from planner.tables import BoolArray, FloatArray, IndexArray, LaneTable, LongArray, TableFault, TruckTable

__all__ = ["Findings", "LastColumns", "ReportColumns", "Verdict", "believe", "inspect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportColumns:
    """Reports, a truck at most once; (k,) each."""

    rows: IndexArray
    stamp_ns: LongArray
    lane_ix: IndexArray
    chainage_m: FloatArray
    speed_mps: FloatArray
    bound_m: FloatArray

    def columns(self) -> Reports:
        """The same for kernels."""
        return Reports(
            rows=self.rows,
            stamp_ns=self.stamp_ns,
            lane_ix=self.lane_ix,
            chainage_m=self.chainage_m,
            speed_mps=self.speed_mps,
            bound_m=self.bound_m,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LastColumns:
    """What was last believed, by truck row; (n,) each. *stamp_ns* negative: nothing yet."""

    stamp_ns: LongArray
    path_m: FloatArray
    speed_mps: FloatArray
    bound_m: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """(k,) each: a `Verdict`, and the nose's path coordinate, nan where it has none."""

    verdict: NDArray[np.int8]
    path_m: FloatArray


def inspect(lanes: LaneTable, trucks: TruckTable, reports: ReportColumns, last: LastColumns | None = None) -> Findings:
    """
    Judge *reports* one by one; nothing is believed yet. *last* is what *trucks* says unless given.

    Raises:
        TableFault: a report of a row that is not in use.
    """
    if len(reports.rows) and not (reports.rows.min() >= 0 and reports.rows.max() < trucks.count):
        raise TableFault("reports: a row is not in use")
    if last is None:
        believed = Last(stamp_ns=trucks.stamp_ns, path_m=trucks.nose_m, speed_mps=trucks.speed_mps, bound_m=trucks.bound_m)
    else:
        believed = Last(stamp_ns=last.stamp_ns, path_m=last.path_m, speed_mps=last.speed_mps, bound_m=last.bound_m)
    findings = Findings(verdict=np.empty(len(reports.rows), np.int8), path_m=np.empty(len(reports.rows)))
    inspect_reports(reports.columns(), believed, lanes.columns, trucks.columns, findings.verdict, findings.path_m)
    return findings


def believe(trucks: TruckTable, reports: ReportColumns, findings: Findings, intact: BoolArray) -> None:
    """Let the accepted reports move place, speed, bound, stamp and, where *intact* (k,), the confirmed rear of *trucks*."""
    believe_reports(reports.columns(), findings.verdict, findings.path_m, intact, trucks.columns)
