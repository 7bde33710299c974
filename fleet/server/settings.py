"""
How the server serves: frozen, and checked once where one number leans on another.

The transport's timers are the second net; the first is the heartbeat of the control loop. They matter all the same: TCP alone takes
minutes to notice a cut cable.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from fleet.server.limits import (
    CONNECTION_IDLE_MAX_MS,
    CONNECTIONS_MAX,
    HANDSHAKE_WITHIN_MS,
    METADATA_BYTES_MAX,
    READ_BYTES_MAX,
    RECEIVE_BYTES_MAX,
    STREAMS_PER_CONNECTION_MAX,
)
from planner.limits import TICK_PERIOD_NS
from planner.policy import BLOCK_M, MOVING

Options: TypeAlias = tuple[tuple[str, int], ...]

TICK_NS: Final = TICK_PERIOD_NS
INPUT_LOG_H_MAX: Final = 24.0 * 366
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """Of every gRPC connection; milliseconds."""

    receive_bytes_max: int = RECEIVE_BYTES_MAX  # most methods are held to less before a message is parsed
    metadata_bytes_max: int = METADATA_BYTES_MAX
    read_bytes_max: int = READ_BYTES_MAX
    streams_max: int = STREAMS_PER_CONNECTION_MAX
    keepalive_ms: int = 2000
    keepalive_timeout_ms: int = 2000
    ping_timeout_ms: int = 2000
    handshake_timeout_ms: int = HANDSHAKE_WITHIN_MS
    connection_idle_max_ms: int = CONNECTION_IDLE_MAX_MS
    connection_age_max_ms: int = 3_600_000
    connection_age_grace_ms: int = 10_000

    def __post_init__(self) -> None:
        # The shorter of the two is what notices a frozen peer; a longer one would only look like a promise.
        if self.ping_timeout_ms > self.keepalive_timeout_ms:
            raise ValueError("ping_timeout_ms must not exceed keepalive_timeout_ms")
        # A stream that is asked to leave must have time to be replaced before it is cut.
        if self.connection_age_grace_ms < 2 * self.keepalive_ms:
            raise ValueError("connection_age_grace_ms must be at least twice keepalive_ms")

    def server_options(self, *, connections_max: int = CONNECTIONS_MAX) -> Options:
        """As gRPC wants them."""
        return (
            ("grpc.max_receive_message_length", self.receive_bytes_max),
            ("grpc.max_metadata_size", self.metadata_bytes_max),
            # A bit for each algorithm, of which the lowest is none at all: what comes compressed is refused unread.
            ("grpc.compression_enabled_algorithms_bitset", 1),
            ("grpc.max_allowed_incoming_connections", connections_max),
            ("grpc.max_concurrent_streams", self.streams_max),
            # With probing on, a stalled reader is sent minutes of stale messages.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.keepalive_time_ms", self.keepalive_ms),
            ("grpc.keepalive_timeout_ms", self.keepalive_timeout_ms),
            ("grpc.http2.ping_timeout_ms", self.ping_timeout_ms),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
            ("grpc.http2.max_ping_strikes", 0),
            ("grpc.server_handshake_timeout_ms", self.handshake_timeout_ms),
            ("grpc.max_connection_idle_ms", self.connection_idle_max_ms),
            ("grpc.max_connection_age_ms", self.connection_age_max_ms),
            ("grpc.max_connection_age_grace_ms", self.connection_age_grace_ms),
            ("grpc.so_reuseport", 0),
            ("grpc.experimental.tcp_max_read_chunk_size", self.read_bytes_max),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """
    One `fleet serve`. *listen* is HOST:PORT, port 0 lets the system choose; *lockstep* takes the clock from a simulator.

    *day_start_s*: seconds after local midnight at the start, or None for the wall's time. *site*: the site's name or file, for the
    replay of its input log, which keeps *input_log_h* hours, 0 for none, and never more than *input_log_bytes_max*. *policy*: how road
    is given out, one of `planner.policy`. *tls*: folder with the server's certificate and the CAs of its callers; None serves plaintext.
    *metrics*: HOST:PORT for scrapers, in plain HTTP, empty for none.
    """

    data: Path
    listen: str = "127.0.0.1:50051"
    lockstep: bool = False
    day_start_s: int | None = None
    transport: TransportSettings = TransportSettings()
    # A restart replays at most this many facts on top of a snapshot, about a second's work, or as many as the snapshot has: see `journal.pace`.
    snapshot_facts: int = 5000
    site: str = ""
    input_log_h: float = 24.0
    input_log_bytes_max: int = 2 << 30
    policy: str = MOVING
    tls: Path | None = None
    metrics: str = ""

    def __post_init__(self) -> None:
        host = _host_of("listen", self.listen)
        if self.metrics:
            _host_of("metrics", self.metrics)
            if self.lockstep:
                raise ValueError("metrics are of real time: a server that a simulator drives has none")
        # Without certificates anybody who reaches the port may drive trucks.
        if self.tls is None and not self.is_local:
            raise ValueError(f"without certificates (--tls DIR) the server listens on loopback only, not on {host!r}")
        if self.day_start_s is not None and not 0 <= self.day_start_s < 86_400:
            raise ValueError("day_start_s must lie in a day")
        if self.policy not in BLOCK_M:
            raise ValueError(f"there is no policy {self.policy!r}; there are {', '.join(BLOCK_M)}")
        if not 0.0 <= self.input_log_h <= INPUT_LOG_H_MAX:
            raise ValueError(f"input_log_h must lie in [0, {INPUT_LOG_H_MAX:g}]")

    @property
    def is_local(self) -> bool:
        """Whether nobody but this machine can reach it."""
        return self.host in LOOPBACK_HOSTS

    @property
    def host(self) -> str:
        """Where it listens, without the port."""
        return self.listen.rpartition(":")[0]


def _host_of(name: str, address: str) -> str:
    """
    The host of HOST:PORT.

    Raises:
        ValueError: *name* is none.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ValueError(f"{name} must be HOST:PORT, is {address!r}")
    return host
