"""
A plan's order as a graph: which events must be over before a truck may go on, what may be switched, and why not.

A truck may enter a resource when whoever has it before has left. As long as these waits run in no circle every truck gets there in
the end, however late: delays slide, and never lock. Two trucks that would have to change places at one instant are the shortest
circle. Switching an order gives another graph, or, where trucks would wait for each other, the circle that says why not.

This is asked by operators and by tests, not by the search, which keeps its order in instants: so it is plain and not compiled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

from planner.timetable.task import Event, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """
    A truck has a resource: from an event of its on, until the last of *ends*, events with the release times that follow them.

    Events are rows of the graph's events. A hold that is never over has no ends.
    """

    truck: int
    begin: int
    ends: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """*after* comes *lag* after *before*, or later: because of a resource, or on the way of one truck where that is None."""

    before: int
    after: int
    lag: int
    resource: int | None


class WaitCircle(ValueError):
    """Trucks would wait for each other for ever; *arcs* are the waits, each beginning where the one before ends."""

    def __init__(self, arcs: Sequence[Arc]) -> None:
        self.arcs = tuple(arcs)
        super().__init__(f"{len(self.arcs)} waits run in a circle")


class OrderFixed(ValueError):
    """The order cannot be switched: there is no next one, the first never leaves, or the second has entered already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedence:
    """
    The graph.

    events  truck by truck, each along its way; times are those of the plan it was made from
    orders  the holds of each resource, first to last
    """

    task: Task
    events: tuple[Event, ...]
    orders: dict[int, tuple[Hold, ...]]

    @classmethod
    def of(cls, task: Task, events: Sequence[Event]) -> Precedence:
        """The graph of a plan's events, given in their order."""
        ways: dict[int, list[tuple[int, Event]]] = defaultdict(list)
        for place, event in enumerate(events):
            ways[event.truck].append((place, event))
        placed = [each for truck in sorted(ways) for each in ways[truck]]
        holds: dict[int, list[tuple[int, Hold]]] = defaultdict(list)
        first = 0
        for truck in sorted(ways):
            for resource, hold in _holds_of(task, [event for _, event in ways[truck]], first):
                holds[resource].append((placed[hold.begin][0], hold))
            first += len(ways[truck])
        orders = {resource: tuple(hold for _, hold in sorted(each, key=lambda pair: pair[0])) for resource, each in sorted(holds.items())}
        return cls(task=task, events=tuple(event for _, event in placed), orders=orders)

    def arcs(self) -> Iterator[Arc]:
        """Every arc: along the ways, then resource by resource."""
        for after in range(1, len(self.events)):
            before = self.events[after - 1]
            if before.truck == self.events[after].truck:
                lag = self.task.trucks[before.truck][before.operation].duration
                yield Arc(before=after - 1, after=after, lag=lag, resource=None)
        for resource, order in self.orders.items():
            for place, following in enumerate(order):
                for end, release in _leaving_before(order, place):
                    yield Arc(before=end, after=following.begin, lag=release, resource=resource)

    def predecessors(self, event: int) -> tuple[Arc, ...]:
        """What must have happened before *event* may: of other trucks, that they have left what it takes."""
        return tuple(arc for arc in self.arcs() if arc.after == event)

    def settled(self) -> tuple[Event, ...]:
        """
        All events at their earliest times, in order. What has begun keeps its time.

        Raises:
            WaitCircle: there is no order.
        """
        inward: dict[int, list[Arc]] = defaultdict(list)
        outward: dict[int, list[Arc]] = defaultdict(list)
        for arc in self.arcs():
            inward[arc.after].append(arc)
            outward[arc.before].append(arc)
        begun = {(event.truck, event.operation): event.time for event in self.task.begun}
        waiting = [len(inward[row]) for row in range(len(self.events))]
        ready = [(self._earliest(row, begun), row) for row in range(len(self.events)) if not waiting[row]]
        heapify(ready)
        time: dict[int, int] = {}
        while ready:
            at, row = heappop(ready)
            time[row] = at
            for arc in outward[row]:
                waiting[arc.after] -= 1
                if waiting[arc.after] == 0:
                    soonest = max(self._earliest(arc.after, begun), *(time[each.before] + each.lag for each in inward[arc.after]))
                    event = self.events[arc.after]
                    heappush(ready, (begun.get((event.truck, event.operation), soonest), arc.after))
        if len(time) < len(self.events):
            raise WaitCircle(_circle(inward, set(range(len(self.events))) - set(time)))
        return tuple(replace(self.events[row], time=at) for row, at in time.items())

    def switched(self, resource: int, place: int) -> Precedence:
        """
        The graph in which the holds at *place* and after it of *resource* have changed places.

        Raises:
            OrderFixed: they cannot.
            WaitCircle: trucks would wait for each other.
        """
        order = list(self.orders.get(resource, ()))
        if not 0 <= place < len(order) - 1:
            raise OrderFixed(f"resource {resource} has no holds {place} and {place + 1}")
        hold, following = order[place], order[place + 1]
        entered = self.events[following.begin]
        if not following.ends:
            raise OrderFixed(f"truck {following.truck} would never leave resource {resource}")
        if any((event.truck, event.operation) == (entered.truck, entered.operation) for event in self.task.begun):
            raise OrderFixed(f"truck {following.truck} has entered resource {resource}")
        order[place], order[place + 1] = following, hold
        changed = replace(self, orders={**self.orders, resource: tuple(order)})
        changed.settled()
        return changed

    def _earliest(self, row: int, begun: dict[tuple[int, int], int]) -> int:
        event = self.events[row]
        earliest = max(self.task.trucks[event.truck][event.operation].earliest, self.task.now)
        return begun.get((event.truck, event.operation), earliest)


def _leaving_before(order: Sequence[Hold], place: int) -> Iterator[tuple[int, int]]:
    """The ends of the holds that another truck has just before *place*: several, where it came back with nobody in between."""
    at = place - 1
    while at >= 0 and order[at].truck == order[place - 1].truck != order[place].truck:
        yield from order[at].ends
        at -= 1


def _holds_of(task: Task, way: Sequence[Event], first: int) -> Iterator[tuple[int, Hold]]:
    """Resources and holds of one truck; its events are rows from *first* on. What it keeps over several operations is one hold."""
    open_: dict[int, tuple[int, list[tuple[int, int]]]] = {}
    for k, event in enumerate(way):
        operation = task.trucks[event.truck][event.operation]
        now = {use.resource: max(each.release for each in operation.uses if each.resource == use.resource) for use in operation.uses}
        for resource in [each for each in open_ if each not in now]:
            begin, ends = open_.pop(resource)
            yield resource, Hold(truck=event.truck, begin=begin, ends=tuple(ends))
        for resource, release in now.items():
            begin, ends = open_.get(resource, (first + k, []))
            open_[resource] = (begin, [*ends, (first + k + 1, release)])
    for resource, (begin, _) in open_.items():
        yield resource, Hold(truck=way[0].truck, begin=begin, ends=())


def _circle(inward: dict[int, list[Arc]], stuck: set[int]) -> list[Arc]:
    """One circle among the events that wait for ever."""
    back: list[Arc] = []
    seen: dict[int, int] = {}
    row = min(stuck)
    while row not in seen:
        seen[row] = len(back)
        arc = next(arc for arc in inward[row] if arc.before in stuck)
        back.append(arc)
        row = arc.before
    return back[seen[row] :][::-1]
