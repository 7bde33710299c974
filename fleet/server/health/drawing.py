"""What is copied of the loop between two ticks, to be looked at in peace: a few columns, and no more than that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleet.server.columns import CodeColumn, FlagColumn, IntColumn, RowColumn
from fleet.server.dispatch.books import TotalsKept
from fleet.server.engine import Engine
from fleet.server.loop.sessions import NO_LINK


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """
    The fleet at *tick*, columns (n,) by row.

    *report_age_ns* -1 before the first report. *linked*: on a line. *stamp_ns*, *heard_ns*, *answered_tick*: of the newest report.
    """

    tick: int
    epoch: int
    truck_ids: tuple[str, ...]
    computers: tuple[str, ...]
    session: CodeColumn
    linked: FlagColumn
    standing: FlagColumn
    cause: RowColumn
    report_age_ns: IntColumn
    stamp_ns: IntColumn
    heard_ns: IntColumn
    answered_tick: IntColumn
    laden_count: int
    refused_count: int
    totals: TotalsKept


def draw(engine: Engine) -> Drawn:
    """Copies; runs on the thread that ticks."""
    loop, totals = engine.loop, engine.desk.books.totals
    count, sessions, telemetry = loop.trucks.count, loop.sessions, loop.telemetry
    return Drawn(
        tick=loop.tick_count,
        epoch=loop.ledger.epoch,
        truck_ids=tuple(sessions.truck_ids),
        computers=tuple(map("/".join, zip(sessions.instance_ids, sessions.boot_ids, strict=True))),
        session=sessions.state[:count].copy(),
        linked=sessions.link[:count] != NO_LINK,
        standing=loop.causes.standing[:count].copy(),
        cause=loop.causes.code[:count].copy(),
        report_age_ns=telemetry.age_ns(loop.now_ns),
        stamp_ns=loop.trucks.stamp_ns[:count].copy(),
        heard_ns=telemetry.heard_ns[:count].copy(),
        answered_tick=telemetry.answered_tick[:count].copy(),
        laden_count=int(np.count_nonzero(loop.trucks.laden[:count])),
        refused_count=int(telemetry.refused[:count].sum()),
        totals=totals,
    )
