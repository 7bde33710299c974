"""
Whether the truck may believe itself: sensors that contradict each other, and brakes weaker than declared.

Plain scalars and named tuples, like the supervisor, so that a simulator compiles them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

STUCK_MAX_S: Final = 0.5  # a position that does not move while the wheels turn
STALE_MAX_NS: Final = 500_000_000  # sensors older than this are not sensors
TURNING_MPS: Final = 0.5
STEP_SLACK_M: Final = 0.1
# Place and wheels may drift apart by this share of the way (wear, slip, odometer) without either being wrong.
APART_SHARE: Final = 0.02
APART_SLACK_M: Final = 0.5
JERK_SLACK_MPS2: Final = 4.0  # the hardest change of speed between two readings
BRAKE_ASKED_MIN_MPS2: Final = 0.4  # a gentler application measures the road, not the brakes
BRAKE_STEADY_MPS2: Final = 0.1
BRAKE_WEAK: Final = 0.9
BRAKE_FAILED: Final = 0.6
BRAKE_APPLICATIONS: Final = 3


class Senses(NamedTuple):
    """
    What the last reading left: where and how fast it was, seconds it has been stuck, metres of contradiction so far.

    *doubt_m* adds to the position bound and never falls by itself: a position that once broke its guarantee has none.
    *apart_m* is how far the place has run ahead of the wheels over many readings, less what honest drift explains: no single
    step shows that a speed is shown at half, or that a place creeps away.
    """

    nose_m: float
    speed_mps: float
    stuck_s: float
    doubt_m: float
    apart_m: float


class Brakes(NamedTuple):
    """
    The application under way, and what the ones before it showed.

    *asked_mps2* the strongest and *least_mps2* the gentlest of the application, *held_s* how long it has been steady, *ratio*
    the lowest measured share so far (infinite: none yet), *weak_count* weak applications in a row, *health* the share left.
    """

    asked_mps2: float
    least_mps2: float
    held_s: float
    ratio: float
    weak_count: int
    health: float


def sense(before: Senses, nose_m: float, speed_mps: float, bound_m: float, step_s: float) -> Senses:
    """Return the memory after a reading *step_s* seconds after the one before."""
    moved_m = nose_m - before.nose_m
    stuck_s = before.stuck_s + step_s if moved_m == 0.0 and speed_mps > TURNING_MPS else 0.0
    rolled_m = 0.5 * (speed_mps + before.speed_mps) * step_s
    slack_m = STEP_SLACK_M + 2.0 * bound_m + 0.5 * JERK_SLACK_MPS2 * step_s * step_s
    beyond_m = abs(moved_m - rolled_m) - slack_m
    if beyond_m > 0.0:
        return Senses(nose_m, speed_mps, stuck_s, max(before.doubt_m, abs(moved_m - rolled_m)), before.apart_m)
    apart_m = before.apart_m + moved_m - rolled_m
    honest_m = APART_SHARE * max(abs(moved_m), abs(rolled_m))
    apart_m = max(0.0, apart_m - honest_m) if apart_m > 0.0 else min(0.0, apart_m + honest_m)
    doubt_m = before.doubt_m if agree(apart_m, bound_m) else max(before.doubt_m, abs(apart_m))
    return Senses(nose_m, speed_mps, stuck_s, doubt_m, apart_m)


def agree(apart_m: float, bound_m: float) -> bool:
    """Return whether place and wheels still tell of the same way: two places, each within its bound, and a slack."""
    return abs(apart_m) <= 2.0 * bound_m + APART_SLACK_M


def watch_brakes(before: Brakes, asked_mps2: float, measured_mps2: float, settle_s: float, step_s: float) -> Brakes:
    """
    Return the memory after *step_s* of braking with *asked_mps2* and slowing with *measured_mps2*, both positive.

    An application is judged once it has been steady for *settle_s*; its verdict falls when the brakes are released.
    """
    if asked_mps2 >= BRAKE_ASKED_MIN_MPS2:
        if before.held_s <= 0.0 or asked_mps2 > before.asked_mps2 + BRAKE_STEADY_MPS2:
            return Brakes(asked_mps2, asked_mps2, step_s, before.ratio, before.weak_count, before.health)
        least_mps2 = min(before.least_mps2, asked_mps2)
        held_s = before.held_s + step_s
        ratio = before.ratio
        if held_s > settle_s:
            ratio = min(ratio, max(0.0, measured_mps2) / least_mps2)
        return Brakes(before.asked_mps2, least_mps2, held_s, ratio, before.weak_count, before.health)
    if before.ratio == math.inf:
        return Brakes(0.0, 0.0, 0.0, math.inf, before.weak_count, before.health)
    weak_count = before.weak_count + 1 if before.ratio < BRAKE_WEAK else 0
    health = min(before.health, before.ratio) if weak_count >= BRAKE_APPLICATIONS else before.health
    return Brakes(0.0, 0.0, 0.0, math.inf, weak_count, health)


def senses_at(nose_m: float) -> Senses:
    """Return the memory of a truck that stands with its nose at *nose_m*."""
    return Senses(nose_m, 0.0, 0.0, 0.0, 0.0)


def brakes_trusted() -> Brakes:
    """Return the memory of brakes that have shown no weakness."""
    return Brakes(0.0, 0.0, 0.0, math.inf, 0, 1.0)


COMPILABLE: Final[tuple[Callable[..., object], ...]] = (agree, sense, watch_brakes, senses_at, brakes_trusted)
