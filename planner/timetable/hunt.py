"""
Large-neighbourhood search: take a late truck and some that it meets out of the plan, and put them back in another order.

Who is taken out is drawn from several neighbourhoods: the trucks along the chain of waits that made a truck late, those that
hold resources just before or after it, and any. Worse plans are taken too, the less readily the cooler the search has become;
the best one is kept apart. Chance is a small generator of its own, so that a seed gives the same plan everywhere.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner._jit import kernel, piece
from planner.timetable.columns import FOREVER, INSTANT, IndexArray, Job, Lines, Paths, TimeArray
from planner.timetable.holds import after, first_free_after, foot, last_begun_by, lift, place
from planner.timetable.ripple import behind_hold, waits_for
from planner.timetable.search import NOWHERE, Labels, fee_of, search, walk_back

# A multiplicative congruential generator (Lehmer, with Park and Miller's later multiplier): no product exceeds 63 bits.
FACTOR: Final = 48_271
MODULUS: Final = 2_147_483_647

NOBODY: Final = -1
TRIES_PER_TRUCK: Final = 4
CHOSEN_MAX: Final = 12
STEPS_BACK_MAX: Final = 12  # events before a wait that are opened with it
HEATS_MAX: Final = 8.0  # dearer than so many times the heat before all is timed anew is given up
SHARE_MAX: Final = 0.01  # but not if it is less than this share of the plan's cost
STAYS_MAX: Final = 8  # a truck is pushed by up to this many times what the one before it takes in one place


class Hunt(NamedTuple):
    """
    The search's state beside the plan.

    seed    (1,) of the generator
    cost    (2,) of the plan held and of the best one
    heat    (1,) how much worse than the plan held a plan may be, on average, to be taken
    chosen  (n,) trucks taken out, in the order in which they go back
    marked  (n,) whether a truck is chosen
    stem, foot  (n,) how many of its events each chosen truck keeps, and from which on its holds are taken off
    heirs   (u, 2) trucks and their events that waited for what chosen trucks held
    size    (2,) how many are chosen, and how many heirs there are
    since   (1,) the instant from which the chosen are open; what they do until then stays
    push    (4,) a truck, one of its events, the instant before which that may not be, and what it may cost; NOBODY where none is pushed
    barred  (n,) trucks that are never taken out
    """

    seed: TimeArray
    cost: TimeArray
    heat: NDArray[np.float64]
    chosen: IndexArray
    marked: NDArray[np.bool_]
    stem: IndexArray
    foot: IndexArray
    heirs: IndexArray
    size: IndexArray
    since: TimeArray
    push: TimeArray
    barred: NDArray[np.bool_]


def hunt_of(job: Job, paths: Paths, seed: int) -> Hunt:
    """A search that has not begun; *seed* is any whole number."""
    trucks = len(paths.length)
    return Hunt(
        seed=np.array([seed % (MODULUS - 1) + 1], np.int64),
        cost=np.zeros(2, np.int64),
        heat=np.zeros(1, np.float64),
        chosen=np.zeros(trucks, np.int32),
        marked=np.zeros(trucks, np.bool_),
        stem=np.zeros(trucks, np.int32),
        foot=np.zeros(trucks, np.int32),
        heirs=np.zeros((len(job.use_resource), 2), np.int32),
        size=np.zeros(2, np.int32),
        since=np.zeros(1, np.int64),
        push=np.full(4, NOBODY, np.int64),
        barred=np.zeros(trucks, np.bool_),
    )


@piece
def draw(hunt: Hunt, below: int) -> int:
    """A number from 0 to *below* - 1."""
    hunt.seed[0] = hunt.seed[0] * FACTOR % MODULUS
    return int(hunt.seed[0] * below // MODULUS)


@piece
def kept_until(paths: Paths, truck: int, since: int) -> int:
    """How many of the truck's events come at *since* or before."""
    low = 0
    high = paths.length[truck]
    while low < high:
        mid = (low + high) // 2
        if paths.at[truck, mid] > since:
            high = mid
        else:
            low = mid + 1
    return int(low)


