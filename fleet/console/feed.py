"""
The fleet as the console knows it: one line to the server, however many people look.

A change has a number. Whoever looks says which number he has seen and is told what changed since, once, so that a slow page gets fewer
updates and never a queue. A line that broke is tried again for as long as the console lives; meanwhile the page is told since when it
shows the past. A number belongs to a *generation*, which ends with the line, since a new line begins with everything.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final

from fleet.client import asks
from fleet.client.operator import NoServer, Refused
from fleet.client.values import FleetUpdate
from fleet.clock import Clock, SystemClock
from fleet.console.alarms import Alarms, about_bays, about_gates, concerns
from fleet.console.axis import axis_of
from fleet.console.drawing import control_data, milliseconds, site_data, stop_data, totals_data, truck_data
from fleet.console.history import History
from fleet.console.recording import RecordingDamaged
from fleet.console.source import Source
from fleet.log import Event, Log

PERIOD_S: Final = 0.5
AGAIN_S: Final = 1.0

_LOG: Final = Log("console")


class Feed:
    """Belongs to the event loop it runs in."""

    def __init__(self, operator: Source, period_s: float = PERIOD_S, clock: Clock | None = None) -> None:
        self._operator = operator
        self._period_s = period_s
        self._clock = clock or SystemClock()
        self._trucks: dict[str, dict[str, Any]] = {}
        self._changed: dict[str, int] = {}
        self._rest: dict[str, Any] = {"tick": 0, "time_ms": None, "stops": [], "totals": {}, "control": None}
        self._alarms = Alarms()
        self._news = asyncio.Condition()
        self.generation = secrets.token_hex(4)
        self.number = 0
        self.site: dict[str, Any] | None = None
        self.history: History | None = None
        self.lost_since_ms: int | None = milliseconds(self._clock.utc())

    async def run(self) -> None:
        """Watches until cancelled."""
        while True:
            try:
                await self._begin()
                async for update in self._operator.watch(asks.watch_fleet(self._period_s)):
                    await self._take(update)
            except (NoServer, Refused, RecordingDamaged) as broken:
                await self._lose(str(broken))
            await asyncio.sleep(AGAIN_S)

    async def _begin(self) -> None:
        site = await self._operator.ask(asks.site())
        if self.site is None or self.site["digest"] != site.digest:
            axis = axis_of(site)
            self.site, self.history = dict(site_data(site, axis)), History(axis)

    async def _take(self, update: FleetUpdate) -> None:
        if self.lost_since_ms is not None:
            _LOG.fact(Event.CONSOLE_LINE_BEGAN, tick=update.tick)
        async with self._news:
            if update.snapshot:
                self.generation = secrets.token_hex(4)
                self._trucks.clear()
                self._changed.clear()
            self.number += 1
            self.lost_since_ms = None
            for truck in update.trucks:
                self._trucks[truck.truck_id] = truck_data(truck)
                self._changed[truck.truck_id] = self.number
            self._rest = {
                "tick": update.tick,
                "time_ms": milliseconds(update.time),
                "stops": [stop_data(stop) for stop in update.stops],
                "totals": totals_data(update.totals),
                "control": control_data(update.control),
            }
            places = [*about_gates(update.overdue_gates, update.time), *about_bays(update.blocked_bays)]
            self._alarms.take([*concerns(self._trucks.values(), self._rest["stops"], self._full_wh()), *places])
            self._news.notify_all()
        if self.history is not None and self._rest["time_ms"] is not None:
            self.history.note(self._rest["time_ms"], self._trucks.values())

    def _full_wh(self) -> dict[str, float]:
        return {} if self.site is None else {type_id: kind["battery_wh"] for type_id, kind in self.site["types"].items()}

    async def acknowledge(self, alarm: str, who: str) -> None:
        """
        *who* looks at an alarm; every page is told.

        Raises:
            NothingToAcknowledge: there is no such alarm now.
        """
        async with self._news:
            self._alarms.acknowledge(alarm, who, milliseconds(self._clock.utc()) or 0)
            self.number += 1
            self._news.notify_all()
        _LOG.fact(Event.ALARM_ACKNOWLEDGED, alarm=alarm, who=who)

    async def _lose(self, why: str) -> None:
        if self.lost_since_ms is None:
            _LOG.alarm(Event.CONSOLE_LINE_LOST, reason=why)
            async with self._news:
                self.lost_since_ms = milliseconds(self._clock.utc())
                self.number += 1
                self._news.notify_all()

    async def newer_than(self, number: int, within_s: float) -> bool:
        """Waits until there is something newer than *number*; False when there was nothing in time."""
        try:
            async with asyncio.timeout(within_s), self._news:
                await self._news.wait_for(lambda: self.number > number)
        except TimeoutError:
            return False
        return True

    def since(self, generation: str, number: int) -> dict[str, Any]:
        """What changed after *number* of *generation*; everything, where that is not this one."""
        whole = generation != self.generation
        trucks = [truck for truck_id, truck in self._trucks.items() if whole or self._changed[truck_id] > number]
        return {
            **self._rest,
            "generation": self.generation,
            "number": self.number,
            "whole": whole,
            "trucks": trucks,
            "alarms": self._alarms.data(),
            "lost_since_ms": self.lost_since_ms,
            "site": None if self.site is None else self.site["digest"],
        }
