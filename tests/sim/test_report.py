"""The report is a contract: its fields, their types and their meaning."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from fleet.onboard import Mode
from planner.bound import Bound
from planner.corridor import Window
from sim_harness.checkers import Checkers, CheckFigures
from sim_harness.figures import Marks, margins, neighbours, stringline
from sim_harness.observation import Roster, Sample, Totals
from sim_harness.picture import draw
from sim_harness.recording import Recorder
from sim_harness.report import Expected, Instant, Report, build_report, open_seconds, opening_s, report_schema, tonnes_per_day
from sim_harness.report_files import write_report
from sim_harness.report_html import page, save_stringline, scene_of, window_of
from sim_harness.tiny import Place, tiny_roster, tiny_view

BOUND = Bound(name="loading bays", capacity_per_h=8.0, round_trips=1.9, cycle_s=1300.0)
# The fields that others read, as they were promised.
PROMISED = {
    "scenario", "seed", "trace_hash", "sim_seconds", "wall_seconds", "trucks", "truck_km", "round_trips", "tonnes", "tonnes_per_day",
    "round_trip_s", "gate_wait_s", "waiting_s_by_cause", "unexplained_wait_s", "overlaps", "overruns", "authority_margin_m_min",
    "ttc_s_min", "headway_s_min", "emergency_brakes", "energy_kwh_per_tonne", "bottleneck", "bound_round_trips", "faults", "verdict",
    "failures",
}  # fmt: skip


def _totals() -> Totals:
    return Totals(
        scenario="tiny",
        seed=3,
        trace_hash="5e",
        sim_seconds=900.0,
        wall_seconds=0.25,
        truck_km=1.5,
        round_trips=1,
        round_trip_s=[800.0],
        tonnes=65.0,
        gate_wait_s=[10.0, 20.0, 30.0],
        waiting_s_by_cause={"loading": 390.0, "gate": 60.0},
        unexplained_wait_s=0.0,
        emergency_brakes=0,
        energy_wh=30_000.0,
    )


def _checks(roster: Roster, *places: Place) -> CheckFigures:
    checkers = Checkers(roster)
    checkers.tick(tiny_view(roster, 0.0, places))
    return checkers.figures()


# What a run has in which no order is due and the weather is fair.
FAIR_AND_UNDUE: dict[str, object] = {"containers_due": 0, "containers_late": 0, "weather": []}


def test_a_small_run_has_exactly_this_report() -> None:
    """Compared whole: a field that changes by accident is a broken contract."""
    roster = tiny_roster(2)
    behind = Place(lane_id="out", chainage_m=100.0, speed_mps=5.0, ahead_m=30.0, mode=Mode.SERVICE_BRAKE)
    checks = _checks(roster, behind, replace(behind, chainage_m=150.0, speed_mps=3.0))

    report = build_report(roster, _totals(), checks, BOUND)

    assert json.loads(report.text()) == {
        "scenario": "tiny",
        "seed": 3,
        "replay": "",
        "trace_hash": "5e",
        "sim_seconds": 900.0,
        "wall_seconds": 0.25,
        "trucks": [
            {"truck_id": "T0", "type": "coal_truck_70t", "length_m": 16.5, "width_m": 3.2},
            {"truck_id": "T1", "type": "coal_truck_70t", "length_m": 16.5, "width_m": 3.2},
        ],
        "truck_km": 1.5,
        "round_trips": 1,
        "tonnes": 65.0,
        "tonnes_per_day": 5200.0,
        **FAIR_AND_UNDUE,
        "round_trip_s": {"p50": 800.0, "p95": 800.0},
        "gate_wait_s": {"p50": 20.0, "p95": 29.0},
        "waiting_s_by_cause": {"gate": 60.0, "loading": 390.0},
        "unexplained_wait_s": 0.0,
        **dict.fromkeys(("overlaps", "overruns", "undeclared_overruns", "shared_grounds", "barriers_driven_through"), 0),
        **dict.fromkeys(("stranding_ends", "standstills"), 0),
        "standstill_since_s": None,
        "longest_wait_s": 0.0,
        **dict.fromkeys(("contact_breaches", "word_breaches", "false_books", "containment_breaches"), 0),
        "authority_margin_m_min": 20.5911,
        "authority_margin_m_by_minute": [20.5911],
        "undeclared_margin_m_min": None,
        "ttc_s_min": 16.75,
        "headway_s_min": 10.0,
        "drac_mps2_max": 0.0597,
        "rss_margin_m_min": 21.8909,
        "emergency_brakes": 0,
        "emergency_brakes_per_1000_km": 0.0,
        "energy_kwh_per_tonne": 0.4615,
        "bottleneck": {"name": "loading bays", "capacity_per_h": 8.0, "utilisation": 0.5},
        "bound_round_trips": 1.9,
        "faults": [],
        "worst": {
            "time_s": 0.0,
            "what": "margin",
            "truck_ids": ["T0"],
            "sentence": "T0 could stop 20.59 m before the end of its authority, the least of the run",
        },
        "expected": [],
        "verdict": "pass",
        "failures": [],
    }


def test_after_a_standstill_for_good_no_more_is_made_that_day() -> None:
    """What came in the hour before it stood still, times twenty, would read like a good day."""
    roster = tiny_roster(2)
    stood = replace(_totals(), standstill_since_s=600.0)

    assert tonnes_per_day(roster, stood) == stood.tonnes < tonnes_per_day(roster, _totals())


def test_promised_fields_are_all_there() -> None:
    """Fields are added, never taken away."""
    assert set(Report.model_fields) >= PROMISED


def test_reports_satisfy_the_published_schema() -> None:
    """Also the report of a run in which nothing happened: its unknowns are null."""
    roster = tiny_roster(1)
    idle = replace(_totals(), round_trips=0, round_trip_s=[], tonnes=0.0, gate_wait_s=[], truck_km=0.0, sim_seconds=0.0)
    validator = Draft202012Validator(report_schema())

    busy = build_report(roster, _totals(), _checks(roster, Place(lane_id="out", chainage_m=100.0)), BOUND)
    empty = build_report(roster, idle, _checks(roster, Place(lane_id="out", chainage_m=100.0, ahead_m=None)), None)

    for report in (busy, empty):
        validator.validate(json.loads(report.text()))
    assert (empty.authority_margin_m_min, empty.energy_kwh_per_tonne, empty.bottleneck) == (None, None, None)


def test_only_who_is_worse_than_declared_may_use_up_a_margin() -> None:
    """Weak brakes of one truck must hide nothing about another."""
    roster = tiny_roster(2)
    short = Place(lane_id="out", chainage_m=100.0, speed_mps=5.0, ahead_m=5.0)
    past = replace(short, undeclared=True, ahead_m=-1.0)
    weak, well = replace(short, undeclared=True), Place(lane_id="back", chainage_m=100.0)

    alone = build_report(roster, _totals(), _checks(roster, weak, well), BOUND)
    beside = build_report(roster, _totals(), _checks(roster, weak, replace(short, chainage_m=400.0)), BOUND)

    assert (alone.verdict, alone.undeclared_margin_m_min, alone.authority_margin_m_min) == ("pass", pytest.approx(-5.9, abs=3.0), 50.0)
    assert beside.verdict == "fail"
    assert "the authority margin of T1" in beside.failures[0]
    overrun = build_report(roster, _totals(), _checks(roster, past, well), BOUND)
    assert (overrun.verdict, overrun.overruns, overrun.undeclared_overruns) == ("pass", 1, 1)


@pytest.mark.parametrize("wrong", ["overlap", "overrun", "margin", "unexplained", "scenario"])
def test_each_wrong_fails_the_run_and_says_why(wrong: str) -> None:
    """The verdict is what a build reads; the sentence is what a person reads."""
    roster = tiny_roster(2)
    apart = Place(lane_id="back", chainage_m=500.0)
    places = {
        "overlap": (Place(lane_id="out", chainage_m=100.0), Place(lane_id="out", chainage_m=110.0)),
        "overrun": (Place(lane_id="out", chainage_m=100.0, ahead_m=-1.0), apart),
        "margin": (Place(lane_id="out", chainage_m=100.0, speed_mps=5.0, ahead_m=5.0), apart),
    }
    totals = {
        "unexplained": replace(_totals(), unexplained_wait_s=3.0),
        "scenario": replace(_totals(), failures=["fewer than 90 round trips"]),
    }

    report = build_report(
        roster, totals.get(wrong, _totals()), _checks(roster, *places.get(wrong, (Place(lane_id="out", chainage_m=100.0), apart))), BOUND
    )

    words = {
        "overlap": "overlaps",
        "overrun": "overruns",
        "margin": "margin of T0",
        "unexplained": "without a named cause",
        "scenario": "fewer than 90",
    }
    assert report.verdict == "fail"
    assert len(report.failures) == 1
    assert words[wrong] in report.failures[0]


MISSED = {"fault": "link", "target": "T1", "at_s": 30.0, "needed_s": 32.0, "safe_s": None, "reached": False}
APART = (Place(lane_id="out", chainage_m=100.0), Place(lane_id="back", chainage_m=500.0))


@pytest.mark.parametrize(
    ("places", "faults", "worst"),
    [
        (APART, (), ("margin", 0.0, ("T0",))),
        (APART, ({**MISSED, "reached": True}, {**MISSED, "reached": None}), ("margin", 0.0, ("T0",))),
        (APART, ({**MISSED, "reached": True}, MISSED), ("fault", 32.0, ("T1",))),
        (APART, ({**MISSED, "target": "out 5-10 m", "needed_s": None},), ("fault", 30.0, ())),
        ((Place(lane_id="out", chainage_m=100.0, ahead_m=-1.0), APART[1]), (MISSED,), ("overrun", 0.0, ("T0",))),
        ((APART[0], Place(lane_id="out", chainage_m=110.0, ahead_m=-1.0)), (MISSED,), ("overlap", 0.0, ("T0", "T1"))),
    ],
)
def test_the_first_moment_to_look_at_is_the_first_wrong_one(
    places: tuple[Place, ...], faults: tuple[dict[str, object], ...], worst: tuple[str, float, tuple[str, ...]]
) -> None:
    """The page draws it: bodies that touch before ends that are passed, those before faults, and else the nearest miss."""
    roster = tiny_roster(2)

    found = build_report(roster, replace(_totals(), faults=faults), _checks(roster, *places), BOUND).worst

    assert found is not None
    assert (found.what, found.time_s, found.truck_ids) == worst
    assert all(truck_id in found.sentence for truck_id in found.truck_ids)


def test_a_run_in_which_nobody_held_road_has_no_moment_to_look_at() -> None:
    """A server that never granted anything is drawn without a picture rather than with one of nothing."""
    roster = tiny_roster(1)

    report = build_report(roster, _totals(), _checks(roster, Place(lane_id="out", chainage_m=100.0, ahead_m=None)), BOUND)

    assert report.worst is None


def test_open_seconds_are_counted_past_midnight() -> None:
    """06:00 to 02:00 is one opening, though it ends on the next day."""
    roster = tiny_roster(1)

    assert opening_s(roster) == 6 * 3600.0
    assert open_seconds(roster, 6 * 3600.0, 24 * 3600.0) == 20 * 3600.0
    assert open_seconds(roster, 0.0, 3 * 3600.0) == 2 * 3600.0


def test_a_site_that_never_closes_begins_its_day_at_six() -> None:
    """Time 0 of a 24-hour site is 06:00, so that runs of different sites compare."""
    always = tiny_roster(1)
    never_closed = replace(always, corridor=replace(always.corridor, windows=(Window(open_s=0, close_s=86_400),)))

    assert opening_s(never_closed) == 6 * 3600.0
    assert open_seconds(never_closed, opening_s(never_closed), 86_400.0) == 86_400.0


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Roster, Report]:
    """A truck that goes out laden, another that comes home empty; the first stands at the gate for a while."""
    roster = tiny_roster(2)
    checkers = Checkers(roster)
    with Recorder(tmp_path, roster) as recorder:
        for step in range(300):
            at_m = min(6.0 * step, 298.0) if step < 120 else 298.0 + 4.0 * (step - 120)
            moving = not 49 < step < 120
            places = [
                Place(lane_id="out", chainage_m=20.0 + min(at_m, 970.0), speed_mps=5.0 if moving else 0.0, laden=True),
                Place(lane_id="back", chainage_m=20.0 + 4.0 * step, speed_mps=8.0),
            ]
            view = tiny_view(roster, 0.5 * step, places)
            checkers.tick(view)
            recorder.sample(
                Sample(view=view, end_lane_ix=view.lane_ix, end_chainage_m=view.chainage_m, standing_cause=["" if moving else "gate", ""])
            )
        recorder.event(140.0, "round_trip_done", truck_id="T1", duration_s=140.0)
    faults: list[dict[str, object]] = [
        {**MISSED, "target": "T<1>", "shape": "loss", "ended_s": 50.0, "seen_s": 31.7, "alarm": "truck_fell_silent", "state": "contact"},
        {**MISSED, "fault": "slippery", "target": "out 200-300 m", "ended_s": None, "seen_s": None, "state": "derated"},
    ]
    report = build_report(roster, replace(_totals(), sim_seconds=150.0, faults=faults), checkers.figures(), BOUND)
    return tmp_path, roster, report.model_copy(update={"replay": "fleet sim run tiny --set 'a=<b>'"})


def test_the_page_stands_alone_and_shows_every_picture(recorded: tuple[Path, Roster, Report]) -> None:
    """The file is mailed around: nothing may be fetched, and text from the run must not become markup."""
    out_dir, roster, report = recorded

    write_report(out_dir, report, roster)

    page = (out_dir / "report.html").read_text(encoding="utf-8")
    fetched = re.findall(r"""(?:src|href)=["'](?!#)([^"']+)""", page)
    assert fetched == []
    assert page.count("<svg") == 5
    assert "T&lt;1&gt;" in page
    assert "T<1>" not in page
    assert "$" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)
    assert Report.model_validate_json((out_dir / "report.json").read_text(encoding="utf-8")) == report


