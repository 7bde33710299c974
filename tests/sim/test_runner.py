"""A whole run in virtual time: it replays from its seed, and nobody touches anybody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim_harness.day import Wish, run_day, summary
from sim_harness.report import Report
from sim_harness.scenario import load_scenario

pytestmark = pytest.mark.xdist_group("runner")  # one process makes the run that several tests look at

# Quick loaders and customs, so that whole round trips fit a short run.
QUICK = ["processes.bay={shape: fixed, fixed_s: 40}", "plant.inspect_share=0", "plant.refuse_share=0", "plant.loader_mtbf_h=0"]


def run(seed: int, hours: float, trucks: int = 4, out: Path | None = None) -> Report:
    """A short day at the small site."""
    return run_day(load_scenario("mandula", QUICK, seed=seed, hours=hours, trucks=trucks), Wish(out=out), lambda _: None)


@pytest.fixture(scope="module")
def half_hour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    """One run that several tests look at, with its files."""
    out = tmp_path_factory.mktemp("run")
    return run(1, 0.75, out=out), out


def test_trucks_go_round_and_nobody_touches_anybody(half_hour: tuple[Report, Path]) -> None:
    """The main job, end to end: server core, onboard code, plant, over protobuf."""
    report, _ = half_hour

    assert report.verdict == "pass", report.failures
    assert report.round_trips >= 4
    assert report.tonnes >= 4 * 65.0
    assert (report.overlaps, report.overruns, report.unexplained_wait_s) == (0, 0, 0.0)
    assert report.authority_margin_m_min is not None
    assert report.authority_margin_m_min >= 0.0
    assert report.emergency_brakes == 0


def test_the_files_of_a_run_are_those_promised(half_hour: tuple[Report, Path]) -> None:
    """Others read them; a missing one breaks their night."""
    report, out = half_hour

    names = {path.name for path in out.iterdir()}
    events = [json.loads(line) for line in (out / "events.jsonl").read_text(encoding="utf-8").splitlines()]

    assert {"report.json", "report.html", "events.jsonl", "trajectory.parquet", "run.mcap"} <= names
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["trace_hash"] == report.trace_hash
    assert sum(event["event"] == "round_trip_done" for event in events) == report.round_trips


def test_a_seed_replays_and_another_does_not() -> None:
    """A failure seen once must be seen again on demand."""
    first, again, other = run(5, 0.12), run(5, 0.12), run(6, 0.12)

    assert first.trace_hash == again.trace_hash
    assert first.trace_hash != other.trace_hash


def test_the_summary_says_the_verdict_and_the_trace(half_hour: tuple[Report, Path]) -> None:
    """What a person sees must lead back to the run."""
    report, _ = half_hour

    said = summary(report)

    assert "verdict: pass" in said
    assert report.trace_hash in said


@pytest.mark.parametrize("name", ["mandula", "crossing", "as_built_2023", "ganqimaodu"])
def test_every_site_runs(name: str) -> None:
    """The first minutes of each scenario, with its own fleet: everybody finds a way, nobody meets anybody."""
    report = run_day(load_scenario(name, [], seed=2, hours=0.06), Wish(), lambda _: None)

    assert report.verdict == "pass", report.failures
    assert report.truck_km > 0.0
    assert (report.overlaps, report.overruns, report.unexplained_wait_s) == (0, 0, 0.0)


def test_on_the_proving_ground_trucks_meet_often_and_never_touch() -> None:
    """Campaigns live on many encounters in little time: whole rounds within minutes, with the crossing and its merges in use."""
    report = run_day(load_scenario("crossing", [], seed=1, hours=0.2), Wish(), lambda _: None)

    assert report.verdict == "pass", report.failures
    assert report.round_trips >= 8
    assert report.truck_km > 60.0 * 0.2
    assert {"zone", "leader"} & set(report.waiting_s_by_cause)
