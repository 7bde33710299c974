"""What goes wrong between trucks and server: lost links, dead spots, stale reports, strangers, floods."""

from __future__ import annotations

from typing import Final

from fleet.v1 import common_pb2, gateway_pb2, truck_pb2
from fleet.wire_version import CURRENT
from sim_harness import link, paths
from sim_harness.faults.kind import Shape
from sim_harness.faults.scene import Scene
from sim_harness.faults.spec import FaultSpec
from sim_harness.observation import TICK_S
from sim_harness.radio import Way

STRANGER_GATEWAY: Final = 1
# A link that comes and goes does so in windows about as long as the amount, seconds.
WINDOW_TICKS_MIN: Final = 5


def _ticks(seconds: float) -> int:
    return max(1, round(seconds / TICK_S))


class Link:
    """The radio of one truck."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._scene = scene
        self._row = scene.row(spec)
        self._shape = spec.failing
        self._amount = spec.amount
        self._rng = scene.streams.stream(f"{spec.fault} {spec.aimed_at} {spec.at_s}", "fault")
        self._ticks = 0

    def begin(self) -> None:
        """Let the truck's words take a way of their own."""
        if self._scene.radio.way(self._row) is None:
            self._scene.radio.part(self._row, self._way())

    def _way(self) -> Way:
        way = Way(self._rng)
        late = _ticks(self._amount)
        match self._shape:
            case Shape.LOSS:
                way.lost_up = way.lost_down = min(self._amount, 1.0)
            case Shape.UP_LOST:
                way.lost_up = 1.0
            case Shape.DOWN_LOST:
                way.lost_down = 1.0
            case Shape.DELAYED:
                way.late_ticks = late
            case Shape.DUPLICATED:
                way.late_ticks, way.twice = late, True
            case Shape.REORDERED:
                way.scatter_ticks = late
            case _:
                way.lost_up = way.lost_down = 1.0
        return way

    def tick(self) -> None:
        """A link that comes and goes comes and goes."""
        self._ticks += 1
        way = self._scene.radio.way(self._row)
        if self._shape is Shape.INTERMITTENT and way is not None and self._ticks % max(WINDOW_TICKS_MIN, _ticks(self._amount)) == 0:
            way.lost_up = way.lost_down = 1.0 - way.lost_up

    def end(self) -> None:
        """The truck is heard among the others again."""
        if self._scene.radio.way(self._row) is not None:
            self._scene.radio.rejoin(self._row)


class Reports:
    """A truck's reports alone are late, rare or gone; all else it says and hears is well."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._scene = scene
        self._row = scene.row(spec)
        self._shape = spec.failing
        self._period = _ticks(spec.amount)
        self._rng = scene.streams.stream(f"{spec.fault} {spec.aimed_at} {spec.at_s}", "fault")
        self._ticks = 0

    def begin(self) -> None:
        """Take the truck's words out of the common frames."""
        if self._scene.radio.way(self._row) is None:
            late = self._period if self._shape is Shape.DELAYED else 0
            self._scene.radio.part(self._row, Way(self._rng, silent_reports=self._shape is not Shape.DELAYED, late_ticks=late))

    def tick(self) -> None:
        """Let a report through now and then, where it is slow or comes and goes."""
        self._ticks += 1
        way = self._scene.radio.way(self._row)
        if way is None:
            return
        if self._shape is Shape.SLOW:
            # A report is due every second tick: both are let through, and one of them is.
            way.silent_reports = self._ticks % max(2, self._period) not in {0, 1}
        elif self._shape is Shape.INTERMITTENT and self._ticks % max(WINDOW_TICKS_MIN, self._period) == 0:
            way.silent_reports = not way.silent_reports

    def end(self) -> None:
        """Back among the others."""
        if self._scene.radio.way(self._row) is not None:
            self._scene.radio.rejoin(self._row)


