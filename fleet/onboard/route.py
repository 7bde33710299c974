"""
The road a truck was told to follow, laid out along one continuous axis.

The wire speaks of lanes and chainages; the supervisor of metres along the truck's path. A `Path` translates. A new route must
put every lane that the truck may still be driving on exactly where the old one had it, or it is refused: an end of authority
would silently mean another place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite
from typing import Final

from fleet.errors import FleetError
from fleet.onboard.supervisor import Road
from fleet.onboard.words import LanePoint, Segment
from planner.limits import GRADE_MAX, SPEED_MAX_MPS

SEGMENTS_MAX: Final = 4096
TOUCH_M: Final = 0.001  # segments closer than this touch
SAME_M: Final = 0.01  # two routes that put a lane this near to one place agree
BEYOND_M: Final = 1.0  # a position may overshoot a lane's end by its own error


@dataclass(eq=False)
class RouteUnsound(FleetError):
    """The segments of a route do not make a road."""

    segment_ix: int
    problem: str


@dataclass(eq=False)
class RouteDisagrees(FleetError):
    """The new route leaves road that this truck may still drive on."""

    lane_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class _Span:
    """One lane of the path: its chainages [from_m, to_m) begin at path coordinate *start_m*."""

    lane_id: str
    from_m: float
    to_m: float
    start_m: float

    @property
    def end_m(self) -> float:
        """Path coordinate of *to_m*."""
        return self.start_m + self.to_m - self.from_m


@dataclass(frozen=True)
class Path:
    """Segments in order, the first one beginning at path coordinate *start_m*."""

    segments: tuple[Segment, ...]
    start_m: float

    def __post_init__(self) -> None:
        """
        Checks that the segments make a road.

        Raises:
            RouteUnsound: they do not.
        """
        if not 0 < len(self.segments) <= SEGMENTS_MAX:
            raise RouteUnsound(0, f"needs 1 to {SEGMENTS_MAX} segments, has {len(self.segments)}")
        left: set[str] = set()
        for index, segment in enumerate(self.segments):
            _check_segment(index, segment)
            if index == 0:
                continue
            before = self.segments[index - 1]
            entered = segment.lane_id != before.lane_id
            if entered:
                left.add(before.lane_id)
            if segment.lane_id in left:
                raise RouteUnsound(index, f"lane {segment.lane_id} comes twice")
            if abs(segment.start_m - (0.0 if entered else before.end_m)) > TOUCH_M:
                raise RouteUnsound(index, f"begins at {segment.start_m} m of {segment.lane_id} and does not touch the one before")

    @cached_property
    def road(self) -> Road:
        """The segments as the supervisor reads them."""
        ends: list[float] = []
        at_m = self.start_m
        for segment in self.segments:
            at_m += segment.end_m - segment.start_m
            ends.append(at_m)
        return Road(
            tuple(ends),
            tuple(segment.speed_max_mps for segment in self.segments),
            tuple(segment.grade for segment in self.segments),
            tuple(segment.no_stop for segment in self.segments),
            0,
            len(ends),
        )

    @property
    def end_m(self) -> float:
        """Path coordinate at which the road ends."""
        return self.road.end_m[-1]

    @cached_property
    def _spans(self) -> dict[str, _Span]:
        spans: dict[str, _Span] = {}
        start_m = self.start_m
        for segment, end_m in zip(self.segments, self.road.end_m, strict=True):
            span = spans.get(segment.lane_id)
            if span is None:
                spans[segment.lane_id] = _Span(segment.lane_id, segment.start_m, segment.end_m, start_m)
            else:
                spans[segment.lane_id] = replace(span, to_m=segment.end_m)
            start_m = end_m
        return spans

    def locate(self, point: LanePoint, beyond_m: float = BEYOND_M) -> float | None:
        """The path coordinate of *point*; None when it is more than *beyond_m* off this path."""
        span = self._spans.get(point.lane_id)
        if span is None or not span.from_m - beyond_m <= point.chainage_m <= span.to_m + beyond_m:
            return None
        return span.start_m + point.chainage_m - span.from_m

    def place(self, at_m: float) -> LanePoint:
        """The lane and chainage at *at_m*; a lane's end belongs to the next one, but for the last, and so does what lies beyond."""
        span = next((span for span in self._spans.values() if at_m < span.end_m), None)
        if span is None:
            span = next(reversed(self._spans.values()))
        return LanePoint(span.lane_id, span.from_m + at_m - span.start_m)

    def lanes_between(self, from_m: float, to_m: float) -> tuple[str, ...]:
        """Lanes that meet [from_m, to_m], in order."""
        return tuple(span.lane_id for span in self._between(from_m, to_m))

    def succeeded_by(self, segments: tuple[Segment, ...], from_m: float, to_m: float) -> Path:
        """
        Lays out a new route so that it agrees with this path on [from_m, to_m].

        Raises:
            RouteUnsound: the segments do not make a road.
            RouteDisagrees: a lane under those metres is missing, cut short, or elsewhere.
        """
        draft = Path(segments, 0.0)
        anchor = self.place(from_m)
        there_m = draft.locate(anchor, SAME_M)
        if there_m is None:
            raise RouteDisagrees(anchor.lane_id, f"does not hold the tail at {anchor.chainage_m:.2f} m")
        path = Path(segments, from_m - there_m)
        for span in self._between(from_m, to_m):
            if from_m < span.start_m >= to_m - SAME_M:
                continue  # held to where it begins, which is the end of the one before: whichever comes next
            for at_m in (max(span.start_m, from_m), min(span.end_m, to_m)):
                point = LanePoint(span.lane_id, span.from_m + at_m - span.start_m)
                there_m = path.locate(point, SAME_M)
                if there_m is None or abs(there_m - at_m) > SAME_M:
                    raise RouteDisagrees(span.lane_id, f"has {point.chainage_m:.2f} m of it elsewhere")
        return path

    def _between(self, from_m: float, to_m: float) -> Iterator[_Span]:
        for span in self._spans.values():
            if span.end_m > from_m and span.start_m <= to_m:
                yield span


def _check_segment(index: int, segment: Segment) -> None:
    """Holds one segment against what a road can be."""
    numbers = (segment.start_m, segment.end_m, segment.speed_max_mps, segment.grade)
    if not all(isfinite(number) for number in numbers):
        raise RouteUnsound(index, "has a number that is not finite")
    if not 0.0 <= segment.start_m < segment.end_m:
        raise RouteUnsound(index, f"needs 0 <= start < end, is [{segment.start_m}, {segment.end_m}) m")
    if not 0.0 < segment.speed_max_mps <= SPEED_MAX_MPS:
        raise RouteUnsound(index, f"has a speed limit of {segment.speed_max_mps} m/s")
    if abs(segment.grade) > GRADE_MAX:
        raise RouteUnsound(index, f"has a grade of {segment.grade}")
