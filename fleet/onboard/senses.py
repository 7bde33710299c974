"""
Whether the truck may believe itself: sensors that contradict each other, brakes weaker than declared, and a road that gives less
grip than it was told.

Brakes are measured by themselves: what the grade does and what the motors retard is taken off both what was asked and what was
measured, or a strong retarder would hide weak brakes, and a climb would flatter them. While wheels slip nothing is learnt about the
brakes, and everything about the road.

Plain scalars and named tuples, like the supervisor, so that a simulator compiles them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from fleet.onboard.supervisor import EMERGENCY_BRAKE, SERVICE_BRAKE, Road
from planner.limits import BRAKE_FAILED, BRAKE_WEAK, FRICTION_CELL_M, FRICTION_MIN, GRAVITY_MPS2, GRIP_SHARE

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
BRAKE_SETTLE_S: Final = 0.3  # beyond dead time and build-up, before an application is steady
BRAKE_GAP_S: Final = 0.25  # readings further apart measure nothing in between
BRAKE_JUDGED_S: Final = 0.25  # three readings of steady braking; fewer are noise
# A brake that fails does not live to be steady: the emergency curve takes over. So much speed it must have owed by then.
BRAKE_OWED_MPS: Final = 0.2
BRAKE_APPLICATIONS: Final = 3
HEALTH_SAID_MIN: Final = 0.01  # on the wire 0 says nothing, and brakes that give nothing are not nothing to say
# A patch of ice ends in metres and a road dries in hours: what the wheels met is kept for so much road, and for any time. Until then
# the server has told it to everybody.
GRIP_KEPT_M: Final = FRICTION_CELL_M
GRIP_SAID_M: Final = 20.0  # some reports are lost; further on it would be said of road on which nobody slipped


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

    *asked_mps2* the strongest and *least_mps2* the gentlest of its even part under way, *held_s* how long that has lasted, *owed_mps*
    the speed that sound brakes would have shed in it at least and *shed_mps* what these have, *share* the mean measured once it was
    steady and *ratio* the lowest of the parts before it (infinite: none yet), *weak_count* weak applications in a row, *health* the
    share left.
    """

    asked_mps2: float
    least_mps2: float
    held_s: float
    owed_mps: float
    shed_mps: float
    share: float
    ratio: float
    weak_count: int
    health: float


class Grip(NamedTuple):
    """The lowest friction met lately, 0 for no opinion, and where the nose was when it was met last."""

    friction: float
    met_m: float


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


def grade_under(road: Road, tail_m: float, nose_m: float) -> float:
    """Return the mean grade under the body, positive uphill."""
    risen_m = 0.0
    start_m = tail_m
    for index in range(road.first, road.last):
        if start_m >= nose_m:
            break
        end_m = min(road.end_m[index], nose_m)
        if end_m > start_m:
            risen_m += road.grade[index] * (end_m - start_m)
            start_m = end_m
    return risen_m / (nose_m - tail_m)


def brakes_alone(
    mode: int, demand_mps2: float, slowing_mps2: float, grade: float, retarder_mps2: float, guaranteed_mps2: float
) -> tuple[float, float]:
    """
    Return what the brakes by themselves are asked for and what they give, as decelerations.

    *demand_mps2* as the supervisor demands, *slowing_mps2* as measured, both net; *retarder_mps2* is what the motors retard, negative
    when they pull. An emergency asks for all there is, and may count on *guaranteed_mps2* on any grade.
    """
    if mode < SERVICE_BRAKE:
        return 0.0, 0.0
    others_mps2 = GRAVITY_MPS2 * grade + retarder_mps2
    asked_mps2 = guaranteed_mps2 if mode == EMERGENCY_BRAKE else -demand_mps2 - others_mps2
    return asked_mps2, slowing_mps2 - others_mps2


def _lowest_ratio(brakes: Brakes, settle_s: float) -> float:
    """Return the lowest share measured so far, that of the even part under way included where it can be told."""
    ratio = brakes.ratio
    if brakes.held_s - settle_s >= BRAKE_JUDGED_S:
        ratio = min(ratio, brakes.share)
    if brakes.owed_mps >= BRAKE_OWED_MPS and brakes.shed_mps < BRAKE_FAILED * brakes.owed_mps:
        ratio = min(ratio, brakes.shed_mps / brakes.owed_mps)
    return ratio


