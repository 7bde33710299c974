"""
Whether the server's books are true: what it holds for a truck's ground covers what the truck holds and where it is.

Exclusivity is kept on the server's books, so they must never say less than the road does. The furthest end they know of lies no
nearer than the end the truck holds onboard; the confirmed rear lies behind every place where the true tail has been by what a truck
may roll back. Two trucks on the same ground need a wrong book and a second truck besides; here the wrong book is enough.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from fleet.server.fleet_view import FleetView
from planner._jit import kernel, piece
from sim_harness.dynamics import Motion
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import FlagArray, FloatArray, IndexArray, SmallArray
from sim_harness.onboard_state import Belief, Onboard
from sim_harness.paths import Paths

# Two sums of one place, metres.
ROUNDING_M: Final = 0.02
# What may be wrong with the books of one truck, as bits, and how it is said.
HOLDS_MORE: Final = 1
REAR_AHEAD: Final = 2
WRONGS: Final = {HOLDS_MORE: "holds more road than the server knows of", REAR_AHEAD: "has a confirmed rear ahead of where its tail may be"}


class Said(NamedTuple):
    """The books of a server as columns (k,): the simulator's row of each truck that it knows, its end and its confirmed rear as places."""

    rows: IndexArray
    end_lane_ix: IndexArray
    end_m: FloatArray
    rear_lane_ix: IndexArray
    rear_m: FloatArray


class Kept(NamedTuple):
    """What is remembered of each truck, (n,); see `BooksWatch`. *shift_m*, *length_m* and *roll_back_m* are the fleet's."""

    tail_m: FloatArray
    rear_m: FloatArray
    strayed: FlagArray
    shift_m: FloatArray
    length_m: FloatArray
    roll_back_m: FloatArray


def rows_of(fleet: FleetColumns, view: FleetView) -> IndexArray:
    """The simulator's rows of the trucks that the server knows, in the server's order."""
    return np.array([fleet.row[truck_id] for truck_id in view.truck_ids], dtype=np.int32)


def said_in(view: FleetView, rows: IndexArray) -> Said:
    """The books that *view* shows, of the trucks in *rows* of the simulator."""
    return Said(
        rows=rows, end_lane_ix=view.end_lane_ix, end_m=view.end_chainage_m, rear_lane_ix=view.rear_lane_ix, rear_m=view.rear_chainage_m
    )


@piece
def _on_path(paths: Paths, row: int, lane_ix: int, chainage_m: float) -> float:
    """A place as a path coordinate; nan where the path does not hold the lane, or there is none."""
    if lane_ix >= 0:
        for k in range(paths.held[row]):
            if paths.lane[row, k] == lane_ix:
                return paths.start_m[row, k] + chainage_m  # type: ignore[no-any-return]
    return math.nan


@piece
def _holds_more(paths: Paths, said: Said, at: int, held_m: float) -> bool:
    """Of a lane that a truck has not heard of yet it holds nothing."""
    return bool(held_m > _on_path(paths, said.rows[at], said.end_lane_ix[at], said.end_m[at]) + ROUNDING_M)


@kernel
def mark_holding_more(paths: Paths, onboard: Onboard, said: Said, out_more: FlagArray) -> None:
    """Marks which trucks hold more road than the books have, (k,)."""
    for at in range(len(said.rows)):
        out_more[at] = _holds_more(paths, said, at, onboard.end_m[said.rows[at]])


@kernel
def follow(motion: Motion, belief: Belief, onboard: Onboard, kept: Kept) -> None:
    """Remembers how far tails have been, and who strayed."""
    for row in range(len(kept.tail_m)):
        nose_m = motion.nose_m[row]
        kept.tail_m[row] = max(kept.tail_m[row], nose_m - kept.shift_m[row] - kept.length_m[row])
        if abs(belief.nose_m[row] - nose_m) > belief.bound_m[row] + onboard.doubt_m[row]:
            kept.strayed[row] = True


@kernel
def compare(paths: Paths, onboard: Onboard, said: Said, kept: Kept, out_wrong: SmallArray) -> int:
    """
    Hold books against the truth; the answer is with how many trucks something is wrong.

    said       (k,)
    kept       *rear_m* and *strayed* are written
    out_wrong  (k,) written: HOLDS_MORE, REAR_AHEAD, both or 0
    """
    count = 0
    for at in range(len(said.rows)):
        row = said.rows[at]
        wrong = HOLDS_MORE if _holds_more(paths, said, at, onboard.end_m[row]) else 0
        rear_m = _on_path(paths, row, said.rear_lane_ix[at], said.rear_m[at])
        ahead = rear_m > kept.tail_m[row] + kept.shift_m[row] - kept.roll_back_m[row] + ROUNDING_M
        kept.strayed[row] &= ahead
        # Where it was first met a truck's rear may lie on the edge of its lane, and nobody is behind it there.
        if ahead and rear_m > kept.rear_m[row] and not kept.strayed[row]:
            wrong |= REAR_AHEAD
        if math.isfinite(rear_m):
            kept.rear_m[row] = rear_m
        out_wrong[at] = wrong
        count += wrong != 0
    return count


def holds_more(fleet: FleetColumns, rows: IndexArray, view: FleetView) -> FlagArray:
    """Which trucks of *rows* hold more road than the server knows of, (k,)."""
    more: FlagArray = np.zeros(len(rows), dtype=np.bool_)
    mark_holding_more(fleet.paths, fleet.compiled.onboard, said_in(view, rows), more)
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
        self._kept = Kept(
            tail_m=np.full(count, -np.inf),
            rear_m=np.full(count, np.nan),
            strayed=np.zeros(count, dtype=np.bool_),
            shift_m=fleet.shift_m,
            length_m=fleet.length_m,
            roll_back_m=fleet.roster.column("roll_back_m"),
        )
        self._rows: IndexArray = np.zeros(0, dtype=np.int32)
        self._wrong = np.zeros(0, dtype=np.int8)
        self._said: set[tuple[int, str]] = set()
        self.found: list[str] = []

    def tick(self) -> None:
        """After the trucks moved."""
        own = self._fleet.compiled
        follow(own.motion, own.belief, own.onboard, self._kept)

    def look(self, view: FleetView, now_s: float) -> None:
        """Hold the books against the truth."""
        fleet = self._fleet
        if len(self._rows) != len(view.truck_ids):
            self._rows = rows_of(fleet, view)
            self._wrong = np.zeros(len(self._rows), dtype=np.int8)
        if compare(fleet.paths, fleet.compiled.onboard, said_in(view, self._rows), self._kept, self._wrong):
            for wrong, what in WRONGS.items():
                for row in self._rows[(self._wrong & wrong) != 0].tolist():
                    self._false(row, what, now_s)

    def _false(self, row: int, what: str, now_s: float) -> None:
        """Once for each truck and wrong."""
        if (row, what) not in self._said:
            self._said.add((row, what))
            self.found.append(f"{self._fleet.roster.truck_ids[row]} {what} at {now_s:.1f} s")
