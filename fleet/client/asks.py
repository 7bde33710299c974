"""
Everything an operator, customs or a yard may ask of the server, each as one value.

An ask that changes something carries its own request id from the moment it is made: asking it twice, or retrying it through a
broken line, takes effect once and gets the first answer again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from google.protobuf.duration_pb2 import Duration

from fleet.client.ask import Ask, Page, fresh, to_page, to_stamp, to_value
from fleet.client.day_values import Day
from fleet.client.health_values import Health
from fleet.client.plan_values import Plan
from fleet.client.site_values import LanePoint, Site, Stretch
from fleet.client.values import (
    AllStop,
    AuditEntry,
    Bay,
    BorderCall,
    Container,
    ControlLease,
    Crossing,
    Explanation,
    FleetUpdate,
    Gate,
    Intrusion,
    Lane,
    SiteProposal,
    TransportOrder,
    Truck,
)
from fleet.v1 import border_pb2, common_pb2, dispatch_pb2, health_pb2

DISPATCH: Final = "DispatchService"
BORDER: Final = "BorderService"
PAGE_SIZE: Final = 500


class CrossingDecision(StrEnum):
    """What customs may answer."""

    CLEAR = "clear"
    INSPECT = "inspect"
    REFUSE = "refuse"
    HOLD = "hold"


_DECISIONS: Final = {
    CrossingDecision.CLEAR: border_pb2.CROSSING_DECISION_CLEAR,
    CrossingDecision.INSPECT: border_pb2.CROSSING_DECISION_INSPECT,
    CrossingDecision.REFUSE: border_pb2.CROSSING_DECISION_REFUSE,
    CrossingDecision.HOLD: border_pb2.CROSSING_DECISION_HOLD,
}


class BayReport(StrEnum):
    """What a loader may prove of its bay."""

    READY = "ready"
    BLOCKED = "blocked"
    WORKING = "working"
    CLEAR = "clear"


_BAY_STATES: Final = {
    BayReport.READY: border_pb2.BAY_STATE_READY,
    BayReport.BLOCKED: border_pb2.BAY_STATE_BLOCKED,
    BayReport.WORKING: border_pb2.BAY_STATE_WORKING,
    BayReport.CLEAR: border_pb2.BAY_STATE_CLEAR,
}


class IntrusionKind(StrEnum):
    """What may be on the road that is none of our trucks."""

    PERSON = "person"
    ANIMAL = "animal"
    MANNED_TRUCK = "manned_truck"
    OTHER = "other"


_INTRUSION_KINDS: Final = {
    IntrusionKind.PERSON: dispatch_pb2.INTRUSION_KIND_PERSON,
    IntrusionKind.ANIMAL: dispatch_pb2.INTRUSION_KIND_ANIMAL,
    IntrusionKind.MANNED_TRUCK: dispatch_pb2.INTRUSION_KIND_MANNED_TRUCK,
    IntrusionKind.OTHER: dispatch_pb2.INTRUSION_KIND_OTHER,
}


# Transport orders.


def create_order(
    *,
    from_yard_id: str,
    to_yard_id: str,
    container_count: int,
    due_time: datetime | None = None,
    priority: int = 0,
    request_id: str = "",
) -> Ask[TransportOrder]:
    """Asks for containers to be moved."""
    request = dispatch_pb2.CreateTransportOrderRequest(
        request_id=request_id or fresh(),
        from_yard_id=from_yard_id,
        to_yard_id=to_yard_id,
        container_count=container_count,
        due_time=to_stamp(due_time),
        priority=priority,
    )
    return Ask(DISPATCH, "CreateTransportOrder", request, to_value(TransportOrder))


def order(order_id: str) -> Ask[TransportOrder]:
    """Asks where an order stands."""
    return Ask(DISPATCH, "GetTransportOrder", dispatch_pb2.GetTransportOrderRequest(order_id=order_id), to_value(TransportOrder))


def orders(page_token: str = "", page_size: int = PAGE_SIZE) -> Ask[Page[TransportOrder]]:
    """Asks for a page of orders, oldest first."""
    request = dispatch_pb2.ListTransportOrdersRequest(page_size=page_size, page_token=page_token)
    return Ask(DISPATCH, "ListTransportOrders", request, to_page(TransportOrder, "orders"))


def cancel_order(order_id: str) -> Ask[TransportOrder]:
    """Cancels an order; what is aboard is still delivered."""
    request = dispatch_pb2.CancelTransportOrderRequest(request_id=fresh(), order_id=order_id)
    return Ask(DISPATCH, "CancelTransportOrder", request, to_value(TransportOrder))


# Trucks.


def trucks(page_token: str = "", page_size: int = PAGE_SIZE) -> Ask[Page[Truck]]:
    """Asks for a page of trucks, by id."""
    request = dispatch_pb2.ListTrucksRequest(page_size=page_size, page_token=page_token)
    return Ask(DISPATCH, "ListTrucks", request, to_page(Truck, "trucks"))


def truck(truck_id: str) -> Ask[Truck]:
    """Asks how one truck is."""
    return Ask(DISPATCH, "GetTruck", dispatch_pb2.GetTruckRequest(truck_id=truck_id), to_value(Truck))


def hold_truck(truck_id: str, reason: str) -> Ask[Truck]:
    """Stops one truck inside its authority and keeps it there."""
    request = dispatch_pb2.HoldTruckRequest(request_id=fresh(), truck_id=truck_id, reason=reason)
    return Ask(DISPATCH, "HoldTruck", request, to_value(Truck))


def resume_truck(truck_id: str) -> Ask[Truck]:
    """Lifts an operator's hold."""
    request = dispatch_pb2.ResumeTruckRequest(request_id=fresh(), truck_id=truck_id)
    return Ask(DISPATCH, "ResumeTruck", request, to_value(Truck))


