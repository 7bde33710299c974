"""
Where a corridor's one-lane sections lie, and how many trucks can stand beyond each.

A section is an authored directional zone of two branches (`Zone.one_lane`). What matters of each direction: where it is entered and
left, how long passing takes, and the *refuge* beyond it: the road on to the next section. As long as no more trucks are let in than can
stand there, each of them comes out whatever happens beyond, and no two sections wait for each other. Where the road forks
before the next section, or leads into a yard, trucks beyond it depend on no section: each has a stand of its own to go to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from planner.corridor import Corridor, TruckType, Zone
from planner.limits import (
    BOUND_PLANNED_M,
    CLEARING_LAG_S,
    NO_STOP_BEFORE_M,
    NO_STOP_BEYOND_M,
    REACTION_S,
    STANDING_MARGIN_M,
    STOP_MARK_M,
    STOP_TOLERANCE_M,
)
from planner.tables import LaneTable

ROOM_OPEN: Final = 1_000_000
NO_SECTION: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """
    One direction through a section.

    Entered at *entry_m* of *entry_lane*, left at *exit_m* of *exit_lane*, *length_m* and unhindered *run_s* later, truck and margins
    included. *room_count* trucks can stand on the *refuge_m* between it and the section that *leads_to* (zone row and
    side), `NO_SECTION` when none follows.
    """

    entry_lane: int
    entry_m: float
    exit_lane: int
    exit_m: float
    length_m: float
    run_s: float
    room_count: int = ROOM_OPEN
    refuge_m: float = 0.0
    leads_to: tuple[int, int] = (NO_SECTION, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A one-lane section: its zone row, and the ways of branch 0 and branch 1."""

    zone_ix: int
    ways: tuple[Way, Way]


def sections_of(corridor: Corridor, lanes: LaneTable) -> tuple[Section, ...]:
    """Every one-lane section, by zone row."""
    kind = max(corridor.truck_types, key=lambda each: each.length_m)
    found = {ix: (_way(corridor, zone, 0, kind), _way(corridor, zone, 1, kind)) for ix, zone in enumerate(corridor.zones) if zone.one_lane}
    entries = {(way.entry_lane, way.entry_m): (ix, side) for ix, ways in found.items() for side, way in enumerate(ways)}
    walk = _Walk(corridor, lanes, kind, entries)
    return tuple(Section(zone_ix=ix, ways=(walk.beyond(ways[0]), walk.beyond(ways[1]))) for ix, ways in found.items())


def _way(corridor: Corridor, zone: Zone, branch: int, kind: TruckType) -> Way:
    """The branch's parts, as its trucks meet them: each lane begins where the one before it ends."""
    parts = [part.stretch for part in zone.parts if part.branch == branch]
    lane_of = {part.lane_id: corridor.lanes[corridor.lane_ix[part.lane_id]] for part in parts}
    ends = {lane.to_node_id for lane in lane_of.values()}
    starts = {lane.from_node_id for lane in lane_of.values()}
    first = next((part for part in parts if lane_of[part.lane_id].from_node_id not in ends), parts[0])
    last = next((part for part in reversed(parts) if lane_of[part.lane_id].to_node_id not in starts), parts[-1])
    length_m = sum(part.end_m - part.start_m for part in parts)
    beyond_m = kind.length_m + 2.0 * BOUND_PLANNED_M + kind.roll_back_m
    slowest_mps = min(kind.speed_max_mps, *(lane.speed_max_mps for lane in lane_of.values()))
    drive_s = sum((part.end_m - part.start_m) / min(kind.speed_max_mps, lane_of[part.lane_id].speed_max_mps) for part in parts)
    return Way(
        entry_lane=corridor.lane_ix[first.lane_id],
        entry_m=first.start_m,
        exit_lane=corridor.lane_ix[last.lane_id],
        exit_m=last.end_m,
        length_m=length_m,
        run_s=drive_s + beyond_m / slowest_mps + REACTION_S + CLEARING_LAG_S,
    )


class _Walk:
    """Follows the road beyond a section, lane by lane, while there is only one way on."""

    def __init__(self, corridor: Corridor, lanes: LaneTable, kind: TruckType, entries: dict[tuple[int, float], tuple[int, int]]) -> None:
        self._lanes = lanes
        self._entries = entries
        self._yards = {corridor.lane_ix[lane_id] for yard in corridor.yards for lane_id in yard.entry_lane_ids}
        # The first truck's end lies a whole refuge past the section; each one behind it takes its length and the margins.
        self._first_m = kind.length_m + 2.0 * BOUND_PLANNED_M + NO_STOP_BEYOND_M
        self._next_m = kind.length_m + 2.0 * BOUND_PLANNED_M + kind.roll_back_m + STANDING_MARGIN_M + STOP_MARK_M + STOP_TOLERANCE_M

    def beyond(self, way: Way) -> Way:
        """The same way, with its refuge."""
        lane, at_m, refuge_m, free_m, room = way.exit_lane, way.exit_m, 0.0, 0.0, 0
        for _ in range(self._lanes.count):
            entry = min((m for on, m in self._entries if on == lane and m >= at_m), default=None)
            to_m = float(self._lanes.length_m[lane]) if entry is None else entry
            for low_m, high_m in self._stops(lane, at_m, to_m):
                room += self._standing(free_m + low_m - at_m)
                free_m, refuge_m, at_m = 0.0, refuge_m + high_m - at_m, high_m
            free_m, refuge_m = free_m + to_m - at_m, refuge_m + to_m - at_m
            if entry is not None:
                leads_to = self._entries[lane, entry]
                room += self._standing(free_m)
                return replace(way, room_count=room, refuge_m=refuge_m, leads_to=leads_to)
            ways_on = self._lanes.succ_lane[self._lanes.succ_start[lane] : self._lanes.succ_start[lane + 1]]
            if len(ways_on) != 1 or int(ways_on[0]) in self._yards:
                return way
            lane, at_m = int(ways_on[0]), 0.0
        return way

    def _stops(self, lane: int, from_m: float, to_m: float) -> list[tuple[float, float]]:
        """No-stop stretches on a lane within [from, to)."""
        at = range(int(self._lanes.stop_start[lane]), int(self._lanes.stop_start[lane + 1]))
        spans = [(float(self._lanes.stop_from_m[stop]), float(self._lanes.stop_to_m[stop])) for stop in at]
        return [(max(low, from_m), min(high, to_m)) for low, high in spans if low < to_m and high > from_m]

    def _standing(self, free_m: float) -> int:
        """How many trucks stand on so many metres between two no-stop stretches."""
        spare_m = free_m - NO_STOP_BEFORE_M - self._first_m
        return 0 if spare_m < 0.0 else 1 + int(spare_m / self._next_m)
