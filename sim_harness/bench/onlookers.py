"""
Many who watch the fleet, in a process of their own, which may be killed: `python -m sim_harness.bench.onlookers ADDRESS COUNT`.

They count what they are told and read none of it: what is measured is the server. A line says that all of them have been told
something, and one for each line of input how many updates and bytes there have been since the last one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Final

import grpc.aio

from fleet.v1 import dispatch_pb2

METHOD: Final = "/fleet.v1.DispatchService/WatchFleet"
PERIOD_MS: Final = 500
# As many screens have one console's process between them and the server; each has a connection.
STREAMS_A_CHANNEL: Final = 10


class Onlookers:
    """*count* streams of updates from one server."""

    def __init__(self, address: str, count: int) -> None:
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 16 << 20))
        channels = -(-count // STREAMS_A_CHANNEL)
        self._channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(channels)]
        self._count = count
        self._told: set[int] = set()
        self._updates = self._bytes = 0

    async def watch(self) -> None:
        """Watches until a stream breaks."""
        request = dispatch_pb2.WatchFleetRequest()
        request.period.FromMilliseconds(PERIOD_MS)
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._one(number, request.SerializeToString()))

    async def _one(self, number: int, request: bytes) -> None:
        # Not all at the same moment: people do not come like that.
        await asyncio.sleep(number * PERIOD_MS / 1000.0 / self._count)
        watch: Any = self._channels[number % len(self._channels)].unary_stream(METHOD)
        async for update in watch(request):
            self._updates += 1
            self._bytes += len(update)
            self._told.add(number)

    @property
    def all_told(self) -> bool:
        """Whether every one of them has been told something."""
        return len(self._told) == self._count

    def taken(self) -> str:
        """What they were told since last taken."""
        updates, octets = self._updates, self._bytes
        self._updates = self._bytes = 0
        return json.dumps({"updates": updates, "bytes": octets})


async def look(address: str, count: int) -> None:
    """Looks until nobody asks any more."""
    onlookers = Onlookers(address, count)
    watching = asyncio.create_task(onlookers.watch())
    while not onlookers.all_told:
        if watching.done():
            watching.result()
        await asyncio.sleep(PERIOD_MS / 1000.0)
    print(address, flush=True)  # noqa: T201 - this is how the parent learns that they all look
    while await asyncio.to_thread(sys.stdin.readline):
        print(onlookers.taken(), flush=True)  # noqa: T201 - and this what they were told
    watching.cancel()


if __name__ == "__main__":
    asyncio.run(look(sys.argv[1], int(sys.argv[2])))
