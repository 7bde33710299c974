"""
The newest report of every truck, how old it is, and whether to believe it.

A report may move a truck's place and its confirmed rear only after the integrity rules have passed it. What merely came late
or twice is refused and told to the truck; what cannot be true makes the truck *doubted*, and the loop quarantines it. Stamps
are the truck's own clock and are compared with that truck's stamps only; ages are measured here, by when a report arrived.
Nothing in this module ever takes road away from a truck or gives it any but by a rear that moved forward.

A truck that once said a part of it is missing proves no road empty any more, not even when it says later that all is well: what it
lost lies somewhere behind it. Its confirmed rear moves again when a person has looked.

Contact has two halves: a report that was believed, and an answer to our own challenge. The challenge is the tick of the
heartbeat that carried it, so an answer's age needs no table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from fleet.server.columns import FlagColumn, FloatColumn, IntColumn, RowColumn
from fleet.server.facts import Fact, TruckHeld, TruckRemoved, TruckResumed
from fleet.server.inputs import ReportFlag, ReportRow, ReportsHeard
from planner.authority import Verdict
from planner.integrity import Findings, ReportColumns, believe, inspect
from planner.kernels.picture import NEVER, OPINION, WEAKER, Picture, Said, remember_reports
from planner.limits import FRICTION_DRY
from planner.tables import TruckTable

_LADEN: Final = int(ReportFlag.LADEN)
_INTACT: Final = int(ReportFlag.INTACT)
# A truck that came to rest must stay so this long before it counts as standing: brakes release and rock.
STANDING_NS: Final = 500_000_000
# The reason of the hold that keeps a truck which lost a part of itself; while it is in force the rear is frozen.
PARTED: Final = "parted"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Worse:
    """
    What reports say is worse than it was believed: *brakes* of some truck; the road, where a truck (row, friction) has an opinion;
    rows that have *parted*.
    """

    brakes: bool
    opinions: tuple[tuple[int, float], ...]
    parted: Sequence[int]


class Telemetry:
    """
    The picture: place, speed and bound live in the `TruckTable`, the rest here, (capacity,) each.

    heard_ns       when the newest believed report arrived, `NEVER` before the first
    still_ns       when the truck came to rest, `NEVER` while it moves
    answered_tick  tick of our newest challenge that came back
    challenge      the truck's newest challenge, to be carried back
    refused        reports refused since the start
    parted         a part of the truck was missing since a person last looked: its confirmed rear is frozen
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
        self.parted: FlagColumn = np.zeros(count, np.bool_)
        self._any_parted = False
        self.friction = friction
        self._news = 0
        self._opinions: list[tuple[int, float]] = []
        self._picture = Picture(
            heard_ns=self.heard_ns,
            still_ns=self.still_ns,
            answered_tick=self.answered_tick,
            challenge=self.challenge,
            flags=self.flags,
            accepted_epoch=self.accepted_epoch,
            accepted_sequence=self.accepted_sequence,
            battery_wh=self.battery_wh,
            acceleration_mps2=self.acceleration_mps2,
        )

    def apply(self, fact: Fact) -> None:
        """A truck that parted stays so until a person has looked, through restarts too; facts of others pass by."""
        if isinstance(fact, TruckHeld) and fact.reason == PARTED:
            self.parted[fact.row] = self._any_parted = True
        elif isinstance(fact, TruckResumed | TruckRemoved):
            self.parted[fact.row] = False
            self._any_parted = bool(self.parted.any())

    def take_worse(self) -> Worse | None:
        """What is worse than it was since last asked; None, as nearly always, for nothing."""
        if not (self._news or self._any_parted):
            return None
        worse = Worse(
            brakes=bool(self._news & WEAKER), opinions=tuple(self._opinions), parted=self.parted[: self.trucks.count].nonzero()[0].tolist()
        )
        self._news = 0
        self._opinions.clear()
        return worse

    def admit(self, row: int, report: ReportRow, path_m: float, *, proves: bool, now_ns: int) -> None:
        """
        The report of an accepted hello: a new baseline for place, clock and contact.

        It *proves* road behind the truck empty only where the truck is believed: one in quarantine says hello too.
        """
        self.trucks.stamp_ns[row] = report.stamp_ns - 1
        self.trucks.nose_m[row] = path_m
        self.trucks.speed_mps[row] = max(report.speed_mps, 0.0)
        self.heard_ns[row] = now_ns
        self.still_ns[row] = NEVER
        self.answered_tick[row] = NEVER
        self.challenge[row] = 0
        findings = Findings(verdict=np.zeros(1, np.int8), path_m=np.array([path_m]))
        self._believe(_columns_of(row, report), findings, now_ns, tick=0, proves=proves)

    def judge(self, row: int, report: ReportRow) -> Verdict:
        """What a report would come to beside the last one that was believed; nothing moves by it."""
        return Verdict(int(inspect(self.trucks.lanes, self.trucks, _for_planner(_columns_of(row, report))).verdict[0]))

    def take(self, batches: Sequence[ReportsHeard], welcome: FlagColumn, *, tick: int, now_ns: int) -> list[Disbelief]:
        """
        Every report of one tick, in order; the answer is what was not believed.

        *welcome* (capacity,): whose reports count at all. A truck's later report of the same tick is judged after its earlier.
        """
        if not batches:
            return []
        reports = batches[0] if len(batches) == 1 else _joined(batches)
        disbelieved: list[Disbelief] = []
        rows = reports.rows
        if _ascend(rows) and len(rows) and rows[0] >= 0 and rows[-1] < self.trucks.count and _all(welcome):
            self._take_once(reports, disbelieved, tick=tick, now_ns=now_ns)
            return disbelieved
        reports = _at(reports, np.flatnonzero((rows >= 0) & (rows < self.trucks.count)))
        reports = _at(reports, np.flatnonzero(welcome[reports.rows]))
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
        findings = inspect(trucks.lanes, trucks, _for_planner(reports))
        if not np.count_nonzero(findings.verdict):
            self._believe(reports, findings, now_ns, tick=tick)
            return
        believed = findings.verdict == 0
        at = np.flatnonzero(believed)
        self._believe(_at(reports, at), Findings(verdict=findings.verdict[at], path_m=findings.path_m[at]), now_ns, tick=tick)
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

    def _believe(self, reports: ReportsHeard, findings: Findings, now_ns: int, *, tick: int, proves: bool = True) -> None:
        """Lets reports that all were accepted move what they may; rears only where they prove something."""
        believe(self.trucks, _for_planner(reports), findings, self._intact(reports) & proves)
        said = Said(
            rows=reports.rows,
            speed_mps=reports.speed_mps,
            acceleration_mps2=reports.acceleration_mps2,
            battery_wh=reports.battery_wh,
            friction=reports.friction,
            brake_health=reports.brake_health,
            flags=reports.flags,
            accepted_epoch=reports.accepted_epoch,
            accepted_sequence=reports.accepted_sequence,
            challenge=reports.challenge,
            challenge_echo=reports.challenge_echo,
        )
        news = remember_reports(said, now_ns, tick, _LADEN, self.friction, self._picture, self.trucks.columns)
        self._news |= news
        if news & OPINION:
            rows = reports.rows[reports.friction > 0.0]
            self._opinions += zip(rows.tolist(), self.trucks.friction[rows].tolist(), strict=True)

    def _intact(self, reports: ReportsHeard) -> FlagColumn:
        """Whose rear proves road empty, (k,)."""
        intact: FlagColumn = (reports.flags & _INTACT) != 0
        if np.count_nonzero(intact) < len(intact):
            self.parted[reports.rows[~intact]] = True
            self._any_parted = True
        if self._any_parted:
            intact &= ~self.parted[reports.rows]
        return intact


