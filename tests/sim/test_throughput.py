"""The comparison with bound and baselines: its arithmetic must be right, and its policies must be in force."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from fleet.server.fleet_view import FleetView
from planner.bound import Bound
from planner.corridor import StandKind, YardRole
from planner.flow import FLEET, LOADING
from sim_harness.bench import throughput as throughput_module
from sim_harness.bench.as_drawn import Services
from sim_harness.bench.cli import app, days_table, throughput_table
from sim_harness.bench.ideal import ideal_per_h, ideal_round_trips
from sim_harness.bench.throughput import POLICIES, Job, Row, Run, fleet_cycle_s, rate_per_h, run, settled_s, throughput
from sim_harness.day_bound import bound_of
from sim_harness.observation import TickView
from sim_harness.progress import ProgressWatch, Standstill
from sim_harness.scenario import load_scenario

ROW = Row(
    scenario="mandula",
    binds="loading bays",
    bound_per_h=20.0,
    ideal_per_h=16.0,
    drawn_per_h=18.75,
    per_h={"moving": 15.0, "blocks200": 14.0, "blocks400": 8.0},
    bound_round_trips=100.0,
    ideal_round_trips=90.0,
    round_trips={"moving": [75], "blocks200": [70], "blocks400": [40]},
    failed=(),
)


def test_shares_are_ours_over_bound_and_over_ideal() -> None:
    """A ratio turned round would read as more than the bound allows."""
    data = ROW.as_json()

    assert (data["of_bound"], data["of_drawn"], data["of_ideal"]) == (0.75, 0.8, 0.9375)
    assert [list(column.cells) for column in throughput_table([ROW]).columns[-3:]] == [["0.750"], ["0.938"], ["0.800"]]
    assert [list(column.cells) for column in days_table([ROW]).columns[1:]] == [
        ["100.0"], ["90.0"], ["75.0"], ["70.0"], ["40.0"], ["0.750"], ["0.833"],
    ]  # fmt: skip


def test_what_rushes_home_after_a_handover_is_not_counted() -> None:
    """From 06:00: the handover of 08:00 to 08:30 is over after 2.5 h, that of 20:00 to 20:30 after 14.5 h."""
    cycle_s = 3000.0

    assert settled_s(load_scenario("ganqimaodu", hours=1.9), cycle_s) == (2 * cycle_s, 1.9 * 3600.0)
    assert settled_s(load_scenario("ganqimaodu", hours=6.0), cycle_s) == (2.5 * 3600.0 + 2 * cycle_s, 6.0 * 3600.0)
    assert settled_s(load_scenario("ganqimaodu", hours=20.0), cycle_s) == (2.5 * 3600.0 + 2 * cycle_s, 14.0 * 3600.0)
    assert settled_s(load_scenario("mandula"), cycle_s) == (2 * cycle_s, 12.0 * 3600.0)


def test_a_fleet_that_queues_settles_in_cycles_of_its_own() -> None:
    """Before the queues have grown, 200 trucks come home faster than the bound allows for long; who has no order queues nowhere."""
    scenarios = {name: load_scenario(name, hours=6.0) for name in ("stress", "design", "erenhot")}
    bounds = {name: bound for name, scenario in scenarios.items() if (bound := bound_of(scenario)) is not None}
    cycles_s = {name: fleet_cycle_s(scenarios[name], bound) for name, bound in bounds.items()}

    assert cycles_s["stress"] * bounds["stress"].capacity_per_h == pytest.approx(200 * 3600.0)
    assert cycles_s["stress"] > 2.0 * bounds["stress"].cycle_s
    assert cycles_s["design"] == pytest.approx(bounds["design"].cycle_s, rel=0.01)
    assert cycles_s["erenhot"] == bounds["erenhot"].cycle_s


def test_the_ideal_is_no_more_than_the_bound() -> None:
    """Chance only takes away; and with a truck alone nothing but inspections is left to take."""
    scenario = load_scenario("mandula")
    bound = bound_of(scenario)
    assert bound is not None

    many = ideal_per_h(scenario, bound, 100.0)
    sound = scenario.spec.plant.model_copy(update={"inspect_share": 0.0, "loader_mtbf_h": 0.0})
    alone = replace(scenario, spec=scenario.spec.model_copy(update={"trucks": 1, "plant": sound}))

    assert 0.8 * bound.capacity_per_h < many < bound.capacity_per_h
    assert ideal_per_h(alone, bound, 400.0) == pytest.approx(3600.0 / bound.cycle_s, rel=0.02)


def test_the_bound_as_drawn_takes_each_service_for_what_it_took() -> None:
    """The slower yard's bays bind; what ended before the span or after it does not count, nor does a yard whose cranes bind."""
    corridor = load_scenario("mandula").corridor
    loading, unloading = (corridor.yard_by_role[role].yard_id for role in (YardRole.LOADING, YardRole.UNLOADING))
    bays = {yard: [s.stand_id for s in corridor.stands if s.kind is StandKind.BAY and s.yard_id == yard] for yard in (loading, unloading)}
    bound = Bound(name=LOADING, capacity_per_h=16.0, round_trips=0.0, cycle_s=0.0)

    def per_h(name: str, *under_cranes: str) -> float:
        services = Services(corridor, 1000.0, 5000.0, frozenset(under_cranes))
        for yard, begins, ends, from_s, took_s in (
            (loading, "loading_started", "loaded", 500.0, 90.0),
            (loading, "loading_started", "loaded", 800.0, 380.0),
            (loading, "loading_started", "loaded", 2000.0, 440.0),
            (unloading, "unloading_started", "unloaded", 2000.0, 480.0),
            (unloading, "unloading_started", "unloaded", 4900.0, 480.0),
        ):
            services.event(from_s, begins, truck_id="t001", bay_id=bays[yard][0])
            services.event(from_s + 1.0, "gate_opened", truck_id="t002", gate_id="g1")
            services.event(from_s + took_s, ends, truck_id="t001", bay_id=bays[yard][0])
        return services.most_per_h(replace(bound, name=name))

    assert corridor.processes["bay_changeover"].mean_s == 20.0
    assert per_h(LOADING) == per_h(FLEET) == pytest.approx(2 * 3600.0 / (480.0 + 20.0))
    assert per_h(LOADING, unloading) == pytest.approx(2 * 3600.0 / (410.0 + 20.0))
    assert per_h(FLEET, unloading) == per_h(LOADING, loading, unloading) == 16.0


