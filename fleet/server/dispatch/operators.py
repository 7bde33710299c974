"""
What operators may change: orders, single trucks, lanes.

Every method either changes something and answers, or raises and changes nothing. What two persons must agree to is held against the same
rules by itself (`require_removable` and its like), so that what cannot be done is refused to the first of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from fleet.errors import Code, FleetError, InvalidField, NotFound
from fleet.server.commands import (
    CancelOrder,
    CloseLane,
    CreateOrder,
    DecommissionTruck,
    HoldTruck,
    LaneAnswer,
    LimitLane,
    OpenLane,
    OrderAnswer,
    RecommissionTruck,
    RemoveTruck,
    ResumeTruck,
    SetLaneFriction,
    TruckAnswer,
)
from fleet.server.dispatch.agreements import (
    brakes_subject,
    grip_subject,
    limit_subject,
    removal_subject,
)
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.calls import CallKind
from fleet.server.dispatch.gates import NOBODY
from fleet.server.dispatch.mission import ABOARD, MissionEvent, MissionState
from fleet.server.dispatch.moves import Moves
from fleet.server.dispatch.orders import OrderKept, OrderState
from fleet.server.dispatch.persons import is_called
from fleet.server.dispatch.roads import LaneClosed
from fleet.server.dispatch.trips import NOWHERE
from fleet.server.facts import (
    LaneFrictionSet,
    LaneLimited,
    TruckHeld,
    TruckRecommissioned,
    TruckRemoved,
    TruckResumed,
)
from planner.limits import CONTAINERS_PER_ORDER_MAX, FRICTION_MAX, FRICTION_MIN


@dataclass(eq=False)
class TruckGone(FleetError):
    """The truck was removed from the corridor; its id is barred."""

    truck_id: str


@dataclass(eq=False)
class SecondPersonMissing(FleetError):
    """A truck is declared gone by two different persons, or not at all."""

    code: ClassVar[Code] = Code.PRECONDITION

    first: str
    second: str


@dataclass(eq=False)
class TruckUnderPower(FleetError):
    """A truck that is not powered off may still move: its road stays closed."""

    code: ClassVar[Code] = Code.PRECONDITION

    truck_id: str


class Operators:
    """The operators' desk."""

    def __init__(self, books: Books, moves: Moves) -> None:
        self._books = books
        self._moves = moves

    def create_order(self, command: CreateOrder, now_ns: int) -> OrderAnswer:
        """
        A new order.

        Raises:
            NotFound: no such yard.
            InvalidField: nothing, too much, or not from the loading to the unloading yard.
        """
        books = self._books
        known = {yard.yard_id for yard in books.corridor.yards}
        for yard_id in (command.from_yard_id, command.to_yard_id):
            if yard_id not in known:
                raise NotFound(kind="yard", name=yard_id)
        if (command.from_yard_id, command.to_yard_id) != (books.loading.yard_id, books.unloading.yard_id):
            raise InvalidField(name="to_yard_id", problem=f"coal goes from {books.loading.yard_id} to {books.unloading.yard_id}")
        if not 0 < command.container_count <= CONTAINERS_PER_ORDER_MAX:
            raise InvalidField(name="container_count", problem=f"must lie in 1 to {CONTAINERS_PER_ORDER_MAX}")
        number = books.orders.newest_number + 1
        order = OrderKept(
            order_id=f"order-{number:06d}",
            number=number,
            from_yard_id=command.from_yard_id,
            to_yard_id=command.to_yard_id,
            container_count=command.container_count,
            waiting_count=command.container_count,
            aboard_count=0,
            delivered_count=0,
            returned_count=0,
            due_ns=command.due_ns,
            priority=command.priority,
            state=OrderState.OPEN,
            created_ns=now_ns,
        )
        books.record(order)
        return order.answer()

    def cancel_order(self, command: CancelOrder, now_ns: int) -> OrderAnswer:
        """
        Picks up no more of an order; trucks on their way to load it are free again.

        Raises:
            NotFound: no such order.
        """
        books = self._books
        order = books.orders.by_id.get(command.order_id)
        if order is None:
            raise NotFound(kind="order", name=command.order_id)
        if order.state is OrderState.OPEN:
            order = order.cancelled()
            books.record(order)
            for mission in books.missions.of_order(order.order_id):
                if mission.state in {MissionState.ASSIGNED, MissionState.TO_LOAD}:
                    books.record(mission.after(MissionEvent.ABANDONED, now_ns))
        return order.answer()

    def hold_truck(self, command: HoldTruck, actor: str, now_ns: int) -> TruckAnswer:
        """Stops one truck inside its authority and keeps it there."""
        row = self.row(command.truck_id)
        if row not in self._books.holds:
            hold_id = f"hold:{command.request_id}"
            self._books.record(TruckHeld(row=row, stop_id=hold_id, reason=command.reason, actor=actor, at_ns=now_ns))
        return self.truck(row)

    def resume_truck(self, command: ResumeTruck, actor: str, now_ns: int) -> TruckAnswer:
        """Lifts the hold, or the quarantine."""
        row = self.row(command.truck_id)
        hold = self._books.holds.get(row)
        self._books.record(TruckResumed(row=row, stop_id=hold.stop_id if hold else "", actor=actor, at_ns=now_ns))
        return self.truck(row)

    def decommission_truck(self, command: DecommissionTruck, now_ns: int) -> TruckAnswer:
        """No more missions; what is aboard is still delivered, then the truck parks."""
        row = self.row(command.truck_id)
        books = self._books
        if not books.trips.known(row).decommissioned:
            books.keep_truck(row, decommissioned=True)
            mission = books.missions.of_row.get(row)
            if mission is not None and mission.state in {MissionState.ASSIGNED, MissionState.TO_LOAD}:
                books.record(mission.after(MissionEvent.ABANDONED, now_ns))
        return self.truck(row)

    def recommission_truck(self, command: RecommissionTruck, actor: str, now_ns: int) -> TruckAnswer:
        """
        A person saw the truck put right: missions again, and brakes believed as declared until it measures otherwise.

        Lifts no hold: that the truck may move is another thing to say.

        Raises:
            FleetError: as `require_repaired` says.
        """
        row = self.require_repaired(command)
        books = self._books
        if books.trips.known(row).decommissioned:
            books.keep_truck(row, decommissioned=False)
        books.record(TruckRecommissioned(row=row, reason=command.reason, actor=actor, at_ns=now_ns))
        return self.truck(row)

    def require_repaired(self, command: RecommissionTruck) -> int:
        """
        The row of a truck that was put right.

        Raises:
            NotFound, TruckGone: no such truck.
            InvalidField: what was done is not said.
        """
        row = self.row(command.truck_id)
        if not command.reason.strip():
            raise InvalidField(name="reason", problem="say what was done to the truck")
        return row

    def remove_truck(self, command: RemoveTruck, actor: str, now_ns: int) -> TruckAnswer:
        """
        Two persons declare the truck gone: its stands, gates and road open.

        Raises:
            FleetError: as `require_removable` says.
        """
        row = self.require_removable(command, actor)
        books = self._books
        self._settle_cargo(row, now_ns)
        self._free_gates(row)
        self._moves.free_of(row)
        books.keep_truck(row, removed=True, staged=False, goal_ix=NOWHERE, left_ix=NOWHERE, left_m=0.0, settled=False, charging=False)
        books.record(TruckRemoved(row=row, taken_to=command.taken_to, second_person=command.second_person, actor=actor, at_ns=now_ns))
        return self.truck(row)

    def require_removable(self, command: RemoveTruck, actor: str) -> int:
        """
        The row of a truck that may be declared gone.

        Raises:
            NotFound, TruckGone: no such truck.
            InvalidField: where it was taken is not said.
            SecondPersonMissing: no second person, or the same one.
            TruckUnderPower: power-off is not stated.
        """
        row = self.row(command.truck_id)
        if not command.taken_to.strip():
            raise InvalidField(name="taken_to", problem="say where the truck was taken")
        if not command.second_person.strip() or is_called(actor, command.second_person):
            raise SecondPersonMissing(first=actor, second=command.second_person)
        if not command.powered_off:
            raise TruckUnderPower(truck_id=command.truck_id)
        return row

    def _settle_cargo(self, row: int, now_ns: int) -> None:
        books = self._books
        mission = books.missions.of_row.get(row)
        if mission is not None:
            if mission.state in ABOARD:
                books.record(books.orders.by_id[mission.order_id].turned_back(len(mission.containers)))
            books.record(mission.after(MissionEvent.REMOVED, now_ns))
        crossing = books.crossings.of_row.get(row)
        if crossing is not None:
            books.close_call(CallKind.MANIFEST, crossing.crossing_id)
            books.record(replace(crossing, row=NOBODY))

    def _free_gates(self, row: int) -> None:
        books = self._books
        for gate_ix, gate in enumerate(books.gates.gates):
            if books.gates.called_row[gate_ix] == row:
                books.close_call(CallKind.GATE, gate.gate_id)
                books.record(books.gates.kept(gate_ix))
            elif books.gates.open_row[gate_ix] == row:
                books.record(books.gates.kept(gate_ix, awaits_shut=True))
        goal_ix = books.trips.known(row).goal_ix
        if goal_ix != NOWHERE and books.stands.holder_row[goal_ix] == row:
            books.close_call(CallKind.BAY, books.corridor.stands[goal_ix].stand_id)

    def close_lane(self, command: CloseLane, actor: str) -> LaneAnswer:
        """No new authority into the lane."""
        lane_ix = self.lane_ix(command.lane_id)
        self._books.record(LaneClosed(lane_ix=lane_ix, closed=True, reason=command.reason, actor=actor))
        return self.lane(lane_ix)

    def open_lane(self, command: OpenLane, actor: str) -> LaneAnswer:
        """Ends a closure."""
        lane_ix = self.lane_ix(command.lane_id)
        if self._books.roads.closed[lane_ix]:
            self._books.record(LaneClosed(lane_ix=lane_ix, closed=False, reason="", actor=actor))
        return self.lane(lane_ix)

    def limit_lane(self, command: LimitLane, actor: str) -> LaneAnswer:
        """
        A temporary speed limit; 0 lifts it.

        Raises:
            NotFound: no such lane.
            InvalidField: a limit below zero.
        """
        lane_ix = self._require_limit(command)
        limit = LaneLimited(lane_ix=lane_ix, speed_limit_mps=command.speed_limit_mps, reason=command.reason, actor=actor)
        self._books.record(limit)
        return self.lane(lane_ix)

    def set_lane_friction(self, command: SetLaneFriction, actor: str) -> LaneAnswer:
        """
        What grip the whole lane has, by a person's word.

        Raises:
            FleetError: as `require_grip` says.
        """
        lane_ix = self.require_grip(command)
        self._books.record(LaneFrictionSet(lane_ix=lane_ix, friction=command.friction, reason=command.reason, actor=actor))
        return self.lane(lane_ix)

    def require_grip(self, command: SetLaneFriction) -> int:
        """
        The row of a lane that may have that grip.

        Raises:
            NotFound: no such lane.
            InvalidField: no friction a road can have, or how it is known is not said.
        """
        lane_ix = self.lane_ix(command.lane_id)
        if not FRICTION_MIN <= command.friction <= FRICTION_MAX:
            raise InvalidField(name="friction", problem=f"must lie in {FRICTION_MIN} to {FRICTION_MAX}")
        if not command.reason.strip():
            raise InvalidField(name="reason", problem="say how it is known")
        return lane_ix

    def loosens(self, command: LimitLane) -> bool:
        """
        Whether somebody may drive faster by it than by the limit in force.

        Raises:
            NotFound: no such lane.
            InvalidField: a limit below zero.
        """
        limit_mps = float(self._books.roads.limit_mps[self._require_limit(command)])
        return limit_mps > 0.0 and not 0.0 < command.speed_limit_mps <= limit_mps

    def _require_limit(self, command: LimitLane) -> int:
        lane_ix = self.lane_ix(command.lane_id)
        if command.speed_limit_mps < 0.0:
            raise InvalidField(name="speed_limit_mps", problem="must not be negative")
        return lane_ix

    def row(self, truck_id: str) -> int:
        """
        The row of a truck that is there.

        Raises:
            NotFound, TruckGone: there is none.
        """
        row = self._books.trips.row_of.get(truck_id)
        if row is None:
            raise NotFound(kind="truck", name=truck_id)
        if self._books.trips.known(row).removed:
            raise TruckGone(truck_id=truck_id)
        return row

    def lane_ix(self, lane_id: str) -> int:
        """
        The row of a lane.

        Raises:
            NotFound: no such lane.
        """
        lane_ix = self._books.corridor.lane_ix.get(lane_id)
        if lane_ix is None:
            raise NotFound(kind="lane", name=lane_id)
        return lane_ix

    def truck(self, row: int) -> TruckAnswer:
        """A truck as the desk knows it."""
        books = self._books
        truck = books.trips.known(row)
        mission = books.missions.of_row.get(row)
        return TruckAnswer(
            row=row,
            truck_id=truck.truck_id,
            truck_type_id=truck.truck_type_id,
            mission_id=mission.mission_id if mission else "",
            mission_state=mission.state if mission else 0,
            goal_id=books.corridor.stands[truck.goal_ix].stand_id if truck.goal_ix != NOWHERE else "",
            containers=mission.containers if mission and mission.state in ABOARD else (),
            round_trips=truck.round_trips,
            held=row in books.holds,
            decommissioned=truck.decommissioned,
            asked=books.agreements.about(removal_subject(truck.truck_id), brakes_subject(truck.truck_id)),
        )

    def lane(self, lane_ix: int) -> LaneAnswer:
        """A lane as told to whoever asks."""
        books = self._books
        lane_id = books.corridor.lanes[lane_ix].lane_id
        return LaneAnswer(
            lane_id=lane_id,
            closed=bool(books.roads.closed[lane_ix]),
            speed_max_mps=books.corridor.lanes[lane_ix].speed_max_mps,
            speed_limit_mps=float(books.roads.limit_mps[lane_ix]),
            reason=books.roads.reason.get(lane_ix, ""),
            asked=books.agreements.about(grip_subject(lane_id), limit_subject(lane_id)),
        )
