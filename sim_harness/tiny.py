"""
The least corridor that has everything: two yards of one-way loops, a road each way, a gate and stands.

For tests and benchmarks that need a road and no site file; scenarios use real sites.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.corridor import (
    Corridor,
    Gate,
    GateRole,
    Lane,
    Node,
    Process,
    Stand,
    StandKind,
    Stretch,
    TruckType,
    Window,
    Yard,
    YardRole,
    Zone,
    ZoneKind,
    ZonePart,
)
from sim_harness.observation import BODY_LANES, Roster, TickView

ROAD_M: Final = 1000.0
YARD_M: Final = 200.0
APART_M: Final = 20.0
SPEED_MPS: Final = 25.0 / 3.6
YARD_SPEED_MPS: Final = 10.0 / 3.6

TRUCK: Final = TruckType(
    truck_type_id="coal_truck_70t",
    length_m=16.5,
    width_m=3.2,
    wheelbase_m=9.0,
    lateral_error_m=0.1,
    tare_kg=30_000.0,
    load_max_kg=70_000.0,
    speed_max_mps=SPEED_MPS,
    acceleration_laden_mps2=0.35,
    acceleration_empty_mps2=0.7,
    brake_service_mps2=1.5,
    brake_guaranteed_mps2=2.2,
    brake_dead_s=0.5,
    brake_build_up_s=0.5,
    traction_cutoff_s=0.3,
    jerk_mps3=0.6,
    roll_back_m=1.0,
    bound_max_m=0.5,
    battery_wh=350_000.0,
)


def _lane(lane_id: str, ends: tuple[Node, Node], speed_mps: float) -> Lane:
    start, end = ends
    length_m = abs(end.x_m - start.x_m) + abs(end.y_m - start.y_m)
    return Lane(
        lane_id=lane_id,
        from_node_id=start.node_id,
        to_node_id=end.node_id,
        points=((start.x_m, start.y_m), (end.x_m, end.y_m)),
        length_m=length_m,
        width_m=4.0,
        speed_max_mps=speed_mps,
    )


def _ring() -> tuple[dict[str, Node], tuple[Lane, ...]]:
    """Corners and lanes of the rectangle."""
    corners = {
        "west": Node(node_id="west", x_m=0.0, y_m=0.0),
        "east": Node(node_id="east", x_m=ROAD_M, y_m=0.0),
        "far_east": Node(node_id="far_east", x_m=ROAD_M + YARD_M, y_m=0.0),
        "top_far_east": Node(node_id="top_far_east", x_m=ROAD_M + YARD_M, y_m=APART_M),
        "top_west": Node(node_id="top_west", x_m=-YARD_M, y_m=APART_M),
        "far_west": Node(node_id="far_west", x_m=-YARD_M, y_m=0.0),
    }
    at = corners.__getitem__
    lanes = (
        _lane("out", (at("west"), at("east")), SPEED_MPS),
        _lane("unload", (at("east"), at("far_east")), YARD_SPEED_MPS),
        _lane("turn_east", (at("far_east"), at("top_far_east")), YARD_SPEED_MPS),
        _lane("back", (at("top_far_east"), at("top_west")), SPEED_MPS),
        _lane("turn_west", (at("top_west"), at("far_west")), YARD_SPEED_MPS),
        _lane("load", (at("far_west"), at("west")), YARD_SPEED_MPS),
    )
    return corners, lanes


def tiny_corridor() -> Corridor:
    """
    A rectangle driven one way round: loading yard in the west, `out` eastward, unloading yard in the east, `back` westward.

    `out` runs along y = 0 from x = 0 to 1000, `back` along y = 20; the yards' lanes `load` and `unload` lie beyond either end.
    """
    corners, lanes = _ring()
    strip = (Stretch(lane_id="out", start_m=500.0, end_m=540.0), Stretch(lane_id="back", start_m=650.0, end_m=690.0))
    return Corridor(
        site_id="tiny",
        origin_latitude_deg=42.41,
        origin_longitude_deg=107.57,
        nodes=tuple(corners.values()),
        lanes=lanes,
        zones=(
            Zone(
                zone_id="strip",
                kind=ZoneKind.DIRECTIONAL,
                parts=(ZonePart(branch=0, stretch=strip[0]), ZonePart(branch=1, stretch=strip[1])),
                derived=False,
            ),
        ),
        no_stops=(),
        gates=(
            Gate(
                gate_id="G1",
                lane_id="out",
                role=GateRole.CUSTOMS,
                process="gate",
                call_m=300.0,
                stop_line_m=300.0,
                barrier_m=303.0,
                clear_m=310.0,
            ),
        ),
        stands=(
            Stand(stand_id="L1", yard_id="W", kind=StandKind.BAY, lane_id="load", stop_m=150.0),
            Stand(stand_id="P1", yard_id="W", kind=StandKind.PARKING, lane_id="load", stop_m=50.0),
            Stand(stand_id="U1", yard_id="E", kind=StandKind.BAY, lane_id="unload", stop_m=150.0),
        ),
        yards=(
            Yard(yard_id="W", role=YardRole.LOADING, timezone="Asia/Ulaanbaatar", entry_lane_ids=("turn_west",)),
            Yard(yard_id="E", role=YardRole.UNLOADING, timezone="Asia/Shanghai", entry_lane_ids=("unload",)),
        ),
        truck_types=(TRUCK,),
        windows=(Window(open_s=21_600, close_s=93_600),),
        shift_handovers=(),
        processes={
            "gate": Process(process_id="gate", shape="triangular", a=10.0, b=20.0, c=30.0),
            "bay": Process(process_id="bay", shape="lognormal", a=390.0, b=0.3, c=180.0),
        },
        digest="tiny",
    )


def tiny_roster(count: int) -> Roster:
    """*count* trucks `T0`, `T1`, … on the tiny corridor."""
    return Roster(corridor=tiny_corridor(), truck_ids=tuple(f"T{row}" for row in range(count)), truck_types=(TRUCK,) * count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One truck's nose; the end of authority is *ahead_m* from it, None: none is held."""

    lane_id: str
    chainage_m: float
    speed_mps: float = 0.0
    ahead_m: float | None = 50.0
    laden: bool = False
    mode: int = 0
    undeclared: bool = False


