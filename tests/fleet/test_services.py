from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from fleet.onboard import Identity, MemoryStore, TruckClient
from fleet.server.app import Running, Server
from fleet.server.settings import ServerSettings
from fleet.site import load_site
from fleet.v1 import border_pb2, border_pb2_grpc, common_pb2, gateway_pb2, gateway_pb2_grpc, truck_pb2
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from tests.fleet.parked import Parked
from tests.fleet.refused import error_info

WITHIN_S = 10.0
STANDS = [f"mn_park_{at:02}" for at in range(1, 10)]
CORRIDOR = load_site("mandula")
STOP_M = {stand.stand_id: stand.stop_m for stand in CORRIDOR.stands}


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One server in real time for the whole file; each test has trucks of its own."""
    server = Server(CORRIDOR, ServerSettings(data=tmp_path_factory.mktemp("serve"), listen="127.0.0.1:0", day_start_s=36_000))
    yield await server.start()
    server.ask_to_end()
    await server.stop()


@pytest.fixture
def channel(running: Running, connect: Callable[[str], Any]) -> Any:
    """A channel to the server."""
    return connect(running.address)


@pytest.fixture
def truck(channel: Any, standing_truck: Any) -> Callable[[int], Any]:
    """A truck of that number, at the stand of that number."""

    def made(number: int) -> Any:
        stand = STANDS[number - 1]
        return standing_truck(channel, f"t{number}", stand, STOP_M[stand])

    return made


def order(request_id: str, **changes: Any) -> d.CreateTransportOrderRequest:
    """A request for an order."""
    fields: dict[str, Any] = {"request_id": request_id, "from_yard_id": "mn", "to_yard_id": "cn", "container_count": 1}
    return d.CreateTransportOrderRequest(**{**fields, **changes})


async def test_a_truck_that_says_hello_is_welcomed_and_kept_alive(truck: Any) -> None:
    """Welcome first, then its road, and heartbeats whose tick rises: the loop itself is alive."""
    t = truck(1)

    await t.say_hello()
    welcome = await t.hear_until("welcome")
    await t.hear_until("route")
    first = await t.hear_until("heartbeat")
    second = await t.hear_until("heartbeat")

    assert welcome.map_digest == CORRIDOR.digest
    assert welcome.report_period.ToMilliseconds() == 200
    assert [rung.silence.ToMilliseconds() for rung in welcome.ladder] == [1000, 2000]
    assert second.tick > first.tick


async def test_the_first_message_must_be_a_hello(truck: Any) -> None:
    """Nobody moves anything before saying who he is."""
    t = truck(2)

    await t.say_report()

    assert await t.hear_end() == ["refusal"]
    assert t.heard[0].refusal.reason == "HelloMissing"


async def test_a_truck_type_the_site_does_not_admit_is_refused(truck: Any) -> None:
    """Braking and envelope come from the type: a guess would be somebody's road."""
    t = truck(2)

    await t.say_hello(truck_type_id="tractor")

    assert await t.hear_end() == ["refusal"]
    assert t.heard[0].refusal.hint or t.heard[0].refusal.detail


async def test_garbage_on_a_trucks_stream_ends_that_stream_only(channel: Any, truck: Any) -> None:
    """Bytes that are no message are refused by name; the server and its other trucks go on."""
    sound = truck(3)
    await sound.say_hello()
    await sound.hear_until("welcome")

    raw = channel.stream_stream("/fleet.v1.TruckService/Connect")(iter([b"\xff\xff\xff"]))
    heard = [message async for message in raw]

    assert len(heard) == 1
    assert b"InvalidField" in heard[0]
    await sound.hear_until("heartbeat")


@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x0a" + b"\xff" * 70_000])
async def test_an_unreadable_request_is_refused_without_our_insides(channel: Any, raw: bytes) -> None:
    """A parse failure must not show Python's words to a peer, and size is checked before parsing."""
    call = channel.unary_unary("/fleet.v1.DispatchService/CreateTransportOrder")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(raw, timeout=WITHIN_S)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Error" not in str(refused.value.details())
    assert error_info(refused.value).reason == "InvalidField"


async def test_the_same_request_twice_takes_effect_once(channel: Any) -> None:
    """Retries after a lost answer must not make a second order."""
    desk = dispatch_grpc.DispatchServiceStub(channel)

    first = await desk.CreateTransportOrder(order("twice"), timeout=WITHIN_S)
    again = await desk.CreateTransportOrder(order("twice"), timeout=WITHIN_S)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await desk.CreateTransportOrder(order("twice", container_count=2), timeout=WITHIN_S)

    assert again == first
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    listed = await desk.ListTransportOrders(d.ListTransportOrdersRequest(page_size=1000), timeout=WITHIN_S)
    assert [found.order_id for found in listed.orders].count(first.order_id) == 1


