"""
The avoidance tick beside scipy's cKDTree, which only finds who is near whom.

Two-way roads of 8 km, trucks 80 m apart in both directions at full speed, a merge every 500 m. Every tick each truck has
reported; ours then judges the reports, finds leaders and gaps, settles zones, extends authorities, measures conflicts and advises
speeds. The reference builds a tree of the noses and asks it for the pairs within 50 m, and does nothing with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from planner.authority import Cause
from planner.conflict import conflict_tick
from planner.corridor import Corridor, Lane, Node, Stretch, Zone, ZoneKind, ZonePart
from planner.grip import even_grip
from planner.integrity import ReportColumns
from planner.limits import TICK_PERIOD_NS, TICK_PERIOD_S
from planner.spacing import ExtendRequest
from planner.tables import FloatArray, IndexArray, LaneTable, TruckTable
from sim_harness.bench.measure import Figure, Outcome, alternate, exponent
from sim_harness.tiny import SPEED_MPS, TRUCK, tiny_corridor

SIZES: Final = (100, 1_000, 10_000, 100_000)
ROUNDS: Final = {100: 101, 1_000: 101, 10_000: 31, 100_000: 11}
LANE_M: Final = 500.0
LANES_PER_ROAD: Final = 17
SPACING_M: Final = 80.0
TRUCKS_PER_ROAD: Final = 100
NEAR_M: Final = 50.0
ZONE_M: Final = 12.0
RATIO_MAX: Final = 0.2
EXPONENT_MAX: Final = 1.15


def _road(road: int, lanes: list[Lane], zones: list[Zone]) -> None:
    """One direction of a road: lanes in a row, and at each joint a side lane that merges. Odd roads run back beside even ones."""
    y_m = 40.0 * (road // 2) + (4.0 if road % 2 else 0.0)
    for k in range(LANES_PER_ROAD):
        start, end = (k * LANE_M, (k + 1) * LANE_M) if road % 2 == 0 else ((LANES_PER_ROAD - k) * LANE_M, (LANES_PER_ROAD - k - 1) * LANE_M)
        names = (f"r{road}l{k}", f"r{road}s{k}")
        for name, source, depth_m in ((names[0], f"r{road}n{k}", LANE_M), (names[1], f"r{road}m{k}", LANE_M)):
            lanes.append(
                Lane(
                    lane_id=name,
                    from_node_id=source,
                    to_node_id=f"r{road}n{k + 1}",
                    points=((start, y_m), (end, y_m)),
                    length_m=depth_m,
                    width_m=4.0,
                    speed_max_mps=SPEED_MPS,
                )
            )
        parts = tuple(
            ZonePart(branch=b, stretch=Stretch(lane_id=name, start_m=LANE_M - ZONE_M, end_m=LANE_M)) for b, name in enumerate(names)
        )
        zones.append(Zone(zone_id=f"r{road}z{k}", kind=ZoneKind.DIRECTIONAL, parts=parts, derived=True))


def roads(count: int) -> Corridor:
    """So many one-way roads, two and two side by side."""
    lanes: list[Lane] = []
    zones: list[Zone] = []
    for road in range(count):
        _road(road, lanes, zones)
    nodes = {node for lane in lanes for node in (lane.from_node_id, lane.to_node_id)}
    tiny = tiny_corridor()
    return Corridor(
        site_id="roads",
        origin_latitude_deg=tiny.origin_latitude_deg,
        origin_longitude_deg=tiny.origin_longitude_deg,
        nodes=tuple(Node(node_id=node, x_m=0.0, y_m=0.0) for node in sorted(nodes)),
        lanes=tuple(lanes),
        zones=tuple(zones),
        no_stops=(),
        gates=(),
        stands=(),
        yards=(),
        truck_types=(TRUCK,),
        windows=(),
        shift_handovers=(),
        processes={},
        digest="roads",
    )


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Trucks on roads that move on by one tick at a time."""

    lanes: LaneTable
    trucks: TruckTable
    request: ExtendRequest
    road: IndexArray
    x_m: FloatArray
    y_m: FloatArray
    now_ns: int = 0

    @classmethod
    def of(cls, count: int) -> Traffic:
        """*count* trucks, the roads filled one after another; rows are shuffled, as fleets are."""
        road_count = -(-count // TRUCKS_PER_ROAD)
        lanes = LaneTable.of(roads(road_count))
        trucks = TruckTable(lanes, capacity=count, path_lanes_max=LANES_PER_ROAD)
        place = np.random.default_rng(1).permutation(count)
        road = (place // TRUCKS_PER_ROAD).astype(np.int32)
        nose_m = 40.0 + SPACING_M * (place % TRUCKS_PER_ROAD)
        trucks.add(TRUCK)
        trucks.real[:, :count] = trucks.real[:, :1]
        trucks.count = count
        trucks.path_lane[:count] = 2 * (road[:, None] * LANES_PER_ROAD + np.arange(LANES_PER_ROAD))
        trucks.path_start_m[:count] = np.arange(LANES_PER_ROAD + 1) * LANE_M
        trucks.path_count[:count] = LANES_PER_ROAD
        trucks.nose_m[:] = nose_m
        trucks.speed_mps[:] = SPEED_MPS
        trucks.rear_m[:] = nose_m - TRUCK.length_m - trucks.bound_m - TRUCK.roll_back_m
        trucks.end_m[:] = nose_m + 22.0
        trucks.sent_m[:] = trucks.end_m
        request = ExtendRequest(
            may_extend=np.ones(count, np.bool_),
            limit_m=np.full(count, LANES_PER_ROAD * LANE_M),
            limit_cause=np.full(count, Cause.GOAL, np.int32),
            limit_ref=np.full(count, -1, np.int32),
            claim_since=np.zeros(count, np.int64),
            token=np.full(count, -1, np.int32),
            grip=even_grip(lanes, 0.7),
        )
        return cls(lanes=lanes, trucks=trucks, request=request, road=road, x_m=np.empty(count), y_m=np.empty(count))

    def reports(self) -> ReportColumns:
        """What every truck says after one more tick; the noses' places are kept for the reference."""
        trucks, count = self.trucks, self.trucks.count
        self.now_ns += TICK_PERIOD_NS
        nose_m = trucks.nose_m[:count] + SPEED_MPS * TICK_PERIOD_S
        k = (nose_m // LANE_M).astype(np.int32)
        back = self.road % 2 == 1
        self.x_m = np.where(back, LANES_PER_ROAD * LANE_M - nose_m, nose_m)
        self.y_m = np.where(back, 4.0, 0.0) + 40.0 * (self.road // 2)
        return ReportColumns(
            rows=np.arange(count, dtype=np.int32),
            stamp_ns=np.full(count, self.now_ns, np.int64),
            lane_ix=(2 * (self.road * LANES_PER_ROAD + k)).astype(np.int32),
            chainage_m=nose_m - k * LANE_M,
            speed_mps=np.full(count, SPEED_MPS),
            bound_m=trucks.bound_m[:count].copy(),
        )


def _one_size(count: int, rounds: int) -> tuple[float, float]:
    """Median milliseconds of the tick and of the tree."""
    traffic = Traffic.of(count)
    intact = np.ones(count, np.bool_)
    waiting = [traffic.reports()]

    def ours() -> None:
        _, extension, assessment = conflict_tick(traffic.lanes, traffic.trucks, waiting.pop(), intact, traffic.request)
        assert not assessment.stop.any(), "free flow has no conflicts"
        traffic.trucks.end_m[:count] = extension.end_m
        traffic.trucks.sent_m[:count] = extension.end_m

    def reference() -> None:
        cKDTree(np.column_stack([traffic.x_m, traffic.y_m])).query_pairs(NEAR_M, output_type="ndarray")

    def move_on() -> None:
        waiting.append(traffic.reports())

    ours()
    move_on()
    spent = alternate(rounds, {"ours": ours, "reference": reference, "move on": move_on})
    return spent["ours"], spent["reference"]


def conflict(sizes: tuple[int, ...] = SIZES) -> Outcome:
    """Measures every size, then the exponent over all of them."""
    figures: list[Figure] = []
    for count in sizes:
        ours_ms, tree_ms = _one_size(count, ROUNDS[count])
        figures.append(
            Figure(
                name=f"{count:,} trucks",
                ours=ours_ms,
                reference=tree_ms,
                unit="ms",
                ratio=ours_ms / tree_ms,
                goal=RATIO_MAX if count >= 10_000 else None,
            )
        )
    if len(sizes) > 1:
        slope = exponent(sizes, [figure.ours for figure in figures])
        figures.append(Figure(name="exponent of growth", ours=slope, reference=None, unit="", goal=EXPONENT_MAX))
    return Outcome(
        bench="conflict",
        about="whole avoidance tick (integrity, gaps, zones, spacing, conflicts, advice) ÷ scipy cKDTree candidate pairs; median CPU time",
        figures=tuple(figures),
    )
