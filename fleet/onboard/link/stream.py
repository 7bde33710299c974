"""
The gRPC stream to the server: hello first, again after every break, and never a queue of old news.

Keepalive notices a dead peer; that a peer's socket lives while its control loop hangs only the heartbeat shows, and that is the
supervisor's business: it asks for a new hello, and the stream is made anew. The receive window is kept small (no bandwidth
probing), so that a stalled truck finds the newest authority and not minutes of old ones.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from random import Random
from typing import Any, Final

import grpc
import grpc.aio

from fleet.clock import Clock
from fleet.log import Event, Log
from fleet.onboard.link.translation import Interpreter
from fleet.v1 import truck_pb2, truck_pb2_grpc

CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16_384),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 2000),
    ("grpc.keepalive_timeout_ms", 2000),
    ("grpc.http2.ping_timeout_ms", 2000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", 65_536),
    ("grpc.enable_retries", 0),
)
CONNECT_WITHIN_S: Final = 3.0
PAUSE_S: Final = 0.2
PAUSE_JITTER_S: Final = 0.2
REFUSED_PAUSE_S: Final = 5.0  # the reason will not have gone away at once
SAID_MAX: Final = 256

_log = Log("onboard.link")


class Outbox:
    """What waits to be sent: everything but reports in order, and of the reports only the newest."""

    def __init__(self) -> None:
        self._said: deque[truck_pb2.TruckMessage] = deque(maxlen=SAID_MAX)
        self._report: truck_pb2.TruckMessage | None = None
        self._waiting = asyncio.Event()

    def put(self, messages: list[truck_pb2.TruckMessage]) -> None:
        """Queues messages that must not replace each other."""
        self._said.extend(messages)
        if messages:
            self._waiting.set()

    def put_report(self, report: truck_pb2.TruckMessage) -> None:
        """Replaces the report that waits, if one does: nobody wants to know where the truck was."""
        self._report = report
        self._waiting.set()

    def forget_report(self) -> None:
        """Drops the report that waits: the hello of a new stream carries a newer one."""
        self._report = None

    async def take(self) -> truck_pb2.TruckMessage:
        """Waits for the next message to send."""
        while True:
            if self._said:
                return self._said.popleft()
            if self._report is not None:
                report, self._report = self._report, None
                return report
            self._waiting.clear()
            await self._waiting.wait()


class Line:
    """One truck's line to one server, remade for as long as it runs."""

    def __init__(self, interpreter: Interpreter, server: str, clock: Clock, credentials: grpc.ChannelCredentials | None = None) -> None:
        self.outbox = Outbox()
        self._interpreter = interpreter
        self._server = server
        self._clock = clock
        self._credentials = credentials
        self._call: Any = None
        self._refused = False
        # Fleets reconnect at the same moment; each truck waits a little differently, and the same way every time.
        self._jitter = Random(interpreter.supervisor.identity.truck_id)  # noqa: S311 - spreads load, keeps no secret

    async def run(self) -> None:
        """Connects, talks until the stream ends, and connects again; ends only when cancelled."""
        async with self._channel() as channel:
            stub = truck_pb2_grpc.TruckServiceStub(channel)
            while True:
                try:
                    await asyncio.wait_for(channel.channel_ready(), CONNECT_WITHIN_S)
                    await self._talk(stub)
                except TimeoutError:
                    continue  # still no server; the channel goes on trying by itself
                except grpc.aio.AioRpcError as broken:
                    _log.fact(Event.LINK_LOST, server=self._server, code=broken.code().name)
                finally:
                    self._interpreter.supervisor.link_lost()
                pause_s = REFUSED_PAUSE_S if self._refused else PAUSE_S
                await asyncio.sleep(pause_s + self._jitter.uniform(0.0, PAUSE_JITTER_S))

    def renew(self) -> None:
        """Gives the present stream up: contact has lapsed on it, and only a new hello brings it back."""
        if self._call is not None:
            self._call.cancel()

    def _channel(self) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(self._server, options=CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(self._server, self._credentials, options=CHANNEL_OPTIONS)

    async def _talk(self, stub: truck_pb2_grpc.TruckServiceAsyncStub) -> None:
        """One stream, from hello to its end; an end without an error is a lost link all the same."""
        self.outbox.forget_report()
        self._refused = False
        call = self._call = stub.Connect(self._outgoing(self._interpreter.hello(self._clock.now_ns())))
        _log.fact(Event.LINK_CONNECTED, server=self._server)
        try:
            async for message in call:
                self._refused = message.HasField("refusal")
                self.outbox.put(self._interpreter.receive(message, self._clock.now_ns()))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # we are to end; otherwise the stream was given up, and the next one begins
        finally:
            call.cancel()
            self._call = None

    async def _outgoing(self, hello: truck_pb2.TruckMessage) -> AsyncIterator[truck_pb2.TruckMessage]:
        yield hello
        while True:
            yield await self.outbox.take()
