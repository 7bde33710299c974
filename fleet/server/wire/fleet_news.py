"""
The fleet as those who watch it are told of it: looked at once for all of them, and put together once for all who have seen the same.

A look has a number, and each truck has that of the look in which it last changed. Whoever watches says which number he has seen, and
hears of the trucks that changed since. A hundred people who watch then cost the control loop and this thread hardly more than one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Final

from fleet.v1 import dispatch_pb2 as d

# A look is young enough for whoever watches already while the loop has not ticked since.
YOUNG_S: Final = 0.1
NOTHING_SEEN: Final = 0


class FleetNews:
    """Belongs to the thread of the streams. *look*: everything, as it is now; *young_s*: how old it may be for who has looked before."""

    def __init__(self, look: Callable[[], Awaitable[d.FleetUpdate]], young_s: float = YOUNG_S) -> None:
        self._look = look
        self._young_s = young_s
        self._newest = d.FleetUpdate()
        self._number = NOTHING_SEEN
        self._began_s = -math.inf
        self._told: dict[str, bytes] = {}
        self._changed: dict[str, int] = {}
        # Of the newest look: what is told to whoever has seen the number.
        self._updates: dict[int, d.FleetUpdate] = {}
        self._looking: asyncio.Task[None] | None = None

    async def since(self, seen: int) -> tuple[int, d.FleetUpdate]:
        """
        What changed after the look *seen*, everything for `NOTHING_SEEN`, and the number of the look it is told from.

        Whoever has seen nothing is told what holds after he asked. The update is everybody's: nobody may change it.
        """
        asked_s = asyncio.get_running_loop().time()
        await self._looked(asked_s if seen == NOTHING_SEEN else asked_s - self._young_s)
        update = self._updates.get(seen)
        if update is None:
            update = self._updates[seen] = self._newest if seen == NOTHING_SEEN else self._difference(seen)
        return self._number, update

    async def _looked(self, not_before_s: float) -> None:
        """Returns once there is a look that began no earlier; one that is under way is waited for by all."""
        while self._began_s < not_before_s:
            if self._looking is None:
                self._looking = asyncio.create_task(self._take())
                self._looking.add_done_callback(_heard)
            await asyncio.shield(self._looking)

    async def _take(self) -> None:
        began_s = asyncio.get_running_loop().time()
        try:
            newest = await self._look()
        finally:
            # Before anybody who waits goes on: he may want the next look.
            self._looking = None
        self._number += 1
        for truck in newest.trucks:
            raw = _without_age(truck)
            if self._told.get(truck.truck_id) != raw:
                self._told[truck.truck_id] = raw
                self._changed[truck.truck_id] = self._number
        self._newest, self._began_s = newest, began_s
        self._updates.clear()

    def _difference(self, seen: int) -> d.FleetUpdate:
        newest = self._newest
        trucks = [truck for truck in newest.trucks if self._changed[truck.truck_id] > seen]
        return d.FleetUpdate(
            tick=newest.tick,
            time=newest.time,
            trucks=trucks,
            stops=newest.stops,
            totals=newest.totals,
            control=newest.control if newest.HasField("control") else None,
            overdue_gates=newest.overdue_gates,
            blocked_bays=newest.blocked_bays,
        )


def _heard(looking: asyncio.Task[None]) -> None:
    """What went wrong is raised where the look is waited for; those who waited may all be gone."""
    if not looking.cancelled():
        looking.exception()


def _without_age(truck: d.Truck) -> bytes:
    """What counts as a change: a fresh report's exact age would make every truck new in every update."""
    if not truck.HasField("report_age") or truck.report_age.seconds:
        return truck.SerializeToString(deterministic=True)
    age_ns = truck.report_age.nanos
    truck.ClearField("report_age")
    raw = truck.SerializeToString(deterministic=True)
    truck.report_age.nanos = age_ns
    return raw