@piece
def _choose(paths: Paths, hunt: Hunt, truck: int) -> None:
    """Choose a truck, unless it is chosen, barred, or done by then."""
    if not (hunt.marked[truck] or hunt.barred[truck]) and kept_until(paths, truck, hunt.since[0]) < paths.length[truck]:
        hunt.marked[truck] = True
        hunt.chosen[hunt.size[0]] = truck
        hunt.size[0] += 1


@piece
def _late(paths: Paths, hunt: Hunt) -> int:
    """A truck, the likelier the more it costs; any, where none costs anything."""
    total = 0
    for truck in range(len(paths.cost)):
        total += paths.cost[truck]
    if total == 0:
        return draw(hunt, len(paths.cost))
    left = draw(hunt, total)
    for truck in range(len(paths.cost)):
        left -= paths.cost[truck]
        if left < 0:
            return truck
    return 0


@piece
def _push_blamed(job: Job, lines: Lines, paths: Paths, hunt: Hunt, truck: int) -> None:
    """Open a truck that waited on the chain of waits, and push the truck that it waited for: it is to go first."""
    waited, event = NOBODY, 0
    k = paths.length[truck] - 1
    while k > 0 and (waited == NOBODY or draw(hunt, 3) > 0):
        row = waits_for(job, lines, paths, truck, k)
        if row == NOBODY or hunt.barred[lines.truck[row]]:
            k -= 1
            continue
        waited, event = truck, k
        truck = lines.truck[row]
        k = min(lines.leave[row], paths.length[truck] - 1)
    if waited in (NOBODY, truck):
        return
    op = paths.op[waited, event]
    stay = job.duration[op]
    for use in range(job.use_start[op], job.use_start[op + 1]):
        stay = max(stay, job.duration[op] + job.use_release[use])
    ready = after(paths.at[waited, event - 1], job.duration[paths.op[waited, event - 1]])
    hunt.since[0] = paths.at[waited, max(event - 1 - draw(hunt, 1 + draw(hunt, STEPS_BACK_MAX)), 0)]
    _choose(paths, hunt, waited)
    hunt.push[0] = truck
    hunt.push[1] = max(k - 1 - draw(hunt, 1 + draw(hunt, STEPS_BACK_MAX)), job.begun[truck])
    hunt.push[2] = after(ready, stay * (1 + draw(hunt, 1 + draw(hunt, STAYS_MAX))))


@piece
def _choose_blamed(job: Job, lines: Lines, paths: Paths, hunt: Hunt, truck: int, wanted: int) -> None:
    """The trucks along the chain of waits that leads to the end of *truck*'s path, and what they do from its far end on."""
    k = paths.length[truck] - 1
    while k >= 0 and hunt.size[0] < wanted:
        row = waits_for(job, lines, paths, truck, k)
        if row == NOBODY or draw(hunt, 4) == 0:
            k -= 1
            continue
        truck = lines.truck[row]
        k = min(lines.leave[row], paths.length[truck] - 1)
        _choose(paths, hunt, truck)
    hunt.since[0] = paths.at[truck, max(k - 1 - draw(hunt, STEPS_BACK_MAX), 0)]


@piece
def _choose_met(job: Job, lines: Lines, paths: Paths, hunt: Hunt, wanted: int) -> None:
    """Trucks that hold something of a chosen truck's just before or after it, soon after the time from which all is open."""
    for _ in range(TRIES_PER_TRUCK * wanted):
        if hunt.size[0] >= wanted or hunt.size[0] == 0:
            return
        truck = hunt.chosen[draw(hunt, hunt.size[0])]
        kept = kept_until(paths, truck, hunt.since[0])
        if kept == paths.length[truck]:
            continue
        k = kept + draw(hunt, 1 + draw(hunt, paths.length[truck] - kept))
        op = paths.op[truck, k]
        uses = job.use_start[op + 1] - job.use_start[op]
        if uses == 0:
            continue
        resource = job.use_resource[job.use_start[op] + draw(hunt, uses)]
        row = first_free_after(lines, resource, paths.at[truck, k]) + 2 * draw(hunt, 2) - 1
        if lines.start[resource] <= row < lines.start[resource] + lines.used[resource]:
            _choose(paths, hunt, lines.truck[row])


