"""
A small fleet in virtual time: trucks with their real onboard computers and wheels that obey at once, a plant, the headless server.

Trucks know no map: where a truck is follows from the route it holds. So the server under them may be on whatever site.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from fleet.errors import FleetError
from fleet.onboard import Identity, Interpreter, LanePoint, MemoryStore, Mode, Sensors, Supervisor, Term
from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.engine import EngineOptions
from fleet.server.headless import HeadlessServer, Heard
from fleet.server.journal.journal import MemoryJournal
from fleet.v1 import border_pb2, common_pb2, dispatch_pb2, gateway_pb2, truck_pb2
from planner.corridor import Corridor, TruckType
from planner.oracle import Judge

TICK_NS = 100_000_000
OPTIONS = EngineOptions(dispatch=DispatchOptions(day_start_s=36_000))


class Truck:
    """One truck; *digest* is the site it carries, empty for none, *loaded* what it has loaded beside it."""

    def __init__(self, truck_id: str, kind: TruckType, place: LanePoint, digest: str = "") -> None:
        self.truck_id = truck_id
        self.kind = kind
        self.place = place
        self.digest = digest
        self.loaded = ""
        self.mute = False
        self.deaf = False
        self.laden = False
        self.speed_mps = 0.0
        self.refused: list[str] = []
        self.waiting: list[truck_pb2.TruckMessage] = []
        self._store = MemoryStore()
        self._boots = 0
        self.boot(digest)

    def boot(self, digest: str, instance_id: str = "onboard") -> None:
        """A computer starts, with the site of *digest* and what the truck durably knows of terms."""
        self._boots += 1
        self.digest = digest
        me = Identity(
            truck_id=self.truck_id,
            instance_id=instance_id,
            boot_id=f"boot-{self._boots}",
            truck_type_id=self.kind.truck_type_id,
            map_digest=digest,
        )
        self.on = Interpreter(Supervisor(me, self.kind, self._store))

    @property
    def supervisor(self) -> Supervisor:
        """Its own code."""
        return self.on.supervisor

    def sense(self, now_ns: int, acceleration_mps2: float, *, parked: bool) -> None:
        """One reading."""
        lanes = (self.place.lane_id,) if self.supervisor.permission.path is None else ()
        self.supervisor.sense(
            Sensors(
                stamp_ns=now_ns,
                nose=self.place,
                speed_mps=self.speed_mps,
                acceleration_mps2=acceleration_mps2,
                bound_m=0.4,
                laden=self.laden,
                immobilised=parked,
                battery_wh=300_000.0,
                body_lane_ids=lanes,
                loaded_digest=self.loaded,
            )
        )

    def drive(self, now_ns: int) -> None:
        """One tick: decide, move, sense."""
        command = self.supervisor.step(now_ns)
        demand_mps2 = -2.0 if command.mode == Mode.HOLD else command.acceleration_demand_mps2
        before_mps = self.speed_mps
        self.speed_mps = max(0.0, self.speed_mps + 0.1 * demand_mps2)
        path = self.supervisor.permission.path
        if path is not None:
            nose_m = path.locate(self.place)
            assert nose_m is not None, f"{self.truck_id} left its path"
            self.place = path.place(nose_m + 0.05 * (before_mps + self.speed_mps))
        self.sense(now_ns, (self.speed_mps - before_mps) / 0.1, parked=command.immobilise and self.speed_mps == 0.0)

    def say(self, tick: int, now_ns: int) -> list[truck_pb2.TruckMessage]:
        """What it has to say this tick."""
        said, self.waiting = [*self.waiting, *self.on.drain()], []
        if self.supervisor.hello_due(now_ns):
            return [self.on.hello(now_ns), *said]
        return [*said, self.on.report(now_ns)] if tick % 2 == 0 else said

    def hear(self, message: truck_pb2.ControlMessage, now_ns: int) -> None:
        """One word of the server's."""
        if message.HasField("refusal"):
            self.refused.append(message.refusal.reason)
        self.waiting += self.on.receive(message, now_ns)

    def body(self) -> list[tuple[str, float, float]]:
        """The true metres of lane under it."""
        path = self.supervisor.permission.path
        if path is None:
            return [(self.place.lane_id, self.place.chainage_m - self.kind.length_m, self.place.chainage_m)]
        nose_m = path.locate(self.place)
        assert nose_m is not None
        at_m, tail_m, found = path.start_m, nose_m - self.kind.length_m, []
        for segment in path.segments:
            end_m = at_m + segment.end_m - segment.start_m
            low_m, high_m = max(tail_m, at_m), min(nose_m, end_m)
            if low_m < high_m:
                found.append((segment.lane_id, segment.start_m + low_m - at_m, segment.start_m + high_m - at_m))
            at_m = end_m
        return found

    def on_lane(self, lane_ids: set[str] | frozenset[str]) -> bool:
        """Whether any of it is there."""
        return any(lane_id in lane_ids for lane_id, _, _ in self.body())