def decommission_truck(truck_id: str, reason: str) -> Ask[Truck]:
    """Takes a truck out of service; it parks and frees no road."""
    request = dispatch_pb2.DecommissionTruckRequest(request_id=fresh(), truck_id=truck_id, reason=reason)
    return Ask(DISPATCH, "DecommissionTruck", request, to_value(Truck))


def recommission_truck(truck_id: str, reason: str) -> Ask[Truck]:
    """Puts a truck that was seen to into service again: its brakes are believed as declared."""
    request = dispatch_pb2.RecommissionTruckRequest(request_id=fresh(), truck_id=truck_id, reason=reason)
    return Ask(DISPATCH, "RecommissionTruck", request, to_value(Truck))


def remove_truck(truck_id: str, *, taken_to: str, second_person: str, powered_off: bool) -> Ask[Truck]:
    """Declares a truck gone from the corridor."""
    request = dispatch_pb2.RemoveTruckRequest(
        request_id=fresh(), truck_id=truck_id, taken_to=taken_to, second_person=second_person, powered_off=powered_off
    )
    return Ask(DISPATCH, "RemoveTruck", request, to_value(Truck))


def explain(truck_id: str, language_code: str = "") -> Ask[Explanation]:
    """Asks why a truck stands."""
    request = dispatch_pb2.ExplainHoldRequest(truck_id=truck_id, language_code=language_code)
    return Ask(DISPATCH, "ExplainHold", request, to_value(Explanation))


# Lanes.


def lanes() -> Ask[Page[Lane]]:
    """Asks for every lane of the site."""
    return Ask(DISPATCH, "ListLanes", dispatch_pb2.ListLanesRequest(), to_page(Lane, "lanes"))


def close_lane(lane_id: str, reason: str) -> Ask[Lane]:
    """Lets no new authority into a lane."""
    request = dispatch_pb2.CloseLaneRequest(request_id=fresh(), lane_id=lane_id, reason=reason)
    return Ask(DISPATCH, "CloseLane", request, to_value(Lane))


def open_lane(lane_id: str) -> Ask[Lane]:
    """Ends a closure."""
    return Ask(DISPATCH, "OpenLane", dispatch_pb2.OpenLaneRequest(request_id=fresh(), lane_id=lane_id), to_value(Lane))


def limit_lane(lane_id: str, speed_limit_mps: float, reason: str) -> Ask[Lane]:
    """Sets a temporary limit; 0 lifts it."""
    request = dispatch_pb2.LimitLaneRequest(request_id=fresh(), lane_id=lane_id, speed_limit_mps=speed_limit_mps, reason=reason)
    return Ask(DISPATCH, "LimitLane", request, to_value(Lane))


def set_lane_friction(lane_id: str, friction: float, reason: str) -> Ask[Lane]:
    """Says what grip a lane has."""
    request = dispatch_pb2.SetLaneFrictionRequest(request_id=fresh(), lane_id=lane_id, friction=friction, reason=reason)
    return Ask(DISPATCH, "SetLaneFriction", request, to_value(Lane))


# Everything at once.


def stop_all(stop_id: str, reason: str) -> Ask[AllStop]:
    """Stops every truck; the same id lifts it."""
    return Ask(DISPATCH, "StopAll", dispatch_pb2.StopAllRequest(stop_id=stop_id, reason=reason), to_value(AllStop))


def lift_stop(stop_id: str) -> Ask[AllStop]:
    """Lifts the all-stop of this id, or records that one person wants to."""
    return Ask(DISPATCH, "LiftStop", dispatch_pb2.LiftStopRequest(request_id=fresh(), stop_id=stop_id), to_value(AllStop))


