"""
How far each truck's end of authority may move on: behind the ground ahead, through free zones, to a place where it may rest.

The walk runs along a truck's path from its rear. Stretches where no end may lie (no-stop stretches, each lengthened by the
truck and its margins) join into *chains*; a chain is passed whole or not at all. Every zone lies in a chain, so a truck that
holds a zone can always leave it without waiting for anyone: no two trucks can wait for each other in zones.

One-lane sections alone are entered behind another truck, spaced as on a lane, and only with the section's *token*: its road
beyond the section is kept for it by whoever gives tokens (`planner.sections`), so it too can always leave.

Rows take turns, those that wait longest first; what one takes, the next ones see. A truck that only the zone itself keeps
waiting, with room beyond, marks it: later turns do not enter the zone by another branch. So a stream on one branch cannot
starve the other.

Advice (`planner.foresight`) is such marks, laid for trucks that are about to come: all but the eldest of those that wait make way for them
as they would for an older claim, and whoever is marked enters as he would without. So advice only ever refuses.

Where the road ahead is more slippery than what the truck holds, its end stays before it until the truck is slow enough to stop
there: the new friction then never finds it too fast.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from planner._jit import kernel, piece
from planner.authority import Cause
from planner.braking import service_distance_m
from planner.kernels.ground import END, NOBODY, REAR, Holders, Walls, hold_zones, order_rears, take_parts
from planner.kernels.stopping import SPEED, Grip, emergency_m, left_mps2, service_mps2, worst_road
from planner.limits import (
    A_SAFE_MIN_MPS2,
    EXTEND_MIN_FOLLOWING_M,
    EXTEND_MIN_M,
    HORIZON_EXTRA_M,
    HORIZON_HOLD_S,
    NO_STOP_BEFORE_M,
    REACTION_S,
    SAME_PLACE_M,
    STANDING_MARGIN_M,
    STOP_MARK_M,
)
from planner.tables import REAL_COLUMNS, BoolArray, FloatArray, Heads, IndexArray, LaneColumns, TruckColumns

NOSE: Final = REAL_COLUMNS.index("nose_m")
BOUND: Final = REAL_COLUMNS.index("bound_m")
SPEED_MAX: Final = REAL_COLUMNS.index("speed_max_mps")
BEYOND: Final = REAL_COLUMNS.index("beyond_m")
TRUCK_FRICTION: Final = REAL_COLUMNS.index("friction")

LEADER: Final = int(Cause.LEADER)
ZONE: Final = int(Cause.ZONE)
HORIZON: Final = int(Cause.HORIZON)
INTRUSION: Final = int(Cause.INTRUSION)
NO_ORDER: Final = int(Cause.NO_ORDER)
TRACTION: Final = int(Cause.TRACTION)

# Rows of Answers.real
END_M: Final = 0
GAP_M: Final = 1
FRICTION: Final = 2
CLOSED_M: Final = 3
# Rows of Asks.turns
TURN_ZONE: Final = 0
TURN_BRANCH: Final = 1
TURN_ROW: Final = 2
# Rows of Answers.whole
CAUSE: Final = 0
REF: Final = 1
LEADER_ROW: Final = 2
CLAIMING: Final = 3
WORTH: Final = 4


class Asks(NamedTuple):
    """
    What spacing is asked. n trucks, m lanes.

    may_extend     (n,)
    limit_m        (n,)  path coordinate no end may pass; +inf for none
    limit_cause    (n,)
    limit_ref      (n,)
    token          (n,)  zone row of the one-lane section the truck may enter behind another, NOBODY for none
    first          (c,)  rows that already wait, oldest claim first
    waits          (n,)  true for the rows in *first*
    turns          (3, a)  advice, rows TURN_ZONE TURN_BRANCH TURN_ROW: who is next in a zone, and by which branch
    elder_count    how many of *first* take their turn before any advice
    grip           the road's friction
    even_grip      whether it is the same everywhere
    """

    may_extend: BoolArray
    limit_m: FloatArray
    limit_cause: IndexArray
    limit_ref: IndexArray
    token: IndexArray
    first: IndexArray
    waits: BoolArray
    turns: IndexArray
    elder_count: int
    grip: Grip
    even_grip: bool


class Answers(NamedTuple):
    """
    What spacing answers: real (4, n) rows END_M GAP_M FRICTION CLOSED_M, whole (5, n) rows CAUSE REF LEADER_ROW CLAIMING
    WORTH.

    CLOSED_M is the path coordinate where the chain of no-stop stretches ends that the truck waits before, +inf for none.
    GAP_M is nose to the ground ahead, +inf when there is none up to the limit; CLAIMING is 1 for a truck held before a zone it needs,
    WORTH for an extension worth a message.
    """

    real: FloatArray
    whole: IndexArray


@piece
def _refused(zone: int, branch: int, i: int, within: bool, lanes: LaneColumns, holders: Holders) -> bool:
    """Whether *i* may not take *zone* by *branch* now; who is *within* already does not make way for those who want it."""
    row = holders.row[zone]
    if row == i:
        return False
    exclusive = lanes.zone_exclusive[zone]
    if row != NOBODY and (exclusive or holders.branch[zone] != branch):
        return True
    wanted = NOBODY if within else holders.wanted_row[zone]
    return bool(wanted != i and wanted != NOBODY and (exclusive or holders.wanted_branch[zone] != branch))  # noqa: PLR1714 - numba has no `in` for mixed widths


@piece
def _occupant_here(i: int, trucks: TruckColumns, heads: Heads, walls: Walls) -> tuple[float, int]:
    """First ground (chainage, row) ahead of *i* on the lane its own ground ends on; (+inf, NOBODY) for none."""
    lane = heads.end_lane[i]
    low_m, row = np.inf, NOBODY
    at = heads.place[i] + 1 if trucks.end_k[i] == trucks.rear_k[i] else heads.lane_first[lane]
    if at < heads.lane_first[lane + 1]:
        row = trucks.order[at]
        low_m = heads.key_m[row]
    for w in range(len(walls.lane)):
        from_m = walls.from_m[w]
        ahead = heads.end_from_m[i] + walls.to_m[w] > trucks.real[REAR, i]
        if walls.lane[w] == lane and walls.owner[w] != i and ahead and from_m < low_m:
            low_m, row = from_m, walls.owner[w]
    return low_m, row


@piece
def _refused_part(i: int, k: int, stop: int, within: bool, lanes: LaneColumns, trucks: TruckColumns, holders: Holders) -> int:
    """The first zone with a part in one no-stop stretch, still ahead of *i*, that is refused to it; NOBODY for none."""
    lane = trucks.path_lane[i, k]
    base_m = trucks.path_start_m[i, k]
    for p in range(lanes.part_start[lane], lanes.part_start[lane + 1]):
        inside = lanes.part_from_m[p] < lanes.stop_to_m[stop] and lanes.stop_from_m[stop] < lanes.part_to_m[p]
        if inside and base_m + lanes.part_to_m[p] > trucks.real[END, i]:
            zone = lanes.part_zone[p]
            if _refused(zone, lanes.part_branch[p], i, within, lanes, holders):
                return int(zone)
    return NOBODY


@piece
def _target_m(i: int, lanes: LaneColumns, trucks: TruckColumns, heads: Heads) -> float:
    """How far ahead *i* needs its end in free flow: stopping evenly, its resting mark, and some seconds of lost grants."""
    real = trucks.real
    lane_mps = max(lanes.speed_max_mps[heads.rear_lane[i]], lanes.speed_max_mps[heads.end_lane[i]])
    speed = min(real[SPEED_MAX, i], lane_mps)
    braking_m = service_distance_m(speed, REACTION_S, service_mps2(i, real[TRUCK_FRICTION, i], trucks))
    return float(real[NOSE, i] + real[BOUND, i] + STOP_MARK_M + braking_m + speed * HORIZON_HOLD_S + HORIZON_EXTRA_M)


@piece
def _hard_bound(i: int, trucks: TruckColumns, walls: Walls, heads: Heads, asks: Asks, out: Answers) -> tuple[float, int, int]:
    """Where the end of *i* must stop whatever it wants: limit, path or the ground ahead, with cause and reference."""
    count = trucks.path_count[i]
    hard_m, cause, ref = asks.limit_m[i], asks.limit_cause[i], asks.limit_ref[i]
    k, base_m = trucks.end_k[i], heads.end_from_m[i]
    low_m, row = _occupant_here(i, trucks, heads, walls)
    while low_m == np.inf and k + 1 < count and trucks.path_start_m[i, k + 1] - STANDING_MARGIN_M < hard_m:
        k += 1
        base_m = trucks.path_start_m[i, k]
        low_m, row = heads.head_m[trucks.path_lane[i, k]], heads.head_row[trucks.path_lane[i, k]]
    met = low_m < np.inf and base_m - STANDING_MARGIN_M < hard_m
    if met:
        out.real[GAP_M, i] = base_m + low_m - trucks.real[NOSE, i]
        out.whole[LEADER_ROW, i] = row
        if base_m + low_m - STANDING_MARGIN_M < hard_m:
            # Ground of nobody's is kept clear of an intruder.
            return base_m + low_m - STANDING_MARGIN_M, INTRUSION if row == NOBODY else LEADER, row
    # Ground met lies on the path; only without it can the path's end come first.
    if trucks.path_start_m[i, count] < hard_m:
        return trucks.path_start_m[i, count], NO_ORDER, NOBODY
    return hard_m, cause, ref


@piece
def _walk(
    i: int, want_m: float, hard_m: float, token: int, lanes: LaneColumns, trucks: TruckColumns, holders: Holders, out: Answers
) -> tuple[float, float, float]:
    """
    Pass chains of no-stop stretches until the target is reached or a chain stays closed; CAUSE says what the hard bound is.

    A chain that is nothing but the one-lane section of *token* lets the truck in behind the one ahead.

    Returns the end, the end of the chain that closed the way (+inf for none), and whether the hard bound has to do with it (1 or 0);
    where a zone closed it REF is written.
    """
    held_m = trucks.real[END, i]
    chain_from_m, chain_to_m, refused, through = np.inf, -np.inf, NOBODY, False
    for k in range(trucks.rear_k[i], trucks.path_count[i]):
        lane = trucks.path_lane[i, k]
        base_m = trucks.path_start_m[i, k]
        if base_m - NO_STOP_BEFORE_M >= max(min(want_m, hard_m), chain_to_m):
            break
        for stop in range(lanes.stop_start[lane], lanes.stop_start[lane + 1]):
            from_m = base_m + lanes.stop_from_m[stop] - NO_STOP_BEFORE_M
            to_m = base_m + lanes.stop_to_m[stop] + trucks.real[BEYOND, i]
            if to_m <= held_m:
                continue
            if from_m > chain_to_m:
                # A chain ends before this stretch: past it, or stay before it.
                if hard_m < chain_to_m or refused != NOBODY:
                    break
                want_m = max(want_m, chain_to_m)
                if from_m >= min(want_m, hard_m):
                    break
                chain_from_m, through = from_m, token != NOBODY
            chain_to_m = max(chain_to_m, to_m)
            through = through and lanes.stop_section[stop] == token
            if refused == NOBODY:
                refused = _refused_part(i, k, stop, through and chain_from_m < held_m, lanes, trucks, holders)
    if through and refused == NOBODY and chain_from_m < hard_m < chain_to_m and out.whole[CAUSE, i] == LEADER:
        return max(held_m, hard_m), np.inf, 1.0
    if hard_m < chain_to_m or refused != NOBODY:
        out.whole[REF, i] = refused
        return max(held_m, chain_from_m), chain_to_m, 1.0 if hard_m < chain_to_m else 0.0
    want_m = max(want_m, chain_to_m)
    return max(held_m, min(want_m, hard_m)), np.inf, 1.0 if hard_m <= want_m else 0.0


@piece
def _settle(i: int, end_m: float, lanes: LaneColumns, trucks: TruckColumns, heads: Heads, holders: Holders) -> None:
    """Enter the road between the old end of *i* and *end_m*, so that later turns see it."""
    take_parts(i, heads.end_lane[i], heads.end_from_m[i], trucks.real[END, i], end_m, lanes, holders)
    for k in range(trucks.end_k[i] + 1, trucks.path_count[i]):
        base_m = trucks.path_start_m[i, k]
        if base_m >= end_m:
            break
        lane = trucks.path_lane[i, k]
        heads.head_m[lane] = 0.0
        heads.head_row[lane] = i
        take_parts(i, lane, base_m, trucks.real[END, i], end_m, lanes, holders)


@piece
def _claim(i: int, from_m: float, to_m: float, mark: bool, lanes: LaneColumns, trucks: TruckColumns, holders: Holders) -> int:
    """
    Whether (1 or 0) *i* needs a zone it does not hold between *from_m* and *to_m*; *mark* those as wanted by it, unless an older
    claim did.
    """
    needed = 0
    for k in range(trucks.end_k[i], trucks.path_count[i]):
        lane = trucks.path_lane[i, k]
        base_m = trucks.path_start_m[i, k]
        if base_m >= to_m:
            break
        for p in range(lanes.part_start[lane], lanes.part_start[lane + 1]):
            zone = lanes.part_zone[p]
            behind = base_m + lanes.part_to_m[p] <= from_m
            if behind or base_m + lanes.part_from_m[p] >= to_m or holders.row[zone] == i:
                continue
            needed = 1
            if mark and holders.wanted_row[zone] == NOBODY:
                holders.wanted_row[zone] = i
                holders.wanted_branch[zone] = lanes.part_branch[p]
    return needed


@piece
def _lay_turns(turns: IndexArray, holders: Holders) -> None:
    """Mark zones as wanted by those who are next in them, unless a claim has marked them."""
    for at in range(turns.shape[1]):
        zone = turns[TURN_ZONE, at]
        if holders.wanted_row[zone] == NOBODY:
            holders.wanted_row[zone] = turns[TURN_ROW, at]
            holders.wanted_branch[zone] = turns[TURN_BRANCH, at]


@piece
def _slips(i: int, end_m: float, lanes: LaneColumns, trucks: TruckColumns, asks: Asks) -> tuple[bool, int]:
    """Whether the way to *end_m* is worse than what *i* holds, and too bad to stop on from its speed; and the lane that is."""
    real = trucks.real
    held_friction, _, _ = worst_road(i, real[END, i], asks.grip, lanes, trucks)
    friction, grade, lane = worst_road(i, end_m, asks.grip, lanes, trucks)
    if friction >= min(held_friction, real[TRUCK_FRICTION, i]):
        return False, lane
    a_safe = left_mps2(i, friction, grade, trucks)
    needs_m = emergency_m(i, a_safe, grade, trucks) + REACTION_S * max(0.0, real[SPEED, i])
    return bool(a_safe <= A_SAFE_MIN_MPS2 or real[NOSE, i] + real[BOUND, i] + needs_m >= end_m), lane


@piece
def _extend(
    i: int, lanes: LaneColumns, trucks: TruckColumns, walls: Walls, heads: Heads, holders: Holders, asks: Asks, out: Answers
) -> None:
    """Find, say and settle the end of one row that may move on."""
    hard_m, cause, ref = _hard_bound(i, trucks, walls, heads, asks, out)
    want_m = _target_m(i, lanes, trucks, heads)
    if want_m < hard_m and want_m < trucks.real[END, i] + EXTEND_MIN_M:
        # Nothing is ahead and the gain is not worth a message: most trucks in free flow, most of the time.
        out.whole[CAUSE, i], out.whole[REF, i], out.whole[CLAIMING, i] = HORIZON, NOBODY, 0
        return
    out.whole[CAUSE, i] = cause
    end_m, closed_to_m, hard = _walk(i, want_m, hard_m, asks.token[i], lanes, trucks, holders, out)
    if not asks.even_grip and end_m > trucks.real[END, i]:
        slips, lane = _slips(i, end_m, lanes, trucks, asks)
        if slips:
            # It keeps the age of a claim it may have: once slow enough, it is where it was.
            out.whole[CAUSE, i], out.whole[REF, i] = TRACTION, lane
            return
    out.real[END_M, i], out.real[CLOSED_M, i] = end_m, closed_to_m
    if hard > 0.0:
        out.whole[CAUSE, i], out.whole[REF, i] = cause, ref
    elif closed_to_m < np.inf:
        out.whole[CAUSE, i] = ZONE
    else:
        out.whole[CAUSE, i], out.whole[REF, i] = HORIZON, NOBODY
    if end_m > trucks.real[END, i]:
        _settle(i, end_m, lanes, trucks, heads, holders)
    # Room that the truck ahead will make counts as waiting for the zone; a limit of its own does not.
    waits = closed_to_m < np.inf and (hard == 0.0 or cause == LEADER)
    out.whole[CLAIMING, i] = _claim(i, end_m, closed_to_m, hard == 0.0, lanes, trucks, holders) if waits else 0


@piece
def _worth(i: int, held_m: float, asks: Asks, out: Answers) -> bool:
    """Whether the new end of *i* is worth a message."""
    end_m, cause = out.real[END_M, i], out.whole[CAUSE, i]
    if cause == ZONE or end_m >= asks.limit_m[i] - SAME_PLACE_M:
        return bool(end_m - held_m > SAME_PLACE_M)
    return bool(end_m - held_m >= (EXTEND_MIN_M if cause == HORIZON else EXTEND_MIN_FOLLOWING_M))


@piece
def _turn(i: int, lanes: LaneColumns, trucks: TruckColumns, walls: Walls, heads: Heads, holders: Holders, asks: Asks, out: Answers) -> None:
    """One row's turn."""
    held_m = trucks.real[END, i]
    out.real[END_M, i], out.real[FRICTION, i] = held_m, trucks.real[TRUCK_FRICTION, i]
    out.real[GAP_M, i], out.real[CLOSED_M, i] = np.inf, np.inf
    out.whole[CAUSE, i], out.whole[REF, i] = asks.limit_cause[i], asks.limit_ref[i]
    out.whole[LEADER_ROW, i], out.whole[CLAIMING, i], out.whole[WORTH, i] = NOBODY, 1 if asks.waits[i] else 0, 0
    if trucks.path_count[i] == 0:
        return
    if asks.may_extend[i]:
        _extend(i, lanes, trucks, walls, heads, holders, asks, out)
        out.whole[WORTH, i] = 1 if _worth(i, held_m, asks, out) else 0
    if asks.even_grip:
        out.real[FRICTION, i] = min(out.real[FRICTION, i], asks.grip.friction[0])
        return
    friction, _, _ = worst_road(i, out.real[END_M, i], asks.grip, lanes, trucks)
    out.real[FRICTION, i] = min(out.real[FRICTION, i], friction)


@kernel
def extend_ends(
    count: int, lanes: LaneColumns, trucks: TruckColumns, walls: Walls, heads: Heads, holders: Holders, asks: Asks, out: Answers
) -> None:
    """
    Find how far each truck's end may move on.

    count           rows in use
    heads, holders  written, and left as they are after the extensions
    out             written; an end never lies behind the one held. A row that may not extend keeps its end and its limit's cause
    """
    order_rears(count, lanes, trucks, walls, heads)
    hold_zones(count, lanes, trucks, walls, heads, holders)
    waiting = len(asks.first)
    for at in range(waiting + count):
        if at == asks.elder_count:
            _lay_turns(asks.turns, holders)
        i = asks.first[at] if at < waiting else at - waiting
        if at < waiting or not asks.waits[i]:
            _turn(i, lanes, trucks, walls, heads, holders, asks, out)
