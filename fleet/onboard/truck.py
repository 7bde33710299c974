"""
One truck's supervisor: what it hears and senses goes in, what its actuators must do and what it says come out.

It owns no socket, file or clock: time is an argument, the store of terms is handed in. `fleet.onboard.client` runs it on a
real truck; a simulator calls it with simulated time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

from fleet.errors import FleetError
from fleet.onboard.contact import Contact
from fleet.onboard.hardware import Command, Identity, Sensors, build_of
from fleet.onboard.ladder import Ladder, LadderUnsound
from fleet.onboard.permission import Permission
from fleet.onboard.route import Path
from fleet.onboard.senses import (
    HEALTH_SAID_MIN,
    STALE_MAX_NS,
    STUCK_MAX_S,
    agree,
    brakes_alone,
    brakes_trusted,
    grade_under,
    grip_unknown,
    said_friction,
    sense,
    senses_at,
    watch_brakes,
    watch_grip,
)
from fleet.onboard.site import Sites
from fleet.onboard.store import MemoryStore, Term, TermStore
from fleet.onboard.supervisor import (
    EMERGENCY_BRAKE,
    HOLD,
    SERVICE_BRAKE,
    SERVICE_STOP,
    Build,
    Held,
    Mode,
    Road,
    Sensed,
    at_start,
    earliest_end_m,
    first_under,
    supervise,
)
from fleet.onboard.words import (
    EventKind,
    Heard,
    Heartbeat,
    Hello,
    Mission,
    MovementAuthority,
    Refusal,
    Report,
    ReportRefused,
    Resume,
    Route,
    Said,
    Shortening,
    SiteProposed,
    SiteWithdrawn,
    Stop,
    TruckEvent,
    Welcome,
)
from fleet.wire_version import agreed
from planner.corridor import TruckType
from planner.limits import BRAKE_FAILED, CLEARING_SPEED_MPS, GRAVITY_MPS2, REPORT_PERIOD_MIN_MS, REPORT_PERIOD_MS, SPEED_STANDING_MPS

GOAL_TOLERANCE_M: Final = 3.0
GOAL_PASSED_M: Final = 5.0  # an authority this far beyond the goal means the truck is free to leave it
SIGHTING_REPEATS: Final = 3  # once a second: a sighting lost three times in a row is a lost link, and is told after the next hello
_NO_ROAD: Final = Road((math.inf,), (SPEED_STANDING_MPS,), (0.0,), (False,), 0, 1)
REPORT_PERIOD_MAX_MS: Final = 1000  # a server that wants to hear less has not understood what silence does
_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000


@dataclass(eq=False)
class NotSensed(FleetError):
    """There has been no reading of the sensors yet."""

    truck_id: str


@dataclass(slots=True)
class _Orders:
    """What others have told the truck to do or not to do, beside its authority."""

    stops: dict[str, int] = field(default_factory=dict)
    mission: Mission | None = None
    parked: bool = False
    intruded: bool = False
    sighting: TruckEvent | None = None
    untold: int = 0  # how often the sighting is still to be told


class Supervisor:
    """Keeps one truck inside its authority, and speaks for it."""

    def __init__(self, identity: Identity, kind: TruckType, store: TermStore | None = None) -> None:
        self.identity = identity
        self.permission = Permission(store if store is not None else MemoryStore())
        self.contact = Contact()
        self.sites = Sites(identity.map_digest)
        self.refusal: Refusal | None = None
        self.report_period_ns = REPORT_PERIOD_MS * 1_000_000
        self.handle = 0
        self._builds = {laden: build_of(kind, laden=laden) for laden in (False, True)}
        self._clearing_speed_mps = CLEARING_SPEED_MPS
        self._orders = _Orders()
        self._sensors: Sensors | None = None
        self._nose_m = 0.0
        self._on_path = True
        self._senses = senses_at(0.0)
        self._brakes = brakes_trusted()
        self._grip = grip_unknown()
        self._memory = at_start(0.0)
        self._first = 0
        self._stamp_ns = 0
        self._said: list[Said] = []
        self._refused_ns: dict[str, int] = {}

    # What it hears.

    def receive(self, heard: Heard, now_ns: int) -> list[Said]:
        """Takes one message and returns what is to be said because of it."""
        try:
            self._take(heard, now_ns)
        except (FleetError, LadderUnsound) as refused:
            self.refuse(type(heard).__name__, refused, now_ns)
        return self.drain()

    def refuse(self, what: str, refused: Exception, now_ns: int) -> None:
        """Notes that a message was refused; a peer that repeats itself ten times a second is told once a second."""
        reason = type(refused).__name__
        if now_ns - self._refused_ns.get(reason, -_NS_PER_S) >= _NS_PER_S:
            self._refused_ns[reason] = now_ns
            self._note(now_ns, EventKind.MESSAGE_REFUSED, f"{what}: {refused}", reason=reason)

    def drain(self) -> list[Said]:
        """Returns what the truck has to say, beside its reports, since it was last asked."""
        said, self._said = self._said, []
        return said

    def _take(self, heard: Heard, now_ns: int) -> None:
        match heard:
            case Heartbeat():
                if heard.epoch == self.permission.agreed_epoch:
                    self.contact.hear(heard, now_ns)
                    self.permission.note_journal(heard.journal)
            case MovementAuthority():
                self.permission.take_authority(heard, self._earliest_m())
            case Stop() | Resume():
                self._obey(heard)
            case Shortening():
                answer = self.permission.take_shortening(heard, self._earliest_m())
                if answer is not None:
                    self._said.append(answer)
            case Route():
                self._take_route(heard)
            case Mission():
                self._orders.mission = heard
            case Welcome():
                self._welcomed(heard, now_ns)
            case Refusal():
                self.refusal = heard
            case SiteProposed() | SiteWithdrawn():
                self._said += self.sites.hear(heard)
            case ReportRefused():
                self._note(now_ns, EventKind.MESSAGE_REFUSED, f"report refused by the server: {heard.detail}", reason=heard.reason)

    def _welcomed(self, welcome: Welcome, now_ns: int) -> None:
        if not self.contact.is_answered_by(welcome.hello_stamp_ns, now_ns):
            return
        agreed(welcome.wire_version)
        ladder = Ladder.of_rungs(welcome.ladder)
        self.sites.require(welcome.map_digest)
        self.permission.agree(welcome.epoch)
        self.sites.agree(welcome.map_digest)
        if self.contact.lapsed:
            self.permission.needs_grant = True
            if self.contact.silence_s(now_ns) > 0.0:
                self._note(now_ns, EventKind.CONTACT_REGAINED, f"epoch {welcome.epoch}")
        self.contact.welcomed(ladder, now_ns)
        self.refusal = None
        self._orders.untold = SIGHTING_REPEATS if self._orders.intruded else 0
        if welcome.report_period_ns > 0:
            self.report_period_ns = min(max(welcome.report_period_ns, REPORT_PERIOD_MIN_MS * _NS_PER_MS), REPORT_PERIOD_MAX_MS * _NS_PER_MS)
        self.handle = welcome.handle
        if 0.0 < welcome.clearing_speed_mps <= CLEARING_SPEED_MPS:
            self._clearing_speed_mps = welcome.clearing_speed_mps
        self._senses = self._senses._replace(doubt_m=0.0, apart_m=0.0)

    def _take_route(self, route: Route) -> None:
        before = self.permission.path
        build = self._builds[self._sensors is not None and self._sensors.laden]
        taken = self.permission.take_route(route, self._place_first, self._nose_m - build.length_m, self._nose_m)
        if not taken:
            return
        self._first = 0
        if before is None and self._sensors is not None and self.permission.path is not None:
            nose_m = self._place_first(self.permission.path)
            assert nose_m is not None, "a route that places no nose is refused"
            self._nose_m = nose_m
            self._senses = self._senses._replace(nose_m=nose_m)
            self._memory = at_start(nose_m)
            self._on_path = True

    def _place_first(self, path: Path) -> float | None:
        return None if self._sensors is None else path.locate(self._sensors.nose)

    def _obey(self, heard: Stop | Resume) -> None:
        stops = self._orders.stops
        if isinstance(heard, Stop):
            # An order without a reaction still means stop.
            stops[heard.stop_id] = max(heard.reaction or SERVICE_STOP, stops.get(heard.stop_id, 0))
        elif stops.pop(heard.stop_id, None) is not None:
            self.permission.needs_grant = True
            if not stops:
                # A person has looked: at the road, and at where the truck really is.
                self._orders.intruded, self._orders.untold = False, 0
                self._senses = self._senses._replace(doubt_m=0.0, apart_m=0.0)

    def link_lost(self) -> None:
        """The stream ended. Nothing moves yet: the ladder runs on silence. A welcome still under way answers nobody."""
        self.contact.said_hello(0)

    # What it senses and does.

    def sense(self, sensors: Sensors) -> None:
        """Takes one reading."""
        before = self._sensors
        step_s = 0.0 if before is None else (sensors.stamp_ns - before.stamp_ns) / _NS_PER_S
        motion = (sensors.nose.chainage_m, sensors.speed_mps, sensors.acceleration_mps2, sensors.bound_m)
        numbers = (*motion, sensors.friction, sensors.retarder_mps2)
        if not all(map(math.isfinite, numbers)) or math.isnan(sensors.obstacle_m) or step_s < 0.0:
            return  # garbage is no reading: the last good one grows old, and the truck stops
        self._sensors = sensors
        self._said += self.sites.load(sensors.loaded_digest)
        path = self.permission.path
        if path is None:
            return
        nose_m = path.locate(sensors.nose)
        self._on_path = nose_m is not None
        if nose_m is None:
            return
        self._senses = sense(self._senses, nose_m, sensors.speed_mps, sensors.bound_m, step_s)
        self._nose_m = nose_m
        self._watch_braking(sensors, step_s)
        self._look_ahead(sensors, path)

    def _look_ahead(self, sensors: Sensors, path: Path) -> None:
        """Sees what is on the road, and says so until it can be taken for heard: others drive towards the same place."""
        orders = self._orders
        told_ns = -_NS_PER_S if orders.sighting is None else orders.sighting.stamp_ns
        if math.isfinite(sensors.obstacle_m) and not orders.intruded:
            place = path.place(min(self._nose_m + sensors.obstacle_m, path.end_m))
            detail = f"{sensors.obstacle_m:.1f} m ahead"
            orders.sighting = TruckEvent(stamp_ns=sensors.stamp_ns, kind=EventKind.OBSTACLE_SEEN, detail=detail, place=place)
            orders.intruded, orders.untold, told_ns = True, SIGHTING_REPEATS, -_NS_PER_S
        if orders.untold and orders.sighting is not None and sensors.stamp_ns - told_ns >= _NS_PER_S:
            orders.untold -= 1
            orders.sighting = replace(orders.sighting, stamp_ns=sensors.stamp_ns)
            self._said.append(orders.sighting)

    def _watch_braking(self, sensors: Sensors, step_s: float) -> None:
        """Looks at what brakes and road give."""
        build = self._builds[sensors.laden]
        lags_s = build.brake_dead_s, build.brake_build_up_s
        mode = self._memory.mode if sensors.speed_mps > SPEED_STANDING_MPS else HOLD
        braking = mode >= SERVICE_BRAKE
        grade = grade_under(self._road(sensors, build), self._nose_m - build.length_m, self._nose_m) if braking else 0.0
        slipping = sensors.slipping and braking
        slowing_mps2 = -sensors.acceleration_mps2
        brakes, grip = self._brakes, self._grip
        asked_mps2, given_mps2 = brakes_alone(
            mode, self._memory.demand_mps2, slowing_mps2, grade, sensors.retarder_mps2, build.brake_guaranteed_mps2
        )
        self._brakes = watch_brakes(brakes, asked_mps2, given_mps2, lags_s, step_s, slipping)
        self._grip = watch_grip(grip, sensors.friction, slipping, slowing_mps2 - GRAVITY_MPS2 * grade, self._nose_m)
        if self._brakes.health < brakes.health:
            self._note(sensors.stamp_ns, EventKind.DERATED, f"brakes give {self._brakes.health:.2f} of what is asked")
        if self._grip.friction > 0.0 and grip.friction <= 0.0:
            self._note(sensors.stamp_ns, EventKind.DERATED, f"the road gives {self._grip.friction:.2f} of the truck's weight")

    def step(self, now_ns: int) -> Command:
        """Decides what the actuators do until the next step; to be called at 10 Hz."""
        lapsed = self.contact.lapsed
        reaction = self._reaction(now_ns)
        if self.contact.lapsed and not lapsed:
            self._note(now_ns, EventKind.CONTACT_LOST, f"{self.contact.silence_s(now_ns):.1f} s without a heartbeat")
        sensors = self._sensors
        if sensors is None:
            return Command(mode=Mode.EMERGENCY_BRAKE, acceleration_demand_mps2=0.0, speed_target_mps=0.0, immobilise=False)
        build = self._builds[sensors.laden]
        road = self._road(sensors, build)
        held = self._held(sensors, reaction)
        before = self._memory.mode
        demand, self._memory = supervise(build, self._sensed(sensors, now_ns), held, self._memory, road)
        if demand.mode == Mode.EMERGENCY_BRAKE and before != Mode.EMERGENCY_BRAKE:
            self._note(now_ns, EventKind.EMERGENCY_BRAKED, f"at {sensors.speed_mps:.2f} m/s, end {held.end_m - self._nose_m:.1f} m ahead")
        return Command(
            mode=Mode(demand.mode),
            acceleration_demand_mps2=demand.acceleration_mps2,
            speed_target_mps=demand.speed_target_mps,
            immobilise=self._parks(sensors, demand.mode),
            map_digest=self.sites.digest,
            load_digest=self.sites.to_load,
        )

    def _reaction(self, now_ns: int) -> int:
        reaction = max(self.contact.reaction(now_ns), *self._orders.stops.values(), 0)
        if self.permission.needs_grant or self._orders.intruded or self._orders.parked or self._brakes.health < BRAKE_FAILED:
            reaction = max(reaction, SERVICE_STOP)
        return reaction

    def _road(self, sensors: Sensors, build: Build) -> Road:
        path = self.permission.path
        if path is None:
            return _NO_ROAD
        tail_m = self._nose_m - build.length_m - sensors.bound_m - self._senses.doubt_m
        # A cursor only moves on: the tail does not go back beyond what a segment's worth of caution covers.
        self._first = first_under(path.road._replace(first=self._first), tail_m - build.roll_back_m)
        return path.road._replace(first=self._first)

    def _sensed(self, sensors: Sensors, now_ns: int) -> Sensed:
        fresh = now_ns - sensors.stamp_ns <= STALE_MAX_NS
        sound = sensors.intact and fresh and self._on_path and self._senses.stuck_s < STUCK_MAX_S
        sound = sound and agree(self._senses.apart_m, sensors.bound_m)
        bound_m = sensors.bound_m + self._senses.doubt_m
        health, friction = self._brakes.health, self._grip.friction
        return Sensed(self._nose_m, sensors.speed_mps, sensors.acceleration_mps2, bound_m, friction, health, sound)

    def _held(self, sensors: Sensors, reaction: int) -> Held:
        permission = self.permission
        end_m = min(permission.end_m, self._nose_m + sensors.obstacle_m)
        return Held(end_m, permission.friction, permission.advised_speed_mps, self._clearing_speed_mps, reaction)

    def _earliest_m(self) -> float:
        sensors = self._sensors
        if sensors is None or self.permission.path is None:
            return self._nose_m
        build = self._builds[sensors.laden]
        held = self._held(sensors, 0)
        return earliest_end_m(build, self._sensed(sensors, sensors.stamp_ns), held, self._road(sensors, build))

    def _parks(self, sensors: Sensors, mode: int) -> bool:
        """Whether the parking brake is to be set: at the goal of a mission that asks for it, until it is free to leave."""
        mission, path = self._orders.mission, self.permission.path
        goal_m = path.locate(mission.goal) if path is not None and mission is not None and mission.goal is not None else None
        wanted = mission is not None and mission.immobilise and goal_m is not None
        at_goal = goal_m is not None and abs(self._nose_m - goal_m) <= GOAL_TOLERANCE_M
        free = goal_m is not None and self.permission.end_m > goal_m + GOAL_PASSED_M
        standing = mode in {HOLD, EMERGENCY_BRAKE} and abs(sensors.speed_mps) <= SPEED_STANDING_MPS
        self._orders.parked = wanted and at_goal and not free and (standing or self._orders.parked)
        return self._orders.parked

    # What it says.

    def hello(self, now_ns: int) -> Hello:
        """
        Says who it is. Call it first on every stream, and again whenever `hello_due`.

        Raises:
            NotSensed: there has been no reading yet, and a truck that does not know where it is has nothing to say.
        """
        report = self.report(now_ns)
        self.contact.said_hello(report.stamp_ns)
        path, sensors = self.permission.path, self._sensors
        assert sensors is not None, "a report needs a reading"
        body = sensors.body_lane_ids or (sensors.nose.lane_id,)
        if path is not None:
            build = self._builds[sensors.laden]
            body = path.lanes_between(self._nose_m - build.length_m, self._nose_m) or body
        identity = self.identity
        return Hello(
            truck_id=identity.truck_id,
            instance_id=identity.instance_id,
            boot_id=identity.boot_id,
            truck_type_id=identity.truck_type_id,
            map_digest=self.sites.digest,
            ready_digest=self.sites.ready,
            software=identity.software,
            wire_version=identity.wire_version,
            seen=self.permission.seen,
            end_held=self.permission.end,
            body_lane_ids=body,
            report=report,
            journal_seen=self.permission.journal_seen,
        )

    def hello_due(self, now_ns: int) -> bool:
        """Whether contact has lapsed and the truck must introduce itself (again)."""
        return self._sensors is not None and self.contact.hello_due(now_ns)

    def report(self, now_ns: int) -> Report:
        """
        Says where it is, with a challenge for the next heartbeat.

        Raises:
            NotSensed: there has been no reading yet.
        """
        sensors = self._sensors
        if sensors is None:
            raise NotSensed(self.identity.truck_id)
        self._stamp_ns = max(self._stamp_ns + 1, sensors.stamp_ns)
        seen = self.permission.seen
        return Report(
            stamp_ns=self._stamp_ns,
            nose=sensors.nose,
            speed_mps=sensors.speed_mps,
            acceleration_mps2=sensors.acceleration_mps2,
            bound_m=sensors.bound_m + self._senses.doubt_m,
            laden=sensors.laden,
            intact=sensors.intact,
            immobilised=sensors.immobilised,
            emergency_braking=self._memory.mode == Mode.EMERGENCY_BRAKE,
            accepted=Term(*seen),
            challenge=self.contact.ask(now_ns),
            challenge_echo=self.contact.challenge_echo,
            battery_wh=sensors.battery_wh,
            friction=said_friction(self._grip, self._nose_m),
            brake_health=max(self._brakes.health, HEALTH_SAID_MIN),
        )

    def _note(self, stamp_ns: int, kind: EventKind, detail: str, **facts: str) -> None:
        self._said.append(TruckEvent(stamp_ns=stamp_ns, kind=kind, detail=detail, facts=facts))
