"""Improve a plan by so many tries; the caller decides how many, and so needs no clock in here."""

from __future__ import annotations

from typing import NamedTuple

from planner._jit import kernel
from planner.timetable.columns import Job, Lines, Paths
from planner.timetable.hunt import Hunt, acceptable, choose, copy_all, reinsert, restore
from planner.timetable.search import Labels
from planner.timetable.settle import Settled, adopt, settle


class Plans(NamedTuple):
    """The plan held, the paths it had before the last try, and the best plan so far."""

    held: Paths
    kept: Paths
    best: Paths


@kernel
def improve(job: Job, lines: Lines, plans: Plans, labels: Labels, settled: Settled, hunt: Hunt, tries: int) -> int:
    """Make *tries* tries; returns the cost of the best plan."""
    for _ in range(tries):
        choose(job, lines, plans.held, settled, hunt)
        if not reinsert(job, lines, plans.held, plans.kept, labels, hunt):
            restore(job, lines, plans.held, plans.kept, hunt)
            continue
        cost = settle(job, plans.held, settled)
        if not acceptable(hunt, cost):
            restore(job, lines, plans.held, plans.kept, hunt)
            continue
        adopt(job, lines, plans.held, settled)
        hunt.cost[0] = cost
        if cost < hunt.cost[1]:
            hunt.cost[1] = cost
            copy_all(plans.held, plans.best)
    return int(hunt.cost[1])
