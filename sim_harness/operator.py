"""
The simulated operator: takes control, and puts in the day's orders, each when its time has come.

An order that has a due time is looked at again then: its containers that the server does not count as delivered are late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sim_harness import link
from sim_harness.books import Books
from sim_harness.parts import OrderPart

NAME: Final = "operator-1"
START_NS: Final = 1_000_000_000
HOUR_S: Final = 3600.0


def moments_h(wish: OrderPart, hours: float) -> list[float]:
    """At which hours of a run of *hours* an order is put in; at least once, where the first time is within the run."""
    if wish.every_h is None:
        return [wish.at_h] if wish.at_h < hours else []
    found, count = [], 0
    while wish.at_h + count * wish.every_h < hours:
        found.append(wish.at_h + count * wish.every_h)
        count += 1
    return found


def containers_wanted(orders: Sequence[OrderPart], hours: float) -> int:
    """How many containers are put in orders in the first *hours*."""
    return sum(wish.containers * len(moments_h(wish, hours)) for wish in orders)


class Operator:
    """One person at the desk."""

    def __init__(self, orders: Sequence[OrderPart], hours: float, call: Callable[[str, link.Request], None], books: Books) -> None:
        arrivals = sorted(
            ((at_h * HOUR_S, number, wish) for number, wish in enumerate(orders) for at_h in moments_h(wish, hours)),
            key=lambda arrival: arrival[:2],
        )
        self._arrivals = arrivals[::-1]
        self._call = call
        self._books = books
        self._count = 0
        self._due: list[tuple[float, int, int]] = []
        # How many containers of each order were delivered, oldest order first, as the server counts them.
        self.delivered: Callable[[], Sequence[int]] = tuple

    def step(self, now_ns: int) -> None:
        """Do what is due."""
        if now_ns < START_NS:
            return
        now_s = now_ns / 1e9
        while self._arrivals and self._arrivals[-1][0] <= now_s:
            at_s, _, wish = self._arrivals.pop()
            self._put_in(at_s, wish)
        while self._due and self._due[0][0] <= now_s:
            self._look_at(*self._due.pop(0)[1:])

    def counts(self, now_ns: int) -> bool:
        """Whether the next `step`, then, asks what was delivered."""
        return bool(self._due) and self._due[0][0] <= now_ns / 1e9

    def _put_in(self, at_s: float, wish: OrderPart) -> None:
        self._count += 1
        order_id = f"order-{self._count}"
        due_s = None if wish.due_after_h is None else at_s + wish.due_after_h * HOUR_S
        self._call(*link.order(order_id, wish, due_s))
        self._books.notice("order_created", order_id=order_id, containers=wish.containers)
        if due_s is not None:
            self._due.append((due_s, self._count, wish.containers))
            self._due.sort()

    def _look_at(self, number: int, containers: int) -> None:
        counts = self.delivered()
        late = containers - counts[number - 1] if number <= len(counts) else containers
        self._books.due += containers
        self._books.late += late
        self._books.notice("order_due", order_id=f"order-{number}", containers=containers, late=late)
