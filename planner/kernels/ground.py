"""
Whose ground is where: trucks in order along each lane, the first occupied metre of each lane, the holders of each zone.

The ground of two trucks never overlaps, which makes this cheap. On any lane at most one truck's ground comes in across the
lane's start; every other truck there has its rear on the lane. So one sort by (lane of the rear, chainage of the rear) orders
everything, and a truck's neighbour ahead is the next entry, or the first entry of a lane further along its path. Between
ticks the order hardly changes: the sort starts from the last one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner._jit import kernel, piece
from planner.tables import REAL_COLUMNS, FloatArray, Heads, IndexArray, LaneColumns, TruckColumns

REAR: Final = REAL_COLUMNS.index("rear_m")
END: Final = REAL_COLUMNS.index("end_m")

NOBODY: Final = -1
MANY: Final = -2  # more than one truck, or more than one branch


class Walls(NamedTuple):
    """Stretches outside any truck's ground that nobody may enter: road added by doubt, intruders. (w,) each."""

    lane: IndexArray
    from_m: FloatArray
    to_m: FloatArray
    owner: IndexArray  # the truck whose doubt it is; NOBODY when it is no truck's


class Holders(NamedTuple):
    """
    Who holds each zone. (z,) each.

    branch  the branch held; NOBODY when free, MANY when one truck or a wall holds several
    row     the only holder; NOBODY when free, MANY when several trucks or a wall hold it
    wanted_branch wanted_row   the oldest claim of this tick that the zone itself keeps waiting, NOBODY for none
    """

    branch: IndexArray
    row: IndexArray
    wanted_branch: IndexArray
    wanted_row: IndexArray


@piece
def k_low(start_m: NDArray[np.float64], count: int, hint: int, path_m: float) -> int:
    """Index of the lane that holds *path_m*, half-open; the outermost ones beyond either end."""
    k = min(max(hint, 0), count - 1)
    while k + 1 < count and start_m[k + 1] <= path_m:
        k += 1
    while k > 0 and start_m[k] > path_m:
        k -= 1
    return k


@piece
def k_high(start_m: NDArray[np.float64], count: int, hint: int, path_m: float) -> int:
    """Index of the lane that ground up to *path_m* ends on: a lane's start belongs to the lane before."""
    k = min(max(hint, 0), count - 1)
    while k + 1 < count and start_m[k + 1] < path_m:
        k += 1
    while k > 0 and start_m[k] >= path_m:
        k -= 1
    return k


@piece
def _locate_rear(i: int, trucks: TruckColumns, heads: Heads) -> None:
    """Refresh the lane under the rear of *i*, unless the rear is still on the one remembered."""
    rear_m, count = trucks.real[REAR, i], trucks.path_count[i]
    if heads.rear_from_m[i] <= rear_m < heads.rear_to_m[i]:
        return
    k = k_low(trucks.path_start_m[i], count, trucks.rear_k[i], rear_m)
    trucks.rear_k[i] = k
    heads.rear_lane[i] = trucks.path_lane[i, k]
    heads.rear_from_m[i] = trucks.path_start_m[i, k]
    heads.rear_to_m[i] = trucks.path_start_m[i, k + 1] if k + 1 < count else np.inf


@piece
def _locate_end(i: int, trucks: TruckColumns, heads: Heads) -> None:
    """Refresh the lane that the ground of *i* ends on; never behind the rear's."""
    end_m, count = trucks.real[END, i], trucks.path_count[i]
    if heads.end_from_m[i] < end_m <= heads.end_to_m[i] and trucks.end_k[i] >= trucks.rear_k[i]:
        return
    k = max(trucks.rear_k[i], k_high(trucks.path_start_m[i], count, trucks.end_k[i], end_m))
    trucks.end_k[i] = k
    heads.end_lane[i] = trucks.path_lane[i, k]
    heads.end_from_m[i] = trucks.path_start_m[i, k]
    heads.end_to_m[i] = trucks.path_start_m[i, k + 1]


@piece
def _locate_grounds(count: int, lane_count: int, trucks: TruckColumns, heads: Heads) -> None:
    """Refresh where grounds begin and end; leave each rear's lane in *place* and its chainage in *key_m*."""
    for i in range(count):
        if trucks.path_count[i] == 0:
            heads.place[i] = lane_count
            heads.key_m[i] = 0.0
            continue
        _locate_rear(i, trucks, heads)
        _locate_end(i, trucks, heads)
        heads.place[i] = heads.rear_lane[i]
        heads.key_m[i] = max(0.0, trucks.real[REAR, i] - heads.rear_from_m[i])


