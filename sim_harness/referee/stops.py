"""
Stopping distances: the planner's formula and the simulator's motion beside closed forms, and the one above the other.

The planner's formula is exact for the truck it imagines, which is as fast as all push before full braking could make it; its
closed form must give the same metres. The simulator's stop is exact for the truck it moves, up to its sub-steps. And whatever the
truck, the formula must ask for no less road than the truck then takes: movement authorities rest on that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from planner.braking import a_safe_mps2, pushed_speed_mps, stopping_distance_m
from planner.limits import A_SAFE_MIN_MPS2, ACCELERATION_MAX_MPS2, FRICTION_MAX, FRICTION_MIN, FRICTION_USE, GRADE_MAX, SPEED_MAX_MPS
from sim_harness import dynamics
from sim_harness.observation import FlagArray, FloatArray
from sim_harness.referee.closed_form import Phase, Stop, way_to_rest_m
from sim_harness.referee.finding import Finding

REFEREE: Final = "closed form"
BOUND_M: Final = 1e-3
# Rounding of sums of a few hundred metres.
ROUNDING_M: Final = 1e-9
SEED: Final = 1
RANDOM_CASES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """
    Trucks whose emergency brake is called, columns (n,).

    brake_mps2 is what healthy brakes do at full; pull_mps2 what the motors do until *cutoff_s*. The road gives *grip_mps2* at
    most.
    """

    speed_mps: FloatArray
    grade: FloatArray
    brake_mps2: FloatArray
    health: FloatArray
    grip_mps2: FloatArray
    dead_s: FloatArray
    build_up_s: FloatArray
    pull_mps2: FloatArray
    cutoff_s: FloatArray

    def where(self, rows: FlagArray) -> Cases:
        """Only those where *rows* (n,) is true."""
        return Cases(**{name: getattr(self, name)[rows] for name in self.__slots__})

    def stop(self, row: int) -> Stop:
        """One case, for the closed form."""
        return Stop(
            brake_mps2=self.brake_mps2[row] * self.health[row],
            grip_mps2=self.grip_mps2[row],
            dead_s=self.dead_s[row],
            build_up_s=self.build_up_s[row],
            pull_mps2=self.pull_mps2[row],
            cutoff_s=self.cutoff_s[row],
            slope_mps2=dynamics.G_MPS2 * self.grade[row],
        )

    @property
    def left_mps2(self) -> FloatArray:
        """(n,) deceleration at full braking."""
        return np.minimum(self.brake_mps2 * self.health, self.grip_mps2) + dynamics.G_MPS2 * self.grade

    def exact_m(self) -> FloatArray:
        """(n,) metres to rest in closed form."""
        return np.array([way_to_rest_m(float(self.speed_mps[row]), self.stop(row).phases()) for row in range(len(self.speed_mps))])

    def simulated_m(self) -> FloatArray:
        """(n,) metres to rest, moved by the simulator in the sub-steps that runs use; they must be able to stop."""
        count = len(self.speed_mps)
        motion = dynamics.at_rest(np.zeros(count))
        motion.speed_mps[:] = self.speed_mps
        motion.driveline_mps2[:] = self.pull_mps2
        motion.acceleration_mps2[:] = self.pull_mps2 - dynamics.G_MPS2 * self.grade
        build = dynamics.Build(
            pull_laden_mps2=self.pull_mps2,
            pull_empty_mps2=self.pull_mps2,
            brake_full_laden_mps2=self.brake_mps2,
            brake_full_empty_mps2=self.brake_mps2,
            dead_s=self.dead_s,
            build_up_s=self.build_up_s,
            cutoff_s=self.cutoff_s,
            tare_kg=np.full(count, 30_000.0),
            slew_mps3=np.full(count, dynamics.DRIVELINE_SLEW_MPS3),
        )
        around = dynamics.calm(count)._replace(
            grade=self.grade, friction=self.grip_mps2 / (dynamics.ADHESION * dynamics.G_MPS2), brake_health=self.health
        )
        demand = dynamics.Demand(np.full(count, dynamics.EMERGENCY_BRAKE, dtype=np.int8), np.full(count, -ACCELERATION_MAX_MPS2))
        while motion.speed_mps.any():
            dynamics.move(motion, build, demand, around, dynamics.SUB_STEP_S, dynamics.SUB_STEPS)
        return motion.nose_m

    def planned_m(self) -> FloatArray:
        """(n,) metres that the planner's formula asks for, where *brake_mps2* and grip are the guaranteed worst."""
        metres = np.empty(len(self.speed_mps))
        for row in range(len(metres)):
            grade, dead_s, build_up_s = float(self.grade[row]), float(self.dead_s[row]), float(self.build_up_s[row])
            friction = float(self.grip_mps2[row]) / (FRICTION_USE * dynamics.G_MPS2)
            a_mps2 = a_safe_mps2(float(self.brake_mps2[row]), float(self.health[row]), friction, grade)
            push = (max(0.0, float(self.pull_mps2[row])), float(self.cutoff_s[row]))
            pushed_mps = pushed_speed_mps(float(self.speed_mps[row]), grade, dead_s + build_up_s, *push)
            metres[row] = stopping_distance_m(pushed_mps, a_mps2, dead_s, build_up_s)
        return metres


def columns(rows: FloatArray) -> Cases:
    """Cases from rows (n, 9), in the order of the fields."""
    return Cases(**dict(zip(Cases.__slots__, np.ascontiguousarray(rows.T), strict=True)))


