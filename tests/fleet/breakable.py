"""A line that can be cut, stalled in either direction, and mended: a relay on loopback between trucks and their server."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

CHUNK: Final = 65_536
PLUGS: Final = 4
# With a linger of no time a socket is reset when it is closed, as a line is that somebody tears out.
_RESET: Final = struct.pack("ii", 1, 0)


class Breakable:
    """Passes bytes on between whoever connects and *server*."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._listener: asyncio.Server | None = None
        self._port = 0
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._lines: set[asyncio.Task[None]] = set()
        self._plug: list[socket.socket] = []
        self._up.set()
        self._down.set()

    @property
    def address(self) -> str:
        """Where trucks connect."""
        return f"127.0.0.1:{self._port}"

    async def open(self) -> None:
        """Takes connections, on the same port each time."""
        self._listener = await asyncio.start_server(self._accepted, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Resets every connection, and refuses new ones."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        lines, self._lines = self._lines, set()
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def stall(self, *, up: bool = True, down: bool = True) -> None:
        """Passes nothing on, towards the server or from it, as when packets are dropped: nobody is told."""
        if up:
            self._up.clear()
        if down:
            self._down.clear()

    async def drop(self) -> None:
        """Drops every packet: stalls both ways, and whoever connects anew hears nothing at all, not even a refusal."""
        await self.stall()
        if self._listener is not None:
            self._listener.close()
        self._listener = None
        # The kernel drops whoever knocks at a port whose queue is full.
        full = socket.socket()
        full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        full.bind(("127.0.0.1", self._port))
        full.listen(0)
        waiting = [socket.socket() for _ in range(PLUGS)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", self._port))
        self._plug = [full, *waiting]

    async def mend(self) -> None:
        """All is well again; what was stalled comes through."""
        for each in self._plug:
            each.close()
        self._plug.clear()
        self._up.set()
        self._down.set()
        if self._listener is None:
            await self.open()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.ensure_future(self._pass_on(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            to_server, at_server = await asyncio.open_connection(*self._server)
            writers.append(at_server)
            ways = [
                asyncio.ensure_future(_pump(reader, at_server, self._up)),
                asyncio.ensure_future(_pump(to_server, writer, self._down)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            for end in writers:
                with suppress(OSError):
                    end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event) -> None:
    while chunk := await reader.read(CHUNK):
        await flows.wait()
        writer.write(chunk)
        await writer.drain()


# How a line breaks. What is stalled is told to nobody, also in one direction.
WAYS: Final[Mapping[str, Callable[[Breakable], Awaitable[None]]]] = {
    "cut": Breakable.cut,
    "dropped": Breakable.drop,
    "stalled": Breakable.stall,
    "stalled upwards": lambda line: line.stall(down=False),
    "stalled downwards": lambda line: line.stall(up=False),
}


@asynccontextmanager
async def breakable(server: str) -> AsyncIterator[Breakable]:
    """A line to *server*, whole at first."""
    line = Breakable(server)
    await line.open()
    try:
        yield line
    finally:
        await line.cut()