class DeadSpot:
    """A stretch of road without radio."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._scene = scene
        self._spec = spec
        self._rng = scene.streams.stream(f"{spec.fault} {spec.aimed_at} {spec.at_s}", "fault")
        self._in: set[int] = set()

    def begin(self) -> None:
        """Who is in it is looked at every tick."""

    def tick(self) -> None:
        """Trucks that enter fall out of reach, trucks that leave are heard again."""
        inside = set(self._scene.under(self._spec))
        for row in sorted(inside - self._in):
            if self._scene.radio.way(row) is None:
                self._scene.radio.part(row, Way(self._rng, lost_up=1.0, lost_down=1.0))
                self._in.add(row)
        for row in sorted(self._in - inside):
            self._leave(row)

    def end(self) -> None:
        """The radio reaches everywhere again."""
        for row in sorted(self._in):
            self._leave(row)

    def _leave(self, row: int) -> None:
        self._in.discard(row)
        if self._scene.radio.way(row) is not None:
            self._scene.radio.rejoin(row)


class Reconnect:
    """
    A truck says hello over another gateway while its old conversation is still open.

    It stays with the new gateway a while, then comes back the same way.
    """

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._scene = scene
        self._row = scene.row(spec)
        self._rng = scene.streams.stream(f"{spec.fault} {spec.aimed_at} {spec.at_s}", "fault")

    def begin(self) -> None:
        """Change gateways without a goodbye."""
        if self._scene.radio.way(self._row) is None:
            self._scene.radio.part(self._row, Way(self._rng, gateway=STRANGER_GATEWAY))
            self._greet()

    def tick(self) -> None:
        """It talks."""

    def end(self) -> None:
        """Change back."""
        if self._scene.radio.way(self._row) is not None:
            self._scene.radio.rejoin(self._row)
            self._greet()

    def _greet(self) -> None:
        """A new stream begins with a hello."""
        self._scene.fleet.onboard.lost[self._row] = True
        self._scene.fleet.onboard.hello_ns[self._row] = 0


class Duplicate:
    """Another onboard computer says hello in a truck's name, from a stranger's gateway."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._scene = scene
        self._row = scene.row(spec)
        self._truck_id = scene.fleet.roster.truck_ids[self._row]

    def begin(self) -> None:
        """Say hello as the truck."""
        fleet = self._scene.fleet
        now_ns = self._scene.now_ns()
        lanes = [fleet.lane_id(int(lane)) for lane in fleet.places.body_lanes[self._row][::-1] if lane >= 0]
        report = truck_pb2.Report(
            stamp_ns=now_ns,
            lane_id=fleet.lane_id(int(fleet.places.lane_ix[self._row])),
            chainage_m=float(fleet.places.chainage_m[self._row]),
            bound_m=float(fleet.belief.bound_m[self._row]),
            intact=True,
            challenge=now_ns,
        )
        hello = truck_pb2.Hello(
            truck_id=self._truck_id,
            instance_id="somebody-else",
            boot_id="1",
            truck_type_id=fleet.roster.truck_types[self._row].truck_type_id,
            map_digest=fleet.roster.corridor.digest,
            wire_version=CURRENT,
            seen=link.term(0, 0),
            body_lane_ids=lanes,
            report=report,
        )
        relayed = gateway_pb2.RelayedTruckMessage(truck_id=self._truck_id, message=truck_pb2.TruckMessage(hello=hello))
        frame = gateway_pb2.GatewayMessage(gateway_id="stranger", relayed=[relayed])
        self._scene.server.say(frame.SerializeToString(), STRANGER_GATEWAY)

    def tick(self) -> None:
        """It said what it had to say."""

    def end(self) -> None:
        """It is gone."""


class ForgedAuthority:
    """Somebody on the radio grants a truck road: under a term of the past, and under one that is yet to come."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._scene = scene
        self._row = scene.row(spec)
        self._beyond_m = spec.amount

    def begin(self) -> None:
        """Say it."""
        fleet, row = self._scene.fleet, self._row
        state = fleet.onboard
        held_m = float(state.end_m[row])
        if held_m == -float("inf") or fleet.permissions[row].path is None:
            return
        lane_ix, chainage_m = paths.place_of(fleet.paths, row, held_m + self._beyond_m)
        chainage_m = min(chainage_m, float(fleet.lane_length_m[lane_ix]))
        end = common_pb2.LanePoint(lane_id=fleet.lane_id(lane_ix), chainage_m=chainage_m)
        agreed, seen = int(state.agreed_epoch[row]), int(state.seen_sequence[row])
        for epoch, sequence in ((agreed + 1, 1), (max(agreed - 1, 0), seen + 1000), (agreed, max(seen - 1, 0))):
            authority = truck_pb2.MovementAuthority(
                term=link.term(epoch, sequence), route_sequence=int(state.route_sequence[row]), end=end, friction=1.0
            )
            message = truck_pb2.ControlMessage(authority=authority)
            relayed = gateway_pb2.RelayedControlMessage(truck_id=fleet.roster.truck_ids[row], message=message)
            self._scene.radio.forge(row, gateway_pb2.GatewayControl(relayed=[relayed]).SerializeToString(), self._scene.now_ns())

    def tick(self) -> None:
        """It was said."""

    def end(self) -> None:
        """Whoever it was is gone."""


class Flood:
    """A truck says everything many times over."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._scene = scene
        self._row = scene.row(spec)
        self._times = round(spec.amount)
        self._rng = scene.streams.stream(f"{spec.fault} {spec.aimed_at} {spec.at_s}", "fault")

    def begin(self) -> None:
        """Open its mouth."""
        if self._scene.radio.way(self._row) is None:
            self._scene.radio.part(self._row, Way(self._rng, times=self._times))

    def tick(self) -> None:
        """It talks."""

    def end(self) -> None:
        """Shut it."""
        if self._scene.radio.way(self._row) is not None:
            self._scene.radio.rejoin(self._row)


class WrongMap:
    """A truck comes back with another map than the server's, and says hello again and again."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._scene = scene
        self._row = scene.row(spec)

    def begin(self) -> None:
        """Exchange its map; its link breaks in doing so."""
        self._carry("0" * 32)

    def tick(self) -> None:
        """It is refused."""

    def end(self) -> None:
        """Give it the right one."""
        self._carry(self._scene.corridor.digest)

    def _carry(self, digest: str) -> None:
        fleet = self._scene.fleet
        fleet.map_digests[self._row] = digest
        fleet.onboard.lost[self._row] = True
        fleet.onboard.hello_ns[self._row] = 0
