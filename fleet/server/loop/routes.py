"""
A truck's path as the segments it is told: cut wherever the limit, the grade or the ban on stopping changes.

A truck supervises itself on these alone, so nothing may be smoothed away. Each lane is cut once; a route is its lanes' pieces
in a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleet.server.columns import FlagColumn, FloatColumn, RowColumn
from fleet.server.facts import Fact, LaneLimited, RouteSent
from fleet.server.outgoing import RouteOut
from planner.tables import LaneTable, TruckTable


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pieces:
    """One lane, cut; (k,) each, the pieces touch and cover the lane."""

    from_m: FloatColumn
    to_m: FloatColumn
    grade: FloatColumn
    no_stop: FlagColumn


class Routes:
    """
    Makes routes, under the speed limits now in force.

    limit_mps  (m,) temporary limit of each lane, +inf for none
    """

    def __init__(self, trucks: TruckTable) -> None:
        self._trucks = trucks
        self._limits: dict[int, LaneLimited] = {}
        self._pieces: dict[int, _Pieces] = {}
        self.limit_mps: FloatColumn = np.full(trucks.lanes.count, np.inf)

    def apply(self, fact: Fact) -> None:
        """Takes note of a temporary limit; facts of others pass by."""
        if not isinstance(fact, LaneLimited):
            return
        if fact.speed_limit_mps > 0.0:
            self._limits[fact.lane_ix] = fact
            self.limit_mps[fact.lane_ix] = fact.speed_limit_mps
        else:
            self._limits.pop(fact.lane_ix, None)
            self.limit_mps[fact.lane_ix] = np.inf

    def facts(self) -> list[Fact]:
        """The limits in force, in a snapshot."""
        return list(self._limits.values())

    def touched_by(self, lane_ix: int) -> RowColumn:
        """Rows whose path from their rear on runs over *lane_ix*."""
        trucks = self._trucks
        count = trucks.count
        deepest = max(int(trucks.path_count[:count].max(initial=0)), 1)
        on_lane = trucks.path_lane[:count, :deepest] == lane_ix
        ahead = trucks.path_start_m[:count, 1 : deepest + 1] > trucks.rear_m[:count, None]
        return np.flatnonzero((on_lane & ahead).any(axis=1)).astype(np.int32)

    def route(self, sent: RouteSent) -> RouteOut:
        """The path of the row from the lane of its confirmed rear on, as it is to be told under this term."""
        trucks, row = self._trucks, sent.row
        first = trucks.k_at(row, float(trucks.rear_m[row]))
        lanes = trucks.path(row)[first:]
        pieces = [self._cut(lane) for lane in lanes]
        lane_ix = np.repeat(np.array(lanes, np.int32), [len(piece.from_m) for piece in pieces])
        return RouteOut(
            row=row,
            epoch=sent.epoch,
            sequence=sent.sequence,
            lane_ix=lane_ix,
            start_m=np.concatenate([piece.from_m for piece in pieces]),
            end_m=np.concatenate([piece.to_m for piece in pieces]),
            speed_max_mps=np.minimum(trucks.lanes.speed_max_mps, self.limit_mps)[lane_ix],
            grade=np.concatenate([piece.grade for piece in pieces]),
            no_stop=np.concatenate([piece.no_stop for piece in pieces]),
        )

    def _cut(self, lane: int) -> _Pieces:
        known = self._pieces.get(lane)
        if known is None:
            known = self._pieces[lane] = _cut(self._trucks.lanes, lane)
        return known


def _cut(lanes: LaneTable, lane: int) -> _Pieces:
    """One lane, cut where its grade or its ban on stopping changes."""
    length_m = float(lanes.length_m[lane])
    graded = slice(int(lanes.grade_start[lane]), int(lanes.grade_start[lane + 1]))
    banned = slice(int(lanes.stop_start[lane]), int(lanes.stop_start[lane + 1]))
    cuts = np.concatenate([[0.0, length_m], lanes.grade_from_m[graded], lanes.stop_from_m[banned], lanes.stop_to_m[banned]])
    cuts = np.unique(np.clip(cuts, 0.0, length_m))
    from_m, to_m = cuts[:-1], cuts[1:]
    mid_m = 0.5 * (from_m + to_m)
    grade = lanes.grade[graded][np.searchsorted(lanes.grade_from_m[graded], mid_m, side="right") - 1]
    inside = (mid_m[:, None] >= lanes.stop_from_m[banned]) & (mid_m[:, None] < lanes.stop_to_m[banned])
    return _Pieces(from_m=from_m, to_m=to_m, grade=grade, no_stop=inside.any(axis=1))
