"""
Where no truck may come to rest, lane by lane: zones, authored bans, and each gate from just past its stop line to its clear point.

Stretches that touch are merged. One that is a one-lane section's part, and nothing else, names the section: there alone a truck may be
let in behind another (see `planner.kernels.spacing`).
"""

from __future__ import annotations

from collections.abc import Iterable

from planner.corridor import NO_ZONE, Corridor
from planner.limits import GATE_LINE_GAP_M

Span = tuple[float, float]
Part = tuple[float, float, float, float]
"""From, to, zone row, branch."""


def zone_parts(corridor: Corridor) -> list[list[Part]]:
    """Per lane the parts of zones, ascending."""
    parts: list[list[Part]] = [[] for _ in corridor.lanes]
    for zone_ix, zone in enumerate(corridor.zones):
        for part in zone.parts:
            at = part.stretch
            parts[corridor.lane_ix[at.lane_id]].append((at.start_m, at.end_m, float(zone_ix), float(part.branch)))
    return [sorted(row) for row in parts]


def no_stops(corridor: Corridor, parts: list[list[Part]]) -> list[list[tuple[float, float, float]]]:
    """Per lane the merged stretches (from, to, row of the one-lane section or -1), ascending."""
    bans: list[list[Span]] = [[] for _ in corridor.lanes]
    for stretch in corridor.no_stops:
        bans[corridor.lane_ix[stretch.lane_id]].append((stretch.start_m, stretch.end_m))
    for gate in corridor.gates:
        if gate.clear_m > gate.stop_line_m + GATE_LINE_GAP_M:
            bans[corridor.lane_ix[gate.lane_id]].append((gate.stop_line_m + GATE_LINE_GAP_M, gate.clear_m))
    stops: list[list[tuple[float, float, float]]] = []
    for banned, on_lane in zip(bans, parts, strict=True):
        merged = _merged([*banned, *((part[0], part[1]) for part in on_lane)])
        stops.append([(low, high, float(_section(corridor, (low, high), banned, on_lane))) for low, high in merged])
    return stops


def _section(corridor: Corridor, span: Span, banned: list[Span], on_lane: list[Part]) -> int:
    """The one-lane section that *span* is a part of and nothing more; `NO_ZONE` when an authored ban, a gate or another zone meets it."""
    if any(_meet(span, ban) for ban in banned):
        return NO_ZONE
    sections = {corridor.section_of_zone[int(part[2])] for part in on_lane if _meet(span, (part[0], part[1]))}
    return sections.pop() if len(sections) == 1 else NO_ZONE


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _merged(intervals: Iterable[Span]) -> list[Span]:
    out: list[Span] = []
    for start, end in sorted(intervals):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out
