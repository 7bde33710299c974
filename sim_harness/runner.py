"""
One run in virtual time: the server's whole core, the fleet, the plant and its people, tick by tick.

Everything between trucks and server is protobuf bytes on an in-memory wire; the server is the real one without sockets.
One tick: the trucks move under what they heard, say where they are, the plant works, the server decides, and its words
travel until the next tick.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from fleet.errors import FleetError
from sim_harness import link
from sim_harness.books import Books, Causes
from sim_harness.observation import Checker, Recorder, Totals
from sim_harness.scenario import Scenario
from sim_harness.stage import PROGRESS_TICKS, Stage
from sim_harness.truck_agent import Trucks


class Answered(Protocol):
    """One tick of a server, as the runner hears it."""

    @property
    def control(self) -> list[bytes]:
        """Frames for the gateway."""
        ...

    @property
    def calls(self) -> list[link.Heard]:
        """What it asks of the plant."""
        ...

    @property
    def refusals(self) -> list[tuple[str, str]]:
        """Requests it refused: method and reason."""
        ...


class Server(Protocol):
    """A server that runs on the runner's time."""

    def say(self, frame: bytes) -> None:
        """Give it a gateway's frame."""
        ...

    def call(self, method: str, request: link.Request) -> None:
        """Make a unary request; the answer comes with the next tick."""
        ...

    def tick(self, now_ns: int) -> Answered:
        """Run one tick."""
        ...

    def causes(self) -> Causes:
        """Why each standing truck stands: kind and subject."""
        ...


class Runner:
    """Runs a scenario against a server."""

    def __init__(self, scenario: Scenario, server: Server, recorder: Recorder, checker: Checker) -> None:
        self._server = server
        self._stage = Stage(scenario, Trucks, server.call, (recorder, checker))
        radio = scenario.spec.link
        self._up, self._down = (
            link.Wire(
                self._stage.streams.stream("gateway-1", way),
                delay_ticks=radio.delay_ticks,
                jitter_ticks=radio.jitter_ticks,
                loss=radio.loss,
            )
            for way in ("uplink", "downlink")
        )

    @property
    def trucks(self) -> Trucks:
        """The fleet."""
        return self._stage.trucks

    @property
    def books(self) -> Books:
        """What has been counted so far."""
        return self._stage.books

    def run(self, progress: Callable[[float], None]) -> Totals:
        """
        Run to the scenario's end; *progress* hears the simulated seconds once a simulated minute.

        A server that stops itself (its judge objected) ends the run: that is a verdict, and the files are still written.
        """
        began_s = time.monotonic()
        fault = ""
        try:
            for _ in range(self._stage.tick_count):
                self.tick()
                if self._stage.clock.tick % PROGRESS_TICKS == 0:
                    progress(self._stage.clock.now_s)
        except FleetError as stopped:
            fault = f"the server stopped itself at {self._stage.clock.now_s:.1f} s: {stopped}"
        return self.totals(time.monotonic() - began_s, fault)

    def tick(self) -> None:
        """One tick of everything."""
        stage = self._stage
        trucks = stage.trucks
        now_ns = stage.advance()
        tick = stage.clock.tick
        for frame in self._down.arrived(tick):
            trucks.hear(frame, now_ns)
        trucks.step(now_ns)
        said = trucks.say(tick)
        if said is not None:
            self._up.send(tick, said)
        for frame in self._up.arrived(tick):
            self._server.say(frame)
        stage.people(now_ns)
        heard = self._server.tick(now_ns)
        for frame in heard.control:
            stage.books.hear(frame)
            self._down.send(tick, frame)
        stage.heard(heard.calls, heard.refusals)
        stage.observe(self._server.causes)

    def totals(self, wall_s: float, fault: str = "") -> Totals:
        """The books as they stand; *fault* is what ended the run before its time."""
        return self._stage.totals(wall_s, fault)
