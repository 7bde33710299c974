"""
Whether the server's books are true: what it holds for a truck's ground covers what the truck holds and where it is.

Exclusivity is kept on the server's books, so they must never say less than the road does. The furthest end they know of lies no
nearer than the end the truck holds onboard; the confirmed rear lies behind every place where the true tail has been by what a truck
may roll back. Two trucks on the same ground need a wrong book and a second truck besides; here the wrong book is enough.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fleet.server.fleet_view import FleetView
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import FlagArray, FloatArray, IndexArray

# Two sums of one place, metres.
ROUNDING_M: Final = 0.02


def rows_of(fleet: FleetColumns, view: FleetView) -> IndexArray:
    """The simulator's rows of the trucks that the server knows, in the server's order."""
    return np.array([fleet.row[truck_id] for truck_id in view.truck_ids], dtype=np.int32)


def on_paths(fleet: FleetColumns, rows: IndexArray, lane_ix: IndexArray, chainage_m: FloatArray) -> FloatArray:
    """Places (k,) as path coordinates of the trucks of *rows* (k,); nan where a truck's path does not hold the lane."""
    paths = fleet.paths
    deepest = int(paths.held[rows].max(initial=1))
    on = (paths.lane[rows, :deepest] == lane_ix[:, None]) & (lane_ix >= 0)[:, None]
    start_m = paths.start_m[rows, on.argmax(axis=1)]
    return np.where(on.any(axis=1), start_m + chainage_m, np.nan)


def holds_more(fleet: FleetColumns, rows: IndexArray, view: FleetView) -> FlagArray:
    """
    Which trucks of *rows* hold more road than the server knows of, (k,).

    Of a lane that a truck has not heard of yet it holds nothing.
    """
    end_m = on_paths(fleet, rows, view.end_lane_ix, view.end_chainage_m)
    more: FlagArray = fleet.onboard.end_m[rows] > end_m + ROUNDING_M
    return more


class BooksWatch:
    """
    Watches the books of one server after the other.

    By row, in the simulator's path coordinates: *tail_m*: how far the true tail has been; *rear_m*: the confirmed rear at the last look;
    *strayed*: it took itself for somewhere else than its bound allows for, and what was confirmed then may be ahead of it still.
    """

    def __init__(self, fleet: FleetColumns) -> None:
        count = len(fleet.roster.truck_ids)
        self._fleet = fleet
        self._roll_back_m = fleet.roster.column("roll_back_m")
        self._tail_m: FloatArray = np.full(count, -np.inf)
        self._rear_m: FloatArray = np.full(count, np.nan)
        self._strayed: FlagArray = np.zeros(count, dtype=np.bool_)
        self._rows: IndexArray = np.zeros(0, dtype=np.int32)
        self._said: set[tuple[int, str]] = set()
        self.found: list[str] = []

    def tick(self) -> None:
        """After the trucks moved."""
        fleet = self._fleet
        nose_m = fleet.motion.nose_m
        np.maximum(self._tail_m, nose_m - fleet.shift_m - fleet.length_m, out=self._tail_m)
        self._strayed |= np.abs(fleet.belief.nose_m - nose_m) > fleet.belief.bound_m + fleet.onboard.doubt_m

    def look(self, view: FleetView, now_s: float) -> None:
        """Hold the books against the truth."""
        fleet = self._fleet
        if len(self._rows) != len(view.truck_ids):
            self._rows = rows_of(fleet, view)
        rows = self._rows
        for row in rows[holds_more(fleet, rows, view)].tolist():
            self._false(row, "holds more road than the server knows of", now_s)
        rear_m = on_paths(fleet, rows, view.rear_lane_ix, view.rear_chainage_m)
        # Where it was first met a truck's rear may lie on the edge of its lane, and nobody is behind it there.
        moved = rear_m > self._rear_m[rows]
        most_m = self._tail_m[rows] + fleet.shift_m[rows] - self._roll_back_m[rows] + ROUNDING_M
        ahead = rear_m > most_m
        self._strayed[rows] &= ahead
        for row in rows[moved & ahead & ~self._strayed[rows]].tolist():
            self._false(row, "has a confirmed rear ahead of where its tail may be", now_s)
        self._rear_m[rows] = np.where(np.isfinite(rear_m), rear_m, self._rear_m[rows])

    def _false(self, row: int, what: str, now_s: float) -> None:
        """Once for each truck and wrong."""
        if (row, what) not in self._said:
            self._said.add((row, what))
            self.found.append(f"{self._fleet.roster.truck_ids[row]} {what} at {now_s:.1f} s")
