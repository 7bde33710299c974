"""
How the trucks move: mass, grade, driveline and air brakes, integrated in sub-steps.

Nothing here knows the planner's stopping formulas: motion is integrated from forces, so that the formulas can be judged
by it. An electric driveline pulls and retards at once, within its limits; the air brakes answer after a dead time and
build up linearly, and friction caps what they deliver: then the wheels slip, and the truck feels it. What jumps or bends inside a
sub-step counts for the part of it that it lasts, so that a stop is right to a millimetre. Rolling resistance and wind would only
help a truck to stop: they cost energy here, and slow nobody down. Forces are in m/s2, per unit of mass.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from planner._jit import kernel, piece
from sim_harness.observation import FlagArray, FloatArray, Roster, SmallArray

G_MPS2: Final = 9.81
SUB_STEPS: Final = 5
SUB_STEP_S: Final = 0.02

# The modes of the onboard supervisor, which demands net acceleration along the path.
HOLD: Final = 0
DRIVE: Final = 1
SERVICE_BRAKE: Final = 2
EMERGENCY_BRAKE: Final = 3

RETARDER_MPS2: Final = 1.0
DRIVELINE_SLEW_MPS3: Final = 3.0
# What healthy brakes do when asked for everything: more than the guaranteed worst that the planner counts on.
EMERGENCY_LADEN_MPS2: Final = 3.5
EMERGENCY_EMPTY_MPS2: Final = 4.0
# Share of the road's friction that eighteen wheels of unequal load make use of.
ADHESION: Final = 0.8

ROLLING: Final = 0.008
DRIVELINE_EFFICIENCY: Final = 0.88
RECUPERATION: Final = 0.6
AUXILIARY_W: Final = 6000.0
WH_PER_J: Final = 1.0 / 3600.0


class Motion(NamedTuple):
    """
    The true state, columns (n,) of float64.

    nose_m on the truck's path coordinate. driveline_mps2: force of the motors, negative when they retard. brake_mps2: force
    of the air brakes, never negative. pressed_s: for how long the air brakes have been asked for. cut_s: for how long the
    motors have been told to let go. energy_wh: drawn from the battery since the start. slipping: 1 while the wheels are asked for
    more than the road gives, else 0.
    """

    nose_m: FloatArray
    speed_mps: FloatArray
    acceleration_mps2: FloatArray
    driveline_mps2: FloatArray
    brake_mps2: FloatArray
    pressed_s: FloatArray
    cut_s: FloatArray
    energy_wh: FloatArray
    slipping: FloatArray


class Build(NamedTuple):
    """
    What is built into the trucks, columns (n,).

    brake_full: what the air brakes can do by themselves, without the road. slew: how fast the motors' force changes.
    """

    pull_laden_mps2: FloatArray
    pull_empty_mps2: FloatArray
    brake_full_laden_mps2: FloatArray
    brake_full_empty_mps2: FloatArray
    dead_s: FloatArray
    build_up_s: FloatArray
    cutoff_s: FloatArray
    tare_kg: FloatArray
    slew_mps3: FloatArray


class Demand(NamedTuple):
    """What the supervisors ask of the actuators, (n,): mode, and net acceleration along the path, grade included."""

    mode: SmallArray
    acceleration_mps2: FloatArray


class Circumstances(NamedTuple):
    """
    What the trucks meet, (n,): mean grade under the body, road friction, brake health, coal aboard, its mass.

    service: share of what is asked that service braking delivers; emergency braking has a circuit of its own.
    """

    grade: FloatArray
    friction: FloatArray
    brake_health: FloatArray
    service: FloatArray
    laden: FlagArray
    load_kg: FloatArray


def at_rest(nose_m: FloatArray) -> Motion:
    """Trucks that stand with their noses at *nose_m*."""
    count = nose_m.shape[0]
    return Motion(nose_m.copy(), *(np.zeros(count, dtype=np.float64) for _ in range(8)))


def build_of(roster: Roster) -> Build:
    """What the roster's truck types are built like; brakes are as strong as healthy ones are."""
    count = len(roster.truck_ids)
    return Build(
        pull_laden_mps2=roster.column("acceleration_laden_mps2"),
        pull_empty_mps2=roster.column("acceleration_empty_mps2"),
        brake_full_laden_mps2=np.full(count, EMERGENCY_LADEN_MPS2),
        brake_full_empty_mps2=np.full(count, EMERGENCY_EMPTY_MPS2),
        dead_s=roster.column("brake_dead_s"),
        build_up_s=roster.column("brake_build_up_s"),
        cutoff_s=roster.column("traction_cutoff_s"),
        tare_kg=roster.column("tare_kg"),
        slew_mps3=np.full(count, DRIVELINE_SLEW_MPS3),
    )


