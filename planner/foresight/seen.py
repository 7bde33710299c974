"""
The fleet as one tick left it, and each truck's way to go as passages: chains of no-stop stretches, which are passed whole.

Times are those of a truck that nothing hinders, from where its nose is, at the lower of lane and truck speed. What starting and braking
cost is the same in any order, or nearly, and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from planner.corridor import Corridor
from planner.foresight import HORIZON_S
from planner.limits import GATE_LINE_GAP_M, NO_STOP_BEFORE_M, SAME_PLACE_M
from planner.tables import BoolArray, FloatArray, IndexArray, LaneTable, TruckTable

NO_GATE: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """
    Copies of columns (n,), safe to read while the loop goes on.

    *comes*: nothing but trucks, gates and zones keeps the truck from driving on, as far as *way_m*.
    """

    now_ns: int
    comes: BoolArray
    way_m: FloatArray
    nose_m: FloatArray
    end_m: FloatArray
    speed_max_mps: FloatArray
    beyond_m: FloatArray
    path_lane: IndexArray  # (n, P)
    path_start_m: FloatArray  # (n, P + 1)
    path_count: IndexArray

    @classmethod
    def of(cls, trucks: TruckTable, comes: BoolArray, way_m: FloatArray, now_ns: int) -> Seen:
        """What *trucks* are now; *comes* and *way_m* are kept as they are."""
        n = trucks.count
        depth = int(trucks.path_count[:n].max(initial=0))
        return cls(
            now_ns=now_ns,
            comes=comes,
            way_m=way_m,
            nose_m=trucks.nose_m[:n].copy(),
            end_m=trucks.end_m[:n].copy(),
            speed_max_mps=trucks.speed_max_mps[:n].copy(),
            beyond_m=trucks.beyond_m[:n].copy(),
            path_lane=trucks.path_lane[:n, :depth].copy(),
            path_start_m=trucks.path_start_m[:n, : depth + 1].copy(),
            path_count=trucks.path_count[:n].copy(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A no-stop stretch of a lane, the zones (row, branch) it lies in, and the gate whose line it begins at."""

    from_m: float
    to_m: float
    zones: tuple[tuple[int, int, float], ...]  # zone row, branch, and where on the lane the part ends
    gate_ix: int = NO_GATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """
    What of a corridor planning needs, by lane row.

    *exclusive* by zone row: one truck at a time. *service_s* by gate row.
    """

    length_m: tuple[float, ...]
    speed_max_mps: tuple[float, ...]
    stops: tuple[tuple[Stop, ...], ...]
    exclusive: tuple[bool, ...]
    service_s: tuple[float, ...]


def chart_of(corridor: Corridor, lanes: LaneTable, service_s: Sequence[float]) -> Chart:
    """The chart of a corridor whose gates take *service_s* each."""
    gate_at: dict[int, list[tuple[float, int]]] = {}
    for gate_ix, gate in enumerate(corridor.gates):
        gate_at.setdefault(corridor.lane_ix[gate.lane_id], []).append((gate.stop_line_m + GATE_LINE_GAP_M, gate_ix))
    return Chart(
        length_m=tuple(lanes.length_m.tolist()),
        speed_max_mps=tuple(lanes.speed_max_mps.tolist()),
        stops=tuple(_stops_on(lanes, lane, gate_at.get(lane, [])) for lane in range(lanes.count)),
        exclusive=tuple(lanes.zone_exclusive.tolist()),
        service_s=tuple(float(each) for each in service_s),
    )


def _stops_on(lanes: LaneTable, lane: int, gates: list[tuple[float, int]]) -> tuple[Stop, ...]:
    parts = [
        (float(lanes.part_from_m[p]), float(lanes.part_to_m[p]), int(lanes.part_zone[p]), int(lanes.part_branch[p]))
        for p in range(lanes.part_start[lane], lanes.part_start[lane + 1])
    ]
    found: list[Stop] = []
    for at in range(lanes.stop_start[lane], lanes.stop_start[lane + 1]):
        low_m, high_m = float(lanes.stop_from_m[at]), float(lanes.stop_to_m[at])
        zones = tuple((zone, branch, to_m) for from_m, to_m, zone, branch in parts if from_m < high_m and low_m < to_m)
        gate_ix = next((gate_ix for line_m, gate_ix in gates if low_m <= line_m <= high_m), NO_GATE)
        found.append(Stop(from_m=low_m, to_m=high_m, zones=zones, gate_ix=gate_ix))
    return tuple(found)


