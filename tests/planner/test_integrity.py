"""What a report may claim, and what it may move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planner.integrity import ReportColumns, Verdict, believe, inspect
from planner.oracle.integrity import OneReport, slow_believe_reports, slow_inspect_reports
from planner.tables import TableFault

TENTH = 100_000_000


def reports_of(reports: list[OneReport]) -> ReportColumns:
    """The same reports as columns."""
    rows, stamp, lane, chainage, speed, bound = zip(*reports, strict=True)
    return ReportColumns(
        rows=np.array(rows, np.int32), stamp_ns=np.array(stamp, np.int64), lane_ix=np.array(lane, np.int32),
        chainage_m=np.array(chainage, np.float64), speed_mps=np.array(speed, np.float64), bound_m=np.array(bound, np.float64),
    )  # fmt: skip


def drawn_reports(rng: np.random.Generator, scene: Any) -> list[OneReport]:
    """Mostly true reports, and every kind of lie."""
    reports = []
    for row in range(scene.trucks.count):
        lane, chainage = scene.trucks.lane_at(row, float(scene.trucks.nose_m[row]))
        speed = float(scene.trucks.speed_mps[row])
        stamp = int(scene.trucks.stamp_ns[row]) + int(rng.choice([0, TENTH, 2 * TENTH, 20 * TENTH]))
        chainage += speed * (stamp - int(scene.trucks.stamp_ns[row])) * 1e-9 + float(rng.choice([0.0, 0.2, -0.4, -2.5, 4.0, 60.0]))
        lane = int(rng.choice([lane, lane, lane, lane, -1, 10_000, int(rng.integers(0, scene.lanes.count))]))
        numbers = [
            chainage,
            speed + float(rng.uniform(-0.3, 0.3)),
            float(rng.choice([rng.uniform(0.0, 1.0), rng.uniform(4.0, 7.0)], p=[0.9, 0.1])),
        ]
        if rng.random() < 0.1:
            numbers[int(rng.integers(0, 3))] = float(rng.choice([np.nan, np.inf, -np.inf]))
        reports.append(OneReport(row, stamp, lane, *numbers))
    return [reports[at] for at in rng.permutation(len(reports))]


@pytest.mark.parametrize("seed", range(80))
def test_the_kernels_and_their_twins_agree(seed: int, scenes: Callable[[int], Any]) -> None:
    """Verdict, place and everything moved: equal to the last bit, for truths and lies."""
    fast, slow, rng = scenes(seed), scenes(seed), np.random.default_rng(seed)
    seen = set()

    for _ in range(5):
        reports = drawn_reports(rng, fast)
        intact = rng.random(len(reports)) < 0.8
        findings = inspect(fast.lanes, fast.trucks, reports_of(reports))
        believe(fast.trucks, reports_of(reports), findings, intact)
        for at, report in enumerate(reports):
            verdict, path_m = slow_inspect_reports(slow.lanes, slow.trucks, report)
            seen.add(verdict)
            slow_believe_reports(slow.trucks, report, verdict, path_m, intact=bool(intact[at]))

            assert findings.verdict[at] == verdict
            assert findings.path_m[at] == path_m or (np.isnan(path_m) and np.isnan(findings.path_m[at])) or verdict == Verdict.NOT_FINITE
        assert (fast.trucks.real[:, : fast.trucks.count] == slow.trucks.real[:, : slow.trucks.count]).all()
        assert (fast.trucks.stamp_ns == slow.trucks.stamp_ns).all()

    assert len(seen) > 1


def driving(draw: Any) -> Any:
    """One truck at 200 m, 5 m/s, that may go to 260 m."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 500.0), draw.lane("b", ("x", "y"), 500.0)]))
    scene.place([0], 182.0, 260.0)
    scene.trucks.nose_m[0], scene.trucks.speed_mps[0], scene.trucks.stamp_ns[0] = 200.0, 5.0, 10 * TENTH
    return scene


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (OneReport(0, 12 * TENTH, 0, 201.0, 5.0, 0.5), Verdict.ACCEPTED),
        (OneReport(0, 10 * TENTH, 0, 201.0, 5.0, 0.5), Verdict.STAMP_NOT_RISING),
        (OneReport(0, 12 * TENTH, 0, float("nan"), 5.0, 0.5), Verdict.NOT_FINITE),
        (OneReport(0, 12 * TENTH, 0, 201.0, 5.0, -0.5), Verdict.NOT_FINITE),
        (OneReport(0, 12 * TENTH, 7, 201.0, 5.0, 0.5), Verdict.LANE_UNKNOWN),
        (OneReport(0, 12 * TENTH, 0, 900.0, 5.0, 0.5), Verdict.LANE_UNKNOWN),
        (OneReport(0, 12 * TENTH, 1, 201.0, 5.0, 0.5), Verdict.OFF_PATH),
        (OneReport(0, 12 * TENTH, 0, 212.0, 5.0, 0.5), Verdict.JUMPED_AHEAD),
        (OneReport(0, 12 * TENTH, 0, 197.0, 5.0, 0.5), Verdict.JUMPED_BACK),
        (OneReport(0, 18 * TENTH, 0, 200.5, 5.0, 0.5), Verdict.ODOMETRY_DISAGREES),
        (OneReport(0, 130 * TENTH, 0, 261.0, 5.0, 0.5), Verdict.BEYOND_AUTHORITY),
        (OneReport(0, 12 * TENTH, 0, 200.0, 5.0, 0.5), Verdict.FROZEN),
        (OneReport(0, 10 * TENTH + 1, 0, 200.0, 5.0, 0.5), Verdict.ACCEPTED),
        (OneReport(0, 12 * TENTH, 0, 201.0, 5.0, 5.0), Verdict.ACCEPTED),
        (OneReport(0, 12 * TENTH, 0, 201.0, 5.0, 5.1), Verdict.UNSURE),
    ],
)
def test_each_contradiction_has_its_name(report: OneReport, verdict: Verdict, draw: Any) -> None:
    """An operator is told why a truck is not believed."""
    scene = driving(draw)

    findings = inspect(scene.lanes, scene.trucks, reports_of([report]))

    assert Verdict(int(findings.verdict[0])) is verdict


