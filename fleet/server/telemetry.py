"""
The newest report of every truck, how old it is, and whether to believe it.

A report may move a truck's place and its confirmed rear only after the integrity rules have passed it. What merely came late
or twice is refused and told to the truck; what cannot be true makes the truck *doubted*, and the loop quarantines it. Stamps
are the truck's own clock and are compared with that truck's stamps only; ages are measured here, by when a report arrived.
Nothing in this module ever takes road away from a truck or gives it any but by a rear that moved forward.

Contact has two halves: a report that was believed, and an answer to our own challenge. The challenge is the tick of the
heartbeat that carried it, so an answer's age needs no table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from fleet.server.columns import FlagColumn, FloatColumn, IntColumn, RowColumn
from fleet.server.inputs import ReportFlag, ReportRow, ReportsHeard
from planner.authority import Verdict
from planner.integrity import ReportColumns, inspect
from planner.limits import FRICTION_DRY, FRICTION_MAX, FRICTION_MIN, SPEED_STANDING_MPS
from planner.tables import TruckTable

# Before every tick and every nanosecond that counts, so that comparisons need no special case.
NEVER: Final = -(1 << 62)
_LADEN: Final = int(ReportFlag.LADEN)
_INTACT: Final = int(ReportFlag.INTACT)
# A truck that came to rest must stay so this long before it counts as standing: brakes release and rock.
STANDING_NS: Final = 500_000_000
_COLUMNS: Final = tuple(entry.name for entry in fields(ReportsHeard))
_DTYPES: Final = {
    entry.name: {"RowColumn": np.int32, "IntColumn": np.int64, "FloatColumn": np.float64}[str(entry.type)] for entry in fields(ReportsHeard)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disbelief:
    """One report that moved nothing. *lane_ix*, *chainage_m*, *bound_m* are what it claimed."""

    row: int
    stamp_ns: int
    verdict: Verdict
    lane_ix: int
    chainage_m: float
    bound_m: float


class Telemetry:
    """
    The picture: place, speed and bound live in the `TruckTable`, the rest here, (capacity,) each.

    heard_ns       when the newest believed report arrived, `NEVER` before the first
    still_ns       when the truck came to rest, `NEVER` while it moves
    answered_tick  tick of our newest challenge that came back
    challenge      the truck's newest challenge, to be carried back
    refused        reports refused since the start
    friction_lane  (m,) lowest friction lately met on each lane
    """

    def __init__(self, trucks: TruckTable, *, friction: float = FRICTION_DRY) -> None:
        count = trucks.capacity
        self.trucks = trucks
        self.heard_ns: IntColumn = np.full(count, NEVER, np.int64)
        self.still_ns: IntColumn = np.full(count, NEVER, np.int64)
        self.answered_tick: IntColumn = np.full(count, NEVER, np.int64)
        self.challenge: IntColumn = np.zeros(count, np.int64)
        self.flags: IntColumn = np.zeros(count, np.int64)
        self.accepted_epoch: IntColumn = np.zeros(count, np.int64)
        self.accepted_sequence: IntColumn = np.zeros(count, np.int64)
        self.battery_wh: FloatColumn = np.zeros(count)
        self.acceleration_mps2: FloatColumn = np.zeros(count)
        self.refused: IntColumn = np.zeros(count, np.int64)
        self.friction_lane: FloatColumn = np.full(trucks.lanes.count, friction)
        self._friction = friction

    def admit(self, row: int, report: ReportRow, path_m: float, *, now_ns: int) -> None:
        """The report of an accepted hello: a new baseline for place, clock and contact."""
        self.trucks.stamp_ns[row] = report.stamp_ns - 1
        self.trucks.nose_m[row] = path_m
        self.trucks.speed_mps[row] = max(report.speed_mps, 0.0)
        self.heard_ns[row] = now_ns
        self.still_ns[row] = NEVER
        self.answered_tick[row] = NEVER
        self.challenge[row] = 0
        self._believe(_columns_of(row, report), np.array([path_m]), now_ns, tick=0)

    def take(self, batches: Sequence[ReportsHeard], welcome: FlagColumn, *, tick: int, now_ns: int) -> list[Disbelief]:
        """
        Every report of one tick, in order; the answer is what was not believed.

        *welcome* (capacity,): whose reports count at all. A truck's later report of the same tick is judged after its earlier.
        """
        if not batches:
            return []
        reports = batches[0] if len(batches) == 1 else _joined(batches)
        rows = reports.rows
        if len(rows) and (rows.min() < 0 or rows.max() >= self.trucks.count):
            reports = _at(reports, np.flatnonzero((rows >= 0) & (rows < self.trucks.count)))
        known = welcome[reports.rows]
        if not known.all():
            reports = _at(reports, np.flatnonzero(known))
        disbelieved: list[Disbelief] = []
        while len(reports.rows):
            first = _firsts(reports.rows)
            if first is None:
                self._take_once(reports, disbelieved, tick=tick, now_ns=now_ns)
                break
            self._take_once(_at(reports, first), disbelieved, tick=tick, now_ns=now_ns)
            reports = _at(reports, np.delete(np.arange(len(reports.rows)), first))
        return disbelieved

    def standing(self, now_ns: int) -> FlagColumn:
        """Which trucks are believed to be at rest, (n,)."""
        still_ns = self.still_ns[: self.trucks.count]
        standing: FlagColumn = (still_ns <= now_ns - STANDING_NS) & (still_ns != NEVER)
        return standing

    def age_ns(self, now_ns: int) -> IntColumn:
        """Nanoseconds since each truck's newest believed report arrived, (n,); -1 where there was none."""
        heard_ns = self.heard_ns[: self.trucks.count]
        return np.where(heard_ns == NEVER, -1, now_ns - heard_ns)

    def flag(self, flag: ReportFlag) -> FlagColumn:
        """One bit of the newest reports, (n,)."""
        raised: FlagColumn = (self.flags[: self.trucks.count] & int(flag)) != 0
        return raised

    def _take_once(self, reports: ReportsHeard, disbelieved: list[Disbelief], *, tick: int, now_ns: int) -> None:
        """Reports of different trucks."""
        trucks = self.trucks
        findings = inspect(
            trucks.lanes,
            trucks,
            ReportColumns(
                rows=reports.rows,
                stamp_ns=reports.stamp_ns,
                lane_ix=reports.lane_ix,
                chainage_m=reports.chainage_m,
                speed_mps=reports.speed_mps,
                bound_m=reports.bound_m,
            ),
        )
        believed = findings.verdict == 0
        if believed.all():
            self._believe(reports, findings.path_m, now_ns, tick=tick)
            return
        at = np.flatnonzero(believed)
        self._believe(_at(reports, at), findings.path_m[at], now_ns, tick=tick)
        for k in np.flatnonzero(~believed).tolist():
            self.refused[reports.rows[k]] += 1
            disbelieved.append(
                Disbelief(
                    row=int(reports.rows[k]),
                    stamp_ns=int(reports.stamp_ns[k]),
                    verdict=Verdict(int(findings.verdict[k])),
                    lane_ix=int(reports.lane_ix[k]),
                    chainage_m=float(reports.chainage_m[k]),
                    bound_m=float(reports.bound_m[k]),
                )
            )

    def _believe(self, reports: ReportsHeard, path_m: FloatColumn, now_ns: int, *, tick: int) -> None:
        trucks, flags, at = self.trucks, reports.flags, _span(reports.rows)
        trucks.stamp_ns[at] = reports.stamp_ns
        trucks.nose_m[at] = path_m
        trucks.speed_mps[at] = reports.speed_mps
        trucks.bound_m[at] = reports.bound_m
        trucks.laden[at] = (flags & _LADEN) != 0
        rear_m = path_m - trucks.length_m[at] - reports.bound_m - trucks.roll_back_m[at]
        lost = (flags & _INTACT) == 0
        if lost.any():
            # With a part of the truck perhaps lost on the road, its rear proves nothing.
            rear_m[lost] = -np.inf
        trucks.rear_m[at] = np.maximum(trucks.rear_m[at], rear_m)
        self.heard_ns[at] = now_ns
        moving = np.abs(reports.speed_mps) >= SPEED_STANDING_MPS
        still_ns = self.still_ns[at]
        self.still_ns[at] = np.where(moving, NEVER, np.where(still_ns == NEVER, now_ns, still_ns))
        self.flags[at] = flags
        self.challenge[at] = reports.challenge
        self.accepted_epoch[at] = reports.accepted_epoch
        self.accepted_sequence[at] = reports.accepted_sequence
        self.battery_wh[at] = reports.battery_wh
        self.acceleration_mps2[at] = reports.acceleration_mps2
        # Zero is no answer, and one from the future is nobody's.
        echo = reports.challenge_echo
        real = (echo > 0) & (echo <= tick)
        self.answered_tick[at] = np.maximum(self.answered_tick[at], np.where(real, echo, NEVER))
        self._note_friction(reports)

    def _note_friction(self, reports: ReportsHeard) -> None:
        """What one truck's wheels have met, the next ones must brake with; the newest opinion about a lane counts."""
        opinion = reports.friction > 0.0
        if not opinion.any():
            return
        said = np.clip(reports.friction, FRICTION_MIN, FRICTION_MAX)
        self.trucks.friction[reports.rows] = np.where(opinion, np.minimum(said, self._friction), self._friction)
        lane_ix, said = reports.lane_ix[opinion], said[opinion]
        self.friction_lane[lane_ix] = self._friction
        np.minimum.at(self.friction_lane, lane_ix, said)


