"""
The safety judge: plain code that shares nothing with the kernels and looks at every decision before it leaves.

It checks exclusivity on the columns as they would be afterwards: the ground of two trucks, from confirmed rear to the furthest
end held, never shares a metre of lane, and a zone never has two holders that exclude each other. Each tick it looks at the
ground that the decision adds; ground elsewhere only shrinks, so by induction the rest stays sound. Once a second it sweeps
everything and believes nothing it remembered.

A row counts as touched when its end moved on, it was placed, or its path was replaced. Added is whatever lies beyond the ends,
behind the rears or on other lanes than when the judge last looked; it looks whenever a row is touched, so what it remembers
was sound then.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.corridor import Corridor, ZoneKind
from planner.tables import TruckTable

TOUCHING_M: Final = 1e-6  # ground sharing less than this only touches
_NOBODY: Final[Mapping[int, float]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Two trucks would hold what only one may: metres of a lane, or a zone."""

    place_id: str
    holder: int  # truck row
    claimant: int  # truck row
    overlap_m: float  # on a lane; 0 for a zone


@dataclass(frozen=True, slots=True)
class _Part:
    zone: int
    lane: int
    branch: int
    from_m: float
    to_m: float


def _union(intervals: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    out: list[tuple[float, float]] = []
    for from_m, to_m in sorted(intervals):
        if out and from_m <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], to_m))
        else:
            out.append((from_m, to_m))
    return out


