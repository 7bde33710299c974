"""A run of ten trucks, a few minutes long, with everything that `fleet sim run --out` leaves of it."""

from __future__ import annotations

from pathlib import Path

from sim_harness.day import Wish, run_day
from sim_harness.scenario import load_scenario

HOURS = 0.15
TRUCKS = 10


def record(out: Path) -> Path:
    """Runs it, and returns its folder."""
    run_day(load_scenario("mandula", (), seed=1, hours=HOURS), Wish(out=out, pages=False), lambda _: None)
    return out
