"""
The least a Python server can do with the same traffic: read every message, write as many as ours wrote, decide nothing.

Run as a process of its own: `python -m sim_harness.bench.bare WRITES_PER_READ`; the port is printed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc

from fleet.server.settings import TransportSettings
from fleet.v1 import truck_pb2, truck_pb2_grpc


class BareTruckService(truck_pb2_grpc.TruckServiceServicer):
    """Answers reports with heartbeats at a fixed ratio."""

    def __init__(self, writes_per_read: float) -> None:
        self._writes_per_read = writes_per_read

    async def Connect(  # type: ignore[override]  # noqa: N802 - the wire's name; the stub knows only generators
        self, request_iterator: AsyncIterator[truck_pb2.TruckMessage], context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """One truck."""
        await context.write(truck_pb2.ControlMessage(welcome=truck_pb2.Welcome(epoch=1)))
        owed, tick = 0.0, 0
        async for message in request_iterator:
            owed += self._writes_per_read
            while owed >= 1.0:
                owed -= 1.0
                tick += 1
                heartbeat = truck_pb2.Heartbeat(tick=tick, challenge_echo=message.report.challenge, challenge=tick, epoch=1)
                await context.write(truck_pb2.ControlMessage(heartbeat=heartbeat))


async def serve(writes_per_read: float) -> None:
    """Serves until killed."""
    server = grpc.aio.server(options=TransportSettings().server_options())
    truck_pb2_grpc.add_TruckServiceServicer_to_server(BareTruckService(writes_per_read), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)  # noqa: T201 - this is how the parent learns the port
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
