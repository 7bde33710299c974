"""
Spans around what takes time in a server: requests of people, plans, and what is written to the journal.

Who sees them is not known here: usually nobody, and then a span costs a call of a method. `otel` sends them where somebody asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

import grpc


class Traces(Protocol):
    """Where spans go. May be used on any thread."""

    def span(self, name: str, **facts: str | int) -> AbstractContextManager[object]:
        """From entering to leaving; a fault that passes through is part of it."""
        ...

    def interceptors(self) -> list[grpc.aio.ServerInterceptor]:
        """What stands around the methods served, outermost."""
        ...

    def close(self) -> None:
        """Sends what waits, within a bounded time."""
        ...


class NoTraces:
    """Nobody looks."""

    _NOTHING: Final = nullcontext()

    def span(self, name: str, **facts: str | int) -> AbstractContextManager[object]:  # noqa: ARG002 - the Protocol's
        """Nothing."""
        return self._NOTHING

    def interceptors(self) -> list[grpc.aio.ServerInterceptor]:
        """None."""
        return []

    def close(self) -> None:
        """Nothing waits."""


NO_TRACES: Final = NoTraces()


def asked_for(endpoint: str, environment: Mapping[str, str]) -> bool:
    """Whether a setting, or the standard *environment*, asks for spans."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporters = [name.strip() for name in environment.get("OTEL_TRACES_EXPORTER", "").split(",")]
    if endpoint:
        return True
    if "none" in exporters:
        return False
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return "otlp" in exporters or any(environment.get(name) for name in names)
