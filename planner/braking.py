"""
Stopping distances, as plain scalar functions.

The control server compiles them into its kernels; the truck calls them as they are. So: floats in, floats out, only
arithmetic and `math`, no arrays. Deceleration is positive; grade is positive uphill.

A braking truck first does nothing (dead time), then its deceleration rises linearly (build-up), then stays. Until the brakes
hold fully a downhill grade, and the drive until it is cut off, still push. Rather than follow that push through the build-up,
all of it is added to the speed at the start: the braking curve is then exact for a truck that was that fast, and the real one
never is.
"""

from __future__ import annotations

from math import inf, sqrt

from planner.limits import FRICTION_USE, GRAVITY_MPS2, REACTION_S


def a_safe_mps2(guaranteed_mps2: float, brake_health: float, friction: float, grade: float) -> float:
    """
    The deceleration that is left in the worst case, m/s²; may be zero or negative, and then the truck must not move.

    *grade* is the lowest over the stopping window; uphill earns no credit.
    """
    return min(brake_health * guaranteed_mps2, FRICTION_USE * friction * GRAVITY_MPS2) + GRAVITY_MPS2 * min(0.0, grade)


def pushed_speed_mps(speed_mps: float, grade: float, delay_s: float, traction_mps2: float, traction_s: float) -> float:
    """
    Speed that bounds the truck's from above until its brakes hold fully.

    *delay_s* is dead time and build-up together; *traction_mps2* acts for *traction_s* until the drive is cut off.
    """
    return speed_mps + GRAVITY_MPS2 * max(0.0, -grade) * delay_s + traction_mps2 * traction_s


def stopping_distance_m(pushed_mps: float, a_safe: float, dead_s: float, build_up_s: float) -> float:
    """
    Metres to rest from *pushed_mps* (see `pushed_speed_mps`) under *a_safe*; infinite where nothing is left to brake with.

    Exact for a dead time at constant speed, a linear build-up and constant deceleration, including stops that end within
    the build-up.
    """
    if pushed_mps <= 0.0:
        return 0.0
    if a_safe <= 0.0:
        return inf
    if pushed_mps >= 0.5 * a_safe * build_up_s:
        full = pushed_mps * pushed_mps / (2.0 * a_safe) - a_safe * build_up_s * build_up_s / 24.0
        return pushed_mps * (dead_s + 0.5 * build_up_s) + full
    return pushed_mps * dead_s + (2.0 / 3.0) * pushed_mps * sqrt(2.0 * pushed_mps * build_up_s / a_safe)


def service_distance_m(speed_mps: float, reaction_s: float, brake_mps2: float) -> float:
    """Metres used by driving on for *reaction_s* and then braking evenly to rest."""
    return speed_mps * reaction_s + speed_mps * speed_mps / (2.0 * brake_mps2)


def service_speed_mps(distance_m: float, reaction_s: float, brake_mps2: float) -> float:
    """The fastest speed from which `service_distance_m` fits into *distance_m*; zero when there is none."""
    if distance_m <= 0.0:
        return 0.0
    lag_mps = brake_mps2 * reaction_s
    return sqrt(lag_mps * lag_mps + 2.0 * brake_mps2 * distance_m) - lag_mps


def service_speed_to_mps(distance_m: float, speed_then_mps: float, reaction_s: float, brake_mps2: float) -> float:
    """The fastest speed from which *speed_then_mps* is reached within *distance_m*, reaction included; never below it."""
    if distance_m <= 0.0:
        return speed_then_mps
    lag_mps = brake_mps2 * reaction_s
    room = lag_mps * lag_mps + 2.0 * brake_mps2 * distance_m + speed_then_mps * speed_then_mps
    return max(speed_then_mps, sqrt(room) - lag_mps)


def even_stop_speed_mps(speed_mps: float, sound_mps2: float, left_mps2: float, dead_s: float, build_up_s: float) -> float:
    """
    The speed from which a stop under *left_mps2* takes the road that one under *sound_mps2* takes from *speed_mps*.

    For stops that outlast the build-up; zero where nothing is left to brake with.
    """
    if left_mps2 <= 0.0:
        return 0.0
    stop_m = stopping_distance_m(speed_mps, sound_mps2, dead_s, build_up_s)
    lag_s = dead_s + 0.5 * build_up_s
    return left_mps2 * (sqrt(lag_s * lag_s + 2.0 * stop_m / left_mps2 + build_up_s * build_up_s / 12.0) - lag_s)


def travel_s(distance_m: float, speed_mps: float, speed_max_mps: float, acceleration_mps2: float) -> float:
    """Seconds to cover *distance_m* from *speed_mps* while speeding up evenly to *speed_max_mps*; zero behind."""
    if distance_m <= 0.0:
        return 0.0
    if speed_mps >= speed_max_mps:
        return distance_m / speed_mps
    rising_m = (speed_max_mps * speed_max_mps - speed_mps * speed_mps) / (2.0 * acceleration_mps2)
    if distance_m <= rising_m:
        return (sqrt(speed_mps * speed_mps + 2.0 * acceleration_mps2 * distance_m) - speed_mps) / acceleration_mps2
    return (speed_max_mps - speed_mps) / acceleration_mps2 + (distance_m - rising_m) / speed_max_mps


def swept_m(speed_mps: float, wait_s: float, speed_max_mps: float, acceleration_mps2: float, brake_mps2: float) -> float:
    """Metres used by speeding up for *wait_s* and then, after the reaction, braking to rest."""
    rising_s = min(wait_s, (speed_max_mps - speed_mps) / acceleration_mps2)
    then_mps = speed_mps + acceleration_mps2 * rising_s
    running_m = 0.5 * (speed_mps + then_mps) * rising_s + then_mps * (wait_s - rising_s)
    return running_m + service_distance_m(then_mps, REACTION_S, brake_mps2)


def run_up_speed_mps(way_m: float, wait_s: float, speed_max_mps: float, acceleration_mps2: float, brake_mps2: float) -> float:
    """
    The speed of now that brings a truck fastest to a place which opens in *wait_s*, and lets it still stop *way_m* ahead.

    From it the truck may speed up all the while; *speed_max_mps* when there is room even for that, zero when there is none.
    """
    low, high = 0.0, speed_max_mps
    if swept_m(high, wait_s, speed_max_mps, acceleration_mps2, brake_mps2) <= way_m:
        return high
    for _ in range(12):
        middle = 0.5 * (low + high)
        if swept_m(middle, wait_s, speed_max_mps, acceleration_mps2, brake_mps2) <= way_m:
            low = middle
        else:
            high = middle
    return low


def headway_s(speed_mps: float, occupied_m: float, lag_s: float, brake_mps2: float) -> float:
    """
    Seconds from nose to nose in a stream under absolute-braking spacing.

    *occupied_m* is truck length plus margins plus twice the position bound; *lag_s* everything between a leader's motion and
    the follower's brakes.
    """
    return occupied_m / speed_mps + lag_s + speed_mps / (2.0 * brake_mps2)


def best_speed_mps(occupied_m: float, brake_mps2: float) -> float:
    """The speed at which `headway_s` is least."""
    return sqrt(2.0 * brake_mps2 * occupied_m)
