"""
The fleet as people see it: trucks on the map.

The loop's picture has lanes and chainages; a watcher wants east, north and heading. Both come from one moment between two ticks.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from google.protobuf.duration_pb2 import Duration

from fleet.clock import NS_PER_S
from fleet.server.commands import TruckAnswer
from fleet.server.fleet_view import FleetView
from fleet.server.loop.roots import Subjects, name_of
from fleet.server.wire.codec_answers import stamp
from fleet.server.wire.codec_out import containers
from fleet.v1 import common_pb2
from fleet.v1 import dispatch_pb2 as d
from planner.corridor import Corridor, Lane

# A report younger than this is fresh; its exact age is nobody's business and would make every truck new in every update.
FRESH_NS: Final = NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPlace:
    """East and north in metres, heading in radians counter-clockwise from east."""

    east_m: float
    north_m: float
    heading_rad: float


class _LaneShape:
    """A lane's polyline, walked by chainage scaled to the lane's own length."""

    def __init__(self, lane: Lane) -> None:
        self._points = lane.points
        legs = [math.dist(a, b) for a, b in zip(lane.points, lane.points[1:], strict=False)]
        self._starts = [0.0, *accumulate(legs)]
        self._scale = self._starts[-1] / lane.length_m

    def place(self, chainage_m: float) -> MapPlace:
        along = min(max(chainage_m * self._scale, 0.0), self._starts[-1])
        leg = min(max(bisect_right(self._starts, along) - 1, 0), len(self._points) - 2)
        (x0, y0), (x1, y1) = self._points[leg], self._points[leg + 1]
        length = self._starts[leg + 1] - self._starts[leg]
        part = (along - self._starts[leg]) / length if length > 0.0 else 0.0
        return MapPlace(east_m=x0 + part * (x1 - x0), north_m=y0 + part * (y1 - y0), heading_rad=math.atan2(y1 - y0, x1 - x0))


class TruckDrawer:
    """Writes trucks of one site. *utc_at_zero_ns*: Unix time of control time 0."""

    def __init__(self, corridor: Corridor, utc_at_zero_ns: int) -> None:
        self._subjects = Subjects(corridor)
        self._utc_at_zero_ns = utc_at_zero_ns
        self._lane_ids = [lane.lane_id for lane in corridor.lanes]
        self._shapes = [_LaneShape(lane) for lane in corridor.lanes]

    def truck(self, answer: TruckAnswer, picture: FleetView) -> d.Truck:
        """One truck: the desk's *answer* and its place in *picture*."""
        message = d.Truck(
            truck_id=answer.truck_id,
            truck_type_id=answer.truck_type_id,
            mission_id=answer.mission_id,
            mission=common_pb2.MissionState.ValueType(answer.mission_state),
            goal_id=answer.goal_id,
            containers=containers(answer.containers),
            round_trips=answer.round_trips,
            held=answer.held,
            decommissioned=answer.decommissioned,
            asked=answer.asked,
            needs_second_person=answer.needs_second_person,
        )
        row = answer.row
        if 0 <= row < len(picture.lane_ix):
            self._add_place(message, picture, row)
        return message

    def _add_place(self, message: d.Truck, picture: FleetView, row: int) -> None:
        message.session = common_pb2.SessionState.ValueType(int(picture.session[row]))
        message.speed_mps = float(picture.speed_mps[row])
        message.laden = bool(picture.laden[row])
        message.battery_wh = float(picture.battery_wh[row])
        message.brake_health = float(picture.brake_health[row])
        age_ns = int(picture.report_age_ns[row])
        if age_ns >= 0:
            message.report_age.CopyFrom(Duration(seconds=age_ns // NS_PER_S, nanos=age_ns % NS_PER_S if age_ns < FRESH_NS else 0))
        lane_ix = int(picture.lane_ix[row])
        if lane_ix >= 0:
            chainage_m = float(picture.chainage_m[row])
            message.nose.CopyFrom(common_pb2.LanePoint(lane_id=self._lane_ids[lane_ix], chainage_m=chainage_m))
            place = self._shapes[lane_ix].place(chainage_m)
            message.east_m, message.north_m, message.heading_rad = place.east_m, place.north_m, place.heading_rad
        if picture.standing[row]:
            message.standing_for.CopyFrom(self._standing_for(picture, row))
        end_ix = int(picture.end_lane_ix[row])
        if end_ix >= 0:
            end_m = float(picture.end_chainage_m[row])
            message.end.CopyFrom(common_pb2.LanePoint(lane_id=self._lane_ids[end_ix], chainage_m=end_m))

    def _standing_for(self, picture: FleetView, row: int) -> d.Cause:
        cause, ref = int(picture.cause[row]), int(picture.cause_ref[row])
        return d.Cause(
            kind=name_of(cause),
            subject_id=self._subjects.name(cause, ref, picture.truck_ids),
            since=stamp(self._utc_at_zero_ns + int(picture.cause_since_ns[row])),
        )


def page_of(values: Sequence[object], size: int, token: str) -> tuple[slice, str]:
    """
    The rows of one page and the token of the next; a token is the number of rows already given.

    Raises:
        ValueError: the token is not one of ours.
    """
    start = int(token) if token else 0
    if not 0 <= start <= len(values):
        raise ValueError(token)
    stop = min(start + size, len(values))
    return slice(start, stop), str(stop) if stop < len(values) else ""
