"""
What may be read of the fleet and the desk, each as one moment between two ticks.

Nothing here changes anything, and nothing here is kept: whoever asks gets values made for him.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol, TypeVar

from fleet.errors import InvalidField, NotFound
from fleet.server import commands as c
from fleet.server.fleet_view import FleetView
from fleet.server.limits import PAGE_ROWS, PAGE_ROWS_MAX
from fleet.server.outgoing import BorderCall
from fleet.server.site_commands import SiteAnswer
from fleet.server.wire.codec_answers import AnswerWriter, gate, lane
from fleet.server.wire.counter import BetweenTicks
from fleet.server.wire.watch import TruckDrawer, page_of
from fleet.v1 import border_pb2 as b
from fleet.v1 import common_pb2
from fleet.v1 import dispatch_pb2 as d

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseRead:
    """
    One link of the chain that holds a truck; *since_ns* control time.

    *end* is lane id and chainage, None where the truck holds no authority; *owner* is the wire's number.
    """

    kind: str
    truck_id: str
    subject_id: str
    since_ns: int
    end: tuple[str, float] | None
    held_by: str
    owner: int
    owner_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRead:
    """Why a truck stands, from the truck to the root, and the same as a sentence."""

    truck_id: str
    standing: bool
    causes: tuple[CauseRead, ...]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsRead:
    """What was moved since the journal began, and how many trucks are live now."""

    round_trips: int
    containers_delivered: int
    tonnes: float
    trucks_live: int


class Readable(Protocol):
    """The fleet and the desk, as they may be read."""

    def picture(self) -> FleetView:
        """The trucks on the map."""
        ...

    def trucks(self) -> Sequence[c.TruckAnswer]:
        """What the desk knows of every truck, by row."""
        ...

    def orders(self) -> Sequence[c.OrderAnswer]:
        """Every order, oldest first."""
        ...

    def crossings(self) -> Sequence[c.CrossingAnswer]:
        """Every crossing, oldest first."""
        ...

    def gates(self) -> Sequence[c.GateAnswer]:
        """Every gate."""
        ...

    def lanes(self) -> Sequence[c.LaneAnswer]:
        """Every lane."""
        ...

    def stops(self) -> Sequence[c.StopAnswer]:
        """Every all-stop in force."""
        ...

    def overdue_gates(self) -> Sequence[c.OverdueGateAnswer]:
        """Every gate at which a person should look."""
        ...

    def blocked_bays(self) -> Sequence[c.BayAnswer]:
        """Every bay and charger that its keeper has put out of order."""
        ...

    def control(self) -> c.ControlAnswer | None:
        """The control lease, over or not; None before anybody had it."""
        ...

    def intrusions(self) -> Sequence[c.IntrusionAnswer]:
        """Every open intrusion, oldest first."""
        ...

    def open_calls(self) -> Sequence[BorderCall]:
        """Every call nobody has answered."""
        ...

    def site_proposal(self) -> SiteAnswer:
        """
        The site proposed, and what blocks the switch.

        Raises:
            NotFound: nothing is proposed.
        """
        ...

    def totals(self) -> TotalsRead:
        """What was moved since the journal began, and how many trucks are live now."""
        ...

    def hold(self, truck_id: str, language: str) -> HoldRead:
        """
        Why a truck stands.

        Raises:
            NotFound: there is no such truck.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRead:
    """Everything a watcher is told, of one moment."""

    picture: FleetView
    trucks: Sequence[c.TruckAnswer]
    stops: Sequence[c.StopAnswer]
    totals: TotalsRead
    control: c.ControlAnswer | None
    overdue_gates: Sequence[c.OverdueGateAnswer]
    blocked_bays: Sequence[c.BayAnswer]


