"""Benchmarks are claims about us: their arithmetic and their scenes must be right. Times are never asserted."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from sim_harness.bench.cli import app, as_json, number, table
from sim_harness.bench.conflict import SPACING_M, Traffic, conflict
from sim_harness.bench.journal import journal, one_tick
from sim_harness.bench.measure import Figure, Outcome, alternate, exponent
from sim_harness.bench.planning import planning
from sim_harness.bench.process import cpu_s
from sim_harness.bench.scraping import scraping
from sim_harness.bench.streams import streams
from sim_harness.bench.watchers import watchers

LINE = Figure(name="tick", ours=1.0, reference=10.0, unit="ms", ratio=0.1, goal=0.2)


def test_cost_that_doubles_with_size_has_exponent_one() -> None:
    """The exponent is what says whether a fleet ten times as large is ten or a hundred times as dear."""
    assert exponent([10, 100, 1000], [2.0, 20.0, 200.0]) == pytest.approx(1.0)
    assert exponent([10, 100, 1000], [2.0, 200.0, 20_000.0]) == pytest.approx(2.0)


def test_contenders_take_turns() -> None:
    """A reference measured a minute later met another machine."""
    order: list[str] = []

    alternate(3, {"ours": lambda: order.append("o"), "reference": lambda: order.append("r")})

    assert "".join(order) == "ororor"


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (LINE, True),
        (Figure(name="tick", ours=3.0, reference=10.0, unit="ms", ratio=0.3, goal=0.2), False),
        (Figure(name="factor", ours=1200.0, reference=None, unit="x", goal=1000.0, at_least=True), True),
        (Figure(name="share", ours=0.2, reference=1.0, unit="ms", ratio=0.2), None),
    ],
)
def test_a_goal_is_met_by_the_ratio_where_there_is_one(figure: Figure, met: bool | None) -> None:
    """Reached and missed are printed beside each line; getting it backwards would flatter us."""
    assert figure.met is met


def test_the_bench_traffic_flows_and_every_report_is_believed() -> None:
    """A tick that refuses its input, or stops trucks, would be measured doing nothing."""
    traffic = Traffic.of(150)
    order = np.argsort(traffic.road * 1e6 + traffic.trucks.nose_m[:150])

    gaps_m = np.diff(traffic.trucks.nose_m[:150][order])
    (line,) = conflict((100,)).figures

    assert set(np.round(gaps_m[np.diff(traffic.road[order]) == 0])) == {SPACING_M}
    assert line.ours > 0.0
    assert line.reference is not None


def test_unknown_benchmarks_are_refused_by_name() -> None:
    """A typo must not measure everything."""
    answer = CliRunner().invoke(app, ["conflicts"])

    assert answer.exit_code == 2
    assert "there is no benchmark 'conflicts'" in answer.output


def test_json_names_the_machine_and_says_whether_goals_are_met() -> None:
    """Figures without the machine they come from are of no use."""
    found = json.loads(as_json([Outcome(bench="conflict", about="a", figures=(LINE,))]))

    assert set(found["machine"]) == {"processor", "python", "system"}
    assert found["benches"][0]["figures"][0]["met"] is True


def test_the_table_has_a_row_per_figure() -> None:
    """What is measured is shown."""
    assert table(Outcome(bench="conflict", about="a", figures=(LINE, LINE))).row_count == 2
    assert [number(value) for value in (None, 0.123456, 12.3456, 5217.4)] == ["", "0.123", "12.3", "5,217"]


def test_the_journal_is_measured_on_the_same_bytes() -> None:
    """Fewer bytes on one side would be no comparison."""
    durable, rate = journal(3).figures

    assert rate.ratio == pytest.approx(1.0 / durable.ratio if durable.ratio else 0.0)
    assert len(one_tick()) == 4


def test_cpu_time_is_read_finer_than_a_short_round_costs() -> None:
    """Counters that step by 10 ms call a round of a few reports free, and a ratio with nothing below it is no ratio."""
    before_ns = time.process_time_ns()
    read_s = cpu_s(os.getpid())
    after_ns = time.process_time_ns()

    assert before_ns <= read_s * 1e9 <= after_ns
    assert cpu_s(os.getpid()) > read_s


@pytest.mark.processes
def test_planning_is_measured_beside_the_same_ticks_without_it() -> None:
    """The whole chain once, at the wall's pace: the thread finds plans, the loop hears them, both kinds of ticks are timed."""
    outcome = planning(rounds=1, round_s=6.0, warm_s=60.0)

    figures = {figure.name: figure for figure in outcome.figures}
    assert set(figures) == {"a tick, p50", "a tick, p99", "late, p50", "late, p99", "ticks a whole tick late"}
    assert all(figure.reference is not None and figure.ours >= 0.0 for figure in outcome.figures)
    assert "(1 plans heard)" in outcome.about


def test_streams_are_measured_against_a_server_that_does_as_many_reads_and_writes() -> None:
    """The whole chain once: two server processes, trucks on streams, CPU time of both."""
    outcome = streams(trucks=4, rounds=1, round_s=1.0)

    per_report, per_core = outcome.figures
    assert per_report.unit == "us"
    assert per_core.reference is not None


@pytest.mark.processes
def test_watchers_are_measured_beside_the_same_server_without_them() -> None:
    """The whole chain once: server, trucks and watchers in three processes, and the watchers killed."""
    outcome = watchers(trucks=4, count=8, rounds=1, round_s=1.0)

    figures = {figure.name: figure for figure in outcome.figures}
    assert figures["a tick, p50"].ours > 0.0
    assert figures["the second after they are killed: a tick, p99"].ours > 0.0
    assert {name for name, figure in figures.items() if figure.goal is not None} == {
        "what they cost a tick, p50", "what they cost a tick, p99", "of it they cost",
    }  # fmt: skip
    assert "told 0 updates" not in outcome.about


@pytest.mark.processes
def test_a_server_is_measured_with_and_without_a_scraper() -> None:
    """Both halves must have been measured, on ticks that went on, for a ratio to mean anything."""
    outcome = scraping(rounds=1, round_s=3.0)

    assert [figure.name for figure in outcome.figures][:2] == ["a tick, p50", "a tick, p99"]
    assert all(figure.ours > 0.0 and (figure.reference or 0.0) > 0.0 for figure in outcome.figures[:2])
    assert int(outcome.about.rpartition("; ")[2].split()[0]) > 1
