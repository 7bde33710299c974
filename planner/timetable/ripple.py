"""
What a change does to the times of all others, and no more than that.

A plan is an order, and its times follow. Where some trucks take other ways only the events that waited for them, and those that
waited for these in turn, get other times: the change spreads along tight waits and ends where there is slack. Events are done in
the order that they have in the plan, so each is done once, after all that it waits for. Nothing in the plan changes until the
whole wave is known: it is taken or forgotten, and can be taken back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner._jit import kernel, piece
from planner.timetable.columns import FOREVER, INSTANT, MIDDLE, STRIDE, IndexArray, Job, Lines, Paths, TimeArray
from planner.timetable.holds import after, last_begun_by, release_of
from planner.timetable.search import fee_of

CLEAN, QUEUED, DONE = 0, 1, 2
HEAP, TOUCHED, MOVED, CHANGED = 0, 1, 2, 3


class Wave(NamedTuple):
    """
    A change of times; an event is a row of the flattened paths, truck * p + k.

    at       (n, p) the new instants of events that are done
    state    (n, p) CLEAN, QUEUED or DONE
    heap, heap_at  (e,) events to do, and the instants in the plan by which they are sorted
    touched  (e,) every event that is not clean
    moved, was  (e,) events that get another instant, and the one they had
    changed  (r,) resources whose holds change with them
    known    (r,) whether a resource is among these
    size     (4,) how many are in the heap, touched, moved, and changed
    dearer   (1,) what the change costs
    stays    (n,) trucks that stay for good where their path ends
    """

    at: TimeArray
    state: NDArray[np.int8]
    heap: IndexArray
    heap_at: TimeArray
    touched: IndexArray
    moved: IndexArray
    was: TimeArray
    changed: IndexArray
    known: NDArray[np.bool_]
    size: IndexArray
    dearer: TimeArray
    stays: NDArray[np.bool_]


def wave_of(lines: Lines, paths: Paths, stays: NDArray[np.bool_]) -> Wave:
    """Memory for any change of plans of this size."""
    events, resources = paths.op.size + 1, len(lines.used)
    return Wave(
        at=np.zeros(paths.op.shape, np.int64),
        state=np.zeros(paths.op.shape, np.int8),
        heap=np.zeros(events, np.int32),
        heap_at=np.zeros(events, np.int64),
        touched=np.zeros(events, np.int32),
        moved=np.zeros(events, np.int32),
        was=np.zeros(events, np.int64),
        changed=np.zeros(resources, np.int32),
        known=np.zeros(resources, np.bool_),
        size=np.zeros(4, np.int32),
        dearer=np.zeros(1, np.int64),
        stays=stays,
    )


@piece
def behind(at: int, duration: int) -> int:
    """The instant *duration* after *at* at which an event is settled if nothing else holds it back."""
    return (at // INSTANT + duration) * INSTANT + MIDDLE if duration > 0 else at + STRIDE


@piece
def behind_hold(free: int) -> int:
    """The instant at which an event is settled that waits for a hold that is free at *free*: with room before it."""
    return free + MIDDLE if free % INSTANT == 0 else free + STRIDE - 1


@piece
def _rouse(paths: Paths, wave: Wave, truck: int, k: int) -> None:
    """Have an event done, once."""
    if wave.state[truck, k] != CLEAN:
        return
    wave.state[truck, k] = QUEUED
    event = truck * paths.op.shape[1] + k
    wave.touched[wave.size[TOUCHED]] = event
    wave.size[TOUCHED] += 1
    at = paths.at[truck, k]
    hole = wave.size[HEAP]
    wave.size[HEAP] += 1
    while hole > 0:
        above = (hole - 1) // 2
        if wave.heap_at[above] <= at:
            break
        wave.heap[hole] = wave.heap[above]
        wave.heap_at[hole] = wave.heap_at[above]
        hole = above
    wave.heap[hole] = event
    wave.heap_at[hole] = at


@kernel
def rouse(paths: Paths, wave: Wave, truck: int, k: int) -> None:
    """Have an event done, once."""
    _rouse(paths, wave, truck, k)


@piece
def _pop(wave: Wave) -> int:
    least = wave.heap[0]
    wave.size[HEAP] -= 1
    count = wave.size[HEAP]
    event, at = wave.heap[count], wave.heap_at[count]
    hole = 0
    while True:
        below = 2 * hole + 1
        if below >= count:
            break
        if below + 1 < count and wave.heap_at[below + 1] < wave.heap_at[below]:
            below += 1
        if wave.heap_at[below] >= at:
            break
        wave.heap[hole] = wave.heap[below]
        wave.heap_at[hole] = wave.heap_at[below]
        hole = below
    wave.heap[hole] = event
    wave.heap_at[hole] = at
    return int(least)


@piece
def _at(paths: Paths, wave: Wave, truck: int, k: int) -> int:
    return int(wave.at[truck, k] if wave.state[truck, k] == DONE else paths.at[truck, k])


@piece
def _free_of(job: Job, lines: Lines, paths: Paths, wave: Wave, row: int, resource: int) -> int:
    """When the hold in *row* is over, by the instants that its events are to have."""
    truck = lines.truck[row]
    free = 0
    for k in range(lines.enter[row], lines.leave[row]):
        op = paths.op[truck, k]
        release = release_of(job, op, resource)
        if release < 0:
            continue
        if k + 1 < paths.length[truck]:
            left = _at(paths, wave, truck, k + 1)
        elif wave.stays[truck] or op + 1 == job.truck_op[truck + 1]:
            return FOREVER
        else:
            left = after(_at(paths, wave, truck, k), job.duration[op])
        free = max(free, after(left, release))
    return int(free)


@piece
def _earliest(job: Job, lines: Lines, paths: Paths, wave: Wave, truck: int, k: int) -> int:
    """The earliest instant that the order allows an event, all that it waits for being done."""
    if k < job.begun[truck]:
        return int(paths.at[truck, k])
    op = paths.op[truck, k]
    at = job.earliest[op] * INSTANT + MIDDLE
    if k > 0:
        at = max(at, behind(_at(paths, wave, truck, k - 1), job.duration[paths.op[truck, k - 1]]))
    for use in range(job.use_start[op], job.use_start[op + 1]):
        resource = job.use_resource[use]
        row = last_begun_by(lines, resource, paths.at[truck, k])
        if lines.enter[row] != k or row == lines.start[resource] or lines.truck[row - 1] == truck:
            continue
        ahead = lines.truck[row - 1]
        while row > lines.start[resource] and lines.truck[row - 1] == ahead:
            row -= 1
            at = max(at, behind_hold(_free_of(job, lines, paths, wave, row, resource)))
    return int(at)


@piece
def _alert(paths: Paths, wave: Wave, truck: int, k: int, bound: int, bound_was: int) -> None:
    """Have an event done if it waited for what is at *bound* now and was at *bound_was*, or must."""
    at = paths.at[truck, k]
    if bound > at or bound_was // INSTANT >= at // INSTANT:
        _rouse(paths, wave, truck, k)


@piece
def _alert_next(job: Job, lines: Lines, paths: Paths, wave: Wave, row: int, resource: int) -> None:
    """A hold ends at another instant: have the next one's entry done where that depends on it."""
    following = row + 1
    while following < lines.start[resource] + lines.used[resource] and lines.truck[following] == lines.truck[row]:
        following += 1
    if following < lines.start[resource] + lines.used[resource]:
        bound = behind_hold(_free_of(job, lines, paths, wave, row, resource))
        _alert(paths, wave, lines.truck[following], lines.enter[following], bound, behind_hold(lines.free[row]))


