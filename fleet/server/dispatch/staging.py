"""
Where trucks queue for a yard's bays.

Loaders are what a corridor has least of. A bay that waits for a truck to come from its parking stand loses a minute every time;
a truck that waits on the lane just before the bays loses nobody anything, as long as only trucks bound for those bays come that
way. Such lanes are found from the graph: every way on from them leads to the bays, nobody who leaves a bay comes by, and they do
not run beside parking stands. How many trucks fit, each at rest clear of every no-stop stretch, is counted once.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.corridor import Corridor, StandKind
from planner.resting import rests
from planner.tables import LaneTable


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingArea:
    """
    The yard, the end of the queue's last lane, and how many trucks may queue or come to it from near by.

    *fits* trucks can stand there: so many may be on their way into the queue from wherever they are.
    """

    yard_id: str
    lane_ix: int
    room: int
    fits: int


def staging_of(corridor: Corridor, lanes: LaneTable, yard_id: str) -> StagingArea | None:
    """The queue for one yard's bays; None where the yard has no lane for it."""
    bay_lanes = _lanes_of(corridor, yard_id, StandKind.BAY)
    if not bay_lanes:
        return None
    stand_lanes = {corridor.lane_ix[stand.lane_id] for stand in corridor.stands}
    gate_lanes = {corridor.lane_ix[gate.lane_id] for gate in corridor.gates}
    beside_parking = _beside(corridor, _lanes_of(corridor, yard_id, StandKind.PARKING))
    closed = stand_lanes | gate_lanes | beside_parking
    passed_by = _onward(lanes, bay_lanes, closed) | _beside(corridor, bay_lanes)
    before = _before(corridor, bay_lanes)
    chain: list[int] = []
    at = [lane for lane in before if lane not in closed and lane not in passed_by]
    while len(at) == 1 and at[0] not in chain:
        chain.append(at[0])
        at = [lane for lane in _before(corridor, {chain[-1]}) if lane not in closed and lane not in passed_by]
    if not chain:
        return None
    truck = max(corridor.truck_types, key=lambda kind: kind.length_m)
    fits = rests(lanes, chain, float(lanes.length_m[chain[0]]), truck.length_m, truck.roll_back_m)
    return StagingArea(yard_id=yard_id, lane_ix=chain[0], room=min(fits, len(bay_lanes) // 2 + 1), fits=fits) if fits > 0 else None


def _lanes_of(corridor: Corridor, yard_id: str, kind: StandKind) -> set[int]:
    return {corridor.lane_ix[stand.lane_id] for stand in corridor.stands if stand.yard_id == yard_id and stand.kind is kind}


def _beside(corridor: Corridor, members: set[int]) -> set[int]:
    """Lanes between the same two nodes as any of *members*."""
    ends = {(corridor.lanes[lane].from_node_id, corridor.lanes[lane].to_node_id) for lane in sorted(members)}
    return {ix for ix, lane in enumerate(corridor.lanes) if (lane.from_node_id, lane.to_node_id) in ends}


def _before(corridor: Corridor, members: set[int]) -> list[int]:
    nodes = {corridor.lanes[lane].from_node_id for lane in sorted(members)}
    return [ix for ix, lane in enumerate(corridor.lanes) if lane.to_node_id in nodes]


def _onward(lanes: LaneTable, sources: set[int], closed: set[int]) -> set[int]:
    """Lanes that can be reached from *sources* without entering *closed* ones."""
    found: set[int] = set()
    waiting = sorted(sources)
    while waiting:
        lane = waiting.pop()
        for ahead in lanes.succ_lane[lanes.succ_start[lane] : lanes.succ_start[lane + 1]].tolist():
            if ahead not in found and ahead not in closed:
                found.add(ahead)
                waiting.append(ahead)
    return found
