"""
The onboard supervisor: one step of plain arithmetic that keeps a truck inside its authority.

Two curves fall towards the end of authority. On the lower one the truck drives: it reserves a reaction time and brakes
gently. On the upper one nothing but the brakes' guaranteed worst is left, and the supervisor applies them and lets go
only at a standstill. Between the two lies a warning that brakes as hard as service braking may. Every deceleration is
derived from what friction, grade and the brakes' health leave, so that the lower curve never meets the upper one.

Everything here is scalars and named tuples of scalars, and the segments of the road are any indexable sequences: a
truck runs this source as it stands on tuples, a simulator compiles the same source and runs it over flat arrays
(`COMPILABLE` lists the functions in the order a compiler needs them). Frame: metres along the truck's own path, growing
in the direction of travel. Decelerations are positive, demands are accelerations: negative brakes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from planner.braking import (
    a_safe_mps2,
    even_stop_speed_mps,
    pushed_speed_mps,
    service_distance_m,
    service_speed_mps,
    service_speed_to_mps,
    stopping_distance_m,
)
from planner.limits import (
    A_SAFE_MIN_MPS2,
    BOUND_STOP_M,
    FRICTION_DRY,
    REACTION_S,
    ROLL_BACK_M,
    SERVICE_SHARE,
    SPEED_STANDING_MPS,
    STOP_MARK_M,
    STOP_TOLERANCE_M,
)

RESPONSE_SLACK_S: Final = 0.25
WARNING_S: Final = 0.4  # before the emergency curve, service braking as hard as it may
START_MPS: Final = 0.3  # a shorter move is not worth releasing the brakes
ROLLED_SHARE: Final = 0.25  # of the roll-back that the server counts on: then the brakes bite
ROLLED_OUT_SHARE: Final = 0.5  # then they stay on: a truck that rolls back whenever it means to drive would use up the rest in bites
TURNED_MPS: Final = 1.0  # to drive so fast a truck has come further than it may have rolled back: only a fix set its nose back
CREEP_MPS: Final = 0.2  # below this the truck sets its brakes rather than crawl on
CREEP_BRAKE_MPS2: Final = 0.3
RESPONSE_S: Final = 0.8
FRICTION_UNKNOWN: Final = 0.25  # snow
# A truck that cleared a no-stop stretch rests where the server's idea of its rear has cleared it too.
CLEAR_MARGIN_M: Final = ROLL_BACK_M + STOP_TOLERANCE_M

# Plain integers, because compiled code compares them; `Mode` and the wire's `Reaction` carry the same values.
HOLD: Final = 0
DRIVE: Final = 1
SERVICE_BRAKE: Final = 2
EMERGENCY_BRAKE: Final = 3
NO_ACCELERATION: Final = 1
SERVICE_STOP: Final = 2
EMERGENCY_STOP: Final = 3


class Mode(IntEnum):
    """What the truck's actuators are asked for."""

    HOLD = 0  # stand with the brakes set
    DRIVE = 1  # follow the demand with traction or gentle retardation
    SERVICE_BRAKE = 2  # follow the demand with the service brakes
    EMERGENCY_BRAKE = 3  # traction off, everything the brakes have, until standstill


class Build(NamedTuple):
    """What is built into the truck, for the load it carries now; *step_s* is the period of the supervisor."""

    length_m: float
    speed_max_mps: float
    acceleration_mps2: float
    brake_service_mps2: float
    brake_guaranteed_mps2: float
    brake_dead_s: float
    brake_build_up_s: float
    traction_cutoff_s: float
    roll_back_m: float
    jerk_mps3: float
    step_s: float


class Sensed(NamedTuple):
    """
    What the truck believes of itself now.

    *friction* 0: no opinion. *sound*: trailer and boxes attached, and every sensor plausible.
    """

    nose_m: float
    speed_mps: float
    acceleration_mps2: float
    bound_m: float
    friction: float
    brake_health: float
    sound: bool


