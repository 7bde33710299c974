"""Drawn sites: the same seed the same files, every one a sound site, and every truck on it served."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.site import load_site
from planner.corridor import StandKind, YardRole
from sim_harness.campaign.outcome import Failing, Outcome
from sim_harness.cli import app
from sim_harness.day import Wish, run_day
from sim_harness.drawn.draw import SITE, draw
from sim_harness.drawn.rounds import Round, run_rounds, table, words
from sim_harness.scenario import load_scenario
from sim_harness.told_to_end import told_to_end

pytestmark = pytest.mark.xdist_group("drawn")

# Little road, and between them: sections, passing places, crossings, second lanes, gates of one to three lanes, full yards, and trucks
# that come home with nothing to do where there is no stand for those that still have.
SHORT = (3, 28, 52, 62, 88, 113, 138)


def test_a_seed_gives_the_same_files_and_another_gives_others() -> None:
    """A failure is worth a line that draws it again."""
    first, again, other = draw(3), draw(3), draw(4)

    assert first == again
    assert first.site != other.site
    assert first.scenario != other.scenario


def test_between_them_the_sites_have_everything_that_can_hold_trucks_up() -> None:
    """What is never drawn is never tried."""
    drawn = [draw(seed) for seed in range(1, 61)]

    features = {feature for each in drawn for feature in each.features}
    lanes = {len(re.findall(r"[-\d.]+", found)) for each in drawn for found in re.findall(r"offsets_m: \[([^]]*)\]", each.site)}

    assert features == {"one-lane sections", "passing places", "crossings", "second lanes", "gates", "full yards", "places behind bays"}
    assert lanes == {1, 2, 3}
    assert {each.trucks for each in drawn} >= {2, 5, 10}


@pytest.mark.parametrize("seed", range(1, 31))
def test_every_drawn_site_is_sound(seed: int, tmp_path: Path) -> None:
    """The check of sites is as strict with these as with anybody's; a load has no more trucks than stands."""
    drawn = draw(seed)
    drawn.write(tmp_path)

    corridor = load_site(str(tmp_path / SITE))

    assert {yard.role for yard in corridor.yards} == {YardRole.LOADING, YardRole.UNLOADING}
    assert drawn.trucks < len(corridor.stands)
    for yard in corridor.yards:
        kinds = {stand.kind for stand in corridor.stands if stand.yard_id == yard.yard_id}
        assert {StandKind.BAY, StandKind.PARKING} <= kinds


@pytest.mark.parametrize("seed", SHORT)
def test_every_truck_of_a_drawn_site_is_served(seed: int, tmp_path: Path) -> None:
    """No lock, no starving, no driving in circles: the whole load is there before the end, on roads that nobody thought of."""
    scenario = load_scenario(str(draw(seed).write(tmp_path)))

    report = run_day(scenario, Wish(), lambda _: None)

    assert report.verdict == "pass", report.failures
    assert (report.containers_due, report.containers_late, report.standstills) == (sum(o.containers for o in scenario.spec.orders), 0, 0)


def test_what_failed_comes_with_the_line_that_does_it_again() -> None:
    """Whoever reads the table in the morning pastes the line into a shell."""
    outcome = Outcome(failing=(Failing.STANDSTILL,), said=("t001 waits for t002; t002 waits for t001",), longest_wait_s=90.0)
    rounds = [Round(drawn=draw(1), outcome=Outcome(longest_wait_s=30.0)), Round(drawn=draw(2), outcome=outcome)]

    said, drawn = words(rounds, 2), table(rounds)

    assert "fleet sim site --seed 2 --out site-2 && fleet sim run site-2/scenario.yaml" in said
    assert "t001 waits for t002" in said
    assert said.endswith("1 of 2 completed; verdict: fail")
    assert list(drawn.columns[0].cells)[-1] == "all"
    assert list(drawn.columns[-1].cells)[-1] == "1.5"


@pytest.mark.processes
def test_whoever_ends_it_has_what_was_run_so_far(tmp_path: Path) -> None:
    """A night's job is ended by a SIGTERM when its time is over; an hour of sites must not be lost."""

    def heard(_made: Round) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with told_to_end():
        rounds = run_rounds(3, 40, tmp_path, 1, heard)

    assert [each.drawn.seed for each in rounds] == [3]
    assert words(rounds, 40).endswith("interrupted: 1 of 40 sites run\n1 of 40 completed; verdict: fail")
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_commands_draw_a_site_and_run_some(tmp_path: Path) -> None:
    """The two lines of the manual, as they are typed."""
    one = CliRunner().invoke(app, ["site", "--seed", "5", "--out", str(tmp_path / "one")])
    some = CliRunner().invoke(app, ["sites", "--count", "1", "--seed", "36", "--jobs", "1", "--out", str(tmp_path / "some")])

    assert one.exit_code == 0, one.output
    assert load_scenario(one.output.strip()).spec.scenario == "drawn_5"
    assert some.exit_code == 0, some.output
    assert "1 of 1 completed; verdict: pass" in some.output
