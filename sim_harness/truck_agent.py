"""
Simulated trucks: true motion, sensors, and the real onboard rules, for a whole fleet at once.

What happens every tick runs in columns. What happens now and then (a hello, a route, a shortening, a stop) runs truck by
truck through `fleet.onboard` itself, on a view of the same columns. The fleet speaks as one roadside gateway does: reports,
authorities and heartbeats as frames of columns, everything else relayed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleet.errors import FleetError
from fleet.onboard import permission, route, store, supervisor, words
from fleet.onboard.contact import WELCOME_AGE_MAX_NS
from fleet.onboard.ladder import Ladder
from fleet.v1 import common_pb2, gateway_pb2, truck_pb2
from planner.limits import CLEARING_SPEED_MPS
from sim_harness import columns, dynamics, link, onboard_state, paths
from sim_harness.clock import Streams
from sim_harness.observation import FlagArray, FloatArray, IndexArray, Roster, TickView

TICK_S: Final = 0.1
REPORT_TICKS: Final = 2
SOFTWARE: Final = "khulan-sim"
WIRE_VERSION: Final = 1
LADEN, INTACT, IMMOBILISED, EMERGENCY_BRAKING = 1, 2, 4, 8


class _RowStore:
    """One truck's term memory, kept in the columns."""

    def __init__(self, state: onboard_state.Onboard, row: int) -> None:
        self._state = state
        self._row = row

    def highest(self) -> store.Term:
        """The highest term remembered."""
        return store.Term(int(self._state.seen_epoch[self._row]), int(self._state.seen_sequence[self._row]))

    def remember(self, term: store.Term) -> None:
        """Keeps *term* in the columns when it is higher."""
        if term > self.highest():
            self._state.seen_epoch[self._row], self._state.seen_sequence[self._row] = term


