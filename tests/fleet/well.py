"""The health of a server that is well, with something in every part of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fleet.server.health.durations import BOUNDS_S
from fleet.server.health.values import (
    DecisionHealth,
    DiskHealth,
    Health,
    HealthState,
    Histogram,
    JournalHealth,
    MessageHealth,
    Spread,
    TickHealth,
    TruckClock,
    TruckHealth,
)

SPREAD = Spread(count=4, p50_ns=1_000_000, p99_ns=2_000_000, max_ns=3_000_000)
EVERY = Histogram(bounds_s=BOUNDS_S, counts=(3, *[0] * (len(BOUNDS_S) - 1), 1), sum_s=2.5)
WELL = Health(
    at_ns=1_700_000_000_000_000_000,
    state=HealthState.SERVING,
    reason="",
    software="khulan 0",
    wire_versions=(1, 2),
    site_id="mandula",
    epoch=3,
    up_ns=5_000_000_000,
    ticks=TickHealth(tick=7, took=SPREAD, late=SPREAD, every=EVERY, overrun_count=1, missed_count=2, behind_ticks=3),
    decisions=DecisionHealth(grants=11, shortenings={"gate": 1}, stops={"hold": 2}, standing={"leader": 1}, standing_s={"leader": 4.0}),
    trucks=TruckHealth(sessions={"live": 2, "silent": 1}, laden_count=1, report_age=SPREAD, links_lost=5, reports_refused=6),
    journal=JournalHealth(
        sequence=90,
        commit=SPREAD,
        every=EVERY,
        disk=DiskHealth(bytes=4096, log_bytes=10, archive_bytes=20, pages=1, free_bytes=1 << 40, reserve_kept=True),
        has_room=True,
        snapshot_ns=60_000_000_000,
        facts_since_snapshot=8,
    ),
    messages=MessageHealth(heard=100, said=50, refused=1, forged=0),
    shed={"reports": 4},
    queues={"inputs": 0, "ticks": 1},
    alarms={"truck_fell_silent": 2},
    round_trips=3,
    containers_delivered=6,
    tonnes=210.5,
    clocks=(TruckClock(truck_id="T001", offset_ns=-5, uncertainty_ns=1000, drift_ns=0),),
    uncertainty=SPREAD,
    drift_max_ns=0,
)


def well(**changes: Any) -> Health:
    """The same, but for *changes*."""
    return replace(WELL, **changes)
