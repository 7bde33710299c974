"""
Derived zones against a second opinion: bodies of trucks laid on the road one by one, as polygons.

Two trucks whose road shares no metre of a lane and no zone must not touch, wherever they stand. The check knows nothing of
half widths and samples: it lays rectangles between a rear and a nose on the lanes and asks whether they meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from fleet.site import load_site
from fleet.site.envelopes import derive_zones, envelopes
from planner.corridor import Corridor, Lane, StandKind, Zone, ZoneKind

FloatArray = NDArray[np.float64]
site = cache(load_site)


@dataclass(frozen=True, kw_only=True)
class Body:
    """A truck on the road: its ground as a polygon, and the metres of each lane it stands on."""

    polygon: shapely.Polygon
    road: tuple[tuple[str, float, float], ...]


def _point(points: FloatArray, at_m: float) -> FloatArray:
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    return np.array([np.interp(at_m, along, points[:, 0]), np.interp(at_m, along, points[:, 1])])


def _bodies(corridor: Corridor, step_m: float) -> Iterator[Body]:
    """Bodies every *step_m* of every lane, once for each lane their rear may stand on."""
    kind = corridor.truck_types[0]
    side_m = kind.width_m / 2.0 + kind.lateral_error_m
    points = {lane.lane_id: np.array(lane.points) for lane in corridor.lanes}
    for lane in corridor.lanes:
        before = [other for other in corridor.lanes if other.to_node_id == lane.from_node_id]
        for nose_m in np.arange(step_m / 2.0, lane.length_m, step_m):
            nose, rear_m = _point(points[lane.lane_id], nose_m), nose_m - kind.length_m
            if rear_m >= 0.0:
                yield Body(polygon=_rectangle(_point(points[lane.lane_id], rear_m), nose, side_m), road=((lane.lane_id, rear_m, nose_m),))
                continue
            for other in before:
                if other.length_m + rear_m < 0.0:
                    continue
                rear = _point(points[other.lane_id], other.length_m + rear_m)
                road = ((lane.lane_id, 0.0, nose_m), (other.lane_id, other.length_m + rear_m, other.length_m))
                yield Body(polygon=_rectangle(rear, nose, side_m), road=road)


def _rectangle(rear: FloatArray, nose: FloatArray, side_m: float) -> shapely.Polygon:
    ahead = (nose - rear) / np.hypot(*(nose - rear))
    left = np.array([-ahead[1], ahead[0]]) * side_m
    return shapely.Polygon([rear - left, nose - left, nose + left, rear + left])


# Nose to tail in a curve, two stiff bodies touch at their inner corners before the path gap is used up: width * tan(L / 2R).
FOLLOWING_M = 2.0


def _follow(one: Body, other: Body, length_m: dict[str, float], after: set[tuple[str, str]]) -> bool:
    """Whether one stands right behind the other on one path: there the standing margin keeps them apart."""
    for lane_a, low_a, high_a in one.road:
        for lane_b, low_b, high_b in other.road:
            if lane_a == lane_b and low_a < high_b + FOLLOWING_M and low_b < high_a + FOLLOWING_M:
                return True
            if (lane_a, lane_b) in after and length_m[lane_a] - high_a + low_b < FOLLOWING_M:
                return True
            if (lane_b, lane_a) in after and length_m[lane_b] - high_b + low_a < FOLLOWING_M:
                return True
    return False


def _excluded(one: Body, other: Body, zones: dict[tuple[str, str], list[Zone]]) -> bool:
    """Whether two branches of one zone keep them from standing there at once."""
    for lane_a, low_a, high_a in one.road:
        for lane_b, low_b, high_b in other.road:
            for zone in zones.get((lane_a, lane_b), ()):
                stretch = {part.stretch.lane_id: part.stretch for part in zone.parts}
                in_a = low_a < stretch[lane_a].end_m and stretch[lane_a].start_m < high_a
                if in_a and low_b < stretch[lane_b].end_m and stretch[lane_b].start_m < high_b:
                    return True
    return False


def _touching(corridor: Corridor, step_m: float) -> list[tuple[Body, Body]]:
    """Pairs of bodies that meet although nothing keeps them apart."""
    bodies = list(_bodies(corridor, step_m))
    polygons = np.array([body.polygon for body in bodies])
    zones: dict[tuple[str, str], list[Zone]] = {}
    for zone in corridor.zones:
        a, b = (part.stretch.lane_id for part in zone.parts)
        zones.setdefault((a, b), []).append(zone)
        zones.setdefault((b, a), []).append(zone)
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    pairs = zip(first[first < second].tolist(), second[first < second].tolist(), strict=True)
    length_m = {lane.lane_id: lane.length_m for lane in corridor.lanes}
    after = {(lane.lane_id, then.lane_id) for lane in corridor.lanes for then in corridor.lanes if lane.to_node_id == then.from_node_id}
    met = ((bodies[a], bodies[b]) for a, b in pairs)
    return [pair for pair in met if not _follow(*pair, length_m, after) and not _excluded(*pair, zones)]


@pytest.mark.parametrize(("name", "step_m"), [("mandula", 2.3), ("ganqimaodu", 7.1)])
def test_bodies_outside_common_zones_never_touch(name: str, step_m: float) -> None:
    """Authorities keep trucks apart by lanes and zones alone: a zone too short is a collision in waiting."""
    corridor = site(name)

    touching = _touching(corridor, step_m)

    assert [(one.road, other.road) for one, other in touching[:3]] == []


def test_the_second_opinion_sees_a_missing_zone() -> None:
    """A check that passes on a road without zones proves nothing."""
    corridor = site("mandula")
    kept = tuple(zone for zone in corridor.zones if zone.zone_id != "diverge mn_park_03/mn_park_04")
    fields = {name: getattr(corridor, name) for name in Corridor.__dataclass_fields__}

    touching = _touching(Corridor(**(fields | {"zones": kept})), 2.3)

    assert {frozenset((one.road[0][0], other.road[0][0])) for one, other in touching} == {frozenset(("mn_park_03", "mn_park_04"))}


def test_no_zone_covers_a_truck_at_rest() -> None:
    """A refuge is a place where a truck blocks nobody."""
    corridor = site("ganqimaodu")
    length_m = corridor.truck_types[0].length_m
    parts = [part.stretch for zone in corridor.zones for part in zone.parts]

    for stand in corridor.stands:
        low_m, high_m = stand.stop_m - length_m, stand.stop_m + 3.0
        assert not [one for one in parts if one.lane_id == stand.lane_id and one.start_m < high_m and low_m < one.end_m], stand


def _lane(lane_id: str, ends: tuple[str, str], *points: tuple[float, float]) -> Lane:
    length_m = float(np.hypot(*np.diff(np.array(points), axis=0).T).sum())
    return Lane(lane_id=lane_id, from_node_id=ends[0], to_node_id=ends[1], points=points, length_m=length_m, width_m=4.0, speed_max_mps=6.0)


def test_a_level_crossing_is_one_zone_with_a_branch_a_lane() -> None:
    """Lanes that meet only in the middle must exclude each other there, and nowhere else."""
    lanes = [_lane("east", ("a", "b"), (0.0, 0.0), (100.0, 0.0)), _lane("north", ("c", "d"), (50.0, -50.0), (50.0, 50.0))]

    (zone,) = derive_zones(lanes, site("mandula").truck_types)

    assert (zone.zone_id, zone.kind, zone.derived) == ("crossing east/north", ZoneKind.DIRECTIONAL, True)
    assert {part.branch for part in zone.parts} == {0, 1}
    for part in zone.parts:
        assert 44.0 <= part.stretch.start_m <= 46.4
        assert 53.6 <= part.stretch.end_m <= 56.0


def test_lanes_that_follow_one_another_need_no_zone_at_their_joint() -> None:
    """At a joint trucks queue as on one lane; a zone there would stop the second for nothing."""
    lanes = [_lane("first", ("a", "b"), (0.0, 0.0), (60.0, 0.0)), _lane("then", ("b", "c"), (60.0, 0.0), (120.0, 0.0))]

    assert derive_zones(lanes, site("mandula").truck_types) == ()


def test_the_body_bulges_into_the_straight_beside_a_curve() -> None:
    """A truck that leaves a straight for a curve swings its flank before the curve begins, on the lane before too."""
    turns = np.linspace(0.0, np.pi / 2.0, 40)
    arc = [(60.0 + 20.0 * float(np.sin(turn)), 20.0 - 20.0 * float(np.cos(turn))) for turn in turns]
    lanes = [_lane("straight", ("a", "b"), (0.0, 0.0), (60.0, 0.0)), _lane("curve", ("b", "c"), *arc)]
    kind = site("mandula").truck_types[0]

    swept = envelopes(lanes, [kind])

    bare_m = kind.width_m / 2.0 + kind.lateral_error_m
    assert swept["straight"].half_width_m[10] == pytest.approx(bare_m, abs=1e-6)
    assert swept["straight"].half_width_m[-1] > bare_m + 0.5
    assert swept["curve"].half_width_m[len(arc) // 3] >= bare_m + kind.length_m**2 / (8.0 * 20.0) - 0.1


def test_every_merge_and_diverge_has_its_zone() -> None:
    """Wherever two lanes share a node they share ground; a pair without a zone would let two trucks in."""
    corridor = site("as_built_2023")
    zoned = {frozenset(part.stretch.lane_id for part in zone.parts) for zone in corridor.zones}

    for one in corridor.lanes:
        for other in corridor.lanes:
            siblings = one.from_node_id == other.from_node_id or one.to_node_id == other.to_node_id
            if one.lane_id < other.lane_id and siblings:
                assert frozenset((one.lane_id, other.lane_id)) in zoned
    assert any(stand.kind is StandKind.BAY for stand in corridor.stands)
