"""The operator SDK over real gRPC on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta, timezone

import grpc
import grpc.aio
import pytest
from google.protobuf import any_pb2, descriptor_pool
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from fleet.client import AsyncOperator, CrossingDecision, NoServer, Operator, Refused, asks
from fleet.client.operator import DEADLINE_S
from fleet.client.values import _CLASSES, Container, LanePoint
from fleet.v1 import border_pb2, border_pb2_grpc, common_pb2, dispatch_pb2, dispatch_pb2_grpc


@dataclass
class Desk(dispatch_pb2_grpc.DispatchServiceServicer):
    """A server's desk that knows five trucks and one refusal, and drops the first calls it gets when told to."""

    drops: int = 0
    drops_with: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    patience_s: list[float] = field(default_factory=list)
    created: list[dispatch_pb2.CreateTransportOrderRequest] = field(default_factory=list)

    def CreateTransportOrder(  # noqa: N802 - the wire's name
        self, request: dispatch_pb2.CreateTransportOrderRequest, context: grpc.ServicerContext
    ) -> dispatch_pb2.TransportOrder:
        """Remembers what was asked."""
        self.created.append(request)
        self.patience_s.append(context.time_remaining())
        if self.drops > 0:
            self.drops -= 1
            context.abort(self.drops_with, "going down")
        return dispatch_pb2.TransportOrder(
            order_id="order-1", container_count=request.container_count, due_time=request.due_time,
            state=dispatch_pb2.TRANSPORT_ORDER_STATE_OPEN,
        )  # fmt: skip

    def ListTrucks(  # noqa: N802 - the wire's name
        self, request: dispatch_pb2.ListTrucksRequest, context: grpc.ServicerContext
    ) -> dispatch_pb2.ListTrucksResponse:
        """Two trucks a page."""
        del context
        start = int(request.page_token or 0)
        names = [f"T{ix:03d}" for ix in range(5)][start : start + 2]
        following = str(start + 2) if start + 2 < 5 else ""
        return dispatch_pb2.ListTrucksResponse(trucks=[_truck(name) for name in names], next_page_token=following)

    def HoldTruck(self, request: dispatch_pb2.HoldTruckRequest, context: grpc.ServicerContext) -> dispatch_pb2.Truck:  # noqa: N802
        """Refuses, as the real server does."""
        found = error_details_pb2.ErrorInfo(reason="NotFound", domain="fleet.v1", metadata={"name": request.truck_id})
        hint = error_details_pb2.LocalizedMessage(locale="en", message="See fleet truck list.")
        details = [any_pb2.Any(), any_pb2.Any()]
        details[0].Pack(found)
        details[1].Pack(hint)
        context.abort_with_status(
            rpc_status.to_status(status_pb2.Status(code=code_pb2.NOT_FOUND, message="There is no such thing.", details=details))
        )
        raise AssertionError("abort raises")

    def WatchFleet(  # noqa: N802 - the wire's name
        self, request: dispatch_pb2.WatchFleetRequest, context: grpc.ServicerContext
    ) -> Iterator[dispatch_pb2.FleetUpdate]:
        """A snapshot, then updates for ever."""
        del request
        tick = 0
        while context.is_active():
            tick += 1
            yield dispatch_pb2.FleetUpdate(tick=tick, snapshot=tick == 1, trucks=[_truck("T001")])


class Border(border_pb2_grpc.BorderServiceServicer):
    """Customs' window."""

    def DecideCrossing(  # noqa: N802 - the wire's name
        self, request: border_pb2.DecideCrossingRequest, context: grpc.ServicerContext
    ) -> border_pb2.Crossing:
        """Does as told."""
        del context
        picked = request.decision == border_pb2.CROSSING_DECISION_INSPECT
        state = common_pb2.CROSSING_STATE_INSPECTION if picked else common_pb2.CROSSING_STATE_CLEARED
        return border_pb2.Crossing(crossing_id=request.crossing_id, state=state)


def _truck(truck_id: str) -> dispatch_pb2.Truck:
    return dispatch_pb2.Truck(
        truck_id=truck_id,
        session=common_pb2.SESSION_STATE_LIVE,
        mission=common_pb2.MISSION_STATE_TO_LOAD,
        nose=common_pb2.LanePoint(lane_id="a", chainage_m=5.0),
        report_age=Duration(seconds=1, nanos=500_000_000),
        containers=[common_pb2.Container(container_id="KHLU1", mass_kg=32_500.0)],
    )


@pytest.fixture
def desk() -> Desk:
    """The desk behind `address`."""
    return Desk()


