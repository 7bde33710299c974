"""The simulator's physics: judged against closed forms, and then judge of the planner's formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import braking
from sim_harness import dynamics
from sim_harness.dynamics import Build, Circumstances, Demand, Motion


def one_truck(speed_mps: float, full_mps2: float = 2.2, pull_mps2: float = 0.35) -> tuple[Motion, Build, Circumstances]:
    """A laden truck on the move."""
    motion = dynamics.at_rest(np.zeros(1))
    motion.speed_mps[0] = speed_mps
    build = Build(
        pull_laden_mps2=np.array([pull_mps2]),
        pull_empty_mps2=np.array([2 * pull_mps2]),
        brake_full_laden_mps2=np.array([full_mps2]),
        brake_full_empty_mps2=np.array([full_mps2]),
        dead_s=np.array([0.5]),
        build_up_s=np.array([0.5]),
        cutoff_s=np.array([0.2]),
        tare_kg=np.array([30_000.0]),
        slew_mps3=np.array([dynamics.DRIVELINE_SLEW_MPS3]),
    )
    around = dynamics.calm(1)
    around.laden[0] = True
    around.load_kg[0] = 65_000.0
    return motion, build, around


def run(motion: Motion, build: Build, around: Circumstances, mode: int, demand_mps2: float, seconds: float) -> None:
    """Hold one demand for a while."""
    demand = Demand(np.array([mode], dtype=np.int8), np.array([demand_mps2]))
    for _ in range(round(seconds * 10)):
        dynamics.move(motion, build, demand, around, dynamics.SUB_STEP_S, dynamics.SUB_STEPS)


@pytest.mark.parametrize(("cutoff_s", "dead_s", "build_up_s"), [(0.2, 0.5, 0.5), (0.213, 0.487, 0.331), (0.0, 0.01, 0.05)])
def test_an_emergency_stop_is_as_long_as_integrated_finely(cutoff_s: float, dead_s: float, build_up_s: float) -> None:
    """Sub-steps of 20 ms must not show, wherever in them motors let go, brakes begin and wheels start to slide."""
    motion, build, around = one_truck(25 / 3.6, full_mps2=3.5)
    motion.driveline_mps2[0] = motion.acceleration_mps2[0] = 0.35
    build.cutoff_s[0], build.dead_s[0], build.build_up_s[0] = cutoff_s, dead_s, build_up_s
    around.friction[0] = 0.2
    grip_mps2 = dynamics.ADHESION * 0.2 * dynamics.G_MPS2

    run(motion, build, around, dynamics.EMERGENCY_BRAKE, -2.2, 30.0)

    fine_m = dynamics.stopping_distance_m(25 / 3.6, grip_mps2, 0.0, dead_s, build_up_s * grip_mps2 / 3.5, 0.35, cutoff_s)
    assert motion.speed_mps[0] == 0.0
    assert motion.nose_m[0] == pytest.approx(fine_m, abs=1e-3)


def test_a_truck_at_rest_stays_on_a_slope_to_the_hair() -> None:
    """A creeping truck would eat its neighbour's metres over a day."""
    motion, build, around = one_truck(0.0)
    around.grade[0] = 0.06

    run(motion, build, around, dynamics.HOLD, 0.0, 600.0)

    assert motion.nose_m[0] == 0.0
    assert motion.speed_mps[0] == 0.0


def test_a_truck_that_cannot_pull_away_uphill_does_not_roll_back() -> None:
    """Trucks never reverse under authority, however steep the ramp."""
    motion, build, around = one_truck(0.0)
    around.grade[0] = 0.05

    run(motion, build, around, dynamics.DRIVE, 0.3, 20.0)

    assert motion.nose_m[0] == 0.0


def test_ice_decides_when_brakes_are_stronger_than_grip() -> None:
    """On glare ice the strongest brakes stop no sooner than the tyres allow."""
    motion, build, around = one_truck(10 / 3.6, full_mps2=3.5)
    around.friction[0] = 0.12

    run(motion, build, around, dynamics.EMERGENCY_BRAKE, -2.2, 30.0)

    assert motion.nose_m[0] >= (10 / 3.6) ** 2 / (2 * 0.8 * 0.12 * 9.81)


def test_the_driveline_reaches_the_speed_it_is_told_within_its_pull() -> None:
    """A laden truck pulls 0.35 m/s2 and no more; uphill less is left."""
    motion, build, around = one_truck(0.0)
    around.grade[0] = 0.02

    run(motion, build, around, dynamics.DRIVE, 0.35, 10.0)

    assert motion.speed_mps[0] == pytest.approx((0.35 - 0.02 * 9.81) * 10, abs=0.1)


def test_a_laden_kilometre_costs_what_is_published() -> None:
    """2.4 to 3.4 kWh a kilometre laden; dispatch plans charging by it."""
    motion, build, around = one_truck(25 / 3.6)

    run(motion, build, around, dynamics.DRIVE, 0.0, 144.0)

    assert motion.nose_m[0] == pytest.approx(1000.0, rel=0.01)
    assert 2400 <= motion.energy_wh[0] <= 3400


@settings(max_examples=150, deadline=None)
@given(
    speed=st.floats(0.1, 12.0),
    brake=st.floats(0.3, 4.0),
    downhill=st.floats(0.0, 0.06),
    dead=st.floats(0.1, 1.0),
    build_up=st.floats(0.1, 1.0),
    pull=st.floats(0.0, 0.7),
    cutoff=st.floats(0.0, 0.5),
)
def test_the_planners_stopping_distance_bounds_the_integrated_one(
    speed: float, brake: float, downhill: float, dead: float, build_up: float, pull: float, cutoff: float
) -> None:
    """Invariant I2 rests on this bound; *brake* is what is left of the brakes after the slope's pull."""
    wheels = brake + 9.81 * downhill

    true_m = dynamics.stopping_distance_m(speed, wheels, -downhill, dead, build_up, pull, min(cutoff, dead))

    pushed = braking.pushed_speed_mps(speed, -downhill, dead + build_up, pull, cutoff)
    assert braking.stopping_distance_m(pushed, brake, dead, build_up) >= true_m - 1e-3


@pytest.mark.parametrize(("friction", "slips"), [(0.7, False), (0.2, True)])
def test_wheels_slip_where_they_are_asked_for_more_than_the_road_gives(friction: float, slips: bool) -> None:
    """What a truck feels of ice is what the ice gives it, and nothing on a dry road."""
    motion, build, around = one_truck(25 / 3.6, full_mps2=3.5)
    around.friction[0] = friction

    run(motion, build, around, dynamics.EMERGENCY_BRAKE, -2.2, 1.5)

    assert bool(motion.slipping[0]) is slips
    assert motion.acceleration_mps2[0] == pytest.approx(-min(3.5, dynamics.ADHESION * friction * dynamics.G_MPS2))
