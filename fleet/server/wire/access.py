"""
Before every call: who is it, and may he. Nothing of a request is read before that is known.

gRPC knows a call's certificate only once its handler runs, and has parsed a single request by then. So handlers of single requests are
given bytes here, and parse after the question. Streams are parsed message by message as their handler asks for them, which is after.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from google.protobuf.message import DecodeError

from fleet.errors import FleetError, InvalidField
from fleet.server.wire.callers import Caller, caller_of
from fleet.server.wire.handlers import Context, Handler, Surrounding
from fleet.server.wire.interceptors import refuse
from fleet.server.wire.rights import NotIdentified, require_right


class Refusals(Protocol):
    """Keeps what was refused for want of rights."""

    def refused(self, actor: str, what: str, error: FleetError) -> None:
        """*actor*, as far as he is known, asked for *what*."""
        ...


class AccessInterceptor(Surrounding):
    """
    Holds every method served against the table of rights, before anything parses.

    *plaintext*: the server serves loopback without certificates. Where it does not, nobody is taken for whoever is on this machine,
    whatever the transport says of his line.
    """

    def __init__(self, refusals: Refusals, *, plaintext: bool) -> None:
        self._refusals = refusals
        self._plaintext = plaintext

    def around(self, handler: Handler) -> Handler:
        """*handler*, behind the question."""
        late = handler.parse if handler.asked_once else None

        async def answer(asked: Any, context: Context) -> Any:
            await self._require(handler.method, context)
            try:
                request = asked if late is None else late(asked)
            except DecodeError:
                return await refuse(context, InvalidField(name="request", problem="is not a message of this method"))
            return await handler.behaviour(request, context)

        return replace(handler, behaviour=answer, parse=None if handler.asked_once else handler.parse)

    async def _require(self, method: str, context: Context) -> Caller:
        caller: Caller | None = None
        try:
            caller = caller_of(context, method)
            if not caller.proven and not self._plaintext:
                raise NotIdentified(method=method)
            require_right(caller.role, method)
        except FleetError as error:
            self._refusals.refused(caller.actor if caller is not None else _host_of(context), method, error)
            await refuse(context, error)
        assert caller is not None, "who is not known was refused"
        return caller


def _host_of(context: Context) -> str:
    # Each connection has a port of its own: with it, a flood from one machine would look like many.
    return str(context.peer()).rpartition(":")[0]
