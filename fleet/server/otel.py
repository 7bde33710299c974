"""
Spans as OpenTelemetry has them, sent to a collector over OTLP (gRPC). Imported only where somebody asked for it.

What is asked of `DispatchService` and `BorderService` once and answered once is one span, child of the caller's where he sends a W3C
`traceparent`; so is each plan, and each commit, snapshot and compaction of the journal. Resource, sampling and the exporter's own settings are
read from the standard `OTEL_` environment. A collector that is not there costs a thread of its own some tries, and a line in the log.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, ClassVar, Final

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from fleet.clock import NS_PER_S, SystemClock
from fleet.errors import Code, FleetError
from fleet.log import Event, Log
from fleet.server.wire.handlers import Context, Handler, Surrounding
from fleet.server.wire.identity import actor_of

SERVICE: Final = "khulan"
# Of whoever gave requests: trucks and gateways speak on streams, ten times a second.
TRACED: Final = ("/fleet.v1.DispatchService/", "/fleet.v1.BorderService/")
EXPORT_WITHIN_S: Final = 5
SAY_LOST_EVERY_NS: Final = 60 * NS_PER_S

_LOG: Final = Log("otel")
_GRPC_CODES: Final[Mapping[int, str]] = {code.value[0]: code.name for code in grpc.StatusCode}


@dataclass(eq=False)
class TracesUnusable(FleetError):
    """Spans cannot be sent there."""

    code: ClassVar[Code] = Code.INVALID
    hint: ClassVar[str] = "Name a collector as http://HOST:4317 or https://HOST:4317."

    endpoint: str
    problem: str


class _Complaints(logging.Handler):
    """What the SDK complains of, in our log, once in a while: a collector that is gone must not flood it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._clock = SystemClock()
        self._quiet_until_ns = 0

    def emit(self, record: logging.LogRecord) -> None:
        """One complaint."""
        if (now_ns := self._clock.now_ns()) >= self._quiet_until_ns:
            self._quiet_until_ns = now_ns + SAY_LOST_EVERY_NS
            _LOG.alarm(Event.TRACES_LOST, problem=record.getMessage())


class OtelTraces:
    """Spans of one process."""

    def __init__(self, processor: SpanProcessor) -> None:
        """*processor* takes the spans that ended."""
        # What the environment says of the resource goes before what we say.
        resource = Resource({"service.version": version("khulan")}).merge(Resource.create())
        if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": SERVICE}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(SERVICE, version("khulan"))

    @contextmanager
    def span(self, name: str, **facts: str | int) -> Iterator[None]:
        """From entering to leaving."""
        with self._tracer.start_as_current_span(name, attributes={f"khulan.{key}": value for key, value in facts.items()}):
            yield

    @contextmanager
    def served(self, handler: Handler, context: Context) -> Iterator[None]:
        """Around one request; how it ended is part of the span."""
        service, _, method = handler.method.lstrip("/").partition("/")
        caller = extract({key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)})
        told = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method, "khulan.actor": actor_of(context)}
        with self._tracer.start_as_current_span(
            f"{service}/{method}",
            context=caller,
            kind=SpanKind.SERVER,
            attributes=told,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            finally:
                code = _code_of(context)
                span.set_attribute("rpc.grpc.status_code", code)
                if code != grpc.StatusCode.OK.value[0]:
                    span.set_status(Status(StatusCode.ERROR, _GRPC_CODES.get(code, str(code))))

    def interceptors(self) -> list[grpc.aio.ServerInterceptor]:
        """What stands around the methods served."""
        return [_Traced(self)]

    def close(self) -> None:
        """Sends what waits, within the exporter's time."""
        self._provider.shutdown()


class _Traced(Surrounding):
    def __init__(self, traces: OtelTraces) -> None:
        self._traces = traces

    def around(self, handler: Handler) -> Handler:
        """*handler*, within a span, if a person asks it once."""
        if not handler.answered_once or not handler.method.startswith(TRACED):
            return handler

        async def answer(asked: Any, context: Context) -> Any:
            with self._traces.served(handler, context):
                return await handler.behaviour(asked, context)

        return replace(handler, behaviour=answer)


def _code_of(context: Context) -> int:
    """The number of the status; the transport says OK as None, 0 or itself."""
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode):
        return int(code.value[0])
    return int(code or 0)


def otel_traces(endpoint: str) -> OtelTraces:
    """
    Sends spans to the collector at *endpoint*, or where it is empty to the one that the standard environment names.

    Raises:
        TracesUnusable: that is no address.
    """
    named = endpoint or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if named and not named.startswith(("http://", "https://")):
        raise TracesUnusable(endpoint=named, problem="it does not begin with http:// or https://")
    sdk = logging.getLogger("opentelemetry")
    sdk.addHandler(_Complaints())
    sdk.propagate = False
    exporter = OTLPSpanExporter(endpoint=endpoint or None, timeout=EXPORT_WITHIN_S)
    _LOG.fact(Event.TRACES_SENT, endpoint=named or "as the environment says")
    return OtelTraces(BatchSpanProcessor(exporter))
