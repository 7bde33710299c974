"""
Which runs a campaign makes: drawn ones, and guided ones that start from what came closest so far.

Run i of a campaign draws from streams of the seed FIRST + i and of nothing else, so that any of them can be made again alone.
Guided runs descend from earlier runs by small changes: of a fault's time, length, shape, value or target, of which faults there
are, of the day's seed; its weather they keep. What is sought is the least authority margin, then the least time to collision. A generation is complete
before the next one begins, and its size does not depend on how many processes share it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from planner.corridor import Corridor
from planner.limits import FRICTION_DRY
from sim_harness.campaign.outcome import Outcome
from sim_harness.campaign.trial import FAULTS_USUAL, HOURS_USUAL, Plan, Trial
from sim_harness.clock import Streams
from sim_harness.faults.draw import USUAL, evenly, one_of
from sim_harness.faults.kind import Span, Target
from sim_harness.faults.spec import FaultSpec
from sim_harness.scenario import Scenario
from sim_harness.weather import Spell

GENERATION: Final = 16
PARENTS: Final = 8
FAULTS_MAX: Final = 12
CHANGES_MAX: Final = 3
CROSSED_SHARE: Final = 0.3
# How far a small change goes: seconds on a time, and this share of a span on a number.
SHIFT_S: Final = 15.0
SHIFT_SHARE: Final = 0.2
MARGIN_STEP_M: Final = 0.1
# The roads' grip in a run, each as likely as any other: every other day is dry, and on the others it rains, on roads as slippery as wet
# ones, snow and ice, at full speed. What a brake can do on a dry road says little about what it can do on the others.
GRIPS: Final = (FRICTION_DRY, FRICTION_DRY, FRICTION_DRY, 0.45, 0.25, 0.15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A trial and what it came to."""

    trial: Trial
    outcome: Outcome


