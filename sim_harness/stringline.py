"""
From a recording to what its pictures show: how far along the road each truck was, when, and where trucks stood.

The road's axis is the way of a laden truck from the mouth of the loading yard to the mouth of the unloading yard. Every place is
projected on it, so both directions share one scale; whatever lies in a yard falls on the axis's nearest end.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from shapely.ops import substring

from planner.corridor import Corridor, Lane, StandKind, YardRole
from sim_harness.geometry import LaneLines
from sim_harness.observation import FloatArray
from sim_harness.recording import TRAJECTORY

STANDING_MPS: Final = 0.05
# Distance between the places at which a lane is projected; in between the axis coordinate is linear.
PROJECT_EVERY_M: Final = 5.0
# A string may stray this far from the samples: below the width of its line.
STRAY_M: Final = 4.0
# Seconds count as so many metres when a string is thinned.
METRES_PER_SECOND: Final = 4.0

Flags = npt.NDArray[np.bool_]


def chain_of_lanes(corridor: Corridor, start: str, goals: frozenset[str]) -> list[Lane]:
    """Shortest chain of lanes from lane *start* to any of *goals*, both included; empty where there is none."""
    after: dict[str, list[Lane]] = {}
    for lane in corridor.lanes:
        after.setdefault(lane.from_node_id, []).append(lane)
    waiting: list[tuple[float, str, str | None]] = [(0.0, start, None)]
    came_from: dict[str, str | None] = {}
    while waiting:
        so_far_m, lane_id, before = heapq.heappop(waiting)
        if lane_id in came_from:
            continue
        came_from[lane_id] = before
        lane = corridor.lanes[corridor.lane_ix[lane_id]]
        if lane_id in goals:
            chain = [lane]
            while before is not None:
                chain.append(corridor.lanes[corridor.lane_ix[before]])
                before = came_from[before]
            return chain[::-1]
        for following in after.get(lane.to_node_id, ()):
            heapq.heappush(waiting, (so_far_m + lane.length_m, following.lane_id, lane_id))
    return []


def road_axis(corridor: Corridor) -> shapely.LineString:
    """The laden way between the mouths of the yards; metres east and north."""
    loading = corridor.yard_by_role[YardRole.LOADING]
    unloading = corridor.yard_by_role[YardRole.UNLOADING]
    bay = next(stand for stand in corridor.stands if stand.yard_id == loading.yard_id and stand.kind is StandKind.BAY)
    way = chain_of_lanes(corridor, bay.lane_id, frozenset(unloading.entry_lane_ids))
    points = [point for lane in way for point in lane.points]
    line = shapely.LineString(points)
    mouth = corridor.lanes[corridor.lane_ix[loading.entry_lane_ids[0]]].points[0]
    last = corridor.lanes[corridor.lane_ix[way[-1].lane_id]].points[0]
    return substring(line, line.project(shapely.Point(mouth)), line.project(shapely.Point(last)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrolled:
    """The corridor laid straight: places as metres along the axis and to the left of it; the axis goes straight on at both ends."""

    line: shapely.LineString
    before_m: float

    @classmethod
    def of(cls, corridor: Corridor, beyond_m: float = 2000.0) -> Unrolled:
        """Lays *corridor* straight."""
        points = shapely.get_coordinates(road_axis(corridor))
        first = (points[0] - points[1]) / np.hypot(*(points[0] - points[1]))
        last = (points[-1] - points[-2]) / np.hypot(*(points[-1] - points[-2]))
        whole = np.vstack([points[0] + beyond_m * first, points, points[-1] + beyond_m * last])
        return cls(line=shapely.LineString(whole), before_m=beyond_m)

    def place(self, x_m: FloatArray, y_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Metres along and to the left (k,) of places (k,)."""
        places = shapely.points(x_m, y_m)
        along_m = shapely.line_locate_point(self.line, places)
        here = shapely.get_coordinates(shapely.line_interpolate_point(self.line, along_m))
        ahead = shapely.get_coordinates(shapely.line_interpolate_point(self.line, np.minimum(along_m + 1.0, self.line.length)))
        back = shapely.get_coordinates(shapely.line_interpolate_point(self.line, np.maximum(along_m - 1.0, 0.0)))
        tangent = ahead - back
        offset = np.column_stack([x_m, y_m]) - here
        side = np.sign(tangent[:, 0] * offset[:, 1] - tangent[:, 1] * offset[:, 0])
        return along_m - self.before_m, side * np.hypot(offset[:, 0], offset[:, 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTable:
    """Axis metres of places: per lane, samples at even chainages."""

    length_m: float
    chainage_m: tuple[FloatArray, ...]
    along_m: tuple[FloatArray, ...]

    @classmethod
    def of(cls, corridor: Corridor) -> AxisTable:
        """Projects every lane of *corridor*."""
        axis = road_axis(corridor)
        lines = LaneLines.of(corridor)
        chains: list[FloatArray] = []
        alongs: list[FloatArray] = []
        for ix, lane in enumerate(corridor.lanes):
            chain = np.linspace(0.0, lane.length_m, max(2, int(lane.length_m / PROJECT_EVERY_M) + 1))
            x_m, y_m = lines.places(np.full(len(chain), ix, dtype=np.int32), chain)
            chains.append(chain)
            alongs.append(shapely.line_locate_point(axis, shapely.points(x_m, y_m)))
        return cls(length_m=float(axis.length), chainage_m=tuple(chains), along_m=tuple(alongs))

    def along(self, lane_ix: int, chainage_m: FloatArray) -> FloatArray:
        """Axis metres of places on one lane."""
        return np.interp(chainage_m, self.chainage_m[lane_ix], self.along_m[lane_ix])


@dataclass(frozen=True, slots=True, kw_only=True)
class String:
    """One truck's line between the yards in one direction: time and axis metres, nan where it is broken."""

    truck_id: str
    laden: bool
    time_s: FloatArray
    along_m: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A recording's window as columns, sorted by truck and then time."""

    time_s: FloatArray
    truck_id: npt.NDArray[np.object_]
    lane_ix: npt.NDArray[np.int64]
    chainage_m: FloatArray
    along_m: FloatArray
    speed_mps: FloatArray
    laden: Flags


def read_motion(out_dir: Path, corridor: Corridor, axis: AxisTable, window_s: tuple[float, float]) -> Motion:
    """The samples of *window_s* in the recording under *out_dir*."""
    start_s, end_s = window_s
    columns = ["time_s", "truck_id", "lane_id", "chainage_m", "speed_mps", "laden"]
    keep = (pc.field("time_s") >= start_s) & (pc.field("time_s") <= end_s)
    table: Any = pq.read_table(out_dir / TRAJECTORY, columns=columns, filters=keep)
    table = table.sort_by([("truck_id", "ascending"), ("time_s", "ascending")])
    lane_ids = pa.array([lane.lane_id for lane in corridor.lanes])
    lane_ix = pc.index_in(table["lane_id"], lane_ids).to_numpy().astype(np.int64)
    chainage_m = table["chainage_m"].to_numpy()
    along_m = np.empty(len(lane_ix))
    for ix in np.unique(lane_ix).tolist():
        rows = lane_ix == ix
        along_m[rows] = axis.along(ix, chainage_m[rows])
    return Motion(
        time_s=table["time_s"].to_numpy(),
        truck_id=table["truck_id"].to_numpy(),
        lane_ix=lane_ix,
        chainage_m=chainage_m,
        along_m=along_m,
        speed_mps=table["speed_mps"].to_numpy(),
        laden=table["laden"].to_numpy(),
    )


def _thinned(time_s: FloatArray, along_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The same line with far fewer points."""
    if len(time_s) < 3:
        return time_s, along_m
    line = shapely.simplify(shapely.linestrings(time_s * METRES_PER_SECOND, along_m), STRAY_M, preserve_topology=False)
    points = shapely.get_coordinates(line)
    return points[:, 0] / METRES_PER_SECOND, points[:, 1]


def _runs(flags: Flags) -> list[tuple[int, int]]:
    """Half-open index ranges in which *flags* holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(low), int(high)) for low, high in zip(edges[::2], edges[1::2], strict=True)]


def strings(motion: Motion, axis: AxisTable, *, standing: bool = False) -> list[String]:
    """Each truck's line per direction, between the yards; with *standing* only the metres and seconds where it stood."""
    found: list[String] = []
    between = (motion.along_m > 1.0) & (motion.along_m < axis.length_m - 1.0)
    starts = (
        np.flatnonzero(np.concatenate([[True], motion.truck_id[1:] != motion.truck_id[:-1]])) if len(motion.time_s) else np.array([], int)
    )
    ends = np.append(starts[1:], len(motion.time_s))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        rows = slice(start, end)
        for laden in (True, False):
            shown = between[rows] & (motion.laden[rows] == laden)
            if standing:
                shown &= motion.speed_mps[rows] < STANDING_MPS
            times: list[FloatArray] = []
            alongs: list[FloatArray] = []
            for low, high in _runs(shown):
                time_s, along_m = _thinned(motion.time_s[rows][low:high], motion.along_m[rows][low:high])
                times += [time_s, np.array([np.nan])]
                alongs += [along_m, np.array([np.nan])]
            if times:
                found.append(
                    String(truck_id=str(motion.truck_id[start]), laden=laden, time_s=np.concatenate(times), along_m=np.concatenate(alongs))
                )
    return found
