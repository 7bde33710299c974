"""
Work at stands: who is called to load, unload or charge a truck, and what their proofs change.

A truck stands immobilised before anybody is called to it, and does not leave before they prove clear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import ClassVar

from fleet.errors import Code, FleetError, InvalidField, NotFound
from fleet.server.commands import BayAnswer, ReportBay
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.calls import CallKind
from fleet.server.dispatch.crossing import CrossingKept, CrossingState
from fleet.server.dispatch.mission import MissionEvent, MissionKept, MissionState
from fleet.server.dispatch.stands import NOBODY, SERVED, BayProven, BayState, StandFreed
from fleet.server.dispatch.trips import NOWHERE
from fleet.server.outgoing import Alarm, BayCall, BayLeft
from planner.corridor import Stand, StandKind


class BayWork(IntEnum):
    """What is done at a stand; numbers as on the wire."""

    NONE = 0
    LOAD = 1
    UNLOAD = 2
    CHARGE = 3


@dataclass(eq=False)
class BayNotCalled(FleetError):
    """No work was asked for at that stand on that truck; nothing moves."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Report work only in answer to a bay call."

    bay_id: str
    truck_id: str


@dataclass(eq=False)
class BayBusy(FleetError):
    """The stand cannot be ready while work on a truck is going on; prove it clear first."""

    code: ClassVar[Code] = Code.PRECONDITION

    bay_id: str
    truck_id: str


