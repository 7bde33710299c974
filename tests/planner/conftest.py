"""
Random corridors and random states on them.

Corridors have merges, diverges, loops, crossings, exclusive and directional zones and authored no-stop stretches. States are
sound: trucks are placed one by one, and a place that would break exclusivity is not used; what is sound is decided here, by
brute force, and by nothing under test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from planner.corridor import Corridor, Gate, GateRole, Lane, Node, Stretch, TruckType, Zone, ZoneKind, ZonePart
from planner.tables import LaneTable, TruckTable

TRUCK = TruckType(
    truck_type_id="coal",
    length_m=16.5,
    width_m=3.2,
    wheelbase_m=6.0,
    lateral_error_m=0.2,
    tare_kg=30_000.0,
    load_max_kg=70_000.0,
    speed_max_mps=25 / 3.6,
    acceleration_laden_mps2=0.35,
    acceleration_empty_mps2=0.7,
    brake_service_mps2=1.5,
    brake_guaranteed_mps2=2.2,
    brake_dead_s=0.5,
    brake_build_up_s=0.5,
    traction_cutoff_s=0.3,
    jerk_mps3=0.6,
    roll_back_m=1.0,
    bound_max_m=5.0,
    battery_wh=300_000.0,
)


def lane(lane_id: str, ends: tuple[str, str], length_m: float, speed_max_mps: float = 7.0) -> Lane:
    """A straight lane; where it lies does not matter to the planner."""
    return Lane(
        lane_id=lane_id,
        from_node_id=ends[0],
        to_node_id=ends[1],
        points=((0.0, 0.0), (length_m, 0.0)),
        length_m=length_m,
        width_m=4.0,
        speed_max_mps=speed_max_mps,
    )


def corridor_of(lanes: list[Lane], zones: list[Zone] = (), no_stops: list[Stretch] = (), gates: list[Gate] = ()) -> Corridor:  # type: ignore[assignment]
    """A corridor of lanes alone, for the planner's tables."""
    nodes = sorted({node for each in lanes for node in (each.from_node_id, each.to_node_id)})
    return Corridor(
        site_id="drawn",
        origin_latitude_deg=42.4,
        origin_longitude_deg=107.6,
        nodes=tuple(Node(node_id=node, x_m=0.0, y_m=0.0) for node in nodes),
        lanes=tuple(lanes),
        zones=tuple(zones),
        no_stops=tuple(no_stops),
        gates=tuple(gates),
        stands=(),
        yards=(),
        truck_types=(TRUCK,),
        windows=(),
        shift_handovers=(),
        processes={},
        digest="drawn",
    )


def zone_of(zone_id: str, parts: list[tuple[int, str, float, float]], *, exclusive: bool = False, derived: bool = True) -> Zone:
    """A zone of (branch, lane, from, to)."""
    return Zone(
        zone_id=zone_id,
        kind=ZoneKind.EXCLUSIVE if exclusive else ZoneKind.DIRECTIONAL,
        parts=tuple(ZonePart(branch=b, stretch=Stretch(lane_id=at, start_m=low, end_m=high)) for b, at, low, high in parts),
        derived=derived,
    )


def draw_corridor(rng: np.random.Generator) -> Corridor:
    """A ring with chords: every node has a way on, many have several."""
    nodes = int(rng.integers(4, 12))
    lanes = [
        lane(f"ring{k}", (f"n{k}", f"n{(k + 1) % nodes}"), float(rng.uniform(15, 250)), float(rng.uniform(2, 8))) for k in range(nodes)
    ]
    for k in range(int(rng.integers(2, 10))):
        ends = rng.choice(nodes, 2, replace=False)
        lanes.append(lane(f"chord{k}", (f"n{ends[0]}", f"n{ends[1]}"), float(rng.uniform(15, 250)), float(rng.uniform(2, 8))))
    zones: list[Zone] = []
    for node in range(nodes):
        for which, name in enumerate(("to_node_id", "from_node_id")):
            at = [each for each in lanes if getattr(each, name) == f"n{node}"]
            if len(at) > 1:
                depth = [min(each.length_m, float(rng.uniform(3, 14))) for each in at]
                parts = [
                    (b, each.lane_id, *((each.length_m - d, each.length_m) if which == 0 else (0.0, d)))
                    for b, (each, d) in enumerate(zip(at, depth, strict=True))
                ]
                zones.append(zone_of(f"{name}{node}", parts))
    for k in range(int(rng.integers(0, 5))):
        several = rng.choice(len(lanes), int(rng.integers(1, 4)), replace=False)
        parts = []
        for b, each in enumerate(several):
            low = float(rng.uniform(0, 0.7)) * lanes[each].length_m
            parts.append((b % 2, lanes[each].lane_id, low, low + float(rng.uniform(0.1, 0.3)) * lanes[each].length_m))
        zones.append(zone_of(f"drawn{k}", parts, exclusive=bool(rng.integers(0, 2)), derived=False))
    no_stops = []
    for _ in range(int(rng.integers(0, 4))):
        each = lanes[int(rng.integers(0, len(lanes)))]
        low = float(rng.uniform(0, 0.8)) * each.length_m
        no_stops.append(Stretch(lane_id=each.lane_id, start_m=low, end_m=low + 0.1 * each.length_m))
    gates = []
    for k in range(int(rng.integers(0, 3))):
        each = lanes[int(rng.integers(0, nodes))]
        line = 0.5 * each.length_m
        gates.append(
            Gate(
                gate_id=f"g{k}", lane_id=each.lane_id, role=GateRole.EXIT, process="p", call_m=0.0, stop_line_m=line,
                barrier_m=line + 1.0, clear_m=min(line + 4.0, each.length_m),
            )
        )  # fmt: skip
    return corridor_of(lanes, zones, no_stops, gates)


