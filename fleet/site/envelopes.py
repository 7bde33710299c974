"""
Conflict zones, derived from the ground a truck may sweep: an author cannot forget one.

Intuition: paint the ground that the longest admitted truck may cover along each lane: its width, what it strays, what it cuts
in curves. Where the paint of two lanes meets, only one of the two may be in use at a time. The metres of both lanes that lie
in one such patch become one directional zone, each lane a branch: a merge, a diverge or a crossing, whatever the author drew.

Mechanism: every lane is sampled each metre and each sample carries the half width swept there; samples of two lanes conflict
when they are closer than their half widths and a margin for the sampling. Connected conflicts of a pair make one zone. A lane
and the one it leads into do not conflict at their joint: there, trucks follow one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from shapely import STRtree
from shapely.geometry import LineString

from fleet.site.shapes import FloatArray, resample
from planner.corridor import Lane, Stretch, TruckType, Zone, ZoneKind, ZonePart

SAMPLE_M: Final = 1.0
# Two parallel samplings a metre apart may be half a metre out of step: at 3 m apart that hides 4 cm; curvature between samples less.
MARGIN_M: Final = 0.25
_EIGHT_NEIGHBOURS: Final = np.ones((3, 3), dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Samples of a lane and the half width that a truck may sweep there."""

    chainage_m: FloatArray
    points: FloatArray
    half_width_m: FloatArray


def envelopes(lanes: Sequence[Lane], truck_types: Iterable[TruckType]) -> dict[str, Envelope]:
    """The swept envelope of every lane, the widest over *truck_types* at each sample."""
    kinds = tuple(truck_types)
    starting: dict[str, list[Lane]] = {}
    ending: dict[str, list[Lane]] = {}
    for lane in lanes:
        starting.setdefault(lane.from_node_id, []).append(lane)
        ending.setdefault(lane.to_node_id, []).append(lane)
    sampled = {lane.lane_id: resample(np.array(lane.points), SAMPLE_M) for lane in lanes}
    made: dict[str, Envelope] = {}
    for lane in lanes:
        chainage, points = sampled[lane.lane_id]
        befores = [sampled[other.lane_id][1] for other in ending.get(lane.from_node_id, [])]
        afters = [sampled[other.lane_id][1] for other in starting.get(lane.to_node_id, [])]
        half = np.zeros(len(chainage))
        for kind in kinds:
            cut = np.maximum(_wheel_cut(points, kind), _body_cut(points, befores, afters, kind))
            half = np.maximum(half, kind.width_m / 2.0 + kind.lateral_error_m + cut)
        made[lane.lane_id] = Envelope(chainage_m=chainage, points=points, half_width_m=half)
    return made


def _wheel_cut(points: FloatArray, kind: TruckType) -> FloatArray:
    """How far the hindmost axle runs inside the path, (n,): wheelbase² / 2R at each sample."""
    if len(points) < 3:
        return np.zeros(len(points))
    steps = np.diff(points, axis=0)
    headings = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    spans = np.hypot(steps[:, 0], steps[:, 1])
    curvature = np.abs(np.diff(headings)) / ((spans[1:] + spans[:-1]) / 2.0)
    return np.concatenate([curvature[:1], curvature, curvature[-1:]]) * kind.wheelbase_m**2 / 2.0


def _body_cut(points: FloatArray, befores: Sequence[FloatArray], afters: Sequence[FloatArray], kind: TruckType) -> FloatArray:
    """
    How far a stiff body, nose and rear on the path, bulges to the inside of each sample, (n,).

    The body may lie across the lane's ends, so the cut is the worst over every lane before and after.
    """
    reach = int(np.ceil(kind.length_m / SAMPLE_M)) + 2
    worst = _chord_gaps(points, kind.length_m)
    for before in befores:
        head = before[-reach:-1]
        joined = np.concatenate([head, points[:reach]])
        part = _chord_gaps(joined, kind.length_m)[len(head) :]
        worst[: len(part)] = np.maximum(worst[: len(part)], part)
    for after in afters:
        tail = points[-reach:]
        part = _chord_gaps(np.concatenate([tail, after[1:reach]]), kind.length_m)[: len(tail)]
        worst[-len(tail) :] = np.maximum(worst[-len(tail) :], part)
    return worst


