"""
What the server of a run shows, on record for the console: its map, its trucks, its lists, its account of the day.

The channels and their messages are the console's to define (`fleet.console.recorded`). A server that is dead or frozen shows nothing, and
nothing is written of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from google.protobuf.message import Message

from fleet.console import recorded
from fleet.server.headless import HeadlessServer
from fleet.server.shown import Shown
from fleet.v1 import dispatch_pb2
from sim_harness.observation import TICK_S

UPDATE_TICKS: Final = round(recorded.UPDATE_S / TICK_S)
WHOLE_TICKS: Final = round(recorded.WHOLE_S / TICK_S)
LISTS_TICKS: Final = round(recorded.LISTS_S / TICK_S)
DAY_TICKS: Final = round(recorded.DAY_S / TICK_S)


class Shows(Protocol):
    """A server that can be looked at between two ticks."""

    def site(self) -> dispatch_pb2.Site:
        """The map."""
        ...

    def fleet(self) -> dispatch_pb2.FleetUpdate:
        """Every truck."""
        ...

    def lists(self) -> dict[str, Message]:
        """Gates, orders, open crossings, lanes and intrusions, each by its topic."""
        ...

    def day(self) -> dispatch_pb2.Day:
        """The day so far."""
        ...


class ShownServer:
    """A server in virtual time, looked at."""

    def __init__(self, server: HeadlessServer) -> None:
        self._engine = server.engine
        self._shown: Shown | None = None

    @property
    def _now(self) -> Shown:
        # Most runs are not recorded, and making it costs a moment.
        if self._shown is None:
            self._shown = Shown(self._engine)
        return self._shown

    def site(self) -> dispatch_pb2.Site:
        """The map."""
        return self._now.site()

    def fleet(self) -> dispatch_pb2.FleetUpdate:
        """Every truck."""
        return self._now.fleet()

    def lists(self) -> dict[str, Message]:
        """Gates, orders, open crossings, lanes and intrusions."""
        shown = self._now
        return {
            recorded.GATES: shown.gates(),
            recorded.ORDERS: shown.orders(),
            recorded.CROSSINGS: shown.crossings(),
            recorded.LANES: shown.lanes(),
            recorded.INTRUSIONS: shown.intrusions(),
        }

    def day(self) -> dispatch_pb2.Day:
        """The day so far."""
        return self._now.day()


class Show:
    """Writes what is shown; *write* takes a topic, a message and simulated nanoseconds."""

    def __init__(self, write: Callable[[str, Message, int], None]) -> None:
        self._write = write
        self._told: dict[str, bytes] = {}
        self._trucks: dict[str, bytes] = {}
        self._first = True

    def due(self, tick: int) -> frozenset[str]:
        """What is to be looked at after *tick*: the topics `SITE`, `UPDATE`, `GATES` (for all lists) and `DAY`."""
        every = {recorded.UPDATE: UPDATE_TICKS, recorded.GATES: LISTS_TICKS, recorded.DAY: DAY_TICKS}
        return frozenset(topic for topic, ticks in every.items() if self._first or tick % ticks == 0) | (
            {recorded.SITE} if self._first else frozenset()
        )

    def look(self, shows: Shows, tick: int, now_ns: int) -> None:
        """After *tick*: what is due is written."""
        due, first, self._first = self.due(tick), self._first, False
        if recorded.SITE in due:
            self._changed(recorded.SITE, shows.site(), now_ns)
        if recorded.UPDATE in due:
            self._fleet(shows.fleet(), now_ns, whole=first or tick % WHOLE_TICKS == 0 or not self._trucks)
        if recorded.GATES in due:
            for topic, message in shows.lists().items():
                self._changed(topic, message, now_ns)
        if recorded.DAY in due:
            self._changed(recorded.DAY, shows.day(), now_ns)

    def began(self) -> None:
        """Another server is looked at from now on: it may be on another site."""
        self._first = True

    def _fleet(self, update: dispatch_pb2.FleetUpdate, now_ns: int, *, whole: bool) -> None:
        if not update.trucks and not self._trucks:
            return  # nobody has said hello: there is nothing to see yet
        said = {truck.truck_id: truck.SerializeToString(deterministic=True) for truck in update.trucks}
        if whole:
            self._write(recorded.WHOLE, update, now_ns)
        else:
            news = [truck for truck in update.trucks if self._trucks.get(truck.truck_id) != said[truck.truck_id]]
            del update.trucks[:]
            update.trucks.extend(news)
            update.snapshot = False
            self._write(recorded.UPDATE, update, now_ns)
        self._trucks = said

    def _changed(self, topic: str, message: Message, now_ns: int) -> None:
        raw = message.SerializeToString(deterministic=True)
        if self._told.get(topic) != raw:
            self._told[topic] = raw
            self._write(topic, message, now_ns)
