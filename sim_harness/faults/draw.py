"""
Faults drawn from a seed: an ordinary day's, by the rates of the field, and a campaign's, evenly over everything that can break.

Every draw comes from a stream named for what it is about, so that a day's faults are the same whatever else is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from planner.corridor import Corridor, StandKind, Stretch
from sim_harness.clock import Streams
from sim_harness.faults.kind import Span, Target
from sim_harness.faults.kinds import KINDS
from sim_harness.faults.spec import FaultSpec
from sim_harness.scenario import Scenario

# An ordinary day (assumed figures): events an hour for the whole fleet, or per truck where so named.
BREAKDOWNS_PER_TRUCK_H: Final = 1.0 / 150.0
BREAKDOWN_SHORT_SHARE: Final = 0.7
BREAKDOWN_SHORT_S: Final = 300.0
BREAKDOWN_TOW_S: Final = 2400.0
OUTAGES_PER_TRUCK_H: Final = 1.0
OUTAGE_S: Final = (2.0, 15.0)
LIVESTOCK_PER_H: Final = 1.0 / 48.0
GATE_CUTS_PER_H: Final = 1.0 / 24.0
GATE_CUT_S: Final = 600.0
CUSTOMS_HOLDS_PER_H: Final = 1.0 / 24.0
CUSTOMS_HOLD_S: Final = 7200.0
RESTARTS_PER_H: Final = 1.0 / 24.0
RESTART_S: Final = (3.0, 20.0)
STRETCH_M: Final = (10.0, 200.0)
TENTH_S: Final = 10.0
# What is drawn where nobody says from which.
USUAL: Final = tuple(sorted(name for name, kind in KINDS.items() if not kind.by_name))
# In a campaign so many faults begin soon after another one, and how soon.
NEAR_SHARE: Final = 0.3
NEAR_S: Final = 10.0


def _tenths(value: float) -> float:
    """A number as a person would write it, so that a replayed line is the same fault."""
    return round(value, 1)


def moments(rng: np.random.Generator, per_hour: float, hours: float) -> list[float]:
    """When things happen that happen *per_hour* times an hour, by chance, within *hours*; seconds."""
    count = int(rng.poisson(per_hour * hours))
    return sorted(_tenths(at) for at in rng.uniform(0.0, hours * 3600.0, count))


def ordinary_day(
    corridor: Corridor, truck_ids: Sequence[str], streams: Streams, hours: float, spot: Stretch | None = None
) -> tuple[FaultSpec, ...]:
    """What goes wrong on an ordinary day of *hours*; *spot* is where there is no radio."""
    found: list[FaultSpec] = []
    for truck_id in truck_ids:
        rng = streams.stream(truck_id, "faults")
        for at_s in moments(rng, BREAKDOWNS_PER_TRUCK_H, hours):
            lasts_s = BREAKDOWN_SHORT_S if rng.random() < BREAKDOWN_SHORT_SHARE else BREAKDOWN_TOW_S
            found.append(FaultSpec(fault="breakdown", at_s=at_s, for_s=lasts_s, truck=truck_id))
        outages = moments(rng, OUTAGES_PER_TRUCK_H, hours)
        found += [FaultSpec(fault="link", at_s=at_s, for_s=_tenths(float(rng.uniform(*OUTAGE_S))), truck=truck_id) for at_s in outages]
        holds = moments(rng, CUSTOMS_HOLDS_PER_H / len(truck_ids), hours)
        found += [FaultSpec(fault="customs", at_s=at_s, for_s=CUSTOMS_HOLD_S, truck=truck_id) for at_s in holds]
    found += _ordinary_roadside(corridor, streams, hours)
    if spot is not None:
        lasts_s = hours * 3600.0
        found.append(FaultSpec(fault="dead_spot", at_s=0.0, for_s=lasts_s, lane=spot.lane_id, from_m=spot.start_m, to_m=spot.end_m))
    return tuple(sorted(found, key=lambda spec: (spec.at_s, spec.fault, spec.aimed_at)))


def _ordinary_roadside(corridor: Corridor, streams: Streams, hours: float) -> list[FaultSpec]:
    """What goes wrong beside the trucks: livestock, power cuts, the server."""
    found = []
    rng = streams.stream("road", "faults")
    found += [_on_stretch("intrusion", rng, corridor, at_s, 60.0) for at_s in moments(rng, LIVESTOCK_PER_H, hours)]
    for gate in corridor.gates:
        own = streams.stream(gate.gate_id, "faults")
        cuts = moments(own, GATE_CUTS_PER_H / len(corridor.gates), hours)
        found += [FaultSpec(fault="gate", at_s=at_s, for_s=GATE_CUT_S, gate=gate.gate_id) for at_s in cuts]
    rng = streams.stream("server", "faults")
    for at_s in moments(rng, RESTARTS_PER_H, hours):
        found.append(FaultSpec(fault="server_killed", at_s=at_s, for_s=_tenths(float(rng.uniform(*RESTART_S)))))
    return found


def faults_of(scenario: Scenario, streams: Streams) -> tuple[FaultSpec, ...]:
    """What is to go wrong in a run: what the scenario says for certain, and an ordinary day's where it is asked for."""
    scheduled = scenario.spec.scheduled_faults
    if scenario.spec.faults == "off":
        return scheduled
    day = ordinary_day(scenario.corridor, scenario.roster.truck_ids, streams, scenario.hours, scenario.dead_spot)
    return (*scheduled, *day)