def watch_fleet(period_s: float = 0.0) -> Ask[FleetUpdate]:
    """A stream: a snapshot, then what changes; 0: as often as the server likes."""
    period = Duration(seconds=int(period_s), nanos=int(period_s % 1 * 1e9)) if period_s > 0.0 else None
    return Ask(DISPATCH, "WatchFleet", dispatch_pb2.WatchFleetRequest(period=period), to_value(FleetUpdate))


# Intruders.


def intrusions() -> Ask[Page[Intrusion]]:
    """Asks for every open intrusion, oldest first."""
    return Ask(DISPATCH, "ListIntrusions", dispatch_pb2.ListIntrusionsRequest(), to_page(Intrusion, "intrusions"))


def report_intrusion(
    intrusion_id: str, kind: IntrusionKind, where: Sequence[Stretch], *, radius_m: float = 0.0, detail: str = ""
) -> Ask[Intrusion]:
    """Keeps trucks out of *where*, and of every lane within *radius_m* of it, until released; again under the same id: out of more."""
    request = dispatch_pb2.ReportIntrusionRequest(
        request_id=fresh(),
        intrusion_id=intrusion_id,
        kind=_INTRUSION_KINDS[kind],
        stretches=[common_pb2.Stretch(lane_id=at.lane_id, start_m=at.start_m, end_m=at.end_m) for at in where],
        radius_m=radius_m,
        detail=detail,
    )
    return Ask(DISPATCH, "ReportIntrusion", request, to_value(Intrusion))


def track_manned_truck(intrusion_id: str, place: LanePoint, radius_m: float, speed_mps: float, stamp_ns: int) -> Ask[Intrusion]:
    """Says what a manned truck's transponder says, at least once a second; *stamp_ns* is its own clock and rises."""
    request = dispatch_pb2.ReportIntrusionRequest(
        request_id=fresh(),
        intrusion_id=intrusion_id,
        kind=dispatch_pb2.INTRUSION_KIND_MANNED_TRUCK,
        tracked=True,
        place=common_pb2.LanePoint(lane_id=place.lane_id, chainage_m=place.chainage_m),
        radius_m=radius_m,
        speed_mps=speed_mps,
        stamp_ns=stamp_ns,
    )
    return Ask(DISPATCH, "ReportIntrusion", request, to_value(Intrusion))


def release_intrusion(intrusion_id: str) -> Ask[Intrusion]:
    """Says that the place is clear: its road opens, and what it stopped goes on with new authorities."""
    request = dispatch_pb2.ReleaseIntrusionRequest(request_id=fresh(), intrusion_id=intrusion_id)
    return Ask(DISPATCH, "ReleaseIntrusion", request, to_value(Intrusion))


# The server itself, and its audit.


def health() -> Ask[Health]:
    """Asks how the server is."""
    return Ask(DISPATCH, "GetHealth", health_pb2.GetHealthRequest(), to_value(Health))


def audit(page_token: str = "", *, since: datetime | None = None, who: str = "", page_size: int = PAGE_SIZE) -> Ask[Page[AuditEntry]]:
    """Asks for a page of what was asked of the server, the newest first; *who* is a name, or the whole name of a certificate."""
    request = dispatch_pb2.ListAuditRequest(page_size=page_size, page_token=page_token, since=to_stamp(since), who=who)
    return Ask(DISPATCH, "ListAudit", request, to_page(AuditEntry, "entries"))


# The control lease.


def control() -> Ask[ControlLease]:
    """Asks who has control, or had it last; the holder is empty where nobody has yet."""
    return Ask(DISPATCH, "GetControl", dispatch_pb2.GetControlRequest(), to_value(ControlLease))


def acquire_control(holder: str) -> Ask[ControlLease]:
    """Takes control when nobody has it."""
    request = dispatch_pb2.AcquireControlRequest(request_id=fresh(), holder=holder)
    return Ask(DISPATCH, "AcquireControl", request, to_value(ControlLease))


def renew_control(holder: str) -> Ask[ControlLease]:
    """Keeps control."""
    return Ask(DISPATCH, "RenewControl", dispatch_pb2.RenewControlRequest(request_id=fresh(), holder=holder), to_value(ControlLease))


def take_over_control(holder: str, reason: str) -> Ask[ControlLease]:
    """Takes control from its holder."""
    request = dispatch_pb2.TakeOverControlRequest(request_id=fresh(), holder=holder, reason=reason)
    return Ask(DISPATCH, "TakeOverControl", request, to_value(ControlLease))


# The border.


