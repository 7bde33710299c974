"""Expectations: what a scenario's author demands of the figures, and what is said when it is missed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sim_harness.checkers import Checkers
from sim_harness.day import Wish, run_day
from sim_harness.expectations import Stated, as_expected, figure_names, judged, met, value_of
from sim_harness.observation import Totals
from sim_harness.report import Report, build_report, report_schema
from sim_harness.scenario import ScenarioError, load_scenario, read_spec, scenario_schema
from sim_harness.tiny import Place, tiny_roster, tiny_view

FAULT: dict[str, Any] = {"fault": "link", "row": "link loss", "target": "T0", "at_s": 100.0, "state": "contact"}
STOPPED = {**FAULT, "seen_s": 101.0, "needed_s": 102.0, "safe_s": 109.25, "reached": True}
SOONER = {**FAULT, "seen_s": 100.5, "needed_s": 101.0, "safe_s": 102.0, "reached": True}
NEVER = {**FAULT, "seen_s": None, "needed_s": 102.0, "safe_s": None, "reached": False}
BRIEF = {**FAULT, "seen_s": None, "needed_s": None, "safe_s": None, "reached": None}
WAITED = {**FAULT, "fault": "breakdown", "state": "waited", "seen_s": None, "needed_s": 200.0, "safe_s": 200.0, "reached": True}


def report_of(faults: tuple[Mapping[str, object], ...] = (), *, overlap: bool = False) -> Report:
    """A small run of two trucks: three trips, and no truck ever closed in on another."""
    roster = tiny_roster(2)
    checkers = Checkers(roster)
    other_m = 110.0 if overlap else 500.0
    checkers.tick(tiny_view(roster, 0.0, [Place(lane_id="out", chainage_m=100.0), Place(lane_id="out", chainage_m=other_m)]))
    totals = Totals(
        scenario="tiny",
        seed=3,
        trace_hash="5e",
        sim_seconds=900.0,
        wall_seconds=0.25,
        truck_km=1.5,
        round_trips=3,
        round_trip_s=[800.0],
        tonnes=65.0,
        gate_wait_s=[],
        waiting_s_by_cause={"gate": 60.0},
        unexplained_wait_s=0.0,
        emergency_brakes=0,
        energy_wh=30_000.0,
        faults=faults,
    )
    return build_report(roster, totals, checkers.figures(), None)


@pytest.mark.parametrize(
    ("stated", "value", "holds"),
    [
        (20, 20, True),
        (20, 21, False),
        (0.5, 0.5, True),
        (">= 20", 20, True),
        (">= 20", 19.9999, False),
        ("> 0", 0.0, False),
        (">0", 0.0001, True),
        ("<= 5", 5, True),
        ("< 5", 5, False),
        ("< -1.5e1", -16, True),
        ("= 3", 3, True),
        ("3", 4, False),
        ("20..30", 20, True),
        ("20 .. 30", 30, True),
        ("20..30", 30.001, False),
        (None, None, True),
        (None, 0.0, False),
        ("> 0", None, False),
        (0, None, False),
    ],
)
def test_a_condition_holds_for_what_it_says(stated: Stated, value: float | None, holds: bool) -> None:
    """Ends belong to ranges and to `>=`; a figure that could not be measured meets nothing but null."""
    assert met("round_trips", stated, value) is holds


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("round_trips", 3),
        ("round_trip_s.p50", 800.0),
        ("gate_wait_s.p95", None),
        ("bottleneck.utilisation", None),
        ("waiting_s_by_cause.gate", 60.0),
        ("waiting_s_by_cause.customs", 0.0),
        ("verdict", "fail"),
        ("stops_within_s", 9.25),
        ("safe_within_s", 7.25),
        ("seen_within_s", 1.0),
        ("faults_injected", 4),
        ("faults_seen", 2),
        ("faults_reached", 3),
        ("faults_missed", 0),
    ],
)
def test_figures_are_found_where_the_report_has_them(figure: str, value: object) -> None:
    """Nested ones by their dotted names, and those counted from the faults."""
    report = report_of((STOPPED, SOONER, BRIEF, WAITED), overlap=True)

    assert value_of(report, figure) == value


def test_a_fault_that_never_led_to_its_safe_state_has_no_longest_time() -> None:
    """The slowest truck must not be left out of the longest time because it never stopped at all."""
    report = report_of((STOPPED, NEVER))

    assert value_of(report, "stops_within_s") is None
    assert judged(report, {"stops_within_s": 1e6, "faults_missed": 0}).failures == (
        "expected stops_within_s <= 1e+06, got null (no truck had to stop for a fault, or one never did)",
        "expected faults_missed = 0, got 1",
    )


def test_only_faults_that_stop_a_truck_have_a_time_to_stop() -> None:
    """A loader that stands still for ten minutes is waited for, and a server is back when it is back."""
    assert value_of(report_of((WAITED,)), "stops_within_s") is None
    assert value_of(report_of((WAITED, SOONER)), "stops_within_s") == 2.0
    assert value_of(report_of(({**WAITED, "reached": False}, SOONER)), "stops_within_s") == 2.0


def test_a_plain_number_is_the_most_for_a_limit_by_name() -> None:
    """'Stops within 12 s' is kept by a truck that stops within 9."""
    report = report_of((STOPPED,))

    assert judged(report, {"stops_within_s": 12}).verdict == "pass"
    assert judged(report, {"stops_within_s": 9}).failures == ("expected stops_within_s <= 9, got 9.25",)
    assert judged(report, {"stops_within_s": "> 9"}).verdict == "pass"


def test_what_is_missed_is_said_and_fails_the_run() -> None:
    """Whoever reads the failure must not have to open the scenario to know what was asked."""
    report = judged(report_of(), {"round_trips": ">= 20", "ttc_s_min": "> 2", "round_trip_s.p50": "100..200", "overlaps": 0})

    assert report.verdict == "fail"
    assert report.failures == (
        "expected round_trips >= 20, got 3",
        "expected ttc_s_min > 2, got null (nothing was measured)",
        "expected round_trip_s.p50 in 100..200, got 800.0",
    )
    assert [(entry.figure, entry.met) for entry in report.expected] == [
        ("round_trips", False),
        ("ttc_s_min", False),
        ("round_trip_s.p50", False),
        ("overlaps", True),
    ]
    Draft202012Validator(report_schema()).validate(report.model_dump(mode="json"))


def test_a_missed_limit_points_at_the_slowest_fault() -> None:
    """Whoever asked for a stop within 3 s wants to see the truck that took nine, not the nearest miss of the day."""
    faults = (SOONER, {**STOPPED, "target": "T1", "at_s": 98.0}, WAITED)

    late = judged(report_of(faults), {"overlaps": 0, "stops_within_s": 3}).worst
    kept = judged(report_of(faults), {"overlaps": 0, "stops_within_s": 30}).worst
    touched = judged(report_of(faults, overlap=True), {"stops_within_s": 3}).worst

    assert late is not None
    assert (late.what, late.time_s, late.truck_ids) == ("fault", 98.0, ("T1",))
    assert late.sentence == "link of T1, the slowest of stops_within_s: 11.25 s"
    assert kept is not None
    assert kept.what == "margin"
    assert touched is not None
    assert touched.what == "overlap"


def test_expecting_a_failure_does_not_hide_it() -> None:
    """A scenario made to fail shows that the referee sees; its report must never be mistaken for that of a good run."""
    failed = judged(report_of(overlap=True), {"verdict": "fail", "overlaps": ">= 1"})
    passed = judged(report_of(), {"verdict": "fail"})
    more_than_expected = judged(report_of(overlap=True), {"verdict": "fail", "overlaps": 0})

    assert (failed.verdict, as_expected(failed)) == ("fail", True)
    assert (passed.verdict, as_expected(passed)) == ("fail", False)
    assert as_expected(more_than_expected) is False
    assert as_expected(report_of(overlap=True)) is False
    assert as_expected(report_of()) is True


@pytest.mark.parametrize(
    ("expect", "line", "said"),
    [
        ("overlap: 0", 7, "expect.overlap: there is no figure 'overlap'; did you mean 'overlaps'?"),
        ("round_trip_s.p5: 0", 7, "did you mean 'round_trip_s.p95'?"),
        ("round_trip_s: {p50: 3}", 7, "there is no figure 'round_trip_s'"),
        ("waiting_s_by_cause.costums: 0", 7, "did you mean 'waiting_s_by_cause.customs'?"),
        ("wall_seconds: 10", 7, "there is no figure 'wall_seconds'"),
        ("round_trips: '>> 2'", 7, "'>> 2' is no condition; write a number"),
        ("round_trips: 30..20", 7, "'30..20' is no condition"),
        ("round_trips: true", 7, "True is no condition"),
        ("verdict: good", 7, "a verdict is pass or fail, not 'good'"),
        ("verdict: 1", 7, "a verdict is pass or fail, not 1"),
        ("round_trips: >= 20", 7, "a comparison stands without quotes"),
    ],
)
def test_a_mistaken_expectation_is_named_with_its_line(expect: str, line: int, said: str, tmp_path: Path) -> None:
    """One that is not understood must not be one that always holds."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"scenario: mine\nsite: mandula\ntrucks: 3\nhours: 0.1\nexpect:\n  overruns: 0\n  {expect}\n", encoding="utf-8")

    with pytest.raises(ScenarioError) as refused:
        read_spec(str(path))

    assert str(refused.value).startswith(f"{path}:{line}: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "expect"),
    [
        ("expect={overlaps: 0, round_trips: '>= 20'}", {"overlaps": 0, "round_trips": ">= 20"}),
        ("expect.round_trip_s.p50=100..200", {"round_trip_s.p50": "100..200"}),
        ("expect.round_trips=>= 20", {"round_trips": ">= 20"}),
        ("expect.ttc_s_min=null", {"ttc_s_min": None}),
    ],
)
def test_expectations_are_laid_over_a_file(setting: str, expect: dict[str, Stated]) -> None:
    """A replay line says them with --set."""
    assert read_spec("mandula", [setting]).expect == expect


