"""
Passing gates and the border: calls, proofs, clearances, and how far a truck may go meanwhile.

A truck may pass a gate's stop line only while the gate is proven open for it; the customs gate and what follows it also want
customs' decision, and a decision that sends the truck elsewhere (to the X-ray, or back) wants the new way to be set first. So
a truck waits where it can still turn, and never drives on under an old decision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np

from fleet.errors import Code, FleetError, InvalidField, NotFound
from fleet.server.columns import FlagColumn
from fleet.server.commands import CrossingAnswer, DecideCrossing, GateAnswer, OverdueGateAnswer, ReportBarrier
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.calls import CallKind
from fleet.server.dispatch.crossing import DECISIONS, PASSABLE, CrossingEvent, CrossingKept, CrossingState
from fleet.server.dispatch.gates import NOBODY
from fleet.server.dispatch.reins import Rein
from fleet.server.dispatch.trips import NOWHERE, GateAhead
from fleet.server.dispatch.wayfinding import Wayfinding
from fleet.server.outgoing import Alarm, GateCall, GatePassed, ManifestDeclared
from planner.authority import Cause
from planner.corridor import GateRole
from planner.limits import SAME_PLACE_M

_SHUT: Final = 1
_OPEN: Final = 2
_CUSTOMS_ROLES: Final = frozenset({GateRole.CUSTOMS, GateRole.PORTAL, GateRole.XRAY})
_BORDER_ROLES: Final = _CUSTOMS_ROLES | {GateRole.BORDER}


@dataclass(eq=False)
class GateNotCalled(FleetError):
    """The gate was not called for that truck; nothing moves."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Open a gate only in answer to a gate call."

    gate_id: str
    truck_id: str


