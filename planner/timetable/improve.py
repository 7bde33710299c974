"""Improve a plan by so many tries; the caller decides how many, and so needs no clock in here."""

from __future__ import annotations

from typing import Final, NamedTuple

from planner._jit import kernel, piece
from planner.timetable.columns import FOREVER, INSTANT, Job, Lines, Paths
from planner.timetable.hunt import (
    HEATS_MAX,
    NOBODY,
    SHARE_MAX,
    Hunt,
    acceptable,
    choose,
    copy_all,
    give_back,
    give_up,
    open_chosen,
    put_back,
)
from planner.timetable.ripple import MOVED, Wave, forget, rouse, spread, take, take_back
from planner.timetable.search import Labels

WORTHLESS: Final = -1
PUSH_SHARE_MAX: Final = 0.25  # of the plan's cost: a push that makes others late by more is given up


class Waves(NamedTuple):
    """How a push makes events later, and how what follows makes them earlier again."""

    push: Wave
    pull: Wave


class Plans(NamedTuple):
    """The plan held, the paths it had before the last try, and the best plan so far."""

    held: Paths
    kept: Paths
    best: Paths


@piece
def _spare(hunt: Hunt, pushed: bool) -> int:
    """
    What the chosen trucks' new ways may cost more than the old ones.

    Timing all anew makes others earlier, but hardly ever makes up for much: most attempts end there, at a fraction of the price.
    After a push the ways are all there is to gain, and what was lost by it is known only in the end.
    """
    return FOREVER // 2 if pushed else int(HEATS_MAX * hunt.heat[0] + SHARE_MAX * hunt.cost[0])


@piece
def _changed(plans: Plans, hunt: Hunt) -> bool:
    """Whether any chosen truck has another way, or the same at other times."""
    held, kept = plans.held, plans.kept
    for at in range(hunt.size[0]):
        truck = hunt.chosen[at]
        if held.length[truck] != kept.length[truck]:
            return True
        for k in range(max(hunt.stem[truck] - 1, 0), held.length[truck]):
            if held.op[truck, k] != kept.op[truck, k] or held.at[truck, k] // INSTANT != kept.at[truck, k] // INSTANT:
                return True
    return False


@piece
def _push(job: Job, lines: Lines, paths: Paths, waves: Waves, hunt: Hunt) -> bool:
    """
    Make the pushed event and all that depend on it later, the chosen trucks being out of the way.

    False, and nothing changed, where that costs more than timing all anew hardly ever makes up for: those waves reach the furthest.
    """
    hunt.push[3] = int(PUSH_SHARE_MAX * hunt.cost[0])
    rouse(paths, waves.push, hunt.push[0], hunt.push[1])
    bearable = bool(spread(job, lines, paths, waves.push, hunt.push))
    if bearable:
        take(job, lines, paths, waves.push)
    else:
        forget(paths, waves.push)
    return bearable


@piece
def _retime(job: Job, lines: Lines, paths: Paths, waves: Waves, hunt: Hunt) -> bool:
    """Find the times that follow from the chosen trucks' new ways; False where one is not allowed."""
    for at in range(hunt.size[1]):
        rouse(paths, waves.pull, hunt.heirs[at, 0], hunt.heirs[at, 1])
    for at in range(waves.push.size[MOVED]):
        event = waves.push.moved[at]
        rouse(paths, waves.pull, event // paths.op.shape[1], event % paths.op.shape[1])
    hunt.push[0] = NOBODY
    return bool(spread(job, lines, paths, waves.pull, hunt.push))


@piece
def _cost(paths: Paths, wave: Wave) -> int:
    """What the plan will cost with the times of *wave*."""
    total = wave.dearer[0]
    for truck in range(len(paths.cost)):
        total += paths.cost[truck]
    return int(total)


@kernel
def attempt(job: Job, lines: Lines, plans: Plans, labels: Labels, waves: Waves, hunt: Hunt) -> int:
    """Change the plan held as drawn; returns its cost, or WORTHLESS where it is left as it was."""
    pushed = hunt.push[0] != NOBODY
    open_chosen(job, lines, plans.held, plans.kept, hunt)
    bearable = not pushed or _push(job, lines, plans.held, waves, hunt)
    found = bearable and put_back(job, lines, plans.held, plans.kept, labels, hunt, _spare(hunt, pushed))
    if found and (pushed or _changed(plans, hunt)):
        allowed = _retime(job, lines, plans.held, waves, hunt)
        cost = _cost(plans.held, waves.pull)
        if allowed and acceptable(hunt, cost):
            take(job, lines, plans.held, waves.pull)
            forget(plans.held, waves.pull)
            forget(plans.held, waves.push)
            return cost
        forget(plans.held, waves.pull)
    give_up(job, lines, plans.held, plans.kept, hunt)
    if pushed:
        take_back(job, lines, plans.held, waves.push)
    give_back(job, lines, plans.held, hunt)
    return WORTHLESS


@kernel
def improve(job: Job, lines: Lines, plans: Plans, labels: Labels, waves: Waves, hunt: Hunt, tries: int) -> int:
    """Make *tries* attempts; returns the cost of the best plan."""
    for _ in range(tries):
        choose(job, lines, plans.held, hunt)
        cost = attempt(job, lines, plans, labels, waves, hunt)
        if cost == WORTHLESS:
            continue
        hunt.cost[0] = cost
        if cost < hunt.cost[1]:
            hunt.cost[1] = cost
            copy_all(plans.held, plans.best)
    return int(hunt.cost[1])
