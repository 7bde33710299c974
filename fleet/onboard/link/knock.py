"""
Whether anybody takes connections at an address: asked by connecting, a few times a second, until somebody does.

gRPC tries by itself, but one try at a time. While packets are dropped a try lasts until the kernel gives it another packet a second
later, so a line that is mended right after its try began stays unused for that second. Knocks overlap: whoever is back answers
the next one, and one that is far away has time to answer an early one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

KNOCK_PERIOD_S: Final = 0.3
KNOCK_WITHIN_S: Final = 1.2  # so that four are under way at most


def doorstep(server: str) -> tuple[str, int] | None:
    """
    The address and port of HOST:PORT; None where HOST is a name, *localhost* too.

    Asking for a name may take longer than a knock, in a thread of which there are few: that is left to gRPC.
    """
    host, _, port = server.rpartition(":")
    try:
        return str(ip_address(host.removeprefix("[").removesuffix("]"))), int(port)
    except ValueError:
        return None


async def somebody_opens(door: tuple[str, int]) -> None:
    """Returns once a connection has been taken there; it is closed again, as the others are."""
    opened = asyncio.Event()
    knocks: set[asyncio.Task[None]] = set()
    try:
        while not opened.is_set():
            knock = asyncio.create_task(_knock(door, opened))
            knocks.add(knock)
            knock.add_done_callback(knocks.discard)
            with suppress(TimeoutError):
                await asyncio.wait_for(opened.wait(), KNOCK_PERIOD_S)
    finally:
        left = list(knocks)
        for knock in left:
            knock.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _knock(door: tuple[str, int], opened: asyncio.Event) -> None:
    with suppress(OSError):  # a time that is up is one of those
        async with asyncio.timeout(KNOCK_WITHIN_S):
            _, writer = await asyncio.open_connection(*door)
        writer.transport.abort()
        opened.set()
