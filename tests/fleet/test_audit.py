"""Who wanted what, what it changed, and what came of it: kept with what it tells of, for ever, and never a flood."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.cli.audit import app
from fleet.clock import NS_PER_S
from fleet.errors import FleetError, NotFound
from fleet.server import commands as c
from fleet.server.dispatch.audit import ASKED, DONE, REFUSALS_MAX, TEXT_MAX, WINDOW_NS, Audited
from fleet.server.dispatch.control import ControlNotHeld
from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.journal.audit_trail import NEWEST, AuditTrail, AuditUnreadable
from fleet.server.journal.journal import JournalCorrupt
from fleet.server.journal.records import records_of
from fleet.server.journal.sqlite import JOURNAL_FILE, SqliteJournal
from fleet.site import load_site
from tests.fleet.desk_road import DeskRoad

MANDULA = load_site("mandula")
BAT = "spiffe://mandula/operator/bat/dispatcher"
LIMIT = c.LimitLane(request_id="l1", lane_id="sb_2", speed_limit_mps=3.0, reason="dust")
TRANSPONDER = c.ReportIntrusion(
    request_id="i1", intrusion_id="van", kind=3, places=(c.StretchAnswer(lane_id="sb_2", start_m=50.0, end_m=50.0),), radius_m=4.0,
    tracked=True, speed_mps=1.0, stamp_ns=NS_PER_S,
)  # fmt: skip


@pytest.fixture
def road() -> DeskRoad:
    """One truck, and a desk."""
    return DeskRoad(MANDULA, ["mn_park_01"])


def entries(road: DeskRoad) -> list[Audited]:
    """What is on the record."""
    return [fact for fact in road.facts if isinstance(fact, Audited)]


def test_a_command_leaves_who_when_what_and_what_it_changed(road: DeskRoad) -> None:
    """After an incident nobody remembers which limit stood before."""
    road.now_ns = 7 * NS_PER_S
    road.give(LIMIT, BAT)
    road.give(replace(LIMIT, request_id="l2", speed_limit_mps=5.0, reason="clear"), "loopback")

    first, second = entries(road)

    assert (first.actor, first.request_id, first.command, first.at_ns, first.outcome) == (BAT, "l1", "LimitLane", 7 * NS_PER_S, DONE)
    assert (second.before, second.after) == ("speed_limit_mps=3, reason=dust", "speed_limit_mps=5, reason=clear")
    assert "lane_id=sb_2" in second.detail


@pytest.mark.parametrize(
    ("command", "before", "after"),
    [
        (c.HoldTruck(request_id="h", truck_id="T00", reason="smoke"), "held=False", "held=True"),
        (c.CloseLane(request_id="c", lane_id="sb_2", reason="coal"), "closed=False, reason=", "closed=True, reason=coal"),
        (c.DecommissionTruck(request_id="d", truck_id="T00", reason="old"), "decommissioned=False", "decommissioned=True"),
        (c.ReportBarrier(request_id="b", gate_id="g1", state=1, truck_id=""), "", ""),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_each_thing_is_described_before_and_after(road: DeskRoad, command: c.Command, before: str, after: str) -> None:
    """Only what differs: a page of it must be readable."""
    road.give(command)

    (entry,) = entries(road)

    assert (entry.before, entry.after) == (before, after)


def test_stops_lifts_and_leases_are_on_the_record(road: DeskRoad) -> None:
    """The three that are asked about first."""
    road.give(c.StopAll(stop_id="s1", reason="fire"), BAT)
    road.give(c.LiftStop(request_id="l", stop_id="s1"), BAT)
    road.give(c.AcquireControl(request_id="a", holder="ann"), "ann")
    road.give(c.TakeOverControl(request_id="t", holder="bob", reason="shift"), "bob")

    stop, lift, acquired, taken = entries(road)

    assert (stop.request_id, stop.before) == ("s1", "")
    assert (lift.before, lift.after) == ("active=True", "active=False")
    assert "holder=ann" in acquired.after
    assert "holder=ann" in taken.before
    assert "holder=bob" in taken.after


def test_a_first_word_is_on_the_record_as_one() -> None:
    """Who asked and was not followed belongs there too."""
    road = DeskRoad(MANDULA, [], options=DispatchOptions(identities_proven=True))
    road.give(c.StopAll(stop_id="s1", reason="fire"), BAT)
    road.give(c.LiftStop(request_id="l", stop_id="s1"), BAT)

    _, lift = entries(road)

    assert (lift.outcome, lift.after) == (ASKED, f"needs_second_person=True, asked=lift, asked by {BAT}")


def test_whoever_was_kept_out_by_a_lease_is_on_the_record() -> None:
    """Two hands reached for the desk: which of them, and when, is asked afterwards."""
    road = DeskRoad(MANDULA, [], options=DispatchOptions(control_required=True))
    with pytest.raises(ControlNotHeld):
        road.give(LIMIT, BAT)
    road.step()

    (entry,) = entries(road)

    assert (entry.actor, entry.command, entry.request_id, entry.outcome) == (BAT, "LimitLane", "l1", "ControlNotHeld")
    assert entry.after == ""


def test_what_comes_every_second_and_says_nothing_new_is_left_out(road: DeskRoad) -> None:
    """A transponder speaks 86,400 times a day, a lease is renewed 8,000 times; nobody would find the rest."""
    road.give(c.AcquireControl(request_id="a", holder="ann"), "ann")
    for number in range(20):
        road.now_ns += NS_PER_S
        road.give(c.RenewControl(request_id=f"r{number}", holder="ann"), "ann")
        road.give(replace(TRANSPONDER, request_id=f"i{number}", stamp_ns=(number + 1) * NS_PER_S), "gateway")

    assert [entry.command for entry in entries(road)] == ["AcquireControl", "ReportIntrusion"]


def test_a_repeated_request_is_on_the_record_once(road: DeskRoad) -> None:
    """It took effect once."""
    for _ in range(3):
        road.give(LIMIT, BAT)

    assert len(entries(road)) == 1


def test_refusals_are_told_one_by_one_and_then_counted(road: DeskRoad) -> None:
    """A program that asks wrongly without end does not fill the disk, and every refusal is in the sum."""
    asked = 10 * REFUSALS_MAX
    for number in range(asked):
        with pytest.raises(NotFound):
            road.give(c.OpenLane(request_id=f"o{number}", lane_id="nowhere"), BAT)
    road.step()
    told = entries(road)
    road.now_ns += WINDOW_NS
    road.step(20)
    summed = entries(road)[len(told) :]

    assert [(entry.actor, entry.command, entry.outcome) for entry in told] == [(BAT, "OpenLane", "NotFound")] * REFUSALS_MAX
    assert sum(entry.count for entry in (*told, *summed)) == asked
    assert len(summed) == 1


def test_no_entry_is_longer_than_it_may_be(road: DeskRoad) -> None:
    """Sixty-four containers fit one request, and none of them the table."""
    containers = tuple(c.Container(container_id=f"{number:064d}", mass_kg=1e4) for number in range(64))

    with pytest.raises(FleetError):
        road.give(c.ReportBay(request_id="x", bay_id="mn_bay_01", state=4, truck_id="T00", containers=containers))
    road.step()

    (entry,) = entries(road)
    assert len(entry.detail) <= TEXT_MAX


# On the disk.


def told(number: int, actor: str = BAT) -> Audited:
    """An entry of that number, a second after the one before."""
    return Audited(
        actor=actor, request_id=f"r{number}", command="OpenLane", detail="", before="", after="", outcome=DONE, count=1,
        at_ns=number * NS_PER_S,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal with ten entries, a snapshot behind them, and a restart."""
    journal = SqliteJournal(tmp_path)
    journal.recover()
    epoch = journal.acquire()
    for number in range(1, 11):
        journal.append(epoch, records_of([told(number, BAT if number % 2 else "loopback")]))
    journal.snapshot(epoch, [])
    journal.close()
    return tmp_path


