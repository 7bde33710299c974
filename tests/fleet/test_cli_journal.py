from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fleet.cli.journal import app
from fleet.server.dispatch.books import TotalsKept
from fleet.server.facts import AllStopLifted, GrantsIssued, TruckGreeted
from fleet.server.journal.records import records_of
from fleet.server.journal.sqlite import JOURNAL_FILE, SqliteJournal
from fleet.server.site_facts import SiteInForce
from sim_harness.spawn import COMMAND

RUNNER = CliRunner()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal with two facts and a snapshot."""
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        epoch = journal.acquire()
        facts = [AllStopLifted(stop_id=name, actor="op", at_ns=1) for name in ("fire", "flood")]
        journal.append(epoch, records_of(facts))
        journal.snapshot(epoch, records_of(facts[1:]))
    return tmp_path


def test_a_whole_journal_is_called_whole(folder: Path) -> None:
    """The person who restores a machine needs one word, and an exit code."""
    found = RUNNER.invoke(app, ["verify", str(folder), "--json"])

    assert found.exit_code == 0
    said = json.loads(found.stdout)
    assert (said["records"], said["epoch"], said["recovery_records"], said["archive_bytes"]) == (6, 1, 1, 0)
    assert said["journal_bytes"] > 0


def greeted(row: int, epoch: int, at_ns: int) -> TruckGreeted:
    """The truck in *row* said hello."""
    return TruckGreeted(
        row=row, epoch=epoch, instance_id="i", boot_id="b", stamp_ns=1, seen_epoch=0, seen_sequence=0, end_m=0.0, at_ns=at_ns
    )


def test_a_journal_says_how_fast_it_grows(tmp_path: Path) -> None:
    """Whoever buys the disk multiplies trucks by hours; nights without a server and what a snapshot says again are no hours."""
    hour_ns = 3600 * 10**9

    def granted(epoch: int, at_ns: int) -> GrantsIssued:
        nobody, nothing = np.zeros(0, np.int32), np.zeros(0)
        return GrantsIssued(
            tick=1, epoch=epoch, at_ns=at_ns, rows=nobody, sequence=np.zeros(0, np.int64), end_m=nothing, rear_rows=nobody, rear_m=nothing
        )

    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        first = journal.acquire()
        journal.append(first, records_of([greeted(0, 1, 0), greeted(1, 1, hour_ns), granted(1, 2 * hour_ns)]))
        journal.snapshot(first, records_of([greeted(0, 1, 0), greeted(1, 1, hour_ns)]))
        second = journal.acquire()
        journal.append(second, records_of([greeted(1, 2, 10 * hour_ns), granted(2, 11 * hour_ns), granted(2, 12 * hour_ns)]))

    plain = RUNNER.invoke(app, ["verify", str(tmp_path)])
    found = json.loads(RUNNER.invoke(app, ["verify", str(tmp_path), "--json"]).stdout)

    growth = found["growth"]
    assert (growth["truck_count"], growth["hours"], growth["truck_hours"]) == (2, 4.0, 5.0)
    assert growth["byte_count"] == found["journal_bytes"] + found["archive_bytes"]
    assert growth["bytes_per_truck_hour"] == growth["byte_count"] / 5.0
    assert f"{growth['bytes_per_truck_hour'] / 1e3:.0f} KB a truck-hour" in plain.stdout


def test_a_journal_without_trucks_does_not_guess(folder: Path) -> None:
    """A division by nothing is no figure, and one by a minute is a wrong one."""
    found = RUNNER.invoke(app, ["verify", str(folder), "--json"])

    assert json.loads(found.stdout)["growth"]["bytes_per_truck_hour"] is None
    assert "nothing can be said of its growth" in RUNNER.invoke(app, ["verify", str(folder)]).stdout
    with closing(SqliteJournal(folder)) as journal:
        journal.recover()
        epoch = journal.acquire()
        journal.append(epoch, records_of([greeted(0, epoch, 0), greeted(0, epoch, 60 * 10**9)]))
    assert "too few to say" in RUNNER.invoke(app, ["verify", str(folder)]).stdout


def test_a_damaged_journal_exits_1(folder: Path) -> None:
    """Even in a record that no restart would read any more."""
    with closing(sqlite3.connect(folder / JOURNAL_FILE)) as connection, connection:
        connection.execute("update record set key = 'x' where sequence = 2")

    found = RUNNER.invoke(app, ["verify", str(folder)])

    assert found.exit_code == 1
    assert "damaged" in found.stderr


def test_a_folder_without_a_journal_is_wrong_usage(tmp_path: Path) -> None:
    """Nothing must be made where somebody only looked."""
    found = RUNNER.invoke(app, ["verify", str(tmp_path)])

    assert found.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_an_export_reads_back(folder: Path) -> None:
    """One line of JSON a record, content under its own name."""
    lines = [json.loads(line) for line in RUNNER.invoke(app, ["export", str(folder)]).stdout.splitlines()]

    assert [line["sequence"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[1]["content"] == {"stop_id": "fire", "actor": "op", "at_ns": 1}


def test_the_desks_records_are_shown_too(tmp_path: Path) -> None:
    """A process that has not loaded the desk for any other reason still knows its kinds of facts."""
    site = SiteInForce(site_id="mandula", digest="d", before_digest="", text="", actor="khulan", at_ns=0)
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        journal.append(journal.acquire(), records_of([site, TotalsKept(round_trips=3)]))

    shown = subprocess.run([*COMMAND, "journal", "show", str(tmp_path)], check=True, capture_output=True, text=True)

    assert "SiteInForce  site_id=mandula" in shown.stdout
    assert "TotalsKept  round_trips=3" in shown.stdout


def test_a_journal_that_was_never_switched_has_no_file_to_give(tmp_path: Path) -> None:
    """It says which site it is on, and that its file came from outside."""
    with closing(SqliteJournal(tmp_path)) as journal:
        journal.recover()
        site = SiteInForce(site_id="mandula", digest="d", before_digest="", text="", actor="khulan", at_ns=0)
        journal.append(journal.acquire(), records_of([site]))

    named = RUNNER.invoke(app, ["site", str(tmp_path)])

    assert named.exit_code == 1
    assert "it began on mandula (digest d)" in named.stderr
