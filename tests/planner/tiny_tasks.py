"""Small tasks drawn at random, and the cheapest plan of one by trying every order of events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from planner.timetable.task import Delay, Operation, Task, Use


def draw_task(seed: int) -> Task:
    """Two or three trucks with up to two ways each over few resources, so that most of them meet."""
    chance = random.Random(seed)  # noqa: S311 - a test's draw
    resources = chance.randint(1, 3)
    trucks = tuple(_truck(chance, resources) for _ in range(chance.randint(2, 3)))
    delays = [
        Delay(
            truck=k,
            operation=len(operations) - 1,
            threshold=chance.randint(0, 8),
            coeff=chance.randint(0, 3),
            increment=chance.randint(0, 4),
        )
        for k, operations in enumerate(trucks)
    ]
    if chance.random() < 0.3:  # what a stop on the way costs
        delays.append(
            Delay(truck=0, operation=1, threshold=chance.randint(0, 4), coeff=chance.randint(0, 3), increment=chance.randint(0, 5))
        )
    return Task(trucks=trucks, delays=tuple(delays))


def draw_crowd(seed: int) -> Task:
    """Eight trucks with up to eight steps each over five resources, far too many to try every order: they push each other about."""
    chance = random.Random(seed)  # noqa: S311 - a test's draw
    trucks = tuple(_wanderer(chance) for _ in range(8))
    return Task(
        trucks=trucks,
        delays=tuple(
            Delay(truck=k, operation=len(operations) - 1, threshold=chance.randint(0, 20), coeff=chance.randint(0, 3))
            for k, operations in enumerate(trucks)
        ),
    )


def _wanderer(chance: random.Random) -> tuple[Operation, ...]:
    """A truck from outside that goes through places, now and then back into one it has just left, and leaves."""
    steps = [
        Operation(
            earliest=chance.choice((0, 0, 0, 10)),
            duration=chance.choice((0, 1, 3, 5)),
            uses=tuple(
                Use(resource=each, release=chance.choice((0, 0, 2, 9))) for each in chance.sample(range(5), chance.choice((1, 1, 2)))
            ),
            successors=(k + 1,) if k % 3 else (k + 1, min(k + 2, 8)),
        )
        for k in range(1, 8)
    ]
    return (Operation(successors=(1,)), *steps, Operation())


def _truck(chance: random.Random, resources: int) -> tuple[Operation, ...]:
    def uses() -> tuple[Use, ...]:
        several = chance.sample(range(resources), min(resources, chance.choice((0, 1, 1, 1, 2))))
        return tuple(Use(resource=each, release=chance.choice((0, 0, 0, 2))) for each in several)

    def operation(*successors: int) -> Operation:
        return Operation(earliest=chance.choice((0, 0, 3)), duration=chance.choice((0, 1, 3)), uses=uses(), successors=successors)

    start = Operation(latest=chance.choice((None, 0)), duration=chance.choice((0, 2)), successors=(1,))
    if chance.random() < 0.4:
        return (start, operation(2, 3), operation(4), operation(4), Operation())
    return (start, operation(2), operation(3), Operation())


@dataclass
class _Play:
    """The events so far, as who is where since when, who keeps others off what, and what it has cost."""

    task: Task
    at: dict[int, tuple[int, int]] = field(default_factory=dict)
    until: dict[tuple[int, int], int] = field(default_factory=dict)
    clock: int = 0
    cost: int = 0

    def begin(self, truck: int, operation: int) -> _Play | None:
        """The play after one more event at the earliest time it can have after all before it."""
        operations = self.task.trucks[truck]
        time = max(self.clock, operations[operation].earliest)
        until = dict(self.until)
        if truck in self.at:
            before, since = self.at[truck]
            time = max(time, since + operations[before].duration)
        for use in operations[operation].uses:
            for other, (here, _) in self.at.items():
                if other != truck and any(each.resource == use.resource for each in self.task.trucks[other][here].uses):
                    return None
            time = max([time, *(till for (other, what), till in until.items() if what == use.resource and other != truck)])
        latest = operations[operation].latest
        if latest is not None and time > latest:
            return None
        if truck in self.at:
            for use in operations[self.at[truck][0]].uses:
                until[truck, use.resource] = max(until.get((truck, use.resource), 0), time + use.release)
        paid = sum(each.cost(time) for each in self.task.delays if (each.truck, each.operation) == (truck, operation))
        return _Play(task=self.task, at={**self.at, truck: (operation, time)}, until=until, clock=time, cost=self.cost + paid)

    def moves(self) -> Iterator[_Play]:
        """Every play with one more event."""
        for truck, operations in enumerate(self.task.trucks):
            ahead = operations[self.at[truck][0]].successors if truck in self.at else (0,)
            for operation in ahead:
                after = self.begin(truck, operation)
                if after is not None:
                    yield after


def least_cost(task: Task) -> int | None:
    """The cost of the cheapest plan, by trying every order of events; None where there is no plan."""
    best: int | None = None
    seen: set[object] = set()
    waiting = [_Play(task=task)]
    while waiting:
        play = waiting.pop()
        key = (tuple(sorted(play.at.items())), tuple(sorted(play.until.items())), play.clock, play.cost)
        if key in seen or (best is not None and play.cost >= best):
            continue
        seen.add(key)
        if all(truck in play.at and not task.trucks[truck][play.at[truck][0]].successors for truck in range(len(task.trucks))):
            best = play.cost
            continue
        waiting += play.moves()
    return best
