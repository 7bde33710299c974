"""
Before every call: who is it, and may he. Nothing of a request is read before that is known.

gRPC knows a call's certificate only once its handler runs, and has parsed a single request by then. So handlers of single requests are
given bytes here, and parse after the question. Streams are parsed message by message as their handler asks for them, which is after.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from fleet.errors import FleetError, InvalidField
from fleet.server.wire.callers import Caller, caller_of
from fleet.server.wire.interceptors import status_of
from fleet.server.wire.rights import NotIdentified, require_right

_Context = grpc.aio.ServicerContext[Any, Any]


class Refusals(Protocol):
    """Keeps what was refused for want of rights."""

    def refused(self, actor: str, what: str, error: FleetError) -> None:
        """*actor*, as far as he is known, asked for *what*."""
        ...


class AccessInterceptor(grpc.aio.ServerInterceptor):
    """
    Holds every method served against the table of rights, before anything parses.

    *plaintext*: the server serves loopback without certificates. Where it does not, nobody is taken for whoever is on this machine,
    whatever the transport says of his line.
    """

    def __init__(self, refusals: Refusals, *, plaintext: bool) -> None:
        self._refusals = refusals
        self._plaintext = plaintext

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The method's handler, behind the question."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        parse, write = handler.request_deserializer, handler.response_serializer
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._answering(method, handler.unary_unary, parse), None, write)
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(self._answering(method, handler.unary_stream, parse), None, write)
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(self._streaming(method, handler.stream_stream), parse, write)
        raise AssertionError(f"{method} is of a shape that nothing here serves")

    def _answering(self, method: str, behaviour: Callable[..., Any], parse: Any) -> Callable[..., Awaitable[Any]]:
        async def answer(raw: bytes, context: _Context) -> Any:
            await self._require(method, context)
            try:
                request = raw if parse is None else parse(raw)
            except DecodeError:
                return await _abort(context, InvalidField(name="request", problem="is not a message of this method"))
            return await behaviour(request, context)

        return answer

    def _streaming(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isasyncgenfunction(behaviour):

            async def generate(requests: Any, context: _Context) -> AsyncIterator[Any]:
                await self._require(method, context)
                async for said in behaviour(requests, context):
                    yield said

            return generate

        async def stream(requests: Any, context: _Context) -> None:
            await self._require(method, context)
            await behaviour(requests, context)

        return stream

    async def _require(self, method: str, context: _Context) -> Caller:
        caller: Caller | None = None
        try:
            caller = caller_of(context, method)
            if not caller.proven and not self._plaintext:
                raise NotIdentified(method=method)
            require_right(caller.role, method)
        except FleetError as error:
            self._refusals.refused(caller.actor if caller is not None else _host_of(context), method, error)
            await _abort(context, error)
        assert caller is not None, "who is not known was refused"
        return caller


def _host_of(context: _Context) -> str:
    # Each connection has a port of its own: with it, a flood from one machine would look like many.
    return str(context.peer()).rpartition(":")[0]


async def _abort(context: _Context, error: FleetError) -> Any:
    await context.abort_with_status(rpc_status.to_status(status_of(error)))
