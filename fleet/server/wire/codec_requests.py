"""
Requests of operators, customs and yards to commands: every field checked, every refusal naming its field.

A table says which request becomes which command; nothing here knows what a command does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from fleet.clock import NS_PER_S
from fleet.errors import InvalidField, NotFound
from fleet.server import commands as c
from fleet.server.outgoing import Container
from fleet.server.site_commands import ProposeSite, SwitchSite, WithdrawSite
from fleet.server.wire.codec import COUNT_MAX, RANGES, finite, identifier, text, whole
from fleet.v1 import border_pb2 as b
from fleet.v1 import common_pb2
from fleet.v1 import dispatch_pb2 as d
from planner.limits import CONTAINERS_PER_ORDER_MAX, FRICTION_MAX, FRICTION_MIN, INTRUDER_RADIUS_MAX_M, LANE_LIMIT_MIN_MPS, PRIORITY_MAX

CONTAINERS_MAX: Final = 64
MASS_MAX_KG: Final = 1e5
SPEED_MAX_MPS: Final = 50.0
STRETCHES_MAX: Final = 64


class RequestReader:
    """Reads requests; *utc_at_zero_ns* is the Unix time of control time 0, for times that people write."""

    def __init__(self, utc_at_zero_ns: int) -> None:
        self._utc_at_zero_ns = utc_at_zero_ns
        self._readers: Final[Mapping[type[Message], Callable[[Any], c.Command]]] = {
            d.CreateTransportOrderRequest: self._create_order,
            d.CancelTransportOrderRequest: _cancel_order,
            d.HoldTruckRequest: _hold_truck,
            d.ResumeTruckRequest: _resume_truck,
            d.DecommissionTruckRequest: _decommission_truck,
            d.RecommissionTruckRequest: _recommission_truck,
            d.RemoveTruckRequest: _remove_truck,
            d.CloseLaneRequest: _close_lane,
            d.OpenLaneRequest: _open_lane,
            d.LimitLaneRequest: _limit_lane,
            d.SetLaneFrictionRequest: _set_lane_friction,
            d.StopAllRequest: _stop_all,
            d.LiftStopRequest: _lift_stop,
            d.ReportIntrusionRequest: _report_intrusion,
            d.ReleaseIntrusionRequest: _release_intrusion,
            d.AcquireControlRequest: _acquire_control,
            d.RenewControlRequest: _renew_control,
            d.TakeOverControlRequest: _take_over_control,
            d.ProposeSiteRequest: _propose_site,
            d.SwitchSiteRequest: _switch_site,
            d.WithdrawSiteRequest: _withdraw_site,
            b.DecideCrossingRequest: _decide_crossing,
            b.ReportBarrierRequest: _report_barrier,
            b.ReportBayRequest: _report_bay,
            b.SetOpeningRequest: self._set_opening,
        }

    def command(self, request: Message) -> c.Command:
        """
        The command that *request* asks for. Reading a proposed site takes a second; everything else is quick.

        Raises:
            InvalidField: a field cannot be used.
            NotFound, SiteError: the proposed site is not there, or not sound.
        """
        return self._readers[type(request)](request)

    def _time_ns(self, name: str, given: Message, field: str) -> int:
        if not given.HasField(field):
            return 0
        stamp: Timestamp = getattr(given, field)
        whole(f"{name}.seconds", stamp.seconds, 0, 2**33)
        whole(f"{name}.nanos", stamp.nanos, 0, NS_PER_S - 1)
        return max(1, stamp.seconds * NS_PER_S + stamp.nanos - self._utc_at_zero_ns)

    def _create_order(self, r: d.CreateTransportOrderRequest) -> c.Command:
        return c.CreateOrder(
            request_id=identifier("request_id", r.request_id),
            from_yard_id=identifier("from_yard_id", r.from_yard_id),
            to_yard_id=identifier("to_yard_id", r.to_yard_id),
            container_count=whole("container_count", r.container_count, 1, CONTAINERS_PER_ORDER_MAX),
            due_ns=self._time_ns("due_time", r, "due_time"),
            priority=whole("priority", r.priority, -PRIORITY_MAX, PRIORITY_MAX),
        )

    def _set_opening(self, r: b.SetOpeningRequest) -> c.Command:
        return c.SetOpening(
            request_id=identifier("request_id", r.request_id),
            gate_id=_optional_id("gate_id", r.gate_id),
            open=r.open,
            until_ns=self._time_ns("until", r, "until"),
        )


def _optional_id(name: str, value: str) -> str:
    return identifier(name, value) if value else ""


def _containers(name: str, given: Iterable[common_pb2.Container]) -> tuple[Container, ...]:
    values = tuple(given)
    whole(f"{name} count", len(values), 0, CONTAINERS_MAX)
    return tuple(
        Container(
            container_id=identifier(f"{name}.container_id", value.container_id),
            mass_kg=finite(f"{name}.mass_kg", value.mass_kg, 0.0, MASS_MAX_KG),
        )
        for value in values
    )


def _cancel_order(r: d.CancelTransportOrderRequest) -> c.Command:
    return c.CancelOrder(request_id=identifier("request_id", r.request_id), order_id=identifier("order_id", r.order_id))


def _hold_truck(r: d.HoldTruckRequest) -> c.Command:
    return c.HoldTruck(
        request_id=identifier("request_id", r.request_id), truck_id=identifier("truck_id", r.truck_id), reason=text("reason", r.reason)
    )


def _resume_truck(r: d.ResumeTruckRequest) -> c.Command:
    return c.ResumeTruck(request_id=identifier("request_id", r.request_id), truck_id=identifier("truck_id", r.truck_id))


def _decommission_truck(r: d.DecommissionTruckRequest) -> c.Command:
    return c.DecommissionTruck(
        request_id=identifier("request_id", r.request_id), truck_id=identifier("truck_id", r.truck_id), reason=text("reason", r.reason)
    )


def _recommission_truck(r: d.RecommissionTruckRequest) -> c.Command:
    return c.RecommissionTruck(
        request_id=identifier("request_id", r.request_id), truck_id=identifier("truck_id", r.truck_id), reason=_said("reason", r.reason)
    )


def _remove_truck(r: d.RemoveTruckRequest) -> c.Command:
    for name, value in (("taken_to", r.taken_to), ("second_person", r.second_person)):
        if not value.strip():
            raise InvalidField(name=name, problem="is required: a wrong answer opens occupied road")
    if not r.powered_off:
        raise InvalidField(name="powered_off", problem="must be true: a truck under power may come back")
    return c.RemoveTruck(
        request_id=identifier("request_id", r.request_id),
        truck_id=identifier("truck_id", r.truck_id),
        taken_to=text("taken_to", r.taken_to),
        second_person=text("second_person", r.second_person),
        powered_off=r.powered_off,
    )


def _close_lane(r: d.CloseLaneRequest) -> c.Command:
    return c.CloseLane(
        request_id=identifier("request_id", r.request_id), lane_id=identifier("lane_id", r.lane_id), reason=text("reason", r.reason)
    )


def _open_lane(r: d.OpenLaneRequest) -> c.Command:
    return c.OpenLane(request_id=identifier("request_id", r.request_id), lane_id=identifier("lane_id", r.lane_id))


def _limit_lane(r: d.LimitLaneRequest) -> c.Command:
    return c.LimitLane(
        request_id=identifier("request_id", r.request_id),
        lane_id=identifier("lane_id", r.lane_id),
        speed_limit_mps=_speed_limit(r.speed_limit_mps),
        reason=text("reason", r.reason),
    )


def _speed_limit(mps: float) -> float:
    """0 lifts a limit; one so low that nobody would ever arrive is a mistake."""
    if 0.0 < mps < LANE_LIMIT_MIN_MPS:
        problem = f"must be 0, which lifts the limit, or from {LANE_LIMIT_MIN_MPS} m/s on; close the lane to keep trucks out of it"
        raise InvalidField(name="speed_limit_mps", problem=problem)
    return finite("speed_limit_mps", mps, 0.0, SPEED_MAX_MPS)


def _set_lane_friction(r: d.SetLaneFrictionRequest) -> c.Command:
    return c.SetLaneFriction(
        request_id=identifier("request_id", r.request_id),
        lane_id=identifier("lane_id", r.lane_id),
        friction=finite("friction", r.friction, FRICTION_MIN, FRICTION_MAX),
        reason=_said("reason", r.reason),
    )


def _said(name: str, value: str) -> str:
    """A text that must not be empty."""
    if not value.strip():
        raise InvalidField(name=name, problem="is required: the audit trail keeps it")
    return text(name, value)


def _stop_all(r: d.StopAllRequest) -> c.Command:
    return c.StopAll(stop_id=identifier("stop_id", r.stop_id), reason=text("reason", r.reason))


def _lift_stop(r: d.LiftStopRequest) -> c.Command:
    return c.LiftStop(request_id=identifier("request_id", r.request_id), stop_id=identifier("stop_id", r.stop_id))


def _report_intrusion(r: d.ReportIntrusionRequest) -> c.Command:
    kind = whole("kind", r.kind, d.INTRUSION_KIND_PERSON, d.INTRUSION_KIND_OTHER)
    if r.HasField("place") == bool(r.stretches):
        raise InvalidField(name="place", problem="or stretches: one of them is required, not both")
    if r.tracked and (kind != d.INTRUSION_KIND_MANNED_TRUCK or not r.HasField("place") or r.stamp_ns <= 0):
        raise InvalidField(name="tracked", problem="needs a manned truck, its place, and the stamp_ns of its transponder")
    radius_m = finite("radius_m", r.radius_m, 0.0, INTRUDER_RADIUS_MAX_M)
    if r.HasField("place") and radius_m == 0.0:
        raise InvalidField(name="radius_m", problem="must be more than 0: nothing is a point")
    return c.ReportIntrusion(
        request_id=identifier("request_id", r.request_id),
        intrusion_id=identifier("intrusion_id", r.intrusion_id),
        kind=kind,
        places=_stretches(r) if r.stretches else (_stretch("place", r.place.lane_id, r.place.chainage_m, r.place.chainage_m),),
        radius_m=radius_m,
        tracked=r.tracked,
        speed_mps=finite("speed_mps", r.speed_mps, 0.0, SPEED_MAX_MPS),
        stamp_ns=whole("stamp_ns", r.stamp_ns, 0, COUNT_MAX),
        detail=text("detail", r.detail),
    )


def _stretches(r: d.ReportIntrusionRequest) -> tuple[c.StretchAnswer, ...]:
    whole("stretches count", len(r.stretches), 1, STRETCHES_MAX)
    return tuple(_stretch("stretches", at.lane_id, at.start_m, at.end_m) for at in r.stretches)


def _stretch(name: str, lane_id: str, start_m: float, end_m: float) -> c.StretchAnswer:
    _, high_m = RANGES["chainage_m"]
    return c.StretchAnswer(
        lane_id=identifier(f"{name}.lane_id", lane_id),
        start_m=finite(f"{name}.start_m", start_m, 0.0, high_m),
        end_m=finite(f"{name}.end_m", end_m, start_m, high_m),
    )


def _release_intrusion(r: d.ReleaseIntrusionRequest) -> c.Command:
    return c.ReleaseIntrusion(request_id=identifier("request_id", r.request_id), intrusion_id=identifier("intrusion_id", r.intrusion_id))


def _acquire_control(r: d.AcquireControlRequest) -> c.Command:
    return c.AcquireControl(request_id=identifier("request_id", r.request_id), holder=identifier("holder", r.holder))


def _renew_control(r: d.RenewControlRequest) -> c.Command:
    return c.RenewControl(request_id=identifier("request_id", r.request_id), holder=identifier("holder", r.holder))


def _take_over_control(r: d.TakeOverControlRequest) -> c.Command:
    return c.TakeOverControl(
        request_id=identifier("request_id", r.request_id), holder=identifier("holder", r.holder), reason=text("reason", r.reason)
    )


def _propose_site(r: d.ProposeSiteRequest) -> c.Command:
    # pydantic, shapely and scipy cost most of a second: a server whose map does not change goes without.
    from fleet.site import corridor_of_text, site_names, text_of  # noqa: PLC0415

    request_id = identifier("request_id", r.request_id)
    if r.WhichOneof("source") == "name" and r.name not in site_names():
        # Only what comes with the server has a name here: files are on the disk of whoever asks.
        raise NotFound(kind="site", name=r.name)
    if r.WhichOneof("source") is None:
        raise InvalidField(name="source", problem="is required: a site's name, or its file's text")
    written = text_of(r.name) if r.WhichOneof("source") == "name" else r.text
    corridor = corridor_of_text(written)
    return ProposeSite(request_id=request_id, text=written, digest=corridor.digest, site_id=corridor.site_id)


def _switch_site(r: d.SwitchSiteRequest) -> c.Command:
    return SwitchSite(request_id=identifier("request_id", r.request_id), digest=identifier("digest", r.digest))


def _withdraw_site(r: d.WithdrawSiteRequest) -> c.Command:
    return WithdrawSite(request_id=identifier("request_id", r.request_id), digest=identifier("digest", r.digest))


def _decide_crossing(r: b.DecideCrossingRequest) -> c.Command:
    return c.DecideCrossing(
        request_id=identifier("request_id", r.request_id),
        crossing_id=identifier("crossing_id", r.crossing_id),
        decision=whole("decision", r.decision, b.CROSSING_DECISION_CLEAR, b.CROSSING_DECISION_HOLD),
        officer=text("officer", r.officer),
    )


def _report_barrier(r: b.ReportBarrierRequest) -> c.Command:
    state = whole("state", r.state, b.BARRIER_STATE_SHUT, b.BARRIER_STATE_OPEN)
    return c.ReportBarrier(
        request_id=identifier("request_id", r.request_id),
        gate_id=identifier("gate_id", r.gate_id),
        state=state,
        truck_id=identifier("truck_id", r.truck_id) if state == b.BARRIER_STATE_OPEN else _optional_id("truck_id", r.truck_id),
    )


def _report_bay(r: b.ReportBayRequest) -> c.Command:
    return c.ReportBay(
        request_id=identifier("request_id", r.request_id),
        bay_id=identifier("bay_id", r.bay_id),
        state=whole("state", r.state, b.BAY_STATE_READY, b.BAY_STATE_CLEAR),
        truck_id=_optional_id("truck_id", r.truck_id),
        containers=_containers("containers", r.containers),
    )