async def test_lists_come_in_pages(channel: Any) -> None:
    """A page's token leads to the next, and nothing is given twice."""
    desk = dispatch_grpc.DispatchServiceStub(channel)
    for at in range(3):
        await desk.CreateTransportOrder(order(f"page-{at}"), timeout=WITHIN_S)
    found: list[str] = []
    token = ""

    while True:
        page = await desk.ListTransportOrders(d.ListTransportOrdersRequest(page_size=2, page_token=token), timeout=WITHIN_S)
        found += [entry.order_id for entry in page.orders]
        token = page.next_page_token
        if not token:
            break

    assert len(found) == len(set(found)) >= 3


async def test_an_error_carries_its_reason_and_its_facts(channel: Any) -> None:
    """Programs act on the reason and the fields; people read the sentence."""
    desk = dispatch_grpc.DispatchServiceStub(channel)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await desk.GetTruck(d.GetTruckRequest(truck_id="nobody"), timeout=WITHIN_S)

    found = error_info(refused.value)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert (found.reason, dict(found.metadata)) == ("NotFound", {"kind": "truck", "name": "nobody"})


async def test_a_newer_stream_of_the_same_computer_ends_the_older(truck: Any) -> None:
    """Make before break: the truck is never without its line, and never has two."""
    old, new = truck(4), truck(4)
    await old.say_hello()
    await old.hear_until("welcome")
    new.stamp_ns = old.stamp_ns + 10**10

    await new.say_hello()

    await new.hear_until("welcome")
    assert await old.hear_end() is not None


async def test_a_stream_that_breaks_makes_the_truck_silent_and_keeps_its_road(channel: Any, truck: Any) -> None:
    """It may still be rolling."""
    desk = dispatch_grpc.DispatchServiceStub(channel)
    t = truck(5)
    await t.say_hello()
    await t.hear_until("authority")

    t.call.cancel()

    async with asyncio.timeout(WITHIN_S):
        while (found := await desk.GetTruck(d.GetTruckRequest(truck_id="t5"), timeout=WITHIN_S)).session != common_pb2.SESSION_STATE_SILENT:
            assert found.session == common_pb2.SESSION_STATE_LIVE
    assert found.HasField("end")
    assert found.nose.lane_id == STANDS[4]


async def test_a_watcher_hears_everything_once_and_then_what_changes(channel: Any, truck: Any) -> None:
    """A slow watcher gets fewer updates; nobody gets the whole fleet each time."""
    desk = dispatch_grpc.DispatchServiceStub(channel)
    request = d.WatchFleetRequest()
    request.period.FromMilliseconds(100)
    watch = desk.WatchFleet(request)

    first = await watch.read()
    t = truck(6)
    await t.say_hello()
    async with asyncio.timeout(WITHIN_S):
        update = await watch.read()
        while "t6" not in {found.truck_id for found in update.trucks}:
            update = await watch.read()

    assert first.snapshot
    assert not update.snapshot
    watch.cancel()


async def test_a_watcher_hears_who_has_control(channel: Any) -> None:
    """Two who command one fleet must know of each other before they try."""
    desk = dispatch_grpc.DispatchServiceStub(channel)
    await desk.TakeOverControl(d.TakeOverControlRequest(request_id="take-bat", holder="bat", reason="shift"), timeout=WITHIN_S)
    watch = desk.WatchFleet(d.WatchFleetRequest())
    async with asyncio.timeout(WITHIN_S):
        update = await watch.read()
    watch.cancel()

    assert update.control.holder == "bat"
    assert update.control.expire_time.ToNanoseconds() > update.time.ToNanoseconds()


async def test_a_standing_truck_says_what_it_stands_for_in_every_list(channel: Any, truck: Any) -> None:
    """Whoever looks at forty trucks cannot ask about each."""
    t = truck(7)
    stub = dispatch_grpc.DispatchServiceStub(channel)
    await t.say_hello()
    await t.hear_until("welcome")
    listed: list[tuple[str, Any]] = []
    explained: list[tuple[str, Any]] = []
    async with asyncio.timeout(WITHIN_S):
        # Its cause may change between the two questions.
        while not listed or listed != explained[:1]:
            await t.say_report()
            await t.hear_until("heartbeat")
            standing = await stub.GetTruck(d.GetTruckRequest(truck_id="t7"))
            explanation = await stub.ExplainHold(d.ExplainHoldRequest(truck_id="t7"))
            listed = [(standing.standing_for.kind, standing.standing_for.since)] if standing.HasField("standing_for") else []
            explained = [(cause.kind, cause.since) for cause in explanation.causes]

    assert listed[0][0] != "none"


