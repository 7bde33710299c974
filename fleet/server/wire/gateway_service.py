"""A gateway's line: frames in, frames out; one bad frame costs itself and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import grpc

from fleet.errors import FleetError
from fleet.log import Event, Log
from fleet.server.dispatch.persons import ClaimsAnother
from fleet.server.wire.callers import caller_of
from fleet.server.wire.identity import peer_of
from fleet.server.wire.interceptors import Unreadable
from fleet.server.wire.links import Connection
from fleet.server.wire.pump import Pumps
from fleet.server.wire.switchboard import Switchboard
from fleet.v1 import gateway_pb2, gateway_pb2_grpc

METHOD: Final = "/fleet.v1.GatewayService/Relay"

_LOG: Final = Log("gateway_service")


class GatewayService(gateway_pb2_grpc.GatewayServiceServicer):
    """Connects gateways to the switchboard."""

    def __init__(self, switchboard: Switchboard, pumps: Pumps) -> None:
        self._switchboard = switchboard
        self._pumps = pumps

    async def Relay(  # type: ignore[override]  # noqa: N802 - the wire's name; the stub knows only generators
        self, request_iterator: AsyncIterator[gateway_pb2.GatewayMessage | Unreadable], context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """One gateway, until its stream ends; then every truck behind it has lost its link."""
        pump = self._pumps.begin()
        connection = self._switchboard.connect(relays=True, wake=pump.wake, caller=caller_of(context, METHOD))
        reader = asyncio.create_task(self._read(connection, request_iterator, peer_of(context)))
        try:
            while not connection.ending:
                await pump.woken()
                control = self._switchboard.take_gateway(connection)
                if control is not None:
                    await pump.write(context, control)
                pump.rest()
            if connection.fault is not None:
                raise connection.fault
        finally:
            self._pumps.end(pump)
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader
            self._switchboard.disconnected(connection)

    async def _read(self, connection: Connection, frames: AsyncIterator[gateway_pb2.GatewayMessage | Unreadable], peer: str) -> None:
        said = False
        quota = self._pumps.quota(peer)
        try:
            async with asyncio.timeout(self._pumps.patience.hello_within_s) as patience:
                async for frame in frames:
                    patience.reschedule(None)
                    try:
                        if isinstance(frame, Unreadable):
                            raise frame.fault
                        self._switchboard.hear_gateway(connection, frame)
                    except ClaimsAnother as error:
                        # It is not broken, it speaks for somebody else: nothing more of it is heard.
                        connection.end(error)
                        return
                    except FleetError as error:
                        self._switchboard.counts.refused += 1
                        if not said:  # once a stream: a broken gateway must not fill the log
                            _LOG.alarm(Event.MESSAGE_REFUSED, reason=error.reason, **error.facts())
                            said = True
                    await quota.spend()
        except TimeoutError:
            self._pumps.shed.strangers += 1
        connection.end()


def register(server: grpc.aio.Server, switchboard: Switchboard, pumps: Pumps) -> None:
    """Serves gateways on *server*."""
    gateway_pb2_grpc.add_GatewayServiceServicer_to_server(GatewayService(switchboard, pumps), server)
