"""Trucks that do nothing wrong, and how promptly they are heard and answered while others do."""

from __future__ import annotations

import asyncio
import math
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from fleet.server.limits import TICKS_PER_S
from fleet.v1 import truck_pb2
from planner.corridor import Corridor, StandKind
from planner.limits import HEARTBEAT_TICKS, TICK_PERIOD_NS
from sim_harness.bench.load import Load, Standing

BEATS_PER_S: Final = TICKS_PER_S // HEARTBEAT_TICKS
# A report that is sent so long before a heartbeat's tick is owed an answer in it.
OWED_NS: Final = 20_000_000
# Ticks that come late all together are judged by their neighbours.
NEIGHBOURS: Final = 10


@dataclass(slots=True)
class Beat:
    """A heartbeat as one truck heard it: of which tick, when, and when the newest report it answers was sent."""

    tick: int
    heard_ns: int
    echo_ns: int


@dataclass(slots=True)
class Watched(Standing):
    """A truck that remembers when it sent and when it heard."""

    sent_ns: list[int] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def report(self) -> truck_pb2.Report:
        """Where it stands; the challenge is when it said so."""
        report = Standing.report(self)
        self.sent_ns.append(report.challenge)
        return report

    def hear(self, message: truck_pb2.ControlMessage) -> None:
        """Takes one message in."""
        Standing.hear(self, message)
        if message.HasField("heartbeat"):
            beat = message.heartbeat
            self.beats.append(Beat(beat.tick, time.monotonic_ns(), beat.challenge_echo))
            self.news.set()


class Healthy(Load):
    """So many standing trucks of *corridor*, and what they hear from the server at *address*."""

    def __init__(self, corridor: Corridor, count: int, address: str) -> None:
        stands = [stand for stand in corridor.stands if stand.kind not in {StandKind.BAY, StandKind.SIDING}]
        super().__init__(corridor, stands[:count], address)
        self.trucks = [Watched(truck_id=truck.truck_id, lanes=truck.lanes, chainage_m=truck.chainage_m) for truck in self.trucks]

    async def connect(self) -> None:
        """Says hello for every truck, waits for the welcomes, and reports from then on."""
        await super().connect()
        self._reporting = asyncio.create_task(self.report(math.inf))

    async def close(self) -> None:
        """Falls silent."""
        self._reporting.cancel()
        await asyncio.gather(self._reporting, return_exceptions=True)
        await super().close()

    async def hear(self, seconds: float, look: Callable[[], None] = int) -> None:
        """Returns once the first truck has heard the heartbeats of so many seconds; *look* is called at each."""
        first = self.watched[0]
        for _ in range(round(seconds * BEATS_PER_S)):
            first.news.clear()
            await first.news.wait()
            look()

    def forget(self) -> None:
        """What was heard so far does not count."""
        for truck in self.watched:
            truck.beats.clear()

    @property
    def watched(self) -> Sequence[Watched]:
        """The trucks as what they are."""
        return self.trucks  # type: ignore[return-value]

    def answers_ms(self) -> list[float]:
        """
        For each heartbeat of each truck: how long after the tick it was due the truck had the answer to what it had sent in time.

        The server's ticks are where its fastest heartbeats say; a report that missed its heartbeat is as late as the next one.
        """
        ticks_ns = self._ticks_ns()
        late_ms: list[float] = []
        for truck in self.watched:
            echoes = [beat.echo_ns for beat in truck.beats]
            for at, beat in enumerate(truck.beats):
                tick_ns = ticks_ns[beat.tick]
                owed = bisect_right(truck.sent_ns, tick_ns - OWED_NS)
                answered = bisect_left(echoes, truck.sent_ns[owed - 1], lo=at) if owed else at
                if answered < len(truck.beats):
                    late_ms.append((truck.beats[answered].heard_ns - tick_ns) / 1e6)
        return late_ms

    def _ticks_ns(self) -> dict[int, int]:
        first: dict[int, int] = {}
        for truck in self.watched:
            for beat in truck.beats:
                first[beat.tick] = min(beat.heard_ns, first.get(beat.tick, beat.heard_ns))
        origin_ns = {tick: heard_ns - tick * TICK_PERIOD_NS for tick, heard_ns in first.items()}
        near: dict[int, int] = defaultdict(lambda: 1 << 62)
        for tick, at_ns in origin_ns.items():
            for neighbour in range(tick - NEIGHBOURS, tick + NEIGHBOURS + 1):
                near[neighbour] = min(near[neighbour], at_ns)
        return {tick: near[tick] + tick * TICK_PERIOD_NS for tick in first}
