"""A truck that obeys at once, its supervisor, and a server that may fall silent: what the tests of the truck drive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fleet.onboard import EventKind, Identity, LanePoint, MemoryStore, Mode, Sensors, Supervisor, Term, TruckType
from fleet.onboard.hardware import Command
from fleet.onboard.words import (
    Heard,
    Heartbeat,
    MovementAuthority,
    Route,
    Said,
    Segment,
    Shortening,
    TruckEvent,
    Welcome,
)

NS = 1_000_000_000
TICK_NS = 100_000_000
KIND = TruckType(
    truck_type_id="coal_truck_70t", length_m=16.5, width_m=3.2, wheelbase_m=10.0, lateral_error_m=0.2, tare_kg=30e3, load_max_kg=70e3,
    speed_max_mps=6.944, acceleration_laden_mps2=0.35, acceleration_empty_mps2=0.7, brake_service_mps2=1.5, brake_guaranteed_mps2=2.2,
    brake_dead_s=0.5, brake_build_up_s=0.5, traction_cutoff_s=0.3, jerk_mps3=0.6, roll_back_m=1.0, bound_max_m=5.0, battery_wh=350e3,
)  # fmt: skip
ME = Identity(truck_id="T001", instance_id="onboard-1", boot_id="boot-1", truck_type_id=KIND.truck_type_id)
SEGMENTS = (
    Segment(lane_id="a", start_m=0.0, end_m=400.0, speed_max_mps=6.944, grade=0.0, no_stop=False),
    Segment(lane_id="b", start_m=0.0, end_m=400.0, speed_max_mps=6.944, grade=0.0, no_stop=False),
)


@dataclass(slots=True)
class Cab:
    """
    A truck on lane a, its supervisor, and a server that may fall silent.

    *obeys* is what it makes of a command, in m/s²; *changes* what else its sensors show while it runs.
    """

    store: MemoryStore = field(default_factory=MemoryStore)
    now_ns: int = NS
    chainage_m: float = 50.0
    speed_mps: float = 0.0
    acceleration_mps2: float = 0.0
    obeys: Callable[[Command], float] = lambda command: command.acceleration_demand_mps2
    changes: dict[str, object] = field(default_factory=dict)
    epoch: int = 4
    sequence: int = 0
    tick: int = 0
    silent: bool = False
    said: list[Said] = field(default_factory=list)
    supervisor: Supervisor = field(init=False)
    command: Command = field(init=False)

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(ME, KIND, self.store)
        self.sense()

    def sense(self, **changes: object) -> None:
        """One reading, with *changes*."""
        sensors = Sensors(
            stamp_ns=self.now_ns, nose=LanePoint("a", self.chainage_m), speed_mps=self.speed_mps,
            acceleration_mps2=self.acceleration_mps2, bound_m=0.5, laden=False,
        )  # fmt: skip
        self.supervisor.sense(replace(sensors, **{**self.changes, **changes}))  # type: ignore[arg-type]

    def hear(self, heard: Heard) -> list[Said]:
        """The truck hears *heard* now."""
        said = self.supervisor.receive(heard, self.now_ns)
        self.said += said
        return said

    def next_term(self) -> Term:
        """The server's next term."""
        self.sequence += 1
        return Term(self.epoch, self.sequence)

    def greet(self) -> None:
        """Hello and welcome."""
        stamp_ns = self.supervisor.hello(self.now_ns).report.stamp_ns
        self.hear(
            Welcome(
                epoch=self.epoch, hello_stamp_ns=stamp_ns, map_digest="", report_period_ns=200_000_000, ladder=((1.0, 1), (2.0, 2)),
                clearing_speed_mps=10 / 3.6, handle=1,
            )
        )  # fmt: skip

    def route(self) -> None:
        """The whole road."""
        self.hear(Route(term=self.next_term(), segments=SEGMENTS))

    def authority(self, chainage_m: float, lane_id: str = "a") -> MovementAuthority:
        """An authority along the route held; not yet heard."""
        return MovementAuthority(
            term=self.next_term(), route_sequence=self.supervisor.permission.route_sequence, end=LanePoint(lane_id, chainage_m),
            advised_speed_mps=0.0, friction=0.7,
        )  # fmt: skip

    def shortening(self, chainage_m: float) -> Shortening:
        """A shortening along the route held; not yet heard."""
        sequence = self.supervisor.permission.route_sequence
        return Shortening(term=self.next_term(), route_sequence=sequence, end=LanePoint("a", chainage_m))

    def run(self, seconds: float) -> None:
        """Drives on, reporting and hearing heartbeats at 5 Hz unless the server is silent."""
        for step in range(round(seconds * 10)):
            self.sense()
            self.command = self.supervisor.step(self.now_ns)
            self.said += self.supervisor.drain()
            if step % 2 == 0:
                report = self.supervisor.report(self.now_ns)
                self.tick += 2
                if not self.silent:
                    self.hear(Heartbeat(tick=self.tick, challenge_echo=report.challenge, challenge=self.tick, epoch=self.epoch))
            demand_mps2 = -2.0 if self.command.mode == Mode.HOLD else self.obeys(self.command)
            before_mps, self.speed_mps = self.speed_mps, max(0.0, self.speed_mps + 0.1 * demand_mps2)
            self.acceleration_mps2 = (self.speed_mps - before_mps) / 0.1
            self.chainage_m += 0.1 * self.speed_mps
            self.now_ns += TICK_NS

    def events(self, kind: EventKind) -> list[TruckEvent]:
        """What the truck said about *kind*."""
        return [said for said in self.said if isinstance(said, TruckEvent) and said.kind == kind]
