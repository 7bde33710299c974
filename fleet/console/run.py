"""Serves a console until it is interrupted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import uvicorn

from fleet.client import AsyncOperator
from fleet.console.app import Console
from fleet.console.feed import Feed
from fleet.console.player import Player
from fleet.console.recording import Recording
from fleet.errors import Code, FleetError
from fleet.log import Event, Log

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
# Streams of updates have no end of their own: whoever still looks is cut off.
GOODBYE_S: Final = 1

_LOG: Final = Log("console")


@dataclass(eq=False)
class ConsoleAddressTaken(FleetError):
    """The console cannot listen there."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Name another with --listen HOST:PORT; port 0 lets the system choose."

    listen: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """
    Where a console listens, whose fleet it shows, and whether it may give commands.

    *replay*: the folder of a recording that it shows instead of a server's fleet.
    """

    server: str
    host: str = "127.0.0.1"
    port: int = 0
    steers: bool = False
    tls: Path | None = None
    replay: Path | None = None


async def run_console(settings: ConsoleSettings, started: Callable[[str], None]) -> None:
    """
    Serves until a signal ends it; *started* hears the address of the page.

    Raises:
        ConsoleAddressTaken: it cannot listen there.
        NoRecording, RecordingDamaged: what it is to show instead of a server cannot be read.
    """
    with closing(_listening(settings)) as listener:
        async with _console(settings) as (console, feed):
            app = console.app((*LOOPBACK_HOSTS, settings.host))
            server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=GOODBYE_S))
            # Whoever comes from now on waits a moment at most.
            listener.listen()
            address = f"http://{settings.host}:{listener.getsockname()[1]}/"
            shows = settings.server if settings.replay is None else str(settings.replay)
            _LOG.fact(Event.CONSOLE_STARTED, address=address, server=shows, steers=settings.steers)
            started(address)
            await _until_ended(server, listener, feed)


async def _until_ended(server: uvicorn.Server, listener: socket.socket, feed: Feed) -> None:
    """
    Whoever cancels it gets a server that has hung up, not one that is torn off its socket.

    A mistake of ours that ends *feed* ends the server too: it would go on to show as live what nobody watches.
    """

    def end(_: object) -> None:
        server.should_exit = True

    watching = asyncio.create_task(feed.run())
    watching.add_done_callback(end)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


@asynccontextmanager
async def _console(settings: ConsoleSettings) -> AsyncIterator[tuple[Console, Feed]]:
    """The console over what it shows, a server or a recording, which nobody steers; and its feed."""
    if settings.replay is None:
        async with AsyncOperator(settings.server, tls=settings.tls) as operator:
            feed = Feed(operator)
            yield Console(operator, feed, steers=settings.steers), feed
        return
    with Recording(settings.replay) as recording:
        player = Player(recording)
        feed = Feed(player)
        yield Console(player, feed, steers=False, player=player), feed


def _listening(settings: ConsoleSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host.strip("[]"), settings.port))
    except OSError as fault:
        listener.close()
        raise ConsoleAddressTaken(listen=f"{settings.host}:{settings.port}", problem=fault.strerror or str(fault)) from fault
    return listener
