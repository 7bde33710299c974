"""
Simulated trucks with their real onboard computers: one `fleet.onboard.Supervisor` each, fed with simulated sensors.

For runs over a real network, where each truck has its own stream. The world is the same as that of the fleet in columns.
"""

from __future__ import annotations

import math
from typing import Final

from fleet.onboard import EventKind, Identity, Interpreter, LanePoint, Sensors, Supervisor
from fleet.onboard.hardware import Command
from fleet.onboard.supervisor import EMERGENCY_BRAKE
from fleet.v1 import truck_pb2
from sim_harness import paths
from sim_harness.clock import Streams
from sim_harness.observation import FloatArray, IndexArray, Roster
from sim_harness.truck_agent import REPORT_TICKS, SOFTWARE, World

NAMED: Final = {
    int(EventKind.CONTACT_LOST): "contact_lost",
    int(EventKind.CONTACT_REGAINED): "contact_regained",
    int(EventKind.MESSAGE_REFUSED): "message_refused",
}


class TruckObjects(World):
    """A fleet in which every truck runs its own code and speaks for itself."""

    def __init__(self, roster: Roster, streams: Streams, lane_ix: IndexArray, chainage_m: FloatArray) -> None:
        super().__init__(roster, streams, lane_ix, chainage_m)
        self._onboard = [
            Interpreter(
                Supervisor(
                    Identity(
                        truck_id=truck_id,
                        instance_id=f"{truck_id}-onboard",
                        boot_id="1",
                        truck_type_id=kind.truck_type_id,
                        map_digest=roster.corridor.digest,
                        software=SOFTWARE,
                    ),
                    kind,
                )
            )
            for truck_id, kind in zip(roster.truck_ids, roster.truck_types, strict=True)
        ]
        self._route = [0] * len(self._onboard)
        self._parked = [False] * len(self._onboard)
        self._emergency = [False] * len(self._onboard)
        self._waiting: list[list[truck_pb2.TruckMessage]] = [[] for _ in self._onboard]
        self._new_stream = False

    @property
    def count(self) -> int:
        """How many trucks."""
        return len(self._onboard)

    def supervisor(self, row: int) -> Supervisor:
        """One truck's own code."""
        return self._onboard[row].supervisor

    def receive(self, row: int, message: truck_pb2.ControlMessage, now_ns: int) -> None:
        """Give one truck one message of the server's; what it answers is said with the rest."""
        self._waiting[row] += self._onboard[row].receive(message, now_ns)
        permission = self._onboard[row].supervisor.permission
        if permission.route_sequence != self._route[row]:
            self._route[row] = permission.route_sequence
            self._lay_out(row)

    def _lay_out(self, row: int) -> None:
        """Put a truck's true path where its own code has it."""
        fleet = self._fleet
        path = self._onboard[row].supervisor.permission.path
        assert path is not None, "a route taken is held"
        place = LanePoint(fleet.lane_id(int(fleet.places.lane_ix[row])), float(fleet.places.chainage_m[row]))
        nose_m = path.locate(place)
        assert nose_m is not None, "a route holds the truck that took it"
        shift_m = nose_m - float(fleet.motion.nose_m[row])
        if abs(shift_m) > paths.TOUCH_M:
            for column in (fleet.motion.nose_m, fleet.belief.nose_m, fleet.belief.fix_m, fleet.shift_m):
                column[row] += shift_m
        lanes = list(dict.fromkeys(fleet.lane_row[segment.lane_id] for segment in path.segments))
        paths.set_path(fleet.paths, row, lanes, fleet.lane_length_m, path.start_m - path.segments[0].start_m)

    def link_lost(self) -> None:
        """Every stream ended: the next thing each truck says, on a new one, is hello."""
        self._new_stream = True
        for own in self._onboard:
            own.supervisor.link_lost()

    def step(self, now_ns: int) -> None:
        """Let every truck's own code decide, move all, and let all sense."""
        fleet = self._fleet
        for row, own in enumerate(self._onboard):
            command = own.supervisor.step(now_ns)
            fleet.demand.mode[row] = int(command.mode)
            fleet.demand.acceleration_mps2[row] = command.acceleration_demand_mps2
            self._parked[row] = command.immobilise and fleet.motion.speed_mps[row] == 0.0
            self._note_emergency(row, command)
        self._move()
        self._use_battery()
        self._believe_places()
        for row, own in enumerate(self._onboard):
            own.supervisor.sense(self._sensors(row, now_ns))
            fleet.onboard.end_m[row] = own.supervisor.permission.end_m

    def _note_emergency(self, row: int, command: Command) -> None:
        braking = int(command.mode) == EMERGENCY_BRAKE and self._fleet.motion.speed_mps[row] > 0.0
        if braking and not self._emergency[row]:
            self.happened.append((row, "emergency_braked", "end_of_authority"))
        self._emergency[row] = braking

    def _sensors(self, row: int, now_ns: int) -> Sensors:
        fleet = self._fleet
        lanes = tuple(fleet.lane_id(int(lane)) for lane in fleet.places.body_lanes[row][::-1] if lane >= 0) if not self._route[row] else ()
        return Sensors(
            stamp_ns=now_ns,
            nose=LanePoint(fleet.lane_id(int(fleet.believed_lane_ix[row])), float(fleet.believed_m[row])),
            speed_mps=float(fleet.motion.speed_mps[row]),
            acceleration_mps2=float(fleet.motion.acceleration_mps2[row]),
            bound_m=float(fleet.belief.bound_m[row]),
            laden=bool(fleet.belief.laden[row]),
            intact=bool(fleet.belief.intact[row]),
            friction=float(fleet.belief.friction[row]),
            slipping=bool(fleet.belief.slipping[row]),
            retarder_mps2=float(fleet.belief.retarder_mps2[row]),
            immobilised=self._parked[row],
            battery_wh=float(fleet.battery_wh[row]),
            obstacle_m=math.inf,
            body_lane_ids=lanes,
        )

    def words(self, tick: int, now_ns: int) -> list[list[truck_pb2.TruckMessage]]:
        """What all trucks have to say this tick, row by row."""
        said = [self._said(row, tick, now_ns) for row in range(self.count)]
        self._new_stream = False
        return said

    def _said(self, row: int, tick: int, now_ns: int) -> list[truck_pb2.TruckMessage]:
        """What one truck has to say this tick, its hello first."""
        own = self._onboard[row]
        messages = []
        if self._new_stream or own.supervisor.hello_due(now_ns):
            messages.append(own.hello(now_ns))
        elif tick % REPORT_TICKS == 0:
            messages.append(own.report(now_ns))
        for message in (*self._waiting[row], *own.drain()):
            if message.HasField("event"):
                event = NAMED.get(int(message.event.kind))
                if event is not None:
                    self.happened.append((row, event, message.event.detail))
            messages.append(message)
        self._waiting[row].clear()
        return messages