class Held(NamedTuple):
    """
    What the truck may do: the end of its authority (minus infinity: none), and the hardest reaction anybody demands.

    *friction* 0: the server has no opinion. *advised_speed_mps* 0: no wish.
    """

    end_m: float
    friction: float
    advised_speed_mps: float
    clearing_speed_mps: float
    reaction: int


class Memory(NamedTuple):
    """
    What one step leaves for the next.

    *halt_m*: where a service stop ends, infinite when none is under way; *clearing*: it leads through a no-stop stretch
    first. *turn_m*: how far the nose has been; behind it, the truck has rolled back, in however many steps.
    """

    mode: int
    demand_mps2: float
    halt_m: float
    clearing: bool
    turn_m: float


class Road(NamedTuple):
    """
    Segments [first, last) of the path; segment i ends at *end_m[i]* and begins where the one before it ends.

    Segment *first* is taken to begin at minus infinity, so it must hold the tail.
    """

    end_m: Sequence[float]
    speed_max_mps: Sequence[float]
    grade: Sequence[float]
    no_stop: Sequence[bool]
    first: int
    last: int


class Demand(NamedTuple):
    """What the actuators are to do: *acceleration_mps2* is the net one along the path, grade included."""

    mode: int
    acceleration_mps2: float
    speed_target_mps: float


def first_under(road: Road, tail_m: float) -> int:
    """Return the segment that holds *tail_m*; the last one when the tail is past the road."""
    index = road.first
    while index < road.last - 1 and road.end_m[index] <= tail_m:
        index += 1
    return index


def worst_grade(road: Road, from_m: float, to_m: float) -> float:
    """Return the lowest grade that meets [from_m, to_m]; 0 when only climbs do, for climbs earn no credit."""
    worst = 0.0
    start_m = -math.inf
    for index in range(road.first, road.last):
        if start_m > to_m:
            break
        if road.end_m[index] > from_m:
            worst = min(worst, road.grade[index])
        start_m = road.end_m[index]
    return worst


def ceiling_here_mps(road: Road, tail_m: float, front_m: float) -> float:
    """Return the lowest speed limit under the body: a limit holds from the front's entry until the tail has left."""
    ceiling = math.inf
    start_m = -math.inf
    for index in range(road.first, road.last):
        if start_m > front_m:
            break
        if road.end_m[index] > tail_m:
            ceiling = min(ceiling, road.speed_max_mps[index])
        start_m = road.end_m[index]
    return ceiling


def ceiling_ahead_mps(road: Road, front_m: float, to_m: float, reaction_s: float, b_mps2: float) -> tuple[float, float]:
    """
    Return the fastest speed from which every lower limit up to *to_m* is met before the front reaches it.

    The second value is the limit that binds.
    """
    ceiling = math.inf
    binding = math.inf
    start_m = -math.inf
    for index in range(road.first, road.last):
        if start_m >= to_m:
            break
        if start_m > front_m:
            limit = road.speed_max_mps[index]
            speed_mps = service_speed_to_mps(start_m - front_m, limit, reaction_s, b_mps2)
            if speed_mps < ceiling:
                ceiling = speed_mps
                binding = limit
        start_m = road.end_m[index]
    return ceiling, binding


def clear_stop_m(road: Road, stop_m: float, behind_m: float, ahead_m: float) -> float:
    """
    Return the first place at or past *stop_m* where a nose may rest with no part of the body in a no-stop stretch.

    The body covers [nose - behind_m, nose + ahead_m].
    """
    rest_m = stop_m
    start_m = -math.inf
    for index in range(road.first, road.last):
        if start_m >= rest_m + ahead_m:
            break
        end_m = road.end_m[index]
        if road.no_stop[index] and end_m > rest_m - behind_m:
            rest_m = end_m + behind_m
        start_m = end_m
    return rest_m


