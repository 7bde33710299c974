"""
A stand-in for a control server, with as many made-up trucks as are asked for: `python -m sim_harness.bench.made_up SITE COUNT`.

The map is a real site's. The trucks drive round on its lanes at the lanes' own speed and pass through each other; every tenth stands.
Nobody decides anything here: what is measured is who looks. The address is printed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import Any, Final

import grpc.aio

from fleet.server.wire.site_map import site_map
from fleet.site import load_site
from fleet.v1 import border_pb2, border_pb2_grpc, common_pb2, dispatch_pb2, dispatch_pb2_grpc
from planner.corridor import Corridor, Lane

STANDS_EVERY: Final = 10
LADEN_EVERY: Final = 2
AHEAD_M: Final = 120.0

_Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(slots=True, kw_only=True)
class MadeUp:
    """One truck, and where it is."""

    truck_id: str
    laden: bool
    stands: bool
    lane: Lane
    chainage_m: float


class Traffic:
    """All of them."""

    def __init__(self, corridor: Corridor, count: int) -> None:
        self._after = {lane.lane_id: [each for each in corridor.lanes if each.from_node_id == lane.to_node_id] for lane in corridor.lanes}
        self._kind = corridor.truck_types[0]
        whole_m = sum(lane.length_m for lane in corridor.lanes)
        self.trucks: list[MadeUp] = []
        at_m, lanes = 0.0, iter(corridor.lanes)
        lane = next(lanes)
        for number in range(count):
            while at_m >= lane.length_m:
                at_m -= lane.length_m
                lane = next(lanes)
            flags = {"laden": number % LADEN_EVERY == 0, "stands": number % STANDS_EVERY == 0}
            self.trucks.append(MadeUp(truck_id=f"T{number:04d}", lane=lane, chainage_m=at_m, **flags))
            at_m += 0.999 * whole_m / count

    def move(self, seconds: float) -> None:
        """Every truck that does not stand drives on; where lanes part it takes the way its number says."""
        for number, truck in enumerate(self.trucks):
            if truck.stands:
                continue
            truck.chainage_m += truck.lane.speed_max_mps * seconds
            while truck.chainage_m >= truck.lane.length_m:
                truck.chainage_m -= truck.lane.length_m
                after = self._after[truck.lane.lane_id]
                truck.lane = after[number % len(after)]

    def told(self, *, moving_only: bool) -> list[dispatch_pb2.Truck]:
        """Them as a server tells them."""
        return [self._told(truck) for truck in self.trucks if not (moving_only and truck.stands)]

    def _told(self, truck: MadeUp) -> dispatch_pb2.Truck:
        lane, at_m = truck.lane, truck.chainage_m
        (x0, y0), (x1, y1) = lane.points[0], lane.points[-1]
        share = at_m / lane.length_m
        message = dispatch_pb2.Truck(
            truck_id=truck.truck_id,
            truck_type_id=self._kind.truck_type_id,
            mission_id=f"mission-{truck.truck_id}",
            session=common_pb2.SESSION_STATE_LIVE,
            mission=common_pb2.MISSION_STATE_LADEN if truck.laden else common_pb2.MISSION_STATE_TO_LOAD,
            nose=common_pb2.LanePoint(lane_id=lane.lane_id, chainage_m=at_m),
            east_m=x0 + share * (x1 - x0),
            north_m=y0 + share * (y1 - y0),
            speed_mps=0.0 if truck.stands else lane.speed_max_mps,
            laden=truck.laden,
            end=common_pb2.LanePoint(lane_id=lane.lane_id, chainage_m=min(lane.length_m, at_m + AHEAD_M)),
            battery_wh=0.5 * self._kind.battery_wh,
            brake_health=1.0,
            round_trips=3,
        )
        message.report_age.nanos = 1_000_000
        if truck.stands:
            message.standing_for.kind = "leader"
        return message


class Desk(dispatch_pb2_grpc.DispatchServiceServicer):
    """Tells of them."""

    def __init__(self, corridor: Corridor, count: int) -> None:
        self._site = site_map(corridor)
        self._traffic = Traffic(corridor, count)

    async def GetSite(self, request: dispatch_pb2.GetSiteRequest, context: _Context) -> dispatch_pb2.Site:  # noqa: N802 - the wire's name
        """The real map."""
        del request, context
        return self._site

    async def WatchFleet(self, request: dispatch_pb2.WatchFleetRequest, context: _Context) -> None:  # type: ignore[override]  # noqa: N802
        """As often as is asked for, whatever it costs who looks."""
        period_s = request.period.ToMilliseconds() / 1000.0
        tick = 0
        due_s = time.monotonic()
        while True:
            tick += 1
            self._traffic.move(period_s)
            update = dispatch_pb2.FleetUpdate(tick=tick, snapshot=tick == 1, trucks=self._traffic.told(moving_only=tick > 1))
            update.time.FromNanoseconds(time.time_ns())
            update.totals.trucks_live = len(self._traffic.trucks)
            await context.write(update)
            due_s += period_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    async def ListTransportOrders(  # noqa: N802
        self, request: dispatch_pb2.ListTransportOrdersRequest, context: _Context
    ) -> dispatch_pb2.ListTransportOrdersResponse:
        """None."""
        del request, context
        return dispatch_pb2.ListTransportOrdersResponse()

    async def ListLanes(self, request: dispatch_pb2.ListLanesRequest, context: _Context) -> dispatch_pb2.ListLanesResponse:  # noqa: N802
        """Open, all of them."""
        del request, context
        return dispatch_pb2.ListLanesResponse(lanes=[dispatch_pb2.Lane(lane_id=lane.lane_id) for lane in self._site.lanes])

    async def ListIntrusions(  # noqa: N802
        self, request: dispatch_pb2.ListIntrusionsRequest, context: _Context
    ) -> dispatch_pb2.ListIntrusionsResponse:
        """None."""
        del request, context
        return dispatch_pb2.ListIntrusionsResponse()


class Border(border_pb2_grpc.BorderServiceServicer):
    """Has gates, and nobody who crosses."""

    def __init__(self, corridor: Corridor) -> None:
        self._gates = [border_pb2.Gate(gate_id=gate.gate_id) for gate in corridor.gates]

    async def ListGates(self, request: border_pb2.ListGatesRequest, context: _Context) -> border_pb2.ListGatesResponse:  # noqa: N802
        """Shut, all of them."""
        del request, context
        return border_pb2.ListGatesResponse(gates=self._gates)

    async def ListCrossings(  # noqa: N802
        self, request: border_pb2.ListCrossingsRequest, context: _Context
    ) -> border_pb2.ListCrossingsResponse:
        """None."""
        del request, context
        return border_pb2.ListCrossingsResponse()


async def serve(site: str, count: int) -> None:
    """Serves until killed."""
    corridor = load_site(site)
    server = grpc.aio.server()
    dispatch_pb2_grpc.add_DispatchServiceServicer_to_server(Desk(corridor, count), server)  # type: ignore[abstract]  # it serves what a page reads
    border_pb2_grpc.add_BorderServiceServicer_to_server(Border(corridor), server)  # type: ignore[abstract]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)  # noqa: T201 - this is how the parent learns the port
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
