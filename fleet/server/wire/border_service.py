# ruff: noqa: N802 - the methods' names are the wire's
"""Customs, gates and loaders on the wire: their proofs go to the counter, calls to them come from the board."""

from __future__ import annotations

from typing import Any

import grpc

from fleet.server.wire.call_board import CallBoard
from fleet.server.wire.counter import Counter
from fleet.server.wire.identity import actor_of
from fleet.server.wire.pump import Pumps
from fleet.server.wire.reads import Reads
from fleet.v1 import border_pb2 as b
from fleet.v1 import border_pb2_grpc

_Context = grpc.aio.ServicerContext[Any, Any]


class BorderService(border_pb2_grpc.BorderServiceServicer):
    """What customs and the yards say, and hear."""

    def __init__(self, counter: Counter, reads: Reads, board: CallBoard, pumps: Pumps) -> None:
        self._counter = counter
        self._reads = reads
        self._board = board
        self._pumps = pumps

    async def WatchBorder(self, request: b.WatchBorderRequest, context: _Context) -> None:  # type: ignore[override]  # the stub knows only generators
        """Every open call, then each new one."""
        pump = self._pumps.begin()
        watcher = self._board.watch(frozenset(request.gate_ids), pump.wake)
        try:
            self._board.catch_up(watcher, await self._reads.open_calls())
            while True:
                await pump.woken()
                for call in self._board.take(watcher):
                    await pump.write(context, call)
                pump.rest()
        finally:
            self._board.leave(watcher)
            self._pumps.end(pump)

    async def DecideCrossing(self, request: b.DecideCrossingRequest, context: _Context) -> b.Crossing:
        """Customs' answer."""
        return await self._counter.ask(request, actor_of(context), b.Crossing)

    async def ReportBarrier(self, request: b.ReportBarrierRequest, context: _Context) -> b.Gate:
        """The interlock's proof."""
        return await self._counter.ask(request, actor_of(context), b.Gate)

    async def ReportBay(self, request: b.ReportBayRequest, context: _Context) -> b.Bay:
        """The loader's proof."""
        return await self._counter.ask(request, actor_of(context), b.Bay)

    async def SetOpening(self, request: b.SetOpeningRequest, context: _Context) -> b.SetOpeningResponse:
        """Opens or closes."""
        return await self._counter.ask(request, actor_of(context), b.SetOpeningResponse)

    async def ListCrossings(self, request: b.ListCrossingsRequest, context: _Context) -> b.ListCrossingsResponse:
        """One page."""
        del context
        return await self._reads.crossings(request)

    async def ListGates(self, request: b.ListGatesRequest, context: _Context) -> b.ListGatesResponse:
        """Every gate."""
        del request, context
        return await self._reads.gates()


def register(server: grpc.aio.Server, service: BorderService) -> None:
    """Serves customs and yards on *server*."""
    border_pb2_grpc.add_BorderServiceServicer_to_server(service, server)
