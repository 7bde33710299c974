"""Which runs a campaign makes, and how a failure becomes small: planted failures, no run is made here."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from planner.limits import FRICTION_DRY
from sim_harness.campaign.campaign import alike
from sim_harness.campaign.outcome import Failing, Outcome
from sim_harness.campaign.search import Search, Tried, best
from sim_harness.campaign.shrink import Shrinker
from sim_harness.campaign.trial import Plan, Trial
from sim_harness.campaign.worker import scenario_of
from sim_harness.faults.spec import FaultSpec, unknown_place
from sim_harness.scenario import Scenario, load_scenario
from sim_harness.weather import Spell, timeline

TRUCKS = tuple(f"t{number:03d}" for number in range(1, 9))


@pytest.fixture(scope="module")
def crossing() -> Scenario:
    """The proving ground."""
    return load_scenario("crossing")


def link(at_s: float = 3.0, truck: str = "t001", **more: object) -> FaultSpec:
    """A fault that is not the one looked for."""
    return FaultSpec.model_validate({"fault": "link", "at_s": at_s, "truck": truck, **more})


def trial(*faults: FaultSpec, hours: float = 0.25, trucks: int = 8, **more: object) -> Trial:
    """A run of the proving ground."""
    stated: dict[str, object] = {"scenario": "crossing", "seed": 7, "hours": hours, "trucks": trucks, "faults": faults, **more}
    return Trial(**stated)  # type: ignore[arg-type]


def shrunk(start: Trial, fails: Callable[[Trial], bool], tries_max: int = 200) -> tuple[Trial, int]:
    """What a shrinker makes of *start*, and the runs it took."""
    shrinker = Shrinker(start, TRUCKS, tries_max)
    while shrinker.candidate is not None:
        shrinker.told(same=fails(shrinker.candidate))
    return shrinker.best, shrinker.tries


def test_of_many_faults_the_one_that_matters_is_left() -> None:
    """Nobody can read seven faults at once."""
    culprit = FaultSpec(fault="brakes", at_s=271.3, for_s=77.1, value=0.55, truck="t003")
    others = [link(at_s=20.0 * number, truck=TRUCKS[number]) for number in range(6)]

    def fails(candidate: Trial) -> bool:
        return candidate.hours >= 0.09 and any(fault.fault == "brakes" and fault.amount < 0.6 for fault in candidate.faults)

    found, tries = shrunk(trial(*others[:3], culprit, *others[3:]), fails)

    assert found == trial(FaultSpec(fault="brakes", at_s=240.0, value=0.5, truck="t003"), hours=0.09, trucks=3)
    assert tries < 60


def test_two_faults_that_only_matter_together_are_both_kept() -> None:
    """The dangerous ones are pairs."""
    first, second = FaultSpec(fault="parted", at_s=60.0, truck="t001"), FaultSpec(fault="server_killed", at_s=60.0)
    others = [link(at_s=float(number)) for number in range(5)]

    found, _ = shrunk(trial(first, *others, second), lambda candidate: {first, second} <= set(candidate.faults))

    assert set(found.faults) == {first, second}


@pytest.mark.parametrize("tries_max", [0, 1, 5])
def test_attempts_are_bounded(tries_max: int) -> None:
    """Each attempt is a run; a campaign must end."""
    start = trial(*(link(at_s=float(number)) for number in range(6)))

    found, tries = shrunk(start, lambda _: False, tries_max)

    assert (found, tries) == (start, tries_max)


def test_a_smaller_run_that_fails_otherwise_is_another_failure() -> None:
    """Chasing an overlap, the search must not slide into an unexplained wait."""
    overlap = Outcome(failing=(Failing.OVERLAP, Failing.MISSED))

    assert alike(overlap, Outcome(failing=(Failing.OVERLAP,)))
    assert not alike(overlap, Outcome(failing=(Failing.MISSED,)))
    assert not alike(overlap, Outcome())


def test_every_guided_run_could_be_stated_by_hand(crossing: Scenario) -> None:
    """A search that leaves the limits, or aims at trucks that are not there, wastes its runs."""
    search = Search(Plan(scenario="crossing", runs=400), crossing)
    before = [Tried(trial=search.drawn(run), outcome=Outcome(authority_margin_m_min=2.0 + 0.1 * run)) for run in range(20)]

    made = [search.guided(run, before) for run in range(20, 400)]

    faults = [fault for one in made for fault in one.faults]
    assert [FaultSpec.model_validate(fault.stated()) for fault in faults] == faults
    assert not any(unknown_place(fault, crossing.corridor, crossing.roster.truck_ids) for fault in faults)
    assert all(fault.kind.value is None or fault.kind.value.low <= fault.amount <= fault.kind.value.high for fault in faults)
    assert made == [search.guided(run, before) for run in range(20, 400)]
    assert len(set(made)) > 0.95 * len(made)


def test_guided_runs_descend_from_the_closest_calls_of_every_sort() -> None:
    """What came near once, changed a little, may come nearer; what failed is found already; one dangerous kind is not all there is."""
    parted, brakes = FaultSpec(fault="parted", at_s=1.0, truck="t001"), FaultSpec(fault="brakes", at_s=1.0, truck="t001")
    near, nearer, nearest = trial(link(), link(5.0)), trial(parted), trial(brakes)
    tried = [
        Tried(trial=trial(link()), outcome=Outcome(authority_margin_m_min=2.4)),
        Tried(trial=near, outcome=Outcome(authority_margin_m_min=1.9)),
        Tried(trial=nearest, outcome=Outcome(authority_margin_m_min=-1.0)),
        Tried(trial=trial(brakes, parted), outcome=Outcome(authority_margin_m_min=-0.5)),
        Tried(trial=nearer, outcome=Outcome(authority_margin_m_min=0.4)),
        Tried(trial=trial(FaultSpec(fault="map", at_s=1.0, truck="t001")), outcome=Outcome(failing=(Failing.OVERLAP,))),
        Tried(trial=trial(), outcome=Outcome(authority_margin_m_min=0.0)),
    ]

    assert best(tried) == [nearest, nearer, near]


def test_margins_alike_are_told_apart_by_time_to_collision() -> None:
    """Two trucks that stop two metres short differ by how late they did it."""
    calm, close = trial(link()), trial(FaultSpec(fault="parted", at_s=1.0, truck="t001"))

    chosen = best(
        [
            Tried(trial=calm, outcome=Outcome(authority_margin_m_min=2.41, ttc_s_min=9.0)),
            Tried(trial=close, outcome=Outcome(authority_margin_m_min=2.45, ttc_s_min=3.0)),
        ]
    )

    assert chosen == [close, calm]


def test_a_run_draws_from_its_own_seed_alone(crossing: Scenario) -> None:
    """Run 40 of a campaign from seed 1 is run 0 of one from seed 41."""
    late = Search(Plan(scenario="crossing", runs=50, first_seed=1), crossing).drawn(40)
    first = Search(Plan(scenario="crossing", runs=1, first_seed=41), crossing).drawn(0)
    counts = [len(Search(Plan(scenario="crossing", runs=300), crossing).drawn(run).faults) for run in range(300)]

    assert late == first
    assert 3.5 < np.mean(counts) < 4.5


def grip(made: Trial) -> float:
    """Of the road, as the day of *made* begins."""
    return timeline(scenario_of(made).spec.weather, made.hours)[0][1].friction


def test_half_of_the_days_are_dry_and_the_others_are_not_all_alike(crossing: Scenario) -> None:
    """What a brake can do on a dry road says little about what it can do on ice."""
    search = Search(Plan(scenario="crossing", runs=300), crossing)

    drawn = [grip(search.drawn(run)) for run in range(300)]

    assert 0.4 < drawn.count(FRICTION_DRY) / 300 < 0.6
    assert {0.45, 0.25, 0.15} < set(drawn)


def test_a_scenario_that_is_slippery_already_is_never_better() -> None:
    """Who asks for ice gets ice."""
    settings = ("weather=[cold, {kind: rain, friction: 0.2}]",)
    search = Search(Plan(scenario="crossing", runs=50, settings=settings), load_scenario("crossing", settings))

    drawn = [search.drawn(run) for run in range(50)]

    assert {grip(made) for made in drawn} == {0.2, 0.15}
    assert all(scenario_of(made).spec.weather[0].kind == "cold" for made in drawn)


def test_the_line_of_a_run_says_its_weather(crossing: Scenario) -> None:
    """Else it would replay another day."""
    search = Search(Plan(scenario="crossing", runs=50), crossing)
    slippery = next(made for run in range(50) if grip(made := search.drawn(run)) == 0.25)
    settings = [word for before, word in pairwise(shlex.split(slippery.line)) if before == "--set"]

    assert "weather=[{kind: rain, friction: 0.25}]" in settings
    assert load_scenario("crossing", settings).spec.weather == scenario_of(slippery).spec.weather
    assert "weather" not in replace(slippery, weather=None).line


def test_a_failure_that_needs_no_ice_is_shown_without() -> None:
    """A reader should not have to wonder what the weather has to do with it."""
    icy = trial(link(), weather=(Spell(kind="rain", friction=0.15),))

    found, _ = shrunk(icy, lambda candidate: bool(candidate.faults))

    assert found.weather is None
