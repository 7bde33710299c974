"""
Answers of the desk, and calls to the border, as messages.

Control time becomes UTC here and nowhere else on the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from fleet.clock import NS_PER_S
from fleet.server import commands as c
from fleet.server.outgoing import BayCall, BayLeft, BorderCall, Crossing, GateCall, GatePassed, ManifestDeclared
from fleet.server.site_commands import SiteAnswer
from fleet.server.wire.codec_out import containers
from fleet.v1 import border_pb2 as b
from fleet.v1 import common_pb2
from fleet.v1 import dispatch_pb2 as d

TruckWriter = Callable[[c.TruckAnswer], d.Truck]


def stamp(utc_ns: int) -> Timestamp:
    """Unix nanoseconds as the wire has them."""
    return Timestamp(seconds=utc_ns // NS_PER_S, nanos=utc_ns % NS_PER_S)


class AnswerWriter:
    """
    Writes answers; *utc_at_zero_ns* is the Unix time of control time 0.

    A truck's place is not the desk's to tell: *truck* writes it from the newest picture.
    """

    def __init__(self, utc_at_zero_ns: int, truck: TruckWriter) -> None:
        self._utc_at_zero_ns = utc_at_zero_ns
        self._writers: Final[Mapping[type, Callable[[Any], Message]]] = {
            c.OrderAnswer: self.order,
            c.TruckAnswer: truck,
            c.LaneAnswer: lane,
            c.StopAnswer: self.stop,
            c.IntrusionAnswer: self.intrusion,
            c.ControlAnswer: self.control,
            c.CrossingAnswer: self.crossing,
            c.GateAnswer: gate,
            c.BayAnswer: _bay,
            c.OpeningAnswer: lambda _: b.SetOpeningResponse(),
            SiteAnswer: self.site,
        }

    def message(self, answer: object) -> Message:
        """The message of *answer*, one of `commands.Answer`."""
        return self._writers[type(answer)](answer)

    def stamp(self, at_ns: int) -> Timestamp | None:
        """Control time as the wire has it; None for 0, which says nothing."""
        return self.at(at_ns) if at_ns else None

    def at(self, at_ns: int) -> Timestamp:
        """Control time as the wire has it."""
        return stamp(self._utc_at_zero_ns + at_ns)

    def order(self, value: c.OrderAnswer) -> d.TransportOrder:
        """A transport order."""
        return d.TransportOrder(
            order_id=value.order_id,
            from_yard_id=value.from_yard_id,
            to_yard_id=value.to_yard_id,
            container_count=value.container_count,
            waiting_count=value.waiting_count,
            aboard_count=value.aboard_count,
            delivered_count=value.delivered_count,
            returned_count=value.returned_count,
            due_time=self.stamp(value.due_ns),
            priority=value.priority,
            state=d.TransportOrderState.ValueType(value.state),
            create_time=self.at(value.created_ns),
        )

    def stop(self, value: c.StopAnswer) -> d.AllStop:
        """A stop of the whole fleet."""
        return d.AllStop(
            stop_id=value.stop_id,
            active=value.active,
            reason=value.reason,
            since=self.at(value.since_ns),
            needs_second_person=value.needs_second_person,
            asked=value.asked,
        )

    def overdue_gate(self, value: c.OverdueGateAnswer) -> d.OverdueGate:
        """A gate at which a person should look."""
        return d.OverdueGate(gate_id=value.gate_id, truck_id=value.truck_id, since=self.at(value.since_ns))

    def intrusion(self, value: c.IntrusionAnswer) -> d.Intrusion:
        """An intruder and the road kept clear of it."""
        return d.Intrusion(
            intrusion_id=value.intrusion_id,
            kind=d.IntrusionKind.ValueType(value.kind),
            state=d.IntrusionState.ValueType(value.state),
            stretches=[common_pb2.Stretch(lane_id=at.lane_id, start_m=at.start_m, end_m=at.end_m) for at in value.stretches],
            reporter=value.reporter,
            detail=value.detail,
            since=self.at(value.since_ns),
            heard=self.at(value.heard_ns),
            stopped_truck_ids=value.stopped_truck_ids,
        )

    def site(self, value: SiteAnswer) -> d.SiteProposal:
        """A proposed site and how far it has come."""
        return d.SiteProposal(
            digest=value.digest,
            site_id=value.site_id,
            state=d.SiteProposalState.ValueType(value.state),
            digest_in_force=value.digest_in_force,
            propose_time=self.at(value.proposed_ns),
            proposed_by=value.proposed_by,
            changed_lane_ids=value.changed_lane_ids,
            changed_truck_type_ids=value.changed_truck_type_ids,
            acknowledged_truck_ids=value.acknowledged_truck_ids,
            blocks=[
                d.SiteBlock(truck_id=block.truck_id, reason=d.SiteBlockReason.ValueType(block.reason), subject_id=block.subject_id)
                for block in value.blocks
            ],
        )

    def crossing(self, value: c.CrossingAnswer | Crossing) -> b.Crossing:
        """One truck's passage of the border."""
        return b.Crossing(
            crossing_id=value.crossing_id,
            truck_id=value.truck_id,
            state=common_pb2.CrossingState.ValueType(value.state),
            containers=containers(value.containers),
            homeward=value.homeward,
            declare_time=self.stamp(value.declared_ns),
        )

    def border_call(self, value: BorderCall) -> b.BorderCall:
        """The server asks somebody to do something."""
        message = b.BorderCall(call_id=value.call_id)
        match value.content:
            case ManifestDeclared(crossing=crossing):
                message.manifest_declared.crossing.CopyFrom(self.crossing(crossing))
            case GateCall() as call:
                message.gate_call.CopyFrom(b.GateCall(gate_id=call.gate_id, truck_id=call.truck_id, crossing_id=call.crossing_id))
            case GatePassed() as passed:
                message.gate_passed.CopyFrom(b.GatePassed(gate_id=passed.gate_id, truck_id=passed.truck_id))
            case BayCall() as bay_call:
                message.bay_call.CopyFrom(
                    b.BayCall(
                        bay_id=bay_call.bay_id,
                        truck_id=bay_call.truck_id,
                        work=b.BayWork.ValueType(bay_call.work),
                        containers=containers(bay_call.containers),
                    )
                )
            case BayLeft() as left:
                message.bay_left.CopyFrom(b.BayLeft(bay_id=left.bay_id, truck_id=left.truck_id))
        return message

    def control(self, value: c.ControlAnswer) -> d.ControlLease:
        """The control lease."""
        return d.ControlLease(holder=value.holder, epoch=value.epoch, sequence=value.sequence, expire_time=self.stamp(value.expires_ns))


def lane(value: c.LaneAnswer) -> d.Lane:
    """A lane as operators may change it."""
    return d.Lane(
        lane_id=value.lane_id,
        closed=value.closed,
        speed_max_mps=value.speed_max_mps,
        speed_limit_mps=value.speed_limit_mps,
        reason=value.reason,
        asked=value.asked,
        needs_second_person=value.needs_second_person,
    )


def gate(value: c.GateAnswer) -> b.Gate:
    """A barrier lane."""
    return b.Gate(
        gate_id=value.gate_id,
        state=b.BarrierState.ValueType(value.state),
        truck_id=value.truck_id,
        queue_count=value.queue_count,
        open_for_traffic=value.open_for_traffic,
    )


def _bay(value: c.BayAnswer) -> b.Bay:
    return b.Bay(bay_id=value.bay_id, state=b.BayState.ValueType(value.state), truck_id=value.truck_id)