def braking_friction(own: float, told: float) -> float:
    """Return the lower of two frictions, where 0 is no opinion; with no opinion at all, the road is taken for snow."""
    if own > 0.0 and told > 0.0:
        return min(own, told)
    if own > 0.0 or told > 0.0:
        return max(own, told)
    return FRICTION_UNKNOWN


def stopping_m(build: Build, speed_mps: float, a_mps2: float, grade: float, traction_mps2: float) -> float:
    """Return the emergency stopping distance; infinite when the brakes cannot hold the truck on the grade."""
    if a_mps2 <= A_SAFE_MIN_MPS2:
        return math.inf
    delay_s = build.brake_dead_s + build.brake_build_up_s
    pushed_mps = pushed_speed_mps(speed_mps, grade, delay_s, traction_mps2, build.traction_cutoff_s)
    return stopping_distance_m(pushed_mps, a_mps2, build.brake_dead_s, build.brake_build_up_s)


def earliest_end_m(build: Build, sensed: Sensed, held: Held, road: Road) -> float:
    """Return the nearest end of authority the truck could still honour: where its worst emergency stop would end."""
    if sensed.speed_mps <= SPEED_STANDING_MPS:
        return sensed.nose_m + sensed.bound_m
    reach_m, _ = _reach(build, sensed, held, road, build.acceleration_mps2)
    return reach_m + WARNING_S * sensed.speed_mps


def _reach(build: Build, sensed: Sensed, held: Held, road: Road, traction_mps2: float) -> tuple[float, float]:
    """Return how far an emergency stop begun one step from now may carry the front, and A_safe on the way."""
    front_m = sensed.nose_m + sensed.bound_m
    tail_m = sensed.nose_m - sensed.bound_m - build.length_m
    speed_mps = max(sensed.speed_mps, 0.0) + max(sensed.acceleration_mps2, 0.0) * build.step_s
    grade = worst_grade(road, tail_m, max(held.end_m, front_m))
    friction = braking_friction(sensed.friction, held.friction)
    a_mps2 = a_safe_mps2(build.brake_guaranteed_mps2, sensed.brake_health, friction, grade)
    distance_m = stopping_m(build, speed_mps, a_mps2, grade, traction_mps2)
    return front_m + speed_mps * build.step_s + distance_m, a_mps2


def _has_rolled_back(build: Build, sensed: Sensed, turn_m: float, share: float) -> bool:
    """Return whether the truck has rolled back by more than *share* of what the server counts on."""
    return turn_m - sensed.nose_m > share * build.roll_back_m


def _must_emergency_brake(build: Build, sensed: Sensed, held: Held, memory: Memory, reach_m: float) -> bool:
    speed_mps = sensed.speed_mps
    if speed_mps < 0.0 and _has_rolled_back(build, sensed, memory.turn_m, ROLLED_SHARE):
        return True
    if speed_mps <= SPEED_STANDING_MPS and sensed.sound:
        return False
    latched = memory.mode == EMERGENCY_BRAKE and speed_mps > SPEED_STANDING_MPS
    return latched or not sensed.sound or held.reaction >= EMERGENCY_STOP or reach_m >= held.end_m


def _service_halt(build: Build, sensed: Sensed, memory: Memory, road: Road, stop_m: float) -> tuple[float, bool]:
    """Return where a service stop is to end, chosen once and then kept, and whether it clears a no-stop stretch first."""
    if sensed.speed_mps <= SPEED_STANDING_MPS and not memory.clearing:
        # An order to stop never sets a standing truck in motion, not even up to where it meant to stop.
        return sensed.nose_m, False
    if memory.halt_m < math.inf:
        return memory.halt_m, memory.clearing
    behind_m = build.length_m + sensed.bound_m
    rest_m = clear_stop_m(road, stop_m, behind_m, sensed.bound_m)
    clearing = rest_m > stop_m
    if clearing:
        rest_m = clear_stop_m(road, rest_m + CLEAR_MARGIN_M, behind_m, sensed.bound_m)
    return rest_m, clearing


