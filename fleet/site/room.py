"""
Where a truck may come to rest, and whether it always can.

A truck may not rest in a no-stop interval, nor with its tail in one: after each interval comes a truck's length that is
forbidden too. Intervals so close that no resting place lies between them form a *chain*: whoever enters it must be sure of the
room beyond. The road is sound when no chain closes on itself, and when the places where trucks must wait (stands, stop lines)
lie outside every chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from planner.corridor import Corridor, Gate, Stand
from planner.limits import BOUND_PLANNED_M, NO_STOP_BEFORE_M, NO_STOP_BEYOND_M, STAND_END_M, STOP_TOLERANCE_M

# Free metres before a nose at its stopping place: its authority ends there.
AHEAD_M: Final = 3.0
CHAIN_MAX: Final = 8


@dataclass(frozen=True, kw_only=True)
class Interval:
    """
    Metres [start, end) of a lane where nobody may rest; *gate* where it begins at a stop line; *names* say why.

    *branches* are the zones in it, each with the branch this lane is of.
    """

    lane_id: str
    start_m: float
    end_m: float
    names: tuple[str, ...]
    gate: str | None = None
    branches: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Hop:
    """The next interval is so near that a truck that leaves *before* cannot rest between."""

    before: Interval
    after: Interval
    free_m: float


def end_room_m(corridor: Corridor) -> float:
    """Metres from the end of a no-stop interval to the first place where an authority may end, for the longest truck."""
    needed = (kind.length_m + 2.0 * min(kind.bound_max_m, BOUND_PLANNED_M) for kind in corridor.truck_types)
    return max(needed) + NO_STOP_BEYOND_M + NO_STOP_BEFORE_M


def behind_m(corridor: Corridor) -> float:
    """Metres behind a resting nose that must be free: truck, roll-back and doubt; and the end ahead of it must be allowed."""
    body = max(kind.length_m + kind.roll_back_m + 2.0 * kind.bound_max_m for kind in corridor.truck_types) + STOP_TOLERANCE_M
    return max(body, end_room_m(corridor) - STAND_END_M)


def no_stop_intervals(corridor: Corridor) -> dict[str, list[Interval]]:
    """The merged intervals of every lane, in order; an interval never reaches across a stop line from before it."""
    raw: dict[str, list[Interval]] = {lane.lane_id: [] for lane in corridor.lanes}
    for zone in corridor.zones:
        for part in zone.parts:
            stretch = part.stretch
            raw[stretch.lane_id].append(
                Interval(
                    lane_id=stretch.lane_id,
                    start_m=stretch.start_m,
                    end_m=stretch.end_m,
                    names=(zone.zone_id,),
                    branches=frozenset({(zone.zone_id, part.branch)}),
                )
            )
    for stretch in corridor.no_stops:
        raw[stretch.lane_id].append(
            Interval(lane_id=stretch.lane_id, start_m=stretch.start_m, end_m=stretch.end_m, names=("a no-stop stretch",))
        )
    for gate in corridor.gates:
        raw[gate.lane_id].append(
            Interval(lane_id=gate.lane_id, start_m=gate.stop_line_m, end_m=gate.clear_m, names=(f"gate {gate.gate_id}",), gate=gate.gate_id)
        )
    return {lane_id: _merged(intervals) for lane_id, intervals in raw.items()}


def _merged(intervals: Sequence[Interval]) -> list[Interval]:
    made: list[Interval] = []
    for one in sorted(intervals, key=lambda interval: (interval.start_m, interval.end_m)):
        if made and one.start_m <= made[-1].end_m and one.gate is None:
            last = made.pop()
            made.append(
                Interval(
                    lane_id=one.lane_id,
                    start_m=last.start_m,
                    end_m=max(last.end_m, one.end_m),
                    names=(*last.names, *one.names),
                    gate=last.gate,
                    branches=last.branches | one.branches,
                )
            )
        else:
            made.append(one)
    return made


def hops(corridor: Corridor, intervals: Mapping[str, Sequence[Interval]]) -> list[Hop]:
    """Every pair of intervals along some path with less than a resting place between them."""
    needed_m = end_room_m(corridor)
    following: dict[str, list[str]] = {}
    for lane in corridor.lanes:
        following.setdefault(lane.from_node_id, []).append(lane.lane_id)
    length_m = {lane.lane_id: lane.length_m for lane in corridor.lanes}
    next_lanes = {lane.lane_id: following.get(lane.to_node_id, []) for lane in corridor.lanes}

    def ahead(lane_id: str, from_m: float, free_m: float, after_ix: int) -> Iterator[tuple[Interval, float]]:
        """The nearest interval on each way ahead, if nearer than what is needed."""
        if after_ix < len(intervals[lane_id]):
            found = intervals[lane_id][after_ix]
            if free_m + found.start_m - from_m < needed_m:
                yield found, free_m + found.start_m - from_m
            return
        free_m += length_m[lane_id] - from_m
        if free_m >= needed_m:
            return
        for following_id in next_lanes[lane_id]:
            yield from ahead(following_id, 0.0, free_m, 0)

    return [
        Hop(before=before, after=after, free_m=free_m)
        for lane_id, on_lane in intervals.items()
        for ix, before in enumerate(on_lane)
        for after, free_m in ahead(lane_id, before.end_m, 0.0, ix + 1)
    ]


def endless_chain(found: Sequence[Hop]) -> Interval | None:
    """An interval from which hops lead back to itself, so that a truck could never rest; None when every chain ends."""
    following: dict[int, list[Interval]] = {}
    for hop in found:
        following.setdefault(id(hop.before), []).append(hop.after)
    settled: set[int] = set()
    for root in found:
        stack: list[tuple[Interval, Iterator[Interval]]] = [(root.before, iter(following.get(id(root.before), ())))]
        on_stack = {id(root.before)}
        while stack:
            here, rest = stack[-1]
            step = next(rest, None)
            if step is None:
                stack.pop()
                on_stack.discard(id(here))
                settled.add(id(here))
            elif id(step) in on_stack:
                return step
            elif id(step) not in settled:
                on_stack.add(id(step))
                stack.append((step, iter(following.get(id(step), ()))))
    return None


def self_crossing(found: Sequence[Hop]) -> tuple[Interval, str] | None:
    """A chain's last interval and a zone whose other branch the same truck still holds there; None where there is none."""
    following: dict[int, list[Hop]] = {}
    for hop in found:
        following.setdefault(id(hop.before), []).append(hop)

    def walk(here: Interval, held: frozenset[tuple[str, int]], depth: int) -> tuple[Interval, str] | None:
        if depth > CHAIN_MAX:
            return None
        for hop in following.get(id(here), ()):
            for zone_id, branch in hop.after.branches:
                if any(known == zone_id and other != branch for known, other in held):
                    return hop.after, zone_id
            deeper = walk(hop.after, held | hop.after.branches, depth + 1)
            if deeper is not None:
                return deeper
        return None

    roots = {id(hop.before): hop.before for hop in found}
    return next((crossed for root in roots.values() if (crossed := walk(root, root.branches, 0)) is not None), None)