def draw_path(rng: np.random.Generator, lanes: LaneTable) -> list[int]:
    """Lanes that follow one another, none twice."""
    path = [int(rng.integers(0, lanes.count))]
    for _ in range(int(rng.integers(0, 9))):
        ways = lanes.succ_lane[lanes.succ_start[path[-1]] : lanes.succ_start[path[-1] + 1]]
        ways = [int(way) for way in ways if int(way) not in path]
        if not ways:
            break
        path.append(ways[int(rng.integers(0, len(ways)))])
    return path


def overlaps(corridor: Corridor, trucks: TruckTable) -> list[str]:
    """Every place held twice, by brute force over all pairs of trucks."""
    ground = [[(a, low, high) for a, low, high in trucks.ground(row) if high - low > 1e-6] for row in range(trucks.count)]
    found = []
    for row in range(trucks.count):
        for other in range(row):
            for lane_a, low_a, high_a in ground[row]:
                for lane_b, low_b, high_b in ground[other]:
                    if lane_a == lane_b and min(high_a, high_b) - max(low_a, low_b) > 1e-6:
                        found.append(f"lane {lane_a}: {other} {row}")
    for zone in corridor.zones:
        inside = [
            (row, part.branch)
            for part in zone.parts
            for row in range(trucks.count)
            for at, low, high in ground[row]
            if at == corridor.lane_ix[part.stretch.lane_id] and min(high, part.stretch.end_m) - max(low, part.stretch.start_m) > 1e-6
        ]
        for at, (row, branch) in enumerate(inside):
            for other, other_branch in inside[:at]:
                if row != other and (zone.kind is ZoneKind.EXCLUSIVE or branch != other_branch):
                    found.append(f"zone {zone.zone_id}: {other} {row}")
    return found


@dataclass
class Scene:
    """A corridor with trucks on it."""

    corridor: Corridor
    lanes: LaneTable
    trucks: TruckTable

    def place(self, path: list[int], rear_m: float, end_m: float, start_m: float = 0.0) -> int:
        """Add a truck whose nose lies somewhere before its end; no check of soundness."""
        row = self.trucks.add(TRUCK)
        self.trucks.set_path(row, path, start_m)
        self.trucks.rear_m[row], self.trucks.end_m[row] = rear_m + start_m, end_m + start_m
        self.trucks.sent_m[row] = self.trucks.end_m[row]
        self.trucks.nose_m[row] = min(rear_m + start_m + TRUCK.length_m + 1.5, end_m + start_m)
        return row


def scene_of(corridor: Corridor, capacity: int = 64) -> Scene:
    """An empty scene."""
    lanes = LaneTable.of(corridor)
    return Scene(corridor, lanes, TruckTable(lanes, capacity, path_lanes_max=16))


def draw_scene(rng: np.random.Generator, trucks_max: int = 24) -> Scene:
    """A random corridor with as many trucks as found a sound place."""
    scene = scene_of(draw_corridor(rng))
    for _ in range(int(rng.integers(1, trucks_max))):
        path = draw_path(rng, scene.lanes)
        room = float(scene.lanes.length_m[path].sum())
        rear = float(rng.uniform(0.0, 0.8)) * float(scene.lanes.length_m[path[0]])
        end = min(rear + float(rng.uniform(18.0, 90.0)), room)
        row = scene.place(path, rear, end, start_m=float(rng.uniform(0, 5000)))
        if overlaps(scene.corridor, scene.trucks):
            scene.trucks.count = row
    for row in range(scene.trucks.count):
        scene.trucks.friction[row] = rng.uniform(0.2, 0.7)
        scene.trucks.speed_mps[row] = rng.uniform(0.0, 7.0)
    return scene


@pytest.fixture(scope="session")
def scenes() -> Callable[[int], Scene]:
    """Seed to a random sound scene."""
    return lambda seed: draw_scene(np.random.default_rng(seed))


@pytest.fixture(scope="session")
def draw() -> object:
    """The drawing functions themselves, for tests that build their own scene."""
    return type(
        "Draw", (), {"scene": staticmethod(draw_scene), "overlaps": staticmethod(overlaps), "lane": staticmethod(lane),
                     "zone": staticmethod(zone_of), "corridor": staticmethod(corridor_of), "scene_of": staticmethod(scene_of)}
    )  # fmt: skip
