"""Campaigns: the same result however many processes share the work, and each failure small, named and replayable."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from sim_harness.campaign import crew
from sim_harness.campaign.campaign import Progress, run_campaign
from sim_harness.campaign.crew import Crew
from sim_harness.campaign.figures import CampaignReport, campaign_schema
from sim_harness.campaign.outcome import Failing
from sim_harness.campaign.table import words
from sim_harness.campaign.trial import Plan, Trial
from sim_harness.campaign.worker import Job, perform
from sim_harness.cli import app
from sim_harness.faults.draw import USUAL, evenly
from sim_harness.faults.spec import FaultSpec
from sim_harness.scenario import Scenario, load_scenario

pytestmark = pytest.mark.xdist_group("campaign")  # one process makes the campaign that several tests look at

TRUCKS = tuple(f"t{number:03d}" for number in range(1, 9))
KINDS_MIXED = ("link", "brakes", "gate", "server_killed", "slippery")
PLAN = Plan(scenario="crossing", runs=18, first_seed=100, hours=0.02, guided=0.2, faults=3, kinds=KINDS_MIXED, tries=2)

# What is done to the code under test, in the worker's process. Planted: a run with weak brakes in it does not end well.
MUTANTS = """
import os
import threading
from contextlib import contextmanager
from pathlib import Path

from sim_harness.campaign import worker


@contextmanager
def weak_brakes_crash():
    sound = worker.run_day

    def run_day(scenario, wish, progress):
        if any(fault.fault == "brakes" for fault in scenario.spec.scheduled_faults):
            raise ZeroDivisionError("no brakes to divide by")
        return sound(scenario, wish, progress)

    worker.run_day = run_day
    try:
        yield
    finally:
        worker.run_day = sound


@contextmanager
def dies_once():
    flag = Path(__file__).with_name("died")
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), 9)
    yield


@contextmanager
def hangs():
    threading.Event().wait()
    yield
