"""From what is written in a site file to nodes, lanes, gates and stands: alignments are laid, lanes drawn along them."""

from __future__ import annotations

import itertools
import math
from typing import Final

import numpy as np

from fleet.site.drafts import Draft, DrawnLane, lane_grades, set_gate
from fleet.site.fans import draw_fans, draw_gate_fans
from fleet.site.format import AlignmentSpec, LaneSpec, PlaceSpec, SiteSpec
from fleet.site.shapes import SHIFT_RATIO_MAX, FloatArray, Pose, alignment, arc_straight_arc, follow, lengths_m
from fleet.site.source import Source, YamlPath
from planner.corridor import Gate, GateRole, GradePiece, Node, Stand, StandKind

KMH: Final = 3.6
# An alignment goes on straight beyond its ends, so that gates and yards beside its station 0 can be placed by it.
BEYOND_MAX_M: Final = 1_000.0


def draft_of(spec: SiteSpec, source: Source) -> Draft:
    """
    Everything the file describes, drawn; nothing derived yet.

    Raises:
        SiteError: a reference leads nowhere, or something cannot be drawn.
    """
    draft = Draft(spec=spec, source=source)
    _lay_alignments(draft)
    _place_nodes(draft)
    for name, lane in spec.lanes.items():
        _draw_lane(draft, name, lane)
    draw_fans(draft)
    draw_gate_fans(draft)
    _set_gates(draft)
    _set_stands(draft)
    return draft


def _heading_rad(bearing_deg: float) -> float:
    return math.radians(90.0 - bearing_deg)


def pose_of(draft: Draft, place: PlaceSpec, path: YamlPath) -> Pose:
    """
    Where *place* is and which way travel goes there.

    Raises:
        SiteError: its alignment is not there (or not laid yet), or is shorter than the station.
    """
    if place.on is None:
        assert place.x_m is not None
        assert place.y_m is not None
        return Pose(x_m=place.x_m, y_m=place.y_m, heading_rad=_heading_rad(place.bearing_deg or 0.0))
    draft.require("alignment", place.on, draft.roads, (*path, "on"))
    assert place.station_m is not None
    road = draft.roads[place.on]
    if not -BEYOND_MAX_M <= place.station_m <= road.length_m + BEYOND_MAX_M:
        raise draft.error(
            (*path, "station_m"),
            f"station {place.station_m:g} lies off alignment {place.on!r}",
            f"its stations run from 0 to {road.length_m:.1f} m, and {BEYOND_MAX_M:g} m straight on at either end",
        )
    pose = road.pose(place.station_m, place.offset_m)
    turned = pose.heading_rad + math.pi if place.reverse else pose.heading_rad
    return Pose(x_m=pose.x_m, y_m=pose.y_m, heading_rad=turned)


def _lay_alignments(draft: Draft) -> None:
    for name, written in draft.spec.alignments.items():
        path: YamlPath = ("alignments", name)
        start = pose_of(draft, written.start, (*path, "start"))
        draft.roads[name] = alignment(start, [_piece(written, ix) for ix in range(len(written.pieces))])


def _piece(written: AlignmentSpec, ix: int) -> tuple[float, float]:
    piece = written.pieces[ix]
    if piece.straight_m is not None:
        return piece.straight_m, 0.0
    assert piece.arc_deg is not None
    assert piece.radius_m is not None
    return math.radians(piece.arc_deg) * piece.radius_m, (1.0 if piece.turn == "left" else -1.0) / piece.radius_m


def _place_nodes(draft: Draft) -> None:
    for name, place in draft.spec.nodes.items():
        pose = pose_of(draft, place, ("nodes", name))
        draft.poses[name] = pose
        draft.nodes[name] = Node(node_id=name, x_m=round(pose.x_m, 3), y_m=round(pose.y_m, 3))
        draft.claim("node", name, ("nodes", name))


def _draw_lane(draft: Draft, name: str, lane: LaneSpec) -> None:
    path: YamlPath = ("lanes", name)
    draft.require("node", lane.from_, draft.nodes, (*path, "from"))
    draft.require("node", lane.to, draft.nodes, (*path, "to"))
    if lane.from_ == lane.to:
        raise draft.error(path, f"lane {name!r} ends where it begins", "a ring needs at least two lanes")
    points, stations = _shape(draft, lane, path)
    points = np.round(points, 3)
    length_m = float(lengths_m(points)[-1])
    if length_m < 1.0:
        raise draft.error(path, f"lane {name!r} is {length_m:.2f} m long", "a lane is at least 1 m; put its nodes further apart")
    road = draft.spec.nodes[lane.from_].on if stations is not None else None
    grades = lane_grades(draft, road, points, stations)
    if lane.grades is not None:
        grades = _own_grades(draft, lane, path)
    draft.claim("lane", name, path)
    draft.lanes[name] = DrawnLane(
        lane_id=name,
        from_node_id=lane.from_,
        to_node_id=lane.to,
        points=points,
        stations_m=stations,
        speed_mps=(lane.speed_kmh or draft.spec.defaults.speed_kmh) / KMH,
        width_m=lane.width_m or draft.spec.defaults.width_m,
        grades=grades,
    )


