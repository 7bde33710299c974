"""A gateway and the trucks behind it, before a headless server: it packs reports into columns and unpacks rows, and may be told to lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fleet.mac import KEY_BYTES
from fleet.onboard import Command, Identity, Interpreter, LanePoint, Sensors, Supervisor
from fleet.onboard.link import SealedInterpreter
from fleet.server.engine import EngineOptions
from fleet.server.headless import HeadlessServer
from fleet.site import load_site
from fleet.v1 import common_pb2, dispatch_pb2, gateway_pb2, truck_pb2

TICK_S: Final = 0.1
TICK_NS: Final = 100_000_000
CORRIDOR: Final = load_site("mandula")
LANE_IX: Final = CORRIDOR.lane_ix
STANDS: Final = {stand.stand_id: stand for stand in CORRIDOR.stands}
KEYS: Final = {f"T{number}": bytes([number]) * KEY_BYTES for number in range(1, 4)}
FLAGS: Final = ("laden", "intact", "immobilised", "emergency_braking")
PLAIN: Final = (
    "stamp_ns", "chainage_m", "speed_mps", "acceleration_mps2", "bound_m", "challenge", "challenge_echo", "battery_wh", "friction",
    "brake_health",
)  # fmt: skip


class RelayedTruck:
    """The onboard software, hardware that does at once what it is told, and a key."""

    def __init__(self, number: int, key: bytes) -> None:
        self.truck_id = f"T{number}"
        stand = STANDS[f"mn_park_{number:02}"]
        kind = CORRIDOR.truck_types[CORRIDOR.type_ix["coal_truck_70t"]]
        self.supervisor = Supervisor(
            Identity(truck_id=self.truck_id, instance_id="i", boot_id="b", truck_type_id=kind.truck_type_id, map_digest=CORRIDOR.digest),
            kind,
        )
        self.sealed = SealedInterpreter(Interpreter(self.supervisor), key)
        self.nose = LanePoint(stand.lane_id, stand.stop_m)
        self.speed_mps = 0.0
        self.driven_m = 0.0
        self.command: Command | None = None
        self.waiting: list[gateway_pb2.RelayedTruckMessage] = []

    def step(self, now_ns: int) -> None:
        """A tenth of a second of doing as told."""
        demand_mps2 = 0.0 if self.command is None else self.command.acceleration_demand_mps2
        self.speed_mps = max(0.0, self.speed_mps + TICK_S * demand_mps2)
        self._move(TICK_S * self.speed_mps)
        self.supervisor.sense(
            Sensors(
                stamp_ns=now_ns,
                nose=self.nose,
                speed_mps=self.speed_mps,
                acceleration_mps2=demand_mps2,
                bound_m=0.3,
                laden=False,
                battery_wh=3.3e5,
            )
        )
        self.command = self.supervisor.step(now_ns)
        self.waiting += self.sealed.say(self.sealed.interpreter.drain())
        if self.supervisor.hello_due(now_ns):
            self.waiting.append(self.sealed.hello(now_ns))
        elif now_ns // TICK_NS % 2 == 0:
            self.waiting += self.sealed.say([self.sealed.interpreter.report(now_ns)])

    def _move(self, step_m: float) -> None:
        path = self.supervisor.permission.path
        if path is None or step_m == 0.0:
            return
        at_m = path.locate(self.nose)
        assert at_m is not None
        self.nose = path.place(at_m + step_m)
        self.driven_m += step_m


Meddle = Callable[[gateway_pb2.GatewayMessage], None]


def honest(_said: gateway_pb2.GatewayMessage | gateway_pb2.RelayedControlMessage) -> None:
    """Carries it as it is."""


@dataclass
class Gateway:
    """Carries words both ways. *meddle* is done to each message to the server, *mislead* to each word for a truck."""

    trucks: dict[str, RelayedTruck]
    meddle: Meddle = honest
    mislead: Callable[[gateway_pb2.RelayedControlMessage], None] = honest
    handles: dict[int, str] = field(default_factory=dict)

    def upwards(self) -> bytes:
        """What the trucks said since: reports as columns once they have a handle, all else as it is."""
        message = gateway_pb2.GatewayMessage(gateway_id="g")
        handle_of = {truck_id: handle for handle, truck_id in self.handles.items()}
        for truck in self.trucks.values():
            for said in truck.waiting:
                if said.message.HasField("report") and truck.truck_id in handle_of:
                    add_row(message.reports, handle_of[truck.truck_id], said.message.report, said.mac)
                else:
                    message.relayed.append(said)
            truck.waiting.clear()
        self.meddle(message)
        return message.SerializeToString()

    def downwards(self, raw: bytes, now_ns: int) -> None:
        """What the server said, to each truck its own."""
        control = gateway_pb2.GatewayControl.FromString(raw)
        for word in [*control.relayed, *self._rows(control)]:
            if word.message.HasField("welcome"):
                self.handles[word.message.welcome.handle] = word.truck_id
            self.mislead(word)
            if (truck := self.trucks.get(word.truck_id)) is not None:
                truck.waiting += truck.sealed.receive(word, now_ns)

    def _rows(self, control: gateway_pb2.GatewayControl) -> Iterable[gateway_pb2.RelayedControlMessage]:
        grants, beats = control.authorities, control.heartbeats
        for at, handle in enumerate(grants.handle):
            authority = truck_pb2.MovementAuthority(
                term=common_pb2.Term(epoch=grants.epoch, sequence=grants.sequence[at]),
                route_sequence=grants.route_sequence[at],
                end=common_pb2.LanePoint(lane_id=CORRIDOR.lanes[grants.end_lane_ix[at]].lane_id, chainage_m=grants.end_chainage_m[at]),
                advised_speed_mps=grants.advised_speed_mps[at],
                friction=grants.friction[at],
            )
            yield self._word(handle, truck_pb2.ControlMessage(authority=authority), grants.mac[at] if grants.mac else b"")
        for at, handle in enumerate(beats.handle):
            beat = truck_pb2.Heartbeat(
                tick=beats.tick, epoch=beats.epoch, challenge_echo=beats.challenge_echo[at], challenge=beats.challenge[at]
            )
            for entry, value in beats.ListFields():
                if entry.message_type is not None:  # said once for all rows
                    getattr(beat, entry.name).CopyFrom(value)
            yield self._word(handle, truck_pb2.ControlMessage(heartbeat=beat), beats.mac[at] if beats.mac else b"")

    def _word(self, handle: int, message: truck_pb2.ControlMessage, mac: bytes) -> gateway_pb2.RelayedControlMessage:
        return gateway_pb2.RelayedControlMessage(truck_id=self.handles[handle], message=message, mac=mac)


def add_row(frame: gateway_pb2.ReportFrame, handle: int, report: truck_pb2.Report, mac: bytes) -> None:
    """One truck's report as a row."""
    frame.handle.append(handle)
    frame.lane_ix.append(LANE_IX[report.lane_id])
    frame.flags.append(sum(getattr(report, name) << bit for bit, name in enumerate(FLAGS)))
    frame.accepted_epoch.append(report.accepted.epoch)
    frame.accepted_sequence.append(report.accepted.sequence)
    for name in PLAIN:
        getattr(frame, name).append(getattr(report, name))
    frame.mac.append(mac)


