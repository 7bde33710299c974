"""
What waits to be sent: one slot a kind and truck, where the newest word replaces the one before.

A slow reader must never work through minutes of old authorities, so nothing queues: a truck that reads again after a pause gets
the present and nothing else. Words with a sequence leave in the order of their sequences, because a truck ignores whatever is
lower than what it has. Routes alone are kept in order (an authority names its route); a reader so slow that several wait is cut
off, and is told everything anew when it calls again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from fleet.server.limits import ROUTES_WAITING_MAX, STOPS_WAITING_MAX
from fleet.server.outgoing import GrantsOut, HeartbeatColumns
from fleet.server.wire import codec_out
from fleet.v1 import gateway_pb2, truck_pb2


@dataclass(slots=True, kw_only=True)
class Slots:
    """The words that wait for one truck."""

    welcome: truck_pb2.Welcome | None = None
    refusal: truck_pb2.Refusal | None = None
    stops: dict[str, truck_pb2.Stop] = field(default_factory=dict)
    resumes: dict[str, truck_pb2.Resume] = field(default_factory=dict)
    site: truck_pb2.ControlMessage | None = None
    mission: truck_pb2.Mission | None = None
    routes: list[truck_pb2.Route] = field(default_factory=list)
    shortening: truck_pb2.Shortening | None = None
    authority: truck_pb2.MovementAuthority | None = None
    report_refused: truck_pb2.ReportRefused | None = None
    heartbeat: truck_pb2.Heartbeat | None = None

    def put_stop(self, stop: truck_pb2.Stop) -> None:
        """A stop; it undoes a resume of the same id that has not left."""
        self.resumes.pop(stop.stop_id, None)
        self.stops[stop.stop_id] = stop

    def put_resume(self, resume: truck_pb2.Resume) -> None:
        """A resume; the stop of the same id, if it still waits, is not worth sending."""
        self.stops.pop(resume.stop_id, None)
        self.resumes[resume.stop_id] = resume

    @property
    def overfull(self) -> bool:
        """The reader is so slow that it must be cut off."""
        return len(self.routes) > ROUTES_WAITING_MAX or len(self.stops) > STOPS_WAITING_MAX or len(self.resumes) > STOPS_WAITING_MAX

    @property
    def highest_routing(self) -> int:
        """The highest sequence among the routes and the shortening that wait; -1 for none."""
        waiting = [route.term.sequence for route in self.routes]
        if self.shortening is not None:
            waiting.append(self.shortening.term.sequence)
        return max(waiting, default=-1)

    def take(self) -> list[truck_pb2.ControlMessage]:
        """Everything that waits, in the order it must be sent; the slots are empty afterwards."""
        message = truck_pb2.ControlMessage
        out: list[truck_pb2.ControlMessage] = []
        if self.welcome is not None:
            out.append(message(welcome=self.welcome))
        out.extend(message(stop=stop) for stop in self.stops.values())
        out.extend(message(resume=resume) for resume in self.resumes.values())
        if self.site is not None:
            out.append(self.site)
        if self.mission is not None:
            out.append(message(mission=self.mission))
        out.extend(self._take_sequenced())
        if self.report_refused is not None:
            out.append(message(report_refused=self.report_refused))
        if self.heartbeat is not None:
            out.append(message(heartbeat=self.heartbeat))
        if self.refusal is not None:
            out.append(message(refusal=self.refusal))
        self.stops.clear()
        self.resumes.clear()
        self.site = None
        self.welcome = self.mission = self.report_refused = self.heartbeat = self.refusal = None
        return out

    def _take_sequenced(self) -> list[truck_pb2.ControlMessage]:
        message = truck_pb2.ControlMessage
        waiting = [((route.term.epoch, route.term.sequence), message(route=route)) for route in self.routes]
        if (short := self.shortening) is not None:
            waiting.append(((short.term.epoch, short.term.sequence), message(shortening=short)))
        if (authority := self.authority) is not None:
            waiting.append(((authority.term.epoch, authority.term.sequence), message(authority=authority)))
        self.routes.clear()
        self.shortening = self.authority = None
        return [ready for _, ready in sorted(waiting, key=lambda pair: pair[0])]


class Columns:
    """Grants and heartbeats that wait for one gateway, as columns; the newest row of a truck replaces the older."""

    def __init__(self) -> None:
        self._grants: GrantsOut | None = None
        self._beats: HeartbeatColumns | None = None

    def put_grants(self, grants: GrantsOut) -> None:
        """Grants of one tick."""
        waiting = self._grants
        self._grants = grants if waiting is None or waiting.epoch != grants.epoch else _newest_grants(waiting, grants)

    def put_heartbeats(self, beats: HeartbeatColumns) -> None:
        """Heartbeats of one tick; a truck not among them gets none, for an old heartbeat proves nothing."""
        self._beats = beats

    def waiting_grants(self) -> GrantsOut | None:
        """The grants that wait, without taking them."""
        return self._grants

    def take(self, into: gateway_pb2.GatewayControl, *, leave_out: frozenset[int]) -> tuple[GrantsOut | None, HeartbeatColumns | None]:
        """Writes everything that waits but the grants of the rows to *leave_out*; returns what it wrote."""
        grants, beats = self._grants, self._beats
        self._grants = self._beats = None
        if grants is not None and leave_out:
            kept = np.isin(grants.rows, np.fromiter(leave_out, np.int32, len(leave_out)), invert=True)
            grants = select_grants(grants, kept)
        if grants is not None and len(grants.rows):
            codec_out.write_grants(grants, into.authorities)
        if beats is not None and len(beats.rows):
            codec_out.write_heartbeats(beats, into.heartbeats)
        return grants, beats

    @property
    def empty(self) -> bool:
        """Nothing waits."""
        return self._grants is None and self._beats is None


def select_grants(grants: GrantsOut, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> GrantsOut:
    """The rows of *grants* that are *kept* (k,)."""
    return GrantsOut(
        epoch=grants.epoch,
        rows=grants.rows[kept],
        sequence=grants.sequence[kept],
        route_sequence=grants.route_sequence[kept],
        end_m=grants.end_m[kept],
        end_lane_ix=grants.end_lane_ix[kept],
        end_chainage_m=grants.end_chainage_m[kept],
        advised_speed_mps=grants.advised_speed_mps[kept],
        friction=grants.friction[kept],
    )


def select_heartbeats(beats: HeartbeatColumns, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> HeartbeatColumns:
    """The rows of *beats* that are *kept* (k,)."""
    return replace(beats, rows=beats.rows[kept], challenge_echo=beats.challenge_echo[kept], challenge=beats.challenge[kept])


def _newest_grants(older: GrantsOut, newer: GrantsOut) -> GrantsOut:
    stays = select_grants(older, np.isin(older.rows, newer.rows, invert=True))
    names = ("rows", "sequence", "route_sequence", "end_m", "end_lane_ix", "end_chainage_m", "advised_speed_mps", "friction")
    return GrantsOut(epoch=newer.epoch, **{name: np.concatenate([getattr(stays, name), getattr(newer, name)]) for name in names})
