"""
Plans for one task: a first one, better ones for as long as the caller likes, and what stands in the way where there is none.

The search knows no clock: `improve` asks the caller's `more` between chunks of tries. Asked for so many chunks it is the same on
every machine; asked for so many seconds it is as good as the machine is fast. The best plan found is never lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from planner.timetable.columns import INSTANT, MIDDLE, STRIDE, Lines, Paths, job_of, lines_of, paths_of
from planner.timetable.construct import Construction, Reason, Stranded
from planner.timetable.hunt import copy_all, hunt_of
from planner.timetable.improve import Plans, Waves, improve
from planner.timetable.ripple import wave_of
from planner.timetable.search import labels_of
from planner.timetable.settle import adopt, settle, settled_of
from planner.timetable.task import Event, Task, TaskFault

TRIES_PER_CHUNK: Final = 16
CYCLE_CHUNKS: Final = 128  # from hot to cold, with up to `CYCLE_TRUCKS`
CYCLE_TRUCKS: Final = 30  # with more it takes longer
HEAT_SHARE: Final = 0.003  # of the best plan's cost: what a worse plan may cost more when hot
HEAT_SHARE_MAX: Final = 0.16  # after cycles that found nothing better, each of which doubles the heat
COLD_SHARE: Final = 0.02  # of the heat is left when cold


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    An order of events and the times that follow from it, what has begun included.

    stranded  trucks that could not be planned; they stay where they are, and the others are planned round them
    """

    cost: int
    events: tuple[Event, ...]
    stranded: tuple[Stranded, ...] = ()


def cycle_chunks(trucks: int) -> int:
    """
    How many chunks of tries take a plan of so many trucks from hot to cold.

    The more trucks, the seldomer each is tried. The root of their number: in proportion to it, plans of 300 trucks end up no better, and
    those of 60 to 80 are worse until they have cooled.
    """
    return round(CYCLE_CHUNKS * math.sqrt(max(1.0, trucks / CYCLE_TRUCKS)))


def _like(paths: Paths) -> Paths:
    return Paths._make(column.copy() for column in paths)


class Timetable:
    """
    The search over one task's plans. *seed* draws everything.

    Raises:
        TaskFault: no trucks, or times too large to plan with.
    """

    def __init__(self, task: Task, *, seed: int = 1) -> None:
        if not task.trucks:
            raise TaskFault("there are no trucks to plan")
        self.task = task
        self._job = job_of(task)
        self._lines = lines_of(task, self._job)
        self._begun = paths_of(task, self._job)
        held = _like(self._begun)
        self._plans = Plans(held=held, kept=_like(held), best=_like(held))
        self._labels = labels_of(self._job)
        self._settled = settled_of(held, self._lines)
        self._waves = Waves(*(wave_of(self._lines, held, self._settled.stays) for _ in range(2)))
        self._hunt = hunt_of(self._job, held, seed)
        self._stranded: tuple[Stranded, ...] = ()
        self._built = False
        self._chunks = 0
        self._heat_share = HEAT_SHARE
        self._cost_before = 0

    def start_from(self, events: Sequence[Event]) -> Plan | None:
        """
        The plan of *events* in their order, as the first one; None, and nothing changed, where one of them is later than it may be.

        They are a whole plan of this task: every truck's way to its last operation, what has begun included, and nobody in a resource
        that another has.
        """
        held = _like(self._plans.held)
        length = [0] * len(held.length)
        time, rank = -1, MIDDLE
        for event in events:
            rank = rank + STRIDE if event.time == time else MIDDLE
            time = event.time
            k = length[event.truck]
            held.op[event.truck, k] = self._job.truck_op[event.truck] + event.operation
            held.at[event.truck, k] = time * INSTANT + rank
            length[event.truck] += 1
        held.length[:] = length
        cost = settle(self._job, held, self._settled)
        if self._settled.size[1]:
            return None
        copy_all(held, self._plans.held)
        self._take(cost)
        return self.best()

    def first(self) -> Plan:
        """A plan, quickly; called again, the best one there is."""
        if not self._built:
            self._build()
        return self.best()

    def improve(self, more: Callable[[], bool]) -> Plan:
        """
        Look for better plans for as long as *more* says so; the best one.

        A plan that leaves fewer trucks behind is better whatever it costs. Where others are in the way of one, all are planned anew now
        and then, twice as seldom each time.
        """
        if not self._built:
            self._build()
        hunt, cycle = self._hunt, cycle_chunks(len(self.task.trucks))
        while (self.blocked or not hunt.barred.all()) and more():
            if self.blocked and self._chunks & (self._chunks - 1) == 0:
                self._build()
            if hunt.barred.all():
                self._chunks += 1
                continue
            phase = self._chunks % cycle / cycle
            if phase == 0.0:
                self._heat_share = HEAT_SHARE if self.cost < self._cost_before else min(2.0 * self._heat_share, HEAT_SHARE_MAX)
                self._cost_before = self.cost
            hunt.heat[0] = self._heat_share * COLD_SHARE**phase * self.cost
            improve(self._job, self._lines, self._plans, self._labels, self._waves, hunt, TRIES_PER_CHUNK)
            self._chunks += 1
        return self.best()

    @property
    def cost(self) -> int:
        """Of the best plan so far."""
        return int(self._hunt.cost[1])

    def best(self) -> Plan:
        """The best plan so far."""
        paths, first = self._plans.best, self._job.truck_op
        rows = sorted((int(paths.at[truck, k]), truck, k) for truck in range(len(paths.length)) for k in range(int(paths.length[truck])))
        events = tuple(Event(time=at // INSTANT, truck=truck, operation=int(paths.op[truck, k] - first[truck])) for at, truck, k in rows)
        return Plan(cost=self.cost, events=events, stranded=self._stranded)

    @property
    def blocked(self) -> bool:
        """Whether the best plan so far leaves a truck where it is because of others: another plan may not."""
        return any(each.reason is Reason.BLOCKED for each in self._stranded)

    def _build(self) -> None:
        """Plan from what has begun, with chance that was not drawn yet; a plan there is already stays, unless fewer are stranded."""
        held, lines = _like(self._begun), Lines._make(column.copy() for column in self._lines)
        lines.used[:] = 0
        hunt, stays = self._hunt, self._settled.stays
        building = Construction(self._job, lines, held, self._labels, hunt)
        building.build()
        if self._built and len(building.stranded) >= len(self._stranded):
            return
        copy_all(held, self._plans.held)
        self._stranded = tuple(building.stranded)
        hunt.barred[:] = stays[:] = False
        for each in self._stranded:
            hunt.barred[each.truck] = stays[each.truck] = True
        self._take(settle(self._job, self._plans.held, self._settled))

    def _take(self, cost: int) -> None:
        """The plan held, as it was just settled, is the first one."""
        self._hunt.cost[:] = cost
        adopt(self._job, self._lines, self._plans.held, self._settled)
        copy_all(self._plans.held, self._plans.best)
        self._built = True
