from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from fleet.server.app import Server
from fleet.server.settings import ServerSettings
from fleet.site import load_site
from fleet.v1 import dispatch_pb2, dispatch_pb2_grpc, lockstep_pb2, lockstep_pb2_grpc

WITHIN_S = 20.0
TICK_NS = 100_000_000
CORRIDOR = load_site("mandula")
STANDS = [stand for stand in CORRIDOR.stands if stand.stand_id.startswith("mn_park")][:3]


class Simulator:
    """Drives one server by steps and reads everything the server counted before the next."""

    def __init__(self, channel: Any, trucks: list[Any]) -> None:
        self.trucks = trucks
        self.sent = 0
        self.tick = 0
        self.heard_count = 0
        self.drive = lockstep_pb2_grpc.LockstepServiceStub(channel).Drive()

    async def step(self) -> None:
        """One tick, and every word it made."""
        async with asyncio.timeout(WITHIN_S):
            await self.drive.write(lockstep_pb2.LockstepStep(now_ns=self.tick * TICK_NS, messages_sent=self.sent))
            stepped = await self.drive.read()
            while self.heard_count < stepped.messages_sent:
                await self._hear_any()
        self.tick += 1

    async def _hear_any(self) -> None:
        reads = {asyncio.ensure_future(truck.hear()): truck for truck in self.trucks if truck.reading is None}
        for task, truck in reads.items():
            truck.reading = task
        done, _ = await asyncio.wait([truck.reading for truck in self.trucks], return_when=asyncio.FIRST_COMPLETED)
        for truck in self.trucks:
            if truck.reading in done:
                assert truck.reading.result() is not None
                truck.reading = None
                self.heard_count += 1


async def run_of(data: Path, connect: Callable[[str], Any], standing_truck: Any, *, backwards: bool) -> list[list[bytes]]:
    """What each truck heard in a short simulated run, trucks speaking in one order or the other."""
    server = Server(CORRIDOR, ServerSettings(data=data, listen="127.0.0.1:0", lockstep=True, day_start_s=36_000))
    running = await server.start()
    channel = connect(running.address)
    trucks = [standing_truck(channel, f"t{at}", stand.stand_id, stand.stop_m) for at, stand in enumerate(STANDS)]
    for truck in trucks:
        truck.reading = None
    simulator = Simulator(channel, trucks)
    spoken = trucks[::-1] if backwards else trucks
    for truck in spoken:
        await truck.say_hello()
        simulator.sent += 1
    for tick in range(20):
        await simulator.step()
        if tick % 2:
            for truck in spoken:
                await truck.say_report()
                simulator.sent += 1
    for truck in trucks:
        truck.call.cancel()
    simulator.drive.cancel()
    await asyncio.gather(*(truck.reading for truck in trucks if truck.reading is not None), return_exceptions=True)
    server.ask_to_end()
    await server.stop()
    return [[message.SerializeToString(deterministic=True) for message in truck.heard] for truck in trucks]


async def test_a_simulated_run_is_the_same_whatever_the_order_of_arrival(
    tmp_path: Path, connect: Callable[[str], Any], standing_truck: Any
) -> None:
    """A failure over real streams must replay from its seed."""
    one = await run_of(tmp_path / "one", connect, standing_truck, backwards=False)
    other = await run_of(tmp_path / "other", connect, standing_truck, backwards=True)

    assert all(one)
    assert one == other


async def test_a_step_waits_for_every_message_counted(tmp_path: Path, connect: Callable[[str], Any], standing_truck: Any) -> None:
    """A tick that ran ahead of a message would decide on less than the simulator said."""
    server = Server(CORRIDOR, ServerSettings(data=tmp_path, listen="127.0.0.1:0", lockstep=True))
    running = await server.start()
    channel = connect(running.address)
    drive = lockstep_pb2_grpc.LockstepServiceStub(channel).Drive()
    truck = standing_truck(channel, "t0", STANDS[0].stand_id, STANDS[0].stop_m)

    await drive.write(lockstep_pb2.LockstepStep(now_ns=0, messages_sent=1))
    answer = asyncio.ensure_future(drive.read())
    await truck.say_hello()
    async with asyncio.timeout(WITHIN_S):
        stepped = await answer
        welcome = await truck.hear()

    assert stepped.tick == 1
    assert welcome.HasField("welcome")
    truck.call.cancel()
    drive.cancel()
    server.ask_to_end()
    await server.stop()