def test_creeping_back_is_caught_at_the_confirmed_rear(draw: Any) -> None:
    """Small steps back pass one by one; together they would take road that was already given away."""
    scene = driving(draw)
    scene.trucks.speed_mps[0] = 0.0
    verdicts = []

    for step in range(1, 12):
        report = reports_of([OneReport(0, (10 + step) * TENTH, 0, 200.0 - 0.4 * step, 0.0, 0.5)])
        findings = inspect(scene.lanes, scene.trucks, report)
        verdicts.append(Verdict(int(findings.verdict[0])))
        believe(scene.trucks, report, findings, np.array([True]))

    assert Verdict.OUTSIDE_BOUND in verdicts
    assert scene.trucks.rear_m[0] == 182.0


def test_a_parted_truck_keeps_its_rear(draw: Any) -> None:
    """A trailer may be lying behind: only proven integrity frees road."""
    scene = driving(draw)
    report = reports_of([OneReport(0, 12 * TENTH, 0, 201.0, 5.0, 0.5)])

    believe(scene.trucks, report, inspect(scene.lanes, scene.trucks, report), np.array([False]))

    assert scene.trucks.nose_m[0] == 201.0
    assert scene.trucks.rear_m[0] == 182.0


def test_doubt_is_for_contradictions_only() -> None:
    """A late or garbled report says nothing against the truck."""
    assert {verdict.name for verdict in Verdict if not verdict.doubts} == {
        "ACCEPTED", "STAMP_NOT_RISING", "NOT_FINITE", "LANE_UNKNOWN", "FROZEN",
    }  # fmt: skip


def test_a_row_out_of_use_is_refused(draw: Any) -> None:
    """Kernels index by row without looking."""
    scene = driving(draw)

    with pytest.raises(TableFault, match="row"):
        inspect(scene.lanes, scene.trucks, reports_of([OneReport(5, 1, 0, 1.0, 1.0, 0.5)]))
