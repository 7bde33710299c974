"""
Lanes and trucks as columns, and the only place that checks dtype, shape and finiteness.

Lanes never change while a server lives; trucks do, ten times a second. A truck's *path coordinate* runs on like an odometer:
it is never reset, so an end of authority stays the same number when the route beyond it is replaced. The columns of all trucks
lie in three matrices, one row a column, so that a kernel takes three arrays and not thirty; each column is also an attribute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.corridor import Corridor, TruckType, ZoneKind
from planner.limits import (
    BOUND_PLANNED_M,
    BOUND_USUAL_M,
    FRICTION_DRY,
    NO_STOP_BEYOND_M,
    PATH_LANES_MAX,
    TRUCKS_MAX,
)
from planner.stretches import no_stops, zone_parts

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]
LongArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class TableFault(ValueError):
    """A value that does not fit a table: the message names the column and the reason."""


def require_column(name: str, column: NDArray[np.generic], shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    """
    Refuse a column kernels could not trust.

    Raises:
        TableFault: wrong dtype or shape, or a number that is not one.
    """
    if column.dtype != np.dtype(dtype):
        raise TableFault(f"{name}: must be {np.dtype(dtype)}, is {column.dtype}")
    if column.shape != shape:
        raise TableFault(f"{name}: must have shape {shape}, has {column.shape}")
    if np.issubdtype(dtype, np.floating) and np.isnan(column).any():
        raise TableFault(f"{name}: holds something that is not a number")


class LaneColumns(NamedTuple):
    """What kernels see of a `LaneTable`."""

    length_m: FloatArray
    speed_max_mps: FloatArray
    grade_min: FloatArray
    stop_start: IndexArray
    stop_from_m: FloatArray
    stop_to_m: FloatArray
    stop_section: IndexArray
    part_start: IndexArray
    part_zone: IndexArray
    part_branch: IndexArray
    part_from_m: FloatArray
    part_to_m: FloatArray
    zone_exclusive: BoolArray


class TruckColumns(NamedTuple):
    """What kernels see of a `TruckTable`: whole columns, used up to its count. *real* is one row a column (`REAL_COLUMNS`)."""

    real: FloatArray
    laden: BoolArray
    stamp_ns: LongArray
    path_lane: IndexArray
    path_start_m: FloatArray
    path_count: IndexArray
    rear_k: IndexArray
    end_k: IndexArray
    nose_k: IndexArray
    order: IndexArray


class Heads(NamedTuple):
    """
    Trucks along lanes, as kernels last found them. m lanes, n trucks.

    lane_first (m + 2,)  trucks with their rear on lane l are order[lane_first[l] : lane_first[l + 1]]; those without a path
                         come last, under "lane" m
    place      (n,)      where each row is in the order
    head_m     (m,)      first occupied chainage of a lane, +inf when empty; 0 when ground comes in across its start
    head_row   (m,)      whose, NOBODY for nobody's or a wall's
    scratch    (n,)
    key_m      (n,)      rear chainage of each row
    rear_lane rear_from_m rear_to_m   (n,)  lane under the rear and the path coordinates of its ends; likewise the end's. Kept
    end_lane end_from_m end_to_m            between ticks: most trucks stay on their lanes, and need no look at their path
    """

    lane_first: IndexArray
    place: IndexArray
    head_m: FloatArray
    head_row: IndexArray
    scratch: IndexArray
    key_m: FloatArray
    rear_lane: IndexArray
    rear_from_m: FloatArray
    rear_to_m: FloatArray
    end_lane: IndexArray
    end_from_m: FloatArray
    end_to_m: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneTable:
    """
    The corridor's lanes as columns; ragged ones as CSR: the entries of lane i are [start[i], start[i + 1]).

    No-stop stretches are merged: authored ones, every zone part, and each gate from just past its stop line to its clear
    point. Entries of one lane ascend. A stretch that belongs to one one-lane section and to nothing else names it.
    """

    length_m: FloatArray  # (m,)
    speed_max_mps: FloatArray  # (m,)
    grade_min: FloatArray  # (m,) steepest downhill of each lane, 0 when it only climbs
    succ_start: IndexArray  # (m + 1,)
    succ_lane: IndexArray
    grade_start: IndexArray  # (m + 1,)
    grade_from_m: FloatArray
    grade: FloatArray  # rise over run, positive uphill
    stop_start: IndexArray  # (m + 1,)
    stop_from_m: FloatArray
    stop_to_m: FloatArray
    stop_section: IndexArray  # zone row, -1 for none
    part_start: IndexArray  # (m + 1,)
    part_zone: IndexArray
    part_branch: IndexArray
    part_from_m: FloatArray
    part_to_m: FloatArray
    zone_exclusive: BoolArray  # (z,)
    columns: LaneColumns

    @property
    def count(self) -> int:
        """How many lanes."""
        return len(self.length_m)

    @property
    def zone_count(self) -> int:
        """How many zones."""
        return len(self.zone_exclusive)

    @classmethod
    def of(cls, corridor: Corridor) -> LaneTable:
        """The tables of *corridor*; rows are the orders of its tuples."""
        lanes = corridor.lanes
        by_from: dict[str, list[int]] = {}
        for ix, lane in enumerate(lanes):
            by_from.setdefault(lane.from_node_id, []).append(ix)
        succ = [[(float(ix),) for ix in by_from.get(lane.to_node_id, [])] for lane in lanes]
        grades = [[(piece.from_m, piece.grade) for piece in lane.grades] for lane in lanes]
        parts = zone_parts(corridor)
        stops = no_stops(corridor, parts)
        succ_start, succ_column = _ragged(succ, 1)
        grade_start, grade_columns = _ragged(grades, 2)
        stop_start, stop_columns = _ragged(stops, 3)
        part_start, part_columns = _ragged(parts, 4)
        shared = LaneColumns(
            length_m=np.array([lane.length_m for lane in lanes], np.float64),
            speed_max_mps=np.array([lane.speed_max_mps for lane in lanes], np.float64),
            grade_min=np.array([min(0.0, *(piece.grade for piece in lane.grades)) for lane in lanes], np.float64),
            stop_start=stop_start,
            stop_from_m=stop_columns[0],
            stop_to_m=stop_columns[1],
            stop_section=stop_columns[2].astype(np.int32),
            part_start=part_start,
            part_zone=part_columns[2].astype(np.int32),
            part_branch=part_columns[3].astype(np.int32),
            part_from_m=part_columns[0],
            part_to_m=part_columns[1],
            zone_exclusive=np.array([zone.kind is ZoneKind.EXCLUSIVE for zone in corridor.zones], np.bool_),
        )
        return cls(
            **shared._asdict(),
            columns=shared,
            succ_start=succ_start,
            succ_lane=succ_column[0].astype(np.int32),
            grade_start=grade_start,
            grade_from_m=grade_columns[0],
            grade=grade_columns[1],
        )


def _ragged(rows: Sequence[Sequence[tuple[float, ...]]], width: int) -> tuple[IndexArray, list[FloatArray]]:
    start = np.zeros(len(rows) + 1, np.int32)
    start[1:] = np.cumsum([len(row) for row in rows])
    flat = np.array([entry for row in rows for entry in row], np.float64).reshape(-1, width)
    return start, [np.ascontiguousarray(flat[:, at]) for at in range(width)]


# Rows of the float matrix. Kernels name columns by these.
REAL_COLUMNS: Final = (
    "length_m",
    "width_m",
    "roll_back_m",
    "brake_service_mps2",
    "brake_guaranteed_mps2",
    "brake_dead_s",
    "brake_build_up_s",
    "traction_cutoff_s",
    "acceleration_laden_mps2",
    "acceleration_empty_mps2",
    "speed_max_mps",
    "beyond_m",
    "nose_m",
    "speed_mps",
    "bound_m",
    "friction",
    "brake_health",
    "rear_m",
    "end_m",
    "sent_m",
)
"""*beyond_m*: how far past a no-stop stretch an end must lie; the truck, its bounds and its stopping mark fit in between."""

_FROM_TYPE: Final = REAL_COLUMNS[:11]


class TruckTable:
    """
    Trucks as columns; rows [0, count) are in use and are never given back.

    nose_m speed_mps bound_m friction brake_health laden   as last believed
    rear_m   confirmed rear: running maximum of believed nose - length - bound - roll back
    end_m    furthest end the truck may hold; *sent_m* is lower only while a shortening is unacknowledged
    path_lane (n, P), path_start_m (n, P + 1), path_count (n,): lane rows and the path coordinate of each lane's chainage 0
    stamp_ns   truck clock of the last believed report, -1 for none
    rear_k end_k nose_k order   where kernels looked last; they speed the next look and change no result
    """

    length_m: FloatArray
    width_m: FloatArray
    roll_back_m: FloatArray
    brake_service_mps2: FloatArray
    brake_guaranteed_mps2: FloatArray
    brake_dead_s: FloatArray
    brake_build_up_s: FloatArray
    traction_cutoff_s: FloatArray
    acceleration_laden_mps2: FloatArray
    acceleration_empty_mps2: FloatArray
    speed_max_mps: FloatArray
    beyond_m: FloatArray
    nose_m: FloatArray
    speed_mps: FloatArray
    bound_m: FloatArray
    friction: FloatArray
    brake_health: FloatArray
    rear_m: FloatArray
    end_m: FloatArray
    sent_m: FloatArray

    def __init__(self, lanes: LaneTable, capacity: int = TRUCKS_MAX, path_lanes_max: int = PATH_LANES_MAX) -> None:
        self.lanes = lanes
        self.capacity = capacity
        self.path_lanes_max = path_lanes_max
        self.count = 0
        self.real: FloatArray = np.zeros((len(REAL_COLUMNS), capacity), np.float64)
        for at, name in enumerate(REAL_COLUMNS):
            setattr(self, name, self.real[at])
        self.laden: BoolArray = np.zeros(capacity, np.bool_)
        self.stamp_ns: LongArray = np.full(capacity, -1, np.int64)
        self.path_lane: IndexArray = np.full((capacity, path_lanes_max), -1, np.int32)
        self.path_start_m: FloatArray = np.zeros((capacity, path_lanes_max + 1), np.float64)
        self.path_count: IndexArray = np.zeros(capacity, np.int32)
        self.columns = TruckColumns(
            real=self.real,
            laden=self.laden,
            stamp_ns=self.stamp_ns,
            path_lane=self.path_lane,
            path_start_m=self.path_start_m,
            path_count=self.path_count,
            rear_k=np.zeros(capacity, np.int32),
            end_k=np.zeros(capacity, np.int32),
            nose_k=np.zeros(capacity, np.int32),
            order=np.arange(capacity, dtype=np.int32),
        )
        # Kernels own no memory; this is where they keep the order of trucks along lanes while a tick lasts.
        self.heads = Heads(
            lane_first=np.zeros(lanes.count + 2, np.int32),
            place=np.zeros(capacity, np.int32),
            head_m=np.zeros(lanes.count, np.float64),
            head_row=np.zeros(lanes.count, np.int32),
            scratch=np.zeros(capacity, np.int32),
            key_m=np.zeros(capacity, np.float64),
            rear_lane=np.zeros(capacity, np.int32),
            rear_from_m=np.zeros(capacity, np.float64),
            rear_to_m=np.full(capacity, -np.inf),
            end_lane=np.zeros(capacity, np.int32),
            end_from_m=np.zeros(capacity, np.float64),
            end_to_m=np.full(capacity, -np.inf),
        )

    def add(self, truck_type: TruckType) -> int:
        """
        A row for one more truck, without a path: it holds no road until it is placed.

        Raises:
            TableFault: every row is taken.
        """
        if self.count == self.capacity:
            raise TableFault(f"trucks: all {self.capacity} rows are taken")
        row = self.count
        self.count += 1
        for name in _FROM_TYPE:
            getattr(self, name)[row] = getattr(truck_type, name)
        self.beyond_m[row] = truck_type.length_m + 2.0 * min(truck_type.bound_max_m, BOUND_PLANNED_M) + NO_STOP_BEYOND_M
        self.bound_m[row] = BOUND_USUAL_M
        self.friction[row] = FRICTION_DRY
        self.brake_health[row] = 1.0
        return row

    def set_path(self, row: int, lanes: Sequence[int] | IndexArray, start_m: float) -> None:
        """
        Replace the path of *row*: lane rows in order, the first one's chainage 0 at *start_m*.

        Raises:
            TableFault: empty, too long, a lane twice, or lanes that do not follow one another.
        """
        count = len(lanes)
        if not 0 < count <= self.path_lanes_max:
            raise TableFault(f"path of truck {row}: needs 1 to {self.path_lanes_max} lanes, has {count}")
        if len({int(lane) for lane in lanes}) != count:
            raise TableFault(f"path of truck {row}: holds a lane twice")
        if not np.isfinite(start_m):
            raise TableFault(f"path of truck {row}: start_m must be finite, is {start_m}")
        table = self.lanes
        for ahead, lane in zip(lanes[1:], lanes[:-1], strict=True):
            if ahead not in table.succ_lane[table.succ_start[lane] : table.succ_start[lane + 1]]:
                raise TableFault(f"path of truck {row}: lane {ahead} does not follow lane {lane}")
        self.path_lane[row, :count] = lanes
        self.path_lane[row, count:] = -1
        at_m = float(start_m)
        self.path_start_m[row, 0] = at_m
        for k, lane in enumerate(lanes):
            # Added lane by lane: a route that keeps lanes keeps their coordinates to the last bit.
            at_m += float(table.length_m[lane])
            self.path_start_m[row, k + 1] = at_m
        self.path_start_m[row, count + 1 :] = at_m
        self.path_count[row] = count
        # What kernels remember of the old path must not be believed of the new one.
        self.heads.rear_to_m[row] = self.heads.end_to_m[row] = -np.inf

    def path(self, row: int) -> list[int]:
        """Lane rows of the path of *row*, in order."""
        return [int(lane) for lane in self.path_lane[row, : self.path_count[row]]]

    def locate(self, row: int, lane_ix: int, chainage_m: float) -> float:
        """Path coordinate of a place; nan when its lane is not on the path."""
        count = int(self.path_count[row])
        found = np.flatnonzero(self.path_lane[row, :count] == lane_ix)
        return float(self.path_start_m[row, found[0]] + chainage_m) if len(found) else float("nan")

    def k_at(self, row: int, path_m: float) -> int:
        """
        Index in the path of the lane that holds *path_m*.

        Lanes are half-open, so a lane's end belongs to the next one; beyond either end the outermost lane answers.
        """
        count = int(self.path_count[row])
        k = int(np.searchsorted(self.path_start_m[row, :count], path_m, side="right")) - 1
        return max(k, 0)

    def lane_at(self, row: int, path_m: float) -> tuple[int, float]:
        """Lane row and chainage of a path coordinate (see `k_at`)."""
        k = self.k_at(row, path_m)
        return int(self.path_lane[row, k]), path_m - float(self.path_start_m[row, k])

    def end_point(self, row: int, path_m: float) -> tuple[int, float]:
        """
        Lane row and chainage of an *end*: exactly at a lane's start it is said as the lane before's end.

        The ground up to an end does not touch the next lane, and neither should its name.
        """
        k = self.k_at(row, path_m)
        if k > 0 and path_m - float(self.path_start_m[row, k]) <= 0.0:
            k -= 1
        return int(self.path_lane[row, k]), path_m - float(self.path_start_m[row, k])

    def ground(self, row: int) -> list[tuple[int, float, float]]:
        """The stretches (lane row, from, to) the truck may sweep: confirmed rear to furthest end held."""
        out: list[tuple[int, float, float]] = []
        rear, end = float(self.rear_m[row]), float(self.end_m[row])
        for k in range(int(self.path_count[row])):
            base, after = float(self.path_start_m[row, k]), float(self.path_start_m[row, k + 1])
            low, high = max(rear, base), min(end, after)
            if low < high:
                out.append((int(self.path_lane[row, k]), low - base, high - base))
        return out

    def check(self) -> None:
        """
        Refuse columns kernels could not trust. Once a tick.

        Raises:
            TableFault: a number that is not one, an end behind its rear, or ground beyond the path.
        """
        n = self.count
        # A sum is finite only if all its terms are.
        if not math.isfinite(self.real[:, :n].sum()):
            at = int(np.argwhere(~np.isfinite(self.real[:, :n]))[0][0])
            raise TableFault(f"{REAL_COLUMNS[at]}: holds something that is not a finite number")
        behind, beyond = self.end_m[:n] < self.rear_m[:n], self.sent_m[:n] > self.end_m[:n]
        if not np.count_nonzero(behind | beyond):
            return
        placed = self.path_count[:n] > 0
        if (placed & behind).any():
            raise TableFault("end_m: lies behind rear_m")
        if (placed & beyond).any():
            raise TableFault("sent_m: lies beyond end_m")
