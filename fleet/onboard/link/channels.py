"""Channels to one server, each over a connection of its own, on which a truck shows what it carries."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

import grpc
import grpc.aio

from fleet.clock import NS_PER_S, Clock
from fleet.onboard.link.knock import KNOCK_WITHIN_S, doorstep, somebody_opens
from fleet.papers import Papers, PapersUnusable, read_papers, stamp_of

CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16_384),
    # A fifth of each pause is drawn, so that a fleet does not come back as one.
    ("grpc.initial_reconnect_backoff_ms", 200),
    # How long one attempt may take. Where a name is called, nobody knocks first: a little longer than the kernel waits before it does.
    ("grpc.min_reconnect_backoff_ms", 1200),
    # With a pause of a second, every twentieth truck would be back later than a second after its line.
    ("grpc.max_reconnect_backoff_ms", 600),
    ("grpc.keepalive_time_ms", 2000),
    ("grpc.keepalive_timeout_ms", 2000),
    ("grpc.http2.ping_timeout_ms", 2000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 65_536),
    ("grpc.enable_retries", 0),
    # A knock goes straight to the server, and so does the line.
    ("grpc.enable_http_proxy", 0),
)
# The second stream must not come over the first one's connection.
_OWN_CONNECTION: Final = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
CONNECT_WITHIN_S: Final = 3.0

assert KNOCK_WITHIN_S < CONNECT_WITHIN_S, "who answers a knock late is still connected to"


class Channel:
    """One of them, which shows *papers*, or *credentials* where there are none."""

    def __init__(self, server: str, clock: Clock, credentials: grpc.ChannelCredentials | None, papers: Papers | None) -> None:
        self.papers = papers
        self._clock = clock
        self._door = doorstep(server)
        self._since_ns: int | None = None  # of the connection there is now; the channel makes another by itself
        shown = credentials if papers is None else papers.credentials()
        if shown is None:
            self.grpc = grpc.aio.insecure_channel(server, options=_OWN_CONNECTION)
        else:
            self.grpc = grpc.aio.secure_channel(server, shown, options=_OWN_CONNECTION)

    async def connected(self) -> None:
        """
        Returns once there is a connection.

        Raises:
            TimeoutError: there is still none; the channel goes on trying by itself.
        """
        async with asyncio.timeout(CONNECT_WITHIN_S):
            if self.grpc.get_state() is not grpc.ChannelConnectivity.READY:
                self._since_ns = None
                if self._door is not None:
                    await somebody_opens(self._door)
            await self.grpc.channel_ready()
        if self._since_ns is None:
            self._since_ns = self._clock.now_ns()

    @property
    def age_s(self) -> float:
        """How old its connection is."""
        return 0.0 if self._since_ns is None else (self._clock.now_ns() - self._since_ns) / NS_PER_S

    async def close(self) -> None:
        """Ends it, and every stream on it."""
        await self.grpc.close()


class Channels:
    """Opens them. *tls* is the folder the truck carries, *credentials* what it shows without one; with neither the line is plain."""

    def __init__(self, server: str, clock: Clock, credentials: grpc.ChannelCredentials | None, tls: Path | None) -> None:
        """
        Reads what the truck carries.

        Raises:
            PapersUnusable: something is wrong with *tls*.
        """
        self.server = server
        self.tls = tls
        self._clock = clock
        self._credentials = credentials
        self._papers = None if tls is None else read_papers(tls)

    def opened(self) -> Channel:
        """One that shows what the truck carries now."""
        return Channel(self.server, self._clock, self._credentials, self._papers)

    def outdated(self, channel: Channel) -> bool:
        """Whether the truck carries something newer than *channel* shows, that can be used."""
        if self.tls is None or self._papers is None or channel.papers is None:
            return False
        if stamp_of(self.tls) != self._papers.stamp:
            with suppress(PapersUnusable):  # the files are written one by one; in a moment they fit again
                self._papers = read_papers(self.tls)
        return self._papers.stamp != channel.papers.stamp
