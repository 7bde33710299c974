"""
Protobuf to the truck's own values and back.

protobuf lets NaN and infinity through; a truck must not. Whatever cannot be used is refused here, and the server is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final

from google.protobuf.duration_pb2 import Duration

from fleet.errors import InvalidField
from fleet.onboard.store import JournalSeen, Term
from fleet.onboard.truck import Supervisor
from fleet.onboard.words import (
    Acknowledgement,
    EventKind,
    Goodbye,
    Heard,
    Heartbeat,
    Hello,
    LanePoint,
    Mission,
    MovementAuthority,
    Refusal,
    Report,
    ReportRefused,
    Resume,
    Route,
    Said,
    Segment,
    Shortening,
    SiteAcknowledged,
    SiteProposed,
    SiteWithdrawn,
    Stop,
    TruckEvent,
    Welcome,
)
from fleet.v1 import common_pb2, truck_pb2

DETAIL_CHARS_MAX: Final = 240
_NS_PER_S: Final = 1_000_000_000


def _finite(name: str, number: float) -> float:
    if not isfinite(number):
        raise InvalidField(name, f"is {number}")
    return number


def _ns(duration: Duration) -> int:
    return duration.seconds * _NS_PER_S + duration.nanos


def _term(term: common_pb2.Term) -> Term:
    return Term(term.epoch, term.sequence)


def _point(name: str, point: common_pb2.LanePoint) -> LanePoint:
    return LanePoint(point.lane_id, _finite(name, point.chainage_m))


def _welcome(message: truck_pb2.ControlMessage) -> Welcome:
    said = message.welcome
    return Welcome(
        epoch=said.epoch,
        hello_stamp_ns=said.hello_stamp_ns,
        map_digest=said.map_digest,
        report_period_ns=_ns(said.report_period),
        ladder=tuple((_ns(rung.silence) / _NS_PER_S, int(rung.reaction)) for rung in said.ladder),
        clearing_speed_mps=_finite("clearing_speed_max_mps", said.clearing_speed_max_mps),
        handle=said.handle,
        wire_version=said.wire_version,
        software=said.software,
    )


def _route(message: truck_pb2.ControlMessage) -> Route:
    # Whether the numbers make a road is for the path to say; it refuses those that are not finite as well.
    segments = tuple(
        Segment(
            lane_id=segment.stretch.lane_id,
            start_m=segment.stretch.start_m,
            end_m=segment.stretch.end_m,
            speed_max_mps=segment.speed_max_mps,
            grade=segment.grade,
            no_stop=segment.no_stop,
        )
        for segment in message.route.segments
    )
    return Route(term=_term(message.route.term), segments=segments)


def _authority(message: truck_pb2.ControlMessage) -> MovementAuthority:
    said = message.authority
    return MovementAuthority(
        term=_term(said.term),
        route_sequence=said.route_sequence,
        end=_point("end", said.end),
        advised_speed_mps=max(0.0, _finite("advised_speed_mps", said.advised_speed_mps)),
        friction=max(0.0, _finite("friction", said.friction)),
    )


def _mission(message: truck_pb2.ControlMessage) -> Mission:
    said = message.mission
    goal = _point("goal", said.goal) if said.HasField("goal") else None
    return Mission(mission_id=said.mission_id, goal_id=said.goal_id, goal=goal, immobilise=said.immobilise)


_HEARD: Final[Mapping[str, Callable[[truck_pb2.ControlMessage], Heard]]] = {
    "welcome": _welcome,
    "refusal": lambda m: Refusal(reason=m.refusal.reason, detail=m.refusal.detail, hint=m.refusal.hint),
    "heartbeat": lambda m: Heartbeat(
        tick=m.heartbeat.tick,
        challenge_echo=m.heartbeat.challenge_echo,
        challenge=m.heartbeat.challenge,
        epoch=m.heartbeat.epoch,
        journal=JournalSeen(max(m.heartbeat.journal.sequence, 0), m.heartbeat.journal.digest),
    ),
    "route": _route,
    "authority": _authority,
    "shortening": lambda m: Shortening(
        term=_term(m.shortening.term), route_sequence=m.shortening.route_sequence, end=_point("end", m.shortening.end)
    ),
    "stop": lambda m: Stop(stop_id=m.stop.stop_id, reaction=int(m.stop.reaction), cause=m.stop.cause),
    "resume": lambda m: Resume(stop_id=m.resume.stop_id),
    "mission": _mission,
    "report_refused": lambda m: ReportRefused(
        stamp_ns=m.report_refused.stamp_ns, reason=m.report_refused.reason, detail=m.report_refused.detail
    ),
    "site_proposed": lambda m: SiteProposed(digest=m.site_proposed.digest),
    "site_withdrawn": lambda m: SiteWithdrawn(digest=m.site_withdrawn.digest),
}


def heard_of(message: truck_pb2.ControlMessage) -> Heard:
    """
    Reads one message from the server.

    Raises:
        InvalidField: it is empty, or holds a number that cannot be used.
    """
    content = message.WhichOneof("content")
    if content is None:
        raise InvalidField("content", "is missing or of a later version")
    return _HEARD[content](message)


_KINDS: Final = {
    EventKind.EMERGENCY_BRAKED: truck_pb2.TRUCK_EVENT_KIND_EMERGENCY_BRAKED,
    EventKind.CONTACT_LOST: truck_pb2.TRUCK_EVENT_KIND_CONTACT_LOST,
    EventKind.CONTACT_REGAINED: truck_pb2.TRUCK_EVENT_KIND_CONTACT_REGAINED,
    EventKind.OBSTACLE_SEEN: truck_pb2.TRUCK_EVENT_KIND_OBSTACLE_SEEN,
    EventKind.MESSAGE_REFUSED: truck_pb2.TRUCK_EVENT_KIND_MESSAGE_REFUSED,
    EventKind.DERATED: truck_pb2.TRUCK_EVENT_KIND_DERATED,
}


def _point_message(point: LanePoint) -> common_pb2.LanePoint:
    return common_pb2.LanePoint(lane_id=point.lane_id, chainage_m=point.chainage_m)


def _term_message(term: Term) -> common_pb2.Term:
    return common_pb2.Term(epoch=term.epoch, sequence=term.sequence)


def _report_message(said: Report) -> truck_pb2.Report:
    return truck_pb2.Report(
        stamp_ns=said.stamp_ns,
        lane_id=said.nose.lane_id,
        chainage_m=said.nose.chainage_m,
        speed_mps=said.speed_mps,
        acceleration_mps2=said.acceleration_mps2,
        bound_m=said.bound_m,
        laden=said.laden,
        intact=said.intact,
        immobilised=said.immobilised,
        emergency_braking=said.emergency_braking,
        accepted=_term_message(said.accepted),
        challenge=said.challenge,
        challenge_echo=said.challenge_echo,
        battery_wh=said.battery_wh,
        friction=said.friction,
        brake_health=said.brake_health,
    )


def _hello_message(said: Hello) -> truck_pb2.Hello:
    return truck_pb2.Hello(
        truck_id=said.truck_id,
        instance_id=said.instance_id,
        boot_id=said.boot_id,
        truck_type_id=said.truck_type_id,
        map_digest=said.map_digest,
        software=said.software,
        wire_version=said.wire_version,
        seen=_term_message(said.seen),
        end_held=None if said.end_held is None else _point_message(said.end_held),
        body_lane_ids=said.body_lane_ids,
        report=_report_message(said.report),
        ready_digest=said.ready_digest,
        journal_seen=truck_pb2.JournalHead(sequence=said.journal_seen.sequence, digest=said.journal_seen.mark),
    )


def message_of(said: Said) -> truck_pb2.TruckMessage:
    """Writes one message to the server."""
    match said:
        case Report():
            return truck_pb2.TruckMessage(report=_report_message(said))
        case Acknowledgement():
            answer = truck_pb2.Acknowledgement(term=_term_message(said.term), honoured=said.honoured, end=_point_message(said.end))
            return truck_pb2.TruckMessage(acknowledgement=answer)
        case TruckEvent():
            detail = said.detail[:DETAIL_CHARS_MAX]
            place = None if said.place is None else _point_message(said.place)
            event = truck_pb2.TruckEvent(stamp_ns=said.stamp_ns, kind=_KINDS[said.kind], detail=detail, place=place)
            return truck_pb2.TruckMessage(event=event)
        case Hello():
            return truck_pb2.TruckMessage(hello=_hello_message(said))
        case Goodbye():
            return truck_pb2.TruckMessage(goodbye=truck_pb2.Goodbye(reason=said.reason))
        case SiteAcknowledged():
            return truck_pb2.TruckMessage(site_acknowledged=truck_pb2.SiteAcknowledged(digest=said.digest))


class Interpreter:
    """Speaks protobuf for a `Supervisor`, whoever carries the messages: a stream, a gateway, or a simulator in lockstep."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor

    def receive(self, message: truck_pb2.ControlMessage, now_ns: int) -> list[truck_pb2.TruckMessage]:
        """Takes one message and returns what is to be said because of it; one that cannot be used is refused, and said to be."""
        try:
            heard = heard_of(message)
        except InvalidField as refused:
            self.supervisor.refuse(message.WhichOneof("content") or "message", refused, now_ns)
            return self.drain()
        return [message_of(said) for said in self.supervisor.receive(heard, now_ns)]

    def unreadable(self, now_ns: int) -> list[truck_pb2.TruckMessage]:
        """Bytes came that are no message of this wire: refused as one that cannot be used is."""
        self.supervisor.refuse("message", InvalidField("message", "cannot be read"), now_ns)
        return self.drain()

    def drain(self) -> list[truck_pb2.TruckMessage]:
        """What the truck has to say, beside its reports, since it was last asked."""
        return [message_of(said) for said in self.supervisor.drain()]

    def hello(self, now_ns: int) -> truck_pb2.TruckMessage:
        """Who the truck is; see `Supervisor.hello`."""
        return message_of(self.supervisor.hello(now_ns))

    def report(self, now_ns: int) -> truck_pb2.TruckMessage:
        """Where the truck is; see `Supervisor.report`."""
        return message_of(self.supervisor.report(now_ns))

    def goodbye(self, reason: str) -> truck_pb2.TruckMessage:
        """That the truck leaves on purpose."""
        return message_of(Goodbye(reason=reason))
