"""
The problem and the plan as columns, the form in which kernels see them.

**Instants.** Events at one time still have an order: who leaves comes before who enters, or two trucks could swap places. So
inside kernels an instant is a time and a rank in one number, `time * INSTANT + rank`, and order is strictly greater. A cycle
of events at one time would need a rank above itself, so none can be planned.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.timetable.task import Task, TaskFault, topological

IndexArray = NDArray[np.int32]
TimeArray = NDArray[np.int64]

INSTANT: Final = 1 << 20  # ranks in one time
MIDDLE: Final = 1 << 16  # the rank of an event that nothing at the same time holds back: there is room before it
STRIDE: Final = 1 << 6  # between events that must follow each other at one time: there is room in between
FOREVER: Final = 1 << 62
TIME_MAX: Final = 1 << 40  # later than any time a task may name


class Job(NamedTuple):
    """
    A task's columns; operations of all trucks in one row of *m*, *n* trucks.

    truck_op           (n + 1,) operations of truck k are truck_op[k] : truck_op[k + 1]
    earliest, latest, duration  (m,) times; latest is TIME_MAX where there is none
    use_start, use_resource, use_release   resources of operation i are use_resource[use_start[i] : use_start[i + 1]]
    succ_start, succ_op  likewise
    tail               (m,) the least time from an operation's beginning to the beginning of its truck's last
    fee_start, fee     (f, 3) threshold, coeff, increment of what beginning an operation costs
    begun              (n,) how many operations of each truck have begun
    """

    truck_op: IndexArray
    earliest: TimeArray
    latest: TimeArray
    duration: TimeArray
    use_start: IndexArray
    use_resource: IndexArray
    use_release: TimeArray
    succ_start: IndexArray
    succ_op: IndexArray
    tail: TimeArray
    fee_start: IndexArray
    fee: TimeArray
    begun: IndexArray


class Paths(NamedTuple):
    """
    What each truck does, in order, and since when.

    op      (n, p) rows of operations
    at      (n, p) instants at which they begin
    length  (n,) how many; of a truck without a plan only what has begun
    cost    (n,)
    """

    op: IndexArray
    at: TimeArray
    length: IndexArray
    cost: TimeArray


class Lines(NamedTuple):
    """
    Who holds each resource when, in order: the holds of resource r are rows start[r] : start[r] + used[r].

    A hold is half-open, [begin, free): release time and rank are in *free*. Holds of different trucks do not overlap. It is of the
    truck's events [enter, leave): the last of them is followed by the one that gives it back, if there is one.
    """

    start: IndexArray
    used: IndexArray
    begin: TimeArray
    free: TimeArray
    truck: IndexArray
    enter: IndexArray
    leave: IndexArray


def _starts(sizes: list[int]) -> IndexArray:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


def _tails(task: Task) -> list[int]:
    tails: list[int] = []
    for operations in task.trucks:
        tail = [0] * len(operations)
        for ix in reversed(topological(operations) or []):
            each = operations[ix]
            tail[ix] = each.duration + min(tail[ahead] for ahead in each.successors) if each.successors else 0
        tails += tail
    return tails


def _path_length_max(task: Task) -> int:
    longest = 1
    for operations in task.trucks:
        length = [1] * len(operations)
        for ix in reversed(topological(operations) or []):
            length[ix] += max((length[ahead] for ahead in operations[ix].successors), default=0)
        longest = max(longest, length[0])
    return longest


def _begun(task: Task) -> list[int]:
    """
    How many operations each truck has begun.

    Who must begin at one certain time has as good as begun, so that others keep off its place before it is planned. But of several
    that must begin in one place at one time only the first counts: the others' order is for the plan to find.
    """
    begun = [0] * len(task.trucks)
    taken: set[int] = set()
    for event in task.begun:
        begun[event.truck] += 1
        taken.update(use.resource for use in task.trucks[event.truck][event.operation].uses)
    for k, operations in enumerate(task.trucks):
        start = operations[0]
        here = {use.resource for use in start.uses}
        if not begun[k] and start.latest == max(start.earliest, task.now) and not here & taken:
            begun[k] = 1
            taken |= here
    return begun


def job_of(task: Task) -> Job:
    """
    The columns of *task*.

    Raises:
        TaskFault: a time no instant can hold.
    """
    first = _starts([len(truck) for truck in task.trucks])
    every = [each for truck in task.trucks for each in truck]
    rows = [(each, int(first[k])) for k, truck in enumerate(task.trucks) for each in truck]
    fees: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for delay in task.delays:
        fees[int(first[delay.truck]) + delay.operation].append((delay.threshold, delay.coeff, delay.increment))
    job = Job(
        truck_op=first,
        earliest=np.array([max(each.earliest, task.now) for each in every], np.int64),
        latest=np.array([TIME_MAX if each.latest is None else each.latest for each in every], np.int64),
        duration=np.array([each.duration for each in every], np.int64),
        use_start=_starts([len(each.uses) for each in every]),
        use_resource=np.array([use.resource for each in every for use in each.uses], np.int32),
        use_release=np.array([use.release for each in every for use in each.uses], np.int64),
        succ_start=_starts([len(each.successors) for each in every]),
        succ_op=np.array([base + ahead for each, base in rows for ahead in each.successors], np.int32),
        tail=np.array(_tails(task), np.int64),
        fee_start=_starts([len(fees[ix]) for ix in range(len(every))]),
        fee=np.array([fee for ix in range(len(every)) for fee in fees[ix]], np.int64).reshape(-1, 3),
        begun=np.array(_begun(task), np.int32),
    )
    largest = max((int(np.abs(each).max(initial=0)) for each in (job.earliest, job.latest, job.duration, job.use_release)), default=0)
    if largest > TIME_MAX:
        raise TaskFault(f"a time of {largest} is too large to plan with")
    return job


def paths_of(task: Task, job: Job) -> Paths:
    """Paths that hold what has begun and nothing else."""
    trucks, room = len(task.trucks), _path_length_max(task)
    paths = Paths(
        op=np.zeros((trucks, room), np.int32),
        at=np.zeros((trucks, room), np.int64),
        length=job.begun.copy(),
        cost=np.zeros(trucks, np.int64),
    )
    seen = np.zeros(trucks, np.int32)
    time, rank = -1, MIDDLE
    for event in task.begun:
        rank = rank + STRIDE if event.time == time else MIDDLE
        time = event.time
        paths.op[event.truck, seen[event.truck]] = job.truck_op[event.truck] + event.operation
        paths.at[event.truck, seen[event.truck]] = time * INSTANT + rank
        seen[event.truck] += 1
    for k in np.flatnonzero(job.begun > seen):
        paths.op[k, 0] = job.truck_op[k]
        paths.at[k, 0] = job.earliest[job.truck_op[k]] * INSTANT + MIDDLE
    return paths


def lines_of(task: Task, job: Job) -> Lines:
    """Empty lines, with room for every hold that any plan could have."""
    uses = np.bincount(job.use_resource, minlength=task.resource_count)
    start = _starts([int(count) for count in uses])
    room = int(start[-1])
    return Lines(
        start=start,
        used=np.zeros(len(uses), np.int32),
        begin=np.zeros(room, np.int64),
        free=np.zeros(room, np.int64),
        truck=np.zeros(room, np.int32),
        enter=np.zeros(room, np.int32),
        leave=np.zeros(room, np.int32),
    )
