"""
Values to the wire: what the control loop says, as messages of trucks and gateways.

Rows of lanes become lane ids again. Columns stay columns where the wire has them, so that a tick's authorities for a thousand
trucks behind one gateway cost one message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from fleet.errors import FleetError
from fleet.server.inputs import LanePlace
from fleet.server.outgoing import (
    Container,
    GrantsOut,
    HeartbeatColumns,
    MissionOut,
    Reaction,
    ReportRefusedOut,
    ResumeOut,
    RouteOut,
    ShorteningOut,
    SiteOut,
    StopOut,
    WelcomeOut,
)
from fleet.v1 import common_pb2, gateway_pb2, truck_pb2

DETAIL_CHARS_MAX: Final = 512
SOFTWARE: Final = f"khulan {version('khulan')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """What a truck does by itself after *silence_ms* without its server."""

    silence_ms: int
    reaction: Reaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a welcome tells every truck."""

    map_digest: str
    report_period_ms: int = 200
    ladder: tuple[Rung, ...] = (
        Rung(silence_ms=1000, reaction=Reaction.NO_ACCELERATION),
        Rung(silence_ms=2000, reaction=Reaction.SERVICE_STOP),
    )
    clearing_speed_max_mps: float = 10.0 / 3.6

    def __post_init__(self) -> None:
        silences = [rung.silence_ms for rung in self.ladder]
        if not silences or silences != sorted(silences) or len(set(silences)) != len(silences):
            raise ValueError("the ladder needs rungs, and each must come later than the one before")
        if [rung.reaction for rung in self.ladder] != sorted(rung.reaction for rung in self.ladder):
            raise ValueError("the ladder must grow harder, never softer")
        # A truck must not mistake the pause between two of its own reports for our death.
        if not 0 < self.report_period_ms * 2 <= silences[0]:
            raise ValueError("report_period_ms must be positive and at most half the first silence")


class Speech:
    """Writes the loop's words for one site."""

    def __init__(self, lane_ids: Sequence[str], terms: Terms) -> None:
        self._lane_ids = tuple(lane_ids)
        self._terms = terms

    def welcome(self, value: WelcomeOut, wire_version: int) -> truck_pb2.Welcome:
        """The truck is taken on, in the version agreed; its row is its handle."""
        terms = self._terms
        message = truck_pb2.Welcome(
            epoch=value.epoch,
            handle=value.row,
            hello_stamp_ns=value.hello_stamp_ns,
            map_digest=terms.map_digest,
            clearing_speed_max_mps=terms.clearing_speed_max_mps,
            wire_version=wire_version,
            software=SOFTWARE,
        )
        message.report_period.FromMilliseconds(terms.report_period_ms)
        for rung in terms.ladder:
            added = message.ladder.add(reaction=truck_pb2.Reaction.ValueType(rung.reaction))
            added.silence.FromMilliseconds(rung.silence_ms)
        return message

    def route(self, value: RouteOut) -> truck_pb2.Route:
        """The road ahead, segment by segment."""
        message = truck_pb2.Route(term=common_pb2.Term(epoch=value.epoch, sequence=value.sequence))
        columns = (value.lane_ix, value.start_m, value.end_m, value.speed_max_mps, value.grade, value.no_stop)
        for lane_ix, start_m, end_m, speed_max_mps, grade, no_stop in zip(*(column.tolist() for column in columns), strict=True):
            stretch = common_pb2.Stretch(lane_id=self._lane_ids[lane_ix], start_m=start_m, end_m=end_m)
            message.segments.add(stretch=stretch, speed_max_mps=speed_max_mps, grade=grade, no_stop=no_stop)
        return message

    def shortening(self, value: ShorteningOut) -> truck_pb2.Shortening:
        """The end moves back."""
        term = common_pb2.Term(epoch=value.epoch, sequence=value.sequence)
        return truck_pb2.Shortening(term=term, route_sequence=value.route_sequence, end=self.place(value.end))

    def mission(self, value: MissionOut) -> truck_pb2.Mission:
        """What the truck is doing this for."""
        return truck_pb2.Mission(
            mission_id=value.mission_id,
            state=common_pb2.MissionState.ValueType(value.state),
            goal_id=value.goal_id,
            goal=self.place(value.goal) if value.goal.lane_ix >= 0 else None,
            immobilise=value.immobilise,
            containers=containers(value.containers),
        )

    def place(self, place: LanePlace) -> common_pb2.LanePoint:
        """A place on a lane of this site."""
        return common_pb2.LanePoint(lane_id=self._lane_ids[place.lane_ix], chainage_m=place.chainage_m)

    def authority(self, grants: GrantsOut, at: int) -> truck_pb2.MovementAuthority:
        """One row of a tick's grants."""
        return truck_pb2.MovementAuthority(
            term=common_pb2.Term(epoch=grants.epoch, sequence=int(grants.sequence[at])),
            route_sequence=int(grants.route_sequence[at]),
            end=common_pb2.LanePoint(lane_id=self._lane_ids[int(grants.end_lane_ix[at])], chainage_m=float(grants.end_chainage_m[at])),
            advised_speed_mps=float(grants.advised_speed_mps[at]),
            friction=float(grants.friction[at]),
        )