def tiny_view(roster: Roster, time_s: float, places: Sequence[Place]) -> TickView:
    """The truth at *time_s*: one place a truck, the body on the nose's lane and those before it on the ring."""
    corridor = roster.corridor
    count = len(places)
    body = np.full((count, BODY_LANES), -1, dtype=np.int32)
    starts = np.concatenate([[0.0], np.cumsum([lane.length_m for lane in corridor.lanes])])
    for row, place in enumerate(places):
        lane_ix = corridor.lane_ix[place.lane_id]
        left_m = roster.truck_types[row].length_m - place.chainage_m
        body[row, 0] = lane_ix
        k = 0
        while left_m > 0.0:
            k += 1
            body[row, k] = (lane_ix - k) % len(corridor.lanes)
            left_m -= corridor.lanes[body[row, k]].length_m
    nose_path_m = np.array([starts[body[row, 0]] + place.chainage_m for row, place in enumerate(places)])
    return TickView(
        time_s=time_s,
        lane_ix=body[:, 0].copy(),
        chainage_m=np.array([place.chainage_m for place in places]),
        body_lanes=body,
        nose_path_m=nose_path_m,
        end_path_m=nose_path_m + np.array([np.nan if place.ahead_m is None else place.ahead_m for place in places]),
        speed_mps=np.array([place.speed_mps for place in places]),
        acceleration_mps2=np.zeros(count),
        laden=np.array([place.laden for place in places]),
        mode=np.array([place.mode for place in places], dtype=np.int8),
        grade_least=np.zeros(count),
        friction=np.full(count, 0.7),
        brake_health=np.ones(count),
        undeclared=np.array([place.undeclared for place in places]),
    )
