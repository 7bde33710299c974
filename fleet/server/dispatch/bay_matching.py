"""
Who gets which bay, of those who want one in its yard.

Trucks bind to a bay as late as they can: from afar they book a parking stand, and near the bays whoever is there first takes
the bay that is free. So no bay waits for a truck that is still on the road, and queues form on stands, not on lanes.

Where there is a place behind a bay, whoever is there first takes that when no bay is free (`behind`).

A bay that its keeper blocks is nobody's any more before work begins there: whoever is bound for it, or stands in it, wants another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from fleet.clock import NS_PER_S
from fleet.server.columns import FloatColumn
from fleet.server.dispatch.behind import Behind
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.charging import Charging
from fleet.server.dispatch.mission import MissionEvent, MissionState
from fleet.server.dispatch.moves import Moves
from fleet.server.dispatch.staging import StagingArea, staging_of
from fleet.server.dispatch.stands import BAYS, NOBODY, PARKING
from fleet.server.dispatch.trips import NOWHERE, TruckKept
from fleet.server.dispatch.wayfinding import Wayfinding
from fleet.server.dispatch.yard import Yard
from planner.assignment import assign
from planner.authority import Cause
from planner.corridor import StandKind

_AT_BAYS_S: Final = 45.0  # this near the bays a truck in the queue is given one; further off, somebody might still cut in before it
_AT_END_M: Final = 0.5  # this near the queue's end a truck's road is all that it has to come
_WAIT_WEIGHT: Final = 1.0  # a second waited on a stand counts as a second nearer: nobody is passed over for long


class BayMatching:
    """Bays, and places in the queue before them, for who waits."""

    def __init__(self, books: Books, ways: Wayfinding, moves: Moves, yard: Yard, charging: Charging) -> None:
        self._books = books
        self._ways = ways
        self._moves = moves
        self._yard = yard
        self._staging = {yard.yard_id: staging_of(books.corridor, books.lanes, yard.yard_id) for yard in (books.loading, books.unloading)}
        self._behind = Behind(books)
        self._charging = charging

    def needs(self, row: int, truck: TruckKept) -> str:
        """The yard in which the truck wants a bay it has not booked; "" none."""
        mission = self._books.missions.of_row.get(row)
        if mission is None or truck.charging or (truck.goal_ix == NOWHERE and not truck.staged):
            return ""
        if mission.state not in {MissionState.ASSIGNED, MissionState.TO_UNLOAD}:
            return ""
        yard_id = self._yard.target_yard_id(mission)
        if truck.staged:
            return yard_id
        stand = self._books.corridor.stands[truck.goal_ix]
        at_bay = stand.kind is StandKind.BAY and stand.yard_id == yard_id
        return "" if at_bay and not self._books.stands.blocked(truck.goal_ix) else yard_id

    def give_up_blocked(self, row: int, truck: TruckKept, now_ns: int) -> None:
        """Who has a loading bay that does not work has none."""
        books = self._books
        mission = books.missions.of_row.get(row)
        if mission is None or mission.state is not MissionState.TO_LOAD or truck.goal_ix == NOWHERE:
            return
        if books.stands.blocked(truck.goal_ix):
            books.record(mission.after(MissionEvent.BAY_LOST, now_ns))

    def match(self, yard_id: str, rows: list[int], now_ns: int) -> None:
        """Free bays to those who need one, or places in the queue before the bays where the yard has one."""
        turned = self._turn_to_free(yard_id, rows, now_ns)
        rows = [row for row in rows if row not in turned]
        if not rows:
            return
        books = self._books
        bays = books.stands.free(yard_id, BAYS)
        bay = books.stands.all_of(yard_id, BAYS)[0]
        area = self._staging[yard_id]
        if area is None:
            self._to_bays(rows, bays, now_ns)
            self._to_bays([row for row in rows if self.needs(row, books.trips.known(row))], self._behind.places(yard_id, now_ns), now_ns)
        else:
            staged = [row for row in rows if books.trips.known(row).staged]
            self._head_of_queue(area, staged, bays, now_ns)
            self._join_queue(area, [row for row in rows if row not in staged], bay, now_ns)
        for row in rows:
            truck = books.trips.known(row)
            if (truck.settled or truck.staged) and self.needs(row, truck):
                if self._charging.keeps_others(truck) and self._charging.to_parking(row, yard_id, now_ns):
                    continue
                shut = self._ways.shut_off(row, books.stands.all_of(yard_id, BAYS))
                books.reins.because(row, *(shut or (Cause.SLOT, truck.goal_ix if truck.settled else bay)))

    def _turn_to_free(self, yard_id: str, rows: Sequence[int], now_ns: int) -> set[int]:
        """
        Who is on the way to a blocked bay, or to a place behind a bay, takes one that is free, as long as it can still turn to it.

        Rows of those who did. So nobody who finds less room there than there should be keeps those behind it from the bays.
        """
        turned: set[int] = set()
        bays = self._books.stands.free(yard_id, BAYS)
        for row in self._before_fork(yard_id, rows) if bays else ():
            near_s = self._ways.near_s(row)
            bay = min(bays, key=lambda free: (near_s[free], free))
            if near_s[bay] < np.inf and self._take_bay(row, bay, now_ns):
                bays.remove(bay)
                turned.add(row)
            if not bays:
                break
        return turned

    def _before_fork(self, yard_id: str, rows: Sequence[int]) -> list[int]:
        """Of those near whose bay is blocked or still another's, who holds no road on its lane yet, the first to come first."""
        books = self._books
        bound = {int(books.stands.next_row[bay]): bay for bay in books.stands.all_of(yard_id, BAYS)}
        for row in rows:
            goal_ix = books.trips.known(row).goal_ix
            to_bay = not books.trips.settled[row] and goal_ix != NOWHERE and books.corridor.stands[goal_ix].kind is StandKind.BAY
            if to_bay and self._ways.near_s(row)[goal_ix] <= books.options.arrival_near_s:
                bound[row] = goal_ix
        bound.pop(NOBODY, None)
        found: list[tuple[float, int]] = []
        for row, bay in bound.items():
            path, end_m = books.trips.path_of(row), float(books.trucks.end_m[row])
            k = path.find(books.trips.stand_lane[bay])
            if k >= 0 and end_m <= path.starts_m[k]:
                found.append((path.starts_m[k] - end_m, row))
        return [row for _, row in sorted(found)]

    def _wishes_s(self, rows: list[int], stand_ixs: list[int], now_ns: int) -> FloatColumn:
        """
        Seconds to each stand, less the seconds waited on one's own, (rows, stands).

        +inf for who cannot set out yet, or is on the road and not near.
        """
        books = self._books
        cost = np.array([self._ways.near_s(row)[stand_ixs] for row in rows])
        settled = books.trips.settled[rows]
        leaving = np.array([books.trips.known(row).left_ix != NOWHERE for row in rows])
        cost[(settled & leaving)[:, None] | (~settled[:, None] & (cost > books.options.arrival_near_s))] = np.inf
        waited_s = np.array([(now_ns - books.missions.of_row[row].since_ns) / NS_PER_S for row in rows])
        return cost - np.where(settled, _WAIT_WEIGHT * waited_s, 0.0)[:, None]

    def _to_bays(self, rows: list[int], bays: list[int], now_ns: int) -> None:
        """Without a queue: nearest first, longest waiting first."""
        if bays and rows:
            for taker, job in assign(self._wishes_s(rows, bays, now_ns)):
                self._take_bay(rows[taker], bays[job], now_ns)

    def _head_of_queue(self, area: StagingArea, staged: list[int], bays: list[int], now_ns: int) -> None:
        """
        Free bays to the foremost, as soon as they are near the yard's first: nobody behind another may have one before him.

        Where bays lie one behind another, the queue ends before the first, and a free one may lie far behind it.
        """
        if not staged:
            return
        all_bays = self._books.stands.all_of(area.yard_id, BAYS)
        near_s = {row: float(self._ways.near_s(row)[all_bays].min()) for row in staged}
        foremost = sorted(staged, key=lambda row: (near_s[row], row))
        near = [row for row in foremost if near_s[row] <= _AT_BAYS_S or self._reaches_end(row)]
        if not bays and near:
            bays = self._given_up(area, near[0], all_bays, now_ns)
        heads = near[: len(bays)]
        if heads:
            cost = np.array([self._ways.near_s(row)[bays] for row in heads])
            for taker, job in assign(cost):
                self._take_bay(heads[taker], bays[job], now_ns)
        for row, bay in zip(near[len(bays) :], self._behind.places(area.yard_id, now_ns), strict=False):
            self._take_bay(row, bay, now_ns)

    def _reaches_end(self, row: int) -> bool:
        """Whether the truck has road up to the queue's end, and so nobody before it, however slowly one drives there on ice."""
        return float(self._books.trucks.end_m[row]) >= self._books.trips.path_of(row).goal_m - _AT_END_M

    def _given_up(self, area: StagingArea, head: int, bays: Sequence[int], now_ns: int) -> list[int]:
        """
        A bay that a truck behind the queue's head has booked, from afar, as its refuge: it is free now, and that truck parks or queues.

        It could not get there before the head has gone, and the head not before it has: the two would wait for each other for good.
        """
        books = self._books
        for bay in bays:
            row = int(books.stands.holder_row[bay])
            truck = books.trips.truck[row] if row != NOBODY else None
            if truck is None or truck.goal_ix != bay or truck.settled or self._ways.near_s(row)[bay] <= self._ways.near_s(head)[bay]:
                continue
            if self._ways.plan(head, bay) is None:
                continue
            stand = self._ways.first_refuge(row, area.yard_id, (PARKING,))
            queue = None if stand is not None else self._ways.plan_queue(row, area.lane_ix)
            if stand is not None:
                self._moves.redirect(row, stand)
            elif queue is not None:
                self._moves.stage(row, queue)
            else:
                continue
            mission = books.missions.of_row.get(row)
            if mission is not None and mission.state is MissionState.TO_LOAD:
                books.record(mission.after(MissionEvent.BAY_LOST, now_ns))
            return [bay]
        return []

    def _join_queue(self, area: StagingArea, rows: list[int], bay: int, now_ns: int) -> None:
        """Who waits longest, or comes by now, joins the queue while it has room."""
        if not rows:
            return
        trips = self._books.trips
        queue = [row for row in trips.row_of.values() if trips.known(row).staged and trips.path_of(row).lanes[-1] == area.lane_ix]
        # Who gave up a bay on its way from afar does not keep the queue from those who wait beside it.
        away_s = [float(self._ways.near_s(row)[bay]) for row in queue]
        afar_s = [s for s in away_s if s > self._books.options.arrival_near_s]
        near = len(queue) - len(afar_s)
        room = min(area.room - near, area.fits - len(queue))
        if room <= 0:
            self._past_queue(area.yard_id, near, min(afar_s, default=0.0), rows, now_ns)
            return
        wishes_s = self._wishes_s(rows, [bay], now_ns)[:, 0]
        for at in np.argsort(wishes_s, kind="stable")[:room].tolist():
            plan = self._ways.plan_queue(rows[at], area.lane_ix) if np.isfinite(wishes_s[at]) else None
            if plan is not None:
                self._moves.stage(rows[at], plan)

    def _past_queue(self, yard_id: str, near: int, afar_s: float, rows: list[int], now_ns: int) -> None:
        """
        Free bays, beyond those for the *near* trucks of the queue, to who stands in the yard and is there before the rest of it.

        The queue is full then of trucks that are still on the road: a bay that waited for them would stand idle beside who wants it.
        """
        spare = self._books.stands.free(yard_id, BAYS)[near:]
        beside = [row for row in rows if self._books.trips.settled[row]]
        if not spare or not beside:
            return
        for taker, job in assign(self._wishes_s(beside, spare, now_ns)):
            if self._ways.near_s(beside[taker])[spare[job]] < afar_s:
                self._take_bay(beside[taker], spare[job], now_ns)

    def _take_bay(self, row: int, bay_ix: int, now_ns: int) -> bool:
        books = self._books
        plan = self._ways.plan(row, bay_ix)
        if plan is None:
            return False
        self._moves.go(row, plan)
        mission = books.missions.of_row[row]
        if mission.state is MissionState.ASSIGNED:
            books.record(mission.after(MissionEvent.BAY_BOOKED, now_ns))
        return True
