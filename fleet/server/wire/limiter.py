"""
Before every call: has this peer had its share?

Whoever asks too often waits for his turn, and is refused only after he has waited: an answer at once, even a refusal, is what a flood
lives on. Turns and refusals come evenly, never many at the same moment, so that they pass between the messages of everybody else. A
stop waits for nothing.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc
from grpc_status import rpc_status

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
from fleet.server.wire.identity import LOOPBACK, peer_of
from fleet.server.wire.interceptors import TooManyRequests, TooManyStreams, status_of
from fleet.server.wire.shedding import Shed

STOPS: Final = frozenset({
    "/fleet.v1.DispatchService/StopAll", "/fleet.v1.DispatchService/HoldTruck", "/fleet.v1.DispatchService/ReportIntrusion",
})  # fmt: skip
# Peers that have had their share back and hold nothing are forgotten whenever so many are known.
PEERS_KEPT: Final = 1024

_Context = grpc.aio.ServicerContext[Any, Any]


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


class Limiter(grpc.aio.ServerInterceptor):
    """
    Keeps every peer to its share, and every answer to a deadline. The first of a server's interceptors: what others refuse costs too.

    Belongs to the thread of the streams.
    """

    def __init__(self, clock: Clock, shed: Shed, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._clock = clock
        self._within_s = answer_within_s
        self._shed = shed
        self._shares: dict[str, Share] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The method's handler, kept to the share of whoever calls."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        urgent = handler_call_details.method in STOPS
        parse, write = handler.request_deserializer, handler.response_serializer
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._answering(handler.unary_unary, urgent=urgent), parse, write)
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(self._streaming(handler.unary_stream), parse, write)
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(self._streaming(handler.stream_stream), parse, write)
        raise AssertionError(f"{handler_call_details.method} is of a shape that nothing here serves")

    def share_of(self, peer: str) -> Share:
        """The share of *peer*, whole when it is new."""
        share = self._shares.get(peer)
        if share is None:
            now_ns = self._clock.now_ns()
            if len(self._shares) >= PEERS_KEPT:
                self._shares = {name: kept for name, kept in self._shares.items() if not kept.is_whole(now_ns)}
            share = self._shares[peer] = Share(_streams_max(peer), now_ns)
        return share

    def _answering(self, method: Callable[..., Awaitable[Any]], *, urgent: bool) -> Callable[..., Awaitable[Any]]:
        async def answer(request: Any, context: _Context) -> Any:
            try:
                await self._turn(self.share_of(peer_of(context)), urgent=urgent)
                async with asyncio.timeout(self._within_s):
                    return await method(request, context)
            except TimeoutError:
                return await _abort(context, NotAnswered(within_s=self._within_s))
            except TooManyRequests as refused:
                return await _abort(context, refused)

        return answer

    def _streaming(self, method: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isasyncgenfunction(method):

            async def generate(requests: Any, context: _Context) -> AsyncIterator[Any]:
                share = await self._begin(context)
                try:
                    async for said in method(requests, context):
                        yield said
                finally:
                    share.streams -= 1

            return generate

        async def stream(requests: Any, context: _Context) -> None:
            share = await self._begin(context)
            try:
                await method(requests, context)
            finally:
                share.streams -= 1

        return stream

    async def _begin(self, context: _Context) -> Share:
        """A stream more of the share of whoever calls."""
        share = self.share_of(peer_of(context))
        try:
            await self._turn(share, urgent=False)
            if share.streams >= share.streams_max:
                self._shed.streams += 1
                await asyncio.sleep(share.refusal_after_s(self._clock.now_ns()))
                raise TooManyStreams(streams_max=share.streams_max)
        except FleetError as refused:
            await _abort(context, refused)
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


def _streams_max(peer: str) -> int:
    if peer.startswith(LOOPBACK):
        return STREAMS_PER_CONNECTION_MAX
    try:
        role = read_principal(peer).role
    except PrincipalUnreadable:
        return STREAMS_PER_TRUCK_MAX
    return STREAMS_PER_TRUCK_MAX if role in {Role.TRUCK, Role.GATEWAY} else STREAMS_PER_PERSON_MAX


async def _abort(context: _Context, error: FleetError) -> Any:
    await context.abort_with_status(rpc_status.to_status(status_of(error)))
