"""
Whether trucks that must stop do: they slow down, stand, and stay.

With part of it where none may stand a truck may creep on at walking pace until it is clear; nobody is asked here where that is, so
that creeping is nobody's fault, and driving is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from planner.limits import CLEARING_SPEED_MPS
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import TICK_S, FlagArray, FloatArray

# A second to react and the brakes' build-up; then it must slow down, if no more than this.
SETTLED_S: Final = 1.5
SLOWING_MPS2: Final = 0.3
SLACK_MPS: Final = 0.2
STANDING_MPS: Final = 0.05
MOVED_OFF_MPS: Final = 0.15
# On less grip than this nobody can be told to brake.
GRIP_LEAST: Final = 0.15


class MustStop:
    """
    Trucks that must stop, for one reason.

    By row: *since_s*: since when, infinite while it need not; *ceiling_mps*: how fast it may be at most; *stood*: it has.
    """

    def __init__(self, fleet: FleetColumns) -> None:
        count = len(fleet.roster.truck_ids)
        self._fleet = fleet
        self.since_s: FloatArray = np.full(count, np.inf)
        self._ceiling_mps: FloatArray = np.full(count, np.inf)
        self._stood: FlagArray = np.zeros(count, dtype=np.bool_)

    @property
    def anybody(self) -> bool:
        """Whether there is anybody to look at."""
        return bool(np.count_nonzero(self.since_s < np.inf))

    def begin(self, rows: FlagArray, now_s: float) -> None:
        """From now on *rows* (n,) must; those that must already have had their time."""
        fresh = rows & (self.since_s == np.inf)
        self.since_s[fresh] = now_s
        self._ceiling_mps[fresh] = np.inf
        self._stood[fresh] = False

    def end(self, rows: FlagArray | int) -> None:
        """They need not any more."""
        self.since_s[rows] = np.inf

    def broken(self, sound: FlagArray, now_s: float) -> Iterator[tuple[int, str]]:
        """Who of the *sound* (n,) moved off or drove on, and which it was; each is let off then."""
        speed_mps = self._fleet.motion.speed_mps
        bound = (self.since_s < np.inf) & sound
        self._stood |= bound & (speed_mps <= STANDING_MPS)
        settled = bound & (now_s - self.since_s >= SETTLED_S)
        begins = settled & (self._ceiling_mps == np.inf)
        self._ceiling_mps[begins] = speed_mps[begins]
        falling = np.maximum(CLEARING_SPEED_MPS, self._ceiling_mps - SLOWING_MPS2 * TICK_S)
        self._ceiling_mps[settled] = falling[settled]
        moved_off = bound & self._stood & (speed_mps > MOVED_OFF_MPS)
        drove_on = settled & (speed_mps > self._ceiling_mps + SLACK_MPS) & ~moved_off
        for what, rows in (("moved off", moved_off), ("drove on", drove_on)):
            for row in np.flatnonzero(rows).tolist():
                self.end(row)
                yield row, what


def can_brake(fleet: FleetColumns) -> FlagArray:
    """Whose service brakes are sound and whose road is no ice, (n,): the others cannot do better."""
    sound: FlagArray = (fleet.around.service >= 1.0) & (fleet.around.friction >= GRIP_LEAST)
    return sound
