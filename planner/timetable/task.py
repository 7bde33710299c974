"""
The problem as values: what each truck must do, what it holds meanwhile, and what being late costs.

A truck's operations form an acyclic graph from the first to the last; a path through it is a route. Begun operations are facts
of the rolling horizon: they keep their times, and only what follows them is planned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


class TaskFault(ValueError):
    """A task that says nothing sensible: the message names the truck, the operation and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A resource held during an operation, and for how long after its end nobody else may have it."""

    resource: int
    release: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """
    One step of a truck: it begins within its window, takes at least *duration* and ends when one of *successors* begins.

    The last operation has no successors and never ends: what it holds is the refuge where the truck stays.
    """

    earliest: int = 0
    latest: int | None = None
    duration: int = 0
    uses: tuple[Use, ...] = ()
    successors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """What beginning *operation* late costs: *coeff* for each unit past *threshold*, and *increment* at it or later."""

    truck: int
    operation: int
    threshold: int = 0
    coeff: int = 0
    increment: int = 0

    def cost(self, time: int) -> int:
        """The cost of beginning at *time*."""
        return self.coeff * max(0, time - self.threshold) + (self.increment if time >= self.threshold else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A truck begins an operation, and by that ends the one before."""

    time: int
    truck: int
    operation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """
    All trucks, all costs, and what has happened already.

    begun  operations already begun, in the order in which they were; each truck's from its first operation on
    now    nothing that has not begun can begin earlier
    """

    trucks: tuple[tuple[Operation, ...], ...]
    delays: tuple[Delay, ...] = ()
    begun: tuple[Event, ...] = ()
    now: int = 0

    def __post_init__(self) -> None:
        for truck, operations in enumerate(self.trucks):
            for fault in _faults(operations):
                raise TaskFault(f"truck {truck}: {fault}")
        for delay in self.delays:
            if not (0 <= delay.truck < len(self.trucks) and 0 <= delay.operation < len(self.trucks[delay.truck])):
                raise TaskFault(f"a delay names truck {delay.truck}, operation {delay.operation}, which is not there")
            if delay.coeff < 0 or delay.increment < 0:
                raise TaskFault(f"truck {delay.truck}: being late at operation {delay.operation} would pay")
        self._check_begun()

    @property
    def resource_count(self) -> int:
        """One more than the highest resource named."""
        return 1 + max((use.resource for truck in self.trucks for each in truck for use in each.uses), default=-1)

    def _check_begun(self) -> None:
        last: dict[int, Event] = {}
        holder: dict[int, int] = {}
        before = 0
        for event in self.begun:
            if not 0 <= event.truck < len(self.trucks):
                raise TaskFault(f"truck {event.truck} has begun something and is not there")
            if not before <= event.time:
                raise TaskFault(f"truck {event.truck}: what has begun is not in order of time")
            before = event.time
            previous = last.get(event.truck)
            operations = self.trucks[event.truck]
            follows = (0,) if previous is None else operations[previous.operation].successors
            if event.operation not in follows:
                raise TaskFault(f"truck {event.truck}: operation {event.operation} cannot have begun next")
            for use in () if previous is None else operations[previous.operation].uses:
                holder.pop(use.resource, None)
            for use in operations[event.operation].uses:
                if holder.setdefault(use.resource, event.truck) != event.truck:
                    raise TaskFault(f"truck {event.truck} has begun in resource {use.resource}, which truck {holder[use.resource]} has")
            last[event.truck] = event


def topological(operations: tuple[Operation, ...]) -> list[int] | None:
    """Operations so that each comes before its successors; None where they run in a circle."""
    waiting = [0] * len(operations)
    for each in operations:
        for ahead in each.successors:
            waiting[ahead] += 1
    ready = [ix for ix, count in enumerate(waiting) if count == 0]
    order: list[int] = []
    while ready:
        now = ready.pop()
        order.append(now)
        for ahead in operations[now].successors:
            waiting[ahead] -= 1
            if waiting[ahead] == 0:
                ready.append(ahead)
    return order if len(order) == len(operations) else None


def _faults(operations: tuple[Operation, ...]) -> Iterator[str]:
    """What is wrong with one truck's operations."""
    count = len(operations)
    if not count:
        yield "has nothing to do"
    for ix, each in enumerate(operations):
        if any(not 0 <= ahead < count for ahead in each.successors):
            yield f"operation {ix} leads to one that is not there"
            return
        if not each.successors and ix != count - 1:
            yield f"operation {ix} leads nowhere and is not the last"
        if each.duration < 0 or any(use.release < 0 for use in each.uses):
            yield f"operation {ix} takes or releases in negative time"
        if any(use.resource < 0 for use in each.uses):
            yield f"operation {ix} holds a resource that has no number"
    if count and topological(operations) is None:
        yield "its operations run in a circle"
