"""
Fans: parallel stands, or parallel gate lanes, between two nodes of a straight alignment.

Every member is one lane from the entry node to the exit node: an S-curve out, a straight, an S-curve back. One lane each keeps
the graph small and leaves no short lanes for a truck's body to straddle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from fleet.site.drafts import Draft, DrawnLane, lane_grades, set_gate
from fleet.site.format import FanSpec, GateFanSpec
from fleet.site.shapes import SHIFT_RATIO_MAX, Alignment, FloatArray, lengths_m, s_curve
from fleet.site.source import YamlPath
from planner.corridor import Gate, GateRole, Stand, StandKind

KMH: Final = 3.6


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """The straight a fan is laid on, seen in the direction of travel."""

    road_id: str
    road: Alignment
    from_node_id: str
    to_node_id: str
    station_m: float
    offset_m: float
    sign: float
    length_m: float

    def member(self, shift_m: float, lead_m: float) -> tuple[FloatArray, FloatArray]:
        """Points and stations of the lane that runs *shift_m* to the left of travel."""
        if shift_m == 0.0:
            advances, shifts = np.array([0.0, self.length_m]), np.zeros(2)
        else:
            out, left = s_curve(lead_m, shift_m)
            advances = np.concatenate([out, self.length_m - out[::-1]])
            shifts = np.concatenate([left, left[::-1]])
        stations = self.station_m + self.sign * advances
        return np.round(self.road.points(stations, self.offset_m + self.sign * shifts), 3), stations


def _frame(draft: Draft, fan: FanSpec | GateFanSpec, shift_max_m: float, path: YamlPath) -> _Frame:
    draft.require("node", fan.from_, draft.nodes, (*path, "from"))
    draft.require("node", fan.to, draft.nodes, (*path, "to"))
    start, end = draft.spec.nodes[fan.from_], draft.spec.nodes[fan.to]
    if start.on is None or start.on != end.on or start.station_m is None or end.station_m is None:
        raise draft.error(path, "a fan lies on one alignment", "give both its nodes `on:` the same alignment")
    if start.offset_m != end.offset_m or start.reverse != end.reverse:
        raise draft.error(path, "a fan's two nodes need the same offset_m and direction", "make offset_m and reverse of both nodes agree")
    sign = -1.0 if start.reverse else 1.0
    length_m = sign * (end.station_m - start.station_m)
    if length_m <= 2.0 * fan.lead_m:
        raise draft.error(
            path, f"the fan is {length_m:g} m long and its leads alone take {2 * fan.lead_m:g} m", "move its nodes apart or shorten lead_m"
        )
    if shift_max_m > SHIFT_RATIO_MAX * fan.lead_m:
        raise draft.error(
            (*path, "lead_m"),
            f"the outermost lane shifts {shift_max_m:g} m within lead_m {fan.lead_m:g}",
            "use a longer lead_m or fewer lanes a side",
        )
    road = draft.roads[start.on]
    low, high = sorted((start.station_m, end.station_m))
    if any(piece.curvature and piece.from_m < high - 1e-6 and piece.from_m + piece.length_m > low + 1e-6 for piece in road.pieces):
        raise draft.error(path, "a fan lies on a straight, and its alignment curves between its nodes", "move it onto a straight piece")
    return _Frame(
        road_id=start.on,
        road=road,
        from_node_id=fan.from_,
        to_node_id=fan.to,
        station_m=start.station_m,
        offset_m=start.offset_m,
        sign=sign,
        length_m=length_m,
    )


def _add_lane(
    draft: Draft, frame: _Frame, name: str, shape: tuple[FloatArray, FloatArray], speed_kmh: float, width_m: float, path: YamlPath
) -> DrawnLane:
    draft.claim("lane", name, path)
    points, stations = shape
    lane = DrawnLane(
        lane_id=name,
        from_node_id=frame.from_node_id,
        to_node_id=frame.to_node_id,
        points=points,
        stations_m=stations,
        speed_mps=speed_kmh / KMH,
        width_m=width_m,
        grades=lane_grades(draft, frame.road_id, points, stations),
    )
    draft.lanes[name] = lane
    return lane


def draw_fans(draft: Draft) -> None:
    """
    Add the lanes and stands of every fan.

    Raises:
        SiteError: a fan cannot be laid where it is written.
    """
    for name, fan in draft.spec.fans.items():
        path: YamlPath = ("fans", name)
        draft.require("yard", fan.yard, draft.spec.yards, (*path, "yard"))
        per_side = {side: sum(row.count for row in fan.rows if row.side == side) for side in ("left", "right")}
        frame = _frame(draft, fan, max(per_side.values()) * fan.spacing_m, path)
        speed_kmh = fan.speed_kmh or draft.spec.defaults.speed_kmh
        width_m = min(draft.spec.defaults.width_m, fan.spacing_m)
        through_kmh = fan.through_speed_kmh or speed_kmh
        _add_lane(draft, frame, f"{name}_through", frame.member(0.0, fan.lead_m), through_kmh, width_m, path)
        taken = {"left": 0, "right": 0}
        numbers: dict[str, int] = {}
        for row in fan.rows:
            for _ in range(row.count):
                taken[row.side] += 1
                numbers[row.kind] = numbers.get(row.kind, 0) + 1
                stand_id = _stand_id(fan, name, row.kind, numbers[row.kind])
                shift_m = taken[row.side] * fan.spacing_m * (1.0 if row.side == "left" else -1.0)
                lane = _add_lane(draft, frame, stand_id, frame.member(shift_m, fan.lead_m), speed_kmh, width_m, path)
                _add_stand(draft, fan, lane, row.kind, path)


def _stand_id(fan: FanSpec, name: str, kind: str, number: int) -> str:
    mixed = len({row.kind for row in fan.rows}) > 1
    stem = fan.prefix or name
    return f"{stem}_{kind}_{number:02}" if mixed else f"{stem}_{number:02}"


def _add_stand(draft: Draft, fan: FanSpec, lane: DrawnLane, kind: str, path: YamlPath) -> None:
    along = lengths_m(lane.points)
    assert lane.stations_m is not None
    # Half of the points are the lead out, half the lead back: the slot lies between the two middle ones.
    slot_end_m = float(along[len(along) // 2])
    draft.claim("stand", lane.lane_id, path)
    draft.stands[lane.lane_id] = Stand(
        stand_id=lane.lane_id,
        yard_id=fan.yard,
        kind=StandKind(kind),
        lane_id=lane.lane_id,
        stop_m=round(slot_end_m - fan.stop_before_end_m, 3),
    )


def draw_gate_fans(draft: Draft) -> None:
    """
    Add the lanes and gates of every gate fan.

    Raises:
        SiteError: a gate fan cannot be laid where it is written.
    """
    for name, fan in draft.spec.gate_fans.items():
        path: YamlPath = ("gate_fans", name)
        draft.require("process", fan.process, draft.spec.processes, (*path, "process"))
        frame = _frame(draft, fan, max(abs(offset) for offset in fan.offsets_m), path)
        speed_kmh = fan.speed_kmh or draft.spec.defaults.speed_kmh
        width_m = fan.width_m or draft.spec.defaults.width_m
        if fan.through:
            _add_lane(draft, frame, f"{name}_through", frame.member(0.0, fan.lead_m), fan.through_speed_kmh or speed_kmh, width_m, path)
        for number, offset_m in enumerate(fan.offsets_m, start=1):
            gate_id = f"{name}_{number}"
            lane = _add_lane(draft, frame, gate_id, frame.member(offset_m, fan.lead_m), speed_kmh, width_m, path)
            stop_m = lane.chainage_of(fan.stop_station_m)
            if stop_m is None:
                raise draft.error(
                    (*path, "stop_station_m"), f"station {fan.stop_station_m:g} lies outside the fan", "put it between the fan's nodes"
                )
            gate = Gate(
                gate_id=gate_id,
                lane_id=gate_id,
                role=GateRole(fan.role),
                process=fan.process,
                call_m=round(stop_m - fan.call_before_m, 3),
                stop_line_m=round(stop_m, 3),
                barrier_m=round(stop_m + fan.barrier_after_m, 3),
                clear_m=round(stop_m + fan.clear_after_m, 3),
            )
            set_gate(draft, gate, path)
