"""
The simulator's lines to a server over real gRPC: one stream a truck, one for the border's calls, one to drive the clock.

Everything on them is counted, both ways: lockstep rests on it. Who only looks has a line of his own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import grpc
import grpc.aio

from fleet.v1 import (
    border_pb2,
    border_pb2_grpc,
    dispatch_pb2,
    dispatch_pb2_grpc,
    lockstep_pb2,
    lockstep_pb2_grpc,
    truck_pb2,
    truck_pb2_grpc,
)
from sim_harness import link

MOVING: Final = "moving"
ARRIVE_WITHIN_S: Final = 30.0
ASK_WITHIN_S: Final = 30.0
PAGE_SIZE: Final = 1000
# What is read of a whole fleet is larger than any word between a truck and its server.
ANSWER_BYTES_MAX: Final = 16 << 20


class MessagesLost(RuntimeError):
    """The server counted messages that never came."""


async def pages(method: Any, request: Callable[..., Any]) -> list[Any]:
    """Every page of a list that *method* answers *request* with."""
    found = [await method(request(page_size=PAGE_SIZE), timeout=ASK_WITHIN_S)]
    while token := found[-1].next_page_token:
        found.append(await method(request(page_size=PAGE_SIZE, page_token=token), timeout=ASK_WITHIN_S))
    return found


class Lines:
    """All lines of one run to the server at *address*."""

    def __init__(self, address: str, options: Sequence[tuple[str, int]], truck_count: int) -> None:
        self._address = address
        self._options = list(options)
        self._truck_count = truck_count
        self._streams: list[Any] = []
        self._readers: list[asyncio.Task[None]] = []
        self._control: list[list[truck_pb2.ControlMessage]] = [[] for _ in range(truck_count)]
        self._border: list[border_pb2.BorderCall] = []
        self._sent = 0
        self._received = 0
        self._more = asyncio.Event()
        self._stepping = False

    async def open(self) -> None:
        """Connect everything. A border watcher that comes late misses nothing: it begins with every call still open."""
        self._channel = grpc.aio.insecure_channel(self._address, options=self._options)
        await asyncio.wait_for(self._channel.channel_ready(), ARRIVE_WITHIN_S)
        self._dispatch = dispatch_pb2_grpc.DispatchServiceStub(self._channel)
        self._onlooker = grpc.aio.insecure_channel(self._address, options=[("grpc.max_receive_message_length", ANSWER_BYTES_MAX)])
        self._looks = dispatch_pb2_grpc.DispatchServiceStub(self._onlooker)
        self._border_desk = border_pb2_grpc.BorderServiceStub(self._channel)
        self._drive: Any = lockstep_pb2_grpc.LockstepServiceStub(self._channel).Drive()
        watch = self._border_desk.WatchBorder(border_pb2.WatchBorderRequest())
        self._readers.append(asyncio.create_task(self._watch(watch)))
        stub = truck_pb2_grpc.TruckServiceStub(self._channel)
        for row in range(self._truck_count):
            stream: Any = stub.Connect()
            self._streams.append(stream)
            self._readers.append(asyncio.create_task(self._listen(row, stream)))

    async def close(self) -> None:
        """Hang up."""
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await self._channel.close()
        await self._onlooker.close()

    async def _listen(self, row: int, stream: Any) -> None:
        async for message in stream:
            self._control[row].append(message)
            self._note()

    async def _watch(self, watch: Any) -> None:
        async for call in watch:
            self._border.append(call)
            self._note()

    def _note(self) -> None:
        self._received += 1
        self._more.set()

    async def say(self, said: Sequence[Sequence[truck_pb2.TruckMessage]]) -> None:
        """Send what the trucks say, row by row; the streams do not wait for each other."""
        self._sent += sum(len(messages) for messages in said)
        speaking = [self._speak(self._streams[row], messages) for row, messages in enumerate(said) if messages]
        await asyncio.gather(*speaking)

    @staticmethod
    async def _speak(stream: Any, messages: Sequence[truck_pb2.TruckMessage]) -> None:
        for message in messages:
            await stream.write(message)

    async def ask(self, method: str, request: link.Request) -> tuple[str, str] | None:
        """Make a unary request; method and reason when it was refused, else None."""
        self._sent += 1
        service, _, name = method.partition("/")
        stub = self._dispatch if service == "DispatchService" else self._border_desk
        try:
            await getattr(stub, name)(request, timeout=ASK_WITHIN_S)
        except grpc.aio.AioRpcError as refused:
            return method, str(refused.details())
        return None

    async def begin_step(self, now_ns: int) -> None:
        """Let the server run one tick as soon as it has heard all that was said."""
        # Requests begun this tick run as tasks of their own: each must be on its way before it is counted as sent.
        await asyncio.sleep(0)
        await self._drive.write(lockstep_pb2.LockstepStep(now_ns=now_ns, messages_sent=self._sent))
        self._stepping = True

    async def end_step(self) -> None:
        """
        Wait for the tick under way, if any, and for all that the server said in it.

        Raises:
            MessagesLost: it counted more than ever came.
        """
        if not self._stepping:
            return
        self._stepping = False
        stepped = await self._drive.read()
        if not isinstance(stepped, lockstep_pb2.LockstepStepped):
            raise MessagesLost("the server stopped stepping")
        try:
            async with asyncio.timeout(ARRIVE_WITHIN_S):
                while self._received < stepped.messages_sent:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError as late:
            raise MessagesLost(f"{self._received} of {stepped.messages_sent} messages came") from late

    def take_control(self) -> list[tuple[int, truck_pb2.ControlMessage]]:
        """What the trucks were told since last taken, truck by truck."""
        heard = [(row, message) for row, messages in enumerate(self._control) for message in messages]
        for messages in self._control:
            messages.clear()
        return heard

    def take_calls(self) -> list[link.Heard]:
        """What the server asked of the border since last taken."""
        calls = [read for read in map(link.read_call, self._border) if read is not None]
        self._border.clear()
        return calls

    async def sentence(self, truck_id: str) -> str:
        """In the server's own words why a truck stands; "" when it knows no such truck."""
        try:
            answer = await self._looks.ExplainHold(dispatch_pb2.ExplainHoldRequest(truck_id=truck_id), timeout=ASK_WITHIN_S)
        except grpc.aio.AioRpcError as refused:
            if refused.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return ""
        return str(answer.sentence)

    async def why(self, truck_id: str) -> tuple[str, str] | None:
        """The root of why a truck stands; None while the server does not see it stand."""
        answer = await self._looks.ExplainHold(dispatch_pb2.ExplainHoldRequest(truck_id=truck_id), timeout=ASK_WITHIN_S)
        # A truck that drives on is in nobody's books: whoever waits for it waits for a truck.
        standing = [link for link in answer.causes if link.kind != MOVING]
        return (standing[-1].kind, standing[-1].subject_id) if standing else None

    async def trucks(self) -> list[dispatch_pb2.Truck]:
        """All trucks that the server knows."""
        return [truck for page in await pages(self._looks.ListTrucks, dispatch_pb2.ListTrucksRequest) for truck in page.trucks]

    async def frictions(self) -> dict[str, float]:
        """The lowest friction that it believes in, by lane."""
        answer = await self._looks.ListLanes(dispatch_pb2.ListLanesRequest(), timeout=ASK_WITHIN_S)
        return {lane.lane_id: lane.friction for lane in answer.lanes}

    async def delivered(self) -> list[int]:
        """What of each order was delivered, oldest order first."""
        listed = await pages(self._looks.ListTransportOrders, dispatch_pb2.ListTransportOrdersRequest)
        return [order.delivered_count for page in listed for order in page.orders]