def _settle(build: Build, sensed: Sensed, memory: Memory, target_mps: float, slope_mps2: float) -> Demand:
    """
    Return the demand that brings the speed to *target_mps*.

    *slope_mps2* is how fast the target itself falls as the truck moves on: braking begins with it, not after an error.
    """
    speed_mps = sensed.speed_mps
    if speed_mps <= SPEED_STANDING_MPS and target_mps < START_MPS:
        return Demand(HOLD, 0.0, 0.0)
    demand_mps2 = (target_mps - speed_mps) / RESPONSE_S
    if speed_mps > target_mps - CREEP_MPS:
        demand_mps2 -= slope_mps2
    if target_mps < CREEP_MPS:
        demand_mps2 = min(demand_mps2, -CREEP_BRAKE_MPS2)
    # Traction comes in no faster than cargo and couplings like; brakes are released quicker, and set at once.
    before_mps2 = memory.demand_mps2 if speed_mps > SPEED_STANDING_MPS else max(0.0, memory.demand_mps2)
    rise_mps3 = build.jerk_mps3 if before_mps2 >= 0.0 else 3.0 * build.jerk_mps3
    demand_mps2 = min(demand_mps2, before_mps2 + rise_mps3 * build.step_s, build.acceleration_mps2)
    return Demand(DRIVE if demand_mps2 >= 0.0 else SERVICE_BRAKE, demand_mps2, target_mps)


def _derated_mps(build: Build, sensed: Sensed, held: Held, a_mps2: float) -> float:
    """
    Return the speed from which a stop takes no more road than from top speed with sound brakes on a dry road.

    What brakes or grip lack then costs speed, and not the road that spacing and sight were laid out for; infinite when they lack
    nothing.
    """
    sound_mps2 = a_safe_mps2(build.brake_guaranteed_mps2, 1.0, FRICTION_DRY, 0.0)
    friction = braking_friction(sensed.friction, held.friction)
    lost_mps2 = sound_mps2 - a_safe_mps2(build.brake_guaranteed_mps2, sensed.brake_health, friction, 0.0)
    if lost_mps2 <= 0.0:
        return math.inf
    return even_stop_speed_mps(build.speed_max_mps, a_mps2 + lost_mps2, a_mps2, build.brake_dead_s, build.brake_build_up_s)


def _targets(build: Build, sensed: Sensed, held: Held, memory: Memory, road: Road, a_mps2: float) -> tuple[float, float, float, bool]:
    """Return the speed to aim at, how fast it falls, and where a service stop ends and whether it clears a stretch first."""
    speed_mps = sensed.speed_mps
    b_mps2 = min(build.brake_service_mps2, SERVICE_SHARE * a_mps2)
    reaction_s = max(REACTION_S, build.brake_dead_s + 0.5 * build.brake_build_up_s + RESPONSE_SLACK_S)
    front_m = sensed.nose_m + sensed.bound_m
    level_mps = min(ceiling_here_mps(road, sensed.nose_m - sensed.bound_m - build.length_m, front_m), build.speed_max_mps)
    level_mps = min(level_mps, _derated_mps(build, sensed, held, a_mps2))
    if held.advised_speed_mps > 0.0:
        level_mps = min(level_mps, held.advised_speed_mps)
    curve_mps, then_mps = ceiling_ahead_mps(road, front_m, held.end_m, reaction_s, b_mps2)
    stop_mps = service_speed_mps(held.end_m - front_m - STOP_MARK_M, reaction_s, b_mps2)

    halt_m = math.inf
    clearing = False
    if held.reaction >= SERVICE_STOP or sensed.bound_m > BOUND_STOP_M:
        stop_m = sensed.nose_m + service_distance_m(max(0.0, speed_mps), reaction_s, b_mps2)
        halt_m, clearing = _service_halt(build, sensed, memory, road, stop_m)
        stop_mps = min(stop_mps, service_speed_mps(halt_m - sensed.nose_m, reaction_s, b_mps2))
        if clearing:
            level_mps = min(level_mps, held.clearing_speed_mps)
        if held.reaction >= EMERGENCY_STOP:
            stop_mps = 0.0
    elif held.reaction == NO_ACCELERATION:
        level_mps = min(level_mps, max(speed_mps, 0.0))
    if stop_mps < curve_mps:
        curve_mps = stop_mps
        then_mps = 0.0
    slope_mps2 = 0.0
    if curve_mps <= level_mps:
        # What is left to shed is an upper bound: brakes already asked for go on shedding for a reaction time.
        slope_mps2 = min(curve_mps / (reaction_s + curve_mps / b_mps2), max(0.0, speed_mps - then_mps) / reaction_s)
    return min(level_mps, curve_mps), slope_mps2, halt_m, clearing


