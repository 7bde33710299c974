"""The fleet in columns must do exactly what the onboard code does truck by truck, or the simulator judges something else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from fleet.onboard import Identity, Interpreter, LanePoint, Sensors, Supervisor
from fleet.onboard.supervisor import COMPILABLE
from fleet.v1 import common_pb2, gateway_pb2, truck_pb2
from sim_harness.clock import TICK_NS, Streams
from sim_harness.observation import Roster
from sim_harness.tiny import TRUCK, tiny_corridor
from sim_harness.truck_agent import Trucks

LANES = ("load", "out", "unload", "turn_east", "back")
TRUCK_COUNT = 3


class Office:
    """Says the same to both: frames to the columns, one message at a time to the truck's own code."""

    def __init__(self, seed: int) -> None:
        self.corridor = tiny_corridor()
        self.rng = np.random.default_rng(seed)
        self.epoch = 1
        self.sequence = 1
        self.route_sequence = 0
        self.challenge = 0
        self.to_frame = gateway_pb2.GatewayControl()
        self.to_one: list[truck_pb2.ControlMessage] = []

    def term(self) -> common_pb2.Term:
        """The next term."""
        self.sequence += 1
        return common_pb2.Term(epoch=self.epoch, sequence=self.sequence)

    def say(self, message: truck_pb2.ControlMessage) -> None:
        """Send one message to everybody."""
        self.to_one.append(message)
        for number in range(1, TRUCK_COUNT + 1):
            self.to_frame.relayed.append(gateway_pb2.RelayedControlMessage(truck_id=f"t{number}", message=message))

    def welcome(self, stamp_ns: int) -> None:
        """Answer everybody's hello."""
        ladder = [
            truck_pb2.LadderRung(reaction=truck_pb2.REACTION_NO_ACCELERATION),
            truck_pb2.LadderRung(reaction=truck_pb2.REACTION_SERVICE_STOP),
        ]
        ladder[0].silence.FromMilliseconds(1000)
        ladder[1].silence.FromMilliseconds(2000)
        for number in range(1, TRUCK_COUNT + 1):
            message = truck_pb2.Welcome(
                epoch=self.epoch,
                handle=number,
                hello_stamp_ns=stamp_ns,
                map_digest=self.corridor.digest,
                ladder=ladder,
                clearing_speed_max_mps=2.5,
            )
            control = truck_pb2.ControlMessage(welcome=message)
            if number == 1:
                self.to_one.append(control)
            self.to_frame.relayed.append(gateway_pb2.RelayedControlMessage(truck_id=f"t{number}", message=control))

    def route(self) -> None:
        """One route over all lanes, in halves."""
        segments = []
        for lane_id in LANES:
            lane = self.corridor.lanes[self.corridor.lane_ix[lane_id]]
            half_m = lane.length_m / 2
            for start_m, end_m in ((0.0, half_m), (half_m, lane.length_m)):
                segments.append(
                    truck_pb2.Segment(
                        stretch=common_pb2.Stretch(lane_id=lane_id, start_m=start_m, end_m=end_m),
                        speed_max_mps=lane.speed_max_mps * (1.0 if start_m else 0.8),
                        grade=-0.02 if lane_id == "out" and start_m else 0.01,
                        no_stop=lane_id == "out" and start_m > 0.0,
                    )
                )
        term = self.term()
        self.route_sequence = term.sequence
        self.say(truck_pb2.ControlMessage(route=truck_pb2.Route(term=term, segments=segments)))

    def place(self, at_m: float) -> tuple[str, float]:
        """Lane and chainage of a distance along the route."""
        for lane_id in LANES:
            length_m = self.corridor.lanes[self.corridor.lane_ix[lane_id]].length_m
            if at_m <= length_m:
                return lane_id, at_m
            at_m -= length_m
        return LANES[-1], self.corridor.lanes[self.corridor.lane_ix[LANES[-1]]].length_m

    def authority(self, at_m: float) -> None:
        """Grant everybody the same end."""
        lane_id, chainage_m = self.place(at_m)
        term = self.term()
        frame = self.to_frame.authorities
        frame.epoch = self.epoch
        for handle in range(1, TRUCK_COUNT + 1):
            frame.handle.append(handle)
            frame.sequence.append(term.sequence)
            frame.route_sequence.append(self.route_sequence)
            frame.end_lane_ix.append(self.corridor.lane_ix[lane_id])
            frame.end_chainage_m.append(chainage_m)
            frame.advised_speed_mps.append(0.0)
            frame.friction.append(0.6)
        end = common_pb2.LanePoint(lane_id=lane_id, chainage_m=chainage_m)
        message = truck_pb2.MovementAuthority(term=term, route_sequence=self.route_sequence, end=end, friction=0.6)
        self.to_one.append(truck_pb2.ControlMessage(authority=message))

    def something(self, end_m: float, travelled_m: float) -> tuple[float, bool]:
        """Do something to the trucks, by chance; their end of authority from now on, and whether to fall silent."""
        drawn = self.rng.random()
        if drawn < 0.3:
            end_m = max(end_m, travelled_m + float(self.rng.uniform(0.0, 90.0)))
            self.authority(end_m)
        elif drawn < 0.305:
            end_m -= float(self.rng.uniform(0.0, 40.0))
            self.shorten(max(end_m, 0.0))
        elif drawn < 0.308:
            stop = truck_pb2.Stop(stop_id="s", reaction=truck_pb2.Reaction.ValueType(int(self.rng.integers(1, 4))), cause="test")
            self.say(truck_pb2.ControlMessage(stop=stop))
        elif drawn < 0.33:
            self.say(truck_pb2.ControlMessage(resume=truck_pb2.Resume(stop_id="s")))
        return end_m, 0.33 <= drawn < 0.332

    def shorten(self, at_m: float) -> None:
        """Move everybody's end back."""
        lane_id, chainage_m = self.place(at_m)
        end = common_pb2.LanePoint(lane_id=lane_id, chainage_m=chainage_m)
        message = truck_pb2.Shortening(term=self.term(), route_sequence=self.route_sequence, end=end)
        self.say(truck_pb2.ControlMessage(shortening=message))

    def heartbeat(self, tick: int, echo: int) -> None:
        """Prove that the loop is alive."""
        self.challenge += 1
        frame = self.to_frame.heartbeats
        frame.tick, frame.epoch = tick, self.epoch
        for handle in range(1, TRUCK_COUNT + 1):
            frame.handle.append(handle)
            frame.challenge_echo.append(echo)
            frame.challenge.append(self.challenge)
        beat = truck_pb2.Heartbeat(tick=tick, epoch=self.epoch, challenge_echo=echo, challenge=self.challenge)
        self.to_one.append(truck_pb2.ControlMessage(heartbeat=beat))

    def take(self) -> tuple[bytes, list[truck_pb2.ControlMessage]]:
        """What was said since last taken, in both forms."""
        frame, one = self.to_frame.SerializeToString(), self.to_one
        self.to_frame, self.to_one = gateway_pb2.GatewayControl(), []
        return frame, one