def fouled_stand(corridor: Corridor, stand: Stand, on_lane: Sequence[Interval], length_m: float) -> str | None:
    """Why a truck cannot rest at *stand*, as a clause; None when it can."""
    first_m, last_m = stand.stop_m - behind_m(corridor), stand.stop_m + AHEAD_M
    if first_m < 0.0:
        return f"needs {-first_m:.1f} m more lane behind its stop_m {stand.stop_m:g}"
    if last_m > length_m:
        return f"its stop_m {stand.stop_m:g} lies {last_m - length_m:.1f} m too near the end of its lane"
    for interval in on_lane:
        if interval.start_m < last_m and first_m < interval.end_m:
            return (
                f"a truck resting at {stand.stop_m:g} needs [{first_m:.1f}, {last_m:.1f}) free, and {interval.names[0]!r} "
                f"takes [{interval.start_m:.1f}, {interval.end_m:.1f})"
            )
    return None


def queue_m(corridor: Corridor, gate: Gate, intervals: Mapping[str, Sequence[Interval]]) -> float:
    """Metres free of no-stop intervals before *gate*'s stop line, back over lanes that only one lane leads onto."""
    before: dict[str, list[str]] = {}
    for lane in corridor.lanes:
        before.setdefault(lane.to_node_id, []).append(lane.lane_id)
    lane = corridor.lanes[corridor.lane_ix[gate.lane_id]]
    at_m, free_m = gate.stop_line_m, 0.0
    for _ in range(50):
        ends = [interval.end_m for interval in intervals[lane.lane_id] if interval.start_m < at_m]
        if ends:
            return free_m + at_m - max(ends)
        free_m += at_m
        lanes_before = before.get(lane.from_node_id, [])
        if len(lanes_before) != 1:
            return free_m
        lane = corridor.lanes[corridor.lane_ix[lanes_before[0]]]
        at_m = lane.length_m
    return free_m