class Yard:
    """Bays and chargers."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def work_for(self, row: int) -> BayWork:
        """What should be done to the truck where it stands, and has not been called for."""
        books = self._books
        truck = books.trips.truck[row]
        if truck is None or not truck.settled or truck.removed:
            return BayWork.NONE
        stand = books.corridor.stands[truck.goal_ix]
        if books.stands.blocked(truck.goal_ix):
            return BayWork.NONE
        if stand.kind in {StandKind.PLUG, StandKind.SWAP}:
            called = books.calls.find(CallKind.BAY, stand.stand_id) is not None
            return BayWork.CHARGE if truck.charging and not called else BayWork.NONE
        mission = books.missions.of_row.get(row)
        return self._cargo_work(mission, stand) if mission is not None and stand.kind is StandKind.BAY else BayWork.NONE

    def _cargo_work(self, mission: MissionKept, stand: Stand) -> BayWork:
        if mission.state is MissionState.TO_LOAD and stand.yard_id == self._books.loading.yard_id:
            return BayWork.LOAD
        if mission.state is MissionState.TO_UNLOAD and stand.yard_id == self.target_yard_id(mission):
            return BayWork.UNLOAD
        return BayWork.NONE

    def target_yard_id(self, mission: MissionKept) -> str:
        """The yard in which the mission's truck works next."""
        order = self._books.orders.by_id[mission.order_id]
        return order.to_yard_id if mission.state in _OUTBOUND and not mission.turned_back else order.from_yard_id

    def call(self, row: int, work: BayWork, now_ns: int) -> None:
        """The truck stands immobilised: its keeper may begin."""
        books = self._books
        if work is BayWork.NONE:
            return
        books.reins.loosen(row)
        truck = books.trips.known(row)
        mission = books.missions.of_row.get(row)
        containers = mission.containers if mission is not None and work is not BayWork.CHARGE else ()
        if mission is not None and work is not BayWork.CHARGE:
            books.record(mission.after(MissionEvent.STOOD_AT_BAY, now_ns))
        stand_id = books.corridor.stands[truck.goal_ix].stand_id
        books.call(BayCall(bay_id=stand_id, truck_id=truck.truck_id, work=work, containers=containers))

    def left(self, row: int) -> None:
        """The tail has left a stand: it is free, and its keeper may prepare it for the next truck."""
        books = self._books
        truck = books.trips.known(row)
        stand = books.corridor.stands[truck.left_ix]
        books.keep_truck(row, left_ix=NOWHERE, left_m=0.0)
        books.record(StandFreed(stand_ix=books.corridor.stand_ix[stand.stand_id]))
        if stand.kind in SERVED:
            books.call(BayLeft(bay_id=stand.stand_id, truck_id=truck.truck_id))

    def report_bay(self, command: ReportBay, now_ns: int) -> BayAnswer:
        """
        The loader's proof.

        Raises:
            NotFound: no such stand, or nobody works there.
            InvalidField: a state that proves nothing, or containers that cannot be.
            BayNotCalled: work on a truck that nobody was called to.
            BayBusy: ready while work is going on.
        """
        books = self._books
        stand_ix = books.corridor.stand_ix.get(command.bay_id)
        if stand_ix is None or books.corridor.stands[stand_ix].kind not in SERVED:
            raise NotFound(kind="bay", name=command.bay_id)
        if command.state in {BayState.READY, BayState.BLOCKED}:
            self._prepared(stand_ix, BayState(command.state))
        elif command.state in {BayState.WORKING, BayState.CLEAR}:
            self._worked(stand_ix, command, now_ns)
        else:
            raise InvalidField(name="state", problem=f"{command.state} proves nothing")
        books.reins.loosen_all()
        return self.answer(stand_ix)

    def _prepared(self, stand_ix: int, state: BayState) -> None:
        books = self._books
        stand_id = books.corridor.stands[stand_ix].stand_id
        if state is BayState.READY:
            call_id = books.calls.find(CallKind.BAY, stand_id)
            if books.stands.state[stand_ix] is BayState.WORKING and call_id is not None:
                raise BayBusy(bay_id=stand_id, truck_id=self._called(stand_ix).truck_id)
            books.close_call(CallKind.LEFT, stand_id)
        self._prove(stand_ix, state)

    def _called(self, stand_ix: int) -> BayCall:
        books = self._books
        call_id = books.calls.find(CallKind.BAY, books.corridor.stands[stand_ix].stand_id)
        content = books.calls.open[call_id].content if call_id is not None else None
        return content if isinstance(content, BayCall) else BayCall(bay_id="", truck_id="", work=0, containers=())

    def _worked(self, stand_ix: int, command: ReportBay, now_ns: int) -> None:
        books = self._books
        called = self._called(stand_ix)
        row = books.trips.row_of.get(command.truck_id, NOBODY)
        if row == NOBODY or called.truck_id != command.truck_id:
            raise BayNotCalled(bay_id=command.bay_id, truck_id=command.truck_id)
        if command.state == BayState.CLEAR:
            self._require_possible(called, command)
            books.close_call(CallKind.BAY, command.bay_id)
            self._done(row, called, command, now_ns)
            if books.stands.blocked(stand_ix) and called.work != BayWork.CHARGE:
                # A machine that broke over the truck is clear of it, and works no more before it says so.
                return
        self._prove(stand_ix, BayState(command.state))

    def _prove(self, stand_ix: int, state: BayState) -> None:
        """Keeps the proof; the log has when a stand went out of order, with whom in it, and when that was over."""
        books = self._books
        was_blocked = books.stands.blocked(stand_ix)
        books.record(BayProven(stand_ix=stand_ix, state=state))
        if was_blocked is not (state is BayState.BLOCKED):
            event = "bay_mended" if was_blocked else "bay_blocked"
            now = self.answer(stand_ix)
            books.alarms.append(Alarm.of(event, bay=now.bay_id, truck=now.truck_id))

    def _require_possible(self, called: BayCall, command: ReportBay) -> None:
        names = [container.container_id for container in command.containers]
        if len(set(names)) != len(names):
            raise InvalidField(name="containers", problem="a container is named twice")
        if called.work == BayWork.LOAD and len(names) > len(called.containers):
            raise InvalidField(name="containers", problem=f"{len(names)} aboard, {len(called.containers)} were called for")
        strange = sorted(set(names) - {container.container_id for container in called.containers})
        if called.work == BayWork.UNLOAD and strange:
            raise InvalidField(name="containers", problem=f"{strange[0]} was not aboard")

    def _done(self, row: int, called: BayCall, command: ReportBay, now_ns: int) -> None:
        books = self._books
        if called.work == BayWork.CHARGE:
            books.keep_truck(row, charging=False)
            return
        mission = books.missions.of_row[row]
        if called.work == BayWork.LOAD:
            self._loaded(mission, command, now_ns)
        else:
            self._unloaded(mission, {container.container_id for container in command.containers}, now_ns)

    def _loaded(self, mission: MissionKept, command: ReportBay, now_ns: int) -> None:
        books = self._books
        order = books.orders.by_id[mission.order_id]
        count = len(command.containers)
        if count == 0:
            books.record(mission.after(MissionEvent.ABANDONED, now_ns))
            return
        books.record(order.loaded(count))
        books.record(replace(mission.after(MissionEvent.LOADED, now_ns), containers=command.containers))
        number = books.crossings.newest_number + 1
        books.record(
            CrossingKept(
                crossing_id=f"crossing-{number:06d}",
                number=number,
                row=mission.row,
                truck_id=books.trips.known(mission.row).truck_id,
                state=CrossingState.QUEUED,
                containers=command.containers,
                declared_ns=0,
            )
        )

    def _unloaded(self, mission: MissionKept, left_ids: set[str], now_ns: int) -> None:
        """What is not aboard any more has arrived; with the rest the truck goes on to where it can be unloaded."""
        books = self._books
        order = books.orders.by_id[mission.order_id]
        off = tuple(container for container in mission.containers if container.container_id not in left_ids)
        left = tuple(container for container in mission.containers if container.container_id in left_ids)
        books.record(order.turned_back(len(off)) if mission.turned_back else order.delivered(len(off)))
        if not mission.turned_back:
            books.delivered(off)
        if left:
            books.record(replace(mission.after(MissionEvent.BROKE_OFF, now_ns), containers=left))
            return
        crossing = books.crossings.of_row.get(mission.row)
        if crossing is not None:
            books.record(replace(crossing, row=NOBODY))
        if mission.turned_back:
            books.record(mission.after(MissionEvent.TURNED_BACK, now_ns))
            return
        books.record(mission.after(MissionEvent.UNLOADED, now_ns))
        books.keep_truck(mission.row, unloaded=True)

    def answer(self, stand_ix: int) -> BayAnswer:
        """A stand as told to whoever asks."""
        books = self._books
        row = int(books.stands.holder_row[stand_ix])
        return BayAnswer(
            bay_id=books.corridor.stands[stand_ix].stand_id,
            state=books.stands.state[stand_ix],
            truck_id=books.trips.known(row).truck_id if row != NOBODY else "",
        )


_OUTBOUND = frozenset({MissionState.LADEN, MissionState.TO_UNLOAD, MissionState.UNLOADING})
