"""
What keeps one stream's writer going: woken when something waits, idle when nothing does.

Idleness is what simulated time waits for before it takes the next step.
"""

from __future__ import annotations

import asyncio
from typing import Final

MESSAGES_PER_TICK_MAX: Final = 200


class Pump:
    """One writer."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    def wake(self) -> None:
        """Something waits."""
        self.idle.clear()
        self._woken.set()

    async def woken(self) -> None:
        """Returns once something waits; what was woken before counts."""
        await self._woken.wait()
        self._woken.clear()

    def rest(self) -> None:
        """Everything that waited was written, unless more came meanwhile."""
        if not self._woken.is_set():
            self.idle.set()


class Quota:
    """What one stream has said since the last tick."""

    def __init__(self, pumps: Pumps) -> None:
        self._pumps = pumps
        self.tick = 0
        self.count = 0

    async def spend(self) -> None:
        """One message was read; returns when the next one may be."""
        await self._pumps.spend(self)


class Pumps:
    """
    Every writer of the server, and the beat by which its readers read.

    *messages_per_tick_max*: whoever says more between two ticks is not read on until the next one; the transport then holds him
    back, and nobody else. None reads on for ever, for simulated time, whose ticks wait for messages.
    """

    def __init__(self, *, messages_per_tick_max: int | None = MESSAGES_PER_TICK_MAX) -> None:
        self._pumps: set[Pump] = set()
        self._messages_max = messages_per_tick_max
        self._tick = 0
        self._next_tick = asyncio.Event()

    def ticked(self) -> None:
        """A tick was said."""
        self._tick += 1
        self._next_tick.set()
        self._next_tick = asyncio.Event()

    def quota(self) -> Quota:
        """The quota of a new stream."""
        return Quota(self)

    async def spend(self, quota: Quota) -> None:
        """One message was read; returns when the next one may be."""
        if quota.tick != self._tick:
            quota.tick, quota.count = self._tick, 0
        quota.count += 1
        if self._messages_max is not None and quota.count >= self._messages_max:
            await self._next_tick.wait()

    def begin(self) -> Pump:
        """A stream begins."""
        pump = Pump()
        self._pumps.add(pump)
        return pump

    def end(self, pump: Pump) -> None:
        """A stream is over: nobody needs to wait for it."""
        self._pumps.discard(pump)
        pump.idle.set()

    async def all_idle(self) -> None:
        """Returns once every stream has written what waited for it."""
        for pump in list(self._pumps):
            await pump.idle.wait()

    async def all_idle_within(self, seconds: float) -> bool:
        """As `all_idle`, but no longer than *seconds*; false when a stream still had something to write."""
        try:
            async with asyncio.timeout(seconds):
                await self.all_idle()
        except TimeoutError:
            return False
        return True
