"""The next minutes as they are planned, as frozen values; `values` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleet.client.site_values import LanePoint


@dataclass(frozen=True, slots=True, kw_only=True)
class CoursePoint:
    """Where a truck's nose is to be, and when."""

    place: LanePoint | None
    time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One truck's next minutes: it goes evenly between two points, and waits between two at one place."""

    truck_id: str
    points: tuple[CoursePoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The next minutes as worked out at *time*, of the trucks that drive. It promises nobody anything."""

    time: datetime | None
    courses: tuple[Course, ...]