def supervise(build: Build, sensed: Sensed, held: Held, memory: Memory, road: Road) -> tuple[Demand, Memory]:
    """Return what the actuators are to do until the next step, and what that step must remember."""
    turn_m = sensed.nose_m if sensed.speed_mps > TURNED_MPS else max(memory.turn_m, sensed.nose_m)
    pulling = memory.demand_mps2 > 0.0 or sensed.acceleration_mps2 > 0.0
    reach_m, a_mps2 = _reach(build, sensed, held, road, build.acceleration_mps2 if pulling else 0.0)
    if _must_emergency_brake(build, sensed, held, memory, reach_m):
        # Where this stop ends is where the truck stays: it never clears a no-stop stretch after an emergency.
        brakes_mps2 = -build.brake_guaranteed_mps2
        return Demand(EMERGENCY_BRAKE, brakes_mps2, 0.0), Memory(EMERGENCY_BRAKE, brakes_mps2, -math.inf, False, turn_m)
    if a_mps2 <= A_SAFE_MIN_MPS2:
        return Demand(HOLD, 0.0, 0.0), Memory(HOLD, 0.0, memory.halt_m, memory.clearing, turn_m)

    target_mps, slope_mps2, halt_m, clearing = _targets(build, sensed, held, memory, road, a_mps2)
    share = ROLLED_SHARE if target_mps < START_MPS else ROLLED_OUT_SHARE
    if memory.mode == EMERGENCY_BRAKE and _has_rolled_back(build, sensed, turn_m, share):
        # What held the truck before did not: the brakes that stopped it stay on until it may drive forward, and does.
        return Demand(EMERGENCY_BRAKE, memory.demand_mps2, 0.0), Memory(EMERGENCY_BRAKE, memory.demand_mps2, halt_m, clearing, turn_m)
    demand = _settle(build, sensed, memory, target_mps, slope_mps2)
    least_mps2 = -min(build.brake_service_mps2, SERVICE_SHARE * a_mps2)
    limited_mps2 = max(demand.acceleration_mps2, least_mps2)
    mode = demand.mode
    if mode != HOLD and reach_m + WARNING_S * sensed.speed_mps >= held.end_m:
        mode = SERVICE_BRAKE
        limited_mps2 = least_mps2
    return Demand(mode, limited_mps2, demand.speed_target_mps), Memory(mode, limited_mps2, halt_m, clearing, turn_m)


def at_start(nose_m: float) -> Memory:
    """Return the memory of a supervisor that has just begun, standing with its nose at *nose_m*."""
    return Memory(HOLD, 0.0, math.inf, False, nose_m)


COMPILABLE: Final[tuple[Callable[..., object], ...]] = (
    a_safe_mps2,
    even_stop_speed_mps,
    pushed_speed_mps,
    service_distance_m,
    service_speed_mps,
    service_speed_to_mps,
    stopping_distance_m,
    first_under,
    worst_grade,
    ceiling_here_mps,
    ceiling_ahead_mps,
    clear_stop_m,
    braking_friction,
    stopping_m,
    _reach,
    earliest_end_m,
    _has_rolled_back,
    _must_emergency_brake,
    _service_halt,
    _settle,
    _derated_mps,
    _targets,
    supervise,
    at_start,
)
