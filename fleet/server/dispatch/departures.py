"""
Who leaves which stand for which, once a second; whoever stays gets a reason.

Trucks bind to a bay as late as they can: from afar they book a parking stand, and near the bays whoever is there first takes
the bay that is free. So no bay waits for a truck that is still on the road, and queues form on stands, not on lanes.

Where there is a place behind a bay, whoever is there first takes that when no bay is free (`behind`).

Departures are metered by the room before each truck's first gate, not by rates from a flow model: orders go from one yard to one other,
so there is nothing to share out, and at the default site the bays have been kept as busy as chance leaves them without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from fleet.clock import NS_PER_S
from fleet.server.columns import FloatColumn
from fleet.server.desk import DeskView
from fleet.server.dispatch.batteries import CHARGERS
from fleet.server.dispatch.behind import Behind
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.charging import Charging
from fleet.server.dispatch.crossing import CrossingState
from fleet.server.dispatch.mission import ABOARD, MissionEvent, MissionKept, MissionState
from fleet.server.dispatch.moves import Moves
from fleet.server.dispatch.passage import Passage
from fleet.server.dispatch.staging import StagingArea, staging_of
from fleet.server.dispatch.stands import NOBODY
from fleet.server.dispatch.trips import NOWHERE, TruckKept
from fleet.server.dispatch.wayfinding import Wayfinding
from fleet.server.dispatch.yard import Yard
from planner.assignment import assign
from planner.authority import Cause
from planner.corridor import Stand, StandKind

_REFUGES: Final = ((StandKind.PARKING,), (StandKind.BAY,), (StandKind.SWAP, StandKind.PLUG))
_ASIDE: Final = (_REFUGES[0], _REFUGES[2])  # where a truck keeps nobody from working
_AT_BAYS_S: Final = 45.0  # this near the bays a truck in the queue is given one; further off, somebody might still cut in before it
_WAIT_WEIGHT: Final = 1.0  # a second waited on a stand counts as a second nearer: nobody is passed over for long


class Departures:
    """The once-a-second look at every truck."""

    def __init__(self, books: Books, ways: Wayfinding, moves: Moves, yard: Yard, passage: Passage, charging: Charging) -> None:
        self._books = books
        self._ways = ways
        self._moves = moves
        self._yard = yard
        self._passage = passage
        self._staging = {yard.yard_id: staging_of(books.corridor, books.lanes, yard.yard_id) for yard in (books.loading, books.unloading)}
        self._behind = Behind(books)
        self._charging = charging
        # Yards in which trucks stand and want bays.
        self._bays_wanted: set[str] = set()

    def look(self, view: DeskView, now_ns: int) -> None:
        """Matches waiting trucks to bays, then lets everybody leave who may."""
        books = self._books
        waiting: dict[str, list[int]] = {books.loading.yard_id: [], books.unloading.yard_id: []}
        leaving: list[tuple[bool, int, int]] = []
        self._charging.begin(view)
        for row in view.live.nonzero()[0].tolist():
            truck = books.trips.truck[row]
            if truck is None or truck.removed:
                continue
            self._excuse(row, truck, now_ns)
            if row in books.holds:
                books.reins.because(row, Cause.HOLD)
                continue
            yard_id = self._needs_bay(row, truck)
            if yard_id and (truck.staged or books.corridor.stands[truck.goal_ix].yard_id == yard_id):
                waiting[yard_id].append(row)
            elif truck.settled or truck.goal_ix == NOWHERE:
                leaving.append((*self._turn(row, truck), row))
        self._bays_wanted = {yard_id for yard_id, rows in waiting.items() if books.trips.settled[rows].any()}
        for yard_id, rows in waiting.items():
            self._turn_to_free(yard_id)
            if rows:
                self._match(yard_id, rows, now_ns)
        for _, _, row in sorted(leaving):
            self._consider(row, now_ns)

    def _turn(self, row: int, truck: TruckKept) -> tuple[bool, int]:
        """
        Who has the first choice of stands elsewhere: whoever stands in a bay, then who has waited longest.

        A truck that cannot leave its bay keeps another from working. Since when an empty one waits is not kept: the earlier it came
        through its home yard's gate, the longer it has been away.
        """
        mission = self._books.missions.of_row.get(row)
        in_bay = truck.settled and self._books.corridor.stands[truck.goal_ix].kind is StandKind.BAY
        return not in_bay, mission.since_ns if mission is not None else truck.entered_ns

    def _excuse(self, row: int, truck: TruckKept, now_ns: int) -> None:
        """
        A truck whose brakes are weaker than declared loads nothing more; what is aboard, or being lifted, it still delivers.

        Nor does one that waited for a bay on its stand until its battery does not last any more.
        """
        mission = self._books.missions.of_row.get(row)
        if mission is None or mission.state not in {MissionState.ASSIGNED, MissionState.TO_LOAD}:
            return
        spent = mission.state is MissionState.ASSIGNED and truck.settled and self._charging.must(row)
        if spent or row in self._books.weak:
            self._books.record(mission.after(MissionEvent.ABANDONED, now_ns))

    def _needs_bay(self, row: int, truck: TruckKept) -> str:
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
        return "" if at_bay else yard_id

    def _match(self, yard_id: str, rows: list[int], now_ns: int) -> None:
        """Free bays to those who need one, or places in the queue before the bays where the yard has one."""
        books = self._books
        bays = books.stands.free(yard_id, (StandKind.BAY,))
        bay = books.stands.all_of(yard_id, (StandKind.BAY,))[0]
        area = self._staging[yard_id]
        if area is None:
            self._to_bays(rows, bays, now_ns)
            self._to_bays(
                [row for row in rows if self._needs_bay(row, books.trips.known(row))], self._behind.places(yard_id, now_ns), now_ns
            )
        else:
            staged = [row for row in rows if books.trips.known(row).staged]
            self._head_of_queue(area, staged, bays, now_ns)
            self._join_queue(area, [row for row in rows if row not in staged], bay, now_ns)
        for row in rows:
            truck = books.trips.known(row)
            if (truck.settled or truck.staged) and self._needs_bay(row, truck):
                if self._blocks_charger(truck) and self._charging.to_parking(row, yard_id, now_ns):
                    continue
                shut = self._ways.shut_off(row, books.stands.all_of(yard_id, (StandKind.BAY,)))
                books.reins.because(row, *(shut or (Cause.SLOT, truck.goal_ix if truck.settled else bay)))

    def _turn_to_free(self, yard_id: str) -> None:
        """
        Who is on the way to a place behind a bay takes one that has become free, as long as it can still turn to it.

        So nobody who finds less room there than there should be keeps those behind it from the bays.
        """
        bays = self._books.stands.free(yard_id, (StandKind.BAY,))
        for row in self._behind.on_the_way(yard_id) if bays else ():
            near_s = self._ways.near_s(row)
            plan = self._ways.plan(row, min(bays, key=lambda free: (near_s[free], free)))
            if plan is not None and near_s[plan.stand_ix] < np.inf:
                self._moves.redirect(row, plan)
                bays.remove(plan.stand_ix)
            if not bays:
                return

    def _blocks_charger(self, truck: TruckKept) -> bool:
        """Whether the truck stands at a charger for which others wait."""
        stand = self._books.corridor.stands[truck.goal_ix]
        at_charger = truck.settled and truck.left_ix == NOWHERE and not truck.charging and stand.kind in CHARGERS
        return at_charger and self._charging.wanted(stand.yard_id)

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
        all_bays = self._books.stands.all_of(area.yard_id, (StandKind.BAY,))
        near_s = {row: float(self._ways.near_s(row)[all_bays].min()) for row in staged}
        foremost = sorted(staged, key=lambda row: (near_s[row], row))
        if not bays and near_s[foremost[0]] <= _AT_BAYS_S:
            bays = self._given_up(area, foremost[0], all_bays, now_ns)
        near = [row for row in foremost if near_s[row] <= _AT_BAYS_S]
        heads = near[: len(bays)]
        if heads:
            cost = np.array([self._ways.near_s(row)[bays] for row in heads])
            for taker, job in assign(cost):
                self._take_bay(heads[taker], bays[job], now_ns)
        for row, bay in zip(near[len(bays) :], self._behind.places(area.yard_id, now_ns), strict=False):
            self._take_bay(row, bay, now_ns)

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
            stand = self._ways.first_refuge(row, area.yard_id, _REFUGES[:1])
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
        trips = self._books.trips
        queue = [row for row in trips.row_of.values() if trips.known(row).staged and trips.path_of(row).lanes[-1] == area.lane_ix]
        # Who gave up a bay on its way from afar does not keep the queue from those who wait beside it.
        near = sum(float(self._ways.near_s(row)[bay]) <= self._books.options.arrival_near_s for row in queue)
        room = min(area.room - near, area.fits - len(queue))
        if room <= 0 or not rows:
            return
        wishes_s = self._wishes_s(rows, [bay], now_ns)[:, 0]
        for at in np.argsort(wishes_s, kind="stable")[:room].tolist():
            plan = self._ways.plan_queue(rows[at], area.lane_ix) if np.isfinite(wishes_s[at]) else None
            if plan is not None:
                self._moves.stage(rows[at], plan)

    def _take_bay(self, row: int, bay_ix: int, now_ns: int) -> None:
        books = self._books
        plan = self._ways.plan(row, bay_ix)
        if plan is None:
            return
        self._moves.go(row, plan)
        mission = books.missions.of_row[row]
        if mission.state is MissionState.ASSIGNED:
            books.record(mission.after(MissionEvent.BAY_BOOKED, now_ns))

    def _consider(self, row: int, now_ns: int) -> None:
        """One truck on a stand, or with nowhere to go."""
        books = self._books
        truck = books.trips.known(row)
        if truck.left_ix != NOWHERE:
            return
        if truck.goal_ix == NOWHERE:
            self._find_refuge(row)
            return
        mission = books.missions.of_row.get(row)
        stand = books.corridor.stands[truck.goal_ix]
        if truck.charging and stand.kind in CHARGERS:
            books.reins.because(row, Cause.CHARGING, truck.goal_ix)
        elif mission is not None and mission.state is MissionState.LADEN:
            if self._charging.batteries.lasts_across(row) or not self._charging.go(row, now_ns):
                self._leave_laden(row, mission, now_ns)
        elif mission is not None and mission.state is not MissionState.ASSIGNED:
            books.reins.because(row, Cause.BAY, truck.goal_ix)
        elif row in books.weak:
            self._lay_up(row, truck, now_ns)
        elif stand.yard_id != books.loading.yard_id:
            charges_here = not self._charging.batteries.lasts_home(row) or (mission is None and self._charging.sooner_here(row))
            if not charges_here or not self._charging.go(row, now_ns):
                self._go_home(row, stand, now_ns)
        elif not truck.decommissioned and self._charging.wants(row) and self._charging.go(row, now_ns):
            return
        elif mission is not None:
            # Assigned while it stands in a loading bay.
            books.record(mission.after(MissionEvent.BAY_BOOKED, now_ns))
        else:
            self._rest(row, truck, now_ns)

    def _find_refuge(self, row: int) -> None:
        books = self._books
        mission = books.missions.of_row.get(row)
        wanted = [self._yard.target_yard_id(mission)] if mission is not None else []
        for yard_id in dict.fromkeys((*wanted, books.loading.yard_id, books.unloading.yard_id)):
            plan = self._ways.first_refuge(row, yard_id, _REFUGES)
            if plan is not None:
                self._moves.set_out(row, plan)
                return

    def _refuges_in(self, yard_id: str) -> tuple[tuple[StandKind, ...], ...]:
        """
        The stands that may be booked from the other yard: bays only while nobody who stands there wants one.

        Where the queue before the bays is full of trucks that are still on the road, bays are free that nobody in the yard may take yet.
        """
        return _ASIDE if yard_id in self._bays_wanted else _REFUGES

    def _leave(self, row: int, yard_id: str, kinds: tuple[tuple[StandKind, ...], ...], now_ns: int) -> bool:
        plan = self._ways.first_refuge(row, yard_id, kinds)
        if plan is None:
            self._books.reins.because(row, *self._ways.why_no_stand(row, yard_id, kinds))
            return False
        if not self._moves.may_leave(row, plan, now_ns):
            return False
        self._moves.set_out(row, plan)
        return True

    def _go_home(self, row: int, stand: Stand, now_ns: int) -> None:
        """Empty, from the other yard's *stand*; where home is full for good, out of the way of who wants to unload."""
        home_id = self._books.loading.yard_id
        left = self._leave(row, home_id, self._refuges_in(home_id), now_ns)
        if not left and stand.kind is StandKind.BAY and self._home_is_at_rest():
            self._leave(row, stand.yard_id, _ASIDE, now_ns)

    def _home_is_at_rest(self) -> bool:
        """
        Whether every stand at home is taken by trucks that nothing calls away, be they there or on their way.

        Who waits in a bay for one of them keeps others from unloading for good: the last containers of the day would stay on the road.
        """
        books = self._books
        home = books.stands.all_of(books.loading.yard_id, [kind for kinds in _REFUGES for kind in kinds])
        holders = {int(books.stands.holder_row[ix]) for ix in home}
        behind = {int(books.stands.next_row[ix]) for ix in home}
        return NOBODY not in holders and not any(row in books.missions.of_row for row in holders | behind)

    def _leave_laden(self, row: int, mission: MissionKept, now_ns: int) -> None:
        books = self._books
        yard_id = self._yard.target_yard_id(mission)
        if not self._leave(row, yard_id, self._refuges_in(yard_id), now_ns):
            return
        books.record(mission.after(MissionEvent.DEPARTED, now_ns))
        crossing = books.crossings.of_row.get(row)
        if crossing is not None and crossing.state is CrossingState.QUEUED:
            self._passage.declare(crossing, now_ns)

    def _rest(self, row: int, truck: TruckKept, now_ns: int) -> None:
        """Nothing to do, in the loading yard: parks if it stands where others work, else stays."""
        books = self._books
        kind = books.corridor.stands[truck.goal_ix].kind
        wanted = any(mission.state is MissionState.ASSIGNED for mission in books.missions.of_row.values())
        in_the_way = kind is not StandKind.PARKING and (truck.decommissioned or wanted)
        in_the_way |= books.stands.next_row[truck.goal_ix] != NOBODY
        in_the_way |= truck.goal_ix in books.stands.barred or self._blocks_charger(truck)
        if in_the_way and self._leave(row, books.loading.yard_id, _REFUGES[:1], now_ns):
            return
        books.reins.because(row, Cause.NO_ORDER)

    def _lay_up(self, row: int, truck: TruckKept, now_ns: int) -> None:
        """To the nearest parking stand, there to stay until a person recommissions it: each metre less is one less to brake on."""
        books = self._books
        stand = books.corridor.stands[truck.goal_ix]
        if stand.kind is StandKind.PARKING and truck.goal_ix not in books.stands.barred:
            books.reins.because(row, Cause.FAULT, truck.goal_ix)
            return
        for yard_id in dict.fromkeys((stand.yard_id, books.loading.yard_id)):
            if self._leave(row, yard_id, _REFUGES[:1], now_ns):
                return

    def turn_back(self, row: int, now_ns: int) -> None:
        """Customs refused the load: back to the yard it came from, as soon as a refuge and a way there are free."""
        books = self._books
        mission = books.missions.of_row.get(row)
        if mission is None or mission.state not in ABOARD:
            return
        plan = self._ways.first_refuge(row, books.loading.yard_id, _REFUGES)
        if plan is None:
            return
        self._moves.redirect(row, plan)
        books.record(replace(mission, turned_back=True, since_ns=now_ns))