@pytest.fixture
def address(desk: Desk) -> Iterator[str]:
    """Where a server with *desk* answers."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    dispatch_pb2_grpc.add_DispatchServiceServicer_to_server(desk, server)
    border_pb2_grpc.add_BorderServiceServicer_to_server(Border(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.mark.parametrize("name", sorted(_CLASSES))
def test_a_value_has_every_field_of_its_message(name: str) -> None:
    """A field added to the wire and forgotten here would be lost without a word."""
    descriptor = descriptor_pool.Default().FindMessageTypeByName(name)

    assert {entry.name for entry in fields(_CLASSES[name])} == set(descriptor.fields_by_name)
    held = {field.message_type.full_name for field in descriptor.fields if field.message_type is not None}
    assert {each for each in held if each.startswith("fleet.")} <= set(_CLASSES)


def test_an_order_is_created_and_read_back(address: str) -> None:
    """Times go out in UTC and come back aware."""
    due = datetime(2026, 3, 1, 14, 30, tzinfo=timezone(timedelta(hours=8)))
    with Operator(address) as operator:
        order = operator.ask(asks.create_order(from_yard_id="mn", to_yard_id="cn", container_count=40, due_time=due))

    assert (order.order_id, order.container_count, order.state) == ("order-1", 40, "open")
    assert order.due_time == due
    assert order.due_time.tzinfo is UTC
    assert order.create_time is None


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_a_broken_line_is_tried_again_with_the_same_request_id(address: str, desk: Desk, code: grpc.StatusCode) -> None:
    """That is what makes a command take effect exactly once; a server that has too much to do is no other case."""
    desk.drops, desk.drops_with = 2, code
    with Operator(address) as operator:
        operator.ask(asks.create_order(from_yard_id="mn", to_yard_id="cn", container_count=1))

    assert len(desk.created) == 3
    assert len({request.request_id for request in desk.created}) == 1
    assert max(desk.patience_s) < 2 * DEADLINE_S  # without a deadline it is an age


def test_every_ask_has_a_request_id_of_its_own() -> None:
    """Two orders alike are two orders."""
    first, second = (asks.create_order(from_yard_id="mn", to_yard_id="cn", container_count=1).request for _ in range(2))

    assert first != second


def test_pages_are_read_to_the_end(address: str) -> None:
    """A list of trucks that stops after the first page hides trucks."""
    with Operator(address) as operator:
        trucks = list(operator.pages(asks.trucks))

    assert [truck.truck_id for truck in trucks] == ["T000", "T001", "T002", "T003", "T004"]


def test_a_truck_is_read_whole(address: str) -> None:
    """States as lower-case names, durations as seconds, what is absent as None."""
    with Operator(address) as operator:
        truck = next(operator.pages(asks.trucks))

    assert (truck.session, truck.mission, truck.report_age) == ("live", "to_load", 1.5)
    assert truck.nose == LanePoint(lane_id="a", chainage_m=5.0)
    assert truck.end is None
    assert truck.containers == (Container(container_id="KHLU1", mass_kg=32_500.0),)


def test_a_refusal_carries_its_reason_and_its_hint(address: str) -> None:
    """Programs read the reason, people the sentence and what to do."""
    with Operator(address) as operator, pytest.raises(Refused) as caught:
        operator.ask(asks.hold_truck("nobody", "why not"))

    assert caught.value.reason == "NotFound"
    assert caught.value.details == {"name": "nobody"}
    assert str(caught.value) == "There is no such thing. See fleet truck list."


def test_where_no_server_answers_the_error_says_how_to_start_one() -> None:
    """The first thing everybody meets."""
    with Operator("127.0.0.1:1") as operator, pytest.raises(NoServer, match="fleet serve --site mandula") as caught:
        operator.ask(asks.lanes())

    assert caught.value.server == "127.0.0.1:1"


def test_a_watch_ends_when_its_reader_does(address: str) -> None:
    """Leaving the loop closes the stream."""
    with Operator(address) as operator:
        updates = operator.watch(asks.watch_fleet(0.25))
        first, second = next(updates), next(updates)

    assert first.snapshot
    assert not second.snapshot
    assert second.tick == 2
    assert first.totals is None


def test_customs_decides(address: str) -> None:
    """The border has its own service behind the same operator."""
    with Operator(address) as operator:
        crossing = operator.ask(asks.decide_crossing("x-1", CrossingDecision.INSPECT, "officer 7"))

    assert crossing.state == "inspection"


async def test_the_same_may_be_awaited(address: str) -> None:
    """One vocabulary, two ways to wait."""
    async with AsyncOperator(address) as operator:
        page = await operator.ask(asks.trucks())
        ticks = []
        async for update in operator.watch(asks.watch_fleet()):
            ticks.append(update.tick)
            if len(ticks) == 3:
                break
        with pytest.raises(Refused):
            await operator.ask(asks.hold_truck("nobody", "why not"))

    assert len(page.rows) == 2
    assert ticks == [1, 2, 3]
