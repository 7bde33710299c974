"""
Once a second, while a site changes: other ways and other stands for those whose way or stand is to change, and, after the switch,
the rest of the way for those whose path ended where the two sites differ.

A truck that finds neither waits before the change; it is let on when the proposal is withdrawn, or the new site is in force.
"""

from __future__ import annotations

from typing import Final

from fleet.server.desk import DeskView
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.mission import MissionEvent, MissionState
from fleet.server.dispatch.moves import Moves
from fleet.server.dispatch.stands import REFUGES
from fleet.server.dispatch.trips import NOWHERE, TruckKept
from fleet.server.dispatch.wayfinding import Wayfinding

_TURNS_A_SECOND: Final = 4  # the search is the dear part


class SiteWays:
    """Turns that a change of the site asks for."""

    def __init__(self, books: Books, ways: Wayfinding, moves: Moves) -> None:
        self._books = books
        self._ways = ways
        self._moves = moves

    def look(self, view: DeskView, now_ns: int) -> None:
        """A few trucks at a time."""
        books = self._books
        if not books.trips.cut_off and not books.roads.barred.any():
            return
        turns = 0
        for row in range(len(view.nose_m)):
            truck = books.trips.truck[row]
            if turns == _TURNS_A_SECOND:
                return
            if truck is None or truck.removed or truck.settled or truck.goal_ix == NOWHERE or not view.live[row]:
                continue
            if row in books.trips.cut_off:
                turns += 1
                self._find_way(row, truck)
            elif self._meets_barred(row):
                turns += self._turn(row, truck, now_ns)

    def _find_way(self, row: int, truck: TruckKept) -> None:
        plan = self._ways.plan(row, truck.goal_ix)
        if plan is not None:
            self._moves.reroute(row, plan)

    def _meets_barred(self, row: int) -> bool:
        """Whether a barred lane lies on the path beyond what the truck holds, and it is not on one already."""
        books = self._books
        path, end_m = books.trips.path_of(row), float(books.trucks.end_m[row])
        first = path.k_of_end(end_m)
        barred = books.roads.barred
        return not barred[path.lanes[first]] and any(barred[lane] for lane in path.lanes[first + 1 :])

    def _turn(self, row: int, truck: TruckKept, now_ns: int) -> bool:
        """Another way to its stand, or, where that is barred, to another stand of the same yard; False when there is none."""
        books = self._books
        if truck.goal_ix not in books.stands.barred:
            plan = self._ways.plan(row, truck.goal_ix)
            return plan is not None and self._moves.reroute(row, plan)
        stands = books.corridor.stands
        lost = stands[truck.goal_ix]
        plan = self._ways.first_refuge(row, lost.yard_id, ((lost.kind,), *REFUGES))
        if plan is None:
            return False
        self._moves.redirect(row, plan)
        if stands[plan.stand_ix].kind is not lost.kind:
            books.keep_truck(row, charging=False)
            mission = books.missions.of_row.get(row)
            if mission is not None and mission.state is MissionState.TO_LOAD:
                books.record(mission.after(MissionEvent.BAY_LOST, now_ns))
        return True