def containers(values: Iterable[Container]) -> list[common_pb2.Container]:
    """Containers as the wire has them."""
    return [common_pb2.Container(container_id=value.container_id, mass_kg=value.mass_kg) for value in values]


def stop(value: StopOut) -> truck_pb2.Stop:
    """Stop."""
    return truck_pb2.Stop(stop_id=value.stop_id, reaction=truck_pb2.Reaction.ValueType(value.reaction), cause=value.cause)


def resume(value: ResumeOut) -> truck_pb2.Resume:
    """Lifts a stop."""
    return truck_pb2.Resume(stop_id=value.stop_id)


def site(value: SiteOut) -> truck_pb2.ControlMessage:
    """Another site is proposed, or no longer."""
    if value.withdrawn:
        return truck_pb2.ControlMessage(site_withdrawn=truck_pb2.SiteWithdrawn(digest=value.digest))
    return truck_pb2.ControlMessage(site_proposed=truck_pb2.SiteProposed(digest=value.digest))


def refusal(error: FleetError) -> truck_pb2.Refusal:
    """Why a truck is not taken on."""
    return truck_pb2.Refusal(reason=error.reason, detail=str(error)[:DETAIL_CHARS_MAX], hint=error.hint)


def report_refused(value: ReportRefusedOut) -> truck_pb2.ReportRefused:
    """Why a report moved nothing."""
    return truck_pb2.ReportRefused(stamp_ns=value.stamp_ns, reason=value.reason, detail=value.detail[:DETAIL_CHARS_MAX])


def heartbeat(value: HeartbeatColumns, at: int) -> truck_pb2.Heartbeat:
    """One row of a tick's heartbeats."""
    return truck_pb2.Heartbeat(
        tick=value.tick,
        epoch=value.epoch,
        challenge_echo=int(value.challenge_echo[at]),
        challenge=int(value.challenge[at]),
        journal=_journal_head(value),
    )


def _journal_head(beats: HeartbeatColumns) -> truck_pb2.JournalHead | None:
    if not beats.journal_sequence:
        return None
    return truck_pb2.JournalHead(sequence=beats.journal_sequence, digest=beats.journal_digest)


def write_grants(grants: GrantsOut, into: gateway_pb2.AuthorityFrame) -> None:
    """A tick's grants for one gateway."""
    into.epoch = grants.epoch
    into.handle.extend(grants.rows.tolist())
    into.sequence.extend(grants.sequence.tolist())
    into.route_sequence.extend(grants.route_sequence.tolist())
    into.end_lane_ix.extend(grants.end_lane_ix.tolist())
    into.end_chainage_m.extend(grants.end_chainage_m.tolist())
    into.advised_speed_mps.extend(grants.advised_speed_mps.tolist())
    into.friction.extend(grants.friction.tolist())


def write_heartbeats(beats: HeartbeatColumns, into: gateway_pb2.HeartbeatFrame) -> None:
    """A tick's heartbeats for one gateway."""
    into.tick = beats.tick
    into.epoch = beats.epoch
    if (journal := _journal_head(beats)) is not None:
        into.journal.CopyFrom(journal)
    into.handle.extend(beats.rows.tolist())
    into.challenge_echo.extend(beats.challenge_echo.tolist())
    into.challenge.extend(beats.challenge.tolist())