class Yard:
    """A headless server that knows keys, a gateway, and its trucks with theirs; there is work to be done."""

    def __init__(self, count: int = 1, *, keys: Mapping[str, bytes] = KEYS, truck_keys: Mapping[str, bytes] = KEYS) -> None:
        self.server = HeadlessServer(CORRIDOR, EngineOptions(keys=keys))
        made = [RelayedTruck(number, truck_keys[f"T{number}"]) for number in range(1, count + 1)]
        self.gateway = Gateway({truck.truck_id: truck for truck in made})
        self.trucks = self.gateway.trucks
        self.now_ns = 0
        order = dispatch_pb2.CreateTransportOrderRequest(request_id="o", from_yard_id="mn", to_yard_id="cn", container_count=8)
        self.server.call("DispatchService/CreateTransportOrder", order)

    @property
    def forged(self) -> int:
        """How many words the server found made up."""
        return self.server.engine.switchboard.counts.forged

    def run(self, ticks: int, until: Callable[[], bool] = lambda: False) -> bool:
        """So many ticks, or until that holds; whether it did."""
        for _ in range(ticks):
            self.now_ns += TICK_NS
            for truck in self.trucks.values():
                truck.step(self.now_ns)
            self.server.say(self.gateway.upwards())
            self.gateway.downwards(self.server.tick(self.now_ns).control, self.now_ns)
            if until():
                return True
        return False

    def believed(self, truck_id: str) -> tuple[int, float]:
        """Where the server takes a truck's nose to be: row of the lane, chainage."""
        row = next(handle for handle, name in self.gateway.handles.items() if name == truck_id)
        fleet = self.server.fleet()
        return int(fleet.lane_ix[row]), float(fleet.chainage_m[row])
