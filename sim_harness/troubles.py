"""
A run in which things go wrong: the faults, the operator who clears up after them, and what the books are told.

The simulated operator does what a person must do, and no sooner than one would: when a truck is halted or quarantined and what
ailed it is over, he looks at it for a while and lets it go on. An all-stop that the server itself ordered he lifts the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fleet.server.fleet_view import FleetView
from fleet.server.loop.truck_session import State
from fleet.server.outgoing import Alarm
from sim_harness import dynamics, link
from sim_harness.books import NO_CAUSE, Causes
from sim_harness.fault_service import FaultDesk
from sim_harness.faults.engine import Faults
from sim_harness.faults.scene import Scene
from sim_harness.faults.spec import FaultSpec
from sim_harness.in_memory import InMemoryServer
from sim_harness.observation import Totals
from sim_harness.radio import Radio
from sim_harness.stage import Stage
from sim_harness.truck_agent import Trucks

# How long a person looks before he lets a truck go on (assumed), and how often he looks around.
RESPONSE_S: Final = 30.0
LOOK_TICKS: Final = 10
ASK_AGAIN_S: Final = 30.0
STOPPED: Final = frozenset({int(State.HALTED), int(State.QUARANTINED)})
REMOVED: Final = "removed:"
SERVER_STOPS: Final = ("doubt", "journal_behind")


class Troubles:
    """What goes wrong in one run, and what is done about it."""

    def __init__(
        self, stage: Stage[Trucks], radio: Radio, server: InMemoryServer, specs: Sequence[FaultSpec], desk: FaultDesk | None = None
    ) -> None:
        self._stage = stage
        self._desk = desk
        self._server = server
        self._fleet = stage.trucks.columns
        scene = Scene(
            corridor=stage.scenario.corridor,
            streams=stage.streams,
            fleet=self._fleet,
            radio=radio,
            plant=stage.plant,
            server=server,
            call=stage.call,
            now_ns=lambda: stage.clock.now_ns,
        )
        self.faults = Faults(scene, specs, stage.books.notice)
        self._since_s: dict[str, float] = {}
        self._clear_since_s = 0.0
        self._asked_count = 0
        self._view: FleetView | None = None

    def step(self) -> None:
        """Before the trucks hear and move."""
        if self._desk is not None:
            for spec in self._desk.take():
                self.faults.inject(spec)
        self.faults.step(self._stage.clock.now_s)

    def watch(self, alarms: Sequence[Alarm]) -> None:
        """After the server has decided."""
        now_s, tick = self._stage.clock.now_s, self._stage.clock.tick
        for alarm in alarms:
            fields = {("truck_id" if name == "truck" else name): value for name, value in alarm.fields}
            self._stage.books.notice("alarm_raised", alarm=alarm.name, **fields)
        looks_around = tick % LOOK_TICKS == 0
        if looks_around or not self.faults.quiet:
            self._view = self._server.fleet()
            self.faults.watch(now_s, alarms, self._view)
        if self._desk is not None and looks_around:
            self._desk.publish(now_s, self.faults.incidents)
        if looks_around and self._view is not None and self._server.answers:
            self._clear_up(self._view, now_s)

    def _clear_up(self, view: FleetView, now_s: float) -> None:
        """Release what was closed and let go on what was stopped, a while after what ailed it is over."""
        self._release(now_s)
        stopped = {truck_id for truck_id, session in zip(view.truck_ids, view.session.tolist(), strict=True) if session in STOPPED}
        for truck_id in [known for known in self._since_s if known not in stopped]:
            del self._since_s[truck_id]
        for truck_id in sorted(stopped):
            if self.faults.at_work_on(truck_id) is not None:
                self._since_s[truck_id] = now_s
            elif now_s - self._since_s.setdefault(truck_id, now_s) >= RESPONSE_S:
                self._since_s[truck_id] = now_s + ASK_AGAIN_S - RESPONSE_S
                self._resume(truck_id)

    def _release(self, now_s: float) -> None:
        """Say that the road is clear, once it has been for a while; a truck that still stands there keeps its road closed."""
        if self.faults.intruded:
            self._clear_since_s = now_s
        elif now_s - self._clear_since_s >= RESPONSE_S:
            for intrusion_id in self._server.intrusions():
                if not intrusion_id.startswith(REMOVED):
                    self._asked_count += 1
                    self._stage.call(*link.release_intrusion(f"clear-{self._asked_count}", intrusion_id))
                    self._stage.books.notice("intrusion_released", intrusion_id=intrusion_id)

    def _resume(self, truck_id: str) -> None:
        self._asked_count += 1
        self._stage.call(*link.resume(f"resume-{self._asked_count}", truck_id))
        self._stage.books.notice("truck_resumed", truck_id=truck_id)
        for stop_id in SERVER_STOPS:
            self._asked_count += 1
            self._stage.call(*link.lift(f"lift-{self._asked_count}", stop_id))

    def causes(self) -> Causes:
        """Why each truck stands: as the server has it and, where it knows nothing, as the truck itself does."""
        known = self._server.causes()
        own = dict(known)
        state, fleet = self._fleet.onboard, self._fleet
        for row, truck_id in enumerate(fleet.roster.truck_ids):
            if known.get(truck_id, ("", ""))[0] not in NO_CAUSE:
                continue
            ailment = self.faults.at_work_on(truck_id)
            if ailment is not None:
                own[truck_id] = ("fault", ailment)
            elif not self._server.answers:
                own[truck_id] = ("server", "")
            elif state.lost[row] or state.waiting[row]:
                own[truck_id] = ("contact", "")
            elif state.intruded[row] or fleet.belief.obstacle_m[row] != math.inf:
                own[truck_id] = ("intrusion", "")
            elif fleet.demand.mode[row] == dynamics.EMERGENCY_BRAKE or fleet.stops[row]:
                own[truck_id] = ("stop", "")
            elif state.doubt_m[row] > 0.0 or state.health[row] < 1.0:
                own[truck_id] = ("fault", "derated")
        return own

    def account(self, totals: Totals) -> Totals:
        """*totals* with the faults in them, and with what they left undone."""
        failures = self.faults.failures(self._stage.clock.now_s)
        return replace(totals, faults=self.faults.accounts(), failures=(*totals.failures, *failures))