def _shape(draft: Draft, lane: LaneSpec, path: YamlPath) -> tuple[FloatArray, FloatArray | None]:
    start, end = draft.poses[lane.from_], draft.poses[lane.to]
    place_a, place_b = draft.spec.nodes[lane.from_], draft.spec.nodes[lane.to]
    if lane.points is not None:
        inner = [[x, y] for x, y in lane.points]
        return np.array([[start.x_m, start.y_m], *inner, [end.x_m, end.y_m]]), None
    if lane.radius_m is not None:
        points = arc_straight_arc(start, end, lane.radius_m)
        if points is None:
            raise draft.error(
                (*path, "radius_m"), f"no curve of radius {lane.radius_m:g} m joins the two headings", "try a smaller radius_m"
            )
        return points, None
    if place_a.on is None or place_a.on != place_b.on or place_a.station_m is None or place_b.station_m is None:
        return np.array([[start.x_m, start.y_m], [end.x_m, end.y_m]]), None
    advance_m = place_b.station_m - place_a.station_m
    if place_a.reverse != place_b.reverse or advance_m == 0.0 or (advance_m < 0.0) != place_a.reverse:
        raise draft.error(
            path,
            f"from station {place_a.station_m:g} to {place_b.station_m:g} is not the way its nodes face",
            "swap from and to, or set reverse on both nodes where travel runs against the stations",
        )
    shift_m = place_b.offset_m - place_a.offset_m
    if abs(shift_m) > SHIFT_RATIO_MAX * abs(advance_m):
        raise draft.error(
            path, f"shifts {abs(shift_m):g} m sideways within {abs(advance_m):g} m", "give it more metres of advance, or radius_m"
        )
    road = draft.roads[place_a.on]
    points = follow(road, (place_a.station_m, place_a.offset_m), (place_b.station_m, place_b.offset_m))
    stations = _stations_along(points, place_a.station_m, place_b.station_m)
    return points, stations


def _stations_along(points: FloatArray, station_a: float, station_b: float) -> FloatArray:
    """Stations in proportion to chainage: exact on straights and arcs, within a metre or two on long shifts."""
    along = lengths_m(points)
    return np.asarray(station_a + (station_b - station_a) * along / along[-1], dtype=np.float64)


def _own_grades(draft: Draft, lane: LaneSpec, path: YamlPath) -> tuple[GradePiece, ...]:
    pieces = tuple(GradePiece(from_m=entry.from_m, grade=entry.grade) for entry in lane.grades or ())
    starts = [piece.from_m for piece in pieces]
    if not starts or starts[0] != 0.0 or any(b <= a for a, b in itertools.pairwise(starts)):
        raise draft.error((*path, "grades"), "grades must begin at from_m: 0 and rise", "sort them by from_m")
    return pieces


def _set_gates(draft: Draft) -> None:
    for name, gate in draft.spec.gates.items():
        path: YamlPath = ("gates", name)
        draft.require("lane", gate.lane, draft.lanes, (*path, "lane"))
        draft.require("process", gate.process, draft.spec.processes, (*path, "process"))
        lane = draft.lanes[gate.lane]
        stop_m = gate.stop_m
        if gate.stop_station_m is not None:
            stop_m = lane.chainage_of(gate.stop_station_m)
            if stop_m is None:
                raise draft.error(
                    (*path, "stop_station_m"),
                    f"lane {gate.lane!r} does not pass station {gate.stop_station_m:g}",
                    "name the lane that does",
                )
        assert stop_m is not None
        set_gate(
            draft,
            Gate(
                gate_id=name,
                lane_id=gate.lane,
                role=GateRole(gate.role),
                process=gate.process,
                call_m=round(stop_m - gate.call_before_m, 3),
                stop_line_m=round(stop_m, 3),
                barrier_m=round(stop_m + gate.barrier_after_m, 3),
                clear_m=round(stop_m + gate.clear_after_m, 3),
                drive_through=gate.drive_through,
            ),
            path,
        )


def _set_stands(draft: Draft) -> None:
    for name, stand in draft.spec.stands.items():
        path: YamlPath = ("stands", name)
        draft.require("lane", stand.lane, draft.lanes, (*path, "lane"))
        draft.require("yard", stand.yard, draft.spec.yards, (*path, "yard"))
        draft.claim("stand", name, path)
        draft.stands[name] = Stand(stand_id=name, yard_id=stand.yard, kind=StandKind(stand.kind), lane_id=stand.lane, stop_m=stand.stop_m)
