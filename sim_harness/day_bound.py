"""
At most so many round trips in a scenario's day: the corridor's bound, under its weather, its faults and what others take of it.

Manned trucks leave our trucks a share of each gate's time. Where cranes lift, they bound the yard instead of its bays being ever
busy; and nobody carries more than was ordered. A day is cut into spells where the weather changes, where a train closes the road or
has passed, where gates hand over their shift, and where a scheduled fault takes a gate, a bay's machine or a truck away or gives it
back; what waits in one spell may pass in a later one. What a fault costs that depends on where it finds somebody (a breakdown on a single
lane, a truck that customs holds at a gate) is known once the day was run: the lanes that a truck stood on for long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any, Final

from planner.bound import Bound, BoundQuestion, Spell, upper_bound_over
from planner.corridor import BAY_PROCESS, Corridor
from sim_harness.operator import containers_wanted
from sim_harness.parts import process_of
from sim_harness.plant import CONTAINERS_A_TRIP
from sim_harness.report import open_seconds, opening_s
from sim_harness.scenario import Scenario
from sim_harness.traffic import TRAIN_WARNING_S, gates_named
from sim_harness.weather import Conditions, slowed, timeline

LOADERS_SOUND: Final = 1.0
HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0
ORDERS: Final = "orders"
# Faults that keep their truck from moving for as long as they last.
IMMOBILE: Final = frozenset({"breakdown", "wall", "battery"})
# A shorter standstill costs less than it would make the program longer.
BLOCKED_MIN_S: Final = 600.0
# Faults of a gate or a bay that keep it from finishing anything.
HALTED: Final = frozenset({"gate", "loader"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A gate, a bay or a truck that does nothing, or a lane that nobody passes, from a second of the run to another."""

    name: str
    from_s: float
    to_s: float


def bound_of(scenario: Scenario, span_s: tuple[float, float] | None = None, faults: Sequence[Mapping[str, Any]] = ()) -> Bound | None:
    """
    At most so much could be carried in this scenario's day, or between two seconds of it; None where there is no way round.

    *faults* that happened, as a report has them: road they blocked was nobody's.
    """
    span_s = span_s or (0.0, scenario.hours * HOUR_S)
    rules = scenario.spec.plant
    up_h, down_h = rules.loader_mtbf_h, rules.loader_mttr_min / 60.0
    question = BoundQuestion.of(
        scenario.corridor,
        truck_count=scenario.spec.trucks,
        open_s=_open_s(scenario, *span_s),
        availability=up_h / (up_h + down_h) if up_h > 0.0 else LOADERS_SOUND,
        inspection_share=rules.inspect_share,
    )
    outages = [*handovers(scenario), *trains(scenario), *_halts(scenario), *_blocked(faults)]
    try:
        least = upper_bound_over(list(_spells(scenario, span_s, outages)), question)
    except ValueError:
        return None
    for other in _others(scenario, question.open_s):
        if other.round_trips < least.round_trips:
            least = replace(other, cycle_s=least.cycle_s)
    return least


def _open_s(scenario: Scenario, from_s: float, to_s: float) -> float:
    """Seconds between two moments of the run in which the border is open."""
    return open_seconds(scenario.roster, opening_s(scenario.roster) + from_s, to_s - from_s)


def _spells(scenario: Scenario, span_s: tuple[float, float], outages: Sequence[Outage]) -> Iterator[Spell]:
    """The parts of a span of the run in which nothing changes."""
    since_s, end_s = span_s
    shares = _shares(scenario)
    weather = timeline(scenario.spec.weather, scenario.hours)
    edges = {since_s, end_s} | {at_s for at_s, _ in weather} | {at_s for each in outages for at_s in (each.from_s, each.to_s)}
    roads: dict[Conditions, Corridor] = {}
    for from_s, to_s in pairwise(sorted(edge for edge in edges if since_s <= edge <= end_s)):
        now = next(there for at_s, there in reversed(weather) if at_s <= from_s)
        out = {each.name for each in outages if each.from_s <= from_s and to_s <= each.to_s}
        yield Spell(
            corridor=roads.setdefault(now, slowed(scenario.corridor, now)),
            open_s=_open_s(scenario, from_s, to_s),
            truck_count=scenario.spec.trucks - sum(truck_id in out for truck_id in scenario.roster.truck_ids),
            shares={**shares, **dict.fromkeys(sorted(out), 0.0)},
            stopped=now.stopped,
        )