@kernel
def choose(job: Job, lines: Lines, paths: Paths, hunt: Hunt) -> None:
    """Draw the trucks to take out, the time from which they are open, and the order in which they go back."""
    trucks = len(paths.cost)
    for truck in range(trucks):
        hunt.marked[truck] = False
    hunt.size[:] = 0
    hunt.since[0] = -1
    hunt.push[0] = NOBODY
    wanted = 2
    while wanted < min(trucks, CHOSEN_MAX) and draw(hunt, 2) > 0:
        wanted += 1
    wanted = min(wanted, trucks)
    late = _late(paths, hunt)
    kind = draw(hunt, 12)
    if kind == 0:
        for _ in range(TRIES_PER_TRUCK * wanted):
            if hunt.size[0] < wanted:
                _choose(paths, hunt, draw(hunt, trucks))
    elif kind < 5:
        _choose(paths, hunt, late)
        _choose_blamed(job, lines, paths, hunt, late, wanted)
    elif kind < 8 and paths.length[late] > 0:
        hunt.since[0] = paths.at[late, draw(hunt, paths.length[late])]
        _choose(paths, hunt, late)
    else:
        _push_blamed(job, lines, paths, hunt, late)
        wanted = 1 + draw(hunt, wanted)
    _choose_met(job, lines, paths, hunt, wanted)
    if hunt.push[0] != NOBODY and hunt.marked[hunt.push[0]]:
        hunt.push[0] = NOBODY
    if hunt.push[0] == NOBODY and draw(hunt, 4) == 0:
        hunt.since[0] = -1
    first = 1 if draw(hunt, 2) == 0 else 0
    for at in range(hunt.size[0] - 1, first, -1):
        other = first + draw(hunt, at + 1 - first)
        hunt.chosen[at], hunt.chosen[other] = hunt.chosen[other], hunt.chosen[at]


@kernel
def copy_path(source: Paths, target: Paths, truck: int) -> None:
    """The path of *truck* in *source* into *target*."""
    target.length[truck] = source.length[truck]
    target.cost[truck] = source.cost[truck]
    for k in range(source.length[truck]):
        target.op[truck, k] = source.op[truck, k]
        target.at[truck, k] = source.at[truck, k]


@kernel
def copy_all(source: Paths, target: Paths) -> None:
    """Every path of *source* into *target*."""
    for truck in range(len(source.length)):
        copy_path(source, target, truck)


@kernel
def shorten(job: Job, lines: Lines, paths: Paths, truck: int, kept: int) -> None:
    """Leave of *truck* its first *kept* events, but all that it has begun."""
    lift(job, lines, paths, truck, 0)
    paths.length[truck] = max(kept, job.begun[truck])
    paths.cost[truck] = 0
    place(job, lines, paths, truck, 0, 0)


@kernel
def take_out(job: Job, lines: Lines, paths: Paths, truck: int, linger: int) -> None:
    """Leave of *truck* only what it has begun, and hold that for as long as it must be and *linger* more."""
    shorten(job, lines, paths, truck, 0)
    if linger > 0:
        lift(job, lines, paths, truck, 0)
        place(job, lines, paths, truck, 0, linger)


@kernel
def put_in(job: Job, lines: Lines, paths: Paths, labels: Labels, truck: int, first: int) -> bool:
    """
    Give *truck*, of which the plan has a first part, the best way on from there; False where there is none.

    first  its `foot`, or 0
    """
    lift(job, lines, paths, truck, first)
    label = search(job, lines, paths, labels, truck)
    if label == NOWHERE:
        place(job, lines, paths, truck, first, 0)
        return False
    walk_back(paths, labels, truck, label)
    place(job, lines, paths, truck, first, 0)
    return True