def _columns_of(row: int, report: ReportRow) -> ReportsHeard:
    """One report as columns of one."""
    values: dict[str, Any] = {name: np.array([getattr(report, name)], dtype=_DTYPES[name]) for name in _COLUMNS if name != "rows"}
    return ReportsHeard(rows=np.array([row], dtype=np.int32), **values)


def _span(rows: RowColumn) -> slice | RowColumn:
    """The same rows as a slice where they follow one another: columns move several times faster by slices."""
    if len(rows) > 1 and rows[-1] - rows[0] == len(rows) - 1 and (rows[1:] > rows[:-1]).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _firsts(rows: RowColumn) -> IntColumn | None:
    """Where each row comes first; None when none comes twice. Rows that ascend, the usual case, are not sorted again."""
    if (rows[1:] > rows[:-1]).all():
        return None
    first: IntColumn = np.unique(rows, return_index=True)[1]
    return None if len(first) == len(rows) else first


def _joined(batches: Sequence[ReportsHeard]) -> ReportsHeard:
    return ReportsHeard(**{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in _COLUMNS})


def _at(reports: ReportsHeard, at: IntColumn | RowColumn) -> ReportsHeard:
    """The rows *at*, in that order."""
    return ReportsHeard(**{name: getattr(reports, name)[at] for name in _COLUMNS})
