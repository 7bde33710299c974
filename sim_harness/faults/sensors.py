"""
Sensors that fail, in the seven shapes that flight controllers are tested with.

A sensor's fault lies between the truth and what the truck believes: every tick the columns of belief are written anew from the
truth, and here one truck's are spoilt. A reading that is no reading (OFF, and garbage that is no number) leaves the last one in
place with its old stamp, as the onboard computer does.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from typing import Final, NamedTuple

from sim_harness.columns import DRIFT
from sim_harness.faults.kind import Shape
from sim_harness.faults.scene import Scene
from sim_harness.faults.spec import FaultSpec
from sim_harness.observation import TICK_S

GARBAGE_M: Final = 1000.0
GARBAGE_MPS: Final = 30.0
# Of garbage, so much is no number at all.
NO_NUMBER_SHARE: Final = 0.5
WINDOW_TICKS: Final = 10
OFF_SHARE: Final = 0.5
SLOW_S: Final = (0.3, 3.0)


class Reading(NamedTuple):
    """One truck's reading."""

    nose_m: float
    speed_mps: float
    bound_m: float
    stamp_ns: int


class SensorFault(ABC):
    """Spoils one truck's readings; subclasses say which part of them."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._belief = scene.fleet.belief
        self._fleet = scene.fleet
        self._row = scene.row(spec)
        self._shape = spec.failing
        self._amount = spec.amount
        self._rng = scene.streams.stream(f"{spec.fault} {spec.aimed_at} {spec.at_s}", "fault")
        self._last: Reading | None = None
        self._past: deque[Reading] = deque()
        self._ticks = 0
        self._off = False

    def begin(self) -> None:
        """Break it."""
        self._fleet.ailments[self._row] += 1
        self._last = self._true()
        self._fleet.sensing.append(self._disturb)

    def tick(self) -> None:
        """It acts when the truck senses; until then the truck must not rest on what it was asked last."""
        self._fleet.onboard.same[self._row] = False

    def end(self) -> None:
        """Mend it: the next reading is true again."""
        self._fleet.ailments[self._row] -= 1
        self._fleet.sensing.remove(self._disturb)
        self._fleet.onboard.same[self._row] = False

    def _true(self) -> Reading:
        belief, row = self._belief, self._row
        return Reading(float(belief.nose_m[row]), float(belief.speed_mps[row]), float(belief.bound_m[row]), int(belief.stamp_ns[row]))

    def _disturb(self) -> None:
        self._ticks += 1
        self._fleet.onboard.same[self._row] = False
        true = self._true()
        self._past.append(true)
        assert self._last is not None
        shown = self._shown(true, self._last)
        if shown is None:
            shown = self._last
        self._last = shown
        belief, row = self._belief, self._row
        belief.nose_m[row], belief.speed_mps[row], belief.bound_m[row], belief.stamp_ns[row] = shown

    def _shown(self, true: Reading, last: Reading) -> Reading | None:
        """What the truck reads in place of *true* after *last*; None for no reading at all."""
        match self._shape:
            case Shape.STUCK:
                shown = last
            case Shape.GARBAGE if self._rng.random() >= NO_NUMBER_SHARE:
                shown = self._garbage(true)
            case Shape.WRONG:
                shown = self._wrong(true)
            case Shape.SLOW:
                shown = true if self._ticks % self._pace_ticks() == 0 else last
            case Shape.DELAYED:
                while len(self._past) > self._pace_ticks():
                    self._past.popleft()
                shown = self._past[0]
            case Shape.INTERMITTENT:
                if self._ticks % WINDOW_TICKS == 1:
                    self._off = bool(self._rng.random() < OFF_SHARE)
                return None if self._off else true
            case _:
                return None
        return self._mixed(shown, true)

    def _pace_ticks(self) -> int:
        """Ticks between readings, or by which they are late; an amount in metres says nothing about time."""
        return max(1, round(min(max(abs(self._amount), SLOW_S[0]), SLOW_S[1]) / TICK_S))

    @abstractmethod
    def _mixed(self, shown: Reading, true: Reading) -> Reading:
        """*true* with the failed part taken from *shown*, and a stamp as if nothing were wrong."""

    def _garbage(self, true: Reading) -> Reading:
        """Numbers, but no measurements."""
        away_m = float(self._rng.uniform(-GARBAGE_M, GARBAGE_M))
        return true._replace(nose_m=true.nose_m + away_m, speed_mps=float(self._rng.uniform(-GARBAGE_MPS, GARBAGE_MPS)))

    @abstractmethod
    def _wrong(self, true: Reading) -> Reading:
        """*true* as a sensor shows it that is off by the amount."""


class PositionSensor(SensorFault):
    """The place is wrong; the speed is right."""

    def _mixed(self, shown: Reading, true: Reading) -> Reading:
        return true._replace(nose_m=shown.nose_m)

    def _wrong(self, true: Reading) -> Reading:
        return true._replace(nose_m=true.nose_m + self._amount)


class SpeedSensor(SensorFault):
    """The speed is wrong; the place is right."""

    def _mixed(self, shown: Reading, true: Reading) -> Reading:
        return true._replace(speed_mps=max(0.0, shown.speed_mps))

    def _wrong(self, true: Reading) -> Reading:
        return true._replace(speed_mps=true.speed_mps * self._amount)


class Nails:
    """
    The truck reads no nails: its place runs away from the truth with the way it goes, and its bound grows as it should.

    The amount is the share of the way by which the odometer is wrong, negative where the truck is further than it believes. The
    bound grows by as much, and by `DRIFT` at least: it stays a true bound.
    """

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._fleet = scene.fleet
        self._row = scene.row(spec)
        self._drift = spec.amount
        self._fix_m = 0.0
        self._offset_m = 0.0
        self._bound_m = 0.0

    def begin(self) -> None:
        """Read the last nail."""
        belief, row = self._fleet.belief, self._row
        self._fix_m = float(self._fleet.motion.nose_m[row])
        self._offset_m = float(belief.nose_m[row]) - self._fix_m
        self._bound_m = float(belief.bound_m[row])
        self._fleet.sensing.append(self._disturb)

    def tick(self) -> None:
        """What the truck senses is spoilt when it senses."""

    def end(self) -> None:
        """The next nail is read."""
        self._fleet.sensing.remove(self._disturb)
        self._fleet.onboard.same[self._row] = False

    def _disturb(self) -> None:
        belief, row = self._fleet.belief, self._row
        true_m = float(self._fleet.motion.nose_m[row])
        run_m = abs(true_m - self._fix_m)
        belief.nose_m[row] = true_m + self._offset_m + self._drift * run_m
        belief.bound_m[row] = self._bound_m + max(DRIFT, abs(self._drift)) * run_m


class Misread:
    """
    The truck takes a nail for another: its place jumps ahead and stays off by as much, with a bound as small as ever.

    Its computer takes the new place for good, and what it read last for wrong: only somebody else can see that it cannot be there.
    """

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._fleet = scene.fleet
        self._row = scene.row(spec)
        self._ahead_m = spec.amount

    def begin(self) -> None:
        """Read it."""
        self._fleet.ailments[self._row] += 1
        self._fleet.sensing.append(self._disturb)

    def tick(self) -> None:
        """What the truck senses is spoilt when it senses."""

    def end(self) -> None:
        """Read one that is where it should be."""
        self._fleet.ailments[self._row] -= 1
        self._fleet.sensing.remove(self._disturb)
        self._fleet.onboard.same[self._row] = False

    def _disturb(self) -> None:
        belief, state, row = self._fleet.belief, self._fleet.onboard, self._row
        belief.nose_m[row] += self._ahead_m
        if state.read_nose_m[row] < belief.nose_m[row] - 0.5 * self._ahead_m:
            state.read_nose_m[row] += self._ahead_m
        state.same[row] = False


class ClockFault:
    """The truck's monotonic clock steps, drifts or stops; the truck knows no other."""

    def __init__(self, scene: Scene, spec: FaultSpec) -> None:
        self._fleet = scene.fleet
        self._row = scene.row(spec)
        self._shape = spec.failing
        self._amount = spec.amount
        self._now_ns = scene.now_ns
        self._began_ns = 0
        self._shown_ns = 0

    def begin(self) -> None:
        """Break it."""
        self._began_ns = self._now_ns()
        self._fleet.clocks[self._row] = self._clock

    def tick(self) -> None:
        """A clock shows what it shows when it is read."""

    def end(self) -> None:
        """Let it show the time from now on, but never less than it showed: a monotonic clock is set right by waiting."""
        highest_ns = self._shown_ns
        self._fleet.clocks[self._row] = lambda now_ns: max(now_ns, highest_ns)

    def _clock(self, now_ns: int) -> int:
        since_ns = now_ns - self._began_ns
        match self._shape:
            case Shape.STEP:
                shown_ns = now_ns + round(self._amount * 1e9)
            case Shape.DRIFT:
                shown_ns = now_ns + round(since_ns * math.copysign(min(abs(self._amount), 0.9), self._amount))
            case _:
                shown_ns = self._began_ns
        # A step back is what makes a clock a wrong one; only a clock that shows no time at all is out of the question.
        self._shown_ns = max(1, shown_ns)
        return self._shown_ns
