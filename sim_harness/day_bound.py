"""
At most so many round trips in a scenario's day: the corridor's bound, under its weather and with what others take of it.

Manned trucks leave our trucks a share of each gate's time, and trains a share of a level crossing's. Where cranes lift, they bound
the yard instead of its bays being ever busy; and nobody carries more than was ordered. Weather that changes is taken hour by
hour: the bound of each spell counts for the share of the day that it lasts, so that such a bound is one of an average day, which a
day that is lucky with its changes may beat by what is on the road then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Final

from planner.bound import Bound, BoundQuestion, mean_s, upper_bound
from sim_harness.operator import containers_wanted
from sim_harness.parts import process_of
from sim_harness.plant import CONTAINERS_A_TRIP
from sim_harness.report import open_seconds, opening_s
from sim_harness.scenario import Scenario
from sim_harness.traffic import gates_named
from sim_harness.weather import Conditions, slowed, timeline

LOADERS_SOUND: Final = 1.0
HOUR_S: Final = 3600.0
ORDERS: Final = "orders"


def bound_of(scenario: Scenario) -> Bound | None:
    """At most so much could be carried in this scenario's day; None where there is no way round."""
    rules = scenario.spec.plant
    up_h, down_h = rules.loader_mtbf_h, rules.loader_mttr_min / 60.0
    open_s = open_seconds(scenario.roster, opening_s(scenario.roster), scenario.hours * HOUR_S)
    question = BoundQuestion.of(
        scenario.corridor,
        truck_count=scenario.spec.trucks,
        open_s=open_s,
        availability=up_h / (up_h + down_h) if up_h > 0.0 else LOADERS_SOUND,
        inspection_share=rules.inspect_share,
        shares=_shares(scenario),
    )
    try:
        bounds = [(share, upper_bound(slowed(scenario.corridor, now), question), now) for share, now in _spells(scenario)]
    except ValueError:
        return None
    round_trips = sum(share * (0.0 if now.stopped else bound.round_trips) for share, bound, now in bounds)
    longest = max(bounds, key=lambda entry: entry[0])[1]
    least = replace(longest, round_trips=round_trips)
    for other in _others(scenario, open_s):
        if other.round_trips < least.round_trips:
            least = replace(other, cycle_s=least.cycle_s)
    return least


def _spells(scenario: Scenario) -> Iterator[tuple[float, Conditions]]:
    """What the road is like, each with the share of the run for which it lasts."""
    changes = timeline(scenario.spec.weather, scenario.hours)
    ends_s = [*(at_s for at_s, _ in changes), scenario.hours * HOUR_S]
    for (from_s, to_s), (_, now) in zip(pairwise(ends_s), changes, strict=True):
        yield (to_s - from_s) / (scenario.hours * HOUR_S), now


def _shares(scenario: Scenario) -> Mapping[str, float]:
    """Of each gate that others use too, the share of its time that is left for our trucks."""
    corridor, spec = scenario.corridor, scenario.spec
    shares: dict[str, float] = {}
    for manned in spec.manned:
        gate_ids = gates_named(corridor, manned.gates)
        for gate_id in gate_ids:
            service_s = mean_s(corridor.processes[corridor.gates[corridor.gate_ix[gate_id]].process])
            shares[gate_id] = max(0.0, shares.get(gate_id, 1.0) - manned.trucks_per_h / len(gate_ids) * service_s / HOUR_S)
    for crossing in spec.level_crossings:
        for gate_id in crossing.gates:
            shares[gate_id] = max(0.0, shares.get(gate_id, 1.0) - crossing.shut_min / crossing.every_min)
    return shares


def _others(scenario: Scenario, open_s: float) -> Iterator[Bound]:
    """What binds beside the corridor: cranes and orders."""
    spec = scenario.spec
    for crane in spec.cranes:
        per_s = crane.count / (CONTAINERS_A_TRIP * mean_s(process_of("lift", crane.lift)))
        yield Bound(name=f"cranes of {crane.yard}", capacity_per_h=HOUR_S * per_s, round_trips=per_s * open_s, cycle_s=0.0)
    trips = containers_wanted(spec.orders, scenario.hours) / CONTAINERS_A_TRIP
    if trips > 0.0:
        yield Bound(name=ORDERS, capacity_per_h=trips / scenario.hours, round_trips=trips, cycle_s=0.0)
