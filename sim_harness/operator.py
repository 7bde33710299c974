"""The simulated operator: takes control and puts in the day's orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sim_harness import link
from sim_harness.scenario import OrderPart

NAME: Final = "operator-1"
START_NS: Final = 1_000_000_000


class Operator:
    """One person at the desk."""

    def __init__(self, orders: Sequence[OrderPart], call: Callable[[str, link.Request], None], notice: Callable[..., None]) -> None:
        self._orders = list(orders)
        self._call = call
        self._notice = notice

    def step(self, now_ns: int) -> None:
        """Do what is due."""
        if now_ns < START_NS or not self._orders:
            return
        for number, wish in enumerate(self._orders, start=1):
            self._call(*link.order(f"order-{number}", wish.from_, wish.to, wish.containers, wish.priority))
            self._notice("order_created", order_id=f"order-{number}", containers=wish.containers)
        self._orders.clear()