class Search:
    """Makes the trials of one plan."""

    def __init__(self, plan: Plan, scenario: Scenario) -> None:
        self._plan = plan
        self._corridor: Corridor = scenario.corridor
        self._truck_ids = scenario.roster.truck_ids
        self._stated = scenario.spec.scheduled_faults
        self._weather = scenario.spec.weather
        self._horizon_s = plan.hours * 3600.0
        self._kinds = tuple(sorted(plan.kinds or USUAL))

    def drawn(self, run: int) -> Trial:
        """Run number *run*, everything drawn from its own seed."""
        seed = self._plan.first_seed + run
        rng = Streams(seed).stream("campaign", "faults")
        count = self._plan.faults
        if count is None:
            count = int(rng.poisson(FAULTS_USUAL * self._plan.hours / HOURS_USUAL))
        faults = evenly(rng, self._corridor, self._truck_ids, self._horizon_s, count, self._kinds)
        return Trial(
            scenario=self._plan.scenario,
            settings=self._plan.settings,
            seed=seed,
            hours=self._plan.hours,
            trucks=len(self._truck_ids),
            weather=self._weather_of(seed),
            faults=(*self._stated, *faults),
        )

    def _weather_of(self, seed: int) -> tuple[Spell, ...] | None:
        """The weather of one run, no better than the scenario's; None where it is that."""
        friction = float(Streams(seed).stream("campaign", "weather").choice(GRIPS))
        return (*self._weather, Spell(kind="rain", friction=friction)) if friction < FRICTION_DRY else None

    def guided(self, run: int, before: Sequence[Tried]) -> Trial:
        """Run number *run*, a descendant of the best of *before*; drawn when none of them can have any."""
        parents = best(before)
        if not parents:
            return self.drawn(run)
        seed = self._plan.first_seed + run
        rng = Streams(seed).stream("campaign", "descent")
        # The better, the likelier: the least of two draws.
        parent = parents[int(min(rng.integers(len(parents), size=2)))]
        faults = self._own(parent)
        if rng.random() < CROSSED_SHARE:
            other = self._own(parents[int(rng.integers(len(parents)))])
            faults = [fault for fault in dict.fromkeys([*faults, *other]) if rng.random() < 0.5]
        trial = parent
        for _ in range(1 + int(rng.integers(CHANGES_MAX))):
            if rng.random() < 1.0 / 6.0:
                trial = replace(trial, seed=seed)
            else:
                faults = self._changed(faults, rng)
        ordered = sorted(faults[:FAULTS_MAX], key=lambda spec: (spec.at_s, spec.fault, spec.aimed_at))
        return replace(trial, faults=(*self._stated, *ordered))

    def _own(self, trial: Trial) -> list[FaultSpec]:
        return list(trial.faults[len(self._stated) :])

    def _changed(self, faults: list[FaultSpec], rng: np.random.Generator) -> list[FaultSpec]:
        """One small change: a fault more, a fault less, or one of them altered. The number stays where the plan states it."""
        drawn = rng.random()
        may_vary = self._plan.faults is None
        if (may_vary and drawn < 0.15) or not faults:
            return [*faults, self._new(rng)] if may_vary or (self._plan.faults or 0) > len(faults) else faults
        at = int(rng.integers(len(faults)))
        if may_vary and drawn < 0.3:
            return faults[:at] + faults[at + 1 :]
        return [*faults[:at], self._altered(faults[at], rng), *faults[at + 1 :]]

    def _new(self, rng: np.random.Generator) -> FaultSpec:
        (made,) = evenly(rng, self._corridor, self._truck_ids, self._horizon_s, 1, self._kinds)
        return made

    def _altered(self, fault: FaultSpec, rng: np.random.Generator) -> FaultSpec:
        """The same kind of fault a little later, longer, stronger, or elsewhere; now and then another kind."""
        kind = fault.kind
        match int(rng.integers(6)):
            case 0 | 1:
                at_s = _tenths(min(max(fault.at_s + float(rng.normal(0.0, SHIFT_S)), 0.0), self._horizon_s))
                return fault.model_copy(update={"at_s": at_s})
            case 2:
                return fault.model_copy(update={"for_s": _tenths(_moved(fault.lasts_s, kind.lasts_s, rng))})
            case 3 if kind.value is not None:
                return fault.model_copy(update={"value": round(_moved(fault.amount, kind.value, rng), 2)})
            case 4 if kind.target is not Target.SERVER or kind.shapes:
                elsewhere = one_of(fault.fault, rng, self._corridor, self._truck_ids, self._horizon_s)
                kept = {"at_s": fault.at_s, "for_s": fault.for_s, "value": fault.value}
                return elsewhere.model_copy(update=kept)
            case _:
                return self._new(rng)


def score(outcome: Outcome) -> tuple[float, float, float]:
    """How near a run came to harm; less is nearer. Margins within a step of each other are told apart by time to collision."""
    margin_m = math.inf if outcome.authority_margin_m_min is None else outcome.authority_margin_m_min
    ttc_s = math.inf if outcome.ttc_s_min is None else outcome.ttc_s_min
    step = math.floor(margin_m / MARGIN_STEP_M) if math.isfinite(margin_m) else math.inf
    return step, ttc_s, margin_m


def best(before: Sequence[Tried]) -> list[Trial]:
    """
    The trials to go on from, the best first; no two of them share a kind of fault.

    One kind that often comes near would otherwise be all that is looked into. A run that failed has been found and needs no
    descendants: the search goes on elsewhere.
    """
    chosen: list[Trial] = []
    taken: set[str] = set()
    for one in sorted((one for one in before if not one.outcome.failing), key=lambda one: score(one.outcome)):
        kinds = {fault.fault for fault in one.trial.faults}
        if kinds and not kinds & taken and len(chosen) < PARENTS:
            chosen.append(one.trial)
            taken |= kinds
    return chosen


def _tenths(value: float) -> float:
    return round(value, 1)


def _moved(value: float, span: Span, rng: np.random.Generator) -> float:
    """*value* moved by a share of *span*, and kept within it."""
    return min(max(value + float(rng.normal(0.0, SHIFT_SHARE * (span.high - span.low))), span.low), span.high)
