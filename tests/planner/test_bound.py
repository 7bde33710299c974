"""The bound must be above what can be done, and near it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.site import load_site
from planner.bound import BoundQuestion, mean_s, upper_bound, variance_s2
from planner.corridor import Corridor, Lane, Process

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
    assert bound.capacity_per_h == pytest.approx(len(gates) * 6.0)


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
    assert mean_s(process) == pytest.approx(mean)
    assert variance_s2(process) == pytest.approx(variance)