class Judge:
    """Remembers, per lane, who may have ground there; the columns themselves are read anew each time."""

    def __init__(self, corridor: Corridor) -> None:
        row_of = {lane.lane_id: row for row, lane in enumerate(corridor.lanes)}
        self._lane_ids = [lane.lane_id for lane in corridor.lanes]
        self._length_m = [lane.length_m for lane in corridor.lanes]
        self._zone_ids = [zone.zone_id for zone in corridor.zones]
        self._exclusive = [zone.kind is ZoneKind.EXCLUSIVE for zone in corridor.zones]
        self._parts_of_zone = [
            [_Part(zone_row, row_of[part.stretch.lane_id], part.branch, part.stretch.start_m, part.stretch.end_m) for part in zone.parts]
            for zone_row, zone in enumerate(corridor.zones)
        ]
        self._parts_of_lane: list[list[_Part]] = [[] for _ in corridor.lanes]
        for parts in self._parts_of_zone:
            for part in parts:
                self._parts_of_lane[part.lane].append(part)
        # Per lane: the stretches that lie in any zone; most trucks stand on none and need no look at single parts.
        unions = [_union((part.from_m, part.to_m) for part in parts) for parts in self._parts_of_lane]
        self._zoned = [([from_m for from_m, _ in union], [to_m for _, to_m in union]) for union in unions]
        # Lane -> truck row -> path coordinate of the lane's chainage 0 on that truck's path. May name trucks long gone.
        self._members: dict[int, dict[int, float]] = {}
        # Rears and ends of every row when the judge last looked.
        self._judged: tuple[list[float], list[float]] = ([], [])

    def objections(self, trucks: TruckTable, touched: Iterable[int]) -> list[Objection]:
        """What is wrong with the ground added to the rows *touched*; empty when the decision may leave."""
        rear_m, end_m = trucks.rear_m[: trucks.count].tolist(), trucks.end_m[: trucks.count].tolist()
        added = [piece for row in touched for piece in self._enter(trucks, row, rear_m[row], end_m[row])]
        self._judged = (rear_m, end_m)
        found: list[Objection] = []
        for row, lane, low_m, high_m in added:
            found += self._on_lane(row, lane, (low_m, high_m), rear_m, end_m)
            for part in self._parts_of_lane[lane]:
                if part.from_m < high_m - TOUCHING_M and low_m < part.to_m - TOUCHING_M:
                    found += self._in_zone(row, part, rear_m, end_m)
        return found

    def sweep(self, trucks: TruckTable) -> list[Objection]:
        """What is wrong anywhere."""
        n = trucks.count
        self._members.clear()
        rear_m, end_m = trucks.rear_m[:n], trucks.end_m[:n]
        self._judged = (rear_m.tolist(), end_m.tolist())
        start_m, count = trucks.path_start_m[:n], trucks.path_count[:n]
        low = np.minimum((start_m[:, 1:] <= rear_m[:, None]).sum(axis=1), count - 1)
        high = np.minimum(np.maximum((start_m < end_m[:, None]).sum(axis=1) - 1, low), count - 1)
        spans = np.where(count > 0, high - low + 1, 0)
        row = np.repeat(np.arange(n), spans)
        k = np.arange(len(row)) - np.repeat(np.cumsum(spans) - spans, spans) + np.repeat(low, spans)
        lane, base_m = trucks.path_lane[row, k], start_m[row, k]
        for at_lane, at_row, at_base_m in zip(lane.tolist(), row.tolist(), base_m.tolist(), strict=True):
            self._members.setdefault(at_lane, {})[at_row] = at_base_m
        low_m = np.maximum(rear_m[row] - base_m, 0.0)
        high_m = np.minimum(end_m[row], start_m[row, k + 1]) - base_m
        solid = high_m - low_m > TOUCHING_M
        lane, row, low_m, high_m = lane[solid], row[solid], low_m[solid], high_m[solid]
        by_place = np.lexsort((low_m, lane))
        lane, row, low_m, high_m = lane[by_place], row[by_place], low_m[by_place], high_m[by_place]
        # Sorted by their start, stretches that overlap at all overlap next to each other somewhere.
        overlap_m = np.where(lane[1:] == lane[:-1], high_m[:-1] - low_m[1:], 0.0)
        found = [
            Objection(place_id=self._lane_ids[lane[at]], holder=int(row[at]), claimant=int(row[at + 1]), overlap_m=float(overlap_m[at]))
            for at in np.flatnonzero(overlap_m > TOUCHING_M)
        ]
        return [*found, *self._zones_shared(*self._judged)]

    def _enter(self, trucks: TruckTable, row: int, rear_m: float, end_m: float) -> list[tuple[int, int, float, float]]:
        """Note the lanes under the ground of *row*; what of it was not there when last judged, as (row, lane, from, to)."""
        count = int(trucks.path_count[row])
        if count == 0:
            return []
        start_m: list[float] = trucks.path_start_m[row, :count].tolist()
        first = max(bisect_right(start_m, rear_m) - 1, 0)
        last = max(bisect_left(start_m, end_m) - 1, first)
        tail_lane = int(trucks.path_lane[row, first])
        if self._members.get(tail_lane, _NOBODY).get(row) != start_m[first]:
            # Placed anew: what was remembered of it elsewhere, in coordinates of then, says nothing about now.
            for members in self._members.values():
                members.pop(row, None)
        judged_rear_m, judged_end_m = self._judged
        known_m = judged_end_m[row] if row < len(judged_end_m) and rear_m >= judged_rear_m[row] else rear_m
        added = []
        for lane, base_m in zip(trucks.path_lane[row, first : last + 1].tolist(), start_m[first : last + 1], strict=True):
            members = self._members.setdefault(lane, {})
            from_m = max(rear_m, known_m) if members.get(row) == base_m else rear_m
            members[row] = base_m
            added.append((row, lane, max(from_m - base_m, 0.0), min(end_m - base_m, self._length_m[lane])))
        return added

    def _on_lane(self, row: int, lane: int, added_m: tuple[float, float], rear_m: list[float], end_m: list[float]) -> Iterable[Objection]:
        low_m, high_m = added_m
        for other, base_m in self._members[lane].items():
            other_low_m, other_high_m = rear_m[other] - base_m, end_m[other] - base_m
            if other_low_m < high_m - TOUCHING_M and low_m < other_high_m - TOUCHING_M and other != row:
                overlap_m = min(high_m, other_high_m) - max(low_m, other_low_m)
                if overlap_m > TOUCHING_M:
                    yield Objection(place_id=self._lane_ids[lane], holder=other, claimant=row, overlap_m=overlap_m)

    def _in_zone(self, row: int, mine: _Part, rear_m: list[float], end_m: list[float]) -> Iterable[Objection]:
        for part in self._parts_of_zone[mine.zone]:
            if part.branch == mine.branch and not self._exclusive[mine.zone]:
                continue
            for other, base_m in self._members.get(part.lane, _NOBODY).items():
                inside = rear_m[other] - base_m < part.to_m - TOUCHING_M and part.from_m < end_m[other] - base_m - TOUCHING_M
                if inside and other != row:
                    yield Objection(place_id=self._zone_ids[mine.zone], holder=other, claimant=row, overlap_m=0.0)

    def _zones_shared(self, rear_m: list[float], end_m: list[float]) -> Iterable[Objection]:
        inside: dict[int, list[tuple[int, int]]] = {}
        for lane, members in self._members.items():
            zoned_from_m, zoned_to_m = self._zoned[lane]
            for row, base_m in members.items():
                low_m, high_m = rear_m[row] - base_m + TOUCHING_M, end_m[row] - base_m - TOUCHING_M
                # In order and apart from each other: the first that ends beyond the rear is the one to look at.
                at = bisect_right(zoned_to_m, low_m)
                if at == len(zoned_from_m) or zoned_from_m[at] >= high_m:
                    continue
                for part in self._parts_of_lane[lane]:
                    if low_m < part.to_m and part.from_m < high_m:
                        inside.setdefault(part.zone, []).append((row, part.branch))
        for zone, holders in inside.items():
            for at, (row, branch) in enumerate(holders):
                for other, other_branch in holders[:at]:
                    if other != row and (self._exclusive[zone] or other_branch != branch):
                        yield Objection(place_id=self._zone_ids[zone], holder=other, claimant=row, overlap_m=0.0)
