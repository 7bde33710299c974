"""
The way of one truck between the holds of all others: when to begin what, and which route.

A label is an operation begun in a gap between holds. Within a gap waiting is free, so of two arrivals in the same gap the
earlier one, if it is not dearer, makes the later one pointless; there are as many labels as gaps, not as instants. Labels are
settled in order of the least cost, then of the least arrival, that can still come of them (A* with exact floors). Gaps of one
operation are looked at one by one: a label opens the next gap only when it is settled itself.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from planner._jit import kernel, piece
from planner.timetable.columns import FOREVER, INSTANT, IndexArray, Job, Lines, Paths, TimeArray
from planner.timetable.holds import after, next_gap

NOWHERE: Final = -1
LABELS_PER_ROW: Final = 4  # of uses and operations: a gap beside each hold, several times over
LABELS_MIN: Final = 256


class Labels(NamedTuple):
    """
    The search's memory, *z* labels.

    op, at, leave, gap  what begins, when, the latest instant to leave, and the instant at which the gap ends
    cost, before        what has been incurred so far, and the label it came from
    older               the label of the same operation that was made before
    newest              (m,) the newest label of each operation
    heap, heap_cost, heap_at  labels to settle, and the floors they are sorted by
    size                (2,) labels made, labels in the heap
    ceiling             (1,) ways that cost more are not looked for
    """

    op: IndexArray
    at: TimeArray
    leave: TimeArray
    gap: TimeArray
    cost: TimeArray
    before: IndexArray
    older: IndexArray
    newest: IndexArray
    heap: IndexArray
    heap_cost: TimeArray
    heap_at: TimeArray
    size: IndexArray
    ceiling: TimeArray


def labels_of(job: Job) -> Labels:
    """Memory for the labels of any search; where it does not suffice a truck finds no way, and others give way to it."""
    room = LABELS_PER_ROW * (len(job.use_resource) + len(job.earliest)) + LABELS_MIN
    return Labels(
        op=np.zeros(room, np.int32),
        at=np.zeros(room, np.int64),
        leave=np.zeros(room, np.int64),
        gap=np.zeros(room, np.int64),
        cost=np.zeros(room, np.int64),
        before=np.zeros(room, np.int32),
        older=np.zeros(room, np.int32),
        newest=np.zeros(len(job.earliest), np.int32),
        heap=np.zeros(room + 1, np.int32),
        heap_cost=np.zeros(room + 1, np.int64),
        heap_at=np.zeros(room + 1, np.int64),
        size=np.zeros(2, np.int32),
        ceiling=np.full(1, FOREVER, np.int64),
    )


@piece
def fee_of(job: Job, op: int, at: int) -> int:
    """What beginning *op* at *at* costs."""
    time = at // INSTANT
    cost = 0
    for row in range(job.fee_start[op], job.fee_start[op + 1]):
        late = time - job.fee[row, 0]
        if late >= 0:
            cost += late * job.fee[row, 1] + job.fee[row, 2]
    return cost


@piece
def _push(labels: Labels, label: int, cost: int, at: int) -> None:
    hole = labels.size[1]
    labels.size[1] += 1
    while hole > 0:
        above = (hole - 1) // 2
        if labels.heap_cost[above] < cost or (labels.heap_cost[above] == cost and labels.heap_at[above] <= at):
            break
        labels.heap[hole] = labels.heap[above]
        labels.heap_cost[hole] = labels.heap_cost[above]
        labels.heap_at[hole] = labels.heap_at[above]
        hole = above
    labels.heap[hole] = label
    labels.heap_cost[hole] = cost
    labels.heap_at[hole] = at


@piece
def _pop(labels: Labels) -> int:
    least = labels.heap[0]
    labels.size[1] -= 1
    count = labels.size[1]
    label, cost, at = labels.heap[count], labels.heap_cost[count], labels.heap_at[count]
    hole = 0
    while True:
        below = 2 * hole + 1
        if below >= count:
            break
        other = below + 1
        if other < count and (
            labels.heap_cost[other] < labels.heap_cost[below]
            or (labels.heap_cost[other] == labels.heap_cost[below] and labels.heap_at[other] < labels.heap_at[below])
        ):
            below = other
        if labels.heap_cost[below] > cost or (labels.heap_cost[below] == cost and labels.heap_at[below] >= at):
            break
        labels.heap[hole] = labels.heap[below]
        labels.heap_cost[hole] = labels.heap_cost[below]
        labels.heap_at[hole] = labels.heap_at[below]
        hole = below
    labels.heap[hole] = label
    labels.heap_cost[hole] = cost
    labels.heap_at[hole] = at
    return int(least)


@piece
def _pointless(labels: Labels, op: int, at: int, leave: int, cost: int) -> bool:
    """Whether a label in the same gap is as early and as cheap; those that the new one makes pointless are never left."""
    other = labels.newest[op]
    while other != NOWHERE:
        if labels.leave[other] == leave and labels.at[other] <= at and labels.cost[other] <= cost:
            return True
        other = labels.older[other]
    return False


@piece
def _open_gap(job: Job, lines: Lines, labels: Labels, op: int, at: int, before: int, last: int) -> None:
    """
    Make a label for beginning *op* at *at* or later, coming from *before*, in the first gap where that is of use.

    last  the truck's last operation, for the floor of its cost
    """
    limit = job.latest[op] * INSTANT + INSTANT - 1
    so_far = 0
    if before != NOWHERE:
        limit = min(limit, labels.leave[before])
        so_far = labels.cost[before]
    while True:
        begin, leave, gap = next_gap(job, lines, op, max(at, job.earliest[op] * INSTANT), limit)
        if begin < 0 or labels.size[0] == len(labels.op):
            return
        cost = so_far + fee_of(job, op, begin)
        floor_at = begin + job.tail[op] * INSTANT
        floor = cost if op == last else cost + fee_of(job, last, floor_at)
        if floor > labels.ceiling[0]:
            return
        if not _pointless(labels, op, begin, leave, cost):
            break
        at = gap
    label = labels.size[0]
    labels.size[0] += 1
    labels.op[label] = op
    labels.at[label] = begin
    labels.leave[label] = leave
    labels.gap[label] = gap
    labels.cost[label] = cost
    labels.before[label] = before
    labels.older[label] = labels.newest[op]
    labels.newest[op] = label
    _push(labels, label, floor, floor_at)


@piece
def _root(job: Job, lines: Lines, paths: Paths, labels: Labels, truck: int) -> bool:
    """The label of the last event that the truck's path has; False where it cannot stay there for as long as it must."""
    k = paths.length[truck] - 1
    op, at = paths.op[truck, k], paths.at[truck, k]
    cost = 0
    for each in range(k + 1):
        cost += fee_of(job, paths.op[truck, each], paths.at[truck, each])
    begin, leave, gap = next_gap(job, lines, op, at, at)
    labels.op[0], labels.at[0], labels.leave[0], labels.gap[0] = op, at, leave, gap
    labels.cost[0], labels.before[0], labels.older[0] = cost, NOWHERE, NOWHERE
    labels.size[0] = 1
    _push(labels, 0, 0, 0)
    return bool(begin == at)


