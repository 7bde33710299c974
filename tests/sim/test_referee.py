"""Referees must be able to say no, and must say what they could not compare. What needs SUMO or ad-rss runs in `make referee`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from sim_harness.observation import Sample
from sim_harness.recording import Recorder
from sim_harness.referee import car_following, clearances, safe_distances
from sim_harness.referee.__main__ import main, tell
from sim_harness.referee.finding import Finding, table
from sim_harness.rss import safe_gap_m
from sim_harness.tiny import TRUCK, Place, tiny_roster, tiny_view

LINE = Finding(referee="somebody", compared="something", worst=0.5, bound=1.0, unit="m", cases=3)


@pytest.mark.parametrize(
    ("finding", "kept", "verdict"),
    [
        (LINE, True, "agrees"),
        (replace(LINE, worst=1.5), False, "MISSED"),
        (replace(LINE, worst=float("nan")), False, "MISSED"),
        (replace(LINE, worst=None, remark="nobody came"), False, "not compared: nobody came"),
        (replace(LINE, worst=None, remark="no wheel", excused=True), True, "not compared: no wheel"),
    ],
)
def test_only_what_was_compared_and_is_near_enough_agrees(finding: Finding, kept: bool, verdict: str) -> None:
    """What is not a number agrees with nothing; what was not compared is a miss unless nothing could be done about it."""
    console = Console(width=120)

    with console.capture() as said:
        console.print(table([finding]))

    assert finding.kept is kept
    assert verdict in said.get()


def test_a_miss_ends_with_exit_code_1() -> None:
    """A build that runs the referees must fail by them."""
    console = Console(width=120)

    with console.capture() as said:
        codes = [tell([LINE], console), tell([LINE, replace(LINE, worst=2.0)], console)]

    assert codes == [0, 1]
    assert "1 agree, 1 missed" in said.get()


def test_a_referee_nobody_knows_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the pen must not look like agreement."""
    assert main(["sumos"]) == 2
    assert "'sumos'" in capsys.readouterr().err


def test_our_convoy_keeps_the_gaps_that_are_quoted() -> None:
    """The part of the comparison with SUMO that needs no SUMO."""
    own = car_following.ours()

    speeds, *gaps = car_following.findings(own, own)

    assert speeds.worst == 0.0
    assert [gap.kept for gap in gaps] == [True, True]


def test_a_convoy_that_drives_otherwise_is_a_miss() -> None:
    """Two millimetres a second are twice what is allowed."""
    own = car_following.ours()
    other = (own[0] + 2e-3, own[1] + 1e-3)

    assert [each.kept for each in car_following.findings(own, other)] == [False, False, False]


def test_safe_distances_are_compared_over_everything_a_rule_may_say() -> None:
    """Standing and driving, gaining nothing, faster than allowed, with and without anything to keep."""
    cases = safe_distances.random_cases(2000, seed=3)

    assert (safe_distances.differences_m(lambda *case: safe_gap_m(*case) + 1e-6, cases) > safe_distances.BOUND_M).all()
    assert any(speed > rule.speed_max_mps for speed, _, rule in cases)
    assert any(rule.acceleration_mps2 == 0.0 for _, _, rule in cases)
    assert any(speed == 0.0 for speed, _, _ in cases)
    assert any(safe_gap_m(*case) == case[2].margin_m for case in cases)


def _record(folder: Path, places: list[list[Place]]) -> clearances.Recording:
    roster = tiny_roster(len(places[0]))
    nowhere = np.full(len(places[0]), np.nan)
    with Recorder(folder, roster) as recorder:
        for moment, now in enumerate(places):
            view = tiny_view(roster, 0.5 * moment, now)
            recorder.sample(
                Sample(
                    view=view, end_lane_ix=np.full(len(now), -1, dtype=np.int32), end_chainage_m=nowhere, standing_cause=["" for _ in now]
                )
            )
    trucks = [{"truck_id": name, "length_m": TRUCK.length_m, "width_m": TRUCK.width_m} for name in roster.truck_ids]
    (folder / "report.json").write_text(json.dumps({"trucks": trucks, "overlaps": 0}), encoding="utf-8")
    return clearances.read(folder, roster.corridor)


def test_clearances_of_a_recording_are_found_again_from_its_files(tmp_path: Path) -> None:
    """Nose, rear and the lanes say where a body is, also round a corner."""
    behind = [Place(lane_id="out", chainage_m=100.0), Place(lane_id="out", chainage_m=140.0)]
    round_corner = [Place(lane_id="turn_east", chainage_m=5.0), Place(lane_id="unload", chainage_m=160.0)]

    recording = _record(tmp_path, [behind, round_corner])
    measured = clearances.measure(recording, tiny_roster(2).corridor)

    assert measured.ours_m[:, 0] == pytest.approx([40.0 - TRUCK.length_m, 40.0 - 11.5])
    assert [each.kept for each in clearances.findings(measured, recording.overlaps)] == [True, True, True]


def test_bodies_that_meet_and_rears_off_the_road_are_misses(tmp_path: Path) -> None:
    """A referee that cannot see a collision, or a record that is not the truth, proves nothing."""
    recording = _record(tmp_path, [[Place(lane_id="out", chainage_m=100.0), Place(lane_id="out", chainage_m=110.0)]])
    moved = replace(recording, rear_m=recording.rear_m + 1e-3)

    measured = clearances.measure(moved, tiny_roster(2).corridor)
    rears, agreement, meeting = clearances.findings(measured, recording.overlaps)

    assert (rears.kept, agreement.kept, meeting.kept) == (False, True, False)
    assert clearances.findings(measured, 3)[2].worst == 3.0
