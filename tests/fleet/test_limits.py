from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import grpc
import grpc.aio
import pytest

from fleet.clock import NS_PER_S, SteppedClock, SystemClock
from fleet.server.commands import CreateOrder, StopAll
from fleet.server.control_thread import ControlThread
from fleet.server.inputs import CommandGiven, GoodbyeHeard
from fleet.server.limits import (
    BEHIND_PLANNING_TICKS,
    BEHIND_TICKS_MAX,
    CALLS_BURST,
    CALLS_PER_S,
    CONNECTIONS_MAX,
    FILES_SPARE,
    HELD_BACK_MAX_S,
    PLANNING_INPUTS_MAX,
    READS_PER_TICK_MAX,
    READS_WAITING_MAX,
    REFUSALS_PER_S,
    TICKS_PER_S,
    connections_max,
)
from fleet.server.settings import TICK_NS
from fleet.server.wire import truck_service
from fleet.server.wire.codec import Codec
from fleet.server.wire.codec_out import Speech, Terms
from fleet.server.wire.gateway_service import GatewayService
from fleet.server.wire.inbox import Inbox, Overloaded
from fleet.server.wire.interceptors import ErrorInterceptor
from fleet.server.wire.limiter import Bounds, Limiter, Share
from fleet.server.wire.pump import Patience, Pumps, ReaderTooSlow
from fleet.server.wire.shedding import Shed, Shedding
from fleet.server.wire.switchboard import Switchboard
from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc, gateway_pb2_grpc, truck_pb2, truck_pb2_grpc
from tests.fleet.refused import error_info

WITHIN_S = 20.0
AT_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def order(ticket: int) -> CommandGiven:
    """An order, which only plans."""
    command = CreateOrder(request_id=f"r{ticket}", from_yard_id="mn", to_yard_id="cn", container_count=1)
    return CommandGiven(ticket=ticket, command=command, actor="a")


def test_a_peer_has_a_burst_and_then_his_rate() -> None:
    """Calls that come at once are spread evenly, so that they pass between everybody else's messages."""
    share = Share(1, 0)

    waits_s = [share.take(0, urgent=False) for _ in range(CALLS_BURST + 3)]

    assert waits_s[:CALLS_BURST] == [0.0] * CALLS_BURST
    assert waits_s[CALLS_BURST:] == pytest.approx([1 / CALLS_PER_S, 2 / CALLS_PER_S, 3 / CALLS_PER_S])
    assert share.take(60 * NS_PER_S, urgent=False) == 0.0


def test_who_would_wait_too_long_is_refused_and_takes_nothing() -> None:
    """A flood must not run up a debt that its sender, once mended, would wait off for hours."""
    share = Share(1, 0)

    for _ in range(100_000):
        wait_s = share.take(0, urgent=False)

    assert wait_s > HELD_BACK_MAX_S
    assert share.take(int(2.5 * HELD_BACK_MAX_S * NS_PER_S), urgent=False) == 0.0


def test_a_stop_waits_for_nothing() -> None:
    """Not even behind the flood of the very same person."""
    share = Share(1, 0)
    for _ in range(100_000):
        share.take(0, urgent=False)

    assert share.take(0, urgent=True) == 0.0


def test_refusals_leave_late_and_one_by_one() -> None:
    """A thousand refusals at the same moment would hold everybody up for that moment, each second anew."""
    share = Share(1, 0)

    after_s = [share.refusal_after_s(0) for _ in range(3)]

    assert after_s == pytest.approx([HELD_BACK_MAX_S + at / REFUSALS_PER_S for at in range(3)])


def test_connections_leave_files_for_the_journal() -> None:
    """A server that accepts a connection with its last file can neither write a journal nor accept anybody."""
    assert connections_max(1024) == 1024 - FILES_SPARE
    assert connections_max(1_000_000) == CONNECTIONS_MAX


def test_plans_give_way_first_then_the_rest_and_stops_never() -> None:
    """Telemetry, planning, grants: in that order, and a stop is always taken."""
    inbox = Inbox()
    for ticket in range(PLANNING_INPUTS_MAX):
        inbox.put("a", order(ticket))
    goodbye = GoodbyeHeard(row=0, reason="")
    stop = CommandGiven(ticket=0, command=StopAll(stop_id="s", reason=""), actor="a")

    with pytest.raises(Overloaded):
        inbox.put("a", order(-1))
    inbox.put("t", goodbye)
    inbox.put("a", stop)

    assert (inbox.shed.plans, inbox.shed.inputs) == (1, 0)
    assert [given for given in inbox.freeze() if given in (goodbye, stop)] == [goodbye, stop]


