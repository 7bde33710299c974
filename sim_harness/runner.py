"""
One run in virtual time: the server's whole core, the fleet, the plant and its people, tick by tick.

Everything between trucks and server is protobuf bytes on an in-memory wire; the server is the real one without sockets.
One tick: the trucks move under what they heard, say where they are, the plant works, the server decides, and its words
travel until the next tick.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from fleet.errors import FleetError
from fleet.server.fleet_view import FleetView
from sim_harness import link
from sim_harness.books import Books, Causes
from sim_harness.fault_service import FaultDesk
from sim_harness.faults.draw import faults_of
from sim_harness.faults.scene import Breakable
from sim_harness.faults.spec import FaultSpec
from sim_harness.in_memory import Answers
from sim_harness.lines import MessagesLost
from sim_harness.observation import Checker, Recorder, Totals
from sim_harness.progress import LOOK_TICKS
from sim_harness.radio import Radio
from sim_harness.scenario import Scenario
from sim_harness.stage import PROGRESS_TICKS, Stage
from sim_harness.troubles import Troubles
from sim_harness.truck_agent import Trucks


class Server(Protocol):
    """A server that runs on the runner's time."""

    def say(self, frame: bytes, gateway: int = 0) -> None:
        """Give it a gateway's frame."""
        ...

    def call(self, method: str, request: link.Request) -> None:
        """Make a unary request; the answer comes with the next tick."""
        ...

    def tick(self, now_ns: int) -> Answers:
        """Run one tick."""
        ...

    def causes(self) -> Causes:
        """Why each standing truck stands: kind and subject."""
        ...

    def delivered(self) -> Sequence[int]:
        """How many containers of each order were delivered, oldest order first."""
        ...

    def why(self, truck_id: str) -> str:
        """In its own words why a truck stands; "" when it cannot be asked."""
        ...

    def fleet(self) -> FleetView | None:
        """Its picture of the trucks; None while there is no server."""
        ...


class Runner:
    """Runs a scenario against a server; *desk* is where faults are asked for while it runs, *pace* the most times real time."""

    pace = math.inf

    def __init__(self, scenario: Scenario, server: Server, recorder: Recorder, checker: Checker, desk: FaultDesk | None = None) -> None:
        self._server = server
        self._stage = Stage(scenario, Trucks, server.call, (recorder, checker))
        self._stage.operator.delivered = server.delivered
        self._radio = Radio(scenario.spec.link, self._stage.trucks, self._stage.streams.stream)
        self._troubles: Troubles | None = None
        specs = faults_of(scenario, self._stage.streams)
        if specs or desk is not None:
            assert isinstance(server, Breakable), "faults need a server that can be broken"
            self._troubles = Troubles(self._stage, self._radio, server, specs, desk)

    @property
    def trucks(self) -> Trucks:
        """The fleet."""
        return self._stage.trucks

    @property
    def stage(self) -> Stage[Trucks]:
        """The world, the plant and its people, and what is watched."""
        return self._stage

    @property
    def troubles(self) -> Troubles:
        """What goes wrong, in a run in which something does."""
        assert self._troubles is not None, "nothing is to go wrong in this run"
        return self._troubles

    @property
    def books(self) -> Books:
        """What has been counted so far."""
        return self._stage.books

    @property
    def begun(self) -> tuple[FaultSpec, ...]:
        """The faults that have begun, each at the moment it did: scheduled so, they happen so again."""
        incidents = [] if self._troubles is None else self._troubles.faults.incidents
        return tuple(incident.spec.model_copy(update={"at_s": incident.began_s}) for incident in incidents)

    def run(self, progress: Callable[[float], None]) -> Totals:
        """
        Run to the scenario's end; *progress* hears the simulated seconds once a simulated minute.

        A server that stops itself (its judge objected) and a standstill for good end the run: that is a verdict, and the files
        are still written.
        """
        began_s = time.monotonic()
        fault = ""
        try:
            for _ in range(self._stage.tick_count):
                self.tick()
                if self._stage.clock.tick % PROGRESS_TICKS == 0:
                    progress(self._stage.clock.now_s)
                    if self._stage.progress.standstill_since_s is not None:
                        break
                if self.pace < math.inf:
                    time.sleep(max(0.0, began_s + self._stage.clock.now_s / self.pace - time.monotonic()))
        except (FleetError, MessagesLost) as stopped:
            fault = f"the server stopped itself at {self._stage.clock.now_s:.1f} s: {stopped}"
        return self.totals(time.monotonic() - began_s, fault)

    def tick(self) -> None:
        """One tick of everything."""
        stage, trucks, radio = self._stage, self._stage.trucks, self._radio
        now_ns = stage.advance()
        tick = stage.clock.tick
        if self._troubles is not None:
            self._troubles.step()
        radio.hear(tick, now_ns)
        trucks.step(now_ns)
        radio.speak(tick, self._server)
        stage.people(now_ns)
        heard = self._server.tick(now_ns)
        for frame in heard.control:
            stage.books.hear(frame)
            radio.send(tick, frame)
        for gateway, frame in heard.elsewhere.items():
            radio.send(tick, frame, gateway)
        stage.heard(heard.calls, heard.refusals)
        if self._troubles is None:
            stage.observe(self._server.causes)
        else:
            self._troubles.watch(heard.alarms)
            stage.observe(self._troubles.causes)
        if tick % LOOK_TICKS == 0:
            calm = self._troubles is None or self._troubles.faults.quiet
            for found in stage.progress.look(trucks.view(stage.clock.now_s), self._server.fleet(), calm=calm):
                found.server_says = self._server.why(found.truck_ids[0])

    def totals(self, wall_s: float, fault: str = "") -> Totals:
        """The books as they stand; *fault* is what ended the run before its time."""
        totals = self._stage.totals(wall_s, fault)
        return totals if self._troubles is None else self._troubles.account(totals)
