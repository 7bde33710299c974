"""
Setting out for a stand: the booking, the way and the mission change together, or nothing does.

Also the two turns on the road: to another stand while the fork is still ahead, and to another lane for the same stand.
"""

from __future__ import annotations

from fleet.server.dispatch.books import Books
from fleet.server.dispatch.stands import NOBODY, StandBooked, StandFreed, StandPromised
from fleet.server.dispatch.trips import INF, NOWHERE
from fleet.server.dispatch.wayfinding import Plan, Wayfinding
from planner.authority import Cause
from planner.limits import STAND_END_M


class Moves:
    """How trucks are sent."""

    def __init__(self, books: Books, ways: Wayfinding) -> None:
        self._books = books
        self._ways = ways

    def may_leave(self, row: int, plan: Plan, now_ns: int) -> bool:
        """
        Whether every gate of the way will have room for one more when the truck is there, and the border stays open long enough.

        Else says why not.
        """
        books = self._books
        gate_ixs = self._ways.gates_on(plan.new_lanes)
        crowded = self._ways.crowded(plan.new_lanes, gate_ixs, now_ns)
        if crowded is not None:
            books.reins.because(row, Cause.GATE, crowded)
            return False
        if not self._ways.fits(now_ns, plan.new_lanes, gate_ixs, plan.stand_ix):
            books.reins.because(row, Cause.OPENING)
            return False
        return True

    def set_out(self, row: int, plan: Plan) -> None:
        """The truck leaves its stand for the plan's, which is booked or promised; it keeps its own until its tail has left."""
        books = self._books
        truck = books.trips.known(row)
        left_m = books.trips.stand_m(row, truck.goal_ix) + STAND_END_M if truck.goal_ix != NOWHERE else 0.0
        assert truck.left_ix == NOWHERE, f"truck {truck.truck_id} has not left its last stand"
        assert left_m < INF, f"truck {truck.truck_id} is not on its stand's lane"
        self._take(row, plan.stand_ix)
        books.record(plan.route)
        books.keep_truck(row, goal_ix=plan.stand_ix, left_ix=truck.goal_ix, left_m=left_m, settled=False, staged=False)

    def redirect(self, row: int, plan: Plan) -> None:
        """The truck, on its way, goes to another stand; the one it never reached is free at once."""
        books = self._books
        truck = books.trips.known(row)
        self._take(row, plan.stand_ix)
        books.record(plan.route)
        books.keep_truck(row, goal_ix=plan.stand_ix, staged=False)
        if truck.goal_ix not in {NOWHERE, plan.stand_ix}:
            self._give_back(row, truck.goal_ix)

    def stage(self, row: int, plan: Plan) -> None:
        """The truck joins the queue before the bays; it is bound for no stand until a bay is its own."""
        books = self._books
        truck = books.trips.known(row)
        books.record(plan.route)
        if truck.settled:
            left_m = books.trips.stand_m(row, truck.goal_ix) + STAND_END_M
            books.keep_truck(row, goal_ix=NOWHERE, left_ix=truck.goal_ix, left_m=left_m, settled=False, staged=True)
            return
        books.keep_truck(row, goal_ix=NOWHERE, staged=True)
        if truck.goal_ix != NOWHERE:
            self._give_back(row, truck.goal_ix)

    def _take(self, row: int, stand_ix: int) -> None:
        """The stand is the truck's, or, while another has it, the place behind him."""
        books = self._books
        taken = int(books.stands.holder_row[stand_ix]) not in {NOBODY, row}
        books.record(StandPromised(stand_ix=stand_ix, row=row) if taken else StandBooked(stand_ix=stand_ix, row=row))

    def _give_back(self, row: int, stand_ix: int) -> None:
        """The truck does not go there any more."""
        books = self._books
        if books.stands.holder_row[stand_ix] == row:
            books.record(StandFreed(stand_ix=stand_ix))
        elif books.stands.next_row[stand_ix] == row:
            books.record(StandPromised(stand_ix=stand_ix, row=NOBODY))

    def go(self, row: int, plan: Plan) -> None:
        """Sets out, or turns on the road."""
        truck = self._books.trips.known(row)
        if truck.settled:
            self.set_out(row, plan)
        else:
            self.redirect(row, plan)

    def reroute(self, row: int, plan: Plan) -> bool:
        """Another way to the same stand; False when it is the way the truck has."""
        books = self._books
        if self._same_way(row, plan):
            return False
        books.record(plan.route)
        return True

    def _same_way(self, row: int, plan: Plan) -> bool:
        lanes = self._books.trips.path_of(row).lanes
        return lanes[-len(plan.route.lanes) :] == plan.route.lanes if len(plan.route.lanes) <= len(lanes) else False

    def free_of(self, row: int) -> None:
        """Frees every stand of a truck that is gone, and whatever was promised to it."""
        stands = self._books.stands
        for stand_ix in (*stands.held_by(row), *stands.promised_to(row)):
            self._give_back(row, stand_ix)
