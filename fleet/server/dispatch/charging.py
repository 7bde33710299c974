"""
Who charges when and where, so that nobody is stranded and chargers are never wanted by all at once.

A truck whose battery does not last for another mission must charge, and gets none before. Others charge while nothing is to be done;
and, when the fleet would run low together, some do before they must, as long as a charger is free that nobody needs more. Swap stands
are quick: a plug is taken only where that is sooner than a turn at one of them. Who is done makes room for whoever waits. Home is where
trucks charge, unless so many wait there that an empty one in the far yard is done sooner before it sets out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fleet.server.desk import DeskView
from fleet.server.dispatch.batteries import Batteries
from fleet.server.dispatch.books import Books
from fleet.server.dispatch.moves import Moves
from fleet.server.dispatch.opening import NEVER_S
from fleet.server.dispatch.stands import CHARGERS, PARKING, BayState
from fleet.server.dispatch.trips import NOWHERE, TruckKept
from fleet.server.dispatch.wayfinding import Plan, Wayfinding
from planner.authority import Cause
from planner.corridor import StandKind
from planner.energy import early_count

_WORTH_IT: Final = 0.3  # share of the battery missing, from which on charging before one must is worth the way
_FULL: Final = 0.05  # with less missing there is nothing to charge
_IN_AND_OUT_S: Final = 90.0  # between one truck's leaving a charger and the next one's standing at it


class Charging:
    """The chargers' book of wishes, drawn anew at every look; what was decided is in the trucks' own facts."""

    def __init__(self, books: Books, ways: Wayfinding, moves: Moves) -> None:
        self._books = books
        self._ways = ways
        self._moves = moves
        self.batteries = Batteries(books)
        # Who waited for a charger of which yard at the last look, and who does so far at this one.
        self._waiting: dict[int, str] = {}
        self._asking: dict[int, str] = {}
        self._early: set[int] = set()
        self.jobless = False
        yards = (books.loading.yard_id, books.unloading.yard_id)
        self._all = {(yard_id, kind): books.stands.all_of(yard_id, (kind,)) for yard_id in yards for kind in CHARGERS}
        processes = books.corridor.processes
        names = {StandKind.SWAP: "swap", StandKind.PLUG: "plug"}
        self._service_s = {kind: processes[name].mean_s if name in processes else 0.0 for kind, name in names.items()}

    def begin(self, view: DeskView) -> None:
        """A look at everybody begins."""
        self.batteries.see(view)
        self._waiting, self._asking = self._asking, {}

    def plan_ahead(self, rows: Iterable[int], now_ns: int) -> None:
        """
        Which of the trucks in service go before they must: of the lowest, as many as find a charger free when they get there.

        Whoever has just unloaded is asked before it has work again: in a fleet that is always at work nobody is ever idle at home. Who
        lasts until the border closes has the night to charge in.
        """
        books, batteries = self._books, self.batteries
        yard_id = books.loading.yard_id
        kind = self._kind_at(yard_id)
        chargers = self._all[yard_id, kind]
        left_s = books.opening.border_left_s(now_ns) or NEVER_S
        lasts_s = {row: batteries.lasts_s(row) for row in rows if batteries.left_wh(row) > 0.0}
        lasting = {row: seconds for row, seconds in lasts_s.items() if seconds < left_s}
        self._early = set()
        if not lasting or not chargers:
            return
        ahead_s = max(forecast.trip_s for forecast in batteries.forecasts)
        turn_s = self._turn_s(kind)
        count = early_count(list(lasting.values()), turn_s, len(chargers), ahead_s)
        if count == 0:
            return
        lowest = sorted(lasting, key=lambda row: (lasting[row], row))[:count]
        coming = {row: float(self._ways.near_s(row)[chargers].min()) for row in lowest if self._may_go_early(row)}
        free = len(books.stands.free(yard_id, (kind,))) - len(self._waiting)
        for row in sorted(coming, key=lambda row: (coming[row], lasting[row], row)):
            if len(self._early) < free + len(chargers) * (coming[row] // turn_s):
                self._early.add(row)

    def _may_go_early(self, row: int) -> bool:
        """Whether the truck has no work, wherever it is, and a charge is worth the way."""
        idle = self._books.trips.known(row).goal_ix != NOWHERE and row not in self._books.missions.of_row
        return idle and self.batteries.lack(row) >= _WORTH_IT

    def _turn_s(self, kind: StandKind) -> float:
        """From one truck's turn at a charger to the next one's."""
        return self._service_s[kind] + _IN_AND_OUT_S

    def may_work(self, row: int) -> bool:
        """Whether the truck may have a mission now."""
        return self.batteries.lasts(row) and row not in self._early

    def must(self, row: int) -> bool:
        """Whether the truck's battery does not last for another mission."""
        return not self.batteries.lasts(row)

    def wants(self, row: int) -> bool:
        """Whether the truck, idle in the loading yard, should charge: it must, it is one of the early, or there is nothing else to do."""
        if self.must(row) or row in self._early:
            return True
        return self.jobless and not self._waiting and self.batteries.lack(row) >= _WORTH_IT

    def sooner_here(self, row: int) -> bool:
        """
        Whether an empty truck in the far yard that must charge before it works again is done sooner there than at home, where others wait.

        Only as long as a charger is free there that nobody in that yard waits for.
        """
        books = self._books
        if self.may_work(row) or self.batteries.lack(row) < _WORTH_IT or books.trips.known(row).decommissioned:
            return False
        home_id, here_id = books.loading.yard_id, books.trips.goal_yard_id(row)
        waiting = list(self._waiting.values())
        here, home = self._kind_at(here_id), self._kind_at(home_id)
        free = len(books.stands.free(here_id, (here,))) - waiting.count(here_id)
        chargers = self._all[home_id, home]
        if free <= 0 or not chargers or home_id not in waiting:
            return False
        turns_s = waiting.count(home_id) / len(chargers) * self._turn_s(home)
        return self._charge_s(row, here) < turns_s + self._charge_s(row, home)

    def _kind_at(self, yard_id: str) -> StandKind:
        """The quickest kind of charger a yard has; plugs where it has none."""
        return StandKind.SWAP if self._all[yard_id, StandKind.SWAP] else StandKind.PLUG

    def _charge_s(self, row: int, kind: StandKind) -> float:
        """How long the truck is at a charger of that kind."""
        return self._service_s[kind] * (1.0 if kind is StandKind.SWAP else self.batteries.lack(row))

    def keeps_others(self, truck: TruckKept) -> bool:
        """Whether the truck stands, to no use, at a charger for which others wait."""
        stand = self._books.corridor.stands[truck.goal_ix]
        at_charger = truck.settled and truck.left_ix == NOWHERE and not truck.charging and stand.kind in CHARGERS
        return at_charger and stand.yard_id in self._waiting.values()

    def go(self, row: int, now_ns: int) -> bool:
        """To a charger of the yard it is in, if one is free for it; who must charge and cannot waits, out of others' way."""
        books = self._books
        yard_id = books.trips.goal_yard_id(row)
        must = self.must(row) or yard_id != books.loading.yard_id or row in books.missions.of_row
        plan = self._charger(row, yard_id)
        if plan is None and self._charges_here(row, yard_id):
            books.keep_truck(row, charging=True)
            return True
        if plan is not None and self._moves.may_leave(row, plan, now_ns):
            self._moves.set_out(row, plan)
            books.keep_truck(row, charging=True)
            return True
        if not must or not self._has_chargers(yard_id, row):
            return False
        self._asking[row] = yard_id
        # Where a charger is free and the way there is not, that is what it waits for, and has been said.
        self._make_room(row, yard_id, now_ns, waits_for_turn=plan is None)
        return True

    def _charges_here(self, row: int, yard_id: str) -> bool:
        """Whether the truck stands at the charger it wants, and was not charged there just now: its report may not say so yet."""
        books = self._books
        goal_ix = books.trips.known(row).goal_ix
        kind = books.corridor.stands[goal_ix].kind
        wants = kind is StandKind.SWAP or (kind is StandKind.PLUG and self._takes_plug(row, yard_id))
        return wants and books.stands.state[goal_ix] is not BayState.CLEAR

    def _has_chargers(self, yard_id: str, row: int) -> bool:
        """Whether there is anything to wait for; who has work in hand or is far from home goes on where there is nothing."""
        at_home = yard_id == self._books.loading.yard_id and row not in self._books.missions.of_row
        return at_home or any(self._all.get((yard_id, kind)) for kind in CHARGERS)

    def _make_room(self, row: int, yard_id: str, now_ns: int, *, waits_for_turn: bool) -> None:
        """Waits for a charger, in a parking stand; who is full, and still does not last, at least stands in nobody's way."""
        books = self._books
        kind = books.corridor.stands[books.trips.known(row).goal_ix].kind
        if kind is StandKind.BAY or (kind in CHARGERS and self.batteries.lack(row) < _FULL):
            self.to_parking(row, yard_id, now_ns)
        if books.trips.known(row).settled:
            chargers = books.stands.all_of(yard_id, CHARGERS)
            if self._charged_in_vain(row):
                books.reins.because(row, Cause.BATTERY, books.trips.known(row).goal_ix)
            elif waits_for_turn:
                books.reins.because(row, Cause.CHARGING, chargers[0] if chargers else NOWHERE)

    def _charged_in_vain(self, row: int) -> bool:
        """Whether the truck stands at a charger that has just done with it."""
        goal_ix = self._books.trips.known(row).goal_ix
        return self._books.corridor.stands[goal_ix].kind in CHARGERS and self._books.stands.state[goal_ix] is BayState.CLEAR

    def to_parking(self, row: int, yard_id: str, now_ns: int) -> bool:
        """To a parking stand of the yard, if one is free."""
        plan = self._ways.first_refuge(row, yard_id, (PARKING,))
        if plan is None or not self._moves.may_leave(row, plan, now_ns):
            return False
        self._moves.set_out(row, plan)
        return True

    def _charger(self, row: int, yard_id: str) -> Plan | None:
        """Another charger, at which the truck would be done first; None when that is where it stands, or one it would have to wait for."""
        kind = self._books.corridor.stands[self._books.trips.known(row).goal_ix].kind
        if kind is StandKind.SWAP or self.batteries.lack(row) < _FULL:
            return None
        plan = self._ways.first_refuge(row, yard_id, ((StandKind.SWAP,),))
        stands_at_plug = kind is StandKind.PLUG
        if plan is not None or stands_at_plug or not self._takes_plug(row, yard_id):
            return plan
        return self._ways.first_refuge(row, yard_id, ((StandKind.PLUG,),))

    def _takes_plug(self, row: int, yard_id: str) -> bool:
        """Whether the truck is done at a plug before it would have had its turn at a swap stand."""
        swap_count = len(self._all.get((yard_id, StandKind.SWAP), ()))
        before = sum(other != row for other in self._waiting)
        plug_s = self._charge_s(row, StandKind.PLUG)
        return swap_count == 0 or plug_s <= (before // swap_count + 2) * self._turn_s(StandKind.SWAP)
