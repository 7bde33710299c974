"""A run in which things go wrong: the faults, the persons who clear up after them, and what the books are told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fleet.server.fleet_view import FleetView
from fleet.server.outgoing import Alarm
from fleet.v1 import gateway_pb2
from sim_harness import dynamics
from sim_harness.books import NO_CAUSE, Causes
from sim_harness.fault_service import FaultDesk
from sim_harness.faults.contact import ContactWatch
from sim_harness.faults.containment import ContainmentWatch
from sim_harness.faults.engine import Faults
from sim_harness.faults.scene import Breakable, Scene
from sim_harness.faults.server_books import BooksWatch
from sim_harness.faults.spec import FaultSpec
from sim_harness.faults.words import WordsWatch
from sim_harness.observation import Totals
from sim_harness.persons import Persons
from sim_harness.radio import Radio
from sim_harness.stage import Stage
from sim_harness.truck_agent import Trucks

LOOK_TICKS: Final = 10


class Troubles:
    """What goes wrong in one run, and what is done about it."""

    def __init__(
        self, stage: Stage[Trucks], radio: Radio, server: Breakable, specs: Sequence[FaultSpec], desk: FaultDesk | None = None
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
        self._persons = Persons(self.faults, stage, server)
        self.contact = ContactWatch(self._fleet)
        self.words = WordsWatch(self._fleet)
        self.server_books = BooksWatch(self._fleet)
        self.containment = ContainmentWatch(self._fleet)
        radio.listener = self._overhear
        self._view: FleetView | None = None

    def step(self) -> None:
        """Before the trucks hear and move."""
        if self._desk is not None:
            for spec in self._desk.take():
                self.faults.inject(spec)
        self.faults.step(self._stage.clock.now_s)

    def _overhear(self, frame: bytes, only: int | None) -> None:
        """The radio brought *frame*, to everybody whose words travel together or to the truck of row *only*."""
        control = gateway_pb2.GatewayControl.FromString(frame)
        self.contact.hear(control, only)
        self.words.hear(control, only)

    def watch(self, alarms: Sequence[Alarm]) -> None:
        """After the server has decided."""
        self._fleet.mark_undeclared()
        now_s, tick = self._stage.clock.now_s, self._stage.clock.tick
        self.contact.tick(now_s)
        self.words.tick(now_s)
        self.server_books.tick()
        self.containment.tick(self._stage.trucks.view(now_s))
        for alarm in alarms:
            fields = {("truck_id" if name == "truck" else name): value for name, value in alarm.fields}
            self._stage.books.notice("alarm_raised", alarm=alarm.name, **fields)
        looks_around = tick % LOOK_TICKS == 0
        if looks_around or not self.faults.quiet:
            self._view = self._server.fleet()
            self.faults.watch(now_s, alarms, self._view)
            # A server on an old copy of its journal knows less than it should: that it grants nothing is looked at elsewhere.
            if self._view is not None and not self._server.behind:
                self.server_books.look(self._view, now_s)
        if self._desk is not None and looks_around:
            self._desk.publish(now_s, self.faults.incidents)
        if looks_around and self._view is not None and self._server.answers:
            self._persons.look(self._view, now_s)

    def causes(self) -> Causes:
        """Why each truck stands: as the server has it and, where it knows nothing, as the truck itself does."""
        known = self._server.causes()
        own = dict(known)
        state, fleet = self._fleet.onboard, self._fleet
        ailing = self.faults.ailing
        for row, truck_id in enumerate(fleet.roster.truck_ids):
            if known.get(truck_id, ("", ""))[0] not in NO_CAUSE:
                continue
            ailment = ailing.get(truck_id)
            if ailment is not None:
                own[truck_id] = ("fault", ailment)
            elif not self._server.answers:
                own[truck_id] = ("server", "")
            elif state.lost[row] or state.waiting[row] or state.agreed_epoch[row] != self._server.epoch:
                own[truck_id] = ("contact", "")
            elif state.intruded[row] or fleet.belief.obstacle_m[row] != math.inf:
                own[truck_id] = ("intrusion", "")
            elif fleet.demand.mode[row] == dynamics.EMERGENCY_BRAKE or fleet.stops[row]:
                own[truck_id] = ("stop", "")
            elif state.doubt_m[row] > 0.0 or state.health[row] < 1.0:
                own[truck_id] = ("fault", "derated")
        return own

    def undone(self, now_s: float) -> tuple[str, ...]:
        """Safe states not reached and rules broken so far, one sentence each."""
        return (*self.faults.failures(now_s), *self.contact.found, *self.words.found, *self.server_books.found, *self.containment.found)

    def account(self, totals: Totals) -> Totals:
        """*totals* with the faults in them, and with what they left undone."""
        now_s = self._stage.clock.now_s
        return replace(
            totals,
            faults=self.faults.accounts(now_s),
            contact_breaches=len(self.contact.found),
            word_breaches=len(self.words.found),
            false_books=len(self.server_books.found),
            containment_breaches=len(self.containment.found),
            failures=(*totals.failures, *self.undone(now_s)),
        )
