"""
Around every call: what cannot be read is refused by name, every `FleetError` becomes a `google.rpc.Status`, and nothing else
about our insides reaches a peer.

Nothing else maps errors. A request larger than its method may carry is refused before it is parsed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from fleet.errors import AlreadyExists, Code, FleetError, InvalidField, NotFound
from fleet.log import Event, Log
from fleet.pki.bearers import DISBELIEVED
from fleet.server.dispatch.persons import ClaimsAnother, NotYours
from fleet.server.limits import FRAME_BYTES_MAX, REQUEST_BYTES_MAX, SITE_BYTES_MAX
from fleet.server.wire.handlers import Context, Handler, Surrounding
from fleet.server.wire.inbox import Overloaded
from fleet.server.wire.rights import NotIdentified, NotPermitted
from fleet.texts import ENGLISH, LANGUAGES, texts

DOMAIN: Final = "fleet.v1"
# A refusal travels in the trailer, and peers take 8 kB of that: a name of their own must not come back so long that nothing comes back.
FACT_BYTES_MAX: Final = 240
MESSAGE_BYTES_MAX: Final = 600
# What a method's request may be when it is no small one.
BYTES_MAX: Final[Mapping[str, int]] = {
    "/fleet.v1.GatewayService/Relay": FRAME_BYTES_MAX,
    "/fleet.v1.DispatchService/ProposeSite": SITE_BYTES_MAX,
}


@dataclass(eq=False)
class TooManyRequests(FleetError):
    """You ask too often: this was held back, and then not taken on."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Ask more slowly, and send the same request again with the same request_id. Stops are never held back."

    per_s: float


@dataclass(eq=False)
class TooManyStreams(FleetError):
    """You have too many streams open: this one was not begun."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "End those that nobody reads, and call again."

    streams_max: int


GRPC_BY_CODE: Final[Mapping[Code, int]] = {
    Code.INVALID: code_pb2.INVALID_ARGUMENT,
    Code.PRECONDITION: code_pb2.FAILED_PRECONDITION,
    Code.STALE: code_pb2.ABORTED,
    Code.BUG: code_pb2.INTERNAL,
}
GRPC_BY_CLASS: Final[Mapping[type[FleetError], int]] = {
    NotFound: code_pb2.NOT_FOUND,
    AlreadyExists: code_pb2.ALREADY_EXISTS,
    Overloaded: code_pb2.RESOURCE_EXHAUSTED,
    TooManyRequests: code_pb2.RESOURCE_EXHAUSTED,
    TooManyStreams: code_pb2.RESOURCE_EXHAUSTED,
    **dict.fromkeys(DISBELIEVED, code_pb2.UNAUTHENTICATED),
    NotIdentified: code_pb2.UNAUTHENTICATED,
    **dict.fromkeys((NotPermitted, ClaimsAnother, NotYours), code_pb2.PERMISSION_DENIED),
}

_LOG: Final = Log("interceptors")


class Unreadable:
    """Stands in the place of a request that could not be parsed."""

    def __init__(self, problem: str) -> None:
        self.fault = InvalidField(name="request", problem=problem)


def status_of(error: FleetError) -> status_pb2.Status:
    """*error* as the wire has it: code, reason and facts for programs, a sentence and a hint for people."""
    code = GRPC_BY_CLASS.get(type(error), GRPC_BY_CODE[error.code])
    facts = {name: _cut(value, FACT_BYTES_MAX) for name, value in error.facts().items()}
    details = [_packed(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=facts))]
    if isinstance(error, InvalidField):
        violation = error_details_pb2.BadRequest.FieldViolation(field=facts["name"], description=facts["problem"])
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    if error.hint:
        details.append(_packed(error_details_pb2.LocalizedMessage(locale="en", message=error.hint)))
    for language in LANGUAGES:
        said = texts(language).get(f"error.{error.reason}")
        if said is not None and language != ENGLISH:
            sentence = _cut(said.format_map(defaultdict(str, facts)), MESSAGE_BYTES_MAX)
            details.append(_packed(error_details_pb2.LocalizedMessage(locale=language, message=sentence)))
    return status_pb2.Status(code=code, message=_cut(str(error), MESSAGE_BYTES_MAX), details=details)


def _cut(words: str, bytes_max: int) -> str:
    """The beginning of *words* that fits."""
    raw = words.encode()
    return words if len(raw) <= bytes_max else f"{raw[: bytes_max - 3].decode(errors='ignore')}…"


class ErrorInterceptor(Surrounding):
    """Parses totally, and maps errors, for every method served."""

    def around(self, handler: Handler) -> Handler:
        """*handler*, if it is ours, given what could be read, and with its errors mapped."""
        if not handler.method.startswith("/fleet."):
            return handler

        async def answer(request: Any, context: Context) -> Any:
            try:
                return await handler.behaviour(_readable(request), context)
            except FleetError as error:
                return await refuse(context, error)
            except Exception as fault:
                if isinstance(fault, grpc.aio.AbortError):
                    raise
                return await _hide(context, fault)

        return replace(handler, behaviour=answer, parse=_total(handler.parse, BYTES_MAX.get(handler.method, REQUEST_BYTES_MAX)))


async def refuse(context: Context, error: FleetError) -> Any:
    """Ends a call with *error*, as the wire has it."""
    if error.code is Code.BUG:
        _LOG.alarm(Event.REQUEST_FAILED, reason=error.reason, **error.facts())
    await context.abort_with_status(rpc_status.to_status(status_of(error)))


def _total(parse: Callable[[bytes], Message] | None, bytes_max: int) -> Callable[[bytes], Message | Unreadable]:
    assert parse is not None, "generated code always parses"

    def read(raw: bytes) -> Message | Unreadable:
        if len(raw) > bytes_max:
            return Unreadable(f"has {len(raw)} bytes, may have {bytes_max}")
        try:
            return parse(raw)
        except DecodeError:
            return Unreadable("is not a message of this method")

    return read


def _readable(request: Any) -> Any:
    if isinstance(request, Unreadable):
        raise request.fault
    return request


async def _hide(context: Context, fault: Exception) -> Any:
    # The log has the traceback; the peer learns only that it is not his fault.
    _LOG.alarm(Event.REQUEST_FAILED, reason=type(fault).__name__, exc_info=fault)
    await context.abort(grpc.StatusCode.INTERNAL, "The server failed on this request; its log says why.")


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
