"""
What the operators want moved: counts of containers from yard to yard.

Every container is in exactly one place of its order: waiting in the yard, aboard a truck, delivered, or turned back. The four
counts always sum to the order's, and a test holds them to it.

Whom trucks load for: the higher priority, then who is due first, then the oldest; an order without a due time comes after those
that have one. That alone would let orders without one wait for as long as others come in, so one mission in eight loads for the
order that is oldest, whatever others are due or how urgent: of n containers, with m of older orders before them, the last is
loaded after at most 4 (n + m) missions. By earliest due date all due times are kept that can be kept at all.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from fleet.server.commands import OrderAnswer
from fleet.server.fact_form import Fact, fact
from fleet.server.outgoing import Container

CONTAINER_LOAD_KG: Final = 32_500.0  # of coal: a pair makes the 65 t of a trip
CONTAINERS_PER_TRIP: Final = 2
OLDEST_EVERY: Final = 8  # missions of which one loads for the oldest order
NEVER_NS: Final = 2**63
FINISHED_KEPT_MAX: Final = 10_000  # months of a mine; the journal has the older ones, and no snapshot repeats them
_LETTER_VALUES: Final = [value for value in range(10, 39) if value % 11]  # the standard leaves out multiples of 11
_LETTERS: Final = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", _LETTER_VALUES, strict=True))


class OrderState(IntEnum):
    """Where an order stands; numbers as on the wire."""

    OPEN = 1
    DONE = 2
    CANCELLED = 3


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKept(Fact):
    """An order as it is now."""

    order_id: str
    number: int
    from_yard_id: str
    to_yard_id: str
    container_count: int
    waiting_count: int
    aboard_count: int
    delivered_count: int
    returned_count: int
    due_ns: int
    priority: int
    state: OrderState
    created_ns: int

    @property
    def finished(self) -> bool:
        """Whether nothing of it will change any more."""
        return self.state is not OrderState.OPEN and self.aboard_count == 0

    def answer(self) -> OrderAnswer:
        """As told to whoever asks."""
        return OrderAnswer(
            order_id=self.order_id,
            from_yard_id=self.from_yard_id,
            to_yard_id=self.to_yard_id,
            container_count=self.container_count,
            waiting_count=self.waiting_count,
            aboard_count=self.aboard_count,
            delivered_count=self.delivered_count,
            returned_count=self.returned_count,
            due_ns=self.due_ns,
            priority=self.priority,
            state=self.state,
            created_ns=self.created_ns,
        )

    def loaded(self, count: int) -> OrderKept:
        """*count* containers went aboard a truck."""
        return self._settled(waiting=-count, aboard=count)

    def delivered(self, count: int) -> OrderKept:
        """*count* containers arrived."""
        return self._settled(aboard=-count, delivered=count)

    def turned_back(self, count: int) -> OrderKept:
        """*count* containers that were aboard stand in the first yard again, or left the corridor with their truck."""
        return self._settled(aboard=-count, returned=count)

    def cancelled(self) -> OrderKept:
        """No more is picked up."""
        return replace(self, state=OrderState.CANCELLED) if self.state is OrderState.OPEN else self

    def _settled(self, *, waiting: int = 0, aboard: int = 0, delivered: int = 0, returned: int = 0) -> OrderKept:
        after = replace(
            self,
            waiting_count=self.waiting_count + waiting,
            aboard_count=self.aboard_count + aboard,
            delivered_count=self.delivered_count + delivered,
            returned_count=self.returned_count + returned,
        )
        assert min(after.waiting_count, after.aboard_count) >= 0, f"order {self.order_id} would count less than nothing"
        done = after.state is OrderState.OPEN and after.waiting_count == 0 and after.aboard_count == 0
        return replace(after, state=OrderState.DONE) if done else after


class Orders:
    """
    Orders that are not finished, and the newest *finished_max* of those that are; oldest first.

    One that *in_use* says a truck still has to do with stays: cancelled, it may yet be loaded for.
    """

    def __init__(self, in_use: Callable[[str], object] = lambda _: False) -> None:
        self.by_id: dict[str, OrderKept] = {}
        self.newest_number = 0
        self.finished_max = FINISHED_KEPT_MAX
        self._in_use = in_use
        self._finished: list[tuple[int, str]] = []  # a heap: which are kept follows from their numbers, not from when they were finished

    def apply(self, kept: OrderKept) -> None:
        """The order is as *kept* says; finished ones too many go, the oldest first."""
        before, name = self.by_id.get(kept.order_id), (kept.number, kept.order_id)
        self.newest_number = max(self.newest_number, kept.number)
        self.by_id[kept.order_id] = kept
        if before is not None and before.finished:
            if kept.finished:
                return
            # Cancelled while a truck was loaded for it: now that its containers are aboard, it is under way again.
            self._finished.remove(name)
            heapq.heapify(self._finished)
        if not kept.finished:
            return
        heapq.heappush(self._finished, name)
        while len(self._finished) > self.finished_max and not self._in_use(self._finished[0][1]):
            del self.by_id[heapq.heappop(self._finished)[1]]

    def waiting(self) -> list[OrderKept]:
        """Orders with containers still waiting, oldest first."""
        return [order for order in self.by_id.values() if order.state is OrderState.OPEN and order.waiting_count > 0]

    def first(self) -> list[OrderKept]:
        """The same, in the order in which trucks load for them: higher priority, then due first, then oldest."""
        return sorted(self.waiting(), key=lambda order: (-order.priority, order.due_ns or NEVER_NS, order.number))

    def jobs(self, promised: Mapping[str, int], missions: Iterable[int]) -> list[tuple[str, int]]:
        """
        For whom each of *missions*, by their numbers, is to load: (order, containers), as many as there is something to load for.

        *promised*: containers per order that are not to be given out.
        """
        oldest, first = self.waiting(), self.first()
        left = {order.order_id: order.waiting_count - promised.get(order.order_id, 0) for order in oldest}
        jobs: list[tuple[str, int]] = []
        for number in missions:
            ranked = first if number % OLDEST_EVERY else oldest
            order_id = next((order.order_id for order in ranked if left[order.order_id] > 0), "")
            if not order_id:
                break
            count = min(CONTAINERS_PER_TRIP, left[order_id])
            left[order_id] -= count
            jobs.append((order_id, count))
        return jobs


def container_id(serial: int) -> str:
    """An identity in the form of ISO 6346, check digit included; the owner code is ours alone."""
    body = f"KHLU{serial % 1_000_000:06d}"
    total = sum((_LETTERS.get(sign) or int(sign)) * 2**place for place, sign in enumerate(body))
    return f"{body}{total % 11 % 10}"


def containers_for(number: int, count: int) -> tuple[Container, ...]:
    """The containers of mission *number*; a mission's are named for it, so nobody has to remember a serial."""
    first = number * CONTAINERS_PER_TRIP
    return tuple(Container(container_id=container_id(first + k), mass_kg=CONTAINER_LOAD_KG) for k in range(count))
