"""
What keeps one stream's writer going: woken when something waits, idle when nothing does.

Idleness is what simulated time waits for before it takes the next step.
"""

from __future__ import annotations

import asyncio


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


class Pumps:
    """Every writer of the server."""

    def __init__(self) -> None:
        self._pumps: set[Pump] = set()

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
