"""
What keeps one stream's writer going, and what holds its reader back.

A writer is woken when something waits and idle when nothing does; idleness is what simulated time waits for before it takes the next
step. A reader spends a quota for each message: his stream's, and his peer's over all streams of the same peer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from weakref import WeakValueDictionary

import grpc

from fleet.errors import Code, FleetError
from fleet.server.limits import (
    HELLO_WITHIN_S,
    MESSAGES_BURST,
    MESSAGES_PER_TICK_MAX,
    PEER_MESSAGES_BURST,
    PEER_MESSAGES_PER_TICK_MAX,
    WRITE_WITHIN_S,
)
from fleet.server.wire.shedding import Shed


@dataclass(eq=False)
class ReaderTooSlow(FleetError):
    """Nobody took what was said on this stream, so it was ended."""

    code: ClassVar[Code] = Code.STALE
    hint: ClassVar[str] = "Call again: everything that still counts is told anew."

    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """
    How long streams are waited for, and how much they may say; None: for ever, and as much as they like.

    Simulated time is patient: its ticks wait for messages, and it may itself be waiting for a person at a debugger.
    """

    hello_within_s: float | None = HELLO_WITHIN_S
    write_within_s: float | None = WRITE_WITHIN_S
    per_tick: int | None = MESSAGES_PER_TICK_MAX
    burst: int = MESSAGES_BURST
    peer_per_tick: int = PEER_MESSAGES_PER_TICK_MAX
    peer_burst: int = PEER_MESSAGES_BURST


REAL: Final = Patience()
SIMULATED: Final = Patience(hello_within_s=None, write_within_s=None, per_tick=None)


class Pump:
    """One writer."""

    def __init__(self, pumps: Pumps) -> None:
        self._pumps = pumps
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

    async def write(self, context: grpc.aio.ServicerContext[Any, Any], message: Any) -> None:
        """
        Writes *message* to the stream of *context*.

        Raises:
            ReaderTooSlow: the other side does not take it.
        """
        within_s = self._pumps.patience.write_within_s
        try:
            async with asyncio.timeout(within_s):
                await context.write(message)
        except TimeoutError as slow:
            self._pumps.shed.readers += 1
            raise ReaderTooSlow(within_s=within_s or 0.0) from slow

    def rest(self) -> None:
        """Everything that waited was written, unless more came meanwhile."""
        if not self._woken.is_set():
            self.idle.set()


class _Allowance:
    """Messages that may be said at once, and that come back tick by tick."""

    __slots__ = ("__weakref__", "_burst", "_left", "_per_tick", "_tick")

    def __init__(self, per_tick: int, burst: int, tick: int) -> None:
        self._per_tick, self._burst = per_tick, burst
        self._left, self._tick = burst, tick

    def spend(self, tick: int) -> None:
        self._left = min(self._burst, self._left + self._per_tick * (tick - self._tick)) - 1
        self._tick = tick

    def spent(self, tick: int) -> bool:
        return self._left + self._per_tick * (tick - self._tick) <= 0


class Quota:
    """What one stream may still say."""

    def __init__(self, pumps: Pumps, own: _Allowance, peers: _Allowance) -> None:
        self._pumps = pumps
        self._own, self._peers = own, peers

    async def spend(self) -> None:
        """One message was read; returns when the next one may be."""
        pumps = self._pumps
        if pumps.patience.per_tick is None:
            return
        self._own.spend(pumps.tick)
        self._peers.spend(pumps.tick)
        while self._own.spent(pumps.tick) or self._peers.spent(pumps.tick):
            await pumps.next_tick()


class Pumps:
    """
    Every writer of the server, and the beat by which its readers read.

    Whoever says more than *patience* has is not read on until his turn comes; the transport then holds him back, and nobody else.
    """

    def __init__(self, patience: Patience = REAL, shed: Shed | None = None) -> None:
        self.patience = patience
        self.shed = shed if shed is not None else Shed()
        self.tick = 0
        self._pumps: set[Pump] = set()
        self._peers: WeakValueDictionary[str, _Allowance] = WeakValueDictionary()
        self._next_tick = asyncio.Event()

    def ticked(self) -> None:
        """A tick was said."""
        self.tick += 1
        self._next_tick.set()
        self._next_tick = asyncio.Event()

    async def next_tick(self) -> None:
        """Returns once the next tick was said."""
        await self._next_tick.wait()

    def quota(self, peer: str) -> Quota:
        """The quota of a new stream of *peer*."""
        patience = self.patience
        peers = self._peers.get(peer)
        if peers is None:
            peers = self._peers[peer] = _Allowance(patience.peer_per_tick, patience.peer_burst, self.tick)
        return Quota(self, _Allowance(patience.per_tick or 0, patience.burst, self.tick), peers)

    def begin(self) -> Pump:
        """A stream begins."""
        pump = Pump(self)
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
