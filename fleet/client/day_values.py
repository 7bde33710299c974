"""What a day came to, as frozen values; `values` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseTime:
    """Truck seconds of one cause."""

    kind: str
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DayHour:
    """One hour of a local day, 0 to 23; *watched* are the seconds of it in which the server looked at a fleet."""

    hour: int
    round_trips: int
    containers_delivered: int
    tonnes: float
    watched: float | None
    waiting: tuple[CauseTime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBound:
    """The most that a site could carry with its fleet, and what binds; *cycle* and *open* are seconds."""

    bottleneck: str
    capacity_per_h: float
    round_trips: float
    cycle: float | None
    open: float | None
    truck_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One local day of the site: hours in which there was a server and a fleet, and the bound, where trucks can go round."""

    date: str
    time_zone: str
    begin_time: datetime | None
    hours: tuple[DayHour, ...]
    bound: DayBound | None
