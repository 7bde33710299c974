"""
The next minutes as they are planned now, for whoever asks.

The fleet is copied between two ticks; what follows from it is worked out on a thread of its own, for all who ask within some seconds,
by one at a time. Neither the loop nor the streams wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from fleet.clock import NS_PER_S
from fleet.server.wire.codec_answers import AnswerWriter
from fleet.server.wire.counter import BetweenTicks
from fleet.v1 import common_pb2
from fleet.v1 import dispatch_pb2 as d
from planner.foresight.course import courses_of
from planner.foresight.seen import Chart, Seen
from planner.foresight.turns import Turns

FRESH_NS: Final = 2 * NS_PER_S  # trucks drive a length meanwhile, and a page asks no oftener


@dataclass(frozen=True, slots=True, kw_only=True)
class AheadRead:
    """The fleet as one tick left it, with the turns in force; trucks' names by row."""

    seen: Seen
    chart: Chart
    turns: Turns | None
    truck_ids: Sequence[str]


class Foreseeing(Protocol):
    """Whoever has a fleet."""

    def ahead(self, due_ns: int) -> AheadRead | None:
        """What the next minutes are worked out from; None before control time *due_ns*."""
        ...


class PlanReads:
    """Answers whoever asks for the plan. *lane_ids*: by row."""

    def __init__(self, between: BetweenTicks, foreseeing: Foreseeing, lane_ids: Sequence[str], writer: AnswerWriter) -> None:
        self._between = between
        self._foreseeing = foreseeing
        self._lane_ids = lane_ids
        self._writer = writer
        self._working = asyncio.Lock()
        self._kept = d.Plan()
        self._due_ns = 0  # in control time, when it is worked out anew

    async def plan(self) -> d.Plan:
        """The next minutes."""
        async with self._working:
            read = await self._between.read(lambda: self._foreseeing.ahead(self._due_ns))
            if read is not None:
                self._kept = await asyncio.to_thread(self._worked_out, read)
                self._due_ns = read.seen.now_ns + FRESH_NS
            return self._kept

    def _worked_out(self, read: AheadRead) -> d.Plan:
        at, lane_ids = self._writer.at, self._lane_ids
        courses = [
            d.Course(
                truck_id=read.truck_ids[course.row],
                points=[
                    d.CoursePoint(place=common_pb2.LanePoint(lane_id=lane_ids[lane], chainage_m=chainage_m), time=at(at_ns))
                    for at_ns, lane, chainage_m in course.points
                ],
            )
            for course in courses_of(read.seen, read.chart, read.turns)
        ]
        return d.Plan(time=at(read.seen.now_ns), courses=courses)