def _chord_gaps(points: FloatArray, length_m: float) -> FloatArray:
    """The most that a chord of *length_m* metres of path misses each point under it, (n,)."""
    count = len(points)
    worst = np.zeros(count)
    span = min(int(np.ceil(length_m / SAMPLE_M)), count - 1)
    if span < 2:
        return worst
    rear, nose = points[:-span], points[span:]
    along = nose - rear
    size = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    for step in range(1, span):
        between = points[step : count - span + step] - rear
        gap = np.abs(along[:, 0] * between[:, 1] - along[:, 1] * between[:, 0]) / size
        window = worst[step : count - span + step]
        np.maximum(window, gap, out=window)
    return worst


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Metres of two lanes that cannot both be swept."""

    a: Stretch
    b: Stretch


def conflicts(lanes: Sequence[Lane], swept: Mapping[str, Envelope]) -> Iterator[tuple[Lane, Lane, Conflict]]:
    """Every connected patch of ground that two lanes share, in the order of *lanes*."""
    lines = np.array([LineString(lane.points) for lane in lanes])
    reach = np.array([float(swept[lane.lane_id].half_width_m.max()) + MARGIN_M for lane in lanes])
    first, second = STRtree(lines).query(lines, predicate="dwithin", distance=reach + reach.max())
    near = (first < second) & (shapely.distance(lines[first], lines[second]) < reach[first] + reach[second])
    for a_ix, b_ix in sorted(zip(first[near].tolist(), second[near].tolist(), strict=True)):
        lane_a, lane_b = lanes[a_ix], lanes[b_ix]
        for conflict in _pair_conflicts(lane_a, lane_b, swept[lane_a.lane_id], swept[lane_b.lane_id]):
            yield lane_a, lane_b, conflict


def _pair_conflicts(lane_a: Lane, lane_b: Lane, a: Envelope, b: Envelope) -> Iterator[Conflict]:
    limit = a.half_width_m[:, None] + b.half_width_m[None, :] + MARGIN_M
    apart_x = a.points[:, 0][:, None] - b.points[:, 0][None, :]
    apart_y = a.points[:, 1][:, None] - b.points[:, 1][None, :]
    close = apart_x**2 + apart_y**2 < limit**2
    if not close.any():
        return
    labels, _ = ndimage.label(close, structure=_EIGHT_NEIGHBOURS)
    joints = _joints(lane_a, lane_b, labels)
    found = [
        Conflict(a=_stretch(lane_a, a, rows), b=_stretch(lane_b, b, columns))
        for label, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1)
        if label not in joints
    ]
    yield from _united(found)


def _joints(lane_a: Lane, lane_b: Lane, labels: NDArray[np.int_]) -> set[int]:
    """The patches that are only the place where one lane leads into the other."""
    made: set[int] = set()
    if lane_a.to_node_id == lane_b.from_node_id:
        made.add(int(labels[-1, 0]))
    if lane_b.to_node_id == lane_a.from_node_id:
        made.add(int(labels[0, -1]))
    return made


def _united(found: list[Conflict]) -> list[Conflict]:
    """Patches of one pair that touch on both lanes are one: sampling cut them, not the ground."""
    made: list[Conflict] = []
    for conflict in found:
        one = conflict
        for other in [other for other in made if _touch(other.a, one.a) and _touch(other.b, one.b)]:
            made.remove(other)
            one = Conflict(a=_hull(other.a, one.a), b=_hull(other.b, one.b))
        made.append(one)
    return made


def _touch(one: Stretch, other: Stretch) -> bool:
    return one.start_m <= other.end_m and other.start_m <= one.end_m


def _hull(one: Stretch, other: Stretch) -> Stretch:
    return Stretch(lane_id=one.lane_id, start_m=min(one.start_m, other.start_m), end_m=max(one.end_m, other.end_m))


def _stretch(lane: Lane, envelope: Envelope, span: slice) -> Stretch:
    """The samples of *span*, widened by one step each way: the conflict begins somewhere between two samples."""
    step = float(envelope.chainage_m[1])
    start = max(0.0, float(envelope.chainage_m[span.start]) - step)
    end = min(lane.length_m, float(envelope.chainage_m[span.stop - 1]) + step)
    return Stretch(lane_id=lane.lane_id, start_m=round(start, 3), end_m=round(end, 3))


def derive_zones(lanes: Sequence[Lane], truck_types: Iterable[TruckType]) -> tuple[Zone, ...]:
    """A directional zone, each lane a branch, for every patch of ground that two lanes share."""
    swept = envelopes(lanes, truck_types)
    names: dict[str, int] = {}
    zones: list[Zone] = []
    for lane_a, lane_b, conflict in conflicts(lanes, swept):
        stem = f"{_kind_name(lane_a, lane_b, conflict)} {lane_a.lane_id}/{lane_b.lane_id}"
        names[stem] = names.get(stem, 0) + 1
        zone_id = stem if names[stem] == 1 else f"{stem} {names[stem]}"
        parts = (ZonePart(branch=0, stretch=conflict.a), ZonePart(branch=1, stretch=conflict.b))
        zones.append(Zone(zone_id=zone_id, kind=ZoneKind.DIRECTIONAL, parts=parts, derived=True))
    return tuple(zones)


def _kind_name(lane_a: Lane, lane_b: Lane, conflict: Conflict) -> str:
    from_start = conflict.a.start_m == 0.0 and conflict.b.start_m == 0.0
    to_end = conflict.a.end_m == lane_a.length_m and conflict.b.end_m == lane_b.length_m
    if lane_a.from_node_id == lane_b.from_node_id and from_start:
        return "diverge"
    if lane_a.to_node_id == lane_b.to_node_id and to_end:
        return "merge"
    return "crossing"
