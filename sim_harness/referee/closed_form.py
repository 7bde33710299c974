"""
A stop in closed form: how far a truck goes until it rests, without a step of integration.

From the demand for emergency braking the forces on a truck are straight lines in time, joined at a few instants: the motors let
go, the brakes begin, they are built up or the wheels slide. Between two joints acceleration is linear, so speed is quadratic and
the way cubic, and rest is the first root of a quadratic. Nothing here is taken from the planner's formula or from the simulator's
integrator, which are both judged by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import copysign, inf, sqrt


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A span in which acceleration is a straight line: *acceleration_mps2* at its start, *jerk_mps3* all along."""

    span_s: float
    acceleration_mps2: float
    jerk_mps3: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """
    What acts on a truck from the moment its emergency brake is called, per unit of mass.

    brake_mps2  at the wheels once built up, if the road takes it; reached *build_up_s* after *dead_s*
    grip_mps2   the most the road takes
    pull_mps2   the motors until *cutoff_s*; negative when they retard
    slope_mps2  gravity along the road, positive uphill
    """

    brake_mps2: float
    grip_mps2: float = inf
    dead_s: float
    build_up_s: float
    pull_mps2: float = 0.0
    cutoff_s: float = 0.0
    slope_mps2: float = 0.0

    def phases(self) -> Iterator[Phase]:
        """From the call of the brake on; the last one has no end. Motors have let go before the wheels slide."""
        held_mps2 = min(self.brake_mps2, self.grip_mps2)
        built_s = self.dead_s + self.build_up_s * held_mps2 / self.brake_mps2
        joints = sorted({0.0, self.cutoff_s, self.dead_s, built_s})
        for start_s, end_s in zip(joints, [*joints[1:], inf], strict=True):
            jerk_mps3 = 0.0
            force_mps2 = (self.pull_mps2 if start_s < self.cutoff_s else 0.0) - self.slope_mps2
            if start_s >= built_s:
                force_mps2 -= held_mps2
            elif start_s >= self.dead_s:
                jerk_mps3 = -self.brake_mps2 / self.build_up_s
                force_mps2 += jerk_mps3 * (start_s - self.dead_s)
            yield Phase(span_s=end_s - start_s, acceleration_mps2=force_mps2, jerk_mps3=jerk_mps3)


def rest_s(speed_mps: float, phase: Phase) -> float:
    """Seconds into *phase* at which *speed_mps* has become zero; inf when it does not."""
    half, slope = 0.5 * phase.jerk_mps3, phase.acceleration_mps2
    if half == 0.0:
        return -speed_mps / slope if slope < 0.0 else inf
    root = slope * slope - 4.0 * half * speed_mps
    if root < 0.0:
        return inf
    # Citardauq and the usual formula, each for the root it does not lose digits of.
    middle = -0.5 * (slope + copysign(sqrt(root), slope))
    roots = (middle / half, speed_mps / middle if middle != 0.0 else inf)
    return min((at_s for at_s in roots if at_s > 0.0), default=inf)


def way_to_rest_m(speed_mps: float, phases: Iterable[Phase]) -> float:
    """Metres from *speed_mps* to rest; inf when the last phase does not end in rest."""
    way_m = 0.0
    for phase in phases:
        if speed_mps <= 0.0:
            return way_m
        at_s = rest_s(speed_mps, phase)
        span_s = min(at_s, phase.span_s)
        if span_s == inf:
            return inf
        a_mps2, j_mps3 = phase.acceleration_mps2, phase.jerk_mps3
        way_m += span_s * (speed_mps + span_s * (a_mps2 / 2.0 + span_s * j_mps3 / 6.0))
        if at_s <= phase.span_s:
            return way_m
        speed_mps += span_s * (a_mps2 + span_s * j_mps3 / 2.0)
    return way_m
