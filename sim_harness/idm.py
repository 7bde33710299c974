"""
Car following by the Intelligent Driver Model, moved by our dynamics.

No truck of ours drives by it: they keep to movement authorities. It is the model that every traffic simulator knows, so it says
whether our integrator makes of a demand what others make of it, and how much room people would leave where ours leave theirs.

The model: M. Treiber, A. Hennecke, D. Helbing, Congested traffic states in empirical observations and microscopic simulations,
Physical Review E 62 (2000), 1805-1824.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from sim_harness import dynamics
from sim_harness.observation import TICK_S, FloatArray

# Forces of a convoy's trucks: more than any driver asks for, and a road that takes them.
FORCE_MAX_MPS2: Final = 10.0
FRICTION: Final = 2.0
# The integrator lets a demand that jumps arrive half a sub-step late; here that is a twentieth of a millisecond.
SUB_STEPS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """How one drives: what he wishes, and the acceleration and comfortable braking he uses for it."""

    speed_wish_mps: float
    time_gap_s: float
    gap_least_m: float
    acceleration_mps2: float
    brake_mps2: float
    exponent: float = 4.0

    def demand_mps2(self, speed_mps: FloatArray, leader_mps: FloatArray, gap_m: FloatArray) -> FloatArray:
        """Acceleration (n,) behind leaders as fast as *leader_mps*, whose tails are *gap_m* ahead."""
        closing_mps = speed_mps - leader_mps
        eagerness = closing_mps / (2.0 * sqrt(self.acceleration_mps2 * self.brake_mps2))
        wish_m = self.gap_least_m + np.maximum(0.0, speed_mps * (self.time_gap_s + eagerness))
        free = (speed_mps / self.speed_wish_mps) ** self.exponent
        return np.asarray(self.acceleration_mps2 * (1.0 - free - (wish_m / gap_m) ** 2))

    def equilibrium_gap_m(self, speed_mps: float) -> float:
        """The gap that is kept behind a leader who goes on at *speed_mps*, which must be less than the speed wished for."""
        free = (speed_mps / self.speed_wish_mps) ** self.exponent
        return (self.gap_least_m + speed_mps * self.time_gap_s) / sqrt(1.0 - free)


class Convoy:
    """
    Trucks of one length in a row, the first as fast as it is told, the others driven by the model.

    Their motors and brakes obey at once, so that what moves them is the model and the integrator and nothing else.
    """

    def __init__(self, driver: Driver, length_m: float, nose_m: FloatArray) -> None:
        count = len(nose_m)
        most, instant = np.full(count, FORCE_MAX_MPS2), np.zeros(count)
        self._driver = driver
        self._length_m = length_m
        self._motion = dynamics.at_rest(nose_m)
        self._demand = dynamics.no_demand(count)
        self._around = dynamics.calm(count)._replace(friction=np.full(count, FRICTION))
        self._build = dynamics.Build(
            pull_laden_mps2=most,
            pull_empty_mps2=most,
            brake_full_laden_mps2=most,
            brake_full_empty_mps2=most,
            dead_s=instant,
            build_up_s=instant,
            cutoff_s=instant,
            tare_kg=np.full(count, 30_000.0),
            slew_mps3=np.full(count, np.inf),
        )

    @property
    def speed_mps(self) -> FloatArray:
        """(n,) from the leader back; the convoy's own, it changes at the next tick."""
        return self._motion.speed_mps

    @property
    def gap_m(self) -> FloatArray:
        """(n - 1,) from each follower's nose to the tail ahead."""
        return self._motion.nose_m[:-1] - self._length_m - self._motion.nose_m[1:]

    def tick(self, leader_mps: float) -> None:
        """
        A tick of 0.1 s at the end of which the leader is as fast as *leader_mps*.

        Demands stay through the tick (the update that SUMO calls ballistic), and nobody brakes to rest before its end.
        """
        speed_mps, wish_mps2 = self._motion.speed_mps, self._demand.acceleration_mps2
        wish_mps2[0] = (leader_mps - speed_mps[0]) / TICK_S
        wish_mps2[1:] = self._driver.demand_mps2(speed_mps[1:], speed_mps[:-1], self.gap_m)
        np.maximum(wish_mps2, -speed_mps / TICK_S, out=wish_mps2)
        self._demand.mode[:] = np.where(wish_mps2 < 0.0, dynamics.SERVICE_BRAKE, dynamics.DRIVE)
        dynamics.move(self._motion, self._build, self._demand, self._around, TICK_S / SUB_STEPS, SUB_STEPS)