class Trucks:
    """
    A fleet of simulated trucks behind one gateway; row i is the roster's truck i.

    *laden*, *load_kg*, *friction*, *brake_health* may be set from outside: they are the world's.
    """

    def __init__(self, roster: Roster, streams: Streams, lane_ix: IndexArray, chainage_m: FloatArray) -> None:
        count = len(roster.truck_ids)
        corridor = roster.corridor
        self._roster = roster
        self._row = {truck_id: row for row, truck_id in enumerate(roster.truck_ids)}
        self._lane_row = corridor.lane_ix
        self._lane_length_m = np.array([lane.length_m for lane in corridor.lanes], dtype=np.float64)
        self._length_m = roster.column("length_m")
        self._grades = paths.grades_of(corridor)
        self._paths = paths.empty_paths(count)
        for row in range(count):
            paths.set_path(self._paths, row, [int(lane_ix[row])], self._lane_length_m, 0.0)
        self._places = paths.empty_places(count)
        self._believed = paths.empty_places(count)
        self._build = dynamics.build_of(roster)
        self._fitted = onboard_state.fitted(roster)
        self._around = dynamics.calm(count)
        self._motion = dynamics.at_rest(chainage_m)
        self._belief = onboard_state.belief(streams, roster.truck_ids, chainage_m)
        self._onboard = onboard_state.onboard(count, chainage_m)
        self._onboard.clearing_mps[:] = CLEARING_SPEED_MPS
        self._demand = dynamics.no_demand(count)
        self._permissions = [permission.Permission(_RowStore(self._onboard, row)) for row in range(count)]
        self._stops: list[dict[str, int]] = [{} for _ in range(count)]
        self._goals: list[words.LanePoint | None] = [None] * count
        self._handle = np.full(count, -1, dtype=np.int32)
        self._row_of_handle = np.full(count, -1, dtype=np.int32)
        self._relayed: list[gateway_pb2.RelayedTruckMessage] = []
        self._was_emergency = np.zeros(count, dtype=np.bool_)
        self.battery_wh = roster.column("battery_wh")
        self._drawn_wh = np.zeros(count, dtype=np.float64)
        self.happened: list[tuple[int, str, str]] = []
        paths.locate(self._paths, self._grades, self._motion.nose_m, self._length_m, self._places)

    # -- the world ---------------------------------------------------------------------------------------------------

    @property
    def motion(self) -> dynamics.Motion:
        """The true state of motion."""
        return self._motion

    @property
    def places(self) -> paths.Places:
        """The true places."""
        return self._places

    def load(self, truck_id: str, mass_kg: float) -> None:
        """Put *mass_kg* of coal aboard, or take it off with 0."""
        row = self._row[truck_id]
        self._around.load_kg[row] = mass_kg
        self._around.laden[row] = mass_kg > 0.0
        self._belief.laden[row] = mass_kg > 0.0

    def recharge(self, truck_id: str) -> float:
        """Fill the battery; return the watt-hours it took."""
        row = self._row[truck_id]
        full_wh = self._roster.truck_types[row].battery_wh
        lack_wh = float(full_wh - self.battery_wh[row])
        self.battery_wh[row] = full_wh
        return lack_wh

    def battery_lack(self, truck_id: str) -> float:
        """Share of the battery that is missing."""
        row = self._row[truck_id]
        return 1.0 - float(self.battery_wh[row]) / self._roster.truck_types[row].battery_wh

    def view(self, time_s: float) -> TickView:
        """The truth now; the arrays stay the simulator's."""
        return TickView(
            time_s=time_s,
            lane_ix=self._places.lane_ix,
            chainage_m=self._places.chainage_m,
            body_lanes=self._places.body_lanes,
            nose_path_m=self._motion.nose_m,
            end_path_m=np.where(self._onboard.end_m == -math.inf, math.nan, self._onboard.end_m),
            speed_mps=self._motion.speed_mps,
            acceleration_mps2=self._motion.acceleration_mps2,
            laden=self._around.laden,
            mode=self._demand.mode,
            grade_least=self._places.grade_least,
            friction=self._around.friction,
            brake_health=self._around.brake_health,
        )

    def ends(self) -> tuple[IndexArray, FloatArray]:
        """The ends of authority held onboard as places: lane rows (-1: none) and chainages (nan: none)."""
        count = len(self._roster.truck_ids)
        lane_ix = np.full(count, -1, dtype=np.int32)
        chainage_m = np.full(count, math.nan)
        columns.end_places(self._onboard, self._paths, lane_ix, chainage_m)
        return lane_ix, chainage_m

    # -- one tick ----------------------------------------------------------------------------------------------------

    def step(self, now_ns: int) -> None:
        """Sense, supervise and move every truck up to *now_ns*."""
        columns.step(self._motion, self._fitted, self._belief, self._onboard, self._demand, now_ns, TICK_S)
        dynamics.move(self._motion, self._build, self._demand, self._around, dynamics.SUB_STEP_S, dynamics.SUB_STEPS)
        columns.read_nails(self._motion, self._belief)
        columns.take_reading(self._motion, self._fitted, self._belief, self._onboard, TICK_S)
        paths.locate(self._paths, self._grades, self._motion.nose_m, self._length_m, self._places)
        self._around.grade[:] = self._places.grade_mean
        self._note_emergencies()

    def _note_emergencies(self) -> None:
        braking: FlagArray = (self._demand.mode == supervisor.EMERGENCY_BRAKE) & (self._motion.speed_mps > 0.0)
        fresh = braking & ~self._was_emergency
        if fresh.any():
            for row in np.flatnonzero(fresh):
                self.happened.append((int(row), "emergency_braked", self._emergency_cause(int(row))))
        self._was_emergency = braking

    def _emergency_cause(self, row: int) -> str:
        if self._stops[row]:
            return next(iter(self._stops[row]))
        return "contact" if self._onboard.lost[row] else "end_of_authority"

    # -- speaking ----------------------------------------------------------------------------------------------------

    def say(self, tick: int, now_ns: int) -> bytes | None:
        """The gateway's frame of this tick, or None when nobody has anything to say."""
        message = gateway_pb2.GatewayMessage(gateway_id="gateway-1")
        for row in self._speechless(now_ns):
            message.relayed.append(self._hello(int(row), now_ns))
        if self._relayed:
            message.relayed.extend(self._relayed)
            self._relayed.clear()
        if tick % REPORT_TICKS == 0:
            self._fill_reports(message.reports, now_ns)
        elif not message.relayed:
            return None
        return message.SerializeToString()

    def _speechless(self, now_ns: int) -> Sequence[int]:
        """Rows that must say hello, again or for the first time."""
        hello_ns = self._onboard.hello_ns
        due = self._onboard.lost & ((hello_ns == 0) | (now_ns - hello_ns > WELCOME_AGE_MAX_NS))
        return [int(row) for row in np.flatnonzero(due)] if due.any() else []

    def _believe_places(self) -> None:
        paths.locate(self._paths, self._grades, self._belief.nose_m, self._length_m, self._believed)

    def _fill_reports(self, frame: gateway_pb2.ReportFrame, now_ns: int) -> None:
        rows = np.flatnonzero(self._handle >= 0)
        if not rows.size:
            return
        self._believe_places()
        drawn_wh = self._motion.energy_wh
        self.battery_wh += self._drawn_wh - drawn_wh
        np.maximum(self.battery_wh, 0.0, out=self.battery_wh)
        self._drawn_wh[:] = drawn_wh
        flags = (
            self._around.laden * LADEN
            + INTACT
            + self._onboard.parked * IMMOBILISED
            + (self._demand.mode == supervisor.EMERGENCY_BRAKE) * EMERGENCY_BRAKING
        )
        everyone = rows.size == self._handle.size

        def column(values: NDArray[np.generic]) -> list[float]:
            chosen: list[float] = (values if everyone else values[rows]).tolist()
            return chosen

        count = rows.size
        state = self._onboard
        frame.handle.extend(column(self._handle))  # type: ignore[arg-type]
        frame.stamp_ns.extend([now_ns] * count)
        frame.lane_ix.extend(column(self._believed.lane_ix))  # type: ignore[arg-type]
        frame.chainage_m.extend(column(self._believed.chainage_m))
        frame.speed_mps.extend(column(self._motion.speed_mps))
        frame.acceleration_mps2.extend(column(self._motion.acceleration_mps2))
        frame.bound_m.extend(column(self._belief.bound_m))
        frame.flags.extend(column(flags))  # type: ignore[arg-type]
        frame.accepted_epoch.extend(column(state.seen_epoch))  # type: ignore[arg-type]
        frame.accepted_sequence.extend(column(state.seen_sequence))  # type: ignore[arg-type]
        frame.challenge.extend([now_ns] * count)
        frame.challenge_echo.extend(column(state.echo))  # type: ignore[arg-type]
        frame.battery_wh.extend(column(self.battery_wh))
        frame.friction.extend(column(self._belief.friction))
        state.asked_ns[:] = now_ns

    def _hello(self, row: int, now_ns: int) -> gateway_pb2.RelayedTruckMessage:
        self._onboard.hello_ns[row] = now_ns
        self._believe_places()
        state = self._onboard
        lanes = [self._lane_id(int(lane)) for lane in self._believed.body_lanes[row][::-1] if lane >= 0]
        hello = truck_pb2.Hello(
            truck_id=self._roster.truck_ids[row],
            instance_id=f"{self._roster.truck_ids[row]}-onboard",
            boot_id="1",
            truck_type_id=self._roster.truck_types[row].truck_type_id,
            map_digest=self._roster.corridor.digest,
            software=SOFTWARE,
            wire_version=WIRE_VERSION,
            seen=link.term(int(state.seen_epoch[row]), int(state.seen_sequence[row])),
            body_lane_ids=lanes,
            report=self._report(row, now_ns),
        )
        if state.end_m[row] != -math.inf:
            lane_ix, chainage_m = paths.place_of(self._paths, row, float(state.end_m[row]))
            hello.end_held.CopyFrom(self._point(lane_ix, chainage_m))
        state.asked_ns[row] = now_ns
        return self._own(row, truck_pb2.TruckMessage(hello=hello))

    def _report(self, row: int, now_ns: int) -> truck_pb2.Report:
        state = self._onboard
        return truck_pb2.Report(
            stamp_ns=now_ns,
            lane_id=self._lane_id(int(self._believed.lane_ix[row])),
            chainage_m=float(self._believed.chainage_m[row]),
            speed_mps=float(self._motion.speed_mps[row]),
            acceleration_mps2=float(self._motion.acceleration_mps2[row]),
            bound_m=float(self._belief.bound_m[row]),
            laden=bool(self._around.laden[row]),
            intact=True,
            immobilised=bool(self._onboard.parked[row]),
            emergency_braking=bool(self._demand.mode[row] == supervisor.EMERGENCY_BRAKE),
            accepted=link.term(int(state.seen_epoch[row]), int(state.seen_sequence[row])),
            challenge=now_ns,
            challenge_echo=int(state.echo[row]),
            battery_wh=float(self.battery_wh[row]),
            friction=float(self._belief.friction[row]),
        )

    def _own(self, row: int, message: truck_pb2.TruckMessage) -> gateway_pb2.RelayedTruckMessage:
        return gateway_pb2.RelayedTruckMessage(truck_id=self._roster.truck_ids[row], message=message)

    def _lane_id(self, lane_ix: int) -> str:
        return self._roster.corridor.lanes[lane_ix].lane_id

    def _point(self, lane_ix: int, chainage_m: float) -> common_pb2.LanePoint:
        return common_pb2.LanePoint(lane_id=self._lane_id(lane_ix), chainage_m=chainage_m)

    # -- hearing -----------------------------------------------------------------------------------------------------

    def hear(self, frame: bytes, now_ns: int) -> None:
        """Take one frame of the server's."""
        control = gateway_pb2.GatewayControl.FromString(frame)
        for relayed in control.relayed:
            row = self._row.get(relayed.truck_id)
            if row is not None:
                self._hear_one(row, relayed.message, now_ns)
        if control.HasField("authorities"):
            self._hear_authorities(control.authorities)
        if control.HasField("heartbeats"):
            self._hear_heartbeats(control.heartbeats, now_ns)

    def _rows(self, handles: Sequence[int]) -> IndexArray:
        rows: IndexArray = self._row_of_handle[np.fromiter(handles, dtype=np.int32, count=len(handles))]
        return rows

    def _hear_heartbeats(self, frame: gateway_pb2.HeartbeatFrame, now_ns: int) -> None:
        count = len(frame.handle)
        echo = np.fromiter(frame.challenge_echo, dtype=np.int64, count=count)
        challenge = np.fromiter(frame.challenge, dtype=np.int64, count=count)
        columns.hear_heartbeats(self._onboard, self._rows(frame.handle), echo, challenge, frame.tick, frame.epoch, now_ns)

    def _hear_authorities(self, frame: gateway_pb2.AuthorityFrame) -> None:
        count = len(frame.handle)
        rows = self._rows(frame.handle)
        given = onboard_state.Authorities(
            sequence=np.fromiter(frame.sequence, dtype=np.int64, count=count),
            route_sequence=np.fromiter(frame.route_sequence, dtype=np.int64, count=count),
            end_lane_ix=np.fromiter(frame.end_lane_ix, dtype=np.int32, count=count),
            end_chainage_m=np.fromiter(frame.end_chainage_m, dtype=np.float64, count=count),
            advised_mps=np.fromiter(frame.advised_speed_mps, dtype=np.float64, count=count),
            friction=np.fromiter(frame.friction, dtype=np.float64, count=count),
        )
        odd = np.zeros(count, dtype=np.bool_)
        columns.take_authorities(self._onboard, self._paths, rows, given, frame.epoch, odd)
        for j in np.flatnonzero(odd):
            authority = words.MovementAuthority(
                term=store.Term(frame.epoch, frame.sequence[j]),
                route_sequence=frame.route_sequence[j],
                end=words.LanePoint(self._lane_id(frame.end_lane_ix[j]), frame.end_chainage_m[j]),
                advised_speed_mps=frame.advised_speed_mps[j],
                friction=frame.friction[j],
            )
            self._take(int(rows[j]), authority)

    def _hear_one(self, row: int, message: truck_pb2.ControlMessage, now_ns: int) -> None:
        """One truck's own message."""
        match message.WhichOneof("content"):
            case "welcome":
                self._welcomed(row, message.welcome, now_ns)
            case "refusal":
                self.happened.append((row, "truck_refused", message.refusal.reason))
            case "route":
                self._take(row, link.route_of(message.route))
            case "authority":
                self._take(row, link.authority_of(message.authority))
            case "shortening":
                self._take(row, link.shortening_of(message.shortening))
            case "stop":
                reaction = int(message.stop.reaction) or supervisor.SERVICE_STOP
                self._stops[row][message.stop.stop_id] = max(reaction, self._stops[row].get(message.stop.stop_id, 0))
                self._apply_stops(row)
            case "resume":
                if self._stops[row].pop(message.resume.stop_id, None) is not None:
                    self._onboard.waiting[row] = True
                self._apply_stops(row)
            case "mission":
                self._take_mission(row, message.mission)
            case "report_refused":
                self.happened.append((row, "report_refused", message.report_refused.reason))
            case _:
                pass

    def _take_mission(self, row: int, mission: truck_pb2.Mission) -> None:
        self._goals[row] = link.place_of(mission.goal) if mission.HasField("goal") and mission.immobilise else None
        self._set_goal(row)

    def _set_goal(self, row: int) -> None:
        """Where on its path a truck is to set its parking brake, if anywhere."""
        path, goal = self._permissions[row].path, self._goals[row]
        goal_m = None if path is None or goal is None else path.locate(goal)
        self._onboard.immobilise[row] = goal_m is not None
        self._onboard.goal_m[row] = math.nan if goal_m is None else goal_m

    def _apply_stops(self, row: int) -> None:
        self._onboard.stop_reaction[row] = max(self._stops[row].values(), default=0)

    def _welcomed(self, row: int, welcome: truck_pb2.Welcome, now_ns: int) -> None:
        state = self._onboard
        if welcome.hello_stamp_ns != state.hello_ns[row] or now_ns - welcome.hello_stamp_ns > WELCOME_AGE_MAX_NS:
            return
        self._permissions[row].agree(welcome.epoch)
        state.waiting[row] |= state.lost[row]
        state.agreed_epoch[row] = welcome.epoch
        rungs = [(rung.silence.seconds + rung.silence.nanos / 1e9, int(rung.reaction)) for rung in welcome.ladder]
        ladder = Ladder.of_rungs(rungs)
        state.ease_s[row], state.stop_s[row], state.emergency_s[row] = ladder.ease_s, ladder.stop_s, ladder.emergency_s
        if 0.0 < welcome.clearing_speed_max_mps <= CLEARING_SPEED_MPS:
            state.clearing_mps[row] = welcome.clearing_speed_max_mps
        state.doubt_m[row] = 0.0
        state.proof_ns[row] = now_ns
        state.last_tick[row] = -1
        state.echo[row] = 0
        state.lost[row] = False
        if welcome.handle >= self._row_of_handle.size:
            grown = np.full(2 * welcome.handle + 1, -1, dtype=np.int32)
            grown[: self._row_of_handle.size] = self._row_of_handle
            self._row_of_handle = grown
        self._handle[row] = welcome.handle
        self._row_of_handle[welcome.handle] = row

    def _take(self, row: int, message: words.Route | words.MovementAuthority | words.Shortening) -> None:
        """Let one truck's own code judge a message, and keep what it decided in the columns."""
        held = self._permissions[row]
        state = self._onboard
        held.end_m = float(state.end_m[row])
        held.needs_grant = bool(state.waiting[row])
        held.friction = float(state.held_friction[row])
        held.advised_speed_mps = float(state.advised_mps[row])
        earliest_m = columns.earliest_m(self._motion, self._fitted, self._belief, state, row, TICK_S)
        try:
            match message:
                case words.Route():
                    tail_m = float(self._belief.nose_m[row] - self._length_m[row])
                    if held.take_route(message, lambda path: self._place_first(row, path), tail_m, float(self._belief.nose_m[row])):
                        self._lay_out(row)
                case words.MovementAuthority():
                    held.take_authority(message, earliest_m)
                case words.Shortening():
                    answer = held.take_shortening(message, earliest_m)
                    if answer is not None:
                        self._relayed.append(self._own(row, truck_pb2.TruckMessage(acknowledgement=link.acknowledgement_of(answer))))
        except FleetError as refused:
            self.happened.append((row, "message_refused", str(refused)))
        state.end_m[row] = held.end_m
        state.waiting[row] = held.needs_grant
        state.held_friction[row] = held.friction
        state.advised_mps[row] = held.advised_speed_mps

    def _place_first(self, row: int, path: route.Path) -> float | None:
        """Put the true truck on the first route it ever gets; where that puts the believed nose."""
        point = words.LanePoint(self._lane_id(int(self._places.lane_ix[row])), float(self._places.chainage_m[row]))
        nose_m = path.locate(point)
        if nose_m is not None:
            shift_m = nose_m - float(self._motion.nose_m[row])
            for column in (self._motion.nose_m, self._belief.nose_m, self._belief.fix_m):
                column[row] += shift_m
            self._onboard.turn_m[row] = self._onboard.read_nose_m[row] = self._belief.nose_m[row]
        return nose_m

    def _lay_out(self, row: int) -> None:
        """Copy the road of a new route into the columns."""
        held = self._permissions[row]
        path = held.path
        assert path is not None
        state = self._onboard
        state.route_sequence[row] = held.route_sequence
        state.route_epoch[row] = held.agreed_epoch
        road = path.road
        start = row * onboard_state.SEGMENTS_MAX
        stop = start + len(road.end_m)
        assert len(road.end_m) <= onboard_state.SEGMENTS_MAX
        state.seg_end_m[start:stop] = road.end_m
        state.seg_speed_mps[start:stop] = road.speed_max_mps
        state.seg_grade[start:stop] = road.grade
        state.seg_no_stop[start:stop] = road.no_stop
        state.first[row], state.last[row] = start, stop
        lanes = list(dict.fromkeys(self._lane_row[segment.lane_id] for segment in path.segments))
        paths.set_path(self._paths, row, lanes, self._lane_length_m, path.start_m - path.segments[0].start_m)
        self._set_goal(row)