async def test_commands_count_as_messages_and_are_answered_after_their_tick(tmp_path: Path, connect: Callable[[str], Any]) -> None:
    """An operator in simulated time waits for simulated time."""
    server = Server(CORRIDOR, ServerSettings(data=tmp_path, listen="127.0.0.1:0", lockstep=True))
    running = await server.start()
    channel = connect(running.address)
    drive = lockstep_pb2_grpc.LockstepServiceStub(channel).Drive()
    desk = dispatch_pb2_grpc.DispatchServiceStub(channel)

    asked = asyncio.ensure_future(
        desk.CreateTransportOrder(
            dispatch_pb2.CreateTransportOrderRequest(request_id="r", from_yard_id="mn", to_yard_id="cn", container_count=1),
            timeout=WITHIN_S,
        )
    )
    await drive.write(lockstep_pb2.LockstepStep(now_ns=TICK_NS, messages_sent=1))
    async with asyncio.timeout(WITHIN_S):
        await drive.read()
        created = await asked
        listed = await desk.ListTransportOrders(dispatch_pb2.ListTransportOrdersRequest(), timeout=WITHIN_S)

    assert [found.order_id for found in listed.orders] == [created.order_id]
    drive.cancel()
    server.ask_to_end()
    await server.stop()


async def test_simulated_time_may_not_fall(tmp_path: Path, connect: Callable[[str], Any]) -> None:
    """Every ladder and timeout below relies on it."""
    server = Server(CORRIDOR, ServerSettings(data=tmp_path, listen="127.0.0.1:0", lockstep=True))
    running = await server.start()
    drive = lockstep_pb2_grpc.LockstepServiceStub(connect(running.address)).Drive()

    await drive.write(lockstep_pb2.LockstepStep(now_ns=TICK_NS))
    await drive.read()
    await drive.write(lockstep_pb2.LockstepStep(now_ns=0))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await drive.read()

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    server.ask_to_end()
    await server.stop()


async def test_a_strangers_command_takes_no_place_of_the_simulators(tmp_path: Path, connect: Callable[[str], Any]) -> None:
    """An operator may steer a simulated fleet; a tick that took his word for one of the simulator's would leave that one unanswered."""
    server = Server(CORRIDOR, ServerSettings(data=tmp_path, listen="127.0.0.1:0", lockstep=True))
    running = await server.start()
    channel, strangers = connect(running.address), connect(running.address)
    drive = lockstep_pb2_grpc.LockstepServiceStub(channel).Drive()
    desk, stranger = dispatch_pb2_grpc.DispatchServiceStub(channel), dispatch_pb2_grpc.DispatchServiceStub(strangers)

    def order(request_id: str) -> dispatch_pb2.CreateTransportOrderRequest:
        return dispatch_pb2.CreateTransportOrderRequest(request_id=request_id, from_yard_id="mn", to_yard_id="cn", container_count=1)

    async with asyncio.timeout(WITHIN_S):
        await drive.write(lockstep_pb2.LockstepStep(now_ns=0, messages_sent=0))
        await drive.read()
        his = asyncio.ensure_future(stranger.CreateTransportOrder(order("his"), timeout=WITHIN_S))
        await stranger.ListTransportOrders(dispatch_pb2.ListTransportOrdersRequest(), timeout=WITHIN_S)
        await drive.write(lockstep_pb2.LockstepStep(now_ns=TICK_NS, messages_sent=1))
        stepped = asyncio.ensure_future(drive.read())
        await stranger.ListTransportOrders(dispatch_pb2.ListTransportOrdersRequest(), timeout=WITHIN_S)
        too_early = stepped.done()
        mine = asyncio.ensure_future(desk.CreateTransportOrder(order("mine"), timeout=WITHIN_S))
        await stepped
        made = {(await each).order_id for each in (his, mine)}

    assert not too_early
    assert len(made) == 2
    drive.cancel()
    server.ask_to_end()
    await server.stop()