def test_a_loop_that_falls_behind_sheds_old_reports_and_then_plans() -> None:
    """The newest report says all the older ones did; an order can wait for a loop that is behind, what grants rest on cannot."""
    inbox = Inbox()
    codec = Codec(["a"])
    inbox.behind_ticks = 1

    for stamp_ns in range(1, 6):
        for row in range(2):
            inbox.put_report(row, codec.report(truck_pb2.Report(stamp_ns=stamp_ns, lane_id="a")))
    inbox.put("a", order(1))
    inbox.behind_ticks = BEHIND_PLANNING_TICKS
    with pytest.raises(Overloaded):
        inbox.put("a", order(2))
    reports: Any = inbox.freeze()[0]

    assert (reports.rows.tolist(), reports.stamp_ns.tolist()) == ([0, 1], [5, 5])
    assert (inbox.shed.reports, inbox.shed.plans) == (8, 1)


def test_what_was_shed_is_said_once_in_a_while() -> None:
    """A flood must not become a flood of alarms, and no part of it may pass unsaid."""
    shed = Shed()
    said: list[dict[str, int]] = []
    shedding = Shedding(shed, said.append)

    for _ in range(250):
        shed.reports += 2
        shedding.ticked()
    for _ in range(100):
        shedding.ticked()

    assert [news["reports"] for news in said] == [2, 200, 200, 98]


