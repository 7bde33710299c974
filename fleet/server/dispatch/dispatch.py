"""
The desk: what every truck is for, and where its authority must end for reasons other than other trucks.

Each tick compares the columns of places with noses and tails, and handles the few trucks that reached one; the look at
everybody comes once a second, the assignment of missions every five. Whoever was touched gets its rein drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from fleet.server import commands as c
from fleet.server.columns import CodeColumn, FlagColumn, FloatColumn, RowColumn
from fleet.server.desk import DeskView
from fleet.server.dispatch.assignments import Assignments
from fleet.server.dispatch.books import Books, DispatchOptions, TotalsKept
from fleet.server.dispatch.charging import Charging
from fleet.server.dispatch.commanding import Commanding
from fleet.server.dispatch.day import HourKept, roots_of
from fleet.server.dispatch.departures import Departures
from fleet.server.dispatch.followups import FollowUps
from fleet.server.dispatch.intruders import Intruders
from fleet.server.dispatch.mission import MissionKept
from fleet.server.dispatch.moves import Moves
from fleet.server.dispatch.operators import Operators
from fleet.server.dispatch.passage import Passage
from fleet.server.dispatch.sections import Sections
from fleet.server.dispatch.site_ways import SiteWays
from fleet.server.dispatch.sites import Sites
from fleet.server.dispatch.stands import NOBODY, SERVED, StandBooked
from fleet.server.dispatch.trips import NOWHERE, RoundTripMade, TruckKept
from fleet.server.dispatch.wayfinding import Wayfinding
from fleet.server.dispatch.yard import BayWork, Yard
from fleet.server.fact_form import Fact
from fleet.server.facts import RouteSet
from fleet.server.inputs import LanePlace
from fleet.server.outgoing import Alarm, BorderCall, MissionOut
from planner.authority import Cause
from planner.corridor import Corridor
from planner.limits import ASSIGNMENT_PERIOD_TICKS, MISSION_PERIOD_TICKS, STAND_END_M
from planner.tables import LaneTable, TruckTable

__all__ = ["Dispatch", "DispatchOptions"]

# A truck found this near a stand's stopping place stands at it.
_ON_STAND_M: Final = 6.0


class Dispatch:
    """The desk of one corridor; implements `fleet.server.desk.Desk`."""

    def __init__(self, corridor: Corridor, lanes: LaneTable, trucks: TruckTable, options: DispatchOptions) -> None:
        self.books = Books(corridor, lanes, trucks, options)
        self._trucks = trucks
        self._ways = Wayfinding(self.books)
        self._moves = Moves(self.books, self._ways)
        self._yard = Yard(self.books)
        self._passage = Passage(self.books, self._ways)
        self._sections = Sections(self.books)
        charging = Charging(self.books, self._ways, self._moves)
        self._assignments = Assignments(self.books, self._ways, charging)
        self._departures = Departures(self.books, self._ways, self._moves, self._yard, self._passage, charging)
        self._follow_ups = FollowUps(self.books, self._ways, self._moves, self._passage, self._departures)
        self._site_ways = SiteWays(self.books, self._ways, self._moves)
        self._operators = Operators(self.books, self._moves)
        self._intruders = Intruders(self.books)
        self.sites = Sites(self.books)
        self.commanding = Commanding(self.books, self._operators, self._intruders, self.sites, self._passage, self._yard)
        self._work: FlagColumn = np.zeros(trucks.capacity, np.bool_)
        self._begun = False
        self._due_tick = 0

    @property
    def limit_m(self) -> FloatColumn:
        """(capacity,) path coordinate that the truck's end may not pass; -inf: no extension at all."""
        return self.books.reins.limit_m

    @property
    def limit_cause(self) -> CodeColumn:
        """(capacity,) why: a `planner.authority.Cause`."""
        return self.books.reins.limit_cause

    @property
    def limit_ref(self) -> RowColumn:
        """(capacity,) whom: row of a gate, stand or lane, by the cause; -1 none."""
        return self.books.reins.limit_ref

    @property
    def token_ix(self) -> RowColumn:
        """(capacity,) zone row of the one-lane section the truck may enter behind another; -1 none."""
        return self.books.reins.token_ix

    @property
    def revoked(self) -> FlagColumn:
        """(capacity,) a barrier's proof was lost before the truck passed: its end must come back to *limit_m*."""
        return self.books.reins.revoked

    @property
    def pressed(self) -> FlagColumn:
        """(capacity,) the tail is still on a stand for which somebody waits behind it."""
        return self.books.pressed

    def register(self, row: int, truck_id: str, truck_type_id: str, now_ns: int) -> list[Fact]:  # noqa: ARG002 - the Protocol's
        """A new truck stands in the corridor, its path covering its body; where it stands on a stand, the stand is its."""
        books = self.books
        if books.trips.path[row] is None:
            start_m = float(self._trucks.path_start_m[row, 0])
            books.trips.lay(row, self._trucks.path(row), start_m, float(self._trucks.end_m[row]))
        nose_m = float(self._trucks.nose_m[row])
        stand_ix = self._stand_at(row, nose_m)
        if stand_ix != NOWHERE:
            path = books.trips.path_of(row)
            goal_m = books.trips.stand_m(row, stand_ix) + STAND_END_M
            books.record(RouteSet(row=row, lanes=path.lanes, start_m=path.starts_m[0], goal_m=goal_m))
            books.record(StandBooked(stand_ix=stand_ix, row=row))
        books.record(
            TruckKept(
                row=row,
                truck_id=truck_id,
                truck_type_id=truck_type_id,
                goal_ix=stand_ix,
                left_ix=NOWHERE,
                left_m=0.0,
                settled=False,
                staged=False,
                passed_m=float(self._trucks.rear_m[row]),
                entered_m=nose_m,
                entered_ns=-1,
                unloaded=False,
                round_trips=0,
                charging=False,
                decommissioned=False,
                removed=False,
            )
        )
        self._draw_loose()
        return books.drain()

    def _stand_at(self, row: int, nose_m: float) -> int:
        """The free stand at which the truck is, or that lies ahead on the lane under its nose; -1 none."""
        books = self.books
        path = books.trips.path_of(row)
        k = path.k_at(nose_m)
        for stand_ix in books.stands.on_lane.get(path.lanes[k], ()):
            stop_m = path.starts_m[k] + books.corridor.stands[stand_ix].stop_m
            if nose_m <= stop_m + _ON_STAND_M and books.stands.holder_row[stand_ix] == NOBODY:
                return stand_ix
        return NOWHERE

    def command(self, command: object, actor: str, now_ns: int) -> tuple[object, list[Fact]]:
        """
        The answer to a command, and what it changed; the same request again hears the same answer.

        Raises:
            FleetError: refused; nothing changed, and the record of it leaves with the next step.
        """
        self.books.come(now_ns)
        answer = self.commanding.obey(command, actor, now_ns)
        self._draw_loose()
        return answer, self.books.drain()

    def step(self, view: DeskView, now_ns: int) -> list[Fact]:
        """Once per tick: what trucks reached since the last one, and at their periods the looks at everybody."""
        if not self._begun:
            self._begun = True
            self._passage.begin()
        self.books.come(now_ns)
        self._places(view, now_ns)
        if view.tick >= self._due_tick:
            self._due_tick = view.tick + MISSION_PERIOD_TICKS
            self._once_a_second(view, now_ns)
        self._draw_loose()
        return self.books.drain()

    def _places(self, view: DeskView, now_ns: int) -> None:
        """What happens at places, for the few trucks that are beyond one."""
        n = len(view.nose_m)
        trips = self.books.trips
        nose_marks_m, rear_marks_m = trips.nose_marks_m[:, :n], trips.rear_marks_m[:, :n]
        reached = np.logical_or.reduce(nose_marks_m <= view.nose_m)
        reached |= np.logical_or.reduce(rear_marks_m <= view.rear_m)
        reached |= self._work[:n]
        for row in reached.nonzero()[0].tolist():
            self._place(row, view, now_ns)

    def _place(self, row: int, view: DeskView, now_ns: int) -> None:
        trips, gates = self.books.trips, self.books.gates
        nose_m, rear_m, standing = view.nose_m[row], view.rear_m[row], view.standing[row]
        left, arrived, entered = rear_m >= trips.left_m[row], standing and nose_m >= trips.arrive_m[row], nose_m >= trips.entry_m[row]
        works = standing and self._work[row] and view.immobilised[row]
        if rear_m >= trips.clear_m[row]:
            self._passage.passed(row)
        elif nose_m >= trips.call_m[row] and (standing or trips.drives_through[row]):
            gate_ix = trips.gate_ix[row]
            if row not in {gates.called_row[gate_ix], gates.open_row[gate_ix]} and self._is_foremost(row, view):
                self._passage.ask(row, now_ns)
        if left:
            self._yard.left(row)
        if arrived:
            self.books.keep_truck(row, settled=True)
            self.books.reins.because(row, Cause.GOAL, self.books.trips.known(row).goal_ix)
        if entered:
            self._entered(row, now_ns)
        if works:
            self._yard.call(row, self._yard.work_for(row), now_ns)

    def _is_foremost(self, row: int, view: DeskView) -> bool:
        """
        Whether nobody is nearer to the truck's next gate than it is.

        At a gate that is called in motion several may be near enough: opened for one behind another, it would stay open for good.
        """
        trips = self.books.trips
        beyond_m = view.nose_m - trips.call_m[: len(view.nose_m)]
        return not ((trips.gate_ix[: len(view.nose_m)] == trips.gate_ix[row]) & (beyond_m > beyond_m[row])).any()

    def _entered(self, row: int, now_ns: int) -> None:
        books = self.books
        truck = books.trips.known(row)
        if truck.unloaded:
            duration_ns = now_ns - truck.entered_ns if truck.entered_ns >= 0 else -1
            books.record(RoundTripMade(row=row, at_ns=now_ns, duration_ns=duration_ns))
            books.record(books.days.counted(round_trips=1))
        books.keep_truck(
            row,
            entered_ns=now_ns,
            entered_m=float(books.trips.entry_m[row]),
            unloaded=False,
            round_trips=truck.round_trips + truck.unloaded,
        )

    def _once_a_second(self, view: DeskView, now_ns: int) -> None:
        if (hour := self.books.days.look(roots_of(view.cause, view.cause_ref, view.standing), view.standing, now_ns)) is not None:
            self.books.record(hour)
        self._passage.watch_gates(now_ns)
        if view.tick % ASSIGNMENT_PERIOD_TICKS < MISSION_PERIOD_TICKS:
            self._assignments.look(view, now_ns)
        self._follow_ups.decisions(now_ns)
        self._departures.look(view, now_ns)
        self._follow_ups.look(view)
        self._site_ways.look(view, now_ns)
        self._sections.look(view, now_ns)
        self.commanding.look(now_ns)

    def _draw_loose(self) -> None:
        books = self.books
        for row in books.reins.take_loose():
            books.reins.draw(row, self._sections.bound(row, self._passage.draw(row)))
            self._work[row] = self._yard.work_for(row) is not BayWork.NONE

    def apply(self, fact: Fact) -> None:
        """A fact of anybody's: live those the loop made, at recovery all."""
        self.books.apply(fact)
        if not self._begun:
            return
        self._draw_loose()

    def facts(self) -> list[Fact]:
        """What recreates the desk."""
        return self.books.facts()

    def border_calls(self) -> Sequence[BorderCall]:
        """Calls made since last asked."""
        return self.books.calls.drain()

    def missions(self) -> Sequence[MissionOut]:
        """Missions that changed since last asked."""
        changed = list(self.books.changed_missions)
        self.books.changed_missions.clear()
        return [mission for row in changed if (mission := self.mission_of(row)) is not None]

    def alarms(self) -> Sequence[Alarm]:
        """What a person should look at, found since last asked."""
        found, self.books.alarms = self.books.alarms, []
        return found

    def mission_of(self, row: int) -> MissionOut | None:
        """What the truck is to know: where it goes, and for which mission; id "" when it only parks."""
        books = self.books
        truck = books.trips.truck[row]
        if truck is None or truck.removed or (truck.goal_ix == NOWHERE and not truck.staged):
            return None
        mission = books.missions.of_row.get(row)
        if truck.staged:
            return self._queueing(row, mission)
        stand = books.corridor.stands[truck.goal_ix]
        return MissionOut(
            row=row,
            mission_id=mission.mission_id if mission else "",
            state=mission.state if mission else 0,
            goal_id=stand.stand_id,
            goal=LanePlace(lane_ix=books.trips.stand_lane[truck.goal_ix], chainage_m=stand.stop_m),
            immobilise=stand.kind in SERVED,
            containers=mission.containers if mission else (),
        )

    def _queueing(self, row: int, mission: MissionKept | None) -> MissionOut:
        """A truck in the queue before the bays: its goal is the queue's head."""
        path = self.books.trips.path_of(row)
        stop_m = path.goal_m - path.starts_m[-2] - STAND_END_M
        return MissionOut(
            row=row,
            mission_id=mission.mission_id if mission else "",
            state=mission.state if mission else 0,
            goal_id=self.books.corridor.lanes[path.lanes[-1]].lane_id,
            goal=LanePlace(lane_ix=path.lanes[-1], chainage_m=stop_m),
            immobilise=False,
            containers=mission.containers if mission else (),
        )

    def truck(self, row: int) -> c.TruckAnswer:
        """A truck as the desk knows it."""
        return self._operators.truck(row)

    def orders(self) -> list[c.OrderAnswer]:
        """Every order, oldest first."""
        return [order.answer() for order in self.books.orders.by_id.values()]

    def crossings(self) -> list[c.CrossingAnswer]:
        """Crossings of late, oldest first."""
        return [crossing.answer() for crossing in self.books.crossings.by_id.values()]

    def gates(self) -> list[c.GateAnswer]:
        """Every gate, by row."""
        return [self._passage.gate_answer(gate_ix) for gate_ix in range(len(self.books.gates.gates))]

    def bays(self) -> list[c.BayAnswer]:
        """Every stand where somebody works on trucks, by row."""
        stands = self.books.corridor.stands
        return [self._yard.answer(stand_ix) for stand_ix, stand in enumerate(stands) if stand.kind in SERVED]

    def lanes(self) -> list[c.LaneAnswer]:
        """Every lane, by row."""
        return [self._operators.lane(lane_ix) for lane_ix in range(len(self.books.corridor.lanes))]

    def stops(self) -> list[c.StopAnswer]:
        """All-stops in force, oldest first."""
        return self.commanding.stops()

    def overdue_gates(self) -> list[c.OverdueGateAnswer]:
        """Gates at which a person should look."""
        return [self._passage.overdue(gate_ix) for gate_ix in sorted(self.books.gates.long_overdue)]

    def blocked_bays(self) -> list[c.BayAnswer]:
        """Bays and chargers that their keepers have put out of order, by row."""
        stands = self.books.stands
        return [self._yard.answer(ix) for ix in range(len(stands.stands)) if stands.blocked(ix)]

    def intrusions(self) -> list[c.IntrusionAnswer]:
        """Open intrusions, oldest first."""
        return self._intruders.answers()

    def open_calls(self) -> list[BorderCall]:
        """Calls nobody has answered, oldest first."""
        return list(self.books.calls.open.values())

    @property
    def totals(self) -> TotalsKept:
        """What was moved since the journal began."""
        return self.books.totals

    def hours(self) -> list[HourKept]:
        """What the hours of the last days came to, the oldest first."""
        return self.books.days.now()
