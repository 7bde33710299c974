"""Faults over real gRPC: the same faults and the same watches as in memory, with the server in a process of its own."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from fleet.server.journal.journal import Record
from fleet.server.journal.sqlite import SqliteJournal
from sim_harness.day import Wish, run_day
from sim_harness.fault_service import FaultDesk
from sim_harness.faults.servers import IN_MEMORY
from sim_harness.replay import keep_logs, logs_at, replay
from sim_harness.report import Report
from sim_harness.scenario import ScenarioError, load_scenario
from sim_harness.wire_server import alarm_of
from tests.fleet.test_archive import grown
from tests.sim.mutants.onboard import ladder_ignored

QUICK = ["processes.bay={shape: fixed, fixed_s: 20}", "plant.inspect_share=0", "plant.refuse_share=0", "plant.loader_mtbf_h=0"]
LOST = "{fault: link, truck: t001, at_s: 35, for_s: 8}"
DOUBLED = "{fault: duplicate, truck: t002, at_s: 55}"
KILLED = "{fault: server_killed, at_s: 90, for_s: 4}"


def run(*faults: str, hours: float, out: Path | None = None) -> Report:
    """Two trucks, and what goes wrong with them."""
    settings = [*QUICK, f"scheduled_faults=[{', '.join(faults)}]"]
    return run_day(load_scenario("mandula", settings, hours=hours, trucks=2), Wish(wire=True, out=out), lambda _: None)


@pytest.mark.processes
@pytest.mark.xdist_group("wire")
def test_what_breaks_over_the_wire_is_noticed_and_made_safe_and_the_run_replays(tmp_path: Path) -> None:
    """A lost link, a stranger in a truck's name and a server killed by a signal; the next one goes on from the journal on disk."""
    report = run(LOST, DOUBLED, KILLED, hours=0.04, out=tmp_path)

    assert report.verdict == "pass", report.failures
    assert [(fault["fault"], fault["reached"]) for fault in report.faults] == [
        ("link", True),
        ("duplicate", True),
        ("server_killed", True),
    ]
    assert report.faults[1]["alarm"] == "truck_refused"
    assert report.truck_km > 0.3
    replayed = replay(logs_at(tmp_path), None, lambda _: None)
    assert replayed.good, replayed
    assert len(replayed.epochs) == 2


@pytest.mark.processes
@pytest.mark.xdist_group("wire")
def test_long_work_at_a_bay_is_no_standstill_over_the_wire() -> None:
    """The watch hears what a truck stands for; one that is worked on for ten minutes waits for nobody."""
    slow = ["processes.bay={shape: fixed, fixed_s: 600}", *QUICK[1:], "scheduled_faults=[{fault: link, truck: t001, at_s: 420, for_s: 8}]"]

    report = run_day(load_scenario("mandula", slow, hours=0.12, trucks=2), Wish(wire=True), lambda _: None)

    assert report.verdict == "pass", report.failures
    assert report.waiting_s_by_cause["bay"] > 400.0


def test_the_journal_of_a_killed_server_is_kept_whole_and_an_earlier_run_s_is_not(tmp_path: Path) -> None:
    """Its archive and its log are the journal too: without them a run whose server took a snapshot could not be replayed."""
    earlier, data, out = tmp_path / "earlier", tmp_path / "data", tmp_path / "out"
    heads = [grown(folder, rounds)[-1] for folder, rounds in ((earlier, 3), (data, 2))]
    out.mkdir()
    keep_logs(earlier, out)
    with closing(SqliteJournal(data)) as killed:
        killed.recover()
        killed.append(killed.acquire(), [Record(kind="Fact", key="last", body=b"")])
        keep_logs(data, out)

    assert heads[0] > heads[1]
    assert sorted(file.name for file in out.glob("archive-*")) == sorted(file.name for file in data.glob("archive-*"))
    with closing(SqliteJournal(out)) as kept:
        assert [sealed.record.key for sealed in kept.chain()][-1] == "last"
        kept.verify()


@pytest.mark.processes
@pytest.mark.xdist_group("wire")
def test_a_truck_that_drives_on_in_silence_is_found_over_the_wire() -> None:
    """The watches hear what the gateways' streams really brought."""
    with ladder_ignored():
        report = run("{fault: link, truck: t001, at_s: 35, for_s: 12}", hours=0.014)

    assert report.verdict == "fail"
    assert report.contact_breaches > 0
    assert any("t001 drove on without contact" in failure for failure in report.failures)


def test_what_only_a_server_in_memory_can_suffer_is_refused_by_name_before_one_is_started() -> None:
    """A fault that silently did not happen would be taken for one that was survived."""
    faults = ", ".join(f"{{fault: {name}, at_s: 5}}" for name in sorted(IN_MEMORY))

    with pytest.raises(ScenarioError, match="journal_full, journal_old, second_server: happens to a server in memory only"):
        run(faults, LOST, hours=0.01)


def test_faults_that_nobody_scheduled_are_refused_on_the_wire() -> None:
    """A day of drawn faults has a dead spot that a server of its own knows nothing of."""
    plain, drawn = load_scenario("mandula", hours=0.01), load_scenario("mandula", ["faults=on"], hours=0.01)

    with pytest.raises(ScenarioError, match="give them as scheduled_faults"):
        run_day(drawn, Wish(wire=True), lambda _: None)
    with pytest.raises(ScenarioError, match="give them as scheduled_faults"):
        run_day(plain, Wish(wire=True, desk=FaultDesk(plain.roster)), lambda _: None)


def test_alarms_are_what_a_server_s_log_marks_so() -> None:
    """Its facts are no alarms, and what a library prints between them is not the server's word."""
    alarm = alarm_of(b'{"event": "truck_quarantined", "level": "error", "timestamp": "2024-05-01T06:00:00Z", "truck": "t002"}\n')

    assert alarm is not None
    assert (alarm.name, alarm.fields) == ("truck_quarantined", (("truck", "t002"),))
    assert alarm_of(b'{"event": "truck_synced", "level": "info", "truck": "t002"}\n') is None
    assert alarm_of(b"Traceback (most recent call last):\n") is None
    assert alarm_of(b"7\n") is None
