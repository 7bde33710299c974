"""One truck that does as it is told here, and a watch that listens to what the radio brings it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import numpy as np

from sim_harness.clock import Streams
from sim_harness.fleet_columns import FleetColumns
from sim_harness.tiny import tiny_roster


class Watch(Protocol):
    """What looks at trucks once a tick, and keeps what it found."""

    found: list[str]

    def tick(self, now_s: float) -> None:
        """After the trucks moved."""


AnyWatch = TypeVar("AnyWatch", bound=Watch)


class Listening(Generic[AnyWatch]):
    """The truck, on a road of its own, and the watch over it; everything that happens, happens at a tenth of a second."""

    def __init__(self, watching: Callable[[FleetColumns], AnyWatch]) -> None:
        self.fleet = FleetColumns(tiny_roster(1), Streams(1), np.zeros(1, dtype=np.int32), np.array([100.0]))
        self.fleet.row_of_handle[0] = 0
        self.watch = watching(self.fleet)
        self.now_s = 0.0

    def drive(self, speed_mps: float, seconds: float, slowing_mps2: float = 0.0) -> list[str]:
        """Time passes; what has been found by its end."""
        for _ in range(round(seconds * 10)):
            self.now_s = round(self.now_s + 0.1, 1)
            speed_mps = max(0.0, speed_mps - 0.1 * slowing_mps2)
            self.fleet.motion.speed_mps[0] = speed_mps
            self.watch.tick(self.now_s)
        return self.watch.found
