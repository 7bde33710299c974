"""
The health of one server at one moment, as one value that nobody changes any more.

Counts are since the server started, or since it last switched sites. A *spread* is of the last minute. *alarms* are since the process
began, trips, containers and tonnes since the journal did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class HealthState(IntEnum):
    """Whether the server does its work; numbers as on the wire."""

    STARTING = 1
    SERVING = 2
    NOT_GRANTING = 3  # the journal takes nothing, or lags: stops leave, grants do not
    STANDING_STILL = 4  # the journal is damaged
    NOT_TICKING = 5
    ENDING = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How *count* durations of the last minute lie; all 0 for none."""

    count: int = 0
    p50_ns: int = 0
    p99_ns: int = 0
    max_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Every duration since the start: *counts* by the first of *bounds_s* that it does not exceed, and last those beyond all."""

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TickHealth:
    """
    The control loop: how long ticks *took*, how *late* they began.

    *overrun_count* took longer than there is between two, *missed_count* were never run. *behind_ticks* is 0 when all is well.
    """

    tick: int
    took: Spread
    late: Spread
    every: Histogram
    overrun_count: int
    missed_count: int
    behind_ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionHealth:
    """What the loop decided, by cause where it has one; *standing*: trucks now, *standing_s*: truck-seconds."""

    grants: int
    shortenings: Mapping[str, int]
    stops: Mapping[str, int]
    standing: Mapping[str, int]
    standing_s: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TruckHealth:
    """Trucks by *sessions*; *report_age*: of those on a line, now."""

    sessions: Mapping[str, int]
    laden_count: int
    report_age: Spread
    links_lost: int
    reports_refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskHealth:
    """The journal's folder: bytes of its file, of the log beside it and of its archive; bytes left; whether the reserve is there."""

    bytes: int = 0
    log_bytes: int = 0
    archive_bytes: int = 0
    pages: int = 0
    free_bytes: int = 0
    reserve_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHealth:
    """The journal; *has_room*: grants may be promised. *snapshot_ns*: age of the newest snapshot, None for none since the start."""

    sequence: int
    commit: Spread
    every: Histogram
    disk: DiskHealth
    has_room: bool
    snapshot_ns: int | None
    facts_since_snapshot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHealth:
    """Messages of trucks and gateways."""

    heard: int
    said: int
    refused: int
    forged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TruckClock:
    """
    A truck's clock less the server's, known to within *uncertainty_ns*.

    Each truck counts from an origin of its own: only a change means anything. *drift_ns* is how far the offset has certainly moved.
    """

    truck_id: str
    offset_ns: int
    uncertainty_ns: int
    drift_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """
    How the server is, at *at_ns* (Unix). *reason*: why *state* is not SERVING, empty when it is.

    *clocks*: the trucks whose clocks are known worst, the worst first. *uncertainty*: of every truck's that is known.
    """

    at_ns: int
    state: HealthState
    reason: str
    software: str
    wire_versions: tuple[int, ...]
    site_id: str
    epoch: int
    up_ns: int
    ticks: TickHealth
    decisions: DecisionHealth
    trucks: TruckHealth
    journal: JournalHealth
    messages: MessageHealth
    shed: Mapping[str, int]
    queues: Mapping[str, int]
    alarms: Mapping[str, int]
    round_trips: int
    containers_delivered: int
    tonnes: float
    clocks: tuple[TruckClock, ...]
    uncertainty: Spread
    drift_max_ns: int
