"""Faults are data: what cannot be is refused in words, what is drawn replays, and everything that can break is drawn."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from fleet.site import load_site
from sim_harness.clock import Streams
from sim_harness.faults.draw import USUAL, evenly, faults_of, ordinary_day
from sim_harness.faults.kind import Target
from sim_harness.faults.kinds import KINDS
from sim_harness.faults.spec import FaultSpec, unknown_place
from sim_harness.scenario import ScenarioError, load_scenario

TRUCKS = ("t001", "t002", "t003")


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_makes_sense_by_itself(name: str) -> None:
    """Campaigns draw between the limits of this table: one that is upside down would draw nothing, or nonsense."""
    kind = KINDS[name]

    assert kind.lasts_s.low <= kind.lasts_s.usual <= kind.lasts_s.high
    assert kind.value is None or kind.value.low <= kind.value.usual <= kind.value.high
    assert (kind.value is None) == (kind.unit == "")
    assert kind.about
    assert kind.row


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ({"fault": "brake", "at_s": 1.0, "truck": "t001"}, "did you mean 'brakes'"),
        ({"fault": "link", "at_s": 1.0}, "link needs truck"),
        ({"fault": "server_killed", "at_s": 1.0, "truck": "t001"}, "takes no truck"),
        ({"fault": "link", "at_s": 1.0, "truck": "t001", "shape": "step"}, "no shape 'step'"),
        ({"fault": "parted", "at_s": 1.0, "truck": "t001", "value": 2.0}, "takes no value"),
        ({"fault": "slippery", "at_s": 1.0, "lane": "a", "from_m": 5.0, "to_m": 5.0}, "from_m 5 is not before to_m 5"),
        ({"fault": "link", "at_s": float("nan"), "truck": "t001"}, "finite number"),
        ({"fault": "link", "at_s": -1.0, "truck": "t001"}, "greater than or equal to 0"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_in_words(stated: dict[str, object], problem: str) -> None:
    """A misspelt fault that never happens is a test that proves nothing."""
    with pytest.raises(ValidationError, match=problem):
        FaultSpec.model_validate(stated)


def test_a_drawn_fault_stated_again_is_the_same_fault() -> None:
    """The line that replays a failure names its faults as they are."""
    corridor = load_site("mandula")

    # So many trucks that not all of them lose their service brakes: weak ones are drawn for the others only.
    trucks = tuple(f"t{row:03d}" for row in range(1, 13))
    drawn = evenly(np.random.default_rng(10), corridor, trucks, 600.0, 300)

    assert [FaultSpec.model_validate(spec.stated()) for spec in drawn] == list(drawn)
    assert {spec.fault for spec in drawn} == set(USUAL)
    assert [problem for spec in drawn if (problem := unknown_place(spec, corridor, trucks))] == []
    assert drawn == evenly(np.random.default_rng(10), corridor, trucks, 600.0, 300)


def test_what_ends_the_day_is_drawn_only_by_whoever_names_it() -> None:
    """Else most of a campaign would stand still."""
    corridor = load_site("mandula")

    drawn = evenly(np.random.default_rng(10), corridor, TRUCKS, 600.0, 20, ["journal_old"])

    assert set(KINDS) - set(USUAL) == {"journal_old"}
    assert {spec.fault for spec in drawn} == {"journal_old"}


def test_some_drawn_faults_begin_soon_after_another_of_the_same_truck() -> None:
    """Two rules that hold alone may not hold together, and evenly drawn faults of many trucks hardly ever meet."""
    corridor = load_site("mandula")

    drawn = evenly(
        np.random.default_rng(10), corridor, tuple(f"t{number:03d}" for number in range(100)), 36_000.0, 200, ["link", "reports"]
    )

    pairs = [(one, next_one) for one, next_one in pairwise(drawn) if one.truck == next_one.truck and next_one.at_s - one.at_s <= 10.0]
    assert len(pairs) > 20


def test_an_ordinary_day_has_what_ordinary_days_have() -> None:
    """About one outage an hour and truck, and the others as seldom as they are; the same day for the same seed."""
    corridor = load_site("mandula")

    day = ordinary_day(corridor, TRUCKS, Streams(1), 100.0)

    outages = sum(spec.fault == "link" for spec in day)
    assert 200 < outages < 400
    assert {spec.fault for spec in day} >= {"link", "gate", "server_killed"}
    assert day == ordinary_day(corridor, TRUCKS, Streams(1), 100.0)
    assert day != ordinary_day(corridor, TRUCKS, Streams(2), 100.0)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("{fault: link, at_s: 5, truck: t099}", "there is no truck 't099'"),
        ("{fault: gate, at_s: 5, gate: g99}", "there is no gate 'g99'"),
        ("{fault: slippery, at_s: 5, lane: nowhere, from_m: 1, to_m: 2}", "there is no lane 'nowhere'"),
        ("{fault: link, at_s: 5, truk: t001}", "did you mean 'truck'"),
        ("{fault: lnik, at_s: 5, truck: t001}", "did you mean 'link'"),
    ],
)
def test_a_scenario_with_a_mistaken_fault_says_where(fault: str, problem: str, tmp_path: Path) -> None:
    """File, line and what was meant: the engineer should not have to count."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"scenario: mine\nsite: mandula\ntrucks: 3\nhours: 0.1\nscheduled_faults:\n  - {fault}\n", encoding="utf-8")

    with pytest.raises(ScenarioError, match=problem) as refused:
        load_scenario(str(path))

    assert f"{path}:6" in str(refused.value)


def test_every_target_is_aimed_at_by_some_kind() -> None:
    """A target nobody uses is a promise nobody keeps."""
    assert {kind.target for kind in KINDS.values()} == set(Target)


def test_the_days_spot_without_radio_is_surveyed_and_nobody_is_stranded_in_it() -> None:
    """Trucks without contact stop: in a spot nobody knows of they would stand until towed, so the map has it as a no-stop stretch."""
    plain, troubled = load_scenario("mandula"), load_scenario("mandula", ["faults=on"])

    spot = troubled.dead_spot
    assert spot is not None
    assert plain.dead_spot is None
    assert set(troubled.corridor.no_stops) - set(plain.corridor.no_stops) == {spot}
    day = faults_of(troubled, Streams(troubled.seed))
    assert [(spec.lane, spec.from_m, spec.to_m) for spec in day if spec.fault == "dead_spot"] == [(spot.lane_id, spot.start_m, spot.end_m)]