@kernel
def _note_heirs(job: Job, lines: Lines, paths: Paths, hunt: Hunt, truck: int) -> None:
    """Note which events of trucks that are not chosen wait for what *truck* holds from its stem on."""
    for k in range(max(hunt.stem[truck] - 1, 0), paths.length[truck]):
        op = paths.op[truck, k]
        for use in range(job.use_start[op], job.use_start[op + 1]):
            resource = job.use_resource[use]
            row = last_begun_by(lines, resource, paths.at[truck, k])
            heir = row + 1
            if heir >= lines.start[resource] + lines.used[resource] or hunt.marked[lines.truck[heir]]:
                continue
            if behind_hold(lines.free[row]) // INSTANT >= lines.begin[heir] // INSTANT:
                hunt.heirs[hunt.size[1], 0] = lines.truck[heir]
                hunt.heirs[hunt.size[1], 1] = lines.enter[heir]
                hunt.size[1] += 1


@kernel
def open_chosen(job: Job, lines: Lines, paths: Paths, kept: Paths, hunt: Hunt) -> None:
    """Take out what the chosen trucks do while they are open; their old paths are kept."""
    for at in range(hunt.size[0]):
        truck = hunt.chosen[at]
        copy_path(paths, kept, truck)
        hunt.stem[truck] = max(kept_until(paths, truck, hunt.since[0]), job.begun[truck])
        _note_heirs(job, lines, paths, hunt, truck)
        hunt.foot[truck] = foot(job, lines, paths, truck, hunt.stem[truck])
        lift(job, lines, paths, truck, hunt.foot[truck])
        paths.length[truck] = hunt.stem[truck]
        paths.cost[truck] = 0
        place(job, lines, paths, truck, hunt.foot[truck], 0)


@piece
def _saving(job: Job, kept: Paths, hunt: Hunt, truck: int) -> int:
    """The most by which a chosen truck can become cheaper."""
    first, last = job.truck_op[truck], job.truck_op[truck + 1] - 1
    stem = hunt.stem[truck]
    if stem == 0:
        return int(kept.cost[truck] - fee_of(job, last, (job.earliest[first] + job.tail[first]) * INSTANT))
    return int(kept.cost[truck] - fee_of(job, last, kept.at[truck, stem - 1] + job.tail[kept.op[truck, stem - 1]] * INSTANT))


@kernel
def put_back(job: Job, lines: Lines, paths: Paths, kept: Paths, labels: Labels, hunt: Hunt, spare: int) -> bool:
    """
    Plan the chosen trucks in their order; False where one finds no way.

    spare  what they may cost more than before, all together
    """
    for at in range(hunt.size[0]):
        spare += _saving(job, kept, hunt, hunt.chosen[at])
    found = True
    for at in range(hunt.size[0]):
        truck = hunt.chosen[at]
        spare -= _saving(job, kept, hunt, truck)
        labels.ceiling[0] = kept.cost[truck] + spare
        found = put_in(job, lines, paths, labels, truck, hunt.foot[truck])
        if not found:
            break
        spare -= paths.cost[truck] - kept.cost[truck]
    labels.ceiling[0] = FOREVER
    return found


@kernel
def give_up(job: Job, lines: Lines, paths: Paths, kept: Paths, hunt: Hunt) -> None:
    """Take the chosen trucks off the lines and give them their old paths back."""
    for at in range(hunt.size[0]):
        truck = hunt.chosen[at]
        lift(job, lines, paths, truck, hunt.foot[truck])
        copy_path(kept, paths, truck)


@kernel
def give_back(job: Job, lines: Lines, paths: Paths, hunt: Hunt) -> None:
    """Put the chosen trucks' paths on the lines again."""
    for at in range(hunt.size[0]):
        truck = hunt.chosen[at]
        place(job, lines, paths, truck, hunt.foot[truck], 0)


@piece
def acceptable(hunt: Hunt, cost: int) -> bool:
    """Whether a plan of this cost is taken: always if it is no worse, else by chance and heat."""
    if cost <= hunt.cost[0]:
        return True
    chance = (draw(hunt, MODULUS - 1) + 1) / MODULUS
    return bool(cost - hunt.cost[0] < -math.log(chance) * hunt.heat[0])