def no_demand(count: int) -> Demand:
    """Every truck held."""
    return Demand(np.zeros(count, dtype=np.int8), np.zeros(count, dtype=np.float64))


def calm(count: int) -> Circumstances:
    """Level, dry road; empty trucks in health."""
    return Circumstances(
        grade=np.zeros(count),
        friction=np.full(count, 0.7),
        brake_health=np.ones(count),
        service=np.ones(count),
        laden=np.zeros(count, dtype=np.bool_),
        load_kg=np.zeros(count),
    )


@kernel
def move(motion: Motion, build: Build, demand: Demand, around: Circumstances, step_s: float, steps: int) -> None:
    """
    Move every truck on by *steps* sub-steps of *step_s* seconds.

    motion   columns (n,), written
    build, demand, around   columns (n,)

    A truck never rolls backwards: its brakes hold whatever its motors do not. Standstill is reached exactly, inside a sub-step.
    """
    for i in range(motion.nose_m.shape[0]):
        mode = demand.mode[i]
        if motion.speed_mps[i] == 0.0 and (mode == HOLD or demand.acceleration_mps2[i] <= 0.0):
            _stand(motion, build, i, mode, step_s * steps)
            continue
        for _ in range(steps):
            _sub_step(motion, build, demand, around, step_s, i)


@piece
def _stand(motion: Motion, build: Build, i: int, mode: int, span_s: float) -> None:
    """Spend *span_s* at a standstill; brakes that are asked for build up as they would on the move."""
    motion.acceleration_mps2[i] = 0.0
    motion.driveline_mps2[i] = 0.0
    motion.cut_s[i] = 0.0
    motion.slipping[i] = 0.0
    motion.energy_wh[i] += AUXILIARY_W * span_s * WH_PER_J
    if mode == EMERGENCY_BRAKE:
        motion.pressed_s[i] += span_s
        if motion.pressed_s[i] > build.dead_s[i]:
            motion.brake_mps2[i] = build.brake_full_laden_mps2[i]
    else:
        motion.pressed_s[i] = 0.0
        motion.brake_mps2[i] = 0.0


@piece
def _sub_step(motion: Motion, build: Build, demand: Demand, around: Circumstances, step_s: float, i: int) -> None:
    """One sub-step of one truck: forces at its end, motion with the mean of old and new acceleration."""
    laden = around.laden[i]
    pull_mps2 = build.pull_laden_mps2[i] if laden else build.pull_empty_mps2[i]
    full_mps2 = build.brake_full_laden_mps2[i] if laden else build.brake_full_empty_mps2[i]
    slope_mps2 = G_MPS2 * around.grade[i]
    mode = demand.mode[i]
    speed_mps = motion.speed_mps[i]

    wish_mps2 = demand.acceleration_mps2[i] + slope_mps2
    air_wish_mps2 = 0.0
    # By how much the mean force over the sub-step exceeds the mean of its ends: nothing, unless something jumps or kinks inside.
    bend_mps2 = 0.0
    if mode in (EMERGENCY_BRAKE, HOLD):
        air_wish_mps2 = full_mps2
        pulling = min(max((build.cutoff_s[i] - motion.cut_s[i]) / step_s, 0.0), 1.0)
        motion.cut_s[i] += step_s
        if pulling < 1.0:
            bend_mps2 = motion.driveline_mps2[i] * (pulling - 0.5)
            motion.driveline_mps2[i] = 0.0
    else:
        motion.cut_s[i] = 0.0
        driveline_mps2 = min(max(wish_mps2, -RETARDER_MPS2 * around.service[i]), pull_mps2)
        slew_mps2 = build.slew_mps3[i] * step_s
        motion.driveline_mps2[i] += min(max(driveline_mps2 - motion.driveline_mps2[i], -slew_mps2), slew_mps2)
        if mode == SERVICE_BRAKE:
            air_wish_mps2 = min(max(-wish_mps2 - RETARDER_MPS2, 0.0), full_mps2) * around.service[i]

    # What the road takes of the brakes, beside what the motors ask of it.
    grip_mps2 = ADHESION * around.friction[i] * G_MPS2 + motion.driveline_mps2[i]
    bend_mps2 -= _press(motion, build, i, (air_wish_mps2, full_mps2), (around.brake_health[i], grip_mps2), step_s)
    motion.slipping[i] = 1.0 if motion.brake_mps2[i] * around.brake_health[i] > grip_mps2 else 0.0
    now_mps2 = motion.driveline_mps2[i] - min(motion.brake_mps2[i] * around.brake_health[i], grip_mps2) - slope_mps2
    mean_mps2 = 0.5 * (motion.acceleration_mps2[i] + now_mps2) + bend_mps2 if speed_mps > 0.0 else now_mps2

    after_mps = speed_mps + mean_mps2 * step_s
    if after_mps <= 0.0:
        # It comes to rest inside the sub-step, or cannot start: brakes hold it against the slope either way.
        if speed_mps > 0.0 and mean_mps2 < 0.0:
            motion.nose_m[i] += speed_mps * speed_mps / (-2.0 * mean_mps2)
        motion.speed_mps[i] = 0.0
        motion.acceleration_mps2[i] = 0.0
    else:
        motion.nose_m[i] += 0.5 * (speed_mps + after_mps) * step_s
        motion.speed_mps[i] = after_mps
        motion.acceleration_mps2[i] = now_mps2

    mean_speed_mps = 0.5 * (speed_mps + motion.speed_mps[i])
    mass_kg = build.tare_kg[i] + around.load_kg[i]
    power_w = mass_kg * (motion.driveline_mps2[i] + G_MPS2 * ROLLING) * mean_speed_mps
    power_w = power_w / DRIVELINE_EFFICIENCY if power_w > 0.0 else power_w * RECUPERATION
    motion.energy_wh[i] += (power_w + AUXILIARY_W) * step_s * WH_PER_J


