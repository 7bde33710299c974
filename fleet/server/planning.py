"""
Planning beside the loop: when it looks at the fleet, and when the loop hears what it found.

In simulated time both happen at ticks: what was seen at one is planned at once, with a budget of chunks, and heard a fixed number of ticks
later, so that the same seed gives the same run. A real server plans on a thread (see `planning_thread`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from planner.foresight.plan import plan
from planner.foresight.seen import Chart, Seen
from planner.foresight.turns import Turns
from planner.timetable.timetable import cycle_chunks

LOOK_TICKS: Final = 40  # from one look at the fleet to the next
HEARD_TICKS: Final = 10  # from a look to the turns it leads to

assert 0 < HEARD_TICKS <= LOOK_TICKS, "turns are heard before the fleet is looked at again"


class Planning(Protocol):
    """Plans for one loop. `look` and `take` are called on the thread that ticks."""

    def start(self) -> None:
        """The first tick is near."""
        ...

    def stop(self) -> None:
        """No tick comes any more; nothing runs once this returns."""
        ...

    def look(self, tick: int, seen: Callable[[], Seen]) -> None:
        """A tick is over; *seen* draws the fleet as it left it, if that is wanted."""
        ...

    def take(self, tick: int) -> tuple[Turns, ...]:
        """What the coming tick is to hear."""
        ...


class TickPlanning:
    """Plans between two ticks."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._due: tuple[int, Turns] | None = None
        self._in_force: Turns | None = None

    def start(self) -> None:
        """Nothing runs beside the ticks."""

    def stop(self) -> None:
        """Nor has to end."""

    def look(self, tick: int, seen: Callable[[], Seen]) -> None:
        """Plans, every `LOOK_TICKS`."""
        if tick % LOOK_TICKS:
            return
        fleet = seen()
        # From hot to cold once.
        chunks = iter(range(cycle_chunks(len(fleet.comes))))
        found = plan(fleet, self._chart, self._in_force, lambda: next(chunks, None) is not None)
        self._due = (tick + HEARD_TICKS, found.turns)

    def take(self, tick: int) -> tuple[Turns, ...]:
        """The turns, at the tick they are due."""
        if self._due is None or tick < self._due[0]:
            return ()
        self._in_force = self._due[1]
        self._due = None
        return (self._in_force,)
