"""Whatever bytes are sent to any method of a running server, the answer is OK or a refusal of ours, and no truck is moved by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hypothesis import given
from hypothesis import strategies as st

from fleet.server.app import SERVICES, Running, Server
from fleet.server.settings import ServerSettings
from fleet.server.wire.interceptors import DOMAIN
from fleet.site import load_site
from fleet.v1 import border_pb2, dispatch_pb2, gateway_pb2, truck_pb2
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from tests.conftest import StandingTruck
from tests.fleet.any_message import examples, raw_messages

WITHIN_S: Final = 30.0
CORRIDOR: Final = load_site("mandula")
STAND: Final = next(stand for stand in CORRIDOR.stands if stand.stand_id == "mn_park_01")
STOP_ID: Final = "while-it-rains"
# What a peer who has looked around would know: everything but the id of the stop in force.
LANES: Final = tuple(lane.lane_id for lane in CORRIDOR.lanes[:3])
NAMES: Final = {
    "truck_id": ("t1", "t2"),
    "lane_id": (*LANES, STAND.lane_id),
    "body_lane_ids": LANES,
    "truck_type_id": ("coal_truck_70t",),
    "from_yard_id": ("mn", "cn"),
    "to_yard_id": ("cn", "mn"),
    "gate_id": tuple(gate.gate_id for gate in CORRIDOR.gates[:3]),
    "gate_ids": tuple(gate.gate_id for gate in CORRIDOR.gates[:3]),
    "bay_id": ("mn_bay_01",),
    "name": ("nowhere",),
    "stop_id": ("a", "b"),
    "second_person": ("",),
    "date": ("2026-11-25", "0001-01-01", "9999-12-31"),
}
# On streams a peer may call himself what he likes, as far as his certificate lets him: here, as whom he likes.
TRUCK_NAMES: Final = {**NAMES, "truck_id": ("here", "t1"), "instance_id": ("computer", "b"), "boot_id": ("boot", "c")}
DESCRIPTORS: Final = (truck_pb2, gateway_pb2, dispatch_pb2, border_pb2)
METHODS: Final[dict[str, MethodDescriptor]] = {
    f"/{service.full_name}/{method.name}": method
    for module in DESCRIPTORS
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
UNARY: Final = {path: method for path, method in METHODS.items() if not (method.client_streaming or method.server_streaming)}
FED: Final = {path: method for path, method in METHODS.items() if method.server_streaming and not method.client_streaming}
BOTH_WAYS: Final = {path: method for path, method in METHODS.items() if method.client_streaming}
NEVER: Final = frozenset({
    grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
})  # fmt: skip
# What the client's library says by itself of a word for a stream that the server had ended: what the server said of it is lost then.
UNSENT: Final = "Internal error from Core"
PYTHONS_WORDS: Final = ("Traceback", "Exception", "Error:", "object at 0x", ".py", "NoneType", "invalid literal")


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One server for the whole file."""
    server = Server(CORRIDOR, ServerSettings(data=tmp_path_factory.mktemp("fuzz"), listen="127.0.0.1:0", day_start_s=36_000))
    yield await server.start()
    assert not server._ended.done(), "the server gave up"
    server.ask_to_end()
    await server.stop()


@pytest.fixture(scope="module")
async def channel(running: Running) -> AsyncIterator[grpc.aio.Channel]:
    """The fuzzer's line."""
    async with grpc.aio.insecure_channel(running.address) as opened:
        yield opened


@pytest.fixture(scope="module")
async def here(channel: grpc.aio.Channel) -> AsyncIterator[StandingTruck]:
    """A truck on its stand that goes on reporting, in a fleet that was stopped by somebody else."""
    truck = StandingTruck(channel, "here", STAND.lane_id, STAND.stop_m)
    await truck.say_hello()
    await truck.hear_until("authority")
    await dispatch_grpc.DispatchServiceStub(channel).StopAll(dispatch_pb2.StopAllRequest(stop_id=STOP_ID, reason="fuzz"))
    await truck.hear_until("stop")
    # A stop overtakes grants that wait for the journal.
    await truck.hear_until("heartbeat")
    await truck.hear_until("heartbeat")
    truck.heard.clear()
    living = asyncio.ensure_future(live(truck))
    yield truck
    living.cancel()
    truck.call.cancel()
    await asyncio.gather(living, return_exceptions=True)


async def live(truck: StandingTruck) -> None:
    """Answers every heartbeat, for as long as there are any."""
    while (message := await truck.hear()) is not None:
        if message.HasField("heartbeat"):
            truck.heard.pop()
            await truck.say_report()


def test_every_service_that_is_served_is_tried() -> None:
    """A service added to the server is added here, or this fails."""
    tried = {path.split("/")[1] for path in METHODS}

    assert set(SERVICES) <= tried


