"""
Simulated trucks: true motion, sensors, and the real onboard rules, for a whole fleet at once.

What happens every tick runs in columns. What happens now and then (a hello, a route, a shortening, a stop) runs truck by
truck through `fleet.onboard` itself, on a view of the same columns. The fleet speaks as one roadside gateway does: reports,
authorities and heartbeats as frames of columns, everything else relayed.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from fleet.onboard import supervisor
from fleet.onboard.contact import WELCOME_AGE_MAX_NS
from fleet.onboard.link import message_of
from fleet.onboard.senses import HEALTH_SAID_MIN, Grip, said_friction
from fleet.v1 import common_pb2, gateway_pb2, truck_pb2
from fleet.wire_version import CURRENT
from sim_harness import columns, dynamics, link, paths, report_frame
from sim_harness.clock import Streams
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import TICK_S, FlagArray, FloatArray, IndexArray, Roster, TickView
from sim_harness.truck_ears import Ears

REPORT_TICKS: Final = 2
SOFTWARE: Final = "khulan-sim"
GATEWAY: Final = "gateway-1"
REPORTS_TAG: Final = bytes([2 << 3 | 2])
# What `columns.watch` answers.
EMERGENCY_CHANGED: Final = 1
HELLO_DUE: Final = 2
SIGHTING_DUE: Final = 4
SIGHTING_TICKS: Final = 10


class World:
    """What is true of the trucks, however their onboard computers are run; row i is the roster's truck i."""

    def __init__(self, roster: Roster, streams: Streams, lane_ix: IndexArray, chainage_m: FloatArray) -> None:
        self._fleet = FleetColumns(roster, streams, lane_ix, chainage_m)

    @property
    def columns(self) -> FleetColumns:
        """Everything about the trucks, for whoever is to break them."""
        return self._fleet

    @property
    def happened(self) -> list[tuple[int, str, str]]:
        """What happened to the trucks since somebody last cleared this: row, event, detail."""
        return self._fleet.happened

    @property
    def motion(self) -> dynamics.Motion:
        """The true state of motion."""
        return self._fleet.motion

    @property
    def places(self) -> paths.Places:
        """The true places."""
        return self._fleet.places

    def load(self, truck_id: str, mass_kg: float) -> None:
        """Put *mass_kg* of coal aboard, or take it off with 0."""
        row = self._fleet.row[truck_id]
        self._fleet.around.load_kg[row] = mass_kg
        self._fleet.around.laden[row] = mass_kg > 0.0
        self._fleet.belief.laden[row] = mass_kg > 0.0
        self._fleet.onboard.same[row] = False

    def demanded(self, row: int) -> tuple[int, float]:
        """Mode and net acceleration that one truck's supervisor asks for."""
        return int(self._fleet.demand.mode[row]), float(self._fleet.demand.acceleration_mps2[row])

    def believed(self, row: int) -> tuple[tuple[str, float], float]:
        """Where one truck believes its nose, as lane and chainage, and the bound it guarantees."""
        self._believe_places()
        lane_id = self._fleet.lane_id(int(self._fleet.believed_lane_ix[row]))
        return (lane_id, float(self._fleet.believed_m[row])), float(self._fleet.belief.bound_m[row])

    def charge(self, streams: Streams, least: float, most: float) -> None:
        """Begin with batteries filled to shares between *least* and *most*, drawn truck by truck."""
        for row, truck_id in enumerate(self._fleet.roster.truck_ids):
            share = least + (most - least) * float(streams.stream(truck_id, "charge").random())
            self._fleet.battery_wh[row] = share * self._fleet.roster.truck_types[row].battery_wh

    def travelled_m(self) -> FloatArray:
        """Metres each truck has come since the run began, (n,), up to a constant."""
        return self._fleet.motion.nose_m - self._fleet.shift_m

    def plug_in(self, truck_id: str, seconds: float) -> None:
        """Let what is missing flow in evenly within so many seconds, beside what the truck draws."""
        row = self._fleet.row[truck_id]
        lack_wh = float(self._fleet.roster.truck_types[row].battery_wh - self._fleet.battery_wh[row])
        self._fleet.plug_in(row, lack_wh * TICK_S / max(TICK_S, seconds))

    def recharge(self, truck_id: str) -> float:
        """Fill the battery; return the watt-hours it took, those of its plug among them."""
        row = self._fleet.row[truck_id]
        lack_wh = float(self._fleet.roster.truck_types[row].battery_wh - self._fleet.battery_wh[row] + self._fleet.plugged_wh[row])
        self._fleet.recharge(row)
        return lack_wh

    def battery_lack(self, truck_id: str) -> float:
        """Share of the battery that is missing."""
        row = self._fleet.row[truck_id]
        return 1.0 - float(self._fleet.battery_wh[row]) / self._fleet.roster.truck_types[row].battery_wh

    def road(self, row: int) -> list[tuple[int, float]]:
        """The lanes of one truck's path in order, each with the path coordinate at which it begins."""
        held = int(self._fleet.paths.held[row])
        return list(zip(self._fleet.paths.lane[row, :held].tolist(), self._fleet.paths.start_m[row, :held].tolist(), strict=True))

    def view(self, time_s: float) -> TickView:
        """The truth now; the arrays stay the simulator's."""
        fleet = self._fleet
        columns.end_paths(fleet.compiled.onboard, fleet.end_path_m)
        return TickView(
            time_s=time_s,
            lane_ix=fleet.places.lane_ix,
            chainage_m=fleet.places.chainage_m,
            body_lanes=fleet.places.body_lanes,
            nose_path_m=fleet.motion.nose_m,
            end_path_m=fleet.end_path_m,
            speed_mps=fleet.motion.speed_mps,
            acceleration_mps2=fleet.motion.acceleration_mps2,
            laden=fleet.around.laden,
            mode=fleet.demand.mode,
            grade_least=fleet.places.grade_least,
            friction=fleet.around.friction,
            brake_health=fleet.around.brake_health,
            undeclared=fleet.undeclared,
        )

    def ends(self) -> tuple[IndexArray, FloatArray]:
        """The ends of authority held onboard as places: lane rows (-1: none) and chainages (nan: none)."""
        count = len(self._fleet.roster.truck_ids)
        lane_ix = np.full(count, -1, dtype=np.int32)
        chainage_m = np.full(count, math.nan)
        columns.end_places(self._fleet.compiled.onboard, self._fleet.paths, lane_ix, chainage_m)
        return lane_ix, chainage_m

    def _move(self) -> None:
        """Move every truck as its actuators were told, and let it sense where that took it."""
        fleet, own = self._fleet, self._fleet.compiled
        for change in fleet.surroundings:
            change()
        fleet.charge()
        dynamics.move(own.motion, own.build, own.demand, own.around, dynamics.SUB_STEP_S, dynamics.SUB_STEPS)
        columns.read_sensors(own.motion, own.belief, fleet.nail_errors)
        for disturb in fleet.sensing:
            disturb()
        paths.locate(fleet.paths, fleet.grades, fleet.motion.nose_m, fleet.onboard.end_m, fleet.length_m, fleet.places)
        fleet.around.grade[:] = fleet.places.grade_mean

    def _believe_places(self) -> None:
        fleet = self._fleet
        paths.believe(fleet.paths, fleet.belief.nose_m, fleet.believed_lane_ix, fleet.believed_m)

    def _use_battery(self) -> None:
        drawn_wh = self._fleet.motion.energy_wh
        self._fleet.battery_wh += self._fleet.drawn_wh - drawn_wh
        np.maximum(self._fleet.battery_wh, 0.0, out=self._fleet.battery_wh)
        self._fleet.drawn_wh[:] = drawn_wh
        if not self._fleet.battery_wh.all():
            for row in np.flatnonzero(self._fleet.battery_wh == 0.0).tolist():
                if self._fleet.strand(row):
                    self._fleet.happened.append((row, "battery_empty", "the motors give nothing"))


