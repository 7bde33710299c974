"""
Whether any two trucks hold the same ground: exclusivity as it is on the road, not as the server's ledger has it.

A truck's ground runs from its true tail to the end of authority it holds onboard, or to its nose where it holds none or is past it.
No two may share a metre of lane, nor a zone that is one truck's, or one branch's, at a time. Two bodies that touch are the last
sign of a wrong decision, and often need bad luck besides; ground that is shared is the first, and needs none.

Nothing here comes from the planner: lanes, zones and their parts are the corridor's, places and ends are the simulator's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from planner._jit import kernel, piece
from planner.corridor import Corridor, ZoneKind
from sim_harness.observation import FlagArray, FloatArray, IndexArray, Roster, TickView
from sim_harness.paths import Paths

# Ground sharing less than this only touches, metres: two sums of one boundary.
TOUCHING_M: Final = 1e-6
PAIRS_MAX: Final = 256
# Stretches of lanes, and parts of zones, that one truck's ground meets at most.
PIECES: Final = 64


class ZoneParts(NamedTuple):
    """
    The corridor's zones by lane: entries of lane i are [start[i], start[i + 1]); m lanes, z zones.

    start (m + 1,); zone, branch, from_m, to_m, one an entry; exclusive (z,).
    """

    start: IndexArray
    zone: IndexArray
    branch: IndexArray
    from_m: FloatArray
    to_m: FloatArray
    exclusive: FlagArray


class Hung(NamedTuple):
    """
    Room for chains of what was found so far, by lane (m,) and by zone (z,); -1 ends a chain.

    *lane_next*, *zone_next*: the entry hung before; *row*, *low_m*, *high_m*: whose stretch of the lane; *holder*, *branch*: of the zone.
    """

    lane_head: IndexArray
    lane_next: IndexArray
    row: IndexArray
    low_m: FloatArray
    high_m: FloatArray
    zone_head: IndexArray
    zone_next: IndexArray
    holder: IndexArray
    branch: IndexArray


def zone_parts(corridor: Corridor) -> ZoneParts:
    """The zones of *corridor*, by lane."""
    by_lane: list[list[tuple[float, float, int, int]]] = [[] for _ in corridor.lanes]
    for zone_ix, zone in enumerate(corridor.zones):
        for part in zone.parts:
            at = part.stretch
            by_lane[corridor.lane_ix[at.lane_id]].append((at.start_m, at.end_m, zone_ix, part.branch))
    flat = [entry for entries in by_lane for entry in entries]
    return ZoneParts(
        start=np.cumsum([0, *(len(entries) for entries in by_lane)], dtype=np.int32),
        zone=np.array([entry[2] for entry in flat], dtype=np.int32),
        branch=np.array([entry[3] for entry in flat], dtype=np.int32),
        from_m=np.array([entry[0] for entry in flat], dtype=np.float64),
        to_m=np.array([entry[1] for entry in flat], dtype=np.float64),
        exclusive=np.array([zone.kind is ZoneKind.EXCLUSIVE for zone in corridor.zones], dtype=np.bool_),
    )


def _room(trucks: int, corridor: Corridor) -> Hung:
    pieces = trucks * PIECES
    return Hung(
        lane_head=np.empty(len(corridor.lanes), np.int32),
        lane_next=np.empty(pieces, np.int32),
        row=np.empty(pieces, np.int32),
        low_m=np.empty(pieces),
        high_m=np.empty(pieces),
        zone_head=np.empty(len(corridor.zones), np.int32),
        zone_next=np.empty(pieces, np.int32),
        holder=np.empty(pieces, np.int32),
        branch=np.empty(pieces, np.int32),
    )


@piece
def _note(pair: tuple[int, int, int], found: int, out_pairs: IndexArray) -> int:
    """Write one pair (row, other, place), lower row first, where there is room; how many were found with it."""
    row, other, place = pair
    if found < len(out_pairs):
        out_pairs[found, 0] = min(row, other)
        out_pairs[found, 1] = max(row, other)
        out_pairs[found, 2] = place
    return found + 1


@piece
def _hang_on_lane(lane: int, row: int, low_m: float, high_m: float, entry: int, hung: Hung, found: int, out_pairs: IndexArray) -> int:
    """Hang one stretch of *lane* on its chain; how many pairs were found with those it shares metres with."""
    at = hung.lane_head[lane]
    while at >= 0:
        if hung.row[at] != row and min(high_m, hung.high_m[at]) - max(low_m, hung.low_m[at]) > TOUCHING_M:
            found = _note((row, hung.row[at], lane), found, out_pairs)
        at = hung.lane_next[at]
    hung.row[entry], hung.low_m[entry], hung.high_m[entry] = row, low_m, high_m
    hung.lane_next[entry] = hung.lane_head[lane]
    hung.lane_head[lane] = entry
    return found


@piece
def _hang_on_zone(part: int, row: int, entry: int, parts: ZoneParts, hung: Hung, found: int, out_pairs: IndexArray) -> int:
    """Hang *row* on the chain of the zone it holds a part of; how many pairs were found with those who may not hold it too."""
    zone, branch = parts.zone[part], parts.branch[part]
    at = hung.zone_head[zone]
    while at >= 0:
        if hung.holder[at] != row and (parts.exclusive[zone] or hung.branch[at] != branch):
            found = _note((row, hung.holder[at], len(hung.lane_head) + zone), found, out_pairs)
        at = hung.zone_next[at]
    hung.holder[entry], hung.branch[entry] = row, branch
    hung.zone_next[entry] = hung.zone_head[zone]
    hung.zone_head[zone] = entry
    return found


@kernel
def shared_ground(
    paths: Paths, nose_m: FloatArray, end_m: FloatArray, length_m: FloatArray, parts: ZoneParts, hung: Hung, out_pairs: IndexArray
) -> int:
    """
    Count of pairs of trucks that hold the same ground; the first of them are written. -1: more ground than there is room for.

    paths     the trucks' paths
    nose_m, end_m, length_m   (n,) true noses and ends held on the path coordinate (nan: none held), bodies
    parts     the zones by lane
    hung      scratch
    out_pairs (k, 3) lower row, higher row, and place: lane row, or count of lanes + zone row. A pair may come more than once
    """
    hung.lane_head[:] = -1
    hung.zone_head[:] = -1
    found = on_lanes = in_zones = 0
    for i in range(len(nose_m)):
        low_m = nose_m[i] - length_m[i]
        high_m = nose_m[i] if math.isnan(end_m[i]) else max(nose_m[i], end_m[i])
        for k in range(paths.held[i]):
            base_m = paths.start_m[i, k]
            if base_m >= high_m:
                break
            if paths.start_m[i, k + 1] <= low_m:
                continue
            lane = paths.lane[i, k]
            from_m, to_m = max(low_m - base_m, 0.0), min(high_m, paths.start_m[i, k + 1]) - base_m
            if on_lanes == len(hung.row):
                return -1
            found = _hang_on_lane(lane, i, from_m, to_m, on_lanes, hung, found, out_pairs)
            on_lanes += 1
            for part in range(parts.start[lane], parts.start[lane + 1]):
                if parts.from_m[part] >= to_m - TOUCHING_M or parts.to_m[part] <= from_m + TOUCHING_M:
                    continue
                if in_zones == len(hung.holder):
                    return -1
                found = _hang_on_zone(part, i, in_zones, parts, hung, found, out_pairs)
                in_zones += 1
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Two trucks held the same ground: metres of a lane, or a zone."""

    time_s: float
    truck_id: str
    other_truck_id: str
    place_id: str