def test_the_bound_as_drawn_takes_machines_for_as_long_as_they_worked() -> None:
    """Repairs are no services; what was broken off is as lost as they are; and a visit that went on took no longer for it."""
    corridor = load_scenario("mandula").corridor
    loading = corridor.yard_by_role[YardRole.LOADING].yard_id
    one, other = (s.stand_id for s in corridor.stands if s.kind is StandKind.BAY and s.yard_id == loading)
    services = Services(corridor, 1000.0, 5000.0)
    bound = Bound(name=LOADING, capacity_per_h=16.0, round_trips=0.0, cycle_s=0.0)

    for time_s, event, bay_id, truck_id in (
        (500.0, "loader_broke", one, ""),
        (1100.0, "loader_mended", one, ""),
        (2000.0, "loading_started", one, "t001"),
        (2100.0, "loader_broke", one, ""),
        (2200.0, "loader_mended", one, ""),
        (2500.0, "loaded", one, "t001"),
        (3000.0, "loading_started", other, "t002"),
        (3100.0, "loader_broke", other, ""),
        (3280.0, "work_broke_off", other, "t002"),
        (3290.0, "work_broke_off", other, "t003"),
        (3300.0, "loader_mended", other, ""),
        (4900.0, "loader_broke", other, ""),
    ):
        services.event(time_s, event, bay_id=bay_id, truck_id=truck_id)

    lost_s = 100.0 + 100.0 + 100.0 + 200.0 + 100.0
    assert services.most_per_h(bound) == pytest.approx((2.0 - lost_s / 4000.0) * 3600.0 / (400.0 + 20.0))