def usual_cases() -> Cases:
    """A grid of our truck: speeds, grades, laden and empty, dry to glare ice, sound and weak brakes, cruising and pulling."""
    rows = []
    strengths = ((dynamics.EMERGENCY_LADEN_MPS2, 0.35), (dynamics.EMERGENCY_EMPTY_MPS2, 0.7))
    for speed_kmh, grade, (brake_mps2, most_mps2), friction, health, pulls in product(
        (0.2, 1.0, 3.0, 5.0, 10.0, 15.0, 25.0, 40.0, 60.0),
        (-0.06, -0.02, -0.01, 0.0, 0.01, 0.02, 0.05),
        strengths,
        (0.12, 0.25, 0.5, 0.7),
        (0.6, 1.0),
        (False, True),
    ):
        cruise_mps2 = min(max(dynamics.G_MPS2 * grade, -dynamics.RETARDER_MPS2), most_mps2)
        grip_mps2 = dynamics.ADHESION * friction * dynamics.G_MPS2
        pull_mps2 = most_mps2 if pulls else cruise_mps2
        rows.append((speed_kmh / 3.6, grade, brake_mps2, health, grip_mps2, 0.5, 0.5, pull_mps2, 0.3))
    cases = columns(np.array(rows))
    return cases.where(cases.left_mps2 > A_SAFE_MIN_MPS2)


def random_cases(count: int, seed: int) -> Cases:
    """Whatever a truck may be and meet, up to the limits of what the planner plans for; delays off every sub-step's end."""
    random = np.random.default_rng(seed)
    dead_s = random.uniform(0.0, 1.1, count)
    grip_mps2 = FRICTION_USE * dynamics.G_MPS2 * random.uniform(FRICTION_MIN, FRICTION_MAX, count)
    cases = Cases(
        speed_mps=random.uniform(0.01, SPEED_MAX_MPS, count) * random.choice([0.05, 0.3, 1.0], count),
        grade=random.uniform(-GRADE_MAX, GRADE_MAX, count) * random.choice([0.0, 0.2, 1.0], count),
        brake_mps2=random.uniform(0.9, 5.0, count),
        health=random.uniform(0.6, 1.0, count),
        grip_mps2=grip_mps2,
        dead_s=dead_s,
        build_up_s=random.uniform(0.02, 1.2, count),
        pull_mps2=random.uniform(-np.minimum(dynamics.RETARDER_MPS2, grip_mps2), 0.8),
        cutoff_s=dead_s * random.uniform(0.0, 1.0, count),
    )
    left_mps2 = cases.left_mps2 - dynamics.G_MPS2 * np.maximum(0.0, cases.grade)
    # Not those whom the retarder stops before it lets go: whether they then stay is not a question of brakes.
    rolls = cases.speed_mps > -cases.pull_mps2 * cases.cutoff_s
    return cases.where((left_mps2 > A_SAFE_MIN_MPS2) & rolls)


def imagined_m(cases: Cases) -> FloatArray:
    """(n,) metres to rest, in closed form, of trucks that nothing pushes and that brake as the planner imagines: speeds as given."""
    metres = np.empty(len(cases.speed_mps))
    for row in range(len(metres)):
        a_mps2, build_up_s = float(cases.left_mps2[row]), float(cases.build_up_s[row])
        phases = (
            Phase(span_s=float(cases.dead_s[row]), acceleration_mps2=0.0),
            Phase(span_s=build_up_s, acceleration_mps2=0.0, jerk_mps3=-a_mps2 / build_up_s),
            Phase(span_s=np.inf, acceleration_mps2=-a_mps2),
        )
        metres[row] = way_to_rest_m(float(cases.speed_mps[row]), phases)
    return metres


def level(cases: Cases) -> Cases:
    """The same trucks where nothing pushes them: the planner's own truck."""
    still = np.zeros_like(cases.grade)
    names = {name: getattr(cases, name) for name in Cases.__slots__}
    flat = Cases(**{**names, "grade": still, "pull_mps2": still})
    return flat.where(flat.left_mps2 > A_SAFE_MIN_MPS2)


def late(cases: Cases, seed: int) -> Cases:
    """The same trucks with motors that let go up to twice as late as the brakes are built up; no closed form of ours has those."""
    share = np.random.default_rng(seed).uniform(0.0, 2.0, len(cases.dead_s))
    names = {name: getattr(cases, name) for name in Cases.__slots__}
    return Cases(**{**names, "pull_mps2": np.abs(cases.pull_mps2), "cutoff_s": share * (cases.dead_s + cases.build_up_s)})


def _line(compared: str, beyond_m: FloatArray, bound_m: float = BOUND_M) -> Finding:
    return Finding(referee=REFEREE, compared=compared, worst=float(beyond_m.max()), bound=bound_m, unit="m", cases=len(beyond_m))


def compare() -> list[Finding]:
    """The planner's formula, the simulator's motion, and the formula above the motion."""
    found = []
    for name, cases in (("grid", usual_cases()), ("random", random_cases(RANDOM_CASES, SEED))):
        flat, simulated_m, exact_m, planned_m = level(cases), cases.simulated_m(), cases.exact_m(), cases.planned_m()
        found += [
            _line(f"planner's stop where nothing pushes, {name}", np.abs(flat.planned_m() - imagined_m(flat))),
            _line(f"simulated stop, {name}", np.abs(simulated_m - exact_m)),
            _line(f"closed form beyond the planner's stop, {name}", exact_m - planned_m, ROUNDING_M),
            _line(f"simulated stop beyond the planner's, {name}", simulated_m - planned_m),
        ]
    tardy = late(random_cases(RANDOM_CASES, SEED), SEED)
    return [*found, _line("simulated stop beyond the planner's, motors late", tardy.simulated_m() - tardy.planned_m())]
