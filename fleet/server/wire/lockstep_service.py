"""
Simulated time over real streams: one step is heard whole, decided, made durable and said, before the next begins.

The simulator says how many messages it has sent since the start; the tick waits until as many have arrived. The answer says how
many the server has sent; the simulator waits for those. Between the two, nothing depends on how fast anybody is.

Somebody else may give commands meanwhile, on a connection of his own. They are heard at the next tick and counted for nobody: a tick
that took one for the simulator's would begin before all the simulator said is there, and answer it a tick late, for which nobody steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Protocol

import grpc

from fleet.errors import Code, FleetError
from fleet.server.wire.handlers import Context, Handler, Surrounding
from fleet.server.wire.interceptors import Unreadable
from fleet.v1 import lockstep_pb2, lockstep_pb2_grpc

ARRIVE_WITHIN_S: Final = 30.0
_LINE: ContextVar[str] = ContextVar("line", default="")


class LineInterceptor(Surrounding):
    """Keeps in mind on which connection the call came that is being served."""

    def around(self, handler: Handler) -> Handler:
        """*handler*, knowing."""

        async def answer(asked: Any, context: Context) -> Any:
            _LINE.set(context.peer())
            return await handler.behaviour(asked, context)

        return replace(handler, behaviour=answer)


@dataclass(eq=False)
class StepOutOfOrder(FleetError):
    """Simulated time may not fall, and only one simulator may drive."""

    now_ns: int


@dataclass(eq=False)
class MessagesMissing(FleetError):
    """Messages that the simulator counted did not arrive."""

    code: ClassVar[Code] = Code.PRECONDITION

    counted: int
    arrived: int


class Stepping(Protocol):
    """A server whose time is driven."""

    def heard_count(self) -> int:
        """Messages and commands heard since the start."""
        ...

    def said_count(self) -> int:
        """Messages put on streams since the start."""
        ...

    async def heard(self) -> None:
        """Returns once something more was heard."""
        ...

    async def step(self, now_ns: int) -> int:
        """One tick at *now_ns*, durable and said; the answer is its number."""
        ...


class LockstepService(lockstep_pb2_grpc.LockstepServiceServicer):
    """Drives one server by one simulator."""

    def __init__(self, server: Stepping) -> None:
        self._server = server
        self._driven = False
        self._line = ""
        self._now_ns = -1

    def is_drivers(self) -> bool:
        """Whether the call being served came on the driver's connection; so does every call before anybody drives."""
        return self._line in {"", _LINE.get()}

    async def Drive(  # type: ignore[override]  # noqa: N802 - the wire's name; the stub knows only generators
        self, request_iterator: AsyncIterator[lockstep_pb2.LockstepStep | Unreadable], context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """Steps as long as the simulator sends them."""
        if self._driven:
            raise StepOutOfOrder(now_ns=self._now_ns)
        self._driven = True
        self._line = context.peer()
        try:
            async for step in request_iterator:
                if isinstance(step, Unreadable):
                    raise step.fault
                tick = await self._step(step)
                await context.write(lockstep_pb2.LockstepStepped(tick=tick, messages_sent=self._server.said_count()))
        finally:
            self._driven = False

    async def _step(self, step: lockstep_pb2.LockstepStep) -> int:
        if step.now_ns < self._now_ns:
            raise StepOutOfOrder(now_ns=step.now_ns)
        try:
            async with asyncio.timeout(ARRIVE_WITHIN_S):
                while self._server.heard_count() < step.messages_sent:
                    await self._server.heard()
        except TimeoutError as late:
            raise MessagesMissing(counted=step.messages_sent, arrived=self._server.heard_count()) from late
        self._now_ns = step.now_ns
        return await self._server.step(step.now_ns)


def register(server: grpc.aio.Server, stepping: Stepping) -> LockstepService:
    """Lets a simulator drive *stepping* through *server*."""
    service = LockstepService(stepping)
    lockstep_pb2_grpc.add_LockstepServiceServicer_to_server(service, server)
    return service
