"""
A tick's decisions made durable, beside plain sqlite3 writing the same bytes.

Both commit once a tick with a full sync to the same disk. Ours also chains digests, checks that it still leads, and keeps the
head in a second file. Wall time: what is measured is mostly the disk.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from fleet.server.facts import GrantsIssued, TruckResumed, encode
from fleet.server.journal.journal import Record
from fleet.server.journal.sqlite import SqliteJournal
from sim_harness.bench.measure import Figure, Outcome, alternate

TICKS: Final = 400
GRANTS: Final = 40
RATIO_MIN: Final = 0.8


def one_tick() -> list[Record]:
    """What a busy tick of a hundred trucks journals: its grants and rears as columns, and a few single facts."""
    rows = np.arange(GRANTS, dtype=np.int32)
    grants = GrantsIssued(
        tick=1,
        epoch=1,
        at_ns=1,
        rows=rows,
        sequence=rows.astype(np.int64),
        end_m=rows.astype(np.float64),
        rear_rows=rows,
        rear_m=rows.astype(np.float64),
    )
    singles = [TruckResumed(row=row, stop_id=f"stop-{row}", actor="operator", at_ns=1) for row in range(3)]
    return [Record(kind=kind, key="", body=body) for kind, body in map(encode, [grants, *singles])]


def _plain(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.execute("create table record (sequence integer primary key, kind text, key text, body blob)")
    return connection


def journal(ticks: int = TICKS) -> Outcome:
    """Appends *ticks* ticks to each, in turns."""
    records = one_tick()
    values = [(record.kind, record.key, record.body) for record in records]
    with tempfile.TemporaryDirectory() as folder:
        ours = SqliteJournal(Path(folder) / "ours")
        ours.recover()
        epoch = ours.acquire()
        plain = _plain(Path(folder) / "plain.db")

        def append() -> None:
            ours.append(epoch, records)

        def executemany() -> None:
            plain.execute("begin immediate")
            plain.executemany("insert into record (kind, key, body) values (?, ?, ?)", values)
            plain.execute("commit")

        spent = alternate(ticks, {"ours": append, "plain": executemany}, clock=time.perf_counter_ns)
        plain.close()
        ours.close()
    return Outcome(
        bench="journal",
        about=f"{len(records)} records a tick, {GRANTS} grants among them, one full sync each; median wall time beside plain sqlite3",
        figures=(
            Figure(
                name="a tick made durable", ours=spent["ours"], reference=spent["plain"], unit="ms", ratio=spent["ours"] / spent["plain"]
            ),
            Figure(
                name="ticks a second",
                ours=1000.0 / spent["ours"],
                reference=1000.0 / spent["plain"],
                unit="1/s",
                ratio=spent["plain"] / spent["ours"],
                goal=RATIO_MIN,
                at_least=True,
            ),
        ),
    )