class Reads:
    """Answers requests that change nothing. *site*: the one in force."""

    def __init__(self, between: BetweenTicks, readable: Readable, drawer: TruckDrawer, writer: AnswerWriter, site: d.Site) -> None:
        self._between = between
        self._readable = readable
        self._drawer = drawer
        self._writer = writer
        self.site = site

    async def order(self, request: d.GetTransportOrderRequest) -> d.TransportOrder:
        """
        One order.

        Raises:
            NotFound: there is no such order.
        """
        for value in await self._between.read(self._readable.orders):
            if value.order_id == request.order_id:
                return self._writer.order(value)
        raise NotFound(kind="order", name=request.order_id)

    async def orders(self, request: d.ListTransportOrdersRequest) -> d.ListTransportOrdersResponse:
        """One page of orders, oldest first."""
        values, token = _page(await self._between.read(self._readable.orders), request.page_size, request.page_token)
        return d.ListTransportOrdersResponse(orders=[self._writer.order(value) for value in values], next_page_token=token)

    async def truck(self, truck_id: str) -> d.Truck:
        """
        One truck.

        Raises:
            NotFound: there is no such truck.
        """
        read = await self.fleet()
        for value in read.trucks:
            if value.truck_id == truck_id:
                return self._drawer.truck(value, read.picture)
        raise NotFound(kind="truck", name=truck_id)

    async def trucks(self, request: d.ListTrucksRequest) -> d.ListTrucksResponse:
        """One page of trucks, by id."""
        read = await self.fleet()
        values, token = _page(sorted(read.trucks, key=attrgetter("truck_id")), request.page_size, request.page_token)
        return d.ListTrucksResponse(trucks=[self._drawer.truck(value, read.picture) for value in values], next_page_token=token)

    async def hold(self, request: d.ExplainHoldRequest) -> d.Explanation:
        """
        Why a truck stands.

        Raises:
            NotFound: there is no such truck.
        """
        found = await self._between.read(lambda: self._readable.hold(request.truck_id, request.language_code or "en"))
        causes = [self._cause(cause) for cause in found.causes]
        return d.Explanation(truck_id=found.truck_id, standing=found.standing, causes=causes, sentence=found.sentence)

    def _cause(self, cause: CauseRead) -> d.Cause:
        return d.Cause(
            kind=cause.kind,
            subject_id=cause.subject_id,
            since=self._writer.at(cause.since_ns),
            truck_id=cause.truck_id,
            end=None if cause.end is None else common_pb2.LanePoint(lane_id=cause.end[0], chainage_m=cause.end[1]),
            held_by_truck_id=cause.held_by,
            owner=d.CauseOwner.ValueType(cause.owner),
            owner_id=cause.owner_id,
            reason=cause.reason,
        )

    async def lanes(self) -> d.ListLanesResponse:
        """Every lane, and the lowest grip on it."""
        readable = self._readable
        values, picture = await self._between.read(lambda: (readable.lanes(), readable.picture()))
        lanes = [lane(value) for value in values]
        for message, friction in zip(lanes, picture.lane_friction.tolist(), strict=True):
            message.friction = friction
        return d.ListLanesResponse(lanes=lanes)

    async def intrusions(self) -> d.ListIntrusionsResponse:
        """Every open intrusion."""
        values = await self._between.read(self._readable.intrusions)
        return d.ListIntrusionsResponse(intrusions=[self._writer.intrusion(value) for value in values])

    async def control(self) -> d.ControlLease:
        """Who has control, or had it last; without a holder where nobody has yet."""
        lease = await self._between.read(self._readable.control)
        return d.ControlLease() if lease is None else self._writer.control(lease)

    async def gates(self) -> b.ListGatesResponse:
        """Every gate."""
        return b.ListGatesResponse(gates=[gate(value) for value in await self._between.read(self._readable.gates)])

    async def crossings(self, request: b.ListCrossingsRequest) -> b.ListCrossingsResponse:
        """One page of crossings, oldest first."""
        values, token = _page(await self._between.read(self._readable.crossings), request.page_size, request.page_token)
        return b.ListCrossingsResponse(crossings=[self._writer.crossing(value) for value in values], next_page_token=token)

    async def open_calls(self) -> Sequence[BorderCall]:
        """Every call to the border that nobody has answered."""
        return await self._between.read(self._readable.open_calls)

    async def site_proposal(self) -> d.SiteProposal:
        """
        The site proposed, and what blocks the switch.

        Raises:
            NotFound: nothing is proposed.
        """
        return self._writer.site(await self._between.read(self._readable.site_proposal))

    async def fleet(self) -> FleetRead:
        """Trucks, stops and totals of one moment."""
        return await self._between.read(self._fleet)

    async def update(self) -> d.FleetUpdate:
        """All of that, as whoever begins to watch is told it."""
        read = await self.fleet()
        totals, control = read.totals, read.control
        return d.FleetUpdate(
            tick=read.picture.tick,
            time=self._writer.at(read.picture.now_ns),
            snapshot=True,
            trucks=[self._drawer.truck(value, read.picture) for value in read.trucks],
            stops=[self._writer.stop(value) for value in read.stops],
            totals=d.FleetTotals(
                round_trips=totals.round_trips,
                containers_delivered=totals.containers_delivered,
                tonnes=totals.tonnes,
                trucks_live=totals.trucks_live,
            ),
            control=None if control is None or control.expires_ns <= read.picture.now_ns else self._writer.control(control),
            overdue_gates=[self._writer.overdue_gate(value) for value in read.overdue_gates],
            blocked_bays=[d.BlockedBay(bay_id=value.bay_id, truck_id=value.truck_id) for value in read.blocked_bays],
        )

    def _fleet(self) -> FleetRead:
        readable = self._readable
        return FleetRead(
            picture=readable.picture(),
            trucks=readable.trucks(),
            stops=readable.stops(),
            totals=readable.totals(),
            control=readable.control(),
            overdue_gates=readable.overdue_gates(),
            blocked_bays=readable.blocked_bays(),
        )


def _page(values: Sequence[_T], size: int, token: str) -> tuple[Sequence[_T], str]:
    if size < 0:
        raise InvalidField(name="page_size", problem="must not be negative")
    try:
        rows, next_token = page_of(values, min(size or PAGE_ROWS, PAGE_ROWS_MAX), token)
    except ValueError as fault:
        raise InvalidField(name="page_token", problem="is not one that this server gave") from fault
    return values[rows], next_token
