"""Spans: of what people ask, of plans and of the journal, where somebody asked for them; nothing is loaded otherwise."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc
import pytest

from fleet.server.app import Server
from fleet.server.settings import ServerSettings
from fleet.server.traces import NO_TRACES, asked_for
from fleet.site import load_site
from fleet.v1 import border_pb2, border_pb2_grpc, dispatch_pb2, dispatch_pb2_grpc
from planner.policy import PLANNED

pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is not installed: pip install 'khulan[otel]'")
pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="its exporter is not installed: pip install 'khulan[otel]'")
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fleet.server.otel import OtelTraces, TracesUnusable, otel_traces

WITHIN_S = 60.0
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """Where spans end up."""
    return InMemorySpanExporter()


@pytest.fixture(scope="module")
async def address(exporter: InMemorySpanExporter, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A server that plans, and is traced."""
    traces = OtelTraces(SimpleSpanProcessor(exporter))
    data = tmp_path_factory.mktemp("traced")
    server = Server(load_site("mandula"), ServerSettings(data=data, listen="127.0.0.1:0", day_start_s=36_000, policy=PLANNED), traces)
    yield (await server.start()).address
    await server.stop()
    traces.close()


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    """The spans of that name, oldest first."""
    return [span for span in exporter.get_finished_spans() if span.name == name]


async def the_one(exporter: InMemorySpanExporter, name: str, channel: Any) -> ReadableSpan:
    """The span of that name, as soon as it has ended: who asked may hear his answer a moment before."""
    async with asyncio.timeout(WITHIN_S):
        while not (found := named(exporter, name)):
            await dispatch_pb2_grpc.DispatchServiceStub(channel).GetControl(dispatch_pb2.GetControlRequest())
    (span,) = found
    return span


async def test_what_a_person_asks_is_a_span_below_his_own(
    address: str, exporter: InMemorySpanExporter, connect: Callable[[str], Any]
) -> None:
    """Whoever looks into a slow order sees how much of it was the server's, and that the journal came after."""
    desk = dispatch_pb2_grpc.DispatchServiceStub(connect(address))
    order = dispatch_pb2.CreateTransportOrderRequest(request_id="r", from_yard_id="mn", to_yard_id="cn", container_count=3)

    await desk.CreateTransportOrder(order, timeout=WITHIN_S, metadata=(("traceparent", f"00-{TRACE}-{PARENT}-01"),))
    span = await the_one(exporter, "fleet.v1.DispatchService/CreateTransportOrder", connect(address))

    assert span.attributes is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert span.attributes["rpc.grpc.status_code"] == 0
    assert span.attributes["khulan.actor"] == "loopback"
    assert any(int((commit.attributes or {})["khulan.records"]) > 0 for commit in named(exporter, "journal commit"))  # type: ignore[arg-type]


async def test_a_refusal_is_a_span_that_failed(address: str, exporter: InMemorySpanExporter, connect: Callable[[str], Any]) -> None:
    """Errors are what people look for in traces; what they say to whom stays in the log and the audit."""
    border = border_pb2_grpc.BorderServiceStub(connect(address))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await border.ReportBarrier(border_pb2.ReportBarrierRequest(request_id="b", gate_id="nowhere"), timeout=WITHIN_S)
    span = await the_one(exporter, "fleet.v1.BorderService/ReportBarrier", connect(address))

    assert span.attributes is not None
    assert not span.status.is_ok
    assert span.attributes["rpc.grpc.status_code"] == refused.value.code().value[0] != 0
    assert not span.events


async def test_a_plan_is_a_span(address: str, exporter: InMemorySpanExporter, connect: Callable[[str], Any]) -> None:
    """Where planning takes its time is the question it was traced for."""
    desk = dispatch_pb2_grpc.DispatchServiceStub(connect(address))
    watch = desk.WatchFleet(dispatch_pb2.WatchFleetRequest(), timeout=WITHIN_S)
    while not named(exporter, "plan"):
        await watch.read()
    watch.cancel()

    assert named(exporter, "plan")[0].end_time is not None
    assert not named(exporter, "fleet.v1.DispatchService/WatchFleet")


def test_nothing_is_loaded_that_nobody_asked_for() -> None:
    """A server without spans and metrics starts as it did before there were any."""
    code = (
        "import sys, fleet.server.app, fleet.cli.serve; "
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in {'opentelemetry', 'prometheus_client'}))"
    )

    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert answer.stdout.strip() == "[]"
    assert NO_TRACES.interceptors() == []


@pytest.mark.parametrize(
    ("endpoint", "environment", "wanted"),
    [
        ("", {}, False),
        ("http://c:4317", {}, True),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, True),
        ("", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317"}, True),
        ("", {"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ("", {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, False),
        ("http://c:4317", {"OTEL_SDK_DISABLED": "true"}, False),
        ("", {"OTEL_SERVICE_NAME": "khulan-1"}, False),
    ],
)
def test_the_standard_environment_is_heeded(endpoint: str, environment: Mapping[str, str], *, wanted: bool) -> None:
    """Whoever runs collectors sets it for all his services alike."""
    assert asked_for(endpoint, environment) is wanted


def test_what_is_no_address_of_a_collector_is_refused_by_name() -> None:
    """Else it would be tried, and complained of, for ever."""
    with pytest.raises(TracesUnusable):
        otel_traces("collector:4317")


def test_a_collector_that_is_not_there_holds_up_no_end() -> None:
    """A server ends, whoever else does not answer."""
    traces = otel_traces("http://127.0.0.1:1")
    with traces.span("plan", ticks=1):
        pass

    traces.close()