def require_ours(path: str, error: grpc.aio.AioRpcError) -> None:
    """The refusal has a reason of ours, and nothing of our insides."""
    assert error.code() not in NEVER, (path, error.code(), error.details())
    status = rpc_status.from_call(error)
    assert status is not None, (path, error)
    found = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(found), (path, error)
    assert found.domain == DOMAIN
    assert found.reason
    assert not [word for word in PYTHONS_WORDS if word in status.message], (path, status.message)


async def ask(channel: grpc.aio.Channel, path: str, raw: bytes) -> None:
    """One request of one answer."""
    try:
        await channel.unary_unary(path)(raw, timeout=WITHIN_S)
    except grpc.aio.AioRpcError as error:
        require_ours(path, error)


async def watch(channel: grpc.aio.Channel, path: str, raw: bytes) -> None:
    """One request for a stream of answers; the first of them, or that there is none yet, is enough."""
    call = channel.unary_stream(path)(raw, timeout=WITHIN_S)
    reading = asyncio.ensure_future(call.read())
    ticking = asyncio.ensure_future(ticks(channel, 1))
    try:
        await asyncio.wait([reading, ticking], return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()
    except grpc.aio.AioRpcError as error:
        require_ours(path, error)
    finally:
        call.cancel()
        reading.cancel()
        await asyncio.gather(reading, ticking, return_exceptions=True)


async def talk(channel: grpc.aio.Channel, path: str, said: list[bytes]) -> None:
    """A stream on which those words are said, to its end."""
    call = channel.stream_stream(path)(iter(said), timeout=WITHIN_S)
    try:
        async for _ in call:
            pass
    except grpc.aio.AioRpcError as error:
        if error.details() != UNSENT:
            require_ours(path, error)


async def ticks(channel: grpc.aio.Channel, count: int) -> None:
    """Returns once the control loop has gone on by so many ticks."""
    request = dispatch_pb2.WatchFleetRequest()
    request.period.FromMilliseconds(100)
    call = dispatch_grpc.DispatchServiceStub(channel).WatchFleet(request, timeout=WITHIN_S)
    first = await call.read()
    while (await call.read()).tick < first.tick + count:
        pass
    call.cancel()


async def require_unmoved(channel: grpc.aio.Channel, here: StandingTruck) -> None:
    """The loop goes on, and the truck that stands under an all-stop was given nothing."""
    await ticks(channel, 2)
    found = await dispatch_grpc.DispatchServiceStub(channel).GetTruck(dispatch_pb2.GetTruckRequest(truck_id="here"), timeout=WITHIN_S)
    assert found.nose.lane_id == STAND.lane_id
    assert found.nose.chainage_m == pytest.approx(STAND.stop_m)
    assert "authority" not in {message.WhichOneof("content") for message in here.heard}
    # Another's stop may come and be lifted meanwhile; the one that it stands under may not.
    assert STOP_ID not in {message.resume.stop_id for message in here.heard if message.HasField("resume")}


@examples(12)
@given(requests=st.fixed_dictionaries({path: raw_messages(method.input_type, NAMES) for path, method in (UNARY | FED).items()}))
async def test_every_method_answers_or_refuses_and_moves_nobody(
    channel: grpc.aio.Channel, here: StandingTruck, requests: dict[str, bytes]
) -> None:
    """A peer that sees UNKNOWN, or Python's words, has found something that nobody foresaw."""
    await asyncio.gather(*[(ask if path in UNARY else watch)(channel, path, raw) for path, raw in requests.items()])

    await require_unmoved(channel, here)


@examples(20)
@given(said=st.fixed_dictionaries({
    path: st.lists(raw_messages(method.input_type, TRUCK_NAMES), min_size=1, max_size=5) for path, method in BOTH_WAYS.items()
}))  # fmt: skip
async def test_every_stream_ends_in_order_and_moves_nobody(
    channel: grpc.aio.Channel, here: StandingTruck, said: dict[str, list[bytes]]
) -> None:
    """Trucks and gateways speak most and are trusted with most; one that speaks nonsense, or another's name, moves nobody."""
    await asyncio.gather(*[talk(channel, path, words) for path, words in said.items()])

    await require_unmoved(channel, here)


@pytest.mark.parametrize("path", UNARY)
async def test_a_refusal_stays_short_however_long_the_name(channel: grpc.aio.Channel, path: str) -> None:
    """Facts travel in the trailer, which has a limit of its own: beyond it the peer would learn nothing but that it was too much."""
    message = message_factory.GetMessageClass(UNARY[path].input_type)()
    for field in message.DESCRIPTOR.fields:
        if field.cpp_type == field.CPPTYPE_STRING and not field.is_repeated:
            setattr(message, field.name, "长" * 6_000)

    await ask(channel, path, message.SerializeToString())
