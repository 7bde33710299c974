"""
What the bays could have done with the services that chance drew.

The bound bounds the expectation: it takes every service for its mean, and every loader for as sound as loaders are. Days differ: a
thousand services with a spread of 0.3 are a hundredth longer or shorter together, and two more loaders than expected that break down
cost as much again. This is what bays that always had a truck at hand would have done on the same day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet
from statistics import fmean
from typing import Final

from planner.bound import Bound
from planner.corridor import Corridor, StandKind
from planner.flow import LOADING, UNLOADING
from sim_harness.bench.ideal import SECONDS_PER_HOUR
from sim_harness.observation import Sample

BEGUN: Final = frozenset({"loading_started", "unloading_started"})
DONE: Final = frozenset({"loaded", "unloaded"})


class Services:
    """Keeps of a run only how long each service took that ended between two of its seconds. *under_cranes*: yards that bays do not bound."""

    def __init__(self, corridor: Corridor, from_s: float, to_s: float, under_cranes: AbstractSet[str] = frozenset()) -> None:
        self._from_s, self._to_s = from_s, to_s
        changeover = corridor.processes.get("bay_changeover")
        self._changeover_s = 0.0 if changeover is None else changeover.mean_s
        bays = [stand for stand in corridor.stands if stand.kind is StandKind.BAY and stand.yard_id not in under_cranes]
        self._yard_of = {bay.stand_id: bay.yard_id for bay in bays}
        self._bays = Counter(self._yard_of.values())
        self._begun_s: dict[str, float] = {}  # by truck: whoever is taken out of a bay ends its own service alone
        self._took_s: dict[str, list[float]] = {yard_id: [] for yard_id in self._bays}

    def sample(self, sample: Sample) -> None:
        """Where trucks are does not matter."""

    def event(self, time_s: float, event: str, **fields: object) -> None:
        """Hears of a service."""
        if event in BEGUN:
            self._begun_s[str(fields["truck_id"])] = time_s
        elif event in DONE:
            begun_s = self._begun_s.pop(str(fields["truck_id"]))
            yard_id = self._yard_of.get(str(fields["bay_id"]))
            if yard_id is not None and self._from_s <= time_s <= self._to_s:
                self._took_s[yard_id].append(time_s - begun_s)

    def most_per_h(self, bound: Bound) -> float:
        """Of the bound for the day's mean services what remains, or more, with those that were drawn: where bays bind they are what counts."""
        bays_per_h = min(
            (
                SECONDS_PER_HOUR * self._bays[yard_id] / (fmean(took_s) + self._changeover_s)
                for yard_id, took_s in self._took_s.items()
                if took_s
            ),
            default=bound.capacity_per_h,
        )
        return bays_per_h if bound.name in {LOADING, UNLOADING} else min(bays_per_h, bound.capacity_per_h)