def _brake_on(before: Brakes, given_mps2: float, least_mps2: float, lags_s: tuple[float, float], step_s: float) -> Brakes:
    """Return the memory of an even part that goes on; *lags_s* are the dead time and build-up that sound brakes may take."""
    dead_s, build_up_s = lags_s
    held_s = before.held_s + step_s
    built = min(1.0, max(0.0, before.held_s - dead_s) / max(build_up_s, step_s))
    steady_s = held_s - dead_s - build_up_s - BRAKE_SETTLE_S
    share = before.share
    if steady_s > 0.0:
        now = given_mps2 / least_mps2
        share = now if share == math.inf else share + (now - share) * min(1.0, step_s / steady_s)
    owed_mps = before.owed_mps + built * least_mps2 * step_s
    shed_mps = before.shed_mps + given_mps2 * step_s
    return Brakes(before.asked_mps2, least_mps2, held_s, owed_mps, shed_mps, share, before.ratio, before.weak_count, before.health)


def watch_brakes(
    before: Brakes, asked_mps2: float, given_mps2: float, lags_s: tuple[float, float], step_s: float, slipping: bool
) -> Brakes:
    """
    Return the memory after *step_s* of brakes that were asked for *asked_mps2* and gave *given_mps2*, both positive.

    An application is judged by what it gave once it was steady, *lags_s* (dead time, build-up) after it began, or by how little it
    gave on the way there; its verdict falls when the brakes are released. Where wheels slip, or readings fail, it begins anew.
    """
    settle_s = lags_s[0] + lags_s[1] + BRAKE_SETTLE_S
    if asked_mps2 >= BRAKE_ASKED_MIN_MPS2:
        if slipping or step_s > BRAKE_GAP_S:
            return Brakes(asked_mps2, asked_mps2, 0.0, 0.0, 0.0, math.inf, before.ratio, before.weak_count, before.health)
        if before.held_s <= 0.0 or asked_mps2 > before.asked_mps2 + BRAKE_STEADY_MPS2:
            ratio = _lowest_ratio(before, settle_s)
            return Brakes(asked_mps2, asked_mps2, step_s, 0.0, 0.0, math.inf, ratio, before.weak_count, before.health)
        return _brake_on(before, max(0.0, given_mps2), min(before.least_mps2, asked_mps2), lags_s, step_s)
    ratio = _lowest_ratio(before, settle_s)
    if ratio == math.inf:
        return Brakes(0.0, 0.0, 0.0, 0.0, 0.0, math.inf, math.inf, before.weak_count, before.health)
    weak_count = before.weak_count + 1 if ratio < BRAKE_WEAK else 0
    health = min(before.health, ratio) if weak_count >= BRAKE_APPLICATIONS else before.health
    return Brakes(0.0, 0.0, 0.0, 0.0, 0.0, math.inf, math.inf, weak_count, health)


def watch_grip(before: Grip, opinion: float, slipping: bool, wheels_mps2: float, nose_m: float) -> Grip:
    """
    Return the memory after a reading: *opinion* is what another sensor makes of the road, 0 for none.

    Wheels that slip while they slow the truck by *wheels_mps2* get all that the road gives.
    """
    met = opinion
    if slipping and wheels_mps2 > 0.0:
        slipped = max(FRICTION_MIN, wheels_mps2 / (GRIP_SHARE * GRAVITY_MPS2))
        met = min(met, slipped) if met > 0.0 else slipped
    if met > 0.0:
        return Grip(min(before.friction, met) if before.friction > 0.0 else met, nose_m)
    if before.friction > 0.0 and nose_m - before.met_m > GRIP_KEPT_M:
        return Grip(0.0, nose_m)
    return before


def said_friction(grip: Grip, nose_m: float) -> float:
    """Return what a report says of the road under the truck, 0 for no opinion."""
    return grip.friction if nose_m - grip.met_m <= GRIP_SAID_M else 0.0


def senses_at(nose_m: float) -> Senses:
    """Return the memory of a truck that stands with its nose at *nose_m*."""
    return Senses(nose_m, 0.0, 0.0, 0.0, 0.0)


def brakes_trusted() -> Brakes:
    """Return the memory of brakes that have shown no weakness."""
    return Brakes(0.0, 0.0, 0.0, 0.0, 0.0, math.inf, math.inf, 0, 1.0)


def grip_unknown() -> Grip:
    """Return the memory of wheels that have not slipped."""
    return Grip(0.0, 0.0)


COMPILABLE: Final[tuple[Callable[..., object], ...]] = (
    agree,
    sense,
    grade_under,
    brakes_alone,
    _lowest_ratio,
    _brake_on,
    watch_brakes,
    watch_grip,
    said_friction,
    senses_at,
    brakes_trusted,
    grip_unknown,
)
