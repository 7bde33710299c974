"""A server that passes everything on to one in memory: what measures it overrides what it measures."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.server.fleet_view import FleetView
from sim_harness import link
from sim_harness.books import Causes
from sim_harness.in_memory import Answers, InMemoryServer


class PassingServer:
    """Does what *inner* does."""

    def __init__(self, inner: InMemoryServer) -> None:
        self._inner = inner

    def say(self, frame: bytes, gateway: int = 0) -> None:
        """Passes a gateway's frame on."""
        self._inner.say(frame, gateway)

    def call(self, method: str, request: link.Request) -> None:
        """Passes a request on."""
        self._inner.call(method, request)

    def tick(self, now_ns: int) -> Answers:
        """Runs one tick."""
        return self._inner.tick(now_ns)

    def causes(self) -> Causes:
        """Why trucks stand."""
        return self._inner.causes()

    def delivered(self) -> Sequence[int]:
        """What was delivered of each order."""
        return self._inner.delivered()

    def why(self, truck_id: str) -> str:
        """In its own words why a truck stands."""
        return self._inner.why(truck_id)

    def fleet(self) -> FleetView | None:
        """Its picture of the trucks."""
        return self._inner.fleet()
