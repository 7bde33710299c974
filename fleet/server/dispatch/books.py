"""
Everything the desk remembers, in one place: its books, and the one way to change them.

A change is a fact: `record` applies it and keeps it for the journal. Recovery applies the same facts through the same code, so
a server that comes back knows what the one before it knew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from fleet.server.columns import FlagColumn
from fleet.server.dispatch.agreements import (
    Agreements,
    brakes_subject,
    grip_subject,
    limit_subject,
    removal_subject,
    stop_subject,
)
from fleet.server.dispatch.answers import Answers
from fleet.server.dispatch.calls import CallClosed, CallKind, CallOpened, Calls, key_of, opened
from fleet.server.dispatch.control import Controls
from fleet.server.dispatch.crossing import CrossingKept, Crossings
from fleet.server.dispatch.day import Days, HourKept
from fleet.server.dispatch.gates import GateKept, Gates
from fleet.server.dispatch.mission import MissionKept, Missions
from fleet.server.dispatch.opening import Opening, OpeningSet
from fleet.server.dispatch.orders import OrderKept, Orders
from fleet.server.dispatch.reins import Reins
from fleet.server.dispatch.roads import LaneClosed, RoadBook
from fleet.server.dispatch.section_turns import SectionTurned, SectionTurns
from fleet.server.dispatch.stands import NOBODY, BayProven, StandBooked, StandFreed, StandPromised, Stands
from fleet.server.dispatch.trips import NOWHERE, RoundTripMade, Trips, TruckKept
from fleet.server.fact_form import Fact, fact
from fleet.server.facts import (
    AllStopLifted,
    AllStopSet,
    BrakesDerated,
    LaneFrictionSet,
    LaneLimited,
    RouteSet,
    StretchDerated,
    TruckGreeted,
    TruckHeld,
    TruckRecommissioned,
    TruckRegistered,
    TruckRemoved,
    TruckResumed,
)
from fleet.server.intrusions import IntrusionBook, IntrusionKept, IntrusionMet, IntrusionReleased
from fleet.server.outgoing import Alarm, BorderCall, BorderContent, Container
from fleet.server.site_facts import SiteInForce, SiteProposed, SiteWithdrawn
from planner.corridor import Corridor, YardRole
from planner.limits import BRAKE_WEAK
from planner.tables import LaneTable, TruckTable

DAY_START_S: Final = 6 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchOptions:
    """
    How the desk works.

    *day_start_s*: seconds after local midnight at control time 0. *identities_proven*: callers have
    certificates, so that what loosens takes two persons, and who has control keeps others out. *control_required*: operators' changes need
    the control lease. *battery_reserve*: share of the battery that no
    mission is planned to use, beside an hour's standing. *closing_margin_s*: kept between the forecast end of a border passage and closing. *arrival_near_s*:
    a truck on the road this near its yard's bays may join the queue before them instead of parking.
    """

    day_start_s: int = DAY_START_S
    identities_proven: bool = False
    control_required: bool = False
    control_lease_s: float = 30.0
    battery_reserve: float = 0.05
    closing_margin_s: float = 120.0
    arrival_near_s: float = 150.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.battery_reserve < 1.0:
            raise ValueError(f"battery_reserve must lie between 0 and 1, is {self.battery_reserve}")
        if self.closing_margin_s < 0.0 or self.control_lease_s <= 0.0:
            raise ValueError("closing_margin_s must not be negative, control_lease_s must be positive")


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsKept(Fact):
    """What was moved since the journal began, and the last numbers given out."""

    round_trips: int = 0
    containers_delivered: int = 0
    tonnes: float = 0.0
    order_number: int = 0
    mission_number: int = 0
    crossing_number: int = 0


class Books:
    """All books of the desk."""

    def __init__(self, corridor: Corridor, lanes: LaneTable, trucks: TruckTable, options: DispatchOptions) -> None:
        self.corridor = corridor
        self.lanes = lanes
        self.trucks = trucks
        self.options = options
        self.loading = corridor.yard_by_role[YardRole.LOADING]
        self.unloading = corridor.yard_by_role[YardRole.UNLOADING]
        self.missions = Missions()
        self.orders = Orders(self.missions.of_order)
        self.crossings = Crossings()
        self.stands = Stands(corridor)
        self.gates = Gates(corridor, lanes, max(kind.length_m for kind in corridor.truck_types))
        self.calls = Calls()
        self.opening = Opening(corridor, options.day_start_s)
        self.trips = Trips(corridor, lanes, trucks.capacity)
        self.roads = RoadBook(corridor, lanes)
        self.section_turns = SectionTurns()
        self.controls = Controls()
        self.answers = Answers()
        self.agreements = Agreements()
        self.totals = TotalsKept()
        self.days = Days(options.day_start_s)
        self.reins = Reins(trucks.capacity)
        self.pressed: FlagColumn = np.zeros(trucks.capacity, np.bool_)
        self.holds: dict[int, TruckHeld] = {}
        self.intrusions = IntrusionBook()
        self.stopped_for: dict[str, dict[int, None]] = {}
        self.weak: set[int] = set()  # rows whose brakes are weaker than declared: no new missions, and to be laid up
        self.proposed: SiteProposed | None = None
        self.changed_missions: dict[int, None] = {}
        self.alarms: list[Alarm] = []
        self._fresh: list[Fact] = []
        self._appliers: Final = self._applier_table()

    def _applier_table(self) -> Mapping[type[Fact], Callable[[Any], None]]:
        return {
            OrderKept: self.orders.apply,
            MissionKept: self._mission,
            CrossingKept: self.crossings.apply,
            **dict.fromkeys((StandBooked, StandFreed, BayProven), self.stands.apply),
            StandPromised: self._promised,
            GateKept: self.gates.apply,
            CallOpened: self.calls.apply,
            CallClosed: self.calls.apply,
            OpeningSet: self.opening.apply,
            SectionTurned: self.section_turns.apply,
            TruckKept: self._truck,
            RouteSet: self._route,
            TruckRegistered: self._registered,
            RoundTripMade: self._round_trip,
            TotalsKept: self._totals,
            HourKept: self.days.apply,
            LaneClosed: self._lane,
            LaneLimited: self._lane,
            TruckHeld: self._held,
            TruckResumed: self._resumed,
            TruckRemoved: self._unstopped,
            IntrusionKept: self.intrusions.apply,
            IntrusionMet: self._met,
            IntrusionReleased: self._released,
            BrakesDerated: self._derated,
            TruckRecommissioned: self._recommissioned,
            SiteProposed: self._site_proposed,
            **dict.fromkeys((SiteWithdrawn, SiteInForce), self._site_settled),
            **dict.fromkeys((AllStopSet, AllStopLifted), self._all_stop),
            **dict.fromkeys((LaneFrictionSet, StretchDerated), self._grip),
            TruckGreeted: self._greeted,
            **self.controls.appliers(),
            **self.answers.appliers(),
            **self.agreements.appliers(),
        }

    def apply(self, fact: Fact) -> None:
        """One fact, live or recovered; kinds the desk does not keep pass by."""
        applier = self._appliers.get(type(fact))
        if applier is not None:
            applier(fact)

    def record(self, fact: Fact) -> None:
        """Applies *fact* and keeps it for the journal."""
        self.apply(fact)
        self._fresh.append(fact)

    def facts(self) -> list[Fact]:
        """What recreates the books, in an order in which it can be applied."""
        numbers = replace(
            self.totals,
            order_number=self.orders.newest_number,
            mission_number=self.missions.newest_number,
            crossing_number=self.crossings.newest_number,
        )
        # Missions first: an order that one of them has to do with is not forgotten.
        facts: list[Fact] = [*self.missions.of_row.values(), *self.orders.by_id.values()]
        # A truck that is gone has no way: said again after its removal, it would have a place on it.
        gone = {truck.row for truck in self.trips.truck if truck is not None and truck.removed}
        facts += [route for row in range(len(self.trips.path)) if row not in gone and (route := self.trips.route(row)) is not None]
        facts += [truck for truck in self.trips.truck if truck is not None]
        facts += self.crossings.by_id.values()
        facts += self.stands.facts() + self.gates.facts() + self.calls.facts() + self.opening.facts()
        facts += self.roads.facts() + self.section_turns.facts() + self.controls.facts()
        facts += self.answers.facts() + self.agreements.facts() + self.days.facts()
        return [*facts, numbers]

    def drain(self) -> list[Fact]:
        """Facts recorded since last asked."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def call(self, content: BorderContent) -> None:
        """Asks the border or a yard for something; what was asked before of the same place is not wanted any more."""
        self.close_call(*key_of(content))
        self.record(opened(BorderCall(call_id=self.calls.newest_id + 1, content=content)))

    def close_call(self, kind: CallKind, name: str) -> None:
        """Closes the open call of this kind about *name*, if there is one."""
        call_id = self.calls.find(kind, name)
        if call_id is not None:
            self.record(CallClosed(call_id=call_id))

    def keep_truck(self, row: int, **changes: Any) -> None:
        """Records what changed about a truck."""
        self.record(replace(self.trips.known(row), **changes))

    def delivered(self, containers: tuple[Container, ...]) -> None:
        """Containers stand in the far yard."""
        totals, tonnes = self.totals, sum(container.mass_kg for container in containers) / 1000.0
        delivered = replace(totals, containers_delivered=totals.containers_delivered + len(containers), tonnes=totals.tonnes + tonnes)
        self.record(delivered)
        self.record(self.days.counted(containers=len(containers), tonnes=tonnes))

    def come(self, now_ns: int) -> None:
        """It is *now_ns*: an hour that has ended is kept."""
        if (ended := self.days.come(now_ns)) is not None:
            self.record(ended)

    def _mission(self, kept: MissionKept) -> None:
        self.missions.apply(kept)
        self.reins.loosen(kept.row)
        self.changed_missions[kept.row] = None

    def _truck(self, kept: TruckKept) -> None:
        before = self.trips.truck[kept.row]
        self.trips.apply_truck(kept)
        self.reins.loosen(kept.row)
        self._press(kept)
        if before is None or before.goal_ix != kept.goal_ix:
            self.changed_missions[kept.row] = None

    def _promised(self, promised: StandPromised) -> None:
        self.stands.apply(promised)
        holder = self.trips.truck[int(self.stands.holder_row[promised.stand_ix])]
        if holder is not None:
            self._press(holder)

    def _press(self, kept: TruckKept) -> None:
        self.pressed[kept.row] = kept.left_ix != NOWHERE and self.stands.next_row[kept.left_ix] != NOBODY

    def _route(self, route: RouteSet) -> None:
        self.trips.apply_route(route)
        self.reins.loosen(route.row)
        self.changed_missions[route.row] = None

    def _registered(self, registered: TruckRegistered) -> None:
        self.trips.lay(registered.row, registered.lanes, registered.start_m, registered.end_m)

    def _round_trip(self, _: RoundTripMade) -> None:
        self.totals = replace(self.totals, round_trips=self.totals.round_trips + 1)

    def _held(self, held: TruckHeld) -> None:
        self.holds[held.row] = held

    def _resumed(self, resumed: TruckResumed) -> None:
        self.holds.pop(resumed.row, None)
        self._unstopped(resumed)

    def _met(self, met: IntrusionMet) -> None:
        self.stopped_for.setdefault(met.intrusion_id, {})[met.row] = None

    def _unstopped(self, change: TruckResumed | TruckRemoved) -> None:
        for rows in self.stopped_for.values():
            rows.pop(change.row, None)

    def _released(self, released: IntrusionReleased) -> None:
        self.intrusions.apply(released)
        self.stopped_for.pop(released.intrusion_id, None)

    def _derated(self, derated: BrakesDerated) -> None:
        if derated.brake_health < BRAKE_WEAK:
            self.weak.add(derated.row)
        self._overtake(brakes_subject, derated.row)

    def _recommissioned(self, recommissioned: TruckRecommissioned) -> None:
        self.weak.discard(recommissioned.row)

    def _totals(self, kept: TotalsKept) -> None:
        self.totals = kept
        self.orders.newest_number = max(self.orders.newest_number, kept.order_number)
        self.missions.newest_number = max(self.missions.newest_number, kept.mission_number)
        self.crossings.newest_number = max(self.crossings.newest_number, kept.crossing_number)

    def _site_proposed(self, proposed: SiteProposed) -> None:
        self.proposed = proposed
        self._bar(proposed.changed_lanes)

    def _site_settled(self, _: SiteWithdrawn | SiteInForce) -> None:
        self.proposed = None
        self._bar(())

    def _bar(self, lanes: tuple[int, ...]) -> None:
        self.roads.bar(lanes)
        self.stands.bar(lanes)
        self.reins.loosen_all()

    def _lane(self, change: LaneClosed | LaneLimited) -> None:
        if isinstance(change, LaneLimited):
            self.agreements.overtake(limit_subject(self.corridor.lanes[change.lane_ix].lane_id))
        self.roads.apply(change)
        self.reins.loosen_all()

    def _grip(self, change: LaneFrictionSet | StretchDerated) -> None:
        self.agreements.overtake(grip_subject(self.corridor.lanes[change.lane_ix].lane_id))

    def _all_stop(self, change: AllStopSet | AllStopLifted) -> None:
        self.controls.apply(change)
        self.agreements.overtake(stop_subject(change.stop_id))

    def _greeted(self, greeted: TruckGreeted) -> None:
        # A truck that speaks is not the one that two persons see without power.
        self._overtake(removal_subject, greeted.row)

    def _overtake(self, subject_of: Callable[[str], str], row: int) -> None:
        truck = self.trips.truck[row] if row < len(self.trips.truck) else None
        if truck is not None:
            self.agreements.overtake(subject_of(truck.truck_id))
