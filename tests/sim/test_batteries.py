"""Batteries through the whole product: a cold day with small ones, and a controller that does not look at them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.server.dispatch.batteries import Batteries
from sim_harness.day import Wish, run_day
from sim_harness.report import Report
from sim_harness.scenario import load_scenario

SMALL_KWH = 160


def cold_day(folder: Path, hours: float) -> Report:
    """Mandula at thirty below, with small batteries, and little left in them."""
    small = f"extends: mandula\nsite: small\ntruck_types: {{coal_truck_70t: {{battery_kwh: {SMALL_KWH}}}}}\n"
    (folder / "small.yaml").write_text(small, "utf-8")
    lines = ["scenario: small", 'title: "Small batteries"', "site: small.yaml", "trucks: 4", f"hours: {hours}", "weather: cold"]
    lines += ["orders:", "  - {from: mn, to: cn, containers: 1000}", "truck: {charge_least: 0.2, charge_most: 0.3}"]
    (folder / "small_day.yaml").write_text("\n".join(lines) + "\n", "utf-8")
    return run_day(load_scenario(str(folder / "small_day.yaml")), Wish(out=folder / "run", pages=False), lambda _: None)


def events(folder: Path, name: str) -> list[dict[str, object]]:
    """Events of one kind of the run."""
    lines = (folder / "run" / "events.jsonl").read_text("utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == name]


def test_small_batteries_in_the_cold_strand_nobody(tmp_path: Path) -> None:
    """A truck that stops on the road for want of power closes it for everybody, at thirty below."""
    report = cold_day(tmp_path, 0.7)

    assert report.verdict == "pass", report.failures
    assert events(tmp_path, "battery_empty") == []
    assert len(events(tmp_path, "charged")) >= 4
    assert report.waiting_s_by_cause["charging"] > 0.0
    assert report.round_trips >= 1


def test_a_controller_that_does_not_look_at_batteries_strands_a_truck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same day must be able to fail: the world stops who has used up what he had."""
    monkeypatch.setattr(Batteries, "_enough", lambda *_: True)

    report = cold_day(tmp_path, 0.7)

    assert report.verdict == "fail"
    assert any("batteries are empty" in failure for failure in report.failures)