def handovers(scenario: Scenario) -> Iterator[Outage]:
    """The gates of a site whose shifts change at set hours."""
    start_s = opening_s(scenario.roster)
    for day, handover in product(range(int(scenario.hours / 24.0) + 2), scenario.corridor.shift_handovers):
        from_s, to_s = day * DAY_S + handover.open_s - start_s, day * DAY_S + handover.close_s - start_s
        yield from _shut(scenario.corridor, [gate.gate_id for gate in scenario.corridor.gates], from_s, to_s)


def trains(scenario: Scenario) -> Iterator[Outage]:
    """The gates before rails, from a train's warning until it has passed."""
    for crossing in scenario.spec.level_crossings:
        due_s = crossing.first_min * 60.0
        while due_s < scenario.hours * HOUR_S:
            yield from _shut(scenario.corridor, crossing.gates, due_s - TRAIN_WARNING_S, due_s + crossing.shut_min * 60.0)
            due_s += crossing.every_min * 60.0


def _shut(corridor: Corridor, gate_ids: Sequence[str], from_s: float, to_s: float) -> Iterator[Outage]:
    """Gates that call nobody between two moments; whoever was called before is still let through."""
    for gate_id in gate_ids:
        yield from _begins_nothing(gate_id, _service_s(corridor, gate_id), from_s, to_s)


def _begins_nothing(name: str, work_s: float, from_s: float, to_s: float) -> Iterator[Outage]:
    """A gate or a bay that begins nothing between two moments: what was begun before may take *work_s*, then it does nothing."""
    done_s = from_s + work_s
    if done_s < to_s:
        yield Outage(name=name, from_s=max(0.0, done_s), to_s=to_s)


def _service_s(corridor: Corridor, gate_id: str) -> float:
    """How long a gate serves a truck, in the mean."""
    return corridor.processes[corridor.gates[corridor.gate_ix[gate_id]].process].mean_s


def _halts(scenario: Scenario) -> Iterator[Outage]:
    """
    What scheduled faults take away.

    What was begun may count: a gate called before opens when it has power again, and half a visit to a bay may be all that matters.
    """
    corridor = scenario.corridor
    for fault in scenario.spec.scheduled_faults:
        if fault.truck is not None and fault.fault in IMMOBILE:
            yield Outage(name=fault.truck, from_s=fault.at_s, to_s=fault.ends_s)
        if fault.fault not in HALTED:
            continue
        if fault.gate is not None:
            yield from _shut(corridor, [fault.gate], fault.at_s, fault.ends_s)
        if fault.bay is not None:
            yield from _begins_nothing(fault.bay, corridor.processes[BAY_PROCESS].mean_s, fault.at_s, fault.ends_s)


def _blocked(faults: Sequence[Mapping[str, Any]]) -> Iterator[Outage]:
    """
    The lanes that trucks stood on and could not leave, for as long as counts.

    Whoever was before it on its lane had passed in the spell before.
    """
    for blockage in (blockage for fault in faults for blockage in fault.get("blockages", ())):
        if blockage["to_s"] - blockage["from_s"] >= BLOCKED_MIN_S:
            for lane_id in blockage["lane_ids"]:
                yield Outage(name=lane_id, from_s=blockage["from_s"], to_s=blockage["to_s"])


def _shares(scenario: Scenario) -> Mapping[str, float]:
    """Of each gate that others use too, the share of its time that is left for our trucks."""
    corridor, spec = scenario.corridor, scenario.spec
    shares: dict[str, float] = {}
    for manned in spec.manned:
        gate_ids = gates_named(corridor, manned.gates)
        for gate_id in gate_ids:
            taken = manned.trucks_per_h / len(gate_ids) * _service_s(corridor, gate_id) / HOUR_S
            shares[gate_id] = max(0.0, shares.get(gate_id, 1.0) - taken)
    return shares


def _others(scenario: Scenario, open_s: float) -> Iterator[Bound]:
    """What binds beside the corridor: cranes and orders."""
    spec = scenario.spec
    for crane in spec.cranes:
        per_s = crane.count / (CONTAINERS_A_TRIP * process_of("lift", crane.lift).mean_s)
        yield Bound(name=f"cranes of {crane.yard}", capacity_per_h=HOUR_S * per_s, round_trips=per_s * open_s, cycle_s=0.0)
    trips = containers_wanted(spec.orders, scenario.hours) / CONTAINERS_A_TRIP
    if trips > 0.0:
        yield Bound(name=ORDERS, capacity_per_h=trips / scenario.hours, round_trips=trips, cycle_s=0.0)
