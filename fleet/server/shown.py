"""
What a server without sockets shows to whoever looks on: the messages that its streams and lists would carry.

Read between two ticks, on the thread of whoever ticks it. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from fleet.server.dispatch.crossing import CrossingState
from fleet.server.engine import Engine
from fleet.server.lockstep import DirectReads
from fleet.server.server_clock import simulated_utc_ns
from fleet.server.wire.codec_answers import AnswerWriter
from fleet.server.wire.day_reads import Calendar, bound_of, day_message, in_service
from fleet.server.wire.reads import Reads
from fleet.server.wire.site_map import site_map
from fleet.server.wire.watch import TruckDrawer
from fleet.v1 import border_pb2, dispatch_pb2

_T = TypeVar("_T")


class Shown:
    """One engine in simulated time, as people see it."""

    def __init__(self, engine: Engine) -> None:
        corridor, day_start_s = engine.corridor, engine.options.dispatch.day_start_s
        utc_ns = simulated_utc_ns(corridor, day_start_s)
        self._engine = engine
        drawer = TruckDrawer(corridor, utc_ns)
        self._writer = AnswerWriter(utc_ns, lambda truck: drawer.truck(truck, engine.picture()))
        self._reads = Reads(DirectReads(), engine, drawer, self._writer, site_map(corridor))
        self._calendar = Calendar(corridor, utc_ns, day_start_s)
        self._bounds: dict[int, dispatch_pb2.DayBound | None] = {}

    def site(self) -> dispatch_pb2.Site:
        """The map."""
        return self._reads.site

    def fleet(self) -> dispatch_pb2.FleetUpdate:
        """Every truck, as a watcher hears of it first."""
        return _now(self._reads.update())

    def gates(self) -> border_pb2.ListGatesResponse:
        """Every gate."""
        return _now(self._reads.gates())

    def lanes(self) -> dispatch_pb2.ListLanesResponse:
        """Every lane."""
        return _now(self._reads.lanes())

    def intrusions(self) -> dispatch_pb2.ListIntrusionsResponse:
        """Every open intrusion."""
        return _now(self._reads.intrusions())

    def orders(self) -> dispatch_pb2.ListTransportOrdersResponse:
        """Every order, on one page."""
        return dispatch_pb2.ListTransportOrdersResponse(orders=[self._writer.order(order) for order in self._engine.orders()])

    def crossings(self) -> border_pb2.ListCrossingsResponse:
        """The crossings that are not over, on one page."""
        open_ones = [crossing for crossing in self._engine.crossings() if crossing.state != CrossingState.THROUGH]
        return border_pb2.ListCrossingsResponse(crossings=[self._writer.crossing(crossing) for crossing in open_ones])

    def day(self) -> dispatch_pb2.Day:
        """The day so far; with a number of trucks that is new, it takes a fraction of a second."""
        hours, truck_count = self._engine.hours(), in_service(self._engine.trucks())
        if truck_count not in self._bounds:
            self._bounds[truck_count] = bound_of(self._engine.corridor, truck_count)
        return day_message(self._calendar, hours[-1].day, hours, self._bounds[truck_count])


def _now(asked: Coroutine[Any, Any, _T]) -> _T:
    """The result of what never waits."""
    try:
        asked.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    raise AssertionError("what is read between two ticks waits for nothing")
