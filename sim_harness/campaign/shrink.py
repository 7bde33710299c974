"""
A failure made as small as it can be while it still fails the same way.

A person who reads a failure wants the one fault that matters, a dry road, as few trucks as it takes, the first minutes only, and numbers
that say nothing by accident. Each attempt is a run, so attempts are bounded; what is found within the bound is good, not least.
The search asks for one run after the other and knows nothing of processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from pydantic import ValidationError

from sim_harness.campaign.trial import Trial
from sim_harness.faults.spec import FaultSpec

Steps = Generator[Trial, bool, bool]
# Hours are tried in whole hundredths: 36 s.
HOUR_PARTS: Final = 100


class Shrinker:
    """Makes one failing trial smaller: run `candidate`, tell whether it fails the same way, until there is no candidate."""

    def __init__(self, trial: Trial, truck_ids: Sequence[str], tries_max: int) -> None:
        self.best = trial
        self.tries = 0
        self._truck_ids = truck_ids
        self._tries_max = tries_max
        self._seen = {trial}
        self._steps = self._all_steps()
        self.candidate: Trial | None = None
        self._advance(None)

    def told(self, *, same: bool) -> None:
        """The candidate was run: whether it failed the same way."""
        assert self.candidate is not None
        if same:
            self.best = self.candidate
        self._advance(same)

    def _advance(self, answer: bool | None) -> None:
        try:
            self.candidate = next(self._steps) if answer is None else self._steps.send(answer)
        except StopIteration:
            self.candidate = None

    def _all_steps(self) -> Steps:
        """Fewer faults first: each run is dearer than its faults, and what does not matter should not be rounded."""
        yield from self._fewer_faults()
        yield from self._try(replace(self.best, weather=None))
        yield from self._shorter()
        yield from self._fewer_trucks()
        yield from self._rounder()
        return True

    def _try(self, trial: Trial) -> Steps:
        """Whether *trial* fails the same way; not asked twice, nor beyond the bound."""
        if trial in self._seen or self.tries >= self._tries_max:
            return False
        self._seen.add(trial)
        self.tries += 1
        return (yield trial)

    def _fewer_faults(self) -> Steps:
        """Leave out all, halves, quarters, … and single ones."""
        chunk = len(self.best.faults)
        while chunk:
            at = 0
            while at < len(self.best.faults):
                faults = self.best.faults
                fewer = replace(self.best, faults=faults[:at] + faults[at + chunk :])
                if not (yield from self._try(fewer)):
                    at += chunk
            chunk //= 2
        return True

    def _shorter(self) -> Steps:
        most = math.ceil(self.best.hours * HOUR_PARTS)
        return (yield from self._least(1, most, lambda parts: replace(self.best, hours=parts / HOUR_PARTS)))

    def _fewer_trucks(self) -> Steps:
        named = [self._truck_ids.index(fault.truck) + 1 for fault in self.best.faults if fault.truck is not None]
        return (yield from self._least(max(named, default=1), self.best.trucks, lambda count: replace(self.best, trucks=count)))

    def _least(self, low: int, high: int, made: Callable[[int], Trial]) -> Steps:
        """The least number from *low* below *high* that will do: doubled until it does, then halved back."""
        works, fails, reach = high, low - 1, low
        while reach < high:
            if (yield from self._try(made(reach))):
                works = reach
                break
            fails, reach = reach, max(2 * reach, reach + 1)
        while works - fails > 1:
            middle = (works + fails) // 2
            if (yield from self._try(made(middle))):
                works = middle
            else:
                fails = middle
        return True

    def _rounder(self) -> Steps:
        """Rounder numbers: of all faults at once, then each by itself."""
        yield from self._try(replace(self.best, faults=tuple(_roundest(fault) for fault in self.best.faults)))
        for at in range(len(self.best.faults)):
            for name in ROUNDED:
                faults = self.best.faults
                for made in rounder(faults[at], name):
                    if (yield from self._try(replace(self.best, faults=(*faults[:at], made, *faults[at + 1 :])))):
                        break
        return True


def rounder(fault: FaultSpec, name: str) -> Iterator[FaultSpec]:
    """*fault* with a rounder *name*, the roundest first: left out where it may be, else a number a person would write."""
    now = getattr(fault, name)
    if now is None:
        return
    span = {"value": fault.kind.value, "for_s": fault.kind.lasts_s}.get(name)
    for value in ROUNDED[name](now):
        if value is not None and span is not None and not span.low <= value <= span.high:
            continue
        stated = {key: kept for key, kept in {**fault.stated(), name: value}.items() if kept is not None}
        with suppress(ValidationError):  # what cannot be is no candidate
            made = FaultSpec.model_validate(stated)
            if made != fault:
                yield made


def _roundest(fault: FaultSpec) -> FaultSpec:
    for name in ROUNDED:
        fault = next(rounder(fault, name), fault)
    return fault


def _rounded(steps: Sequence[float]) -> Callable[[Any], Iterator[float | None]]:
    # Downwards: a stretch must not come to reach beyond its lane.
    return lambda value: (round(step * math.floor(value / step), 1) for step in steps)


def _usual_or(steps: Sequence[float]) -> Callable[[Any], Iterator[float | None]]:
    return lambda value: chain([None], _rounded(steps)(value))


ROUNDED: Final[Mapping[str, Callable[[Any], Iterator[float | None]]]] = {
    "at_s": _rounded((60.0, 10.0, 1.0)),
    "for_s": _usual_or((60.0, 10.0, 1.0)),
    "value": _usual_or((10.0, 1.0, 0.1)),
    "shape": _usual_or(()),
    "from_m": _rounded((100.0, 10.0)),
    "to_m": _rounded((100.0, 10.0)),
}