@pytest.mark.parametrize("setting", ["expect.overlap=0", "expect={overlap: 0}", "expect.ovrlaps.p50=1"])
def test_a_mistaken_setting_is_not_blamed_on_the_file(setting: str) -> None:
    """The line of a file that is right would send somebody looking for nothing."""
    with pytest.raises(ScenarioError, match=r"^--set:1: .*did you mean 'overlaps'"):
        read_spec("mandula", [setting])


def test_the_published_schema_knows_every_figure() -> None:
    """Editors complete and check names by it; it must take what we take and refuse what we refuse."""
    schema = scenario_schema()
    base = {"scenario": "mine", "site": "mandula", "trucks": 3, "hours": 0.1}
    validator = Draft202012Validator(schema)

    known = schema["properties"]["expect"]["properties"]

    assert set(known) == set(figure_names())
    assert all(entry["description"] for name, entry in known.items() if name not in {"truck_km", "sim_seconds", "emergency_brakes"})
    for good in ({"round_trips": ">= 20"}, {"round_trips": 3}, {"verdict": "fail"}, {"ttc_s_min": None}, {"tonnes": "2..3.5"}):
        assert validator.is_valid({**base, "expect": good}), good
    for bad in ({"round_trip": 3}, {"round_trips": ">> 2"}, {"verdict": "good"}, {"overlaps": True}):
        assert not validator.is_valid({**base, "expect": bad}), bad


def test_a_run_is_judged_by_what_its_scenario_expects() -> None:
    """The whole way: from the file's words to the report's verdict, and the motion is the same either way."""
    plain = run_day(load_scenario("mandula", trucks=2, hours=0.01), Wish(), lambda _: None)
    expecting = run_day(load_scenario("mandula", ["expect.round_trips=>= 20"], trucks=2, hours=0.01), Wish(), lambda _: None)

    assert (plain.verdict, plain.expected) == ("pass", ())
    assert expecting.failures == ("expected round_trips >= 20, got 0",)
    assert expecting.verdict == "fail"
    assert expecting.trace_hash == plain.trace_hash
