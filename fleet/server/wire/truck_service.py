"""The truck's own line: reads into the inbox, writes what waits in the truck's slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import grpc

from fleet.errors import FleetError
from fleet.server.wire.callers import caller_of
from fleet.server.wire.identity import peer_of
from fleet.server.wire.interceptors import Unreadable
from fleet.server.wire.links import Connection
from fleet.server.wire.pump import Pumps
from fleet.server.wire.switchboard import HelloMissing, Switchboard
from fleet.v1 import truck_pb2, truck_pb2_grpc

METHOD: Final = "/fleet.v1.TruckService/Connect"


class TruckService(truck_pb2_grpc.TruckServiceServicer):
    """Connects trucks to the switchboard."""

    def __init__(self, switchboard: Switchboard, pumps: Pumps) -> None:
        self._switchboard = switchboard
        self._pumps = pumps

    async def Connect(  # type: ignore[override]  # noqa: N802 - the wire's name; the stub knows only generators
        self, request_iterator: AsyncIterator[truck_pb2.TruckMessage | Unreadable], context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """One truck, until its stream ends, it is refused, or a newer stream takes its place."""
        pump = self._pumps.begin()
        connection = self._switchboard.connect(relays=False, wake=pump.wake, caller=caller_of(context, METHOD))
        reader = asyncio.create_task(self._read(connection, request_iterator, peer_of(context)))
        try:
            while not connection.ending:
                await pump.woken()
                for message in self._switchboard.take_truck(connection):
                    await pump.write(context, message)
                pump.rest()
        finally:
            self._pumps.end(pump)
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader
            self._switchboard.disconnected(connection)

    async def _read(self, connection: Connection, messages: AsyncIterator[truck_pb2.TruckMessage | Unreadable], peer: str) -> None:
        quota = self._pumps.quota(peer)
        try:
            async with asyncio.timeout(self._pumps.patience.hello_within_s) as patience:
                async for message in messages:
                    if isinstance(message, Unreadable):
                        raise message.fault
                    self._switchboard.hear_truck(connection, message)
                    patience.reschedule(None)
                    await quota.spend()
        except TimeoutError:
            self._pumps.shed.strangers += 1
            self._switchboard.refuse(connection, HelloMissing())
        except FleetError as error:
            self._switchboard.refuse(connection, error)
        else:
            connection.end()


def register(server: grpc.aio.Server, switchboard: Switchboard, pumps: Pumps) -> None:
    """Serves trucks on *server*."""
    truck_pb2_grpc.add_TruckServiceServicer_to_server(TruckService(switchboard, pumps), server)