def numbers(folder: Path, **asked: object) -> list[str]:
    """Request ids of a page."""
    return [entry.request_id for _, entry in AuditTrail(folder).page(**{"count": 100, **asked}).entries]  # type: ignore[arg-type]


def test_entries_outlive_the_records_that_a_snapshot_replaced(folder: Path) -> None:
    """Whoever thins the journal out to what a restart needs keeps all of this."""
    with closing(sqlite3.connect(folder / JOURNAL_FILE)) as connection, connection:
        connection.execute("delete from record")

    assert numbers(folder) == [f"r{number}" for number in range(10, 0, -1)]


def test_entries_are_found_by_time_and_by_person(folder: Path) -> None:
    """A certificate's whole name, or the person's in it."""
    assert numbers(folder, since_ns=9 * NS_PER_S) == ["r10", "r9"]
    assert numbers(folder, who="bat") == numbers(folder, who=BAT) == ["r9", "r7", "r5", "r3", "r1"]
    assert numbers(folder, who="od") == []


def test_pages_follow_each_other_without_gap(folder: Path) -> None:
    """However little is looked through at a time."""
    trail, found, before = AuditTrail(folder, looked_through_max=3), [], NEWEST
    while before:
        page = trail.page(count=2, before=before, who="loopback")
        found += [entry.request_id for _, entry in page.entries]
        before = page.older

    assert found == ["r10", "r8", "r6", "r4", "r2"]


def test_an_entry_that_was_altered_is_not_told(folder: Path) -> None:
    """A record of who did it is worth what its seal is worth."""
    with closing(sqlite3.connect(folder / JOURNAL_FILE)) as connection, connection:
        (body,) = connection.execute("select body from audit where sequence = 2").fetchone()
        connection.execute("update audit set body = ? where sequence = 2", (body.replace(b"bat", b"tab"),))

    with pytest.raises(JournalCorrupt):
        numbers(folder)


def test_it_is_read_while_a_server_has_the_journal(folder: Path) -> None:
    """Nobody stops a server to see who stopped a truck."""
    journal = SqliteJournal(folder)
    journal.recover()
    epoch = journal.acquire()

    journal.append(epoch, records_of([told(11)]))

    assert numbers(folder)[0] == "r11"
    journal.close()


def test_a_folder_without_a_journal_is_said_to_have_none(tmp_path: Path) -> None:
    """An empty table would look like nobody did anything."""
    with pytest.raises(AuditUnreadable):
        numbers(tmp_path)


def test_the_command_reads_a_folder(folder: Path, tmp_path: Path) -> None:
    """The newest last, as a person reads; as data on demand."""
    shown = CliRunner().invoke(app, ["--data", str(folder), "--last", "3", "--json"])
    table = CliRunner().invoke(app, ["--data", str(folder), "--who", "bat"])
    nothing = CliRunner().invoke(app, ["--data", str(tmp_path / "elsewhere")])

    assert [entry["request_id"] for entry in json.loads(shown.stdout)] == ["r8", "r9", "r10"]
    assert json.loads(shown.stdout)[0]["time"] == "1970-01-01T00:00:08+00:00"
    assert table.stdout.count(BAT) == 5
    assert nothing.exit_code == 1