@piece
def _move(job: Job, lines: Lines, paths: Paths, wave: Wave, truck: int, k: int) -> None:
    """An event gets another instant: note what changes with it, and have done what waits for it."""
    was, at = paths.at[truck, k], wave.at[truck, k]
    wave.moved[wave.size[MOVED]] = truck * paths.op.shape[1] + k
    wave.was[wave.size[MOVED]] = was
    wave.size[MOVED] += 1
    op = paths.op[truck, k]
    if job.fee_start[op] < job.fee_start[op + 1]:
        wave.dearer[0] += fee_of(job, op, at) - fee_of(job, op, was)
    if k + 1 < paths.length[truck]:
        _alert(paths, wave, truck, k + 1, behind(at, job.duration[op]), behind(was, job.duration[op]))
    for back in range(min(k, 1) + 1):  # what it takes, and what it gives back
        op = paths.op[truck, k - back]
        for use in range(job.use_start[op], job.use_start[op + 1]):
            resource = job.use_resource[use]
            if not wave.known[resource]:
                wave.known[resource] = True
                wave.changed[wave.size[CHANGED]] = resource
                wave.size[CHANGED] += 1
            if back == 1 or k + 1 == paths.length[truck]:
                _alert_next(job, lines, paths, wave, last_begun_by(lines, resource, was - back), resource)


