"""
Who leaves which stand for which, once a second; whoever stays gets a reason.

From afar trucks book a parking stand; who gets which bay is matched where they are near (`bay_matching`).

Departures are metered by the room before each gate of a truck's way, not by rates from a flow model: orders go from one yard to one
other, so there is nothing to share out, and at the default site the bays have been kept as busy as chance leaves them without.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from fleet.server.desk import DeskView
from fleet.server.dispatch.bay_matching import BayMatching
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.charging import Charging
from fleet.server.dispatch.crossing import CrossingState
from fleet.server.dispatch.mission import ABOARD, MissionEvent, MissionKept, MissionState
from fleet.server.dispatch.moves import Moves
from fleet.server.dispatch.passage import Passage
from fleet.server.dispatch.stands import ASIDE, CHARGERS, NOBODY, PARKING, REFUGES
from fleet.server.dispatch.trips import NOWHERE, TruckKept
from fleet.server.dispatch.wayfinding import Wayfinding
from fleet.server.dispatch.yard import Yard
from planner.authority import Cause
from planner.corridor import Stand, StandKind


class Departures:
    """The once-a-second look at every truck."""

    def __init__(self, books: Books, ways: Wayfinding, moves: Moves, yard: Yard, passage: Passage, charging: Charging) -> None:
        self._books = books
        self._ways = ways
        self._moves = moves
        self._yard = yard
        self._passage = passage
        self._charging = charging
        self._bays = BayMatching(books, ways, moves, yard, charging)
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
            self._bays.give_up_blocked(row, truck, now_ns)
            yard_id = self._bays.needs(row, truck)
            if yard_id and (truck.staged or books.corridor.stands[truck.goal_ix].yard_id == yard_id):
                waiting[yard_id].append(row)
            elif truck.settled or truck.goal_ix == NOWHERE:
                leaving.append((*self._turn(row, truck), row))
        self._bays_wanted = {yard_id for yard_id, rows in waiting.items() if books.trips.settled[rows].any()}
        for yard_id, rows in waiting.items():
            self._bays.match(yard_id, rows, now_ns)
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
            plan = self._ways.first_refuge(row, yard_id, REFUGES)
            if plan is not None:
                self._moves.set_out(row, plan)
                return

    def _refuges_in(self, yard_id: str) -> tuple[tuple[StandKind, ...], ...]:
        """
        The stands that may be booked from the other yard: bays only while nobody who stands there wants one.

        Where the queue before the bays is full of trucks that are still on the road, bays are free that nobody in the yard may take yet.
        """
        return ASIDE if yard_id in self._bays_wanted else REFUGES

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
            self._leave(row, stand.yard_id, ASIDE, now_ns)

    def _home_is_at_rest(self) -> bool:
        """
        Whether every stand at home is taken by trucks that nothing calls away, be they there or on their way.

        Who waits in a bay for one of them keeps others from unloading for good: the last containers of the day would stay on the road.
        """
        books = self._books
        home = books.stands.all_of(books.loading.yard_id, chain(*REFUGES))
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
        in_the_way |= truck.goal_ix in books.stands.barred or self._charging.keeps_others(truck)
        if in_the_way and self._leave(row, books.loading.yard_id, (PARKING,), now_ns):
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
            if self._leave(row, yard_id, (PARKING,), now_ns):
                return

    def turn_back(self, row: int, now_ns: int) -> None:
        """Customs refused the load: back to the yard it came from, as soon as a refuge and a way there are free."""
        books = self._books
        mission = books.missions.of_row.get(row)
        if mission is None or mission.state not in ABOARD:
            return
        plan = self._ways.first_refuge(row, books.loading.yard_id, REFUGES)
        if plan is None:
            return
        self._moves.redirect(row, plan)
        books.record(replace(mission, turned_back=True, since_ns=now_ns))
