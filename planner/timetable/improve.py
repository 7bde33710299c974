"""Improve a plan by so many tries; the caller decides how many, and so needs no clock in here."""

from __future__ import annotations

from typing import Final, NamedTuple

from planner._jit import kernel, piece
from planner.timetable.columns import INSTANT, Job, Lines, Paths
from planner.timetable.hunt import Hunt, acceptable, choose, copy_all, give_back, open_chosen, put_back
from planner.timetable.search import Labels
from planner.timetable.settle import NOBODY, Settled, adopt, settle

WORTHLESS: Final = -1
HEATS_MAX: Final = 8.0  # dearer than so many times the heat before settling is given up
SHARE_MAX: Final = 0.01  # but not if it is less than this share of the plan's cost


class Plans(NamedTuple):
    """The plan held, the paths it had before the last try, and the best plan so far."""

    held: Paths
    kept: Paths
    best: Paths


@piece
def _promising(plans: Plans, hunt: Hunt) -> bool:
    """
    Whether the chosen trucks' new ways are worth settling the plan.

    Settling makes others earlier, but hardly ever makes up for much: most attempts end here, at a fraction of the price.
    """
    held, kept = plans.held, plans.kept
    dearer = 0
    changed = False
    for at in range(hunt.size[0]):
        truck = hunt.chosen[at]
        dearer += held.cost[truck] - kept.cost[truck]
        changed = changed or held.length[truck] != kept.length[truck]
        for k in range(held.length[truck]):
            if changed:
                break
            changed = held.op[truck, k] != kept.op[truck, k] or held.at[truck, k] // INSTANT != kept.at[truck, k] // INSTANT
    return changed and dearer <= HEATS_MAX * hunt.heat[0] + SHARE_MAX * hunt.cost[0]


@kernel
def attempt(job: Job, lines: Lines, plans: Plans, labels: Labels, settled: Settled, hunt: Hunt) -> int:
    """Change the plan held as drawn; returns its cost, or WORTHLESS where it is left as it was."""
    pushed = settled.push[0] != NOBODY
    if pushed:
        copy_all(plans.held, plans.kept)
    open_chosen(job, lines, plans.held, plans.kept, hunt)
    if pushed:
        settle(job, plans.held, settled)
        adopt(job, lines, plans.held, settled)
        settled.push[0] = NOBODY
    if put_back(job, lines, plans.held, labels, hunt) and (pushed or _promising(plans, hunt)):
        cost = settle(job, plans.held, settled)
        if settled.size[1] == 0 and acceptable(hunt, cost):
            adopt(job, lines, plans.held, settled)
            return int(cost)
    if pushed:
        copy_all(plans.kept, plans.held)
        settle(job, plans.held, settled)
        adopt(job, lines, plans.held, settled)
    else:
        give_back(job, lines, plans.held, plans.kept, hunt)
    return WORTHLESS


@kernel
def improve(job: Job, lines: Lines, plans: Plans, labels: Labels, settled: Settled, hunt: Hunt, tries: int) -> int:
    """Make *tries* attempts; returns the cost of the best plan."""
    for _ in range(tries):
        choose(job, lines, plans.held, settled, hunt)
        cost = attempt(job, lines, plans, labels, settled, hunt)
        if cost == WORTHLESS:
            continue
        hunt.cost[0] = cost
        if cost < hunt.cost[1]:
            hunt.cost[1] = cost
            copy_all(plans.held, plans.best)
    return int(hunt.cost[1])
