"""Clients that speak gRPC as anybody does, and say too much, too often, or nonsense."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
import grpc.aio

from fleet.site import load_site
from fleet.v1 import dispatch_pb2, dispatch_pb2_grpc, truck_pb2, truck_pb2_grpc
from planner.corridor import Stand, StandKind
from sim_harness.bench.load import Standing
from sim_harness.cab import lanes_under
from tests.fleet.raw_attackers import CONNECT, CREATE, until

SITE: Final = "ganqimaodu"
CALLS_AT_ONCE: Final = 300
_MIB: Final = 1 << 20


async def _counted(awaited: Awaitable[Any], counts: dict[str, int]) -> None:
    counts["sent"] += 1
    try:
        await awaited
    except grpc.aio.AioRpcError as refused:
        counts[refused.code().name] = counts.get(refused.code().name, 0) + 1
        counts["cut"] += 1


async def flood_calls(channel: grpc.aio.Channel, seconds: float) -> dict[str, int]:
    """Orders and questions, as many at once as a connection has streams for."""
    desk = dispatch_pb2_grpc.DispatchServiceStub(channel)
    counts = {"sent": 0, "cut": 0}

    async def ask(first: int) -> None:
        for number in until(seconds):
            name = f"flood-{os.getpid()}-{first}-{number}"
            order = dispatch_pb2.CreateTransportOrderRequest(request_id=name, from_yard_id="mn", to_yard_id="cn", container_count=1)
            asked: Any = desk.ListTrucks(dispatch_pb2.ListTrucksRequest(page_size=1000), timeout=20)
            await _counted(asked if number % 2 else desk.CreateTransportOrder(order, timeout=20), counts)

    await asyncio.gather(*(ask(first) for first in range(CALLS_AT_ONCE)))
    return counts


async def flood_reports(channel: grpc.aio.Channel, seconds: float) -> dict[str, int]:
    """Trucks that are known, stand still, and report without end."""
    corridor = load_site(SITE)
    stands = [stand for stand in corridor.stands if stand.kind not in {StandKind.BAY, StandKind.SIDING}][-4:]
    counts = {"sent": 0, "cut": 0}

    async def report(stand: Stand) -> None:
        lanes = [lane.lane_id for lane in lanes_under(corridor, stand.lane_id, stand.stop_m, corridor.truck_types[0].length_m)]
        truck = Standing(truck_id=f"flood_{stand.stand_id}", lanes=lanes, chainage_m=stand.stop_m)
        stream: Any = truck_pb2_grpc.TruckServiceStub(channel).Connect()
        await stream.write(truck.hello(corridor))
        while not truck.epoch:
            truck.hear(await stream.read())
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await stream.write(truck_pb2.TruckMessage(report=truck.report()))
                    counts["sent"] += 1
        except TimeoutError:
            stream.cancel()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            counts["cut"] += 1

    await asyncio.gather(*(report(stand) for stand in stands))
    return counts


async def garbage_messages(channel: grpc.aio.Channel, seconds: float) -> dict[str, int]:
    """Bytes that are no message, to every kind of method."""
    noise = random.Random(2)  # noqa: S311 - noise that is the same every time
    counts = {"sent": 0, "cut": 0}
    for _ in until(seconds):
        raw = noise.randbytes(2000)
        await _counted(channel.unary_unary(CREATE)(raw, timeout=20), counts)
        for path in (CONNECT, "/fleet.v1.GatewayService/Relay"):
            stream = channel.stream_stream(path)(iter([raw] * 20))
            counts["sent"] += 20
            try:
                counts["cut"] += len([said async for said in stream])
            except grpc.aio.AioRpcError:
                counts["cut"] += 1
    return counts


async def bombs(channel: grpc.aio.Channel, seconds: float) -> dict[str, int]:
    """Messages of sixty thousand bytes that unpack to sixty millions."""
    counts = {"sent": 0, "cut": 0}
    raw = b"\x0a" + bytes(60 * _MIB)
    for _ in until(seconds):
        for path in (CREATE, "/fleet.v1.DispatchService/ProposeSite"):
            await _counted(channel.unary_unary(path)(raw, timeout=20, compression=grpc.Compression.Gzip), counts)
    return counts


async def oversize(channel: grpc.aio.Channel, seconds: float) -> dict[str, int]:
    """Messages larger than any method takes, and of the size that only a site may have."""
    counts = {"sent": 0, "cut": 0}
    for number in until(seconds):
        raw = b"\x0a" + bytes((16 if number % 2 else 1) * _MIB - 5)
        await _counted(channel.unary_unary(CREATE)(raw, timeout=20), counts)
    return counts


KINDS: Final[dict[str, Callable[[grpc.aio.Channel, float], Awaitable[dict[str, int]]]]] = {
    "flood_calls": flood_calls,
    "flood_reports": flood_reports,
    "garbage_messages": garbage_messages,
    "bombs": bombs,
    "oversize": oversize,
}


async def attack(kind: str, address: str, seconds: float, begin: Callable[[], None]) -> dict[str, int]:
    """Attacks; *begin* is called when everything is loaded."""
    options = (("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0))
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        begin()
        return await KINDS[kind](channel, seconds)
