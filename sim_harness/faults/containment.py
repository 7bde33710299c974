"""
Whether trucks stay inside what they hold by what they know of themselves, and do not roll back further than they may.

The checks of every run ask where a truck truly is: an overrun needs an error that happens to point the wrong way. Here the front is as
far ahead as the truck's own bound says that it may be, which needs no luck: front and bound and what it takes to stop lie within the
end held, always. And a tail never comes back by more than the confirmed rear allows for.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from planner.limits import FRICTION_DRY
from sim_harness.checks import authority_margin
from sim_harness.dynamics import EMERGENCY_BRAKE
from sim_harness.fleet_columns import FleetColumns
from sim_harness.observation import TICK_S, FlagArray, FloatArray, Roster, TickView

# Wheels and nails differ by centimetres from tick to tick; a promise that is broken is broken by more.
ROUNDING_M: Final = 0.05
BRAKES: Final = (
    "brake_guaranteed_mps2",
    "brake_dead_s",
    "brake_build_up_s",
    "traction_cutoff_s",
    "acceleration_laden_mps2",
    "acceleration_empty_mps2",
)


def brakes_of(roster: Roster) -> FloatArray:
    """(n, 6) what `authority_margin` asks of the brakes, as the trucks' types declare it."""
    return np.column_stack([roster.column(name) for name in BRAKES])


class ContainmentWatch:
    """
    Watches trucks that are as declared; one that was not counts again once it has come to rest inside.

    By row: *furthest_m*: how far the true nose has been, on the simulator's path coordinate without its shift.
    """

    def __init__(self, fleet: FleetColumns) -> None:
        count = len(fleet.roster.truck_ids)
        self._fleet = fleet
        self._brakes = brakes_of(fleet.roster)
        self._rolls_m: FloatArray = fleet.roster.column("roll_back_m") + ROUNDING_M
        self._kept = (np.zeros(count), np.zeros(count, dtype=np.int8))
        self._margin_m: FloatArray = np.zeros(count)
        self._grip: FloatArray = np.full(count, FRICTION_DRY)
        self._health: FloatArray = np.ones(count)
        self._furthest_m: FloatArray = np.full(count, -np.inf)
        self._outside: FlagArray = np.zeros(count, dtype=np.bool_)
        self._braked: FlagArray = np.zeros(count, dtype=np.bool_)
        self._rolled: FlagArray = np.zeros(count, dtype=np.bool_)
        self.found: list[str] = []

    def tick(self, view: TickView) -> None:
        """After the trucks moved."""
        fleet = self._fleet
        # Worse brakes or ice are found out about while driving: what is left on good ones is what any truck must always have.
        front_m = fleet.belief.nose_m + fleet.belief.bound_m
        authority_margin(
            (front_m, view.end_path_m, view.speed_mps, view.grade_least, self._grip, self._health),
            (view.laden, view.mode, view.undeclared),
            self._brakes,
            TICK_S,
            self._kept,
            self._margin_m,
        )
        outside: FlagArray = self._margin_m < -ROUNDING_M
        if np.count_nonzero(outside):
            outside &= ~view.undeclared
            # A fix may set the front a little forward; who has braked in emergency by then did so in time, and can do no more.
            self._tell(outside & ~self._outside & ~self._braked, "may be beyond the end it holds, or cannot stop before it,", view.time_s)
        self._outside = outside
        self._braked = view.mode == EMERGENCY_BRAKE
        place_m = view.nose_path_m - fleet.shift_m
        np.maximum(self._furthest_m, place_m, out=self._furthest_m)
        rolled: FlagArray = self._furthest_m - place_m > self._rolls_m
        if np.count_nonzero(rolled):
            self._tell(rolled & ~self._rolled, "rolled back further than it may", view.time_s)
        self._rolled = rolled

    def _tell(self, rows: FlagArray, what: str, now_s: float) -> None:
        self.found += [f"{self._fleet.roster.truck_ids[row]} {what} at {now_s:.1f} s" for row in np.flatnonzero(rows).tolist()]