@dataclass(eq=False)
class DecisionTooLate(FleetError):
    """The truck has permission to leave the checkpoint already."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Hold the truck instead."

    crossing_id: str
    state: str


class Passage:
    """Everything between a truck and the far side of a gate."""

    def __init__(self, books: Books, ways: Wayfinding) -> None:
        self._books = books
        self._ways = ways
        self.takes: FlagColumn = np.ones(len(books.corridor.gates), np.bool_)
        self.late: dict[int, int] = {}  # rows that would not be out of the strip before closing, by the gate they wait at

    def begin(self) -> None:
        """After a recovery no barrier is proven open: what was is asked for again."""
        books = self._books
        for gate_ix, row in enumerate(books.gates.open_row.tolist()):
            if row != NOBODY:
                books.record(books.gates.kept(gate_ix, called_row=row))
                self._call(row, gate_ix)
        books.calls.say_again()

    def watch_gates(self, now_ns: int) -> None:
        """Which gates take trucks now, and which take long; once a second."""
        books = self._books
        before = books.gates.long_overdue
        books.gates.watch(now_ns)
        for gate_ix in sorted(books.gates.long_overdue - before):
            overdue = self.overdue(gate_ix)
            taken_s = round(float(books.gates.overdue_s[gate_ix]))
            books.alarms.append(Alarm.of("gate_overdue", gate=overdue.gate_id, truck=overdue.truck_id, for_s=taken_s))
        takes = np.array([books.opening.gate_takes(gate_ix, now_ns) for gate_ix in range(len(self.takes))], np.bool_)
        if (takes != self.takes).any():
            self.takes = takes
            books.reins.loosen_all()

    def ask(self, row: int, now_ns: int) -> None:
        """The truck stands at its next gate's line, or drives up to a drive-through one: calls the gate, if it takes anyone."""
        books = self._books
        gate_ix = int(books.trips.gate_ix[row])
        if not books.gates.idle(gate_ix) or not self.takes[gate_ix] or self._too_late(row, gate_ix, now_ns):
            return
        books.record(books.gates.kept(gate_ix, called_row=row))
        self._call(row, gate_ix)
        books.reins.loosen(row)

    def _call(self, row: int, gate_ix: int) -> None:
        books = self._books
        crossing = books.crossings.of_row.get(row)
        gate_id = books.gates.gates[gate_ix].gate_id
        crossing_id = crossing.crossing_id if crossing else ""
        books.call(GateCall(gate_id=gate_id, truck_id=books.trips.known(row).truck_id, crossing_id=crossing_id))

    def _too_late(self, row: int, gate_ix: int, now_ns: int) -> bool:
        books = self._books
        path = books.trips.path_of(row)
        gate_ixs = [gate.gate_ix for gate in path.gates]
        strip = self._ways.strip(gate_ixs, books.trips.known(row).goal_ix)
        if strip is None or strip[0] != gate_ix:
            return False
        lanes = path.lanes[path.find(int(books.gates.lane_ix[gate_ix])) :]
        late = not self._ways.fits(now_ns, lanes, gate_ixs[gate_ixs.index(gate_ix) :], books.trips.known(row).goal_ix)
        if late != (row in self.late):
            self.late.pop(row, None)
            if late:
                self.late[row] = gate_ix
            books.reins.loosen(row)
        return late

    def passed(self, row: int) -> None:
        """The tail has left the next gate: the barrier may shut, and maybe the crossing is over."""
        books = self._books
        gate = books.trips.next_gate(row)
        if gate is None:
            return
        gate_id = books.gates.gates[gate.gate_ix].gate_id
        books.close_call(CallKind.GATE, gate_id)
        books.record(books.gates.kept(gate.gate_ix, awaits_shut=True))
        books.call(GatePassed(gate_id=gate_id, truck_id=books.trips.known(row).truck_id))
        books.keep_truck(row, passed_m=gate.clear_m)
        books.reins.revoked[row] = False
        self.late.pop(row, None)
        crossing = books.crossings.of_row.get(row)
        roles = {books.gates.gates[ahead.gate_ix].role for ahead in books.trips.gates_ahead(row)}
        if crossing is not None and crossing.state is CrossingState.CLEARED and not roles & _BORDER_ROLES:
            books.record(replace(crossing.after(CrossingEvent.LEAVE), row=NOBODY))

    def report_barrier(self, command: ReportBarrier) -> GateAnswer:
        """
        The interlock's proof.

        Raises:
            NotFound: no such gate or truck.
            GateNotCalled: open for a truck that did not ask.
            InvalidField: a state that proves nothing.
        """
        books = self._books
        gate_ix = books.corridor.gate_ix.get(command.gate_id)
        if gate_ix is None:
            raise NotFound(kind="gate", name=command.gate_id)
        if command.state == _OPEN:
            self._opened(gate_ix, command.truck_id)
        elif command.state == _SHUT:
            self._shut(gate_ix)
        else:
            raise InvalidField(name="state", problem=f"{command.state} is neither shut nor open")
        return self.gate_answer(gate_ix)

    def _opened(self, gate_ix: int, truck_id: str) -> None:
        books = self._books
        row = books.trips.row_of.get(truck_id)
        if row is None:
            raise NotFound(kind="truck", name=truck_id)
        gate_id = books.gates.gates[gate_ix].gate_id
        if row not in {books.gates.called_row[gate_ix], books.gates.open_row[gate_ix]}:
            raise GateNotCalled(gate_id=gate_id, truck_id=truck_id)
        books.record(books.gates.kept(gate_ix, open_row=row))
        books.close_call(CallKind.GATE, gate_id)
        crossing = books.crossings.of_row.get(row)
        if crossing is not None and books.gates.gates[gate_ix].role is GateRole.XRAY:
            seen = crossing.after(CrossingEvent.CLEAR) if crossing.state is CrossingState.INSPECTION else crossing
            books.record(replace(seen, scanned=True))
        books.reins.revoked[row] = False
        books.reins.loosen(row)

    def _shut(self, gate_ix: int) -> None:
        books = self._books
        row = int(books.gates.open_row[gate_ix])
        gate_id = books.gates.gates[gate_ix].gate_id
        if books.gates.awaits_shut[gate_ix]:
            books.record(books.gates.kept(gate_ix))
            books.close_call(CallKind.PASSED, gate_id)
        elif row != NOBODY:
            # The proof is lost before the truck has passed: it must not pass the line, if it still can stop.
            books.record(books.gates.kept(gate_ix, called_row=row))
            self._call(row, gate_ix)
            gate = books.trips.next_gate(row)
            ahead_m = books.gates.gates[gate_ix].barrier_m - books.gates.gates[gate_ix].stop_line_m
            if gate is not None and gate.gate_ix == gate_ix and books.trucks.nose_m[row] < gate.stop_m + ahead_m:
                books.reins.revoked[row] = True
            books.reins.loosen(row)

    def decide(self, command: DecideCrossing) -> CrossingAnswer:
        """
        Customs' answer.

        Raises:
            NotFound: no such crossing.
            InvalidField: no such decision.
            IllegalCrossingEvent: the crossing's state knows no such decision.
            DecisionTooLate: the truck may leave the checkpoint already.
        """
        books = self._books
        crossing = books.crossings.by_id.get(command.crossing_id)
        if crossing is None:
            raise NotFound(kind="crossing", name=command.crossing_id)
        event = DECISIONS.get(command.decision)
        if event is None:
            raise InvalidField(name="decision", problem=f"{command.decision} is no decision")
        after = crossing.after(event)
        if event is not CrossingEvent.CLEAR and (crossing.row < 0 or not self._can_be_stopped(crossing.row)):
            raise DecisionTooLate(crossing_id=crossing.crossing_id, state=crossing.state.name)
        books.record(after)
        if event is not CrossingEvent.HOLD:
            books.close_call(CallKind.MANIFEST, crossing.crossing_id)
        if crossing.row >= 0:
            books.reins.loosen(crossing.row)
        return after.answer()

    def _can_be_stopped(self, row: int) -> bool:
        """Whether a customs gate lies ahead that the truck's authority has not passed."""
        books = self._books
        end_m = float(books.trucks.end_m[row])
        return any(
            end_m <= gate.stop_m + SAME_PLACE_M and books.gates.gates[gate.gate_ix].role in _CUSTOMS_ROLES
            for gate in books.trips.gates_ahead(row)
        ) or not any(gate.role in _CUSTOMS_ROLES for gate in books.gates.gates)

    def declare(self, crossing: CrossingKept, now_ns: int) -> None:
        """The truck leaves its bay with the load: customs may look at it from now on."""
        declared = replace(crossing.after(CrossingEvent.DECLARE), declared_ns=now_ns)
        self._books.record(declared)
        self._books.call(ManifestDeclared(crossing=declared.value()))

    def draw(self, row: int) -> Rein:
        """How far the truck may go now, and why no further."""
        books = self._books
        truck = books.trips.truck[row]
        if truck is None or truck.removed or books.trips.path[row] is None:
            return Rein(limit_m=-np.inf, cause=Cause.SESSION)
        end_m = float(books.trucks.end_m[row])
        if truck.goal_ix == NOWHERE and not truck.staged:
            return Rein(limit_m=end_m, cause=Cause.STAND)
        path = books.trips.path_of(row)
        if row in books.trips.cut_off:
            return Rein(limit_m=end_m, cause=Cause.SITE_CHANGE, ref=path.lanes[-1])
        cause, ref = books.reins.wait[row] if truck.settled or truck.staged else (Cause.GOAL, truck.goal_ix)
        rein = Rein(limit_m=path.goal_m, cause=cause, ref=ref)
        for gate in books.trips.gates_ahead(row):
            why = self._hindrance(row, gate)
            if why is not None:
                rein = Rein(limit_m=gate.stop_m, cause=why, ref=gate.gate_ix) if gate.stop_m < rein.limit_m else rein
                break
        for k, lane in enumerate(path.lanes):
            if books.roads.closed[lane] and path.starts_m[k] >= end_m - SAME_PLACE_M and path.starts_m[k] < rein.limit_m:
                return Rein(limit_m=path.starts_m[k], cause=Cause.CLOSURE, ref=lane)
        return rein

    def _hindrance(self, row: int, gate: GateAhead) -> Cause | None:
        """Why the truck may not pass the gate's stop line; None when it may."""
        books = self._books
        gate_ix = gate.gate_ix
        role = books.gates.gates[gate_ix].role
        crossing = books.crossings.of_row.get(row) if role in _CUSTOMS_ROLES else None
        undecided = self._undecided(row, crossing) if crossing is not None else None
        if books.gates.open_row[gate_ix] == row:
            return undecided
        if books.gates.called_row[gate_ix] == row:
            return Cause.INSPECTION if role is GateRole.XRAY else undecided or Cause.GATE
        if not self.takes[gate_ix] or self.late.get(row) == gate_ix:
            return Cause.OPENING
        return Cause.GATE

    def _undecided(self, row: int, crossing: CrossingKept) -> Cause | None:
        """What customs, or a way that fits its decision, still lacks."""
        books = self._books
        if crossing.state not in PASSABLE:
            return Cause.CUSTOMS
        if crossing.state is CrossingState.REFUSED:
            return None if books.trips.goal_yard_id(row) == books.loading.yard_id else Cause.STAND
        if crossing.state is CrossingState.INSPECTION and not self.bound_to_scan(row):
            return Cause.INSPECTION
        return None

    def bound_to_scan(self, row: int) -> bool:
        """Whether the truck's way leads through an X-ray gate."""
        gates = self._books.gates.gates
        return any(gates[gate.gate_ix].role is GateRole.XRAY for gate in self._books.trips.gates_ahead(row))

    def overdue(self, gate_ix: int) -> OverdueGateAnswer:
        """Whom an overdue gate has, and since when."""
        books = self._books
        row = max(int(books.gates.called_row[gate_ix]), int(books.gates.open_row[gate_ix]))
        return OverdueGateAnswer(
            gate_id=books.gates.gates[gate_ix].gate_id,
            truck_id=books.trips.known(row).truck_id if row != NOBODY else "",
            since_ns=int(books.gates.since_ns[gate_ix]),
        )

    def must_turn_to_scan(self, row: int) -> bool:
        """
        Whether it is time to set a way through an X-ray gate: none is set, and the next gate of customs has the truck, or none lies ahead.

        Set earlier it would keep room there that somebody before it needs, who then waits for it, and it for him.
        """
        if self.bound_to_scan(row):
            return False
        gates = self._books.gates
        ahead = [gate.gate_ix for gate in self._books.trips.gates_ahead(row)]
        if not any(gates.gates[gate_ix].role in _CUSTOMS_ROLES for gate_ix in ahead):
            return True
        first = ahead[0]
        return gates.gates[first].role in _CUSTOMS_ROLES and row in {gates.called_row[first], gates.open_row[first]}

    def gate_answer(self, gate_ix: int) -> GateAnswer:
        """A gate as told to whoever asks."""
        books = self._books
        row = int(books.gates.open_row[gate_ix])
        return GateAnswer(
            gate_id=books.gates.gates[gate_ix].gate_id,
            state=_OPEN if row != NOBODY else _SHUT,
            truck_id=books.trips.known(row).truck_id if row != NOBODY else "",
            queue_count=int((books.trips.gate_ix == gate_ix).sum()),
            open_for_traffic=bool(self.takes[gate_ix]),
        )
