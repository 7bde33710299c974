"""
What the trucks do about the server's words: frames of columns at once, everything else truck by truck.

What happens now and then (a welcome, a route, a shortening, a stop) is judged by `fleet.onboard`'s own code, on a view of
the same columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from fleet.errors import FleetError
from fleet.onboard import route, store, supervisor, words
from fleet.onboard.contact import WELCOME_AGE_MAX_NS
from fleet.onboard.ladder import Ladder
from fleet.onboard.link import heard_of
from fleet.onboard.truck import SIGHTING_REPEATS
from fleet.v1 import gateway_pb2, truck_pb2
from planner.limits import CLEARING_SPEED_MPS
from sim_harness import columns, onboard_state, paths
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import TICK_S


class Ears:
    """Hears for a fleet."""

    def __init__(self, fleet: FleetColumns) -> None:
        self._fleet = fleet

    def hear(self, frame: bytes, only: int | None = None) -> None:
        """Take one frame of the server's: for everybody whose words travel together, or for the truck of row *only*."""
        control = gateway_pb2.GatewayControl.FromString(frame)
        for relayed in control.relayed:
            row = self._fleet.row.get(relayed.truck_id)
            if row is not None and self._fleet.reaches(row, only):
                self._hear_one(row, relayed.message)
        if control.HasField("authorities"):
            self._hear_authorities(control.authorities, only)
        if control.HasField("heartbeats"):
            self._hear_heartbeats(control.heartbeats, only)

    def _hear_heartbeats(self, frame: gateway_pb2.HeartbeatFrame, only: int | None) -> None:
        block = _block((frame.handle, frame.challenge_echo, frame.challenge), np.int64)
        rows, heard = self._fleet.reached(block[0], only)
        if heard is not None:
            rows, block = rows[heard], np.ascontiguousarray(block[:, heard])
        own = self._fleet.compiled
        columns.hear_heartbeats(own.belief, own.onboard, rows, block[1], block[2], frame.tick, frame.epoch)

    def _hear_authorities(self, frame: gateway_pb2.AuthorityFrame, only: int | None) -> None:
        ints = _block((frame.handle, frame.sequence, frame.route_sequence, frame.end_lane_ix), np.int64)
        reals = _block((frame.end_chainage_m, frame.advised_speed_mps, frame.friction), np.float64)
        rows, heard = self._fleet.reached(ints[0], only)
        if heard is not None:
            rows, ints, reals = rows[heard], np.ascontiguousarray(ints[:, heard]), np.ascontiguousarray(reals[:, heard])
        _, sequence, route_sequence, lane_ix = ints
        end_m, advised_mps, friction = reals
        given = onboard_state.Authorities(
            sequence=sequence,
            route_sequence=route_sequence,
            end_lane_ix=lane_ix.astype(np.int32),
            end_chainage_m=end_m,
            advised_mps=advised_mps,
            friction=friction,
        )
        odd = np.zeros(len(rows), dtype=np.bool_)
        columns.take_authorities(self._fleet.compiled.onboard, self._fleet.paths, rows, given, frame.epoch, odd)
        for j in odd.nonzero()[0].tolist():
            authority = words.MovementAuthority(
                term=store.Term(frame.epoch, int(sequence[j])),
                route_sequence=int(route_sequence[j]),
                end=words.LanePoint(self._fleet.lane_id(int(lane_ix[j])), float(end_m[j])),
                advised_speed_mps=float(advised_mps[j]),
                friction=float(friction[j]),
            )
            self._take(int(rows[j]), authority)

    def _hear_one(self, row: int, message: truck_pb2.ControlMessage) -> None:
        """One truck's own message, read by the truck's own code."""
        stops = self._fleet.stops[row]
        match heard_of(message):
            case words.Welcome() as welcome:
                self._welcomed(row, welcome)
            case words.Refusal(reason=reason):
                self._fleet.happened.append((row, "truck_refused", reason))
            case words.Route() | words.MovementAuthority() | words.Shortening() as heard:
                self._take(row, heard)
            case words.Stop(stop_id=stop_id, reaction=reaction):
                stops[stop_id] = max(reaction or supervisor.SERVICE_STOP, stops.get(stop_id, 0))
                self._apply_stops(row)
            case words.Resume(stop_id=stop_id):
                if stops.pop(stop_id, None) is not None:
                    self._fleet.onboard.waiting[row] = True
                    if not stops:
                        self._fleet.onboard.intruded[row] = False
                        self._fleet.onboard.untold[row] = 0
                        self._forget_doubt(row)
                self._apply_stops(row)
            case words.Mission() as mission:
                self._fleet.goals[row] = mission.goal if mission.immobilise else None
                self._set_goal(row)
            case words.ReportRefused(reason=reason):
                self._fleet.happened.append((row, "report_refused", reason))
            case words.SiteProposed(digest=digest):
                # Simulated trucks have every site loaded; which one counts is said by the next welcome.
                self._fleet.answers.append((row, words.SiteAcknowledged(digest=digest)))
            case words.Heartbeat() | words.SiteWithdrawn():
                pass  # a gateway brings heartbeats as frames

    def _forget_doubt(self, row: int) -> None:
        """Somebody has looked where the truck really is."""
        self._fleet.onboard.doubt_m[row] = self._fleet.onboard.apart_m[row] = 0.0
        self._fleet.onboard.same[row] = False

    def _set_goal(self, row: int) -> None:
        """Where on its path a truck is to set its parking brake, if anywhere."""
        path, goal = self._fleet.permissions[row].path, self._fleet.goals[row]
        goal_m = None if path is None or goal is None else path.locate(goal)
        self._fleet.onboard.immobilise[row] = goal_m is not None
        self._fleet.onboard.goal_m[row] = math.nan if goal_m is None else goal_m

    def _apply_stops(self, row: int) -> None:
        self._fleet.onboard.stop_reaction[row] = max(self._fleet.stops[row].values(), default=0)

    def _welcomed(self, row: int, welcome: words.Welcome) -> None:
        state = self._fleet.onboard
        now_ns = int(self._fleet.belief.clock_ns[row])
        if welcome.hello_stamp_ns != state.hello_ns[row] or now_ns - welcome.hello_stamp_ns > WELCOME_AGE_MAX_NS:
            return
        if welcome.map_digest != self._fleet.map_digests[row]:
            # These columns are rows of one site: trucks on another are built anew, where these stand.
            self._fleet.happened.append((row, "message_refused", "the server is on another site"))
            return
        self._fleet.permissions[row].agree(welcome.epoch)
        state.waiting[row] |= state.lost[row]
        state.agreed_epoch[row] = welcome.epoch
        ladder = Ladder.of_rungs(welcome.ladder)
        state.ease_s[row], state.stop_s[row], state.emergency_s[row] = ladder.ease_s, ladder.stop_s, ladder.emergency_s
        if 0.0 < welcome.clearing_speed_mps <= CLEARING_SPEED_MPS:
            state.clearing_mps[row] = welcome.clearing_speed_mps
        self._forget_doubt(row)
        state.untold[row] = SIGHTING_REPEATS if state.intruded[row] else 0
        state.proof_ns[row] = now_ns
        state.last_tick[row] = -1
        state.echo[row] = 0
        state.lost[row] = False
        if welcome.handle >= self._fleet.row_of_handle.size:
            grown = np.full(2 * welcome.handle + 1, -1, dtype=np.int32)
            grown[: self._fleet.row_of_handle.size] = self._fleet.row_of_handle
            self._fleet.row_of_handle = grown
        self._fleet.handle[row] = welcome.handle
        self._fleet.row_of_handle[welcome.handle] = row

    def _take(self, row: int, message: words.Route | words.MovementAuthority | words.Shortening) -> None:
        """Let one truck's own code judge a message, and keep what it decided in the columns."""
        held = self._fleet.permissions[row]
        state = self._fleet.onboard
        held.end_m = float(state.end_m[row])
        held.needs_grant = bool(state.waiting[row])
        held.friction = float(state.held_friction[row])
        held.advised_speed_mps = float(state.advised_mps[row])
        own = self._fleet.compiled
        earliest_m = columns.earliest_m(own.fitted, own.belief, own.onboard, own.roads, row, TICK_S)
        try:
            match message:
                case words.Route():
                    tail_m = float(self._fleet.belief.nose_m[row] - self._fleet.length_m[row])
                    if held.take_route(message, lambda path: self._place_first(row, path), tail_m, float(self._fleet.belief.nose_m[row])):
                        self._lay_out(row)
                case words.MovementAuthority():
                    held.take_authority(message, earliest_m)
                case words.Shortening():
                    answer = held.take_shortening(message, earliest_m)
                    if answer is not None:
                        self._fleet.answers.append((row, answer))
        except FleetError as refused:
            self._fleet.happened.append((row, "message_refused", str(refused)))
        state.end_m[row] = held.end_m
        state.waiting[row] = held.needs_grant
        state.held_friction[row] = held.friction
        state.advised_mps[row] = held.advised_speed_mps

    def _place_first(self, row: int, path: route.Path) -> float | None:
        """Put the true truck on the first route it ever gets; where that puts the believed nose."""
        point = words.LanePoint(self._fleet.lane_id(int(self._fleet.places.lane_ix[row])), float(self._fleet.places.chainage_m[row]))
        nose_m = path.locate(point)
        if nose_m is not None:
            shift_m = nose_m - float(self._fleet.motion.nose_m[row])
            for column in (self._fleet.motion.nose_m, self._fleet.belief.nose_m, self._fleet.belief.fix_m):
                column[row] += shift_m
            self._fleet.shift_m[row] += shift_m
            self._fleet.onboard.turn_m[row] = self._fleet.onboard.read_nose_m[row] = self._fleet.belief.nose_m[row]
        return nose_m

    def _lay_out(self, row: int) -> None:
        """Copy the road of a new route into the columns."""
        held = self._fleet.permissions[row]
        path = held.path
        assert path is not None
        state = self._fleet.onboard
        state.route_sequence[row] = held.route_sequence
        state.route_epoch[row] = held.agreed_epoch
        road = path.road
        start = row * onboard_state.SEGMENTS_MAX
        stop = start + len(road.end_m)
        assert len(road.end_m) <= onboard_state.SEGMENTS_MAX
        roads = self._fleet.roads
        roads.end_m[start:stop] = road.end_m
        roads.speed_mps[start:stop] = road.speed_max_mps
        roads.grade[start:stop] = road.grade
        roads.no_stop[start:stop] = road.no_stop
        state.first[row], state.last[row] = start, stop
        state.same[row] = False
        lanes = list(dict.fromkeys(self._fleet.lane_row[segment.lane_id] for segment in path.segments))
        paths.set_path(self._fleet.paths, row, lanes, self._fleet.lane_length_m, path.start_m - path.segments[0].start_m)
        self._set_goal(row)


def _block(columns: tuple[Sequence[Any], ...], dtype: type[np.generic]) -> Any:
    """Equally long columns of the wire as one array (columns, k), in one pass."""
    count = len(columns[0])
    return np.fromiter(chain.from_iterable(columns), dtype, len(columns) * count).reshape(len(columns), count)