async def test_trucks_behind_a_gateway_hear_columns(channel: Any, truck: Any) -> None:
    """A frame a tick, whatever the number of trucks."""
    relay = gateway_pb2_grpc.GatewayServiceStub(channel).Relay()
    t = truck(7)
    hello = t.report()
    message = {"truck_id": "t7", "instance_id": "i", "boot_id": "b", "truck_type_id": "coal_truck_70t", "report": hello}
    relayed = gateway_pb2.RelayedTruckMessage(truck_id="t7")
    relayed.message.hello.body_lane_ids.append(t.lane_id)
    relayed.message.hello.MergeFrom(type(relayed.message.hello)(**message))

    await relay.write(gateway_pb2.GatewayMessage(gateway_id="g", relayed=[relayed]))
    async with asyncio.timeout(WITHIN_S):
        while not (control := await relay.read()).heartbeats.handle:
            for word in control.relayed:
                if word.message.HasField("welcome"):
                    handle = word.message.welcome.handle

    assert list(control.heartbeats.handle) == [handle]
    t.call.cancel()
    relay.cancel()


async def test_an_all_stop_reaches_every_truck_and_only_its_id_lifts_it(channel: Any, truck: Any) -> None:
    """Anyone may stop; a stop lifted by mistake is the most dangerous word there is."""
    desk = dispatch_grpc.DispatchServiceStub(channel)
    t = truck(1)
    await t.say_hello(instance_id="computer", boot_id="boot-2")
    await t.hear_until("welcome")

    stopped = await desk.StopAll(d.StopAllRequest(stop_id="fire", reason="smoke in the yard"), timeout=WITHIN_S)
    stop = await t.hear_until("stop")
    with pytest.raises(grpc.aio.AioRpcError):
        await desk.LiftStop(d.LiftStopRequest(request_id="l1", stop_id="flood"), timeout=WITHIN_S)
    lifted = await desk.LiftStop(d.LiftStopRequest(request_id="l2", stop_id="fire"), timeout=WITHIN_S)
    resume = await t.hear_until("resume")

    assert stopped.active
    assert stop.stop_id == resume.stop_id
    assert not lifted.active


async def test_an_intruder_stops_the_truck_beside_him_until_a_person_releases_him(channel: Any, truck: Any) -> None:
    """Over the wire and back: report, stop, list, the same request again, release, resume."""
    desk = dispatch_grpc.DispatchServiceStub(channel)
    t = truck(8)
    await t.say_hello()
    await t.hear_until("welcome")
    place = common_pb2.LanePoint(lane_id=STANDS[7], chainage_m=STOP_M[STANDS[7]])
    request = d.ReportIntrusionRequest(
        request_id="i1", intrusion_id="man-1", kind=d.INTRUSION_KIND_PERSON, place=place, radius_m=1.0, detail="camera 7"
    )

    reported = await desk.ReportIntrusion(request, timeout=WITHIN_S)
    stop = await t.hear_until("stop")
    again = await desk.ReportIntrusion(request, timeout=WITHIN_S)
    listed = (await desk.ListIntrusions(d.ListIntrusionsRequest(), timeout=WITHIN_S)).intrusions
    released = await desk.ReleaseIntrusion(d.ReleaseIntrusionRequest(request_id="i2", intrusion_id="man-1"), timeout=WITHIN_S)
    resume = await t.hear_until("resume")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await desk.ReleaseIntrusion(d.ReleaseIntrusionRequest(request_id="i3", intrusion_id="man-1"), timeout=WITHIN_S)

    assert again == reported
    assert (stop.stop_id, stop.cause, resume.stop_id) == ("intrusion:man-1", "intrusion", "intrusion:man-1")
    assert stop.reaction == truck_pb2.REACTION_EMERGENCY_STOP
    assert [found.intrusion_id for found in listed] == ["man-1"]
    assert "t8" in listed[0].stopped_truck_ids
    assert STANDS[7] in {at.lane_id for at in listed[0].stretches}
    assert released.state == d.INTRUSION_STATE_RELEASED
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    t.call.cancel()


