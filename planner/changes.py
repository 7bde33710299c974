"""
What differs between two maps of one corridor: the lanes whose metres may not be driven while the one gives way to the other.

The unit is the lane. A lane is the same only if nothing a truck must know of it differs: its course, length, width, limit and
grades, the zones it shares with others (every part of them, on whatever lane), its stretches without stopping, its gates and its
stands. Anything else makes all of its metres changed; nobody has to ask which ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from planner.corridor import Corridor, Gate, Lane, Stand, Stretch, Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """
    What is not the same afterwards.

    *lane_ids* and *truck_type_ids* are of the map before; what only the map after has is empty road and unknown trucks.
    """

    lane_ids: frozenset[str]
    truck_type_ids: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """One lane and all that lies on it."""

    lane: Lane
    zones: frozenset[tuple[Hashable, int]]
    no_stops: frozenset[Stretch]
    gates: frozenset[Gate]
    stands: frozenset[Stand]


def changes_between(before: Corridor, after: Corridor) -> Changes:
    """What of *before* is not the same in *after*."""
    types = {kind.truck_type_id: kind for kind in after.truck_types}
    drawn, drawn_after = _lanes(before), _lanes(after)
    # Every coordinate counts from the origin: another origin is another place for everything.
    moved = (before.origin_latitude_deg, before.origin_longitude_deg) != (after.origin_latitude_deg, after.origin_longitude_deg)
    return Changes(
        lane_ids=frozenset(lane_id for lane_id, lane in drawn.items() if moved or drawn_after.get(lane_id) != lane),
        truck_type_ids=frozenset(kind.truck_type_id for kind in before.truck_types if types.get(kind.truck_type_id) != kind),
    )


def _lanes(corridor: Corridor) -> Mapping[str, _Drawn]:
    zones: dict[str, Counter[Hashable]] = {}
    for zone in corridor.zones:
        content = _content(zone)
        for lane_id in {part.stretch.lane_id for part in zone.parts}:
            zones.setdefault(lane_id, Counter())[content] += 1
    no_stops, gates, stands = _by_lane(corridor.no_stops), _by_lane(corridor.gates), _by_lane(corridor.stands)
    return {
        lane.lane_id: _Drawn(
            lane=lane,
            zones=frozenset(zones.get(lane.lane_id, Counter()).items()),
            no_stops=frozenset(no_stops.get(lane.lane_id, ())),
            gates=frozenset(gates.get(lane.lane_id, ())),
            stands=frozenset(stands.get(lane.lane_id, ())),
        )
        for lane in corridor.lanes
    }


class _OnLane(Protocol):
    @property
    def lane_id(self) -> str: ...


_OnLaneT = TypeVar("_OnLaneT", bound=_OnLane)


def _by_lane(things: Iterable[_OnLaneT]) -> Mapping[str, list[_OnLaneT]]:
    found: dict[str, list[_OnLaneT]] = {}
    for thing in things:
        found.setdefault(thing.lane_id, []).append(thing)
    return found


def _content(zone: Zone) -> Hashable:
    """What a zone is, whatever it and its branches are called."""
    branches: dict[int, set[Stretch]] = {}
    for part in zone.parts:
        branches.setdefault(part.branch, set()).add(part.stretch)
    return zone.kind, frozenset(frozenset(stretches) for stretches in branches.values())