@dataclass(slots=True, kw_only=True)
class Passage:
    """
    A chain on one truck's way: [from_m, to_m) in path coordinates, the truck's own length behind it included.

    *mouth*: lane and place of its first stretch. *arrive_s*: the nose is there; 0 where the chain is *held* already. *zones*: rows and
    branches still ahead of what it holds, or, where held, all of the chain's. *gate_ix*: a gate at its mouth yet to be opened for it.
    """

    row: int
    mouth: tuple[int, int]
    from_m: float
    to_m: float
    arrive_s: float
    pass_s: float
    held: bool
    gate_ix: int = NO_GATE
    zones: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """
    What lies ahead of one truck, in order.

    *legs*: path coordinates, from its nose on, and after how many seconds nothing would keep it from being there. *to_m*: how far the way is
    known.
    """

    row: int
    passages: tuple[Passage, ...]
    legs: tuple[tuple[float, float], ...]
    to_m: float


def way_of(seen: Seen, chart: Chart, row: int, to_m: float) -> Way:
    """The way of *row* as far as *to_m* and the horizon; a chain that it may not pass whole is not on it."""
    nose_m, end_m, beyond_m = float(seen.nose_m[row]), float(seen.end_m[row]), float(seen.beyond_m[row])
    speed_mps = float(seen.speed_max_mps[row])
    found: list[Passage] = []
    at_s = 0.0
    legs = [(nose_m, at_s)]
    for k in range(int(seen.path_count[row])):
        lane, base_m = int(seen.path_lane[row, k]), float(seen.path_start_m[row, k])
        lane_end_m = base_m + chart.length_m[lane]
        if lane_end_m + beyond_m <= nose_m:
            continue
        if base_m >= to_m or at_s > HORIZON_S:
            break
        pace = 1.0 / min(speed_mps, chart.speed_max_mps[lane])
        begin_m = max(base_m, nose_m)
        for at, stop in enumerate(chart.stops[lane]):
            stop_from_m, stop_to_m = base_m + stop.from_m - NO_STOP_BEFORE_M, base_m + stop.to_m + beyond_m
            if stop_to_m <= nose_m:
                continue
            if not found or stop_from_m > found[-1].to_m:
                held = stop_from_m < end_m - SAME_PLACE_M
                arrive_s = 0.0 if held else at_s + max(0.0, stop_from_m - begin_m) * pace
                found.append(
                    Passage(
                        row=row, mouth=(lane, at), from_m=stop_from_m, to_m=stop_to_m, arrive_s=arrive_s, pass_s=0.0, held=held, zones={}
                    )
                )
            _lengthen(found[-1], stop, base_m=base_m, end_m=end_m, to_m=stop_to_m)
            found[-1].pass_s = at_s + max(0.0, stop_to_m - begin_m) * pace - found[-1].arrive_s
        if lane_end_m > nose_m:
            at_s += (lane_end_m - begin_m) * pace
            legs.append((lane_end_m, at_s))
    passages = _with_service(found, chart, to_m)
    # It stands before the first passage that it does not pass.
    known_m = min(to_m, legs[-1][0], *(passage.from_m for passage in found[len(passages) :]))
    return Way(row=row, passages=passages, legs=tuple(legs), to_m=max(nose_m, known_m))


def _lengthen(passage: Passage, stop: Stop, *, base_m: float, end_m: float, to_m: float) -> None:
    passage.to_m = max(passage.to_m, to_m)
    if stop.gate_ix != NO_GATE and not passage.held:
        passage.gate_ix = stop.gate_ix
    for zone, branch, part_to_m in stop.zones:
        if passage.held or base_m + part_to_m > end_m:
            passage.zones[zone] = branch


def _with_service(found: list[Passage], chart: Chart, to_m: float) -> tuple[Passage, ...]:
    """Those that the truck passes whole before *to_m*, later by the service of every gate up to them."""
    late_s = 0.0
    kept: list[Passage] = []
    for passage in found:
        if not passage.held and passage.to_m > to_m:
            break
        if passage.gate_ix != NO_GATE:
            late_s += chart.service_s[passage.gate_ix]
        passage.arrive_s += 0.0 if passage.held else late_s
        if passage.arrive_s > HORIZON_S:
            break
        kept.append(passage)
    return tuple(kept)
