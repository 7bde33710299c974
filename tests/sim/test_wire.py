"""The same over real gRPC: each truck its own stream, server a process of its own, clocks in lockstep."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sim_harness import spawn
from sim_harness.day import Wish, run_day
from sim_harness.replay import logs_at, replay
from sim_harness.report import Report
from sim_harness.scenario import load_scenario

QUICK = ["processes.bay={shape: fixed, fixed_s: 20}", "plant.inspect_share=0", "plant.refuse_share=0", "plant.loader_mtbf_h=0"]

# The server is told of the rain by an operator's own words.
WET = "weather=[{kind: rain, friction: 0.15}]"


def run(seed: int, out: Path | None = None) -> Report:
    """A few minutes with two trucks on a slippery road."""
    return run_day(load_scenario("mandula", [*QUICK, WET], seed=seed, hours=0.06, trucks=2), Wish(wire=True, out=out), lambda _: None)


@pytest.mark.processes
@pytest.mark.xdist_group("wire")
def test_trucks_drive_over_the_wire_and_the_run_replays(tmp_path: Path) -> None:
    """Real sockets must not make a run depend on how fast anybody is; and the server's core replays from its own logs."""
    first, again = run(1), run(1, tmp_path)
    replayed = replay(logs_at(tmp_path), None, lambda _: None)

    assert first.verdict == "pass", first.failures
    assert first.truck_km > 0.3
    assert first.authority_margin_m_min is not None
    assert first.authority_margin_m_min > 0.0
    assert first.trace_hash == again.trace_hash
    assert replayed.good, replayed
    assert replayed.notes == ()
    assert replayed.tick_count == 2160  # the last tick too: nobody hangs up before the server has ended it


@pytest.mark.processes
@pytest.mark.xdist_group("wire")
def test_trucks_that_lock_each_other_are_found_over_the_wire_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server in a process of its own lets come to a stand is named as in memory, with that server's words."""
    broken = "from fleet.cli.main import main; from tests.sim.mutants.dispatching import no_queue\nwith no_queue(): main()"
    monkeypatch.setattr(spawn, "COMMAND", (sys.executable, "-c", broken))

    report = run_day(load_scenario("crossing", [], seed=1, hours=0.06, trucks=12), Wish(wire=True), lambda _: None)

    assert report.verdict == "fail"
    assert report.standstills >= 1
    said = next(failure for failure in report.failures if "standstill" in failure)
    assert "t007 waits for stand w_bay_01 of west taken by t005" in said
    assert ". The server says: t0" in said


@pytest.mark.processes
@pytest.mark.xdist_group("wire")
def test_an_order_is_as_late_over_the_wire_as_in_memory() -> None:
    """The server's own books say what of it was delivered, however much else was."""
    first, coal = "{from: west, to: east, containers: 4, priority: 5}", "{from: west, to: east, containers: 1000}"
    train = "{from: west, to: east, containers: 6, at_h: 0.01, due_after_h: 0.09}"
    ready = load_scenario("crossing", [f"orders=[{first}, {coal}, {train}]"], seed=1, hours=0.12, trucks=6)

    on_the_wire, in_memory = (run_day(ready, Wish(wire=wire), lambda _: None) for wire in (True, False))

    assert (on_the_wire.containers_due, on_the_wire.containers_late) == (in_memory.containers_due, in_memory.containers_late) == (6, 4)
