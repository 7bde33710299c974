"""
A desk on a road without physics: trucks go at lane speed to where the desk lets them, and a scripted plant answers its calls.

Trucks keep behind each other on a lane as the control loop would have it: an end stops short of the tail ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from fleet.clock import NS_PER_S
from fleet.errors import FleetError
from fleet.server import commands as c
from fleet.server.columns import FlagColumn
from fleet.server.desk import DeskView
from fleet.server.dispatch.dispatch import Dispatch, DispatchOptions
from fleet.server.fact_form import Fact, decode, encode
from fleet.server.facts import RouteSet, TruckRegistered
from fleet.server.outgoing import BayCall, BayLeft, BorderCall, GateCall, GatePassed, ManifestDeclared
from planner.corridor import Corridor, Stand
from planner.limits import STAND_END_M, STOP_MARK_M
from planner.tables import LaneTable, TruckTable

TICK_NS = 100_000_000


@dataclass
class Plant:
    """Answers calls after fixed times; *decide* is customs' word on a crossing (wire's number)."""

    gate_s: float = 5.0
    bay_s: float = 20.0
    shut_s: float = 1.0
    decide: Callable[[str], int] = lambda _crossing_id: 1
    at_portal: Callable[[str], int] = lambda _crossing_id: 0
    due: list[tuple[int, int, c.Command]] = field(default_factory=list)
    asked: int = 0
    heard: set[int] = field(default_factory=set)

    def hear(self, call: BorderCall, now_ns: int, roles: dict[str, str]) -> None:
        """One call."""
        content = call.content
        if call.call_id in self.heard:
            return
        self.heard.add(call.call_id)
        if isinstance(content, ManifestDeclared):
            crossing_id = content.crossing.crossing_id
            self._later(
                1.0,
                now_ns,
                lambda name: c.DecideCrossing(request_id=name, crossing_id=crossing_id, decision=self.decide(crossing_id), officer="li"),
            )
        elif isinstance(content, GateCall):
            gate_id, truck_id = content.gate_id, content.truck_id
            alarm = self.at_portal(content.crossing_id) if roles[gate_id] == "portal" and content.crossing_id else 0
            if alarm:
                crossing = content.crossing_id
                self._later(0.5, now_ns, lambda name: c.DecideCrossing(request_id=name, crossing_id=crossing, decision=alarm, officer="li"))
            self._later(self.gate_s, now_ns, lambda name: c.ReportBarrier(request_id=name, gate_id=gate_id, state=2, truck_id=truck_id))
        elif isinstance(content, GatePassed):
            gate_id = content.gate_id
            self._later(self.shut_s, now_ns, lambda name: c.ReportBarrier(request_id=name, gate_id=gate_id, state=1, truck_id=""))
        elif isinstance(content, BayCall):
            bay_id, truck_id = content.bay_id, content.truck_id
            aboard = content.containers if content.work == 1 else ()
            self._later(1.0, now_ns, lambda name: c.ReportBay(request_id=name, bay_id=bay_id, state=3, truck_id=truck_id))
            self._later(
                self.bay_s, now_ns, lambda name: c.ReportBay(request_id=name, bay_id=bay_id, state=4, truck_id=truck_id, containers=aboard)
            )
        elif isinstance(content, BayLeft):
            bay_id = content.bay_id
            self._later(2.0, now_ns, lambda name: c.ReportBay(request_id=name, bay_id=bay_id, state=1, truck_id=""))

    def _later(self, seconds: float, now_ns: int, make: Callable[[str], c.Command]) -> None:
        self.asked += 1
        self.due.append((now_ns + int(seconds * NS_PER_S), self.asked, make(f"plant-{self.asked}")))

    def take_due(self, now_ns: int) -> list[c.Command]:
        """Answers whose time has come."""
        ready = sorted(entry for entry in self.due if entry[0] <= now_ns)
        self.due = [entry for entry in self.due if entry[0] > now_ns]
        return [command for _, _, command in ready]


class DeskRoad:
    """The desk, its tables, a plant, and time."""

    def __init__(self, corridor: Corridor, stands: list[str], plant: Plant | None = None, options: DispatchOptions | None = None) -> None:
        self.corridor = corridor
        self.options = options or DispatchOptions(day_start_s=10 * 3600)
        self.lanes = LaneTable.of(corridor)
        self.trucks = TruckTable(self.lanes, 32)
        self.desk = Dispatch(corridor, self.lanes, self.trucks, self.options)
        self.plant = plant or Plant()
        self.now_ns = 0
        self.tick = 0
        self.facts: list[Fact] = []
        self.refused: list[FleetError] = []
        self.live: FlagColumn = np.ones(32, np.bool_)
        self.battery_wh = np.full(32, 300_000.0)
        self.cause = np.zeros(32, np.int32)
        self.cause_ref = np.full(32, -1, np.int32)
        self.laden = np.zeros(32, np.bool_)
        self.roles = {gate.gate_id: gate.role.value for gate in corridor.gates}
        for k, stand_id in enumerate(stands):
            self.place(f"T{k:02d}", corridor.stands[corridor.stand_ix[stand_id]])

    def place(self, truck_id: str, stand: Stand) -> int:
        """A truck appears on a stand."""
        kind = self.corridor.truck_types[0]
        lane_ix = self.corridor.lane_ix[stand.lane_id]
        row = self.trucks.add(kind)
        self.trucks.set_path(row, [lane_ix], 0.0)
        self.trucks.nose_m[row] = stand.stop_m
        self.trucks.rear_m[row] = stand.stop_m - kind.length_m - 1.5
        self.trucks.end_m[row] = stand.stop_m + 0.5
        registered = TruckRegistered(
            row=row,
            truck_id=truck_id,
            truck_type_id=kind.truck_type_id,
            instance_id="i",
            lanes=(lane_ix,),
            start_m=0.0,
            rear_m=float(self.trucks.rear_m[row]),
            end_m=float(self.trucks.end_m[row]),
            at_ns=self.now_ns,
        )
        self._keep([registered])
        self.desk.apply(registered)
        self._keep(self.desk.register(row, truck_id, kind.truck_type_id, self.now_ns))
        return row

    def give(self, command: c.Command, actor: str = "op") -> object:
        """A command; raises what the desk raises."""
        answer, facts = self.desk.command(command, actor, self.now_ns)
        self._keep(facts)
        return answer

    def order(self, count: int, **more: int) -> str:
        """An order between the yards; its id."""
        ends = {yard.role.value: yard.yard_id for yard in self.corridor.yards}
        name = f"order-request-{len(self.facts)}"
        answer = self.give(
            c.CreateOrder(request_id=name, from_yard_id=ends["loading"], to_yard_id=ends["unloading"], container_count=count, **more)
        )
        assert isinstance(answer, c.OrderAnswer)
        return answer.order_id

    def _keep(self, facts: list[Fact]) -> None:
        for fact in facts:
            self.facts.append(fact)
            if isinstance(fact, RouteSet):
                self.trucks.set_path(fact.row, fact.lanes, fact.start_m)

    def step(self, ticks: int = 1) -> None:
        """Time passes."""
        for _ in range(ticks):
            for call in self.desk.border_calls():
                self.plant.hear(call, self.now_ns, self.roles)
            for command in self.plant.take_due(self.now_ns):
                try:
                    self.give(command, "plant")
                except FleetError as error:
                    self.refused.append(error)
            self.look()
            self._drive()

    def look(self, ticks: int = 1) -> None:
        """Time passes for the desk, and nobody drives."""
        for _ in range(ticks):
            self._keep(self.desk.step(self.view(), self.now_ns))
            self.now_ns += TICK_NS
            self.tick += 1

    def view(self) -> DeskView:
        """The fleet as the desk is told of it."""
        n = self.trucks.count
        standing = self.trucks.speed_mps[:n] < 0.05
        return DeskView(
            tick=self.tick,
            now_ns=self.now_ns,
            live=self.live[:n],
            synced=np.ones(n, np.bool_),
            standing=standing,
            immobilised=standing,
            laden=self.laden[:n],
            nose_m=self.trucks.nose_m[:n],
            rear_m=self.trucks.rear_m[:n],
            end_m=self.trucks.end_m[:n],
            speed_mps=self.trucks.speed_mps[:n],
            battery_wh=self.battery_wh[:n],
            cause=self.cause[:n],
            cause_ref=self.cause_ref[:n],
        )

    def _drive(self) -> None:
        trucks = self.trucks
        tails: dict[int, list[tuple[float, int]]] = {}
        for row in range(trucks.count):
            for lane, low_m, _ in trucks.ground(row):
                tails.setdefault(lane, []).append((low_m, row))
        for row in range(trucks.count):
            nose_m, end_m = float(trucks.nose_m[row]), float(trucks.end_m[row])
            if row not in self.desk.books.holds and not self.desk.books.trips.known(row).removed:
                end_m = self._extended(row, min(float(self.desk.limit_m[row]), nose_m + 40.0), tails)
            trucks.end_m[row] = trucks.sent_m[row] = end_m
            lane, _ = trucks.lane_at(row, nose_m)
            step_m = min(float(self.lanes.speed_max_mps[lane]) * 0.1, end_m - STOP_MARK_M - nose_m)
            moved_m = step_m if step_m > 0.01 and row not in self.desk.books.holds else 0.0
            trucks.nose_m[row] += moved_m
            trucks.speed_mps[row] = moved_m / 0.1
            trucks.rear_m[row] = max(float(trucks.rear_m[row]), float(trucks.nose_m[row]) - float(trucks.length_m[row]) - 1.5)

    def _extended(self, row: int, wish_m: float, tails: dict[int, list[tuple[float, int]]]) -> float:
        """As far as *wish_m*, but not onto ground of another truck; new ground is entered at once."""
        trucks = self.trucks
        end_m = float(trucks.end_m[row])
        for k in range(trucks.k_at(row, end_m), int(trucks.path_count[row])):
            start_m = float(trucks.path_start_m[row, k])
            if start_m >= wish_m:
                break
            lane = int(trucks.path_lane[row, k])
            ahead = [start_m + low_m - 1.0 for low_m, other in tails.get(lane, ()) if other != row and start_m + low_m > end_m - 0.1]
            wish_m = min([wish_m, *ahead])
            if start_m >= end_m and wish_m > start_m:
                tails.setdefault(lane, []).append((0.0, row))
        return max(end_m, wish_m)

    def recover(self) -> DeskRoad:
        """The same road under a desk that knows only what was journalled."""
        other = DeskRoad(self.corridor, [], self.plant, self.options)
        other.trucks = self.trucks
        other.desk = Dispatch(self.corridor, self.lanes, self.trucks, self.options)
        for fact in self.facts:
            kind, body = encode(fact)
            other.desk.apply(decode(kind, body))
        other.facts = list(self.facts)
        other.now_ns, other.tick = self.now_ns, self.tick
        other.live, other.battery_wh, other.laden = self.live, self.battery_wh, self.laden
        return other

    def mission_state(self, row: int) -> str:
        """Name of the mission's state, "" for none."""
        mission = self.desk.books.missions.of_row.get(row)
        return mission.state.name if mission else ""

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Steps until *done*, for at most *seconds*."""
        for _ in range(int(seconds * 10)):
            if done():
                return True
            self.step()
        return done()


STAND_REST_M = STAND_END_M - STOP_MARK_M
