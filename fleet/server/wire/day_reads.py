"""
What a day came to, against the most that the site could carry.

The bound is a linear program that takes a fraction of a second: it is solved on a thread of its own, once for a site and a number of
trucks, and nobody solves two at a time. Neither the loop nor the streams wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from google.protobuf.duration_pb2 import Duration

from fleet.clock import NS_PER_S
from fleet.errors import InvalidField
from fleet.server.commands import TruckAnswer
from fleet.server.dispatch.day import DAY_S, HourKept
from fleet.server.wire.codec_answers import stamp
from fleet.server.wire.counter import BetweenTicks
from fleet.v1 import dispatch_pb2 as d
from planner.bound import Bound, BoundQuestion, upper_bound
from planner.corridor import Corridor

# Noon of a local day lies in it, whatever the clocks did at night.
NOON: Final = timedelta(hours=12)
# A calendar ends somewhere, and a day begins a while before or after it does elsewhere.
YEARS: Final = range(1970, 9999)


class Remembering(Protocol):
    """Whoever knows what the hours came to."""

    def hours(self) -> Sequence[HourKept]:
        """What the hours of the last days came to, the oldest first; the last is the present one."""
        ...

    def trucks(self) -> Sequence[TruckAnswer]:
        """What the desk knows of every truck."""
        ...


class Calendar:
    """
    Local days of a site by number, as the desk counts them.

    *utc_at_zero_ns*: Unix time of control time 0. *day_start_s*: seconds after local midnight at control time 0.
    """

    def __init__(self, corridor: Corridor, utc_at_zero_ns: int, day_start_s: int) -> None:
        self.time_zone = corridor.yards[0].timezone
        self._zone = ZoneInfo(self.time_zone)
        self._utc_at_zero_ns = utc_at_zero_ns
        self._midnight_ns = utc_at_zero_ns - day_start_s * NS_PER_S

    def begin_ns(self, day: int) -> int:
        """Unix time of a day's local midnight."""
        return self._midnight_ns + day * DAY_S * NS_PER_S

    def date_of(self, day: int) -> date:
        """The date of a day."""
        return (datetime.fromtimestamp(self.begin_ns(day) // NS_PER_S, UTC) + NOON).astimezone(self._zone).date()

    def day_of(self, wanted: date) -> int:
        """The day of a date."""
        return (wanted - self.date_of(0)).days


class DayReads:
    """Answers whoever asks for a day of *corridor*."""

    def __init__(self, between: BetweenTicks, remembering: Remembering, corridor: Corridor, calendar: Calendar) -> None:
        self._between = between
        self._remembering = remembering
        self._corridor = corridor
        self._calendar = calendar
        self._bounds: dict[int, d.DayBound | None] = {}
        self._solving = asyncio.Lock()

    async def day(self, request: d.GetDayRequest) -> d.Day:
        """
        One day; one that nothing is known of has no hours.

        Raises:
            InvalidField: the date is none.
        """
        wanted = date_of(request.date) if request.date else None
        hours, truck_count = await self._between.read(self._read)
        day = hours[-1].day if wanted is None else self._calendar.day_of(wanted)
        async with self._solving:
            if truck_count not in self._bounds:
                self._bounds[truck_count] = await asyncio.to_thread(bound_of, self._corridor, truck_count)
        return day_message(self._calendar, day, hours, self._bounds[truck_count])

    def _read(self) -> tuple[Sequence[HourKept], int]:
        return self._remembering.hours(), in_service(self._remembering.trucks())


def date_of(text: str) -> date:
    """
    A date as the wire has it.

    Raises:
        InvalidField: it is none.
    """
    try:
        found = date.fromisoformat(text)
    except ValueError as wrong:
        raise InvalidField(name="date", problem="must be a day such as 2026-11-25") from wrong
    if found.year not in YEARS:
        raise InvalidField(name="date", problem=f"must lie between {YEARS.start} and {YEARS.stop - 1}")
    return found


def in_service(trucks: Sequence[TruckAnswer]) -> int:
    """How many trucks are counted on."""
    return sum(not truck.decommissioned for truck in trucks)


def bound_of(corridor: Corridor, truck_count: int) -> d.DayBound | None:
    """The most that *corridor* could carry in a whole day; None where nothing goes round. Takes a fraction of a second."""
    if not truck_count:
        return None
    windows = corridor.windows
    # Windows touch at most; a site whose windows overlap is not open for longer than a day.
    open_s = float(min(DAY_S, sum(window.close_s - window.open_s for window in windows))) if windows else float(DAY_S)
    try:
        bound: Bound = upper_bound(corridor, BoundQuestion.of(corridor, truck_count=truck_count, open_s=open_s))
    except ValueError:
        return None
    return d.DayBound(
        bottleneck=bound.name,
        capacity_per_h=bound.capacity_per_h,
        round_trips=bound.round_trips,
        cycle=_lasting(bound.cycle_s),
        open=_lasting(open_s),
        truck_count=truck_count,
    )


def day_message(calendar: Calendar, day: int, hours: Sequence[HourKept], bound: d.DayBound | None) -> d.Day:
    """The hours of *day* as the wire has them."""
    return d.Day(
        date=calendar.date_of(day).isoformat(),
        time_zone=calendar.time_zone,
        begin_time=stamp(calendar.begin_ns(day)),
        hours=[_hour(hour) for hour in hours if hour.day == day and (hour.watched_s or hour.round_trips or hour.containers)],
        bound=bound,
    )


def _hour(hour: HourKept) -> d.DayHour:
    waiting = sorted(hour.waiting_s.items(), key=lambda item: (-item[1], item[0]))
    return d.DayHour(
        hour=hour.hour,
        round_trips=hour.round_trips,
        containers_delivered=hour.containers,
        tonnes=hour.tonnes,
        watched=_lasting(hour.watched_s),
        waiting=[d.CauseTime(kind=kind, duration=_lasting(seconds)) for kind, seconds in waiting],
    )


def _lasting(seconds: float) -> Duration:
    lasting = Duration()
    lasting.FromMilliseconds(round(seconds * 1000.0))
    return lasting