def sensors(trucks: Trucks, row: int, now_ns: int) -> Sensors:
    """What truck *row* senses: the same belief that the columns work with."""
    nose, bound_m = trucks.believed(row)
    belief = trucks.columns.belief
    return Sensors(
        stamp_ns=now_ns,
        nose=LanePoint(*nose),
        speed_mps=float(belief.speed_mps[row]),
        acceleration_mps2=float(belief.acceleration_mps2[row]),
        bound_m=bound_m,
        laden=False,
        intact=bool(belief.intact[row]),
        immobilised=False,
        obstacle_m=float(belief.obstacle_m[row]),
        slipping=bool(belief.slipping[row]),
        retarder_mps2=float(belief.retarder_mps2[row]),
    )


class Ailing:
    """Spoils what one truck senses now and then: nothing, half the speed, a place ahead of its own, a parted trailer, an obstacle."""

    def __init__(self, trucks: Trucks, rng: np.random.Generator) -> None:
        self._columns = trucks.columns
        self._rng = rng
        self._left = 0
        self._ailment = 0
        self._last = (0.0, 0.0, 0.0, 0)
        self._columns.sensing.append(self._spoil)

    def _spoil(self) -> None:
        belief = self._columns.belief
        if self._left == 0 and self._rng.random() < 0.004:
            self._left, self._ailment = int(self._rng.integers(2, 25)), int(self._rng.integers(5))
        belief.intact[0], belief.obstacle_m[0] = True, np.inf
        self._columns.onboard.same[0] = False
        if self._left > 0:
            self._left -= 1
            match self._ailment:
                case 0:
                    belief.nose_m[0], belief.speed_mps[0], belief.bound_m[0], belief.stamp_ns[0] = self._last
                case 1:
                    belief.speed_mps[0] *= 0.5
                case 2:
                    belief.nose_m[0] += 3.0
                case 3:
                    belief.intact[0] = False
                case _:
                    belief.obstacle_m[0] = 25.0
        self._last = (float(belief.nose_m[0]), float(belief.speed_mps[0]), float(belief.bound_m[0]), int(belief.stamp_ns[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """Modes and demands of truck 1 by the columns and by its own code, how far it came, and what it measured."""

    by_columns: list[tuple[int, float]]
    by_own: list[tuple[int, float]]
    travelled_m: float
    brake_health: float
    friction: float


def drive(seed: int, ticks: int, *, ailing: bool = False, health: float = 1.0, friction: float = 0.7) -> Drive:
    """One truck driven by both, with true brakes of *health*, on a road of *friction*."""
    office = Office(seed)
    corridor = office.corridor
    roster = Roster(corridor=corridor, truck_ids=tuple(f"t{i}" for i in range(1, TRUCK_COUNT + 1)), truck_types=(TRUCK,) * TRUCK_COUNT)
    stop_m = np.full(TRUCK_COUNT, 50.0)
    trucks = Trucks(roster, Streams(seed), np.full(TRUCK_COUNT, corridor.lane_ix["load"], dtype=np.int32), stop_m)
    trucks.columns.around.brake_health[:], trucks.columns.around.friction[:] = health, friction
    own = Interpreter(
        Supervisor(
            Identity(truck_id="t1", instance_id="a", boot_id="1", truck_type_id=TRUCK.truck_type_id, map_digest=corridor.digest), TRUCK
        )
    )
    if ailing:
        Ailing(trucks, office.rng)
    silent_until = 0
    echo = 0
    end_m = 50.0
    by_columns, by_own, frictions = [], [], [1.0]
    for tick in range(1, ticks + 1):
        now_ns = tick * TICK_NS
        frame, one = office.take()
        trucks.hear(frame, now_ns)
        for message in one:
            own.receive(message, now_ns)
        trucks.step(now_ns)
        command = own.supervisor.step(now_ns)
        if tick > 2:
            by_columns.append(trucks.demanded(0))
            by_own.append((int(command.mode), command.acceleration_demand_mps2))
        if trucks.columns.belief.stamp_ns[0] == now_ns:
            own.supervisor.sense(sensors(trucks, 0, now_ns))
        frictions.append(own.supervisor._grip.friction or 1.0)
        said = trucks.say(tick)
        if own.supervisor.hello_due(now_ns):
            own.hello(now_ns)
            office.welcome(now_ns)
            if office.route_sequence == 0:
                office.route()
            office.authority(end_m)
        elif tick % 2 == 0:
            assert said is not None
            echo = own.report(now_ns).report.challenge
        if tick > silent_until and tick % 2 == 1:
            office.heartbeat(tick, echo)
        end_m, silent = office.something(end_m, float(trucks.travelled_m()[0]))
        silent_until = tick + 40 if silent else silent_until
    return Drive(
        by_columns=by_columns,
        by_own=by_own,
        travelled_m=float(trucks.travelled_m()[0]),
        brake_health=own.supervisor._brakes.health,
        friction=min(frictions),
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ailing", [False, True])
def test_columns_do_what_the_trucks_own_code_does(seed: int, *, ailing: bool) -> None:
    """Grants, shortenings, stops, silences and failing sensors at random: mode and demand must agree at every step."""
    drove = drive(seed, 1200, ailing=ailing)

    assert drove.by_columns == drove.by_own
    assert drove.travelled_m > 100.0


def test_columns_and_own_code_find_weak_brakes_alike() -> None:
    """What a truck measures of itself changes how it drives: in the simulator as on the road."""
    drove = drive(1, 2400, health=0.5)

    assert drove.by_columns == drove.by_own
    assert 0.4 < drove.brake_health < 0.8
    assert drove.friction == 1.0


def test_columns_and_own_code_find_ice_alike() -> None:
    """Slipping wheels measure the road and leave the brakes out of suspicion."""
    drove = drive(1, 2400, friction=0.12)

    assert drove.by_columns == drove.by_own
    assert drove.friction == pytest.approx(0.12, abs=0.015)
    assert drove.brake_health == 1.0


def greeted(digest: str | None = None) -> tuple[Trucks, Office]:
    """Trucks that said hello at tick 1, and were welcomed by a server on the site of *digest* (usual: theirs)."""
    office = Office(1)
    roster = Roster(corridor=office.corridor, truck_ids=("t1", "t2", "t3"), truck_types=(TRUCK,) * TRUCK_COUNT)
    lane_ix = np.full(TRUCK_COUNT, office.corridor.lane_ix["load"], dtype=np.int32)
    trucks = Trucks(roster, Streams(1), lane_ix, np.full(TRUCK_COUNT, 50.0))
    trucks.step(TICK_NS)
    trucks.say(1)
    office.welcome(TICK_NS)
    for relayed in office.to_frame.relayed:
        relayed.message.welcome.map_digest = office.corridor.digest if digest is None else digest
    trucks.hear(office.take()[0], TICK_NS)
    return trucks, office


def test_trucks_in_columns_say_that_they_are_ready_for_another_site() -> None:
    """A map change waits for every truck; what comes to nothing later is no answer."""
    trucks, office = greeted()
    office.say(truck_pb2.ControlMessage(site_proposed=truck_pb2.SiteProposed(digest="other")))
    office.say(truck_pb2.ControlMessage(site_withdrawn=truck_pb2.SiteWithdrawn(digest="another")))

    trucks.hear(office.take()[0], TICK_NS)
    trucks.step(2 * TICK_NS)
    said = gateway_pb2.GatewayMessage.FromString(trucks.say(2) or b"")

    acknowledged = {relayed.truck_id: relayed.message.site_acknowledged.digest for relayed in said.relayed}
    assert acknowledged == {"t1": "other", "t2": "other", "t3": "other"}
    assert trucks.happened == []


def test_trucks_in_columns_do_not_obey_a_server_on_another_site() -> None:
    """Its lanes are other rows than theirs: they would drive where nobody sent them."""
    under_their_own, _ = greeted()
    under_another, _ = greeted("other")

    assert under_their_own._fleet.onboard.agreed_epoch.tolist() == [1, 1, 1]
    assert under_another._fleet.onboard.agreed_epoch.tolist() == [0, 0, 0]
    assert [event for _, event, _ in under_another.happened] == ["message_refused"] * TRUCK_COUNT


def test_a_battery_fills_while_it_is_plugged_in() -> None:
    """Who watches sees it rise, and nobody's runs empty at a charger; what came is counted, what the truck drew meanwhile too."""
    trucks, _ = greeted()
    fleet, full_wh = trucks._fleet, TRUCK.battery_wh
    fleet.battery_wh[:] = 0.25 * full_wh
    trucks.plug_in("t2", 40.0)

    seen_wh = []
    for tick in range(2, 402):
        trucks.step(tick * TICK_NS)
        trucks.say(tick)
        seen_wh.append(float(fleet.battery_wh[1]))

    drawn_wh = 0.25 * full_wh - float(fleet.battery_wh[0])
    assert drawn_wh > 0.0
    assert seen_wh[199] == pytest.approx(0.625 * full_wh, rel=0.01)
    assert seen_wh == sorted(seen_wh)
    assert trucks.battery_lack("t2") * full_wh == pytest.approx(drawn_wh, rel=1e-3)
    assert trucks.recharge("t2") == pytest.approx(0.75 * full_wh + drawn_wh)
    trucks.step(402 * TICK_NS)
    assert fleet.battery_wh[1] == full_wh
    assert trucks.recharge("t2") == 0.0


def test_every_function_of_the_supervisor_is_compiled() -> None:
    """A helper left out of the list would be a different truck in the simulator."""
    import fleet.onboard.supervisor as module  # noqa: PLC0415 - looked at as a module

    functions = {name for name, value in vars(module).items() if callable(value) and getattr(value, "__module__", "") == module.__name__}
    compiled = {function.__name__ for function in COMPILABLE}

    assert {name for name in functions if name.islower() or name.startswith("_")} <= compiled
