"""The server driven by simulated time: ticks run on the thread of the streams, one at a time, each durable before the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from fleet.server.engine import Engine
from fleet.server.outgoing import Outgoing
from fleet.server.wire.counter import Counter
from fleet.server.wire.pump import Pumps
from fleet.server.wire.speaker import Speaker

_T = TypeVar("_T")


class DirectReads:
    """Where ticks run on the thread of the streams, every moment on it lies between two ticks."""

    async def read(self, reading: Callable[[], _T]) -> _T:
        """What *reading* returns."""
        return reading()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """*write* returns once a tick's facts are durable; *failed* hears that there was no decision."""

    write: Callable[[Outgoing], Awaitable[None]]
    failed: Callable[[Exception], None]


class LockstepDriver:
    """Steps one engine."""

    def __init__(self, engine: Engine, speaker: Speaker, counter: Counter, pumps: Pumps, disk: Disk) -> None:
        self._engine = engine
        self._speaker = speaker
        self._counter = counter
        self._pumps = pumps
        self._disk = disk
        self._more = asyncio.Event()

    def note(self) -> None:
        """Something was heard."""
        self._more.set()

    def heard_count(self) -> int:
        """Messages of trucks and gateways, and commands, since the start."""
        return self._engine.switchboard.counts.heard + self._counter.commands_heard

    def said_count(self) -> int:
        """Messages put on the streams of trucks, gateways and border watchers since the start."""
        return self._engine.switchboard.counts.said + self._engine.board.said

    async def heard(self) -> None:
        """Returns once something more was heard."""
        await self._more.wait()
        self._more.clear()

    async def step(self, now_ns: int) -> int:
        """One tick at *now_ns*, durable and said; the answer is its number."""
        try:
            outgoing = self._engine.tick(now_ns)
        except Exception as fault:
            self._disk.failed(fault)
            raise
        self._speaker.early(outgoing)
        if outgoing.facts or outgoing.switch is not None:
            await self._disk.write(outgoing)
        self._speaker.durable(outgoing)
        await self._pumps.all_idle()
        return outgoing.tick
