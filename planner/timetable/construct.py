"""
The first plan: truck by truck, each the cheapest way between the holds of those before it, and repair where there is none.

Where a truck finds no way, the trucks that hold what it needs on the way it would take alone give way: each keeps only a first
part of its way, drawn at random, stands there for a while, and is planned again later. So two trucks that each have to make room
for the other first find it: one is planned round the other standing in a place that it can reach, and has that place then.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

from planner._jit import kernel
from planner.timetable.columns import FOREVER, TIME_MAX, IndexArray, Job, Lines, Paths
from planner.timetable.holds import after, first_free_after, lift, place
from planner.timetable.hunt import MODULUS, Hunt, copy_path, draw, put_in, take_out
from planner.timetable.search import Labels

ROUNDS_PER_TRUCK: Final = 200
FAILURES_PER_OTHER: Final = 2
ROOM_TRIES: Final = 6
ALWAYS: Final = 2 * TIME_MAX  # a truck that lingers this long stays


@kernel
def meet(job: Job, lines: Lines, paths: Paths, truck: int, out_met: IndexArray) -> int:
    """
    Whose holds on *lines* the path of *truck* would run into; returns how many.

    out_met  (n,) the trucks, each once
    """
    count = 0
    for k in range(max(job.begun[truck] - 1, 0), paths.length[truck]):
        op = paths.op[truck, k]
        for use in range(job.use_start[op], job.use_start[op + 1]):
            resource = job.use_resource[use]
            free = after(paths.at[truck, k + 1], job.use_release[use]) if k + 1 < paths.length[truck] else FOREVER
            row = first_free_after(lines, resource, paths.at[truck, k])
            while row < lines.start[resource] + lines.used[resource] and lines.begin[row] < free:
                known = lines.truck[row] == truck
                for at in range(count):
                    known = known or out_met[at] == lines.truck[row]
                if not known:
                    out_met[count] = lines.truck[row]
                    count += 1
                row += 1
    return count


@kernel
def give_way(job: Job, lines: Lines, paths: Paths, hunt: Hunt, truck: int) -> None:
    """Leave of *truck*'s way a first part, drawn, and let it stand at the end of that for a time, drawn too."""
    lift(job, lines, paths, truck, 0)
    begun = job.begun[truck]
    paths.length[truck] = begun + draw(hunt, paths.length[truck] - begun)
    paths.cost[truck] = 0
    linger = draw(hunt, 2 * job.tail[job.truck_op[truck]] + 1)
    if draw(hunt, 3) == 0:
        paths.length[truck] = begun
        linger = 0
    place(job, lines, paths, truck, 0, linger)


class Reason(Enum):
    """Why a truck cannot be planned."""

    WINDOWS = "its windows leave it no way even on an empty road"
    BLOCKED = "others stand in its way and none gives way"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranded:
    """A truck that stays where it is, why, and the trucks in its way."""

    truck: int
    reason: Reason
    blocked_by: tuple[int, ...] = ()