def _within(span: Span, rng: np.random.Generator) -> float:
    return _tenths(float(rng.uniform(span.low, span.high)))


def _on_stretch(name: str, rng: np.random.Generator, corridor: Corridor, at_s: float, lasts_s: float) -> FaultSpec:
    """A fault on a chance stretch; long lanes are likelier, as they are to be met."""
    length_m = np.array([lane.length_m for lane in corridor.lanes])
    lane = corridor.lanes[int(rng.choice(len(length_m), p=length_m / length_m.sum()))]
    long_m = min(float(rng.uniform(*STRETCH_M)), lane.length_m)
    from_m = _tenths(float(rng.uniform(0.0, lane.length_m - long_m)))
    to_m = min(max(_tenths(from_m + long_m), from_m + 0.1), math.floor(lane.length_m * 10.0) / 10.0)
    value = None if (span := KINDS[name].value) is None else round(float(rng.uniform(span.low, span.high)), 2)
    return FaultSpec(fault=name, at_s=at_s, for_s=lasts_s, lane=lane.lane_id, from_m=min(from_m, to_m - 0.1), to_m=to_m, value=value)


def one_of(name: str, rng: np.random.Generator, corridor: Corridor, truck_ids: Sequence[str], horizon_s: float) -> FaultSpec:
    """A fault of kind *name* with everything about it drawn, beginning before *horizon_s*."""
    kind = KINDS[name]
    at_s = _tenths(float(rng.uniform(0.0, horizon_s)))
    lasts_s = _within(kind.lasts_s, rng)
    if kind.target is Target.STRETCH:
        return _on_stretch(name, rng, corridor, at_s, lasts_s)
    bays = [stand.stand_id for stand in corridor.stands if stand.kind is StandKind.BAY]
    gates = [gate.gate_id for gate in corridor.gates]
    whom = {
        Target.TRUCK: ("truck", truck_ids),
        Target.GATE: ("gate", gates),
        Target.BAY: ("bay", bays),
    }
    aimed: dict[str, str] = {}
    if kind.target in whom:
        key, choices = whom[kind.target]
        aimed[key] = str(choices[int(rng.integers(len(choices)))])
    shape = kind.shapes[int(rng.integers(len(kind.shapes)))] if kind.shapes else None
    value = None if kind.value is None else round(float(rng.uniform(kind.value.low, kind.value.high)), 2)
    return FaultSpec.model_validate({"fault": name, "at_s": at_s, "for_s": lasts_s, "shape": shape, "value": value, **aimed})


def _near(rng: np.random.Generator, drawn: Sequence[FaultSpec]) -> list[FaultSpec]:
    """*drawn*, some of them just after another, and at the same truck: what holds alone may not where two things break together."""
    moved = list(drawn)
    for k in range(1, len(moved)):
        if rng.random() < NEAR_SHARE:
            other = moved[int(rng.integers(k))]
            changed: dict[str, object] = {"at_s": _tenths(other.at_s + float(rng.uniform(0.0, NEAR_S)))}
            if other.truck is not None and moved[k].truck is not None:
                changed["truck"] = other.truck
            moved[k] = moved[k].model_copy(update=changed)
    return moved


def evenly(
    rng: np.random.Generator, corridor: Corridor, truck_ids: Sequence[str], horizon_s: float, count: int, names: Sequence[str] = ()
) -> tuple[FaultSpec, ...]:
    """At most *count* faults, each kind of *names* (the usual ones when empty) as likely as any other, in the order they begin."""
    known = sorted(names or USUAL)
    if not corridor.gates:
        known = [name for name in known if KINDS[name].target is not Target.GATE]
    drawn = _near(rng, [one_of(known[int(rng.integers(len(known)))], rng, corridor, truck_ids, horizon_s) for _ in range(count)])
    # Both brakes of one truck at once are more than the safety case answers for: whoever wants that says so.
    dead = {spec.truck for spec in drawn if spec.fault == "service_brake"}
    drawn = [spec for spec in drawn if spec.fault != "brakes" or spec.truck not in dead]
    return tuple(sorted(drawn, key=lambda spec: (spec.at_s, spec.fault, spec.aimed_at)))
