"""
Trucks that stand on their stands and report ten times a second, each on a stream of its own.

They say hello as trucks do, answer challenges and accept what they are told, so a server has all the work of live sessions.
They do not move: what is measured is the cost of a stream, not of a route. With a *wobble* each report tells of another place, a
centimetre on, so that whoever watches the fleet has something new to be told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from fleet.v1 import common_pb2, truck_pb2, truck_pb2_grpc
from fleet.wire_version import CURRENT
from planner.corridor import Corridor, Stand, StandKind
from sim_harness.cab import lanes_under

REPORT_PERIOD_S: Final = 0.1
BOUND_M: Final = 0.2
# They come over one connection, and of one peer a server takes no more than fifty calls a second.
CONNECTS_PER_S: Final = 40.0


def parking(corridor: Corridor) -> list[Stand]:
    """Where trucks may stand all day in nobody's way."""
    return [stand for stand in corridor.stands if stand.kind not in {StandKind.BAY, StandKind.SIDING}]


@dataclass(slots=True, kw_only=True)
class Standing:
    """One truck at a stand and what it has heard."""

    truck_id: str
    lanes: Sequence[str]
    chainage_m: float
    wobble_m: float = 0.0
    said: int = 0
    epoch: int = 0
    challenge_echo: int = 0
    accepted: tuple[int, int] = (0, 0)
    read: int = 0
    refusals: list[str] = field(default_factory=list)

    def report(self) -> truck_pb2.Report:
        """Where it stands."""
        now_ns = time.monotonic_ns()
        self.said += 1
        return truck_pb2.Report(
            stamp_ns=now_ns,
            lane_id=self.lanes[-1],
            chainage_m=self.chainage_m + self.wobble_m * (self.said % 2),
            bound_m=BOUND_M,
            intact=True,
            challenge=now_ns,
            challenge_echo=self.challenge_echo,
            accepted=common_pb2.Term(epoch=self.accepted[0], sequence=self.accepted[1]),
            battery_wh=300_000.0,
            friction=0.7,
        )

    def hello(self, corridor: Corridor) -> truck_pb2.TruckMessage:
        """Its first message."""
        return truck_pb2.TruckMessage(
            hello=truck_pb2.Hello(
                truck_id=self.truck_id,
                instance_id=self.truck_id,
                boot_id="1",
                truck_type_id=corridor.truck_types[0].truck_type_id,
                map_digest=corridor.digest,
                software="load",
                wire_version=CURRENT,
                body_lane_ids=self.lanes,
                report=self.report(),
            )
        )

    def hear(self, message: truck_pb2.ControlMessage) -> None:
        """Takes one message in."""
        self.read += 1
        kind = message.WhichOneof("content")
        if kind == "heartbeat":
            self.challenge_echo = message.heartbeat.challenge
        elif kind == "authority":
            self.accepted = (message.authority.term.epoch, message.authority.term.sequence)
        elif kind == "welcome":
            self.epoch = message.welcome.epoch
        elif kind in {"refusal", "report_refused"}:
            self.refusals.append(str(message))


class Load:
    """The streams of many standing trucks to one server."""

    def __init__(self, corridor: Corridor, stands: Sequence[Stand], address: str, wobble_m: float = 0.0) -> None:
        length_m = corridor.truck_types[0].length_m
        self._corridor = corridor
        self.trucks = [
            Standing(
                truck_id=f"s{row:03d}",
                lanes=[lane.lane_id for lane in lanes_under(corridor, stand.lane_id, stand.stop_m, length_m)],
                chainage_m=stand.stop_m,
                wobble_m=wobble_m,
            )
            for row, stand in enumerate(stands)
        ]
        self._channel = grpc.aio.insecure_channel(address, options=[("grpc.http2.bdp_probe", 0)])
        self._streams: list[Any] = []
        self._readers: list[asyncio.Task[None]] = []

    async def connect(self) -> None:
        """Says hello for every truck and waits for the welcomes."""
        stub = truck_pb2_grpc.TruckServiceStub(self._channel)
        for truck in self.trucks:
            stream: Any = stub.Connect()
            await stream.write(truck.hello(self._corridor))
            self._streams.append(stream)
            self._readers.append(asyncio.create_task(self._listen(stream, truck)))
            await asyncio.sleep(1.0 / CONNECTS_PER_S)
        while not all(truck.epoch for truck in self.trucks):
            refused = [refusal for truck in self.trucks for refusal in truck.refusals]
            refused += [str(reader.exception()) for reader in self._readers if reader.done()]
            if refused:
                raise ConnectionError(f"a truck was refused: {refused[0]}")
            await asyncio.sleep(REPORT_PERIOD_S)

    async def report(self, seconds: float) -> tuple[int, int]:
        """Reports for *seconds*; how many messages were written, and read meanwhile."""
        written, read = 0, self.read
        began_s = time.monotonic()
        period = 0
        while period * REPORT_PERIOD_S < seconds:
            for truck, stream in zip(self.trucks, self._streams, strict=True):
                await stream.write(truck_pb2.TruckMessage(report=truck.report()))
            written += len(self.trucks)
            period += 1
            await asyncio.sleep(max(0.0, began_s + period * REPORT_PERIOD_S - time.monotonic()))
        return written, self.read - read

    @property
    def read(self) -> int:
        """Messages read so far."""
        return sum(truck.read for truck in self.trucks)

    async def close(self) -> None:
        """Ends every stream."""
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await self._channel.close()

    async def _listen(self, stream: Any, truck: Standing) -> None:
        async for message in stream:
            truck.hear(message)