class Construction:
    """A plan being built: who is planned, who waits, and the same trucks without each other for comparison."""

    def __init__(self, job: Job, lines: Lines, paths: Paths, labels: Labels, hunt: Hunt) -> None:
        self._job, self._lines, self._paths, self._labels, self._hunt = job, lines, paths, labels, hunt
        trucks = len(paths.length)
        self._empty = Lines._make(column.copy() for column in lines)
        for truck in range(trucks):
            place(job, lines, paths, truck, 0, 0)
        self._bare = Lines._make(column.copy() for column in lines)
        self._alone = Paths._make(column.copy() for column in paths)
        self._kept = Paths._make(column.copy() for column in paths)
        self._met = np.zeros(trucks, np.int32)
        self._planned = [False] * trucks
        self._failed = [0] * trucks
        self.stranded: list[Stranded] = []

    def build(self) -> None:
        """Plan all trucks, those that come first to begin with; who cannot be planned is *stranded*."""
        queue = deque(self._by_entry())
        rounds = ROUNDS_PER_TRUCK * len(queue)
        while queue:
            truck = queue.popleft()
            if self._insert(truck):
                continue
            rounds -= 1
            out = self._push_in(truck) if rounds > 0 else None
            if out is None:
                out = self._strand(truck)
                rounds = ROUNDS_PER_TRUCK * len(self._planned)
            else:
                self._failed[truck] += 1
                out += self._others(truck, self._failed[truck] // FAILURES_PER_OTHER)
            queue.extendleft(self._shuffled(out))

    def _by_entry(self) -> list[int]:
        """Trucks by when they can first hold anything on the way of first successors."""
        job = self._job
        entry: list[int] = []
        for op, last in zip(job.truck_op[:-1], job.truck_op[1:] - 1, strict=True):
            while op != last and job.use_start[op] == job.use_start[op + 1]:
                op = job.succ_op[job.succ_start[op]]  # noqa: PLW2901 - it walks
            entry.append(int(job.earliest[op]))
        return sorted(range(len(entry)), key=entry.__getitem__)

    def _others(self, truck: int, count: int) -> list[int]:
        """Take out so many planned trucks, any but *truck*: what blocks the way may be far from it."""
        out = self._shuffled([other for other, planned in enumerate(self._planned) if planned and other != truck])[:count]
        for other in out:
            take_out(self._job, self._lines, self._paths, other, 0)
            self._planned[other] = False
        return out

    def _shuffled(self, trucks: list[int]) -> list[int]:
        """The trucks in an order drawn."""
        return sorted(trucks, key=lambda _: int(draw(self._hunt, MODULUS)))

    def _insert(self, truck: int) -> bool:
        take_out(self._job, self._lines, self._paths, truck, 0)  # it may stand where it gave way to
        self._planned[truck] = bool(put_in(self._job, self._lines, self._paths, self._labels, truck, 0))
        return self._planned[truck]

    def _meets(self, lines: Lines, paths: Paths, truck: int) -> list[int]:
        """The trucks whose holds on *lines* the path of *truck* runs into."""
        return [int(other) for other in self._met[: meet(self._job, lines, paths, truck, self._met)]]

    def _clear(self, met: list[int]) -> list[int]:
        """Those of *met* that are planned; the others, which are to be planned anyway, stop standing where they had given way to."""
        for other in met:
            if not self._planned[other]:
                take_out(self._job, self._lines, self._paths, other, 0)
        return [other for other in met if self._planned[other]]

    def _push_in(self, truck: int) -> list[int] | None:
        """Plan *truck* and let those in its way give way; who is to be planned again, or None where it finds no way even alone."""
        job, lines, paths = self._job, self._lines, self._paths
        if not put_in(job, self._bare, self._alone, self._labels, truck, 0):
            return None
        out = self._clear(self._meets(lines, self._alone, truck))
        take_out(job, self._bare, self._alone, truck, 0)
        for other in out:
            copy_path(paths, self._kept, other)
        for _ in range(ROOM_TRIES):
            for other in out:
                lift(job, lines, paths, other, 0)
            for other in out:
                copy_path(self._kept, paths, other)
                place(job, lines, paths, other, 0, 0)
            for other in out:
                give_way(job, lines, paths, self._hunt, other)
            if self._insert(truck):
                break
        else:
            for other in out:
                take_out(job, lines, paths, other, 0)
            self._insert(truck)
        for other in out:
            self._planned[other] = False
        return out if self._planned[truck] else [*out, truck]

    def _strand(self, truck: int) -> list[int]:
        """Leave *truck* where it is for good; who was to pass there later must be planned again."""
        job = self._job
        lift(job, self._bare, self._alone, truck, 0)
        alone = put_in(job, self._empty, self._alone, self._labels, truck, 0)
        if alone:
            lift(job, self._empty, self._alone, truck, 0)
            blocked_by = tuple(sorted(self._meets(self._bare, self._alone, truck)))
            self.stranded.append(Stranded(truck=truck, reason=Reason.BLOCKED, blocked_by=blocked_by))
        else:
            lift(job, self._empty, self._alone, truck, 0)
            self.stranded.append(Stranded(truck=truck, reason=Reason.WINDOWS))
        out = self._clear(self._meets(self._lines, self._paths, truck))
        for other in out:
            take_out(job, self._lines, self._paths, other, 0)
            self._planned[other] = False
        take_out(job, self._lines, self._paths, truck, ALWAYS)
        self._alone.length[truck] = job.begun[truck]
        place(job, self._bare, self._alone, truck, 0, ALWAYS)
        return out
