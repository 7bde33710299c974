# ruff: noqa: N802 - the methods' names are the wire's
"""The operators' desk on the wire: changes go to the counter, reads to the moment between two ticks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import grpc

from fleet.clock import NS_PER_S
from fleet.server.wire.audit_reads import AuditReads
from fleet.server.wire.counter import Counter
from fleet.server.wire.day_reads import DayReads
from fleet.server.wire.fleet_news import NOTHING_SEEN, FleetNews
from fleet.server.wire.health_reads import HealthReads
from fleet.server.wire.identity import actor_of
from fleet.server.wire.plan_reads import PlanReads
from fleet.server.wire.reads import Reads
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc, health_pb2

WATCH_PERIOD_S: Final = 1.0
WATCH_PERIOD_MIN_S: Final = 0.1
WATCH_PERIOD_MAX_S: Final = 60.0

_Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Who answers requests that change nothing."""

    reads: Reads
    audit: AuditReads
    days: DayReads
    plans: PlanReads
    health: HealthReads


class DispatchService(dispatch_pb2_grpc.DispatchServiceServicer):
    """What operators ask."""

    def __init__(self, counter: Counter, looks: Looks) -> None:
        self._counter = counter
        self._reads = looks.reads
        self._audit = looks.audit
        self._news = FleetNews(looks.reads.update)
        self._days = looks.days
        self._plans = looks.plans
        self._health = looks.health

    async def GetTransportOrder(self, request: d.GetTransportOrderRequest, context: _Context) -> d.TransportOrder:
        """By id."""
        del context
        return await self._reads.order(request)

    async def ListTransportOrders(self, request: d.ListTransportOrdersRequest, context: _Context) -> d.ListTransportOrdersResponse:
        """One page."""
        del context
        return await self._reads.orders(request)

    async def ListTrucks(self, request: d.ListTrucksRequest, context: _Context) -> d.ListTrucksResponse:
        """One page."""
        del context
        return await self._reads.trucks(request)

    async def GetTruck(self, request: d.GetTruckRequest, context: _Context) -> d.Truck:
        """By id."""
        del context
        return await self._reads.truck(request.truck_id)

    async def ExplainHold(self, request: d.ExplainHoldRequest, context: _Context) -> d.Explanation:
        """Why a truck stands."""
        del context
        return await self._reads.hold(request)

    async def ListLanes(self, request: d.ListLanesRequest, context: _Context) -> d.ListLanesResponse:
        """Every lane."""
        del request, context
        return await self._reads.lanes()

    async def WatchFleet(self, request: d.WatchFleetRequest, context: _Context) -> None:  # type: ignore[override]  # the stub knows only generators
        """A snapshot, then what changed, as long as the watcher stays; a slow one is told less often."""
        given_s = request.period.seconds + request.period.nanos / NS_PER_S
        period_s = min(max(given_s, WATCH_PERIOD_MIN_S), WATCH_PERIOD_MAX_S) if given_s else WATCH_PERIOD_S
        seen = NOTHING_SEEN
        while True:
            seen, update = await self._news.since(seen)
            await context.write(update)
            await asyncio.sleep(period_s)

    async def CreateTransportOrder(self, request: d.CreateTransportOrderRequest, context: _Context) -> d.TransportOrder:
        """What the operator wants moved."""
        return await self._counter.ask(request, actor_of(context), d.TransportOrder)

    async def CancelTransportOrder(self, request: d.CancelTransportOrderRequest, context: _Context) -> d.TransportOrder:
        """Picks up no more of it."""
        return await self._counter.ask(request, actor_of(context), d.TransportOrder)

    async def HoldTruck(self, request: d.HoldTruckRequest, context: _Context) -> d.Truck:
        """Stops one truck and keeps it there."""
        return await self._counter.ask(request, actor_of(context), d.Truck)

    async def ResumeTruck(self, request: d.ResumeTruckRequest, context: _Context) -> d.Truck:
        """Lifts the hold."""
        return await self._counter.ask(request, actor_of(context), d.Truck)

    async def DecommissionTruck(self, request: d.DecommissionTruckRequest, context: _Context) -> d.Truck:
        """No more missions."""
        return await self._counter.ask(request, actor_of(context), d.Truck)

    async def RecommissionTruck(self, request: d.RecommissionTruckRequest, context: _Context) -> d.Truck:
        """Missions again, and brakes believed as declared."""
        return await self._counter.ask(request, actor_of(context), d.Truck)

    async def RemoveTruck(self, request: d.RemoveTruckRequest, context: _Context) -> d.Truck:
        """Declares the truck gone."""
        return await self._counter.ask(request, actor_of(context), d.Truck)

    async def CloseLane(self, request: d.CloseLaneRequest, context: _Context) -> d.Lane:
        """No new authority into it."""
        return await self._counter.ask(request, actor_of(context), d.Lane)

    async def OpenLane(self, request: d.OpenLaneRequest, context: _Context) -> d.Lane:
        """Ends a closure."""
        return await self._counter.ask(request, actor_of(context), d.Lane)

    async def LimitLane(self, request: d.LimitLaneRequest, context: _Context) -> d.Lane:
        """A temporary limit."""
        return await self._counter.ask(request, actor_of(context), d.Lane)

    async def SetLaneFriction(self, request: d.SetLaneFrictionRequest, context: _Context) -> d.Lane:
        """What grip the lane has."""
        return await self._counter.ask(request, actor_of(context), d.Lane)

    async def StopAll(self, request: d.StopAllRequest, context: _Context) -> d.AllStop:
        """Stops every truck."""
        return await self._counter.ask(request, actor_of(context), d.AllStop)

    async def LiftStop(self, request: d.LiftStopRequest, context: _Context) -> d.AllStop:
        """Lifts the all-stop of the same id."""
        return await self._counter.ask(request, actor_of(context), d.AllStop)

    async def ReportIntrusion(self, request: d.ReportIntrusionRequest, context: _Context) -> d.Intrusion:
        """Closes road around an intruder."""
        return await self._counter.ask(request, actor_of(context), d.Intrusion)

    async def ReleaseIntrusion(self, request: d.ReleaseIntrusionRequest, context: _Context) -> d.Intrusion:
        """The place is clear."""
        return await self._counter.ask(request, actor_of(context), d.Intrusion)

    async def ListIntrusions(self, request: d.ListIntrusionsRequest, context: _Context) -> d.ListIntrusionsResponse:
        """Every open one."""
        del request, context
        return await self._reads.intrusions()

    async def GetControl(self, request: d.GetControlRequest, context: _Context) -> d.ControlLease:
        """Who has it."""
        del request, context
        return await self._reads.control()

    async def AcquireControl(self, request: d.AcquireControlRequest, context: _Context) -> d.ControlLease:
        """Takes control when nobody has it."""
        return await self._counter.ask(request, actor_of(context), d.ControlLease)

    async def RenewControl(self, request: d.RenewControlRequest, context: _Context) -> d.ControlLease:
        """Keeps it."""
        return await self._counter.ask(request, actor_of(context), d.ControlLease)

    async def TakeOverControl(self, request: d.TakeOverControlRequest, context: _Context) -> d.ControlLease:
        """Takes it from its holder."""
        return await self._counter.ask(request, actor_of(context), d.ControlLease)

    async def GetSiteProposal(self, request: d.GetSiteProposalRequest, context: _Context) -> d.SiteProposal:
        """Who is ready, and what blocks."""
        del request, context
        return await self._reads.site_proposal()

    async def GetSite(self, request: d.GetSiteRequest, context: _Context) -> d.Site:
        """The map."""
        del request, context
        return self._reads.site

    async def ProposeSite(self, request: d.ProposeSiteRequest, context: _Context) -> d.SiteProposal:
        """First phase of a map change."""
        return await self._counter.ask_slowly(request, actor_of(context), d.SiteProposal)

    async def SwitchSite(self, request: d.SwitchSiteRequest, context: _Context) -> d.SiteProposal:
        """Second phase."""
        return await self._counter.ask(request, actor_of(context), d.SiteProposal)

    async def WithdrawSite(self, request: d.WithdrawSiteRequest, context: _Context) -> d.SiteProposal:
        """Ends a proposal."""
        return await self._counter.ask(request, actor_of(context), d.SiteProposal)

    async def GetDay(self, request: d.GetDayRequest, context: _Context) -> d.Day:
        """One local day."""
        del context
        return await self._days.day(request)

    async def GetPlan(self, request: d.GetPlanRequest, context: _Context) -> d.Plan:
        """The next minutes."""
        del request, context
        return await self._plans.plan()

    async def ListAudit(self, request: d.ListAuditRequest, context: _Context) -> d.ListAuditResponse:
        """One page."""
        del context
        return await self._audit.page(request)

    async def GetHealth(self, request: health_pb2.GetHealthRequest, context: _Context) -> health_pb2.Health:
        """How the server is."""
        del request, context
        return await self._health.now()


def register(server: grpc.aio.Server, counter: Counter, looks: Looks) -> None:
    """Serves operators on *server*."""
    dispatch_pb2_grpc.add_DispatchServiceServicer_to_server(DispatchService(counter, looks), server)
