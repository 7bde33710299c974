"""
Holds of resources over time: taking a truck's holds out, putting them in, and the gaps between them.

Holds of one resource by different trucks never overlap, so both their ends are sorted and either can be searched. A truck that
keeps a resource over several operations has one hold; where it comes back before its release time is over, the second hold is
free no earlier than the first.
"""

from __future__ import annotations

from planner._jit import kernel, piece
from planner.timetable.columns import FOREVER, INSTANT, Job, Lines, Paths, TimeArray


@piece
def after(at: int, duration: int) -> int:
    """The first instant *duration* after *at*; strictly later, whatever the duration."""
    return (at // INSTANT + duration) * INSTANT if duration > 0 else at + 1


@piece
def _first_above(lines: Lines, column: TimeArray, resource: int, at: int) -> int:
    """The first row of a resource's holds in which *column* is above *at*; one past the last where none is."""
    low = lines.start[resource]
    high = low + lines.used[resource]
    while low < high:
        mid = (low + high) // 2
        if column[mid] > at:
            high = mid
        else:
            low = mid + 1
    return int(low)


@piece
def first_free_after(lines: Lines, resource: int, at: int) -> int:
    """Row of the first hold that is not over at *at*; one past the last where all are."""
    return _first_above(lines, lines.free, resource, at)


@piece
def last_begun_by(lines: Lines, resource: int, at: int) -> int:
    """Row of the last hold that begins at *at* or before; one before the first where none does."""
    return _first_above(lines, lines.begin, resource, at) - 1


@piece
def release_of(job: Job, op: int, resource: int) -> int:
    """The release time with which *op* uses a resource; -1 where it does not."""
    release = -1
    for use in range(job.use_start[op], job.use_start[op + 1]):
        if job.use_resource[use] == resource:
            release = max(release, job.use_release[use])
    return int(release)


@piece
def _hold(lines: Lines, resource: int, truck: int, k: int, begin: int, free: int) -> None:
    """Add a hold of one event, no longer than to the next one's begin, or lengthen the truck's own that it continues."""
    row = last_begun_by(lines, resource, begin)
    if row >= lines.start[resource] and lines.truck[row] == truck:
        free = max(free, lines.free[row])
        if lines.leave[row] >= k:
            lines.free[row] = free
            lines.leave[row] = k + 1
            return
    at = lines.start[resource] + lines.used[resource]
    if at > row + 1:
        free = min(free, lines.begin[row + 1])
    while at > row + 1:
        lines.begin[at] = lines.begin[at - 1]
        lines.free[at] = lines.free[at - 1]
        lines.truck[at] = lines.truck[at - 1]
        lines.enter[at] = lines.enter[at - 1]
        lines.leave[at] = lines.leave[at - 1]
        at -= 1
    lines.begin[at] = begin
    lines.free[at] = free
    lines.truck[at] = truck
    lines.enter[at] = k
    lines.leave[at] = k + 1
    lines.used[resource] += 1


@kernel
def lift(job: Job, lines: Lines, paths: Paths, truck: int, first: int) -> None:
    """Take the holds that *truck* has from its event *first* on off the lines; its path stays as it is."""
    for k in range(first, paths.length[truck]):
        op = paths.op[truck, k]
        for use in range(job.use_start[op], job.use_start[op + 1]):
            resource = job.use_resource[use]
            row = last_begun_by(lines, resource, paths.at[truck, k])
            if row < lines.start[resource] or lines.truck[row] != truck or lines.enter[row] < first:
                continue  # taken off with an operation before, or to stay
            lines.used[resource] -= 1
            for at in range(row, lines.start[resource] + lines.used[resource]):
                lines.begin[at] = lines.begin[at + 1]
                lines.free[at] = lines.free[at + 1]
                lines.truck[at] = lines.truck[at + 1]
                lines.enter[at] = lines.enter[at + 1]
                lines.leave[at] = lines.leave[at + 1]


@kernel
def place(job: Job, lines: Lines, paths: Paths, truck: int, first: int, linger: int) -> None:
    """
    Put the holds of *truck*'s path from its event *first* on on the lines, those before being there.

    A path that ends before the truck's last operation is what has begun: its end holds for its duration and *linger* more.
    """
    count = paths.length[truck]
    for k in range(first, count):
        op = paths.op[truck, k]
        last = op == job.truck_op[truck + 1] - 1
        left = paths.at[truck, k + 1] if k + 1 < count else after(paths.at[truck, k], job.duration[op] + linger)
        for use in range(job.use_start[op], job.use_start[op + 1]):
            free = FOREVER if last else after(left, job.use_release[use])
            _hold(lines, job.use_resource[use], truck, k, paths.at[truck, k], free)


@kernel
def foot(job: Job, lines: Lines, paths: Paths, truck: int, stem: int) -> int:
    """The event from which on the truck's holds are to be taken off so that, without them, it is free to go another way from *stem* on."""
    first = max(stem - 1, 0)
    k = first
    while k >= 0 and stem > 0:
        over = True
        op = paths.op[truck, k]
        for use in range(job.use_start[op], job.use_start[op + 1]):
            row = last_begun_by(lines, job.use_resource[use], paths.at[truck, k])
            if lines.truck[row] == truck and lines.free[row] > paths.at[truck, stem - 1]:
                first = min(first, lines.enter[row])
                over = False
        if over and k <= first:
            break
        k -= 1
    return int(first)


@piece
def next_gap(job: Job, lines: Lines, op: int, at: int, limit: int) -> tuple[int, int, int]:
    """
    When *op* can first begin, at *at* or later: (instant, latest instant to leave, instant at which the gap ends).

    A gap is where all that the operation uses is free, for at least its duration. The instant is -1 where none begins by *limit*.
    """
    last = job.succ_start[op] == job.succ_start[op + 1]
    while at <= limit:
        leave = FOREVER
        gap = FOREVER
        held = False
        for use in range(job.use_start[op], job.use_start[op + 1]):
            resource = job.use_resource[use]
            row = first_free_after(lines, resource, at)
            if row == lines.start[resource] + lines.used[resource]:
                continue
            begin = lines.begin[row]
            if begin <= at:
                at = lines.free[row]
                held = True
                break
            gap = min(gap, begin)
            release = job.use_release[use]
            leave = min(leave, begin - 1 if release == 0 else (begin // INSTANT - release + 1) * INSTANT - 1)
        if held:
            continue
        if gap == FOREVER or (not last and after(at, job.duration[op]) <= leave):
            return at, leave, gap
        at = gap
    return -1, FOREVER, FOREVER
