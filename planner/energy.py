"""
What driving takes from a battery, so that no truck sets out for where it cannot get to.

Work against rolling and against the climb, through motors that lose a part of it; downhill some comes back. Standing or not, a truck
also draws power all the time: computers and cooling, and in frost the heating, which over a round trip may be more than the road
takes. How much that is no site file says: it is seen in the batteries of trucks that stand. Figures are assumptions, a little worse
than what the trucks of the simulator lose; getting going again after each stop is in the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from planner.corridor import Lane
from planner.limits import GRAVITY_MPS2

ROLLING: Final = 0.009
MOTOR_EFFICIENCY: Final = 0.85
RECUPERATION: Final = 0.5
STARTS_MARGIN: Final = 1.15
J_PER_WH: Final = 3600.0


def drive_wh(lanes: Sequence[Lane], mass_kg: float) -> float:
    """Watt-hours that a truck of *mass_kg* draws to drive these lanes, each from its start to its end; never less than nothing."""
    work_j = sum(_lane_j(lane, mass_kg) for lane in lanes)
    return max(0.0, STARTS_MARGIN * work_j / J_PER_WH)


def _lane_j(lane: Lane, mass_kg: float) -> float:
    """Joules out of the battery on one lane, stretch of constant grade by stretch; negative where it gains."""
    ends_m = [*(grade.from_m for grade in lane.grades[1:]), lane.length_m]
    total_j = 0.0
    for grade, end_m in zip(lane.grades, ends_m, strict=True):
        force_n = mass_kg * GRAVITY_MPS2 * (ROLLING + grade.grade)
        work_j = force_n * (end_m - grade.from_m)
        total_j += work_j / MOTOR_EFFICIENCY if work_j > 0.0 else work_j * RECUPERATION
    return total_j


def early_count(lasts_s: Sequence[float], charge_s: float, chargers: int, ahead_s: float) -> int:
    """
    Of how many of the lowest batteries somebody has to charge now, so that nobody has to wait for a charger later; 0: of none.

    Batteries last for *lasts_s* each; *chargers* take one truck after another for *charge_s*. If everybody charged at the last moment,
    in the order in which they run low, each would wait for those before it; somebody charges *ahead_s* before that is too late. As many
    as there are chargers never wait. A fleet that begins the day full would run low all at once otherwise; one whose batteries are
    spread evenly hardly ever has to, and then only those go early that would have gone soon.
    """
    if chargers == 0:
        return 0
    late = [rank for rank, lasts in enumerate(sorted(lasts_s)) if rank >= chargers and lasts - rank // chargers * charge_s < ahead_s]
    return late[-1] + 1 if late else 0