def test_a_gate_that_is_shut_costs_the_ideal_what_trucks_wait_at_it() -> None:
    """Half an hour each at 08:00 and 20:00; who is under way loses that but for what is left of its way to the next gate."""
    scenario = load_scenario("design")
    bound = bound_of(scenario)
    assert bound is not None
    through = replace(scenario, corridor=replace(scenario.corridor, shift_handovers=()))

    lost = ideal_round_trips(through, bound, days=4) - ideal_round_trips(scenario, bound, days=4)

    most = 2.0 * 1800.0 / bound.cycle_s * scenario.spec.trucks
    assert 0.5 * most < lost < most


def test_trains_cost_the_ideal_what_trucks_wait_for_them() -> None:
    """The bound lets trucks be in the bays just then; nobody who goes round all day is there each time."""
    scenario = load_scenario("manzhouli")
    bound = bound_of(scenario)
    assert bound is not None
    without = replace(scenario, spec=scenario.spec.model_copy(update={"level_crossings": ()}))

    free = ideal_per_h(without, bound, 100.0)
    crossed = ideal_per_h(scenario, bound, 100.0)

    assert 0.7 * free < crossed < 0.9 * free


def test_every_policy_meets_the_same_days() -> None:
    """And every one of them is sound and gets trucks round; fixed blocks, which only ever grant less, get no more round than ours."""
    told: list[Run] = []

    (row,) = throughput(["crossing"], hours=0.25, seeds=1, told=told.append)

    assert tuple(row.per_h) == POLICIES
    assert [(each.job.policy, each.round_trips) for each in told] == [(policy, count) for policy, (count,) in row.round_trips.items()]
    assert row.failed == ()
    assert 0 < row.round_trips["blocks400"][0] <= row.round_trips["moving"][0]


def test_a_run_that_failed_says_why() -> None:
    """A baseline that comes to a standstill and one that strands a truck are different news."""
    (row,) = throughput(["crossing"], hours=0.25, seeds=1, settings=["expect={round_trips: '>= 1000'}"])

    assert [each.split(":")[0] for each in row.failed] == [f"{policy} seed 1" for policy in POLICIES]
    assert all("round_trips" in each for each in row.failed)


def test_a_day_that_ended_before_its_time_is_counted_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet that stood still for good half-way has made half as much, not as much in half the time."""
    monkeypatch.setattr(throughput_module, "WARM_CYCLES", 0.5)
    whole = run(Job(scenario="crossing", policy="moving", seed=1, hours=0.5))
    look = ProgressWatch.look

    def stand(watch: ProgressWatch, view: TickView, server: FleetView | None, *, calm: bool) -> Sequence[Standstill]:
        found = look(watch, view, server, calm=calm)
        watch.standstill_since_s = 0.0 if view.time_s >= 900.0 else None
        return found

    monkeypatch.setattr(ProgressWatch, "look", stand)
    half = run(Job(scenario="crossing", policy="moving", seed=1, hours=0.5))

    assert 0 < half.round_trips < 0.6 * whole.round_trips
    assert 0.0 < half.per_h < 0.6 * whole.per_h


def test_trucks_that_come_home_together_are_counted_as_they_come_on_average() -> None:
    """Thirty trucks every 50 minutes are 36 an hour, whether the last of them came just before the end or just after."""
    minutes = range(300)
    together = [(60.0 * minute, 30 * ((minute + 7) // 50)) for minute in minutes]

    for last in (249, 262, 299):
        assert rate_per_h(together[:last], 3000.0) == pytest.approx(36.0, rel=0.01)
    assert rate_per_h([(60.0 * minute, 2 * minute) for minute in range(30)], 3000.0) == pytest.approx(120.0)


def test_a_day_too_short_to_settle_is_refused() -> None:
    """A rate of nothing over no time is no rate."""
    with pytest.raises(ValueError, match="settled"):
        run(Job(scenario="crossing", policy="moving", seed=1, hours=0.1))


def test_the_command_refuses_what_makes_no_sense() -> None:
    """A scenario after another benchmark's name would be ignored without a word."""
    runner = CliRunner()

    assert runner.invoke(app, ["conflict", "mandula"]).exit_code == 2
    assert runner.invoke(app, ["throughput", "mandulla"]).exit_code == 2
    assert json.loads(json.dumps(ROW.as_json()))["binds"] == "loading bays"