async def test_reads_share_a_part_of_a_tick_and_no_more_than_so_many_wait() -> None:
    """Whoever watches the fleet must not delay it."""
    clock = SteppedClock(utc_at_zero=AT_NOON)
    shed = Shed()
    control = ControlThread(clock, lambda _: None, lambda _: None, shed)

    def slow_read() -> None:
        clock.step_to(clock.now_ns() + TICK_NS // 8)

    waiting = [asyncio.ensure_future(control.read(slow_read)) for _ in range(READS_WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await control.read(slow_read)
    control._serve_reads()

    assert clock.now_ns() == 2 * TICK_NS // 8
    assert len(control._reads) == READS_WAITING_MAX - 2
    assert READS_PER_TICK_MAX > 2
    assert shed.reads == 1
    control._refuse_reads()
    await asyncio.gather(*waiting, return_exceptions=True)


def test_a_long_pause_is_no_overload_but_ticks_that_are_always_late_are() -> None:
    """A machine that slept must take orders again at once; one that is too small must not."""
    clock = SteppedClock(utc_at_zero=AT_NOON)
    control = ControlThread(clock, lambda _: None, lambda _: None, Shed())
    due_ns = 0

    clock.step_to(80 * TICK_NS)
    due_ns = control._next_due(due_ns)
    after_pause = control.behind_ticks
    for _ in range(BEHIND_PLANNING_TICKS):
        clock.step_to(due_ns + 2 * TICK_NS)
        due_ns = control._next_due(due_ns)

    assert after_pause == 1
    assert control.behind_ticks >= BEHIND_PLANNING_TICKS
    assert control.missed_count >= 80


def test_an_hour_of_overload_is_over_when_ticks_have_come_in_time_for_four_seconds() -> None:
    """Every late tick counted would have orders turned away for half an hour on a machine that is idle again."""
    clock = SteppedClock(utc_at_zero=AT_NOON)
    control = ControlThread(clock, lambda _: None, lambda _: None, Shed())
    due_ns = 0
    for _ in range(100 * BEHIND_TICKS_MAX):
        clock.step_to(due_ns + 2 * TICK_NS)
        due_ns = control._next_due(due_ns)

    for _ in range(4 * TICKS_PER_S):
        clock.step_to(due_ns)
        due_ns = control._next_due(due_ns)

    assert control.behind_ticks == 0


class Stuck:
    """A stream whose reader takes nothing."""

    async def write(self, message: object) -> None:
        """Never returns."""
        del message
        await asyncio.Event().wait()


async def test_a_reader_that_takes_nothing_is_cut_off_and_counted() -> None:
    """What waits for it would hold memory as long as it likes."""
    pumps = Pumps(Patience(write_within_s=0.01))
    stuck: Any = Stuck()

    with pytest.raises(ReaderTooSlow):
        await pumps.begin().write(stuck, truck_pb2.ControlMessage())

    assert pumps.shed.readers == 1


async def test_streams_of_one_peer_share_what_he_may_say() -> None:
    """Many streams are no way around the quota of one; the next tick gives something back."""
    pumps = Pumps(Patience(per_tick=5, burst=100, peer_per_tick=2, peer_burst=3))
    quotas = [pumps.quota("peer") for _ in range(3)]
    stranger = pumps.quota("stranger")

    await quotas[0].spend()
    await quotas[1].spend()
    held = asyncio.ensure_future(quotas[2].spend())
    await stranger.spend()
    await asyncio.sleep(0)
    before = held.done()
    pumps.ticked()
    await asyncio.wait_for(held, WITHIN_S)

    assert not before


class Desk(dispatch_pb2_grpc.DispatchServiceServicer):
    """A desk that does not come to answering a list, and watches that never say anything."""

    async def ListTrucks(self, request: d.ListTrucksRequest, context: Any) -> d.ListTrucksResponse:  # noqa: N802 - the wire's name
        """Never."""
        del request, context
        await asyncio.Event().wait()
        return d.ListTrucksResponse()

    async def ListLanes(self, request: d.ListLanesRequest, context: Any) -> d.ListLanesResponse:  # noqa: N802 - the wire's name
        """At once."""
        del request, context
        return d.ListLanesResponse()

    async def StopAll(self, request: d.StopAllRequest, context: Any) -> d.AllStop:  # noqa: N802 - the wire's name
        """At once."""
        del context
        return d.AllStop(stop_id=request.stop_id, active=True)

    async def WatchFleet(self, request: d.WatchFleetRequest, context: Any) -> None:  # type: ignore[override]  # noqa: N802 - the wire's name
        """One update, and then nothing."""
        del request
        await context.write(d.FleetUpdate(tick=1))
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def serving(shed: Shed, register: Callable[[grpc.aio.Server], None]) -> AsyncIterator[grpc.aio.Channel]:
    """What *register* serves, with small bounds, on a port of its own; and a channel to it."""
    bounds = Bounds(answer_within_s=0.2, streams_per_connection=2)
    server = grpc.aio.server(interceptors=[Limiter(SystemClock(), shed, bounds), ErrorInterceptor()])
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


async def test_an_answer_has_a_deadline_though_the_client_gave_none() -> None:
    """A call that nobody ends is a call that somebody holds."""
    async with serving(Shed(), lambda server: dispatch_pb2_grpc.add_DispatchServiceServicer_to_server(Desk(), server)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await dispatch_pb2_grpc.DispatchServiceStub(channel).ListTrucks(d.ListTrucksRequest())

    assert late.value.code() is grpc.StatusCode.ABORTED
    assert error_info(late.value).reason == "NotAnswered"


async def test_a_flood_of_requests_is_refused_by_name_and_a_stop_amid_it_is_not() -> None:
    """RESOURCE_EXHAUSTED is what clients try again on; the stop is the one thing that must get through."""
    shed = Shed()
    async with serving(shed, lambda server: dispatch_pb2_grpc.add_DispatchServiceServicer_to_server(Desk(), server)) as channel:
        desk = dispatch_pb2_grpc.DispatchServiceStub(channel)
        asked = [
            desk.ListLanes(d.ListLanesRequest(), timeout=WITHIN_S) for _ in range(int(2 * CALLS_PER_S * HELD_BACK_MAX_S) + CALLS_BURST)
        ]
        stopped = await desk.StopAll(d.StopAllRequest(stop_id="fire"), timeout=WITHIN_S)
        answers = await asyncio.gather(*asked, return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert stopped.active
    assert 0 < len(refused) < len(answers)
    assert {(answer.code(), error_info(answer).reason) for answer in refused} == {(grpc.StatusCode.RESOURCE_EXHAUSTED, "TooManyRequests")}
    assert shed.requests == len(refused)


async def test_a_peer_has_so_many_streams_and_gets_one_back_for_each_that_ends() -> None:
    """Streams that nobody reads are the cheapest way to hold a server's memory."""
    shed = Shed()
    async with serving(shed, lambda server: dispatch_pb2_grpc.add_DispatchServiceServicer_to_server(Desk(), server)) as channel:
        desk = dispatch_pb2_grpc.DispatchServiceStub(channel)
        watches: Any = [desk.WatchFleet(d.WatchFleetRequest()) for _ in range(2)]
        for watch in watches:
            await watch.read()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await desk.WatchFleet(d.WatchFleetRequest()).read()
        watches[0].cancel()
        async with asyncio.timeout(WITHIN_S):
            while True:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    found = await desk.WatchFleet(d.WatchFleetRequest()).read()
                    break

    assert error_info(refused.value).reason == "TooManyStreams"
    assert shed.streams >= 1
    assert found.tick == 1


@pytest.mark.parametrize("service", ["truck", "gateway"])
async def test_a_stream_that_never_says_who_it_is_is_ended(service: str) -> None:
    """Otherwise anybody could hold streams for ever by saying nothing."""
    pumps = Pumps(Patience(hello_within_s=0.05))
    switchboard = Switchboard(Codec(["a"]), Speech(["a"], Terms(map_digest="m")), Inbox())

    def register(server: grpc.aio.Server) -> None:
        truck_service.register(server, switchboard, pumps)
        gateway_pb2_grpc.add_GatewayServiceServicer_to_server(GatewayService(switchboard, pumps), server)

    async with serving(Shed(), register) as channel:
        stub = truck_pb2_grpc.TruckServiceStub(channel) if service == "truck" else gateway_pb2_grpc.GatewayServiceStub(channel)
        stream: Any = stub.Connect() if isinstance(stub, truck_pb2_grpc.TruckServiceStub) else stub.Relay()
        async with asyncio.timeout(WITHIN_S):
            while await stream.read() is not grpc.aio.EOF:
                pass

    assert pumps.shed.strangers == 1
