"""
What the bays could have done with the services that chance drew.

The bound bounds the expectation: it takes every service for its mean, and every loader for as sound as loaders are. Days differ: a
thousand services with a spread of 0.3 are a hundredth longer or shorter together, and two more loaders than expected that break down
cost as much again. This is what bays that always had a truck at hand would have done on the same day with the machines that worked.
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
BROKEN_OFF: Final = "work_broke_off"
ENDED: Final = frozenset({"loaded", "unloaded", BROKEN_OFF})


class Services:
    """
    Keeps of a run only how long each service took that ended between two of its seconds, and for how long machines were broken between them.

    *under_cranes*: yards that bays do not bound.
    """

    def __init__(self, corridor: Corridor, from_s: float, to_s: float, under_cranes: AbstractSet[str] = frozenset()) -> None:
        self._from_s, self._to_s = from_s, to_s
        changeover = corridor.processes.get("bay_changeover")
        self._changeover_s = 0.0 if changeover is None else changeover.mean_s
        bays = [stand for stand in corridor.stands if stand.kind is StandKind.BAY and stand.yard_id not in under_cranes]
        self._yard_of = {bay.stand_id: bay.yard_id for bay in bays}
        self._bays = Counter(self._yard_of.values())
        # By truck, with its bay: whoever is taken out of a bay ends its own service alone.
        self._begun: dict[str, tuple[str, float]] = {}
        self._broke_s: dict[str, float] = {}
        self._took_s: dict[str, list[float]] = {yard_id: [] for yard_id in self._bays}
        self._lost_s: dict[str, float] = dict.fromkeys(self._bays, 0.0)

    def sample(self, sample: Sample) -> None:
        """Where trucks are does not matter."""

    def event(self, time_s: float, event: str, **fields: object) -> None:
        """Hears of a service, or of a machine."""
        if event in BEGUN:
            self._begun[str(fields["truck_id"])] = str(fields["bay_id"]), time_s
        elif event in ENDED:
            self._ended(time_s, event, str(fields["truck_id"]), str(fields["bay_id"]))
        elif event == "loader_broke":
            self._broke_s[str(fields["bay_id"])] = time_s
        elif event == "loader_mended":
            self._mended(time_s, str(fields["bay_id"]))

    def _ended(self, time_s: float, event: str, truck_id: str, bay_id: str) -> None:
        """What a broken machine's keeper does is no service; work that was broken off is as lost as the repair."""
        ends_s = self._broke_s.get(bay_id, time_s)
        _, begun_s = self._begun.pop(truck_id, (bay_id, ends_s))
        yard_id = self._yard_of.get(bay_id)
        if event == BROKEN_OFF:
            self._lose(bay_id, begun_s, ends_s)
        elif yard_id is not None and self._from_s <= time_s <= self._to_s:
            self._took_s[yard_id].append(ends_s - begun_s)

    def _mended(self, time_s: float, bay_id: str) -> None:
        broke_s = self._broke_s.pop(bay_id)
        self._lose(bay_id, broke_s, time_s)
        for truck_id, (other_id, begun_s) in self._begun.items():
            if other_id == bay_id:
                self._begun[truck_id] = bay_id, begun_s + time_s - broke_s

    def _lose(self, bay_id: str, from_s: float, to_s: float) -> None:
        yard_id = self._yard_of.get(bay_id)
        if yard_id is not None:
            self._lost_s[yard_id] += self._inside_s(from_s, to_s)

    def _inside_s(self, from_s: float, to_s: float) -> float:
        return max(0.0, min(to_s, self._to_s) - max(from_s, self._from_s))

    def most_per_h(self, bound: Bound) -> float:
        """Of the bound for the day's mean services what remains, or more, with those that were drawn: where bays bind they are what counts."""
        lost_s = dict(self._lost_s)
        for bay_id, broke_s in self._broke_s.items():
            lost_s[self._yard_of[bay_id]] += self._inside_s(broke_s, self._to_s)  # not mended yet
        span_s = self._to_s - self._from_s
        bays_per_h = min(
            (
                SECONDS_PER_HOUR * (self._bays[yard_id] - lost_s[yard_id] / span_s) / (fmean(took_s) + self._changeover_s)
                for yard_id, took_s in self._took_s.items()
                if took_s
            ),
            default=bound.capacity_per_h,
        )
        return bays_per_h if bound.name in {LOADING, UNLOADING} else min(bays_per_h, bound.capacity_per_h)