def test_a_failed_run_says_why_and_how_to_see_it_again_before_all_else(recorded: tuple[Path, Roster, Report]) -> None:
    """Whoever opens the page has a build to mend."""
    out_dir, roster, good = recorded
    expected = Expected(figure="round_trips", condition=">= 20", value=1, met=False)
    reasons = tuple(f"reason <{number}>" for number in range(12))
    bad = good.model_copy(update={"verdict": "fail", "failures": reasons, "expected": (expected,)})

    said = page(out_dir, bad, roster)

    places = [
        said.index(words) for words in ("Why it failed", "reason &lt;0&gt;", "4 more", "a=&lt;b&gt;", "least authority", "Stringline")
    ]
    assert places == sorted(places)
    assert '<td class="bad">missed</td><td>round_trips &gt;= 20</td><td>1</td>' in said
    assert "The moment to look at" in said
    assert "reason <" not in said


def test_a_good_run_says_how_it_was_run_and_how_near_it_came(recorded: tuple[Path, Roster, Report]) -> None:
    """Nothing is red that is not wrong."""
    out_dir, roster, report = recorded

    said = page(out_dir, report.model_copy(update={"faults": (), "worst": _nearest(report)}), roster)

    assert "Why it failed" not in said
    assert "The nearest miss" in said
    assert "fleet sim run tiny --set &#x27;a=&lt;b&gt;&#x27;" in said
    assert "<h2>Faults" not in said


