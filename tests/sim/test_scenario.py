"""Scenario files: what may stand in them, and how they say what is wrong."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from fleet.site import load_site
from planner.corridor import StandKind, YardRole
from sim_harness import scenarios
from sim_harness.cli import app
from sim_harness.day import Wish, run_day
from sim_harness.scenario import ScenarioError, load_scenario, read_spec, scenario_names, scenario_schema

FOLDER = Path(scenarios.__file__).parent


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_of_ours_fits_the_published_schema(name: str) -> None:
    """Editors check files by the schema; it must not refuse what we run."""
    tree = YAML(typ="safe").load(FOLDER / f"{name}.yaml")

    jsonschema.validate(tree, scenario_schema())


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_of_ours_has_its_site_and_room_for_its_trucks(name: str) -> None:
    """A name in the list that does not load is found by a user otherwise."""
    ready = load_scenario(name)

    assert len(ready.stands) == ready.spec.trucks
    assert ready.spec.title
    assert ready.spec.orders


def test_stress_has_more_refuges_than_trucks() -> None:
    """200 trucks that all want to stand somewhere; with fewer places the yards could lock."""
    assert len(load_site("stress").stands) >= 220 + 2


def test_trucks_begin_on_the_loading_yards_stands_first() -> None:
    """Time 0 means the same in every run that is compared."""
    ready = load_scenario("mandula", trucks=20)
    loading = ready.corridor.yard_by_role[YardRole.LOADING].yard_id

    kinds = [(stand.yard_id == loading, stand.kind) for stand in ready.stands]

    assert kinds[:12] == [(True, StandKind.PARKING)] * 12
    assert kinds[-1][0] is False
    assert len({stand.stand_id for stand in ready.stands}) == 20


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["plant.inspect_shar=0.1"], "did you mean 'inspect_share'"),
        (["truks=3"], "did you mean 'trucks'"),
        (["trucks"], "is not KEY=VALUE"),
        (["trucks=3000"], "less than or equal to 2000"),
        (["trucks=60"], "60 trucks on 34 stands"),
        (["hours=long"], "--set:1: hours"),
        (["truck_type=coal_truck_70"], "did you mean 'coal_truck_70t'"),
        (["processes.bays={shape: fixed, fixed_s: 10}"], "did you mean 'bay'"),
        (["orders=[{from: mn, to: cm, containers: 2}]"], "known here: checkpoint, cn, mn"),
        (["processes.bay={shape: fixed}"], "shape fixed needs exactly fixed_s"),
    ],
)
def test_what_cannot_be_is_named_with_what_was_meant(settings: list[str], said: str) -> None:
    """Somebody mistypes a key at night and should not have to read code."""
    with pytest.raises(ScenarioError) as refused:
        load_scenario("mandula", settings)

    assert said in str(refused.value)


def test_an_unknown_scenario_names_the_nearest() -> None:
    """The commonest mistake on the command line."""
    with pytest.raises(ScenarioError, match="did you mean 'ganqimaodu'"):
        read_spec("ganqimadu")


def test_settings_lie_over_the_file(tmp_path: Path) -> None:
    """A campaign varies a file it does not own."""
    file = tmp_path / "mine.yaml"
    file.write_text("scenario: mine\nsite: mandula\ntrucks: 3\nhours: 1\nplant: {inspect_share: 0.5}\n", encoding="utf-8")

    ready = load_scenario(str(file), ["plant.refuse_share=0.1", "processes.bay={shape: fixed, fixed_s: 60}"], seed=9, hours=0.5)

    assert (ready.seed, ready.hours) == (9, 0.5)
    assert (ready.spec.plant.inspect_share, ready.spec.plant.refuse_share) == (0.5, 0.1)
    assert ready.corridor.processes["bay"].a == 60.0
    assert ready.corridor.digest == load_scenario("mandula").corridor.digest


def test_the_road_of_a_slippery_day_is_slippery_and_the_server_is_told() -> None:
    """A server that took ice for dry road would let trucks brake too late; told of it, nobody uses up a margin."""
    day = load_scenario("crossing", ["weather=[{kind: rain, friction: 0.15}]"], hours=0.04)

    report = run_day(day, Wish(), lambda _: None)

    assert report.truck_km > 0.5
    assert report.verdict == "pass"
    assert report.authority_margin_m_min is not None
    assert report.authority_margin_m_min > 0.0


def test_the_key_that_once_said_the_grip_of_the_road_says_how_it_is_said_now(tmp_path: Path) -> None:
    """There is one way to say weather; whoever has an old file or an old line is told it, and not offered a key that looks alike."""
    file = tmp_path / "mine.yaml"
    file.write_text("scenario: mine\nsite: mandula\ntrucks: 3\nhours: 1\nfriction: 0.25\n", encoding="utf-8")

    with pytest.raises(ScenarioError, match="unknown key 'friction'; say it as weather: ") as in_file:
        load_scenario(str(file))
    with pytest.raises(ScenarioError, match="unknown key 'friction'; say it as weather: ") as in_setting:
        load_scenario("mandula", ["friction=0.25"])

    assert ":5: " in str(in_file.value)
    said = str(in_setting.value).rpartition("weather: ")[2]
    assert load_scenario("mandula", [f"weather={said}"]).spec.weather[0].conditions.friction == 0.25


def test_a_policy_is_part_of_the_day() -> None:
    """The line that repeats a run must repeat how road was given out in it."""
    ready = load_scenario("mandula", ["policy=blocks200"])

    assert ready.spec.policy == "blocks200"
    assert "policy=blocks200" in ready.replay
    with pytest.raises(ScenarioError, match="policy"):
        load_scenario("mandula", ["policy=blocks20"])


def test_a_policy_nobody_knows_is_named_with_what_was_meant() -> None:
    """Before anything heavy is loaded: the commonest mistake must not cost seconds."""
    answer = CliRunner().invoke(app, ["run", "mandula", "--policy", "blocks40"])

    assert answer.exit_code == 2
    assert "did you mean 'blocks400'" in answer.output
