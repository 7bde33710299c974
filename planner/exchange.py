"""
The least time between two trucks that stand in turn: at a gate's line, and where the roads behind gates meet.

At a line the next truck can be called when it stands there. The one before sets off from rest with its acceleration `a`; the
next may roll up behind it, but so that it could always stop behind the tail: nose + v^2/2b never passes the tail less the margins
`c`. The tail is `c` beyond the line after `t = sqrt(2 (L + c) / a)`. By then the next truck's stopping point has only just got to the line, and
to have kept up it must be at least as fast as `a t / (1 + a/b)`, which takes another `a t / (a + b)` to brake away.

Where the lanes behind gates side by side meet before a truck could rest clear of both, nobody's authority may end between the gates'
lines and a truck's length beyond the place where they meet. So the next one sets off, from rest at its line, only when the tail of the one
before is out of all that. What is between the two is one run from rest.

Margins are those of `planner.limits` but for the bound of a truck's place, and no message, jerk or reaction takes any time: nobody is faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from planner.corridor import Corridor, Gate, Lane, TruckType
from planner.limits import NO_STOP_BEYOND_M, STANDING_MARGIN_M, STOP_MARK_M

STEP_M: Final = 0.25


def pull_mps2(kind: TruckType, *, laden: bool) -> float:
    """How a truck speeds up."""
    return kind.acceleration_laden_mps2 if laden else kind.acceleration_empty_mps2


def exchange_s(kind: TruckType, *, laden: bool) -> float:
    """Seconds from one truck's setting off from a line until the next one can stand there."""
    a = pull_mps2(kind, laden=laden)
    clear_s = math.sqrt(2.0 * (kind.length_m + _behind_m(kind)) / a)
    return clear_s * (1.0 + a / (a + kind.brake_service_mps2))


def _behind_m(kind: TruckType) -> float:
    """Between a tail and the nose of who stands behind it, but for the bounds of both places."""
    return STANDING_MARGIN_M + kind.roll_back_m + STOP_MARK_M


def run_s(pieces: Sequence[tuple[float, float]], kind: TruckType, *, laden: bool) -> float:
    """Seconds from rest over stretches of (length in metres, most m/s), braking in time for each slower one."""
    a, b = pull_mps2(kind, laden=laden), kind.brake_service_mps2
    caps = [min(most, kind.speed_max_mps) for length_m, most in pieces for _ in range(max(1, round(length_m / STEP_M)))]
    step_m = sum(length_m for length_m, _ in pieces) / max(1, len(caps))
    for k in range(len(caps) - 2, -1, -1):
        caps[k] = min(caps[k], math.sqrt(caps[k + 1] ** 2 + 2.0 * b * step_m))
    total_s, v = 0.0, 0.0
    for cap in caps:
        after = min(cap, math.sqrt(v * v + 2.0 * a * step_m))
        total_s += 2.0 * step_m / (v + after)
        v = after
    return total_s


def merging(corridor: Corridor) -> list[list[Gate]]:
    """Gates side by side whose lanes meet so near behind their lines that nobody can rest between."""
    lane_of = {gate.gate_id: corridor.lanes[corridor.lane_ix[gate.lane_id]] for gate in corridor.gates}
    groups: dict[tuple[str, str], list[Gate]] = {}
    for gate in corridor.gates:
        if not gate.drive_through and _meets_at_m(corridor, gate) - gate.clear_m < corridor.truck_types[0].length_m:
            groups.setdefault((lane_of[gate.gate_id].to_node_id, gate.role.value), []).append(gate)
    return [group for group in groups.values() if len(group) > 1]


def _meets_at_m(corridor: Corridor, gate: Gate) -> float:
    """Where on its gate's lane the zone at the lane's end begins; +inf without one."""
    length_m = corridor.lanes[corridor.lane_ix[gate.lane_id]].length_m
    starts = [
        part.stretch.start_m
        for zone in corridor.zones
        if zone.derived
        for part in zone.parts
        if part.stretch.lane_id == gate.lane_id and part.stretch.end_m > length_m - 1.0 and part.stretch.start_m > gate.stop_line_m
    ]
    return min(starts, default=math.inf)


def merge_s(corridor: Corridor, gate: Gate, kind: TruckType, *, laden: bool) -> float:
    """Seconds from a truck's setting off from its gate until the next one can set off from a gate beside it."""
    lane = corridor.lanes[corridor.lane_ix[gate.lane_id]]
    beyond_m = 2.0 * kind.length_m + NO_STOP_BEYOND_M + STANDING_MARGIN_M + kind.roll_back_m
    pieces = [(STOP_MARK_M + lane.length_m - gate.stop_line_m, lane.speed_max_mps), *_onward(corridor, lane, beyond_m)]
    return run_s(pieces, kind, laden=laden)


def _onward(corridor: Corridor, lane: Lane, metres: float) -> list[tuple[float, float]]:
    """The road behind a lane, so many metres of it: at a fork the fastest way, and no shorter than what is asked for."""
    pieces: list[tuple[float, float]] = []
    while metres > 0.0:
        ahead = [other for other in corridor.lanes if other.from_node_id == lane.to_node_id]
        if not ahead:
            break
        lane = max(ahead, key=lambda other: (other.speed_max_mps, other.length_m))
        pieces.append((min(metres, lane.length_m), lane.speed_max_mps))
        metres -= lane.length_m
    return pieces