def _nearest(report: Report) -> Instant:
    return Instant(time_s=12.0, what="margin", truck_ids=(report.trucks[0].truck_id,), sentence="near")


def test_every_fault_has_its_row_with_what_came_of_it(recorded: tuple[Path, Roster, Report]) -> None:
    """When, what, at whom, what was noticed and whether all was safe in the end."""
    out_dir, roster, report = recorded

    text = re.sub(r"<[^>]+>", "|", page(out_dir, report, roster))

    assert "06:00:30||link||T&lt;1&gt;||loss||20.0 s||truck fell silent after 1.7 s||contact||not reached" in text
    assert "06:00:30||slippery||out 200-300 m||||to the end||||" in text.replace(" ||", "||")


def test_faults_are_marked_where_and_when_they_hit(recorded: tuple[Path, Roster, Report]) -> None:
    """The line of a truck bends somewhere; the mark says why."""
    out_dir, roster, report = recorded
    scene = scene_of(out_dir, roster, (0.0, 150.0))
    hit = {**report.faults[0], "target": "T0"}

    plain = stringline(scene)
    marked = stringline(scene, Marks(faults=[hit, report.faults[1]], look_s=40.0, look_truck_ids=["T0"]))

    assert (len(plain.axes), len(marked.axes)) == (2, 3)
    laden = marked.axes[1]
    assert len(laden.collections) == len(plain.axes[0].collections) + 2
    (patch,) = [patch for patch in laden.patches if patch not in plain.axes[0].patches and patch.get_linestyle() == ":"]
    low_m = patch.get_window_extent().transformed(laden.transData.inverted())
    assert (low_m.x0, low_m.x1) == (pytest.approx(30.0), pytest.approx(150.0))
    assert low_m.y1 - low_m.y0 == pytest.approx(100.0)