@dataclass
class Plant:
    """Gates, customs and loaders that do what they are asked, some seconds later."""

    asked: int = 0
    due: list[tuple[int, str, Message, Callable[[], None]]] = field(default_factory=list)
    heard: set[int] = field(default_factory=set)

    def hear(self, call: border_pb2.BorderCall, now_ns: int, trucks: dict[str, Truck]) -> None:
        """One call; after a restart the same comes again, and must not be answered twice."""
        content = call.WhichOneof("content")
        if content == "manifest_declared":
            crossing_id = call.manifest_declared.crossing.crossing_id
            decision = border_pb2.CROSSING_DECISION_CLEAR
            self._later(
                1, now_ns, "DecideCrossing", border_pb2.DecideCrossingRequest(crossing_id=crossing_id, decision=decision, officer="li")
            )
        elif content == "gate_call":
            gate = call.gate_call
            opened = border_pb2.ReportBarrierRequest(gate_id=gate.gate_id, state=border_pb2.BARRIER_STATE_OPEN, truck_id=gate.truck_id)
            self._later(2, now_ns, "ReportBarrier", opened)
        elif content == "gate_passed":
            shut = border_pb2.ReportBarrierRequest(gate_id=call.gate_passed.gate_id, state=border_pb2.BARRIER_STATE_SHUT)
            self._later(1, now_ns, "ReportBarrier", shut)
        elif content == "bay_call":
            self._bay(call.bay_call, now_ns, trucks)
        elif content == "bay_left":
            self._later(1, now_ns, "ReportBay", border_pb2.ReportBayRequest(bay_id=call.bay_left.bay_id, state=border_pb2.BAY_STATE_READY))

    def _bay(self, bay: border_pb2.BayCall, now_ns: int, trucks: dict[str, Truck]) -> None:
        fields: dict[str, Any] = {"bay_id": bay.bay_id, "truck_id": bay.truck_id}
        aboard = bay.containers if bay.work == border_pb2.BAY_WORK_LOAD else ()

        def work_is_done() -> None:
            trucks[bay.truck_id].laden = bool(aboard)

        self._later(1, now_ns, "ReportBay", border_pb2.ReportBayRequest(state=border_pb2.BAY_STATE_WORKING, **fields))
        clear = border_pb2.ReportBayRequest(state=border_pb2.BAY_STATE_CLEAR, containers=aboard, **fields)
        self._later(15, now_ns, "ReportBay", clear, work_is_done)

    def _later(self, seconds: int, now_ns: int, method: str, request: Any, then: Callable[[], None] = lambda: None) -> None:
        self.asked += 1
        request.request_id = f"plant-{self.asked}"
        self.due.append((now_ns + seconds * 1_000_000_000, f"BorderService/{method}", request, then))

    def work(self, now_ns: int, server: HeadlessServer) -> None:
        """Whatever is due."""
        ready = [entry for entry in self.due if entry[0] <= now_ns]
        self.due = [entry for entry in self.due if entry[0] > now_ns]
        for _, method, request, then in ready:
            server.call(method, request)
            then()


