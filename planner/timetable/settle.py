"""
A plan is an order; its times follow. This pass gives every event the earliest instant that the order allows.

Events are taken in order, by a heap of trucks. Each waits for its window, for the operation before it, and for the trucks that
had its resources before. Nothing is reordered, so no event gets later. The search itself settles only what it changes (`ripple`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner._jit import kernel, piece
from planner.timetable.columns import FOREVER, INSTANT, MIDDLE, IndexArray, Job, Lines, Paths, TimeArray
from planner.timetable.holds import after
from planner.timetable.ripple import behind, behind_hold
from planner.timetable.search import fee_of

NOBODY = -1


class Settled(NamedTuple):
    """
    The pass's results and memory.

    at        (n, p) the new instants
    cost      (n,) each truck's cost at them
    truck, k  (e,) all events in order
    size      (2,) how many there are, and how many are later than they may be
    stays     (n,) trucks that stay for good where their path ends
    owner, avail  (r,) who has or last had each resource, and when it may be had again
    heap      (n,) trucks with events to come
    next_k    (n,) the next event of each
    """

    at: TimeArray
    cost: TimeArray
    truck: IndexArray
    k: IndexArray
    size: IndexArray
    stays: NDArray[np.bool_]
    owner: IndexArray
    avail: TimeArray
    heap: IndexArray
    next_k: IndexArray


def settled_of(paths: Paths, lines: Lines) -> Settled:
    """Memory for plans of this size."""
    trucks, resources = len(paths.length), len(lines.used)
    return Settled(
        at=paths.at.copy(),
        cost=np.zeros(trucks, np.int64),
        truck=np.zeros(paths.op.size, np.int32),
        k=np.zeros(paths.op.size, np.int32),
        size=np.zeros(2, np.int32),
        stays=np.zeros(trucks, np.bool_),
        owner=np.full(resources, NOBODY, np.int32),
        avail=np.zeros(resources, np.int64),
        heap=np.zeros(trucks + 1, np.int32),
        next_k=np.zeros(trucks, np.int32),
    )


@piece
def _sift(heap: IndexArray, count: int, paths: Paths, next_k: IndexArray, hole: int) -> None:
    """Let the truck at *hole* sink to its place, by the instant of its next event."""
    truck = heap[hole]
    at = paths.at[truck, next_k[truck]]
    while True:
        below = 2 * hole + 1
        if below >= count:
            break
        if below + 1 < count:
            left, right = heap[below], heap[below + 1]
            if paths.at[right, next_k[right]] < paths.at[left, next_k[left]]:
                below += 1
        other = heap[below]
        if paths.at[other, next_k[other]] >= at:
            break
        heap[hole] = other
        hole = below
    heap[hole] = truck


@piece
def _settle_event(job: Job, paths: Paths, out: Settled, truck: int, k: int) -> None:
    """One event, all before it being settled: when, because of whom, and what it gives back and takes."""
    op = paths.op[truck, k]
    fixed = k < job.begun[truck]
    at = (paths.at[truck, k] // INSTANT if fixed else job.earliest[op]) * INSTANT + MIDDLE
    if k > 0:
        at = max(at, behind(out.at[truck, k - 1], job.duration[paths.op[truck, k - 1]]))
    for use in range(job.use_start[op], job.use_start[op + 1]):
        resource = job.use_resource[use]
        if out.owner[resource] != truck:
            at = max(at, behind_hold(out.avail[resource]))
    if fixed and at // INSTANT != paths.at[truck, k] // INSTANT:
        at = paths.at[truck, k]  # history need not obey the rules; its times stand, its ranks may move
    elif at // INSTANT > job.latest[op]:
        out.size[1] += 1
    out.at[truck, k] = at
    if k > 0:
        before = paths.op[truck, k - 1]
        for use in range(job.use_start[before], job.use_start[before + 1]):
            resource = job.use_resource[use]
            out.avail[resource] = max(out.avail[resource], after(at, job.use_release[use]))
    for use in range(job.use_start[op], job.use_start[op + 1]):
        resource = job.use_resource[use]
        out.owner[resource] = truck
        if k + 1 == paths.length[truck]:
            stays = out.stays[truck] or op + 1 == job.truck_op[truck + 1]
            avail = FOREVER if stays else after(after(at, job.duration[op]), job.use_release[use])
            out.avail[resource] = max(out.avail[resource], avail)
    out.cost[truck] += fee_of(job, op, at)


@kernel
def settle(job: Job, paths: Paths, out: Settled) -> int:
    """Settle every event of *paths* in its order; returns the sum of costs."""
    out.owner[:] = NOBODY
    out.avail[:] = 0
    out.cost[:] = 0
    out.next_k[:] = 0
    out.size[:] = 0
    count = 0
    for truck in range(len(paths.length)):
        if paths.length[truck] > 0:
            out.heap[count] = truck
            count += 1
    for hole in range(count // 2 - 1, -1, -1):
        _sift(out.heap, count, paths, out.next_k, hole)
    while count > 0:
        truck = out.heap[0]
        k = out.next_k[truck]
        _settle_event(job, paths, out, truck, k)
        out.truck[out.size[0]] = truck
        out.k[out.size[0]] = k
        out.size[0] += 1
        out.next_k[truck] = k + 1
        if k + 1 == paths.length[truck]:
            count -= 1
            out.heap[0] = out.heap[count]
        if count > 0:
            _sift(out.heap, count, paths, out.next_k, 0)
    total = 0
    for truck in range(len(paths.length)):
        total += out.cost[truck]
    return total


@piece
def _lay_event(job: Job, lines: Lines, paths: Paths, truck: int, k: int, stays: bool) -> None:
    """End the holds of the operation before and begin those of this one, all earlier events being laid."""
    op, at = paths.op[truck, k], paths.at[truck, k]
    if k > 0:
        before = paths.op[truck, k - 1]
        for use in range(job.use_start[before], job.use_start[before + 1]):
            row = lines.start[job.use_resource[use]] + lines.used[job.use_resource[use]] - 1
            lines.free[row] = max(lines.free[row], after(at, job.use_release[use]))
    for use in range(job.use_start[op], job.use_start[op + 1]):
        resource = job.use_resource[use]
        row = lines.start[resource] + lines.used[resource]
        mine = row > lines.start[resource] and lines.truck[row - 1] == truck
        if mine and lines.leave[row - 1] >= k:
            row -= 1
            lines.leave[row] = k + 1
        else:
            lines.used[resource] += 1
            lines.begin[row] = at
            lines.free[row] = max(at, lines.free[row - 1]) if mine else at
            lines.truck[row] = truck
            lines.enter[row] = k
            lines.leave[row] = k + 1
        if k + 1 == paths.length[truck]:
            last = stays or op + 1 == job.truck_op[truck + 1]
            free = FOREVER if last else after(after(at, job.duration[op]), job.use_release[use])
            lines.free[row] = max(lines.free[row], free)


@kernel
def adopt(job: Job, lines: Lines, paths: Paths, out: Settled) -> None:
    """Take the settled instants and costs into *paths*, and lay the lines anew."""
    lines.used[:] = 0
    for truck in range(len(paths.length)):
        paths.cost[truck] = out.cost[truck]
        for k in range(paths.length[truck]):
            paths.at[truck, k] = out.at[truck, k]
    for event in range(out.size[0]):
        _lay_event(job, lines, paths, out.truck[event], out.k[event], out.stays[out.truck[event]])