class GroundCheck:
    """Looks at what trucks hold, whenever asked; an episode that lasts from one look to the next counts once."""

    def __init__(self, roster: Roster) -> None:
        corridor = roster.corridor
        self._truck_ids = roster.truck_ids
        self._length_m = roster.column("length_m")
        self._places = [*(lane.lane_id for lane in corridor.lanes), *(zone.zone_id for zone in corridor.zones)]
        self._parts = zone_parts(corridor)
        self._hung = _room(len(roster.truck_ids), corridor)
        self._pairs = np.empty((PAIRS_MAX, 3), np.int32)
        self._sharing: frozenset[tuple[int, int]] = frozenset()
        self.found: list[Shared] = []

    def look(self, paths: Paths, view: TickView) -> None:
        """Look at what is held now, by trucks on *paths*."""
        count = shared_ground(paths, view.nose_path_m, view.end_path_m, self._length_m, self._parts, self._hung, self._pairs)
        assert count >= 0, "more ground is held than anybody could use"
        if not count and not self._sharing:
            return
        where = {(int(row), int(other)): int(place) for row, other, place in self._pairs[: min(count, PAIRS_MAX)][::-1]}
        for row, other in sorted(where.keys() - self._sharing):
            self.found.append(
                Shared(
                    time_s=view.time_s,
                    truck_id=self._truck_ids[row],
                    other_truck_id=self._truck_ids[other],
                    place_id=self._places[where[row, other]],
                )
            )
        self._sharing = frozenset(where)