async def test_what_a_truck_saw_is_on_the_operators_list(channel: Any, truck: Any) -> None:
    """The truck says where; the server keeps everyone out, and the truck stays."""
    desk = dispatch_grpc.DispatchServiceStub(channel)
    t = truck(9)
    await t.say_hello()
    await t.hear_until("welcome")
    place = common_pb2.LanePoint(lane_id=STANDS[8], chainage_m=STOP_M[STANDS[8]] + 3.0)
    event = truck_pb2.TruckEvent(stamp_ns=1, kind=truck_pb2.TRUCK_EVENT_KIND_OBSTACLE_SEEN, detail="3.0 m ahead", place=place)

    await t.call.write(truck_pb2.TruckMessage(event=event))
    stop = await t.hear_until("stop")
    listed = (await desk.ListIntrusions(d.ListIntrusionsRequest(), timeout=WITHIN_S)).intrusions
    found = next(found for found in listed if found.reporter == "t9")
    await desk.ReleaseIntrusion(d.ReleaseIntrusionRequest(request_id="s1", intrusion_id=found.intrusion_id), timeout=WITHIN_S)

    assert stop.stop_id == f"intrusion:{found.intrusion_id}"
    assert (found.kind, found.state) == (d.INTRUSION_KIND_OTHER, d.INTRUSION_STATE_SEEN)
    t.call.cancel()


async def test_the_border_can_be_listed_and_watched(channel: Any) -> None:
    """Gates come with their state; a watch opens even when nothing is asked of anybody."""
    border = border_pb2_grpc.BorderServiceStub(channel)

    gates = await border.ListGates(border_pb2.ListGatesRequest(), timeout=WITHIN_S)
    watch = border.WatchBorder(border_pb2.WatchBorderRequest())
    shut = await border.ReportBarrier(
        border_pb2.ReportBarrierRequest(request_id="b1", gate_id=gates.gates[0].gate_id, state=border_pb2.BARRIER_STATE_SHUT),
        timeout=WITHIN_S,
    )

    assert {gate.gate_id for gate in gates.gates} == {gate.gate_id for gate in CORRIDOR.gates}
    assert shut.state == border_pb2.BARRIER_STATE_SHUT
    watch.cancel()


async def test_health_and_reflection_say_what_is_served(channel: Any) -> None:
    """A supervisor asks the one, a person with grpcurl the other."""
    health = health_pb2_grpc.HealthStub(channel)
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)

    found = await health.Check(health_pb2.HealthCheckRequest(), timeout=WITHIN_S)
    asked = reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    named = {service.name for answer in [message async for message in asked] for service in answer.list_services_response.service}

    assert found.status == health_pb2.HealthCheckResponse.SERVING
    assert {"fleet.v1.TruckService", "fleet.v1.DispatchService"} <= named


async def test_one_who_floods_is_held_back_and_the_rest_are_served(truck: Any, connect: Callable[[str], Any], running: Running) -> None:
    """A broken or hostile truck costs itself: the transport holds it back, others hear their heartbeats and get answers."""
    flooder, sound = truck(2), truck(3)
    await flooder.say_hello(instance_id="flood", boot_id="flood")
    await flooder.hear_until("welcome")
    sound.stamp_ns = 10**12
    await sound.say_hello(boot_id="later")
    await sound.hear_until("welcome")
    desk = dispatch_grpc.DispatchServiceStub(connect(running.address))

    async def flood() -> None:
        while True:
            await flooder.say_report()

    flooding = asyncio.ensure_future(flood())
    first = await sound.hear_until("heartbeat")
    await desk.CreateTransportOrder(order("in-the-flood"), timeout=WITHIN_S)
    second = await sound.hear_until("heartbeat")
    flooding.cancel()
    flooder.call.cancel()
    await asyncio.gather(flooding, return_exceptions=True)

    assert second.tick > first.tick


async def test_the_truck_sdk_is_welcomed_and_given_road(running: Running, channel: Any) -> None:
    """The two halves were written apart; here they meet over the real wire."""
    kind = CORRIDOR.truck_types[0]
    identity = Identity(truck_id="sdk", instance_id="onboard", boot_id="boot", truck_type_id=kind.truck_type_id)
    stand = next(stand for stand in CORRIDOR.stands if stand.stand_id == "mn_park_10")
    client = TruckClient(identity, kind, Parked(stand), server=running.address, store=MemoryStore())
    desk = dispatch_grpc.DispatchServiceStub(channel)
    driving = asyncio.ensure_future(client.run())

    async with asyncio.timeout(WITHIN_S):
        while not (found := await known(desk, "sdk")) or found.session != common_pb2.SESSION_STATE_LIVE or not found.HasField("end"):
            assert not driving.done(), driving.exception()

    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    assert found.nose.lane_id == "mn_park_10"


async def known(desk: Any, truck_id: str) -> d.Truck | None:
    """The truck, once the server knows it."""
    trucks = (await desk.ListTrucks(d.ListTrucksRequest(page_size=1000), timeout=WITHIN_S)).trucks
    return next((truck for truck in trucks if truck.truck_id == truck_id), None)
