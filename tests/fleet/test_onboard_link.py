"""The truck's line over real gRPC on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import grpc
import grpc.aio
import pytest

from fleet.clock import SystemClock
from fleet.onboard import Command, Identity, LanePoint, MemoryStore, Mode, Sensors, Supervisor, Term, TruckClient, TruckType
from fleet.onboard.link import Interpreter, Outbox
from fleet.onboard.link.stream import LOOK_PERIOD_S, RENEW_AFTER_S, RENEW_JITTER_S
from fleet.onboard.words import Heartbeat
from fleet.server.settings import TransportSettings
from fleet.v1 import common_pb2, truck_pb2, truck_pb2_grpc

KIND = TruckType(
    truck_type_id="coal_truck_70t", length_m=16.5, width_m=3.2, wheelbase_m=10.0, lateral_error_m=0.2, tare_kg=30e3, load_max_kg=70e3,
    speed_max_mps=6.944, acceleration_laden_mps2=0.35, acceleration_empty_mps2=0.7, brake_service_mps2=1.5, brake_guaranteed_mps2=2.2,
    brake_dead_s=0.5, brake_build_up_s=0.5, traction_cutoff_s=0.3, jerk_mps3=0.6, roll_back_m=1.0, bound_max_m=5.0, battery_wh=350e3,
)  # fmt: skip
ME = Identity(truck_id="T001", instance_id="onboard-1", boot_id="boot-1", truck_type_id=KIND.truck_type_id)
EPOCH = 7


class Pretender:
    """Hardware that does at once what it is told."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self.chainage_m = 50.0
        self.speed_mps = 0.0
        self.command: Command | None = None

    def sensors(self) -> Sensors:
        """Where it is after a tenth of a second of doing as told."""
        demand_mps2 = self.command.acceleration_demand_mps2 if self.command is not None and self.command.mode != Mode.HOLD else -2.0
        self.speed_mps = max(0.0, self.speed_mps + 0.1 * demand_mps2)
        self.chainage_m += 0.1 * self.speed_mps
        return Sensors(
            stamp_ns=self._clock.now_ns(), nose=LanePoint("a", self.chainage_m), speed_mps=self.speed_mps, acceleration_mps2=demand_mps2,
            bound_m=0.5, laden=False,
        )  # fmt: skip

    def actuate(self, command: Command) -> None:
        """Remembers what it was told."""
        self.command = command


@dataclass
class Roadside(truck_pb2_grpc.TruckServiceServicer):
    """A server of one truck: welcomes it, gives it road, answers its challenges, and hangs up when told to."""

    hellos: list[truck_pb2.Hello] = field(default_factory=list)
    reports: list[truck_pb2.Report] = field(default_factory=list)
    said: list[truck_pb2.TruckMessage] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    sequence: int = 0
    tick: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    hang_up: asyncio.Event = field(default_factory=asyncio.Event)

    def next_term(self) -> common_pb2.Term:
        """The next term."""
        self.sequence += 1
        return common_pb2.Term(epoch=EPOCH, sequence=self.sequence)

    async def Connect(  # type: ignore[override] # noqa: N802 - the wire's name
        self,
        request_iterator: AsyncIterator[truck_pb2.TruckMessage],
        context: grpc.aio.ServicerContext[truck_pb2.TruckMessage, truck_pb2.ControlMessage],
    ) -> AsyncIterator[truck_pb2.ControlMessage]:
        """One truck's stream."""
        self.peers.append(context.peer())
        async for message in request_iterator:
            if message.HasField("hello"):
                self.hellos.append(message.hello)
                for answer in self.welcome(message.hello):
                    yield answer
            elif message.HasField("report"):
                self.reports.append(message.report)
                self.tick += 1
                beat = truck_pb2.Heartbeat(tick=self.tick, challenge_echo=message.report.challenge, challenge=self.tick, epoch=EPOCH)
                yield truck_pb2.ControlMessage(heartbeat=beat)
            else:
                self.said.append(message)
            self.heard.set()
            if self.hang_up.is_set():
                self.hang_up.clear()
                return

    def welcome(self, hello: truck_pb2.Hello) -> list[truck_pb2.ControlMessage]:
        """A welcome, four hundred metres of lane, and permission to use them."""
        stretch = common_pb2.Stretch(lane_id="a", start_m=0.0, end_m=400.0)
        route = truck_pb2.Route(term=self.next_term(), segments=[truck_pb2.Segment(stretch=stretch, speed_max_mps=6.9)])
        end = common_pb2.LanePoint(lane_id="a", chainage_m=300.0)
        authority = truck_pb2.MovementAuthority(term=self.next_term(), route_sequence=route.term.sequence, end=end, friction=0.7)
        return [
            truck_pb2.ControlMessage(welcome=truck_pb2.Welcome(epoch=EPOCH, hello_stamp_ns=hello.report.stamp_ns)),
            truck_pb2.ControlMessage(route=route),
            truck_pb2.ControlMessage(authority=authority),
        ]

    async def until(self, count: int) -> None:
        """Waits until *count* more messages have come."""
        for _ in range(count):
            self.heard.clear()
            await self.heard.wait()