@kernel
def spread(job: Job, lines: Lines, paths: Paths, wave: Wave, push: TimeArray) -> bool:
    """
    Let the change run out; False where an event would come later than it may, or a push cost more than it may.

    push  (4,) a truck, one of its events, the instant before which that may not be, and what that may cost: with it no event gets
          earlier, those that depend on it get as much later as they must, and what is late is for another wave to see.
          -1 in *push*[0]: none is pushed
    """
    pushing = push[0] >= 0
    room = paths.op.shape[1]
    while wave.size[HEAP] > 0:
        event = _pop(wave)
        truck, k = event // room, event % room
        at = _earliest(job, lines, paths, wave, truck, k)
        if pushing:
            at = max(at, paths.at[truck, k])
            if push[0] == truck and push[1] == k:
                at = max(at, push[2])
        elif at // INSTANT > job.latest[paths.op[truck, k]] and k >= job.begun[truck]:
            return False
        wave.at[truck, k] = at
        wave.state[truck, k] = DONE
        if at != paths.at[truck, k]:
            _move(job, lines, paths, wave, truck, k)
            if pushing and wave.dearer[0] > push[3]:
                return False
    return True


@piece
def _clean(paths: Paths, wave: Wave) -> None:
    room = paths.op.shape[1]
    for at in range(wave.size[TOUCHED]):
        wave.state[wave.touched[at] // room, wave.touched[at] % room] = CLEAN
    wave.size[HEAP] = 0
    wave.size[TOUCHED] = 0


@piece
def _lay_changed(job: Job, lines: Lines, paths: Paths, wave: Wave) -> None:
    for at in range(wave.size[CHANGED]):
        resource = wave.changed[at]
        for row in range(lines.start[resource], lines.start[resource] + lines.used[resource]):
            truck = lines.truck[row]
            lines.begin[row] = paths.at[truck, lines.enter[row]]
            lines.free[row] = _free_of(job, lines, paths, wave, row, resource)
            if row > lines.start[resource] and lines.truck[row - 1] == truck:
                lines.free[row] = max(lines.free[row], lines.free[row - 1])


@kernel
def forget(paths: Paths, wave: Wave) -> None:
    """Empty the wave: it is taken for good, or not at all."""
    _clean(paths, wave)
    for at in range(wave.size[CHANGED]):
        wave.known[wave.changed[at]] = False
    wave.size[:] = 0
    wave.dearer[0] = 0


@piece
def _set_event(job: Job, paths: Paths, truck: int, k: int, at: int) -> None:
    """An event begins at *at* from now on, and its truck pays for that."""
    op = paths.op[truck, k]
    if job.fee_start[op] < job.fee_start[op + 1]:
        paths.cost[truck] += fee_of(job, op, at) - fee_of(job, op, paths.at[truck, k])
    paths.at[truck, k] = at


@kernel
def take(job: Job, lines: Lines, paths: Paths, wave: Wave) -> None:
    """Take the change into the plan; what is needed to take it back is kept."""
    room = paths.op.shape[1]
    for at in range(wave.size[MOVED]):
        truck, k = wave.moved[at] // room, wave.moved[at] % room
        _set_event(job, paths, truck, k, wave.at[truck, k])
    _clean(paths, wave)
    _lay_changed(job, lines, paths, wave)


@kernel
def take_back(job: Job, lines: Lines, paths: Paths, wave: Wave) -> None:
    """Undo *take*; trucks that have gone other ways since have their old ones again, but may be off the lines."""
    room = paths.op.shape[1]
    for at in range(wave.size[MOVED]):
        _set_event(job, paths, wave.moved[at] // room, wave.moved[at] % room, wave.was[at])
    _lay_changed(job, lines, paths, wave)
    forget(paths, wave)


@piece
def waits_for(job: Job, lines: Lines, paths: Paths, truck: int, k: int) -> int:
    """The row of the hold that an event waits for, the last of them; -1 where it waits for none."""
    op = paths.op[truck, k]
    at = job.earliest[op] * INSTANT + MIDDLE
    if k > 0:
        at = max(at, behind(paths.at[truck, k - 1], job.duration[paths.op[truck, k - 1]]))
    blamed = -1
    for use in range(job.use_start[op], job.use_start[op + 1]):
        resource = job.use_resource[use]
        row = last_begun_by(lines, resource, paths.at[truck, k])
        if lines.enter[row] == k and row > lines.start[resource] and lines.truck[row - 1] != truck:
            free = behind_hold(lines.free[row - 1])
            if free > at:
                at = free
                blamed = row - 1
    return int(blamed)
