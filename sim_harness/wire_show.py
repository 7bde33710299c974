"""What a server in a process of its own shows, asked of its services: what is due is fetched first, and then written as it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from fleet.console import recorded
from fleet.v1 import border_pb2, border_pb2_grpc, common_pb2, dispatch_pb2, dispatch_pb2_grpc
from sim_harness.lines import ANSWER_BYTES_MAX, ASK_WITHIN_S, pages
from sim_harness.show import Show


@dataclass(slots=True)
class Fetched:
    """Answers by topic; implements `sim_harness.show.Shows`."""

    by_topic: dict[str, Any] = field(default_factory=dict)

    def site(self) -> dispatch_pb2.Site:
        """The map."""
        site: dispatch_pb2.Site = self.by_topic[recorded.SITE]
        return site

    def fleet(self) -> dispatch_pb2.FleetUpdate:
        """Every truck."""
        fleet: dispatch_pb2.FleetUpdate = self.by_topic[recorded.WHOLE]
        return fleet

    def lists(self) -> dict[str, Message]:
        """Gates, orders, open crossings, lanes and intrusions."""
        topics = (recorded.GATES, recorded.ORDERS, recorded.CROSSINGS, recorded.LANES, recorded.INTRUSIONS)
        return {topic: self.by_topic[topic] for topic in topics}

    def day(self) -> dispatch_pb2.Day:
        """The day so far."""
        day: dispatch_pb2.Day = self.by_topic[recorded.DAY]
        return day


class Looker:
    """
    An operator's line to the server at *address*, for as long as that serves there; *show* writes down what is seen.

    A line of its own: those of trucks take no message as large as a map.
    """

    def __init__(self, show: Show, address: str) -> None:
        self._show = show
        self._channel = grpc.aio.insecure_channel(address, options=[("grpc.max_receive_message_length", ANSWER_BYTES_MAX)])
        self._desk: Any = dispatch_pb2_grpc.DispatchServiceStub(self._channel)
        self._border: Any = border_pb2_grpc.BorderServiceStub(self._channel)
        show.began()

    async def close(self) -> None:
        """Hangs up."""
        await self._channel.close()

    async def look(self, tick: int, now_ns: int) -> None:
        """
        Between two ticks: writes what is due after *tick*.

        Raises:
            grpc.aio.AioRpcError: the server is gone.
        """
        due = self._show.due(tick)
        if not due:
            return
        fetched, desk = Fetched(), self._desk
        found = fetched.by_topic
        if recorded.SITE in due:
            found[recorded.SITE] = await desk.GetSite(dispatch_pb2.GetSiteRequest(), timeout=ASK_WITHIN_S)
        if recorded.UPDATE in due:
            watching = desk.WatchFleet(dispatch_pb2.WatchFleetRequest(), timeout=ASK_WITHIN_S)
            found[recorded.WHOLE] = await watching.read()
            watching.cancel()
        if recorded.GATES in due:
            await self._lists(found)
        if recorded.DAY in due:
            found[recorded.DAY] = await desk.GetDay(dispatch_pb2.GetDayRequest(), timeout=ASK_WITHIN_S)
        self._show.look(fetched, tick, now_ns)

    async def _lists(self, found: dict[str, Any]) -> None:
        desk, border = self._desk, self._border
        found[recorded.GATES] = await border.ListGates(border_pb2.ListGatesRequest(), timeout=ASK_WITHIN_S)
        found[recorded.LANES] = await desk.ListLanes(dispatch_pb2.ListLanesRequest(), timeout=ASK_WITHIN_S)
        found[recorded.INTRUSIONS] = await desk.ListIntrusions(dispatch_pb2.ListIntrusionsRequest(), timeout=ASK_WITHIN_S)
        order_pages = await pages(desk.ListTransportOrders, dispatch_pb2.ListTransportOrdersRequest)
        crossing_pages = await pages(border.ListCrossings, border_pb2.ListCrossingsRequest)
        found[recorded.ORDERS] = dispatch_pb2.ListTransportOrdersResponse(orders=[order for page in order_pages for order in page.orders])
        found[recorded.CROSSINGS] = border_pb2.ListCrossingsResponse(
            crossings=[each for page in crossing_pages for each in page.crossings if each.state != common_pb2.CROSSING_STATE_THROUGH]
        )