@kernel
def search(job: Job, lines: Lines, paths: Paths, labels: Labels, truck: int) -> int:
    """
    The cheapest, then earliest way of *truck* from where its path ends to its last operation; its holds must be off the lines.

    Returns the label of the last operation, or NOWHERE.
    """
    first, last = job.truck_op[truck], job.truck_op[truck + 1] - 1
    for op in range(first, last + 1):
        labels.newest[op] = NOWHERE
    labels.size[0] = 0
    labels.size[1] = 0
    from_start = paths.length[truck] == 0
    if not from_start and not _root(job, lines, paths, labels, truck):
        return NOWHERE
    label, before, leave = NOWHERE, NOWHERE, 0
    op, at, opens = first, 0, from_start
    row, end = 0, 0
    while True:
        # The operation in its next gap, then each that may follow: one loop, since a piece is compiled in wherever it is called.
        if opens:
            _open_gap(job, lines, labels, op, at, before, last)
        if row < end:
            op, at, before, opens = job.succ_op[row], leave, label, True
            row += 1
            continue
        if labels.size[1] == 0:
            return NOWHERE
        label = _pop(labels)
        op = labels.op[label]
        if op == last:
            return label
        at, before = labels.gap[label], labels.before[label]
        opens = before != NOWHERE or from_start  # the end of what has begun has no other gap
        leave = after(labels.at[label], job.duration[op])
        row, end = job.succ_start[op], job.succ_start[op + 1]


@kernel
def walk_back(paths: Paths, labels: Labels, truck: int, label: int) -> None:
    """Write the way that ends in *label* behind the path that *truck* had."""
    length = max(paths.length[truck] - 1, 0)
    at = label
    while at != NOWHERE:
        length += 1
        at = labels.before[at]
    paths.length[truck] = length
    paths.cost[truck] = labels.cost[label]
    at = label
    while at != NOWHERE:
        length -= 1
        paths.op[truck, length] = labels.op[at]
        paths.at[truck, length] = labels.at[at]
        at = labels.before[at]