def length_prefix(length: int) -> bytes:
    """A length as the wire writes it: seven bits a byte, the lowest first."""
    written = bytearray()
    while length >= 128:
        written.append(length & 127 | 128)
        length >>= 7
    written.append(length)
    return bytes(written)


class Trucks(World):
    """A fleet of simulated trucks behind one gateway."""

    def __init__(self, roster: Roster, streams: Streams, lane_ix: IndexArray, chainage_m: FloatArray) -> None:
        super().__init__(roster, streams, lane_ix, chainage_m)
        self._ears = Ears(self._fleet)
        self._frames = report_frame.ReportFrames(len(roster.truck_ids))
        self._attention = HELLO_DUE

    def hear(self, frame: bytes, now_ns: int, only: int | None = None) -> None:
        """Take one frame of the server's; with *only*, for the truck of that row alone."""
        self._fleet.tell_time(now_ns)
        self._ears.hear(frame, only)

    def set_apart(self, row: int, *, apart: bool) -> None:
        """Let one truck's words travel by a way of their own, or with the others' again."""
        self._fleet.apart[row] = apart

    def step(self, now_ns: int) -> None:
        """Sense, supervise and move every truck up to *now_ns*."""
        own = self._fleet.compiled
        self._fleet.tell_time(now_ns)
        columns.step(own.fitted, own.belief, own.onboard, own.roads, own.demand, TICK_S)
        self._move()
        columns.take_reading(own.fitted, own.belief, own.onboard, own.roads)
        self._attention = columns.watch(own.motion, own.belief, own.onboard, own.demand, self._fleet.was_emergency, WELCOME_AGE_MAX_NS)
        if self._attention & EMERGENCY_CHANGED:
            self._note_emergencies()

    def _note_emergencies(self) -> None:
        braking: FlagArray = (self._fleet.demand.mode == supervisor.EMERGENCY_BRAKE) & (self._fleet.motion.speed_mps > 0.0)
        for row in np.flatnonzero(braking & ~self._fleet.was_emergency):
            self._fleet.happened.append((int(row), "emergency_braked", self._emergency_cause(int(row))))
        self._fleet.was_emergency = braking

    def _emergency_cause(self, row: int) -> str:
        if self._fleet.stops[row]:
            return next(iter(self._fleet.stops[row]))
        return "contact" if self._fleet.onboard.lost[row] else "end_of_authority"

    def say(self, tick: int) -> bytes | None:
        """The gateway's frame of this tick, or None when nobody has anything to say; those who are apart say nothing here."""
        rare = gateway_pb2.GatewayMessage(gateway_id=GATEWAY)
        if self._attention & HELLO_DUE:
            for row in self._speechless():
                if not self._fleet.apart[row]:
                    rare.relayed.append(self._hello(row))
        if self._attention & SIGHTING_DUE and tick % SIGHTING_TICKS == 0:
            rare.relayed.extend(self._sighting(int(row)) for row in np.flatnonzero((self._fleet.onboard.untold > 0) & ~self._fleet.apart))
        kept = []
        for row, answer in self._fleet.answers:
            if self._fleet.apart[row]:
                kept.append((row, answer))
            else:
                rare.relayed.append(self._own(row, message_of(answer)))
        self._fleet.answers[:] = kept
        # A gateway's reports are heard after what it relays, so their stamps must come after a hello's.
        reports = self._reports() if tick % REPORT_TICKS == 0 else b""
        if not reports and not rare.relayed:
            return None
        # Two messages end to end are one message: the library writes what is rare, the kernel the reports.
        return rare.SerializeToString() + (REPORTS_TAG + length_prefix(len(reports)) + reports if reports else b"")

    def say_apart(self, row: int, tick: int, *, reports: bool = True) -> bytes | None:
        """What one truck that is apart says this tick, as a frame of its own; None for nothing."""
        said = gateway_pb2.GatewayMessage(gateway_id=GATEWAY)
        if self._attention & HELLO_DUE and row in self._speechless():
            said.relayed.append(self._hello(row))
        if self._fleet.onboard.untold[row] > 0 and tick % SIGHTING_TICKS == 0:
            said.relayed.append(self._sighting(row))
        said.relayed.extend(self._own(row, message_of(answer)) for other, answer in self._fleet.answers if other == row)
        self._fleet.answers[:] = [(other, answer) for other, answer in self._fleet.answers if other != row]
        if reports and tick % REPORT_TICKS == 0 and self._fleet.handle[row] >= 0:
            self._believe_places()
            self._use_battery()
            said.relayed.append(self._own(row, truck_pb2.TruckMessage(report=self._report(row))))
        return said.SerializeToString() if said.relayed else None

    def _speechless(self) -> list[int]:
        """Rows that must say hello, again or for the first time."""
        hello_ns = self._fleet.onboard.hello_ns
        due = self._fleet.onboard.lost & ((hello_ns == 0) | (self._fleet.belief.clock_ns - hello_ns > WELCOME_AGE_MAX_NS))
        return [int(row) for row in np.flatnonzero(due)]

    def _reports(self) -> bytes:
        """The reports of all trucks that were welcomed, as the bytes of a frame; none for none."""
        self._believe_places()
        self._use_battery()
        fleet, own, frames = self._fleet, self._fleet.compiled, self._frames
        count = report_frame.fill(own.motion, own.belief, own.onboard, own.demand, fleet.handle, fleet.apart, frames.ints)
        if count == 0:
            return b""
        weak = report_frame.fill_places(
            own.belief, own.onboard, fleet.believed_lane_ix, fleet.believed_m, fleet.battery_wh, count, frames.ints, frames.floats
        )
        return frames.encode(count, weak=weak)

    def _hello(self, row: int) -> gateway_pb2.RelayedTruckMessage:
        self._believe_places()
        state = self._fleet.onboard
        report = self._report(row)
        state.hello_ns[row] = report.stamp_ns
        lanes = [self._fleet.lane_id(int(lane)) for lane in self._fleet.places.body_lanes[row][::-1] if lane >= 0]
        hello = truck_pb2.Hello(
            truck_id=self._fleet.roster.truck_ids[row],
            instance_id=f"{self._fleet.roster.truck_ids[row]}-onboard",
            boot_id="1",
            truck_type_id=self._fleet.roster.truck_types[row].truck_type_id,
            map_digest=self._fleet.map_digests[row],
            software=SOFTWARE,
            wire_version=CURRENT,
            seen=link.term(int(state.seen_epoch[row]), int(state.seen_sequence[row])),
            body_lane_ids=lanes,
            report=report,
        )
        if state.end_m[row] != -math.inf:
            lane_ix, chainage_m = paths.place_of(self._fleet.paths, row, float(state.end_m[row]))
            hello.end_held.CopyFrom(self._point(lane_ix, chainage_m))
        return self._own(row, truck_pb2.TruckMessage(hello=hello))

    def _report(self, row: int) -> truck_pb2.Report:
        """One truck's report as its own message; stamp and challenge rise as in the frames."""
        state, belief = self._fleet.onboard, self._fleet.belief
        state.said_ns[row] = max(state.said_ns[row] + 1, belief.stamp_ns[row])
        state.asked_ns[row] = max(state.asked_ns[row] + 1, belief.clock_ns[row])
        return truck_pb2.Report(
            stamp_ns=int(state.said_ns[row]),
            lane_id=self._fleet.lane_id(int(self._fleet.believed_lane_ix[row])),
            chainage_m=float(self._fleet.believed_m[row]),
            speed_mps=float(belief.speed_mps[row]),
            acceleration_mps2=float(belief.acceleration_mps2[row]),
            bound_m=float(belief.bound_m[row] + state.doubt_m[row]),
            laden=bool(belief.laden[row]),
            intact=bool(belief.intact[row]),
            immobilised=bool(state.parked[row]),
            emergency_braking=bool(self._fleet.demand.mode[row] == supervisor.EMERGENCY_BRAKE),
            accepted=link.term(int(state.seen_epoch[row]), int(state.seen_sequence[row])),
            challenge=int(state.asked_ns[row]),
            challenge_echo=int(state.echo[row]),
            battery_wh=float(self._fleet.battery_wh[row]),
            friction=said_friction(Grip(float(state.grip[row]), float(state.grip_met_m[row])), float(belief.nose_m[row])),
            brake_health=max(float(state.health[row]), HEALTH_SAID_MIN),
        )

    def _sighting(self, row: int) -> gateway_pb2.RelayedTruckMessage:
        """What one truck has seen on its road, and where."""
        state = self._fleet.onboard
        state.untold[row] -= 1
        last_m = float(self._fleet.paths.start_m[row, self._fleet.paths.held[row]])
        place = self._point(*paths.place_of(self._fleet.paths, row, min(float(state.sighted_m[row]), last_m)))
        event = truck_pb2.TruckEvent(
            stamp_ns=int(self._fleet.belief.stamp_ns[row]), kind=truck_pb2.TRUCK_EVENT_KIND_OBSTACLE_SEEN, detail="on the road", place=place
        )
        return self._own(row, truck_pb2.TruckMessage(event=event))

    def _own(self, row: int, message: truck_pb2.TruckMessage) -> gateway_pb2.RelayedTruckMessage:
        return gateway_pb2.RelayedTruckMessage(truck_id=self._fleet.roster.truck_ids[row], message=message)

    def _point(self, lane_ix: int, chainage_m: float) -> common_pb2.LanePoint:
        return common_pb2.LanePoint(lane_id=self._fleet.lane_id(lane_ix), chainage_m=chainage_m)
