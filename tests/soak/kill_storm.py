"""
Operators' commands, asked again until they are answered, while the server is killed and started again and again.

Each must have taken effect exactly once: its answer is kept in the same commit as what it changed, under the id of the request.
"""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from fleet.v1 import dispatch_pb2 as d
from fleet.v1 import dispatch_pb2_grpc as dispatch_grpc
from tests.fleet.real_server import RealServer
from tests.soak.verdict import Verdict

OPERATORS: Final = 400
CALL_WITHIN_S: Final = 20.0
PAGE: Final = 1000
SOAK_COMMANDS: Final = 100_000
SOAK_KILLS: Final = 50
# Lost on the way, or not known to have arrived: the same request is asked again.
AGAIN: Final = frozenset({
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
})  # fmt: skip


@dataclass(slots=True)
class Storm:
    """What came of it: the order that answered each request, and how often something had to be asked again."""

    answers: dict[int, str] = field(default_factory=dict)
    retries: int = 0
    kills: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)


def request(number: int) -> d.CreateTransportOrderRequest:
    """The command of that number."""
    return d.CreateTransportOrderRequest(request_id=f"r{number}", from_yard_id="mn", to_yard_id="cn", container_count=number % 7 + 1)


def _channel(address: str) -> grpc.aio.Channel:
    # A server that is away for a second must not be asked for a minute later only.
    options = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500), ("grpc.use_local_subchannel_pool", 1))
    return grpc.aio.insecure_channel(address, options=options)


async def _answered(desk: dispatch_grpc.DispatchServiceAsyncStub, number: int, storm: Storm) -> str:
    while True:
        try:
            asked = desk.CreateTransportOrder(request(number), timeout=CALL_WITHIN_S, wait_for_ready=True)
            return str((await asked).order_id)
        except grpc.aio.AioRpcError as lost:
            if lost.code() not in AGAIN:
                raise
            storm.retries += 1


async def ask(address: str, numbers: Iterable[int], storm: Storm) -> dict[int, str]:
    """Many operators, each with one command after the other in hand, until all are answered."""
    answers: dict[int, str] = {}
    shared = iter(numbers)
    async with _channel(address) as channel:
        desk = dispatch_grpc.DispatchServiceStub(channel)

        async def operator() -> None:
            for number in shared:
                answers[number] = storm.answers[number] = await _answered(desk, number, storm)
                storm.answered.set()

        async with asyncio.TaskGroup() as group:
            for _ in range(OPERATORS):
                group.create_task(operator())
    return answers


async def _kill_at(server: RealServer, storm: Storm, counts: list[int]) -> None:
    """Kills the server whenever so many are answered, and starts it again."""
    for count in counts:
        while len(storm.answers) < count:
            storm.answered.clear()
            await storm.answered.wait()
        await server.end(signal.SIGKILL)
        storm.kills += 1
        await server.start()


async def listed(address: str) -> list[str]:
    """Every order that the server knows."""
    found: list[str] = []
    async with _channel(address) as channel:
        desk = dispatch_grpc.DispatchServiceStub(channel)
        token = ""
        while True:
            page = await desk.ListTransportOrders(d.ListTransportOrdersRequest(page_size=PAGE, page_token=token), timeout=CALL_WITHIN_S)
            found += [order.order_id for order in page.orders]
            token = page.next_page_token
            if not token:
                return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """*missing*: answered, and not there; *duplicates*: there, and nobody's answer; *changed*: answered otherwise when asked again."""

    storm: Storm
    missing: set[str]
    duplicates: set[str]
    shared: int
    changed: list[int]

    @property
    def good(self) -> bool:
        """Whether every command took effect exactly once."""
        return not (self.missing or self.duplicates or self.shared or self.changed)


async def storm(data: Path, *, commands: int, kills: int, again: int, seed: int) -> Outcome:
    """So many commands through so many kills; then *again* of them, drawn, are asked once more."""
    chance = random.Random(seed)  # noqa: S311 - chance that replays
    server, weather = RealServer("mandula", data), Storm()
    await server.start()
    try:
        counts = sorted(chance.sample(range(commands // 20, commands - commands // 20), kills))
        async with asyncio.TaskGroup() as group:  # a server that does not come back ends the asking
            group.create_task(_kill_at(server, weather, counts))
            first = await ask(server.address, range(commands), weather)
        second = await ask(server.address, chance.sample(range(commands), again), Storm())
        orders = await listed(server.address)
    finally:
        await server.end(signal.SIGKILL)
    return Outcome(
        storm=weather,
        missing=set(first.values()) - set(orders),
        duplicates=set(orders) - set(first.values()),
        shared=commands - len(set(first.values())) + len(orders) - len(set(orders)),
        changed=[number for number, answer in second.items() if first[number] != answer],
    )


def run() -> Verdict:
    """The long version."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(storm(Path(folder, "data"), commands=SOAK_COMMANDS, kills=SOAK_KILLS, again=SOAK_COMMANDS // 10, seed=1))
    weather = outcome.storm
    figures = (
        f"{SOAK_COMMANDS} commands, {weather.kills} kills, {weather.retries} asked again: {len(outcome.duplicates)} duplicates, "
        f"{len(outcome.missing)} missing, {outcome.shared} shared, {len(outcome.changed)} answered otherwise"
    )
    return Verdict(good=outcome.good, figures=figures)
