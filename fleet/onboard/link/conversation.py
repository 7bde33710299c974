"""One stream to the server: hello first, then what the outbox has, and what is heard goes to the truck."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
import grpc.aio

from fleet.clock import Clock
from fleet.onboard.link.channels import Channel
from fleet.onboard.link.outbox import Outbox
from fleet.onboard.link.translation import Interpreter
from fleet.v1 import truck_pb2, truck_pb2_grpc

_DISBELIEVED: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})


class Conversation:
    """One stream, from hello to its end; an end without an error is a lost link all the same."""

    def __init__(self, interpreter: Interpreter, outbox: Outbox, clock: Clock, channel: Channel, number: int) -> None:
        self.channel = channel
        self.number = number
        self.welcomed = asyncio.Event()
        self.refused = False
        self._interpreter = interpreter
        self._outbox = outbox
        self._clock = clock
        hello = interpreter.hello(clock.now_ns())
        self._call: Any = truck_pb2_grpc.TruckServiceStub(channel.grpc).Connect(self._outgoing(hello))
        self.ended = asyncio.create_task(self._listen())

    async def first_word(self, within_s: float) -> None:
        """Returns once the server has welcomed the truck, or has ended the stream, or *within_s* have gone by."""
        welcomed = asyncio.create_task(self.welcomed.wait())
        try:
            await asyncio.wait({welcomed, self.ended}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            welcomed.cancel()

    def give_up(self) -> None:
        """Ends it from this side."""
        self._call.cancel()

    async def close(self) -> None:
        """Ends it. A bug of ours that ended it before is raised."""
        self._call.cancel()
        self.ended.cancel()
        await asyncio.wait({self.ended})
        if not self.ended.cancelled() and (fault := self.ended.exception()) is not None and not isinstance(fault, grpc.aio.AioRpcError):
            raise fault

    async def _listen(self) -> None:
        try:
            async for message in self._call:
                if message is None:  # what gRPC makes of bytes that are no message
                    self._outbox.put(self._interpreter.unreadable(self._clock.now_ns()))
                    continue
                self.refused = message.HasField("refusal")
                self._outbox.put(self._interpreter.receive(message, self._clock.now_ns()))
                if message.HasField("welcome"):
                    self.welcomed.set()
        except grpc.aio.AioRpcError as broken:
            self.refused = broken.code() in _DISBELIEVED
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # we are to end; otherwise the stream was given up, and the next one begins
        finally:
            self._call.cancel()

    async def _outgoing(self, hello: truck_pb2.TruckMessage) -> AsyncIterator[truck_pb2.TruckMessage]:
        yield hello
        while True:
            yield await self._outbox.take(self.number)
