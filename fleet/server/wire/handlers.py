"""
A method's handler taken apart, for whoever stands around it, and put together again.

gRPC has four shapes of handler, three of which are served here. Interceptors see one: a function of what was asked and the context. Those
that stream write to the context rather than yield: a cancelled call then unwinds in their own frames, at once.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Behaviour: TypeAlias = Callable[[Any, Context], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """What serves one method. *parse* makes a message of bytes, None where *behaviour* takes bytes."""

    method: str
    behaviour: Behaviour
    parse: Callable[[bytes], Any] | None
    write: Callable[[Any], bytes] | None
    asked_once: bool
    answered_once: bool


class Surrounding(grpc.aio.ServerInterceptor, ABC):
    """An interceptor that stands around every method served."""

    @abstractmethod
    def around(self, handler: Handler) -> Handler:
        """*handler*, with something before or after it."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """What gRPC asks at each call; None: no such method."""
        found = await continuation(handler_call_details)
        return None if found is None else _whole(self.around(_parts(handler_call_details.method, found)))


def _parts(method: str, found: grpc.RpcMethodHandler[Any, Any]) -> Handler:
    behaviour: Callable[..., Any] | None = found.unary_unary or found.unary_stream or found.stream_stream
    assert behaviour is not None, f"{method} is of a shape that nothing here serves"
    return Handler(
        method=method,
        behaviour=_writing(behaviour) if inspect.isasyncgenfunction(behaviour) else behaviour,
        parse=found.request_deserializer,
        write=found.response_serializer,
        asked_once=not found.request_streaming,
        answered_once=not found.response_streaming,
    )


def _whole(handler: Handler) -> grpc.RpcMethodHandler[Any, Any]:
    behaviour: Any = handler.behaviour
    if handler.answered_once:
        return grpc.unary_unary_rpc_method_handler(behaviour, handler.parse, handler.write)
    make = grpc.unary_stream_rpc_method_handler if handler.asked_once else grpc.stream_stream_rpc_method_handler
    return make(behaviour, handler.parse, handler.write)


def _writing(generate: Callable[..., Any]) -> Behaviour:
    async def stream(asked: Any, context: Context) -> None:
        async for said in generate(asked, context):
            await context.write(said)

    return stream