@piece
def _press(motion: Motion, build: Build, i: int, asked: tuple[float, float], wheels: tuple[float, float], step_s: float) -> float:
    """
    Let the air brakes follow what is *asked*: nothing for the dead time, then linearly at the pace that reaches full in time.

    asked   wish and full force
    wheels  health of the brakes, and the most the road takes of them

    Returns by how much the mean of their force at the wheels over the sub-step exceeds the mean of its ends: inside it they may
    begin, be done, or reach what the road takes.
    """
    wish_mps2, full_mps2 = asked
    health, grip_mps2 = wheels
    pace_mps3 = full_mps2 / max(build.build_up_s[i], step_s)
    before_mps2 = motion.brake_mps2[i]
    if wish_mps2 <= 0.0:
        motion.pressed_s[i] = 0.0
        motion.brake_mps2[i] = max(0.0, before_mps2 - pace_mps3 * step_s)
        return 0.0
    motion.pressed_s[i] += step_s
    # Only the part of the sub-step beyond the dead time builds pressure.
    live_s = min(step_s, motion.pressed_s[i] - build.dead_s[i])
    if live_s <= 0.0:
        return 0.0
    most_mps2 = pace_mps3 * live_s
    motion.brake_mps2[i] += min(max(wish_mps2 - before_mps2, -most_mps2), most_mps2)
    change_mps2 = min(motion.brake_mps2[i] * health, grip_mps2) - min(before_mps2 * health, grip_mps2)
    if change_mps2 == 0.0:
        return 0.0
    changing_s = abs(change_mps2) / (pace_mps3 * health)
    excess_mps2: float = change_mps2 * ((live_s - 0.5 * changing_s) / step_s - 0.5)
    return excess_mps2


def stopping_distance_m(
    speed_mps: float, brake_mps2: float, grade: float, dead_s: float, build_up_s: float, pull_mps2: float, cutoff_s: float
) -> float:
    """
    Metres from the demand for emergency braking to the standstill, integrated in milliseconds.

    *brake_mps2* is what the brakes deliver at the wheels; *pull_mps2* is what the motors still give until *cutoff_s*. Infinite
    when the truck would not stop on the grade.
    """
    if brake_mps2 + G_MPS2 * grade <= 0.0:
        return math.inf
    step_s = 1e-3
    at_m, time_s = 0.0, 0.0
    while speed_mps > 0.0:
        share = min(max((time_s + 0.5 * step_s - dead_s) / max(build_up_s, step_s), 0.0), 1.0)
        pull = pull_mps2 * min(max((cutoff_s - time_s) / step_s, 0.0), 1.0)
        after_mps = speed_mps + (pull - share * brake_mps2 - G_MPS2 * grade) * step_s
        at_m += 0.5 * (speed_mps + max(after_mps, 0.0)) * step_s
        speed_mps = after_mps
        time_s += step_s
    return at_m