def crossings(page_token: str = "", page_size: int = PAGE_SIZE) -> Ask[Page[Crossing]]:
    """Asks for a page of crossings, oldest first."""
    request = border_pb2.ListCrossingsRequest(page_size=page_size, page_token=page_token)
    return Ask(BORDER, "ListCrossings", request, to_page(Crossing, "crossings"))


def decide_crossing(crossing_id: str, decision: CrossingDecision, officer: str) -> Ask[Crossing]:
    """Gives customs' answer to a crossing."""
    request = border_pb2.DecideCrossingRequest(request_id=fresh(), crossing_id=crossing_id, decision=_DECISIONS[decision], officer=officer)
    return Ask(BORDER, "DecideCrossing", request, to_value(Crossing))


def gates() -> Ask[Page[Gate]]:
    """Asks for every gate of the site."""
    return Ask(BORDER, "ListGates", border_pb2.ListGatesRequest(), to_page(Gate, "gates"))


def report_barrier(gate_id: str, *, open_for: str = "") -> Ask[Gate]:
    """Proves a barrier open for one truck, or shut when *open_for* is empty."""
    state = border_pb2.BARRIER_STATE_OPEN if open_for else border_pb2.BARRIER_STATE_SHUT
    request = border_pb2.ReportBarrierRequest(request_id=fresh(), gate_id=gate_id, state=state, truck_id=open_for)
    return Ask(BORDER, "ReportBarrier", request, to_value(Gate))


def report_bay(bay_id: str, state: BayReport, truck_id: str = "", containers: Sequence[Container] = ()) -> Ask[Bay]:
    """Proves the state of a bay; with CLEAR, *containers* are now aboard, be it because work is done or because it is broken off."""
    aboard = [common_pb2.Container(container_id=each.container_id, mass_kg=each.mass_kg) for each in containers]
    request = border_pb2.ReportBayRequest(request_id=fresh(), bay_id=bay_id, state=_BAY_STATES[state], truck_id=truck_id, containers=aboard)
    return Ask(BORDER, "ReportBay", request, to_value(Bay))


def set_opening(*, is_open: bool, gate_id: str = "", until: datetime | None = None) -> Ask[None]:
    """Opens or closes a gate, or the whole border when *gate_id* is empty."""
    request = border_pb2.SetOpeningRequest(request_id=fresh(), gate_id=gate_id, open=is_open, until=to_stamp(until))
    return Ask(BORDER, "SetOpening", request, lambda _: None)


def watch_border(gate_ids: Sequence[str] = ()) -> Ask[BorderCall]:
    """A stream: every call still open, then each new one."""
    return Ask(BORDER, "WatchBorder", border_pb2.WatchBorderRequest(gate_ids=gate_ids), to_value(BorderCall))


# The site, and another one.


def site() -> Ask[Site]:
    """Asks for the map the server drives by."""
    return Ask(DISPATCH, "GetSite", dispatch_pb2.GetSiteRequest(), to_value(Site))


def day(date: str = "") -> Ask[Day]:
    """Asks what a local day came to, as 2026-11-25; empty: the day it is there now."""
    return Ask(DISPATCH, "GetDay", dispatch_pb2.GetDayRequest(date=date), to_value(Day))


def plan() -> Ask[Plan]:
    """Asks where each truck will be in the next minutes, as planned now; the answer may be some seconds old."""
    return Ask(DISPATCH, "GetPlan", dispatch_pb2.GetPlanRequest(), to_value(Plan))


def propose_site(*, name: str = "", text: str = "") -> Ask[SiteProposal]:
    """Asks every truck to be ready for another site: one that comes with the server, or a file's text that extends no other."""
    source = {"name": name} if name else {"text": text}
    return Ask(DISPATCH, "ProposeSite", dispatch_pb2.ProposeSiteRequest(request_id=fresh(), **source), to_value(SiteProposal))


def site_proposal() -> Ask[SiteProposal]:
    """Asks who is ready for the proposed site, and what blocks the switch."""
    return Ask(DISPATCH, "GetSiteProposal", dispatch_pb2.GetSiteProposalRequest(), to_value(SiteProposal))


def switch_site(digest: str) -> Ask[SiteProposal]:
    """Switches to the site proposed under *digest*; the server begins anew on it."""
    return Ask(DISPATCH, "SwitchSite", dispatch_pb2.SwitchSiteRequest(request_id=fresh(), digest=digest), to_value(SiteProposal))


def withdraw_site(digest: str) -> Ask[SiteProposal]:
    """Ends the proposal of *digest*."""
    return Ask(DISPATCH, "WithdrawSite", dispatch_pb2.WithdrawSiteRequest(request_id=fresh(), digest=digest), to_value(SiteProposal))