"""


@pytest.fixture
def mutants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that worker processes can import: they are given our search path."""
    (tmp_path / "planted_here.py").write_text(MUTANTS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return "planted_here"


@pytest.fixture(scope="module")
def two_jobs() -> CampaignReport:
    """A small campaign shared by two processes, which several tests look at."""
    return run_campaign(replace(PLAN, jobs=2))


@pytest.fixture(scope="module")
def crossing() -> Scenario:
    """The proving ground."""
    return load_scenario("crossing")


def trial(*faults: FaultSpec, hours: float = 0.25, trucks: int = 8, **more: object) -> Trial:
    """A run of the proving ground."""
    stated: dict[str, object] = {"scenario": "crossing", "seed": 7, "hours": hours, "trucks": trucks, "faults": faults, **more}
    return Trial(**stated)  # type: ignore[arg-type]


@pytest.mark.processes
def test_the_result_does_not_depend_on_the_number_of_processes(two_jobs: CampaignReport) -> None:
    """A campaign on a laptop and one on a large machine must find the same."""
    one_job = run_campaign(PLAN)

    assert one_job.model_copy(update={"wall_seconds": 0.0}) == two_jobs.model_copy(update={"wall_seconds": 0.0})
    assert [run.guided for run in one_job.runs] == [False] * 16 + [True] * 2
    assert len({run.trace_hash for run in one_job.runs if not run.guided}) == 16


@pytest.mark.processes
def test_a_worker_that_dies_is_a_failed_run_and_the_rest_goes_on(mutants: str) -> None:
    """A crash of the interpreter, or a machine out of memory, must name its seed and not hang the night's campaign."""
    jobs = [Job(trial=trial(hours=0.01, seed=seed), mutant=f"{mutants}:dies_once") for seed in (1, 2)]

    with Crew(1) as crew_of_one:
        for ticket, job in enumerate(jobs):
            crew_of_one.hand(ticket, job)
        outcomes = dict(crew_of_one.next() for _ in jobs)

    assert outcomes[0].failing == (Failing.DIED,)
    assert "SIGKILL" in outcomes[0].said[0]
    assert outcomes[1].failing == ()
    assert outcomes[1].truck_km > 0.0


@pytest.mark.processes
def test_a_worker_that_hangs_is_ended_and_its_run_has_failed(mutants: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless loop in the code under test is a finding too."""
    sound = Job(trial=trial(hours=0.01))

    with Crew(1) as crew_of_one:
        crew_of_one.hand(0, sound)
        crew_of_one.next()
        monkeypatch.setattr(crew, "SILENCE_MAX_S", 0.2)
        monkeypatch.setattr(crew, "LOOK_EVERY_S", 0.3)
        crew_of_one.hand(1, Job(trial=sound.trial, mutant=f"{mutants}:hangs"))
        _, outcome = crew_of_one.next()

    assert outcome.failing == (Failing.DIED,)
    assert "said nothing" in outcome.said[0]


@pytest.mark.processes
def test_a_planted_failure_is_found_made_small_recorded_and_replayed(mutants: str, tmp_path: Path) -> None:
    """The whole way: four faults and eight trucks in, one fault, one minute and a line out."""
    names = ("brakes", "link", "customs", "parted")
    plan = Plan(
        scenario="crossing", runs=6, hours=0.02, faults=4, kinds=names, jobs=2, stop_after=1,
        out=tmp_path / "out", mutant=f"{mutants}:weak_brakes_crash",
    )  # fmt: skip

    found = run_campaign(plan)

    (failure,) = found.failures
    words = shlex.split(failure.line)
    assert found.verdict == "fail"
    assert found.totals.failed == 1
    assert failure.failing == (Failing.CRASH,)
    assert "ZeroDivisionError" in failure.said[0]
    assert failure.faults == 1
    assert words[words.index("--hours") + 1] == "0.01"
    assert words[-1].startswith("scheduled_faults=[{fault: brakes, at_s: ")
    assert failure.replayed is True
    assert json.loads((tmp_path / "out" / "campaign.json").read_text(encoding="utf-8")) == json.loads(found.text())


@pytest.mark.processes
def test_ctrl_c_leaves_the_table_so_far() -> None:
    """Somebody has seen enough; what was found in the last hour must not be lost."""

    def pressed(progress: Progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    stopped = run_campaign(Plan(scenario="crossing", runs=50, hours=0.01), pressed)

    assert stopped.interrupted
    assert len(stopped.runs) == 2
    assert "interrupted: 2 of 50 runs made" in words(stopped)


def test_the_line_replays_the_run(crossing: Scenario) -> None:
    """A failure seen at night is worth the line that makes it happen again in the morning."""
    faults = evenly(np.random.default_rng(8), crossing.corridor, TRUCKS[:6], 60.0, 9)
    seen = trial(*faults, hours=0.02, trucks=6, settings=("plant.refuse_share=0.2", "processes.gate={shape: fixed, fixed_s: 4}"))
    words = shlex.split(seen.line)

    here = perform(Job(trial=seen), lambda _: None)
    replayed = CliRunner().invoke(app, [*words[2:], "--json"])

    assert words[:4] == ["fleet", "sim", "run", "crossing"]
    assert here.trace_hash is not None
    assert json.loads(replayed.stdout)["trace_hash"] == here.trace_hash


def test_a_line_survives_shell_and_yaml(crossing: Scenario, tmp_path: Path) -> None:
    """Every kind of fault, and a file whose name has a blank, read back as they were."""
    file = tmp_path / "my day.yaml"
    file.write_text("scenario: mine\nsite: crossing\ntrucks: 8\nhours: 1\n", encoding="utf-8")
    faults = evenly(np.random.default_rng(3), crossing.corridor, TRUCKS, 600.0, 200)
    words = shlex.split(trial(*faults, scenario=str(file)).line)

    settings = [words[at + 1] for at, word in enumerate(words) if word == "--set"]

    assert words[3] == str(file)
    assert load_scenario(words[3], settings).spec.scheduled_faults == faults
    assert {fault.fault for fault in faults} == set(USUAL)


def test_a_name_that_yaml_would_take_for_something_else_is_quoted() -> None:
    """A lane may be called `null`, and the line must still mean the lane."""
    named = FaultSpec(fault="intrusion", at_s=1.5, lane="null", from_m=0.0, to_m=0.25)

    words = shlex.split(trial(named).line)

    assert words[-1] == 'scheduled_faults=[{fault: intrusion, at_s: 1.5, lane: "null", from_m: 0, to_m: 0.25}]'


def test_what_is_published_fits_its_schema(two_jobs: CampaignReport) -> None:
    """Others read the file by its schema."""
    Draft202012Validator(campaign_schema()).validate(json.loads(two_jobs.text()))

    assert CampaignReport.model_validate_json(two_jobs.text()) == two_jobs


@pytest.mark.processes
def test_the_command_answers_with_its_exit_code() -> None:
    """Scripts and the night's job look at nothing else; the orders here are refused in every run."""
    arguments = ["campaign", "crossing", "--runs", "1", "--hours", "0.01", "--jobs", "1", "--tries", "0"]

    good = CliRunner().invoke(app, arguments)
    bad = CliRunner().invoke(app, [*arguments, "--set", "orders=[{from: west, to: west, containers: 2}]"])

    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert "verdict: pass" in good.stdout
    assert "FAILED run 0, seed 1: truck or order refused\n  a transport order was refused\nfleet sim run crossing" in bad.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["crosing", "--runs", "1"], "did you mean 'crossing'?"),
        (["crossing", "--runs", "1", "--kinds", "link,brake"], "there is no fault 'brake'; did you mean 'brakes'?"),
        (["crossing", "--runs", "0"], "greater than or equal to 1"),
        (["crossing"], "Missing option '--runs'"),
        (["crossing", "--runs", "1", "--trucks", "90"], "90 trucks on 12 stands"),
        (["crossing", "--runs", "1", "--out", "/dev/null/here"], "Not a directory"),
    ],
)
def test_a_mistaken_question_is_told_so(arguments: list[str], said: str) -> None:
    """Before a night of runs, not after it."""
    answer = CliRunner().invoke(app, ["campaign", *arguments])

    assert answer.exit_code == 2
    assert said in answer.output
