"""How the server itself is, as frozen values named and made as those in `values`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Durations of the last minute, seconds."""

    count: int
    p50: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCount:
    """A number under a name of the server's."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TickHealth:
    """The control loop: how long ticks took, and how late they began; *behind_ticks* is 0 when all is well."""

    tick: int
    took: Spread | None
    late: Spread | None
    overrun_count: int
    missed_count: int
    behind_ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionHealth:
    """What the loop decided, since the start; *standing*: trucks now, by cause."""

    grants: int
    shortenings: tuple[NamedCount, ...]
    stops: tuple[NamedCount, ...]
    standing: tuple[NamedCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TruckHealth:
    """Trucks by session, and how old their newest reports are."""

    sessions: tuple[NamedCount, ...]
    laden_count: int
    report_age: Spread | None
    links_lost: int
    reports_refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHealth:
    """The journal and its disk; *snapshot_age* seconds, None for none since the start."""

    sequence: int
    commit: Spread | None
    bytes: int
    log_bytes: int
    archive_bytes: int
    pages: int
    disk_free_bytes: int
    reserve_kept: bool
    has_room: bool
    snapshot_age: float | None
    facts_since_snapshot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHealth:
    """Messages of trucks and gateways, since the start."""

    heard: int
    said: int
    refused: int
    forged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TruckClock:
    """A truck's clock less the server's, seconds; each counts from an origin of its own, so only *drift* means anything."""

    truck_id: str
    offset: float | None
    uncertainty: float | None
    drift: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the server is; *reason*: why *state* is not `serving`. *clocks*: the trucks' that are known worst."""

    time: datetime | None
    state: str
    reason: str
    software: str
    wire_versions: tuple[int, ...]
    site_id: str
    epoch: int
    up: float | None
    ticks: TickHealth | None
    decisions: DecisionHealth | None
    trucks: TruckHealth | None
    journal: JournalHealth | None
    shed: tuple[NamedCount, ...]
    queues: tuple[NamedCount, ...]
    alarms: tuple[NamedCount, ...]
    messages: MessageHealth | None
    round_trips: int
    containers_delivered: int
    tonnes: float
    clocks: tuple[TruckClock, ...]
