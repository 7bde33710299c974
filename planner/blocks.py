"""
Fixed blocks, as a policy to be measured against: every stretch of road belongs to one truck until its rear is confirmed out.

That is how railways kept trains apart before moving authority, and how guided trucks often are today. It only ever narrows what
spacing would grant: an authority must own every block it lies in, so a truck waits before the block of the truck ahead, and in it
it is alone. Whoever has waited longest for a block is first.

A block ends where its length is used up, and wherever a signal would stand: at a gate's stop line, past a stand's stopping place,
and at every fork and merge. Lanes that follow one another without either are cut as one road.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from planner.corridor import Corridor
from planner.kernels.blocks import HOLDER, REFUSED, BlockAnswers, BlockAsks, BlockColumns, hold_to_blocks
from planner.limits import SAME_PLACE_M, STAND_END_M
from planner.tables import BoolArray, FloatArray, IndexArray, LongArray, TruckTable
from planner.zones import first_claims


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTable:
    """The road cut into blocks; rows of lanes are the corridor's."""

    columns: BlockColumns
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLimits:
    """What blocks allow; n trucks, b blocks."""

    limit_m: FloatArray  # (n,) path coordinate no end may pass, +inf for none
    holder: IndexArray  # (n,) whose block it is, -1 for nobody's: this tick does not look further
    refused: IndexArray  # (n,) 1 for a truck that waits for a block: feed `planner.zones.claims_after`
    block_row: IndexArray  # (b,) who has each block after this tick's turns, -1 nobody


def blocks_of(corridor: Corridor, block_m: float) -> BlockTable:
    """
    *corridor* cut into blocks of about *block_m*: between two signals, as many equal ones as come nearest to it.

    Raises:
        ValueError: a block must have some length.
    """
    if block_m <= 0.0:
        raise ValueError(f"block_m must be positive, is {block_m}")
    pieces: list[list[tuple[float, int]]] = [[] for _ in corridor.lanes]
    count = 0
    for road in _roads(corridor):
        cuts_m = _cuts_m(corridor, road, block_m)
        start_m = 0.0
        for lane in road:
            length_m = corridor.lanes[lane].length_m
            for ix, to_m in enumerate(cuts_m):
                from_m = cuts_m[ix - 1] if ix else 0.0
                if from_m < start_m + length_m - SAME_PLACE_M and to_m > start_m + SAME_PLACE_M:
                    pieces[lane].append((min(to_m - start_m, length_m), count + ix))
            pieces[lane][-1] = (length_m, pieces[lane][-1][1])
            start_m += length_m
        count += len(cuts_m)
    start = np.zeros(len(pieces) + 1, np.int32)
    start[1:] = np.cumsum([len(row) for row in pieces])
    flat = [piece for row in pieces for piece in row]
    columns = BlockColumns(
        piece_start=start,
        piece_to_m=np.array([to_m for to_m, _ in flat], np.float64),
        piece_block=np.array([block for _, block in flat], np.int32),
    )
    return BlockTable(columns=columns, count=count)


def _roads(corridor: Corridor) -> list[list[int]]:
    """Lanes that follow one another without fork or merge, each lane once."""
    lanes = corridor.lanes
    ways_in, ways_out = Counter(lane.to_node_id for lane in lanes), Counter(lane.from_node_id for lane in lanes)
    after = {lane.from_node_id: ix for ix, lane in enumerate(lanes)}

    def plain(node_id: str) -> bool:
        return ways_in[node_id] == ways_out[node_id] == 1

    roads: list[list[int]] = []
    seen: set[int] = set()
    # A ring without fork or merge has no beginning: it is cut where its lowest lane begins.
    begins = [ix for ix, lane in enumerate(lanes) if not plain(lane.from_node_id)]
    for first in (*begins, *range(len(lanes))):
        road: list[int] = []
        at = first
        while at not in seen:
            seen.add(at)
            road.append(at)
            if not plain(lanes[at].to_node_id):
                break
            at = after[lanes[at].to_node_id]
        if road:
            roads.append(road)
    return roads


def _cuts_m(corridor: Corridor, road: list[int], block_m: float) -> list[float]:
    """Where the blocks of a road end, metres from its beginning, ascending; the last is the road's end."""
    signals: list[float] = []
    start_m = 0.0
    for lane in road:
        lane_id = corridor.lanes[lane].lane_id
        signals += [start_m + gate.stop_line_m for gate in corridor.gates if gate.lane_id == lane_id]
        signals += [start_m + stand.stop_m + STAND_END_M for stand in corridor.stands if stand.lane_id == lane_id]
        start_m += corridor.lanes[lane].length_m
    cuts_m: list[float] = []
    at_m = 0.0
    for signal_m in (*sorted(signals), start_m):
        if signal_m <= at_m + SAME_PLACE_M or (signal_m > start_m - SAME_PLACE_M and signal_m != start_m):
            continue
        parts = max(1, round((signal_m - at_m) / block_m))
        cuts_m += [at_m + (signal_m - at_m) * part / parts for part in range(1, parts)] + [signal_m]
        at_m = signal_m
    return cuts_m


def hold_to(blocks: BlockTable, trucks: TruckTable, *, may_extend: BoolArray, limit_m: FloatArray, since: LongArray) -> BlockLimits:
    """
    How far blocks let each end go. Nothing is written to *trucks*.

    may_extend  (n,)
    limit_m     (n,) path coordinate no end will pass in any case
    since       (n,) tick at which the truck was first refused the block it waits for; 0 for none
    """
    n = trucks.count
    asks = BlockAsks(may_extend=may_extend, limit_m=limit_m, first=first_claims(since), waits=since > 0)
    answers = BlockAnswers(limit_m=np.empty(n), whole=np.empty((2, n), np.int32), block_row=np.empty(blocks.count, np.int32))
    hold_to_blocks(n, trucks.lanes.columns, trucks.columns, blocks.columns, asks, answers)
    return BlockLimits(limit_m=answers.limit_m, holder=answers.whole[HOLDER], refused=answers.whole[REFUSED], block_row=answers.block_row)
