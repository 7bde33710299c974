"""
One run in virtual time: the server's whole core, the fleet, the plant and its people, tick by tick.

Everything between trucks and server is protobuf bytes on an in-memory wire; the server is the real one without sockets.
One tick: the trucks move under what they heard, say where they are, the plant works, the server decides, and its words
travel until the next tick.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from sim_harness import link
from sim_harness.books import UNEXPLAINED, Books, Causes
from sim_harness.clock import Streams, VirtualClock
from sim_harness.observation import SAMPLE_TICKS, TICK_S, Checker, Recorder, Sample, Totals
from sim_harness.operator import Operator
from sim_harness.plant import Plant, PlantRules, Site
from sim_harness.scenario import Scenario
from sim_harness.truck_agent import Trucks

PROGRESS_TICKS: Final = 600


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


def plant_rules(scenario: Scenario) -> PlantRules:
    """The scenario's plant, as the plant knows it."""
    return PlantRules(**scenario.spec.plant.model_dump())


class Runner:
    """Runs a scenario against a server."""

    def __init__(self, scenario: Scenario, server: Server, recorder: Recorder, checker: Checker) -> None:
        self._scenario = scenario
        self._server = server
        self._recorder = recorder
        self._checker = checker
        streams = Streams(scenario.seed)
        corridor = scenario.corridor
        self._clock = VirtualClock()
        self._books = Books(scenario.roster, recorder)
        lane_ix = np.array([corridor.lane_ix[stand.lane_id] for stand in scenario.stands], dtype=np.int32)
        stop_m = np.array([stand.stop_m for stand in scenario.stands], dtype=np.float64)
        self._trucks = Trucks(scenario.roster, streams, lane_ix, stop_m)
        self._trucks.charge(streams, scenario.spec.truck.charge_least, scenario.spec.truck.charge_most)
        site = Site(corridor=corridor, rules=plant_rules(scenario), streams=streams)
        self._plant = Plant(site, self._trucks, server.call, self._books.notice)
        self._operator = Operator(scenario.spec.orders, server.call, self._books.notice)
        radio = scenario.spec.link
        self._up = link.Wire(
            streams.stream("gateway-1", "uplink"), delay_ticks=radio.delay_ticks, jitter_ticks=radio.jitter_ticks, loss=radio.loss
        )
        self._down = link.Wire(
            streams.stream("gateway-1", "downlink"), delay_ticks=radio.delay_ticks, jitter_ticks=radio.jitter_ticks, loss=radio.loss
        )
        self._start_m = self._trucks.travelled_m()

    @property
    def trucks(self) -> Trucks:
        """The fleet."""
        return self._trucks

    @property
    def books(self) -> Books:
        """What has been counted so far."""
        return self._books

    def run(self, progress: Callable[[float], None]) -> Totals:
        """
        Run to the scenario's end; *progress* hears the simulated seconds once a simulated minute.

        Whatever the server raises as its own mistake is not caught: a run that kills the server has failed.
        """
        began_s = time.monotonic()
        spec = self._scenario.spec
        self._books.notice("run_started", scenario=spec.scenario, seed=self._scenario.seed, trucks=spec.trucks)
        ticks = round(self._scenario.hours * 3600.0 / TICK_S)
        for _ in range(ticks):
            self.tick()
            if self._clock.tick % PROGRESS_TICKS == 0:
                progress(self._clock.now_s)
        return self.totals(time.monotonic() - began_s)

    def tick(self) -> None:
        """One tick of everything."""
        now_ns = self._clock.advance()
        tick = self._clock.tick
        books = self._books
        books.now_s = self._clock.now_s
        for frame in self._down.arrived(tick):
            self._trucks.hear(frame, now_ns)
        self._trucks.step(now_ns)
        said = self._trucks.say(tick, now_ns)
        if said is not None:
            self._up.send(tick, said)
        for frame in self._up.arrived(tick):
            self._server.say(frame)
        self._operator.step(now_ns)
        self._plant.step(now_ns)
        heard = self._server.tick(now_ns)
        for frame in heard.control:
            books.hear(frame)
            self._down.send(tick, frame)
        for call in heard.calls:
            self._plant.hear(call)
        for method, reason in heard.refusals:
            books.notice("command_refused", method=method, reason=reason)
        self._observe(tick)

    def _observe(self, tick: int) -> None:
        books = self._books
        if self._trucks.happened:
            for row, event, detail in self._trucks.happened:
                truck_id = self._scenario.roster.truck_ids[row]
                books.notice(event, truck_id=truck_id, **{"cause" if event == "emergency_braked" else "reason": detail})
            self._trucks.happened.clear()
        view = self._trucks.view(self._clock.now_s)
        books.tick(view)
        self._checker.tick(view)
        if tick % SAMPLE_TICKS == 0:
            causes = books.sample(view, self._server.causes())
            end_lane_ix, end_chainage_m = self._trucks.ends()
            self._recorder.sample(Sample(view=view, end_lane_ix=end_lane_ix, end_chainage_m=end_chainage_m, standing_cause=causes))

    def totals(self, wall_s: float) -> Totals:
        """The books as they stand."""
        books = self._books
        return Totals(
            scenario=self._scenario.spec.scenario,
            seed=self._scenario.seed,
            trace_hash=books.trace_hash,
            sim_seconds=self._clock.now_s,
            wall_seconds=wall_s,
            truck_km=float(np.sum(self._trucks.travelled_m() - self._start_m)) / 1000.0,
            round_trips=books.round_trips,
            round_trip_s=tuple(books.round_trip_s),
            tonnes=books.tonnes,
            gate_wait_s=tuple(books.gate_wait_s),
            waiting_s_by_cause={cause: seconds for cause, seconds in books.waiting_s.items() if cause != UNEXPLAINED},
            unexplained_wait_s=books.waiting_s[UNEXPLAINED],
            emergency_brakes=books.emergency_brakes,
            energy_wh=float(np.sum(self._trucks.motion.energy_wh)),
        )