def _for_planner(reports: ReportsHeard) -> ReportColumns:
    return ReportColumns(
        rows=reports.rows,
        stamp_ns=reports.stamp_ns,
        lane_ix=reports.lane_ix,
        chainage_m=reports.chainage_m,
        speed_mps=reports.speed_mps,
        bound_m=reports.bound_m,
    )


def _columns_of(row: int, report: ReportRow) -> ReportsHeard:
    """One report as columns of one."""
    values: dict[str, Any] = {name: np.array([getattr(report, name)], dtype=_DTYPES[name]) for name in _COLUMNS if name != "rows"}
    return ReportsHeard(rows=np.array([row], dtype=np.int32), **values)


def _ascend(rows: RowColumn) -> bool:
    """The usual case: each row once, in order."""
    return not np.count_nonzero(rows[1:] <= rows[:-1])


def _all(flags: FlagColumn) -> bool:
    return bool(np.count_nonzero(flags) == len(flags))


def _firsts(rows: RowColumn) -> IntColumn | None:
    """Where each row comes first; None when none comes twice."""
    first: IntColumn = np.unique(rows, return_index=True)[1]
    return None if len(first) == len(rows) else first


def _joined(batches: Sequence[ReportsHeard]) -> ReportsHeard:
    return ReportsHeard(**{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in _COLUMNS})


def _at(reports: ReportsHeard, at: IntColumn | RowColumn) -> ReportsHeard:
    """The rows *at*, in that order."""
    return ReportsHeard(**{name: getattr(reports, name)[at] for name in _COLUMNS})
