"""
Proof that a site can be driven: connected, no dead end, room to wait wherever trucks must wait.

Each finding is one line with the file, the line, what is wrong and what to do. A site with a finding is not loaded: trucks
would not collide on it, but they could come to stand for good.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from fleet.site.drafts import Draft
from fleet.site.names import SiteError, did_you_mean
from fleet.site.room import Interval, end_room_m, endless_chain, fouled_stand, hops, no_stop_intervals, queue_m, self_crossing
from fleet.site.shapes import resample
from fleet.site.source import YamlPath
from planner.corridor import Corridor, GateRole, Lane, StandKind, YardRole, Zone

# Shorter than two swept half widths, the lanes on either side of it would seem to cross.
LANE_LENGTH_MIN_M: Final = 8.0
RADIUS_MIN_M: Final = 14.0
# Half of what tips a laden truck over.
SIDEWAYS_MAX_MPS2: Final = 2.2
KINK_MAX_DEG: Final = 6.0
ALONGSIDE_MAX_M: Final = 80.0
QUEUE_TRUCKS: Final = 2


def findings(draft: Draft, corridor: Corridor) -> list[SiteError]:
    """Everything that keeps the site from being sound, in the order of the file; empty when it is."""
    checks = (_lengths, _curves, _joints, _ways_out, _yards, _rings, _alongside, _stands, _gates, _chains, _standings)
    found = [finding for check in checks for finding in check(draft, corridor)]
    return sorted(found, key=lambda finding: (finding.file, finding.line))


def _path(draft: Draft, kind: str, name: str) -> YamlPath:
    return draft.origins.get((kind, name), ())


def _lengths(draft: Draft, corridor: Corridor) -> Iterator[SiteError]:
    for lane in corridor.lanes:
        if lane.length_m < LANE_LENGTH_MIN_M:
            yield draft.error(
                _path(draft, "lane", lane.lane_id),
                f"lane {lane.lane_id!r} is {lane.length_m:.1f} m long",
                f"make it at least {LANE_LENGTH_MIN_M:g} m, or join its two nodes into one",
            )


def _curves(draft: Draft, corridor: Corridor) -> Iterator[SiteError]:
    for lane in corridor.lanes:
        along, points = resample(np.array(lane.points), 2.0)
        if len(points) < 3:
            continue
        steps = np.diff(points, axis=0)
        turns = np.abs(np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))))
        worst = int(np.argmax(turns))
        radius_m = float(along[1] / max(turns[worst], 1e-9))
        if radius_m < RADIUS_MIN_M:
            yield draft.error(
                _path(draft, "lane", lane.lane_id),
                f"lane {lane.lane_id!r} turns with a radius of {radius_m:.1f} m at {along[worst + 1]:.0f} m",
                f"a truck needs {RADIUS_MIN_M:g} m; give it radius_m, more points or a longer lead",
            )
        elif lane.speed_max_mps**2 / radius_m > SIDEWAYS_MAX_MPS2:
            yield draft.error(
                _path(draft, "lane", lane.lane_id),
                f"lane {lane.lane_id!r} is driven at {lane.speed_max_mps * 3.6:.0f} km/h round a radius of {radius_m:.0f} m",
                f"at most {3.6 * math.sqrt(SIDEWAYS_MAX_MPS2 * radius_m):.0f} km/h is safe there",
            )


def _joints(draft: Draft, corridor: Corridor) -> Iterator[SiteError]:
    leaving: dict[str, list[Lane]] = {}
    for lane in corridor.lanes:
        leaving.setdefault(lane.from_node_id, []).append(lane)
    for lane in corridor.lanes:
        for after in leaving.get(lane.to_node_id, []):
            turn = _heading(after, 0) - _heading(lane, -2)
            kink_deg = abs(math.degrees((turn + math.pi) % math.tau - math.pi))
            if kink_deg > KINK_MAX_DEG:
                yield draft.error(
                    _path(draft, "lane", after.lane_id),
                    f"from lane {lane.lane_id!r} into {after.lane_id!r} a truck would have to turn {kink_deg:.0f} degrees on the spot",
                    "make the headings agree: reverse, bearing_deg or radius_m",
                )


def _heading(lane: Lane, ix: int) -> float:
    (x0, y0), (x1, y1) = lane.points[ix], lane.points[ix + 1] if ix != -2 else lane.points[-1]
    return math.atan2(y1 - y0, x1 - x0)


def _components(corridor: Corridor, without: frozenset[str] = frozenset()) -> np.ndarray[tuple[int], np.dtype[np.int_]]:
    """The strongly connected component of each lane, (m,); lanes of *without* lead nowhere."""
    leaving: dict[str, list[int]] = {}
    for ix, lane in enumerate(corridor.lanes):
        leaving.setdefault(lane.from_node_id, []).append(ix)
    pairs = [
        (ix, after)
        for ix, lane in enumerate(corridor.lanes)
        if lane.lane_id not in without
        for after in leaving.get(lane.to_node_id, [])
        if corridor.lanes[after].lane_id not in without
    ]
    count = len(corridor.lanes)
    rows, columns = np.array(pairs).T if pairs else np.zeros((2, 0), dtype=int)
    graph = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    labels: np.ndarray[tuple[int], np.dtype[np.int_]] = csgraph.connected_components(graph, connection="strong")[1]
    return labels


def _ways_out(draft: Draft, corridor: Corridor) -> Iterator[SiteError]:
    begins = {lane.from_node_id for lane in corridor.lanes}
    ends = {lane.to_node_id for lane in corridor.lanes}
    loose = False
    for node in corridor.nodes:
        if node.node_id not in begins | ends:
            yield draft.error(
                _path(draft, "node", node.node_id), f"no lane touches node {node.node_id!r}", "remove it, or lead a lane to it"
            )
    for lane in corridor.lanes:
        if lane.to_node_id not in begins:
            loose = True
            yield draft.error(
                _path(draft, "lane", lane.lane_id),
                f"lane {lane.lane_id!r} leads nowhere: no lane begins at node {lane.to_node_id!r}",
                "continue it, or lead it to another node",
            )
        if lane.from_node_id not in ends:
            loose = True
            yield draft.error(
                _path(draft, "lane", lane.lane_id),
                f"no truck can reach lane {lane.lane_id!r}: no lane ends at node {lane.from_node_id!r}",
                "lead a lane to it, or remove it",
            )
    if loose:
        return
    labels = _components(corridor)
    main = np.bincount(labels).argmax()
    told: set[int] = set()
    for ix, lane in enumerate(corridor.lanes):
        if labels[ix] != main and int(labels[ix]) not in told:
            told.add(int(labels[ix]))
            yield draft.error(
                _path(draft, "lane", lane.lane_id),
                f"from lane {lane.lane_id!r} a truck cannot get to the rest of the road and back",
                "add the lane that closes the way round",
            )


def _yards(draft: Draft, corridor: Corridor) -> Iterator[SiteError]:
    roles = [yard.role for yard in corridor.yards]
    for role in (YardRole.LOADING, YardRole.UNLOADING):
        if roles.count(role) != 1:
            yield draft.error(("yards",), f"there are {roles.count(role)} yards of role {role.value}", "a corridor has one")
    for yard in corridor.yards:
        if yard.role is YardRole.CHECKPOINT:
            continue
        path = ("yards", yard.yard_id)
        if not yard.entry_lane_ids:
            yield draft.error(path, f"yard {yard.yard_id!r} has no entry_lanes", "name the lanes on which a truck counts as having entered")
        kinds = {stand.kind for stand in corridor.stands if stand.yard_id == yard.yard_id}
        yield from (
            draft.error(path, f"yard {yard.yard_id!r} has no {kind.value} stand", f"add a fan with kind: {kind.value}")
            for kind in (StandKind.BAY, StandKind.PARKING)
            if kind not in kinds
        )


def _rings(draft: Draft, corridor: Corridor) -> Iterator[SiteError]:
    """Within a yard any stand reaches any other without passing a gate."""
    labels = _components(corridor, frozenset(gate.lane_id for gate in corridor.gates if gate.role in {GateRole.EXIT, GateRole.ENTRY}))
    for yard in corridor.yards:
        if yard.role is YardRole.CHECKPOINT:
            continue
        stands = [stand for stand in corridor.stands if stand.yard_id == yard.yard_id]
        rings = [int(labels[corridor.lane_ix[stand.lane_id]]) for stand in stands]
        for stand, ring in zip(stands, rings, strict=True):
            if ring != rings[0]:
                yield draft.error(
                    _path(draft, "stand", stand.stand_id),
                    f"stand {stand.stand_id!r} and {stands[0].stand_id!r} of yard {yard.yard_id!r} cannot reach each other inside the yard",
                    "add a lane that closes the yard's loop before its exit gates",
                )
                break


def _alongside(draft: Draft, corridor: Corridor) -> Iterator[SiteError]:
    ends = {lane.lane_id: {lane.from_node_id, lane.to_node_id} for lane in corridor.lanes}
    meant = [{part.stretch.lane_id for part in zone.parts} for zone in corridor.zones if not zone.derived]
    for zone in corridor.zones:
        a, b = zone.parts[0].stretch, zone.parts[-1].stretch
        if zone.derived and _runs_alongside(zone, ends) and not any({a.lane_id, b.lane_id} <= lanes for lanes in meant):
            yield draft.error(
                _path(draft, "lane", a.lane_id),
                f"lanes {a.lane_id!r} and {b.lane_id!r} run closer than two trucks' width for {a.end_m - a.start_m:.0f} m",
                "move them apart, or say under zones that it is meant: one directional zone with both lanes",
            )


def _runs_alongside(zone: Zone, ends: dict[str, set[str]]) -> bool:
    a, b = zone.parts[0].stretch, zone.parts[1].stretch
    longest_m = max(a.end_m - a.start_m, b.end_m - b.start_m)
    meets = bool(ends[a.lane_id] & ends[b.lane_id])
    return longest_m > (2.0 * ALONGSIDE_MAX_M if meets else ALONGSIDE_MAX_M)


def _stands(draft: Draft, corridor: Corridor) -> Iterator[SiteError]:
    intervals = no_stop_intervals(corridor)
    for stand in corridor.stands:
        lane = corridor.lanes[corridor.lane_ix[stand.lane_id]]
        why = fouled_stand(corridor, stand, intervals[stand.lane_id], lane.length_m)
        if why is not None:
            yield draft.error(
                _path(draft, "stand", stand.stand_id),
                f"stand {stand.stand_id!r} is too short: {why}",
                "lengthen the fan or the slot, widen the spacing, or move the stop",
            )


def _gates(draft: Draft, corridor: Corridor) -> Iterator[SiteError]:
    intervals = no_stop_intervals(corridor)
    longest_m = max(kind.length_m for kind in corridor.truck_types)
    for gate in corridor.gates:
        trucks = 1 if gate.drive_through else QUEUE_TRUCKS
        needed_m = end_room_m(corridor) + (trucks - 1) * (longest_m + 4.0)
        free_m = queue_m(corridor, gate, intervals)
        if free_m < needed_m:
            yield draft.error(
                _path(draft, "gate", gate.gate_id),
                f"gate {gate.gate_id!r} has {max(0.0, free_m):.1f} m of queue area before its stop line, free of zones",
                f"{trucks} truck{'s' if trucks > 1 else ''} need {needed_m:.1f} m: move the stop line on, or the merge back",
            )


def _chains(draft: Draft, corridor: Corridor) -> Iterator[SiteError]:
    found = hops(corridor, no_stop_intervals(corridor))
    for hop in found:
        if hop.after.gate is not None:
            yield draft.error(
                _path(draft, "gate", hop.after.gate),
                f"a truck waiting at gate {hop.after.gate!r} would still stand in {hop.before.names[0]!r}, {hop.free_m:.1f} m behind its stop line",
                f"leave {end_room_m(corridor):.1f} m free between them",
            )
    endless = endless_chain([hop for hop in found if hop.after.gate is None])
    if endless is not None:
        yield draft.error(
            _place_of(draft, endless),
            f"no-stop stretches follow one another for ever from {endless.names[0]!r} on lane {endless.lane_id!r}",
            f"leave a plain {end_room_m(corridor):.1f} m somewhere on the way round, where a truck can wait",
        )
    crossed = self_crossing([hop for hop in found if hop.after.gate is None])
    if crossed is not None:
        interval, zone_id = crossed
        yield draft.error(
            _place_of(draft, interval),
            f"a truck comes round to {zone_id!r} on lane {interval.lane_id!r} while its own tail may still be in it",
            f"leave a plain {end_room_m(corridor):.1f} m between the two passages",
        )


def _place_of(draft: Draft, interval: Interval) -> YamlPath:
    return _path(draft, "lane", interval.lane_id)


def _standings(draft: Draft, _corridor: Corridor) -> Iterator[SiteError]:
    known = draft.spec.standings
    tree = draft.source.tree
    for path_text in known:
        here: object = tree
        for part in path_text.split("."):
            if not isinstance(here, dict) or part not in here:
                options = here if isinstance(here, dict) else ()
                yield draft.error(
                    ("standings", path_text), f"there is no figure {path_text!r}", did_you_mean(part, [str(key) for key in options])
                )
                break
            here = here[part]
    for section, value in tree.items():
        if section in {"site", "title", "standings", "extends"}:
            continue
        bare = _first_figure(value, (section,), known)
        if bare is not None:
            name = ".".join(str(part) for part in bare)
            yield draft.error(
                bare, f"nothing says what {name} rests on", f'add standings: {{{section}: "A reason"}} (P published, D derived, A assumed)'
            )


def _first_figure(value: object, path: YamlPath, known: dict[str, str]) -> YamlPath | None:
    """The first number at or below *path* that no standing covers."""
    if ".".join(str(part) for part in path) in known:
        return None
    entries: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return path
    for key, entry in entries:
        found = _first_figure(entry, (*path, key), known)
        if found is not None:
            return found
    return None