class Shuttle:
    """
    The fleet, its server and its journal. Bodies and ledger are judged every second, on whatever site the server is.

    *places* are stands, or lane and chainage of the nose. With *carry* the trucks drive by the site, else by routes alone.
    """

    def __init__(self, corridor: Corridor, places: Sequence[str | LanePoint], *, carry: bool = False) -> None:
        self.journal = MemoryJournal(keep=True)
        self.plant = Plant()
        self.now_ns = 1_000_000_000
        self.tick_count = 0
        self.asked = 0
        self.restarts = 0
        kind = corridor.truck_types[0]
        digest = corridor.digest if carry else ""
        self.trucks = {f"T{at}": Truck(f"T{at}", kind, _point(corridor, place), digest) for at, place in enumerate(places)}
        for truck in self.trucks.values():
            truck.sense(self.now_ns, 0.0, parked=True)
        self.start(corridor)

    def join(self, truck_id: str, place: str | LanePoint) -> Truck:
        """One more truck, that drives by routes alone."""
        truck = self.trucks[truck_id] = Truck(truck_id, self.corridor.truck_types[0], _point(self.corridor, place))
        truck.sense(self.now_ns, 0.0, parked=True)
        return truck

    def start(self, corridor: Corridor) -> None:
        """A server on *corridor* goes on from the journal; whatever was under way to the one before is lost."""
        self.server = HeadlessServer(corridor, OPTIONS, self.journal)
        self.corridor = corridor
        self._judge = Judge(corridor)
        self.restarts += 1
        for truck in self.trucks.values():
            truck.waiting.clear()
            truck.supervisor.link_lost()

    @property
    def loop(self) -> Any:
        """The server's control loop."""
        return self.server.engine.loop

    def tick(self) -> Heard:
        """One tick of everything."""
        self.now_ns += TICK_NS
        self.tick_count += 1
        frame = gateway_pb2.GatewayMessage(gateway_id="gateway")
        for truck in self.trucks.values():
            truck.drive(self.now_ns)
            said = truck.say(self.tick_count, self.now_ns)
            if not truck.mute:
                for message in said:
                    frame.relayed.add(truck_id=truck.truck_id, message=message)
        if frame.relayed:
            self.server.say(frame.SerializeToString())
        self.plant.work(self.now_ns, self.server)
        heard = self.server.tick(self.now_ns)
        for call in heard.border_calls:
            self.plant.hear(call, self.now_ns, self.trucks)
        self._deliver(heard)
        if self.tick_count % 10 == 0:
            self.judge()
        return heard

    def _deliver(self, heard: Heard) -> None:
        control = gateway_pb2.GatewayControl.FromString(heard.control)
        for relayed in control.relayed:
            self._hear(self.trucks[relayed.truck_id], relayed.message)
        by_handle = {truck.supervisor.handle: truck for truck in self.trucks.values() if truck.supervisor.permission.agreed_epoch}
        given = control.authorities
        for at, handle in enumerate(given.handle):
            authority = truck_pb2.MovementAuthority(
                term=common_pb2.Term(epoch=given.epoch, sequence=given.sequence[at]),
                route_sequence=given.route_sequence[at],
                end=common_pb2.LanePoint(lane_id=self.corridor.lanes[given.end_lane_ix[at]].lane_id, chainage_m=given.end_chainage_m[at]),
                advised_speed_mps=given.advised_speed_mps[at],
                friction=given.friction[at],
            )
            self._hear(by_handle.get(handle), truck_pb2.ControlMessage(authority=authority))
        beats = control.heartbeats
        for at, handle in enumerate(beats.handle):
            beat = truck_pb2.Heartbeat(
                tick=beats.tick, epoch=beats.epoch, challenge=beats.challenge[at], challenge_echo=beats.challenge_echo[at]
            )
            self._hear(by_handle.get(handle), truck_pb2.ControlMessage(heartbeat=beat))

    def _hear(self, truck: Truck | None, message: truck_pb2.ControlMessage) -> None:
        if truck is not None and not truck.mute and not truck.deaf:
            truck.hear(message, self.now_ns)

    def judge(self) -> None:
        """No two trucks hold the same ground, and no two bodies share a metre of lane."""
        assert self._judge.sweep(self.loop.trucks) == []
        bodies = [(lane_id, low_m, high_m, truck.truck_id) for truck in self.trucks.values() for lane_id, low_m, high_m in truck.body()]
        for at, (lane_id, low_m, high_m, truck_id) in enumerate(bodies):
            for other_lane_id, other_low_m, other_high_m, other_id in bodies[:at]:
                apart = lane_id != other_lane_id or low_m >= other_high_m or other_low_m >= high_m
                assert apart or truck_id == other_id, f"{truck_id} touches {other_id} on {lane_id}"

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        for _ in range(round(seconds * 10)):
            self.tick()

    def until(self, done: Callable[[], bool], seconds: float) -> None:
        """Lets time pass until *done*; it must come within *seconds*."""
        for _ in range(round(seconds * 10)):
            if done():
                return
            self.tick()
        assert done(), "it did not come to that"

    def ask(self, method: str, request: Any) -> Any:
        """The answer of the server to a request of an operator."""
        if hasattr(request, "request_id") and not request.request_id:
            self.asked += 1
            request.request_id = f"operator-{self.asked}"
        ticket = self.server.call(f"DispatchService/{method}", request)
        answer = self.tick().replies[ticket]
        if isinstance(answer, FleetError):
            raise answer
        return answer

    def order(self, containers: int) -> None:
        """Coal to move."""
        self.ask(
            "CreateTransportOrder", dispatch_pb2.CreateTransportOrderRequest(from_yard_id="mn", to_yard_id="cn", container_count=containers)
        )

    def blocks(self) -> dict[str, set[str]]:
        """What blocks the switch: names of reasons by truck, "" for what is no truck's."""
        found: dict[str, set[str]] = {}
        for block in self.server.engine.site_proposal().blocks:
            found.setdefault(block.truck_id, set()).add(block.reason.name)
        return found

    def row(self, truck_id: str) -> int:
        """Row of a truck."""
        return int(self.loop.sessions.row_of[truck_id])

    def seen(self, truck_id: str) -> Term:
        """The highest term a truck accepted."""
        return self.trucks[truck_id].supervisor.permission.seen

    def ground(self, truck_id: str) -> list[tuple[str, float, float]]:
        """The metres of lane that a truck may hold, as the ledger has them."""
        return [(self.corridor.lanes[lane].lane_id, low_m, high_m) for lane, low_m, high_m in self.loop.trucks.ground(self.row(truck_id))]

    def holds(self, truck_id: str, lane_ids: set[str]) -> bool:
        """Whether any of those metres, or of the truck's body, lies on one of *lane_ids*."""
        return any(lane_id in lane_ids for lane_id, _, _ in (*self.ground(truck_id), *self.trucks[truck_id].body()))

    def ahead_m(self, truck_id: str) -> float:
        """Metres from nose to end of authority."""
        table, row = self.loop.trucks, self.row(truck_id)
        return float(table.end_m[row] - table.nose_m[row]) if table.path_count[row] else math.nan


def _point(corridor: Corridor, place: str | LanePoint) -> LanePoint:
    if isinstance(place, LanePoint):
        return place
    stand = corridor.stands[corridor.stand_ix[place]]
    return LanePoint(stand.lane_id, stand.stop_m)