@pytest.mark.parametrize("by_minute", [(), (None, None), (2.5,), (3.0, None, -9990.0, 40.0)])
def test_margins_are_drawn_whatever_they_are(by_minute: tuple[float | None, ...]) -> None:
    """Nothing measured, nothing held, brakes that cannot hold at all: the scale stays one that can be read."""
    low, high = margins(by_minute, 240.0, 0.0).axes[0].get_ylim()

    assert -6.0 < low < 0.0
    assert 1.0 <= high < 30.0


def test_the_same_recording_gives_the_same_page(recorded: tuple[Path, Roster, Report]) -> None:
    """Pages are compared: nothing in them may depend on when they were drawn."""
    out_dir, roster, report = recorded

    write_report(out_dir, report, roster)
    first = (out_dir / "report.html").read_bytes()
    write_report(out_dir, report, roster)

    assert (out_dir / "report.html").read_bytes() == first


@pytest.mark.parametrize("name", ["stringline.svg", "stringline.png"])
def test_the_stringline_can_be_saved_by_itself(recorded: tuple[Path, Roster, Report], name: str) -> None:
    """For a page of one's own, as lines or as pixels."""
    out_dir, roster, _ = recorded

    save_stringline(out_dir, roster, (0.0, 150.0), out_dir / "docs" / name)

    assert (out_dir / "docs" / name).stat().st_size > 5_000


