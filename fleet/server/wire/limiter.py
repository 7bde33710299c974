"""
Before every call: has this peer had its share?

Whoever asks too often waits for his turn, and is refused only after he has waited: an answer at once, even a refusal, is what a flood
lives on. Turns and refusals come evenly, never many at the same moment, so that they pass between the messages of everybody else. A
stop waits for nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final

from fleet.clock import NS_PER_S, Clock
from fleet.errors import FleetError
from fleet.principal import PrincipalUnreadable, Role, read_principal
from fleet.server.limits import (
    ANSWER_WITHIN_S,
    CALLS_BURST,
    CALLS_PER_S,
    HELD_BACK_MAX_S,
    REFUSALS_PER_S,
    STREAMS_PER_CONNECTION_MAX,
    STREAMS_PER_PERSON_MAX,
    STREAMS_PER_TRUCK_MAX,
)
from fleet.server.wire.counter import NotAnswered
from fleet.server.wire.handlers import Context, Handler, Surrounding
from fleet.server.wire.identity import LOOPBACK, peer_of
from fleet.server.wire.interceptors import TooManyRequests, TooManyStreams, refuse
from fleet.server.wire.shedding import Shed

STOPS: Final = frozenset({
    "/fleet.v1.DispatchService/StopAll", "/fleet.v1.DispatchService/HoldTruck", "/fleet.v1.DispatchService/ReportIntrusion",
})  # fmt: skip
# Peers that have had their share back and hold nothing are forgotten whenever so many are known.
PEERS_KEPT: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many streams a peer may have at once, by who it is, and how long an answer may take."""

    streams_per_connection: int = STREAMS_PER_CONNECTION_MAX
    streams_per_truck: int = STREAMS_PER_TRUCK_MAX
    streams_per_person: int = STREAMS_PER_PERSON_MAX
    answer_within_s: float = ANSWER_WITHIN_S

    def streams_of(self, peer: str) -> int:
        """The most that *peer* may have."""
        if peer.startswith(LOOPBACK):
            return self.streams_per_connection
        try:
            role = read_principal(peer).role
        except PrincipalUnreadable:
            return self.streams_per_truck
        return self.streams_per_truck if role in {Role.TRUCK, Role.GATEWAY} else self.streams_per_person


REAL: Final = Bounds()


class Share:
    """What one peer may ask: calls, which come back with time, and streams, which come back when they end."""

    def __init__(self, streams_max: int, now_ns: int) -> None:
        self.streams_max = streams_max
        self.streams = 0
        self._calls = float(CALLS_BURST)
        self._at_ns = now_ns
        self._refused_ns = now_ns

    def take(self, now_ns: int, *, urgent: bool) -> float:
        """Seconds until the turn of a call that comes now; one that would wait too long takes nothing, unless it is *urgent*."""
        self._calls = min(CALLS_BURST, self._calls + CALLS_PER_S * (now_ns - self._at_ns) / NS_PER_S)
        self._at_ns = now_ns
        wait_s = max(0.0, (1.0 - self._calls) / CALLS_PER_S)
        if urgent or wait_s <= HELD_BACK_MAX_S:
            self._calls = max(self._calls - 1.0, -CALLS_PER_S * HELD_BACK_MAX_S)
        return 0.0 if urgent else wait_s

    def refusal_after_s(self, now_ns: int) -> float:
        """Seconds until a refusal that is given now may leave: a while, and none together with the one before."""
        self._refused_ns = max(now_ns + int(HELD_BACK_MAX_S * NS_PER_S), self._refused_ns + int(NS_PER_S / REFUSALS_PER_S))
        return (self._refused_ns - now_ns) / NS_PER_S

    def is_whole(self, now_ns: int) -> bool:
        """Whether nothing would change if it were forgotten."""
        return self.streams == 0 and self._calls + CALLS_PER_S * (now_ns - self._at_ns) / NS_PER_S >= CALLS_BURST


class Limiter(Surrounding):
    """
    Keeps every peer to its share, and every answer to a deadline. The first of a server's interceptors: what others refuse costs too.

    Belongs to the thread of the streams.
    """

    def __init__(self, clock: Clock, shed: Shed, bounds: Bounds = REAL) -> None:
        self._clock = clock
        self._bounds = bounds
        self._shed = shed
        self._shares: dict[str, Share] = {}

    def around(self, handler: Handler) -> Handler:
        """*handler*, once it is its caller's turn."""
        urgent = handler.method in STOPS

        async def answer(request: Any, context: Context) -> Any:
            try:
                await self._turn(self.share_of(peer_of(context)), urgent=urgent)
                async with asyncio.timeout(self._bounds.answer_within_s):
                    return await handler.behaviour(request, context)
            except TimeoutError:
                return await refuse(context, NotAnswered(within_s=self._bounds.answer_within_s))
            except TooManyRequests as refused:
                return await refuse(context, refused)

        async def stream(requests: Any, context: Context) -> None:
            share = await self._begin(context)
            try:
                await handler.behaviour(requests, context)
            finally:
                share.streams -= 1

        return replace(handler, behaviour=answer if handler.answered_once else stream)

    def share_of(self, peer: str) -> Share:
        """The share of *peer*, whole when it is new."""
        share = self._shares.get(peer)
        if share is None:
            now_ns = self._clock.now_ns()
            if len(self._shares) >= PEERS_KEPT:
                self._shares = {name: kept for name, kept in self._shares.items() if not kept.is_whole(now_ns)}
            share = self._shares[peer] = Share(self._bounds.streams_of(peer), now_ns)
        return share

    async def _begin(self, context: Context) -> Share:
        """A stream more of the share of whoever calls."""
        share = self.share_of(peer_of(context))
        try:
            await self._turn(share, urgent=False)
            if share.streams >= share.streams_max:
                self._shed.streams += 1
                await asyncio.sleep(share.refusal_after_s(self._clock.now_ns()))
                raise TooManyStreams(streams_max=share.streams_max)
        except FleetError as refused:
            await refuse(context, refused)
        share.streams += 1
        return share

    async def _turn(self, share: Share, *, urgent: bool) -> None:
        now_ns = self._clock.now_ns()
        wait_s = share.take(now_ns, urgent=urgent)
        if wait_s > HELD_BACK_MAX_S:
            self._shed.requests += 1
            await asyncio.sleep(share.refusal_after_s(now_ns))
            raise TooManyRequests(per_s=CALLS_PER_S)
        if wait_s > 0.0:
            await asyncio.sleep(wait_s)
