"""
Servers of one folder, one after another: each is on the site that the one before it was switched to.

When the site is switched, the server ends in good order and one on the new site begins in its place, in a new epoch, as it would
after any restart: it knows what the journal says and nothing else.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from fleet.durable import write_whole
from fleet.log import Event, Log
from fleet.server.app import Running, Server
from fleet.server.outgoing import SiteSwitch
from fleet.server.settings import ServerSettings
from fleet.server.site_facts import SiteInForce
from fleet.server.traces import NO_TRACES, Traces
from planner.corridor import Corridor

DIGEST_SHOWN: Final = 12
SITE_FILE_MODE: Final = 0o644  # no secret

_LOG: Final = Log("app")


async def serve(
    corridor: Corridor, settings: ServerSettings, started: Callable[[Running], None], traces: Traces = NO_TRACES
) -> Exception | None:
    """
    Serves until a signal asks for the end (None) or the server cannot go on (why); *started* hears where, for each site anew.
    With a damaged journal it serves, but cannot go on. *traces* see what takes time.

    Raises:
        FleetError: the server could not start.
    """
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    try:
        while True:
            server = Server(corridor, settings, traces)
            ending = asyncio.create_task(_end_when(asked, server))
            running = await server.start()
            started(running)
            fault = await server.ended()
            await server.stop()
            ending.cancel()
            if fault is not None or server.switched_to is None or asked.is_set():
                return server.damage or fault
            site = _kept_file(settings.data, server.switched_to)
            corridor = server.switched_to.corridor
            settings = replace(settings, listen=running.address, metrics=running.metrics, site=site)
    finally:
        await asyncio.to_thread(traces.close)


def _kept_file(data: Path, switch: SiteSwitch) -> str:
    """The file of the site switched to, beside its journal: the next start wants one, and so does whoever replays the input log."""
    text = next(fact.text for fact in switch.facts if isinstance(fact, SiteInForce))
    path = (data / f"{switch.corridor.site_id}-{switch.corridor.digest[:DIGEST_SHOWN]}.yaml").absolute()
    try:
        write_whole(path, text.encode(), SITE_FILE_MODE)
    except OSError as fault:
        # The journal has it too: `fleet journal site` gives it.
        _LOG.alarm(Event.SITE_FILE_LOST, path=str(path), problem=str(fault))
        return ""
    _LOG.fact(Event.SITE_FILE_KEPT, path=str(path))
    return str(path)


async def _end_when(asked: asyncio.Event, server: Server) -> None:
    await asked.wait()
    server.ask_to_end()