def test_the_pictures_of_the_readme_come_from_a_recording(recorded: tuple[Path, Roster, Report]) -> None:
    """They are made again when behaviour changes, by one command."""
    out_dir, roster, _ = recorded

    draw(out_dir, roster, out_dir / "docs")

    assert {path.name for path in (out_dir / "docs").iterdir()} == {"stringline.svg", "corridor.svg"}


def test_gates_that_stand_together_share_a_label() -> None:
    """Names written over one another cannot be read."""
    spots = [(2480.0, "g3_1"), (2480.0, "g3_2"), (2570.0, "portal"), (6270.0, "g4_1")]

    assert neighbours(spots, 200.0) == [(pytest.approx(2510.0), ["g3", "portal"]), (6270.0, ["g4"])]


def test_a_long_run_draws_two_hours() -> None:
    """A day of lines is a wall."""
    assert window_of(3600.0) == (0.0, 3600.0)
    assert np.diff(window_of(20 * 3600.0)) == 7200.0


@pytest.mark.parametrize(
    ("look_s", "window_s"), [(8 * 3600.0, (7 * 3600.0, 9 * 3600.0)), (10.0, (0.0, 7200.0)), (71_000.0, (64_800.0, 72_000.0))]
)
def test_the_two_hours_are_those_with_the_moment_to_look_at(look_s: float, window_s: tuple[float, float]) -> None:
    """A page about a collision must show it."""
    assert window_of(20 * 3600.0, look_s) == window_s
