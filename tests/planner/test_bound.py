"""The bound must be above what can be done, and near it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.site import load_site
from planner.bound import BoundQuestion, Spell, upper_bound, upper_bound_over, variance_s2
from planner.corridor import Corridor, Lane, Process
from planner.exchange import exchange_s, merge_s, merging, run_s

HOUR_S = 3600.0


@pytest.fixture(scope="module")
def mandula() -> Corridor:
    """The small site."""
    return load_site("mandula")


def test_few_trucks_are_bound_by_their_own_cycle(mandula: Corridor) -> None:
    """One truck alone makes as many trips as cycles fit, and no gate or bay matters."""
    bound = upper_bound(mandula, BoundQuestion.of(mandula, truck_count=1, open_s=10 * HOUR_S))

    assert bound.name == "fleet"
    assert bound.round_trips == pytest.approx(10 * HOUR_S / bound.cycle_s, abs=1.0)


def test_many_trucks_are_bound_by_the_scarcest_place(mandula: Corridor) -> None:
    """Two bays of 390 s and 20 s of changeover carry 17.56 an hour, whatever the fleet."""
    bound = upper_bound(mandula, BoundQuestion.of(mandula, truck_count=200, open_s=10 * HOUR_S))

    assert "bays" in bound.name
    assert bound.capacity_per_h == pytest.approx(2 * HOUR_S / 410.0)
    assert bound.round_trips <= bound.capacity_per_h * 10.0


def test_a_bay_that_fails_at_times_carries_less(mandula: Corridor) -> None:
    """Loader availability belongs to the bound."""
    whole = upper_bound(mandula, BoundQuestion.of(mandula, truck_count=200, open_s=HOUR_S))
    failing = upper_bound(mandula, BoundQuestion.of(mandula, truck_count=200, open_s=HOUR_S, availability=0.5))

    assert failing.capacity_per_h == pytest.approx(0.5 * whole.capacity_per_h)


def test_a_slow_gate_binds(mandula: Corridor) -> None:
    """Gates of one place add up and are named together."""
    slow = {
        name: Process(process_id=name, shape="fixed", a=600.0) if name == "g3" else process for name, process in mandula.processes.items()
    }
    site = replace(mandula, processes=slow)
    gates = [gate for gate in site.gates if gate.process == "g3"]

    bound = upper_bound(site, BoundQuestion.of(site, truck_count=200, open_s=HOUR_S))

    assert bound.name.startswith("customs gates")
    kind = site.truck_types[0]
    gate_s = 600.0 + exchange_s(kind, laden=True)
    assert bound.capacity_per_h == pytest.approx(len(gates) * HOUR_S / gate_s)


def test_the_last_hour_of_a_short_run_is_worth_less(mandula: Corridor) -> None:
    """A trip that cannot end in time does not count: half the time carries less than half the trips."""
    short = upper_bound(mandula, BoundQuestion.of(mandula, truck_count=200, open_s=HOUR_S))
    long = upper_bound(mandula, BoundQuestion.of(mandula, truck_count=200, open_s=2 * HOUR_S))

    assert 0.0 < short.round_trips < 0.5 * long.round_trips


def test_published_days_lie_under_the_bound() -> None:
    """24 trucks made 160 round trips in 6.5 hours: a bound below that would be no bound, one far above no help."""
    site = load_site("as_built_2023")

    bound = upper_bound(site, BoundQuestion.of(site, truck_count=24, open_s=6.5 * HOUR_S, inspection_share=0.05))

    assert bound.name == "fleet"
    assert 160.0 <= bound.round_trips <= 180.0


def test_a_corridor_without_a_way_round_is_refused(mandula: Corridor) -> None:
    """A bound of nothing would be divided by."""
    yard = next(yard for yard in mandula.yards if yard.role.value == "unloading")
    cut = {lane.lane_id: replace(lane, to_node_id="nowhere") if lane.lane_id in yard.entry_lane_ids else lane for lane in mandula.lanes}
    lanes: tuple[Lane, ...] = tuple(cut.values())

    with pytest.raises(ValueError, match="no way round"):
        upper_bound(replace(mandula, lanes=lanes), BoundQuestion.of(mandula, truck_count=10, open_s=HOUR_S))


@pytest.mark.parametrize(
    ("process", "mean", "variance"),
    [
        (Process(process_id="t", shape="triangular", a=10.0, b=20.0, c=30.0), 20.0, 100.0 / 6.0),
        (Process(process_id="l", shape="lognormal", a=390.0, b=0.3, c=180.0), 390.0, 117.0**2),
        (Process(process_id="f", shape="fixed", a=20.0), 20.0, 0.0),
    ],
)
def test_processes_have_their_textbook_moments(process: Process, mean: float, variance: float) -> None:
    """The bound stands on means and variances."""
    assert process.mean_s == pytest.approx(mean)
    assert variance_s2(process) == pytest.approx(variance)


def test_a_gate_takes_nobody_while_the_next_one_drives_up(mandula: Corridor) -> None:
    """A truck of 16.5 m with 0.35 m/s2 needs 11 s to be clear of the line, and the one behind it 2 s more to be at rest there."""
    kind = mandula.truck_types[0]

    assert exchange_s(kind, laden=True) == pytest.approx(13.2, abs=0.1)
    assert exchange_s(kind, laden=False) < exchange_s(kind, laden=True)


def test_a_run_from_rest_takes_what_its_slowest_stretch_asks_for(mandula: Corridor) -> None:
    """Speeding up with 0.35 m/s2 to 5 m/s takes 14.3 s over 35.7 m; a slower stretch is braked for before it begins."""
    kind = mandula.truck_types[0]

    assert run_s([(35.7, 5.0), (50.0, 5.0)], kind, laden=True) == pytest.approx(14.3 + 10.0, abs=0.2)
    assert run_s([(35.7, 5.0), (50.0, 2.5)], kind, laden=True) > 14.3 + 20.0


def test_trucks_that_meet_behind_two_gates_go_one_by_one() -> None:
    """Behind the customs gates lies the portal, at 10 km/h: two gates of 41 s each could let 219 an hour go, the road takes 119."""
    site = load_site("stress")
    groups = {tuple(gate.gate_id for gate in group): group for group in merging(site)}
    portal = merge_s(site, groups["g3_1", "g3_2"][0], site.truck_types[0], laden=True)

    bound = upper_bound(site, BoundQuestion.of(site, truck_count=200, open_s=HOUR_S))

    assert ("g4_1", "g4_2") not in groups, "behind the entry gates a truck can rest before the lanes meet"
    assert bound.name == "merge at sb_2440 behind the customs gates"
    assert bound.capacity_per_h == pytest.approx(HOUR_S / portal)


def spells(site: Corridor, trucks: int, *hours: tuple[float, dict[str, float]]) -> list[Spell]:
    """A day of so many hours with such shares, in turn."""
    return [Spell(corridor=site, open_s=long_h * HOUR_S, truck_count=trucks, shares=shares) for long_h, shares in hours]


def test_a_day_cut_into_equal_spells_is_the_same_day(mandula: Corridor) -> None:
    """Where nothing changes, changes cost nothing."""
    question = BoundQuestion.of(mandula, truck_count=10, open_s=8 * HOUR_S)

    cut = upper_bound_over(spells(mandula, 10, (3.0, {}), (5.0, {})), question)

    whole = upper_bound(mandula, question)
    assert cut.round_trips == pytest.approx(whole.round_trips)
    assert (cut.name, cut.capacity_per_h) == (whole.name, pytest.approx(whole.capacity_per_h))


def test_a_loader_that_is_out_costs_what_it_would_have_done(mandula: Corridor) -> None:
    """One of two bays, out for one of eight hours, takes a sixteenth of the day."""
    question = BoundQuestion.of(mandula, truck_count=200, open_s=8 * HOUR_S)
    bay = next(stand.stand_id for stand in mandula.stands if stand.stand_id.startswith("mn_bay"))

    out = upper_bound_over(spells(mandula, 200, (4.0, {}), (1.0, {bay: 0.0}), (3.0, {})), question)

    assert out.capacity_per_h == pytest.approx(15.0 / 16.0 * upper_bound(mandula, question).capacity_per_h)


def test_a_gate_that_is_shut_for_a_while_costs_nothing_unless_it_binds(mandula: Corridor) -> None:
    """The gate makes good what it missed, as far as it has time to spare; a gate that has none loses a sixteenth with half an hour of eight."""
    question = BoundQuestion.of(mandula, truck_count=200, open_s=8 * HOUR_S)
    slow = replace(mandula, processes={**mandula.processes, "g3": Process(process_id="g3", shape="fixed", a=600.0)})
    shut = {gate.gate_id: 0.0 for gate in mandula.gates if gate.process == "g3"}
    hours = ((3.5, {}), (0.5, shut), (4.0, {}))

    spare, scarce = (upper_bound_over(spells(site, 200, *hours), question) for site in (mandula, slow))

    assert spare.capacity_per_h == pytest.approx(upper_bound(mandula, question).capacity_per_h)
    assert scarce.capacity_per_h == pytest.approx(15.0 / 16.0 * upper_bound(slow, question).capacity_per_h)


def test_trucks_that_are_in_the_bays_while_the_road_is_shut_lose_nothing(mandula: Corridor) -> None:
    """A bound that stopped all flows with the gates would be beaten by whoever times his trucks."""
    question = BoundQuestion.of(mandula, truck_count=4, open_s=8 * HOUR_S)
    shut = {gate.gate_id: 0.0 for gate in mandula.gates}
    hours = [(0.8, {}), (0.2, shut)] * 8

    timed = upper_bound_over(spells(mandula, 4, *hours), question)

    assert timed.round_trips >= 0.85 * upper_bound(mandula, question).round_trips
