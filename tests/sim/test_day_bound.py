"""The bound of a day with disturbances: each takes what it must, for as long as it must, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.bound import Bound
from planner.corridor import Process
from sim_harness.bench.ideal import ideal_round_trips
from sim_harness.day import Wish, run_day
from sim_harness.day_bound import bound_of
from sim_harness.scenario import load_scenario

HOURS = 8.0
TRUCKS = 12
GATES = sorted(gate.gate_id for gate in load_scenario("mandula").corridor.gates)


def bound(
    *faults: str, span_s: tuple[float, float] | None = None, trucks: int = TRUCKS, happened: Sequence[Mapping[str, Any]] = ()
) -> Bound:
    """The small site's bound with scheduled faults, and what *happened*; with twelve trucks its bays bind, with six the trucks."""
    settings = [f"scheduled_faults=[{', '.join(faults)}]", "plant.loader_mtbf_h=0"]
    found = bound_of(load_scenario("mandula", settings, hours=HOURS, trucks=trucks), span_s, happened)
    assert found is not None
    return found


def test_a_loader_that_is_out_for_an_hour_costs_an_hour_less_what_it_had_begun() -> None:
    """One of two machines, 3,600 s of 8 hours; the load it was at may be aboard."""
    whole, out = bound(), bound("{fault: loader, at_s: 10000, for_s: 3600, bay: mn_bay_01}")

    lost = 1.0 - out.capacity_per_h / whole.capacity_per_h
    assert lost == pytest.approx((3600.0 - 390.0) / (2.0 * HOURS * 3600.0), rel=0.01)
    assert out.round_trips == pytest.approx(whole.round_trips - lost * whole.capacity_per_h * HOURS, abs=0.05)


def test_a_gate_without_power_costs_the_bays_nothing_that_they_must_lose() -> None:
    """The gate before the road has time to spare for all that waited; a bound that took it away might be beaten."""
    whole, out = bound(), bound("{fault: gate, at_s: 10000, for_s: 1800, gate: g1}")

    assert out.round_trips == pytest.approx(whole.round_trips)


def test_a_disturbance_before_the_hours_that_count_is_not_held_for_anybody() -> None:
    """A rate of the settled hours is held against the bound of these hours."""
    fault = "{fault: loader, at_s: 1000, for_s: 3600, bay: mn_bay_01}"
    settled_s = (5000.0, HOURS * 3600.0)

    assert bound(fault, span_s=settled_s).capacity_per_h == pytest.approx(bound(span_s=settled_s).capacity_per_h)
    assert bound(fault).capacity_per_h < bound().capacity_per_h


def test_a_truck_that_cannot_move_is_missed_where_trucks_are_scarce() -> None:
    """One of six for an eighth of the day; a truck that customs holds may never have been asked about, and costs the bound nothing."""
    whole = bound(trucks=6)
    broken = bound("{fault: breakdown, at_s: 10000, for_s: 2400, truck: t002}", trucks=6)
    held = bound("{fault: customs, at_s: 10000, for_s: 2400, truck: t002}", trucks=6)

    assert whole.name == "fleet"
    assert broken.capacity_per_h == pytest.approx(whole.capacity_per_h * (1.0 - 2400.0 / (6.0 * HOURS * 3600.0)), rel=1e-3)
    assert held.round_trips == pytest.approx(whole.round_trips)


def blocked(from_s: float, to_s: float) -> Mapping[str, Any]:
    """Somebody stood on the only way to the loading yard, as a report has it."""
    return {"fault": "breakdown", "blockages": [{"lane_ids": ["nb_1"], "from_s": from_s, "to_s": to_s}]}


def test_while_somebody_stood_on_the_only_road_nobody_is_held_to_have_passed() -> None:
    """Five of eight hours: beside what bays do in the three that are left each truck is loaded once, and unloaded beyond."""
    whole, most = bound(), bound(happened=[blocked(3600.0, 21_600.0)])
    all_day = bound(happened=[blocked(0.0, HOURS * 3600.0)])

    lost = (whole.capacity_per_h - most.capacity_per_h) * HOURS
    assert lost == pytest.approx(5.0 * whole.capacity_per_h - TRUCKS)
    assert most.round_trips == pytest.approx(whole.round_trips - lost)
    assert all_day.round_trips == 0.0


@given(
    trucks=st.integers(1, 16),
    gates=st.sets(st.sampled_from(GATES), min_size=1),
    first_min=st.integers(0, 90),
    every_min=st.integers(20, 120),
    shut=st.floats(0.05, 0.6),
)
@settings(max_examples=12, deadline=None)
def test_nobody_who_goes_round_beats_the_bound(trucks: int, gates: set[str], first_min: int, every_min: int, shut: float) -> None:
    """Trucks that nothing hinders but bays and shut gates, whenever those are shut: all they do is allowed for."""
    rails = f"{{gates: [{', '.join(sorted(gates))}], first_min: {first_min}, every_min: {every_min}, shut_min: {shut * every_min:.3f}}}"
    laid = [f"level_crossings=[{rails}]", "plant.loader_mtbf_h=0", "plant.inspect_share=0"]
    scenario = load_scenario("mandula", laid, hours=4.0, trucks=trucks)
    even = {name: Process(process_id=name, shape="fixed", a=each.mean_s) for name, each in scenario.corridor.processes.items()}
    scenario = replace(scenario, corridor=replace(scenario.corridor, processes=even))
    most = bound_of(scenario)
    assert most is not None

    assert ideal_round_trips(scenario, most, days=1) <= most.round_trips + 1e-6


def test_a_short_standstill_costs_the_bound_nothing() -> None:
    """Each one makes the program longer, and campaigns are full of them."""
    assert bound(happened=[blocked(0.0, 599.0)]).round_trips == bound().round_trips


def test_where_a_truck_broke_down_is_noted_for_as_long_as_it_stood_there() -> None:
    """The bound of a day rests on it."""
    fault = "scheduled_faults=[{fault: breakdown, at_s: 60, for_s: 120, truck: t001}]"
    report = run_day(load_scenario("mandula", [fault], seed=1, hours=0.08, trucks=3), Wish(), lambda _: None)

    [blockage] = report.faults[0]["blockages"]
    [lane_id] = blockage["lane_ids"]
    assert lane_id in load_scenario("mandula").corridor.lane_ix
    assert 60.0 <= blockage["from_s"] < 150.0
    assert blockage["to_s"] == pytest.approx(180.0, abs=0.2)
