"""
Asks the server, waiting or awaiting.

Every ask has a deadline. A line that breaks, or a server that is overloaded, is tried again with the same request id, so that a
command takes effect once however often it was sent.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, NoReturn, Self, TypeVar

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from fleet.client.ask import Ask, Page
from fleet.errors import Code, FleetError
from fleet.papers import read_papers
from fleet.v1 import border_pb2_grpc, dispatch_pb2_grpc

_V = TypeVar("_V")

DEFAULT_SERVER: Final = "127.0.0.1:50051"
DEADLINE_S: Final = 10.0
_RETRY: Final = {
    "methodConfig": [
        {
            "name": [{"service": "fleet.v1.DispatchService"}, {"service": "fleet.v1.BorderService"}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED", "RESOURCE_EXHAUSTED"],
            },
        }
    ]
}
_OPTIONS: Final[tuple[tuple[str, int | str], ...]] = (
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16_384),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1200),
    ("grpc.max_reconnect_backoff_ms", 600),
    ("grpc.keepalive_time_ms", 2000),
    ("grpc.keepalive_timeout_ms", 2000),
    ("grpc.http2.ping_timeout_ms", 2000),
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.service_config", json.dumps(_RETRY)),
)
_STUBS: Final[dict[str, Callable[[Any], Any]]] = {
    "DispatchService": dispatch_pb2_grpc.DispatchServiceStub,
    "BorderService": border_pb2_grpc.BorderServiceStub,
}
_NO_SERVER: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})


@dataclass(eq=False)
class NoServer(FleetError):
    """No server answers."""

    server: str
    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = (
        "Start one with `fleet serve --site mandula --data ./data` or `make demo`, or name another with --server HOST:PORT."
    )

    def __str__(self) -> str:
        return f"No server answers at {self.server}. {self.hint}"


@dataclass(eq=False)
class NoLine(NoServer):
    """Somebody listens there, but no line comes about."""

    tls: str  # the folder that was shown, empty for none

    def __str__(self) -> str:
        if not self.tls:
            return f"{self.server} listens, but does not answer in plaintext. If it serves with certificates, show yours with --tls FOLDER."
        why = f"It may be busy, or it and {self.tls} do not trust each other"
        return f"{self.server} listens, but no line comes about. {why}; `fleet doctor --tls {self.tls}` looks at your side."


@dataclass(eq=False)
class Refused(FleetError):
    """The server refused."""

    named: str  # the server's name for the refusal: an error's class name
    message: str
    advice: str
    details: dict[str, str]
    # The whole refusal in other languages than English, by BCP 47 tag, where the server has words for it.
    localized: dict[str, str] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """The server's name for the refusal."""
        return self.named

    def said(self, language: str) -> str:
        """The refusal in a language; in English where the server has no words in that."""
        return self.localized.get(language) or str(self)

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip() if self.advice not in self.message else self.message


def _fail(server: str, broken: grpc.RpcError) -> NoReturn:
    """Raises what a gRPC failure means to an operator."""
    failed: Any = broken
    status = status_pb2.Status()
    for key, value in failed.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status.MergeFromString(value)
    named, advice, details = failed.code().name, "", {}
    localized: dict[str, str] = {}
    for packed in status.details:
        if packed.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            found = error_details_pb2.ErrorInfo()
            packed.Unpack(found)
            named, details = found.reason, dict(found.metadata)
        elif packed.Is(error_details_pb2.LocalizedMessage.DESCRIPTOR):
            hint = error_details_pb2.LocalizedMessage()
            packed.Unpack(hint)
            if hint.locale == "en":
                advice = hint.message
            else:
                localized[hint.locale] = hint.message
    if not status.details and failed.code() in _NO_SERVER:
        raise NoServer(server) from broken
    raise Refused(named, status.message or failed.details() or named, advice, details, localized) from broken


class Operator:
    """
    Asks the server and waits for the answer; for scripts and the command line.

        with Operator("127.0.0.1:50051") as operator:
            order = operator.ask(asks.create_order(from_yard_id="mn", to_yard_id="cn", container_count=40))

    *tls* is the folder that `fleet tls issue operator NAME` made (`PapersUnusable` when something is wrong with it), *credentials* are
    for who keeps his key elsewhere. Without either the line is plain, and leads no further than this machine.
    """

    def __init__(
        self, server: str = DEFAULT_SERVER, credentials: grpc.ChannelCredentials | None = None, *, tls: Path | None = None
    ) -> None:
        self._server = server
        shown = credentials if tls is None else read_papers(tls).credentials()
        if shown is None:
            self._channel = grpc.insecure_channel(server, options=_OPTIONS)
        else:
            self._channel = grpc.secure_channel(server, shown, options=_OPTIONS)
        self._stubs = {name: make(self._channel) for name, make in _STUBS.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._channel.close()

    def ask(self, ask: Ask[_V], deadline_s: float = DEADLINE_S) -> _V:
        """
        Asks once, through broken lines if need be.

        Raises:
            NoServer: nobody answered in time.
            Refused: the server said no, and why.
        """
        try:
            return ask.read(getattr(self._stubs[ask.service], ask.method)(ask.request, timeout=deadline_s))
        except grpc.RpcError as broken:
            _fail(self._server, broken)

    def pages(self, ask_page: Callable[[str], Ask[Page[_V]]]) -> Iterator[_V]:
        """Every row of a list, page by page; *ask_page* makes the ask for a page token, as `asks.trucks` does."""
        token = ""
        while True:
            page = self.ask(ask_page(token))
            yield from page.rows
            token = page.next_page_token
            if not token:
                return

    def watch(self, ask: Ask[_V]) -> Iterator[_V]:
        """
        Yields each answer of a stream until the caller stops.

        Raises:
            NoServer, Refused: as `ask`; also when the line breaks in between. Watch again to go on.
        """
        call = getattr(self._stubs[ask.service], ask.method)(ask.request)
        try:
            for message in call:
                yield ask.read(message)
        except grpc.RpcError as broken:
            _fail(self._server, broken)
        finally:
            call.cancel()


class AsyncOperator:
    """The same, awaited; one event loop per process."""

    def __init__(
        self, server: str = DEFAULT_SERVER, credentials: grpc.ChannelCredentials | None = None, *, tls: Path | None = None
    ) -> None:
        self._server = server
        shown = credentials if tls is None else read_papers(tls).credentials()
        if shown is None:
            self._channel = grpc.aio.insecure_channel(server, options=_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(server, shown, options=_OPTIONS)
        self._stubs = {name: make(self._channel) for name, make in _STUBS.items()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._channel.close()

    async def ask(self, ask: Ask[_V], deadline_s: float = DEADLINE_S) -> _V:
        """
        Asks once, through broken lines if need be.

        Raises:
            NoServer, Refused: as `Operator.ask`.
        """
        try:
            return ask.read(await getattr(self._stubs[ask.service], ask.method)(ask.request, timeout=deadline_s))
        except grpc.aio.AioRpcError as broken:
            _fail(self._server, broken)

    async def watch(self, ask: Ask[_V]) -> AsyncIterator[_V]:
        """
        Yields each answer of a stream until the caller stops.

        Raises:
            NoServer, Refused: as `Operator.watch`.
        """
        call = getattr(self._stubs[ask.service], ask.method)(ask.request)
        try:
            async for message in call:
                yield ask.read(message)
        except grpc.aio.AioRpcError as broken:
            _fail(self._server, broken)
        finally:
            call.cancel()