@piece
def _sort_rears(count: int, lane_count: int, trucks: TruckColumns, heads: Heads) -> None:
    """Bring order[:count] up to date from whatever permutation it holds: by lane, by rear chainage, by row."""
    order = trucks.order
    first = heads.lane_first
    first[:] = 0
    for i in range(count):
        first[heads.place[i] + 1] += 1
    for lane in range(lane_count + 1):
        first[lane + 1] += first[lane]
    in_order = True
    for at in range(1, count):
        before, now = order[at - 1], order[at]
        if heads.place[before] > heads.place[now] or (
            heads.place[before] == heads.place[now]
            and (heads.key_m[before] > heads.key_m[now] or (heads.key_m[before] == heads.key_m[now] and before > now))
        ):
            in_order = False
            break
    if in_order:
        return
    for at in range(count):
        heads.scratch[at] = order[at]
    for at in range(count):
        row = heads.scratch[at]
        lane = heads.place[row]
        to = first[lane]
        first[lane] = to + 1
        order[to] = row
    for lane in range(lane_count + 1, 0, -1):
        first[lane] = first[lane - 1]
    first[0] = 0
    for lane in range(lane_count + 1):
        _sort_lane(first[lane], first[lane + 1], order, heads.key_m)


@piece
def _after(row: int, other: int, key_m: FloatArray) -> bool:
    return key_m[row] > key_m[other] or (key_m[row] == key_m[other] and row > other)


@piece
def _sort_lane(low: int, high: int, order: IndexArray, key_m: FloatArray) -> None:
    """Shell sort: one pass when nearly in order, and no disaster when the order is cold."""
    gap = 1
    while gap * 3 + 1 < high - low:
        gap = gap * 3 + 1
    while gap > 0:
        for at in range(low + gap, high):
            row = order[at]
            to = at
            while to - gap >= low and _after(order[to - gap], row, key_m):
                order[to] = order[to - gap]
                to -= gap
            order[to] = row
        gap //= 3


@kernel
def order_rears(count: int, lanes: LaneColumns, trucks: TruckColumns, walls: Walls, heads: Heads) -> None:
    """
    Order trucks along lanes and find the first occupied metre of each.

    count   rows in use
    trucks  *order* must hold a permutation of [0, count) in its first places; it, *rear_k* and *end_k* are refreshed
    heads   written

    Of ground that should not be but overlaps, the lowest start and then the lowest row count as the head.
    """
    lane_count = len(lanes.length_m)
    _locate_grounds(count, lane_count, trucks, heads)
    _sort_rears(count, lane_count, trucks, heads)
    for lane in range(lane_count):
        heads.head_m[lane] = np.inf
        heads.head_row[lane] = NOBODY
        at = heads.lane_first[lane]
        if at < heads.lane_first[lane + 1]:
            row = trucks.order[at]
            heads.head_m[lane] = heads.key_m[row]
            heads.head_row[lane] = row
    for at in range(count):
        heads.place[trucks.order[at]] = at
    for i in range(count):
        if trucks.path_count[i] == 0:
            continue
        for k in range(trucks.rear_k[i] + 1, trucks.end_k[i] + 1):
            lane = trucks.path_lane[i, k]
            if heads.head_m[lane] > 0.0 or heads.head_row[lane] > i:
                heads.head_m[lane] = 0.0
                heads.head_row[lane] = i
    for w in range(len(walls.lane)):
        if walls.from_m[w] < heads.head_m[walls.lane[w]]:
            heads.head_m[walls.lane[w]] = max(0.0, walls.from_m[w])
            heads.head_row[walls.lane[w]] = walls.owner[w]


@piece
def take_parts(i: int, lane: int, base_m: float, low_m: float, high_m: float, lanes: LaneColumns, holders: Holders) -> None:
    """Enter row *i* as holder of each zone part on *lane*, which begins at *base_m* of its path, that [low_m, high_m) meets."""
    for p in range(lanes.part_start[lane], lanes.part_start[lane + 1]):
        if base_m + lanes.part_to_m[p] <= low_m or base_m + lanes.part_from_m[p] >= high_m:
            continue
        zone = lanes.part_zone[p]
        if holders.row[zone] == NOBODY:
            holders.row[zone] = i
            holders.branch[zone] = lanes.part_branch[p]
        else:
            if holders.row[zone] != i:
                holders.row[zone] = MANY
            if holders.branch[zone] != lanes.part_branch[p]:
                holders.branch[zone] = MANY


@kernel
def hold_zones(count: int, lanes: LaneColumns, trucks: TruckColumns, walls: Walls, heads: Heads, holders: Holders) -> None:
    """
    Find who holds each zone: every truck any of whose ground lies in one of its parts.

    trucks, heads  as `order_rears` leaves them
    holders        written
    """
    holders.branch[:] = NOBODY
    holders.row[:] = NOBODY
    holders.wanted_branch[:] = NOBODY
    holders.wanted_row[:] = NOBODY
    for i in range(count):
        if trucks.path_count[i] == 0:
            continue
        lane, base_m = heads.rear_lane[i], heads.rear_from_m[i]
        for k in range(trucks.rear_k[i], trucks.end_k[i] + 1):
            if k > trucks.rear_k[i]:
                lane, base_m = trucks.path_lane[i, k], trucks.path_start_m[i, k]
            take_parts(i, lane, base_m, trucks.real[REAR, i], trucks.real[END, i], lanes, holders)
    for w in range(len(walls.lane)):
        lane = walls.lane[w]
        for p in range(lanes.part_start[lane], lanes.part_start[lane + 1]):
            if lanes.part_from_m[p] < walls.to_m[w] and walls.from_m[w] < lanes.part_to_m[p]:
                holders.row[lanes.part_zone[p]] = MANY
                holders.branch[lanes.part_zone[p]] = MANY