@contextlib.asynccontextmanager
async def serving(
    roadside: Roadside, written: Callable[[truck_pb2.ControlMessage], bytes] = truck_pb2.ControlMessage.SerializeToString
) -> AsyncIterator[str]:
    """*roadside* on a free port of this machine; *written* makes bytes of what it says."""
    server = grpc.aio.server()
    connect = grpc.stream_stream_rpc_method_handler(roadside.Connect, truck_pb2.TruckMessage.FromString, written)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("fleet.v1.TruckService", {"Connect": connect}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def test_a_truck_says_hello_takes_its_road_and_drives() -> None:
    """The whole conversation, through real sockets and real time."""
    clock = SystemClock()
    hardware = Pretender(clock)
    roadside = Roadside()

    async with serving(roadside) as address:
        truck = TruckClient(ME, KIND, hardware, server=address, store=MemoryStore(), clock=clock)
        run = asyncio.create_task(truck.run())
        await asyncio.wait_for(roadside.until(10), 20)
        truck.leave("shift ends")
        await asyncio.wait_for(run, 10)

    assert roadside.hellos[0].truck_id == "T001"
    assert hardware.chainage_m > 50.0
    assert roadside.reports[-1].accepted == common_pb2.Term(epoch=EPOCH, sequence=2)
    assert roadside.reports[-1].challenge_echo > 0
    assert [message.goodbye.reason for message in roadside.said if message.HasField("goodbye")] == ["shift ends"]


async def test_a_stream_that_ends_is_made_anew_with_a_hello() -> None:
    """A link that dies mid-stream ends without any error; the truck must notice and come back by itself."""
    clock = SystemClock()
    roadside = Roadside()

    async with serving(roadside) as address:
        truck = TruckClient(ME, KIND, Pretender(clock), server=address, store=MemoryStore(), clock=clock)
        run = asyncio.create_task(truck.run())
        await asyncio.wait_for(roadside.until(4), 20)
        roadside.hang_up.set()
        while len(roadside.hellos) < 2:
            await asyncio.wait_for(roadside.until(1), 20)
        await asyncio.wait_for(roadside.until(3), 20)
        truck.leave("done")
        await asyncio.wait_for(run, 10)

    assert roadside.hellos[1].seen == common_pb2.Term(epoch=EPOCH, sequence=2)
    assert roadside.hellos[1].end_held.chainage_m == pytest.approx(300.0)
    assert truck.supervisor.permission.seen == Term(EPOCH, 4)


async def test_bytes_that_are_no_message_are_refused_and_the_truck_drives_on() -> None:
    """The transport hands over nothing at all where it could not parse: an onboard computer must not die of that."""
    clock = SystemClock()
    roadside = Roadside()

    def garbled(message: truck_pb2.ControlMessage) -> bytes:
        return b"\xff\xff\xff" if message.HasField("route") else message.SerializeToString()

    async with serving(roadside, garbled) as address:
        truck = TruckClient(ME, KIND, Pretender(clock), server=address, store=MemoryStore(), clock=clock)
        run = asyncio.create_task(truck.run())
        while not roadside.said or len(roadside.reports) < 4:
            await asyncio.wait_for(roadside.until(1), 20)
        truck.leave("done")
        await asyncio.wait_for(run, 10)

    assert len(roadside.hellos) == 1
    assert [said.event.detail for said in roadside.said if "cannot be read" in said.event.detail]


async def test_a_line_that_grows_old_is_replaced_before_the_server_ends_it() -> None:
    """Every server ends its connections some day. The truck says hello on a second one in time, and is never without."""
    clock = SystemClock()
    roadside = Roadside()

    async with serving(roadside) as address:
        truck = TruckClient(ME, KIND, Pretender(clock), server=address, store=MemoryStore(), clock=clock)
        truck._line.renew_after_s = 0.0
        run = asyncio.create_task(truck.run())
        while len(roadside.hellos) < 3:
            await asyncio.wait_for(roadside.until(1), 20)
        reported = len(roadside.reports)
        while len(roadside.reports) < reported + 3:
            await asyncio.wait_for(roadside.until(1), 20)
        lapsed = truck.supervisor.contact.lapsed
        truck.leave("done")
        await asyncio.wait_for(run, 10)

    assert truck._line.lost_count == 0
    assert not lapsed
    assert len({hello.boot_id for hello in roadside.hellos}) == 1
    assert len(set(roadside.peers)) == len(roadside.hellos)


class Leaping(SystemClock):
    """A clock by which an hour passes once *leapt*."""

    def __init__(self) -> None:
        self.leapt: Callable[[], bool] = lambda: False

    def now_ns(self) -> int:
        """The machine's time, or an hour later."""
        return super().now_ns() + (3600 * 10**9 if self.leapt() else 0)


async def test_a_connection_grows_old_whatever_streams_came_and_went_on_it() -> None:
    """The server counts from its connection's beginning; a truck that counts from its hello is late, and cut off."""
    clock = Leaping()
    roadside = Roadside()

    async with serving(roadside) as address:
        truck = TruckClient(ME, KIND, Pretender(clock), server=address, store=MemoryStore(), clock=clock)
        # Between two streams: any earlier, and the first one would grow old just as it ends.
        clock.leapt = lambda: truck._line.lost_count > 0
        run = asyncio.create_task(truck.run())
        await asyncio.wait_for(roadside.until(4), 20)
        roadside.hang_up.set()
        async with asyncio.timeout(20):
            while len(roadside.hellos) < 3:
                await roadside.until(1)
        truck.leave("done")
        await asyncio.wait_for(run, 10)

    assert truck._line.lost_count == 1
    assert roadside.peers[0] == roadside.peers[1] != roadside.peers[2]


def test_a_connection_is_replaced_before_any_server_of_ours_ends_it() -> None:
    """The transport ends it up to a tenth earlier than it is told."""
    assert 0.9 * TransportSettings().connection_age_max_ms / 1000 > RENEW_AFTER_S + RENEW_JITTER_S + LOOK_PERIOD_S


async def test_only_the_newest_report_waits_to_be_sent() -> None:
    """Minutes of old positions behind a stalled line would be believed as news."""
    outbox = Outbox()
    event = truck_pb2.TruckMessage(event=truck_pb2.TruckEvent(detail="x"))
    for stamp_ns in range(5):
        outbox.put_report(truck_pb2.TruckMessage(report=truck_pb2.Report(stamp_ns=stamp_ns)))
    outbox.put([event, event])

    taken = [await outbox.take() for _ in range(3)]

    assert taken[:2] == [event, event]
    assert taken[2].report.stamp_ns == 4


@pytest.mark.parametrize(
    "message",
    [
        truck_pb2.ControlMessage(),
        truck_pb2.ControlMessage(authority=truck_pb2.MovementAuthority(friction=float("nan"))),
        truck_pb2.ControlMessage(authority=truck_pb2.MovementAuthority(end=common_pb2.LanePoint(chainage_m=float("inf")))),
        truck_pb2.ControlMessage(welcome=truck_pb2.Welcome(clearing_speed_max_mps=float("nan"))),
        truck_pb2.ControlMessage(route=truck_pb2.Route(segments=[truck_pb2.Segment(grade=float("nan"))])),
    ],
)
def test_what_cannot_be_used_is_refused_and_the_server_is_told(message: truck_pb2.ControlMessage) -> None:
    """Protobuf lets NaN and infinity through, and arithmetic with them holds no truck."""
    interpreter = Interpreter(Supervisor(ME, KIND))
    interpreter.supervisor.sense(Sensors(
        stamp_ns=1, nose=LanePoint("a", 5.0), speed_mps=0.0, acceleration_mps2=0.0, bound_m=0.5, laden=False
    ))  # fmt: skip

    answers = interpreter.receive(message, 1)

    assert [answer.event.kind for answer in answers] == [truck_pb2.TRUCK_EVENT_KIND_MESSAGE_REFUSED]


def test_a_heartbeat_survives_translation() -> None:
    """Field by field; a mixed-up pair of challenges would look like silence."""
    said = truck_pb2.Heartbeat(tick=1, challenge_echo=2, challenge=3, epoch=4)
    heard: list[object] = []

    class Listener(Supervisor):
        def receive(self, heard_now: object, now_ns: int) -> list[object]:  # type: ignore[override]
            del now_ns
            heard.append(heard_now)
            return []

    Interpreter(Listener(ME, KIND)).receive(truck_pb2.ControlMessage(heartbeat=said), 1)

    assert heard == [Heartbeat(tick=1, challenge_echo=2, challenge=3, epoch=4)]
