"""
Fixed blocks: the rule of railways before moving authority, as a limit on how far each truck's end may go.

The road is cut into blocks, and a block is one truck's from the moment its end enters it until its confirmed rear is out. A truck
whose next block is another's waits before it; who has waited longest takes his turn first, and what one takes, the next ones see.
A turn takes the blocks that the end may reach in this tick, chains of no-stop stretches included: they are passed whole.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from planner._jit import kernel, piece
from planner.braking import service_distance_m
from planner.kernels.ground import END, NOBODY, REAR
from planner.kernels.spacing import BEYOND, BOUND, NOSE, SPEED_MAX, TRUCK_FRICTION
from planner.kernels.stopping import service_mps2
from planner.limits import HORIZON_EXTRA_M, HORIZON_HOLD_S, NO_STOP_BEFORE_M, REACTION_S, SAME_PLACE_M, STOP_MARK_M
from planner.tables import BoolArray, FloatArray, IndexArray, LaneColumns, TruckColumns

# Rows of BlockAnswers.whole
HOLDER: Final = 0
REFUSED: Final = 1


class BlockColumns(NamedTuple):
    """
    The road in pieces of blocks. m lanes, p pieces.

    piece_start  (m + 1,)  the pieces of lane l are [piece_start[l], piece_start[l + 1])
    piece_to_m   (p,)      chainage where each ends and the next begins; a lane's last is its length
    piece_block  (p,)      the block each belongs to: a block may run on over a lane's end
    """

    piece_start: IndexArray
    piece_to_m: FloatArray
    piece_block: IndexArray


class BlockAsks(NamedTuple):
    """
    What is asked. n trucks.

    may_extend  (n,)
    limit_m     (n,)  path coordinate no end will pass in any case; +inf for none
    first       (c,)  rows that wait for a block already, longest first
    waits       (n,)  true for the rows in *first*
    """

    may_extend: BoolArray
    limit_m: FloatArray
    first: IndexArray
    waits: BoolArray


class BlockAnswers(NamedTuple):
    """
    limit_m (n,) path coordinate no end may pass for blocks' sake, +inf for none; whole (2, n) rows HOLDER, the truck whose block it
    is (NOBODY: the limit is only as far as this turn looked), and REFUSED, 1 for a truck that waits for a block; block_row (b,) who
    has each block after the turns.
    """

    limit_m: FloatArray
    whole: IndexArray
    block_row: IndexArray


@piece
def _occupy(i: int, trucks: TruckColumns, blocks: BlockColumns, out: BlockAnswers) -> None:
    """Enter *i* as holder of every block any of its ground lies in, unless somebody is there."""
    rear_m, end_m = trucks.real[REAR, i], trucks.real[END, i] - SAME_PLACE_M
    for k in range(trucks.path_count[i]):
        base_m = trucks.path_start_m[i, k]
        if base_m >= end_m:
            break
        if trucks.path_start_m[i, k + 1] <= rear_m:
            continue
        lane = trucks.path_lane[i, k]
        from_m = base_m
        for p in range(blocks.piece_start[lane], blocks.piece_start[lane + 1]):
            to_m = base_m + blocks.piece_to_m[p]
            if to_m > rear_m and from_m < end_m and out.block_row[blocks.piece_block[p]] == NOBODY:
                out.block_row[blocks.piece_block[p]] = i
            from_m = to_m


@piece
def _reach_m(i: int, trucks: TruckColumns) -> float:
    """How far ahead *i* may want its end in free flow, at its own top speed: no less than spacing will ask."""
    real = trucks.real
    speed = real[SPEED_MAX, i]
    braking_m = service_distance_m(speed, REACTION_S, service_mps2(i, real[TRUCK_FRICTION, i], trucks))
    return float(real[NOSE, i] + real[BOUND, i] + STOP_MARK_M + braking_m + speed * HORIZON_HOLD_S + HORIZON_EXTRA_M)


@piece
def _take_turn(i: int, lanes: LaneColumns, trucks: TruckColumns, blocks: BlockColumns, asks: BlockAsks, out: BlockAnswers) -> None:
    """Take the free blocks from the end of *i* on, as far as it may want to go, and set its limit before the first it did not get."""
    held_m, most_m = trucks.real[END, i], asks.limit_m[i]
    reach_m = min(_reach_m(i, trucks), most_m)
    for k in range(trucks.path_count[i]):
        base_m = trucks.path_start_m[i, k]
        if base_m >= held_m - SAME_PLACE_M and base_m - NO_STOP_BEFORE_M >= reach_m:
            out.limit_m[i] = max(held_m, base_m)
            return
        lane = trucks.path_lane[i, k]
        for stop in range(lanes.stop_start[lane], lanes.stop_start[lane + 1]):
            to_m = base_m + lanes.stop_to_m[stop] + trucks.real[BEYOND, i]
            if to_m > held_m and base_m + lanes.stop_from_m[stop] - NO_STOP_BEFORE_M < reach_m:
                reach_m = min(max(reach_m, to_m), most_m)
        from_m = base_m
        for p in range(blocks.piece_start[lane], blocks.piece_start[lane + 1]):
            to_m = base_m + blocks.piece_to_m[p]
            if from_m >= held_m - SAME_PLACE_M:
                holder = out.block_row[blocks.piece_block[p]]
                if from_m >= reach_m or (holder != NOBODY and holder != i):  # noqa: PLR1714 - numba has no `in` for mixed widths
                    out.limit_m[i] = max(held_m, from_m)
                    if from_m < reach_m:
                        out.whole[HOLDER, i], out.whole[REFUSED, i] = holder, 1
                    return
                out.block_row[blocks.piece_block[p]] = i
            from_m = to_m


@kernel
def hold_to_blocks(count: int, lanes: LaneColumns, trucks: TruckColumns, blocks: BlockColumns, asks: BlockAsks, out: BlockAnswers) -> None:
    """
    Find how far blocks let each truck's end go.

    count  rows in use
    out    written; a limit never lies behind the end held. A row that may not extend has none, and goes on waiting if it did
    """
    out.block_row[:] = NOBODY
    for i in range(count):
        out.limit_m[i] = np.inf
        out.whole[HOLDER, i], out.whole[REFUSED, i] = NOBODY, 1 if asks.waits[i] and not asks.may_extend[i] else 0
        if trucks.path_count[i] > 0:
            _occupy(i, trucks, blocks, out)
    waiting = len(asks.first)
    for at in range(waiting + count):
        i = asks.first[at] if at < waiting else at - waiting
        if (at < waiting or not asks.waits[i]) and asks.may_extend[i] and trucks.path_count[i] > 0:
            _take_turn(i, lanes, trucks, blocks, asks, out)
