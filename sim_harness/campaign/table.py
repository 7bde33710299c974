"""A campaign as people read it: the fault matrix, what happened in all runs together, and each failure with its line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.table import Table

from sim_harness.campaign.figures import CampaignFailure, CampaignReport, CampaignTotals, MatrixRow

FAILURES_SHOWN: Final = 20


def matrix(rows: tuple[MatrixRow, ...]) -> Table:
    """The fault matrix: what was injected, what had to be reached, what was, and how soon."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    drawn.add_column("row of the fault matrix")
    for column in ("injected", "required", "reached", "s to safe, median", "max", "alarms"):
        drawn.add_column(column, justify="right")
    for row in rows:
        seconds = ("" if value is None else f"{value:.1f}" for value in (row.safe_s_median, row.safe_s_max))
        drawn.add_row(row.row, str(row.injected), str(row.required), str(row.reached), *seconds, str(row.alarms))
    return drawn


def words(report: CampaignReport) -> str:
    """All else, in lines. A line that replays a failure is never broken: it is there to be pasted into a shell."""
    lines = ["", *_totals(report)]
    for failure in report.failures[:FAILURES_SHOWN]:
        lines += ["", *_failure(failure)]
    left_out = len(report.failures) - FAILURES_SHOWN
    if left_out > 0:
        lines += ["", f"and {left_out} more failures: --json or --out has them all"]
    return "\n".join([*lines, f"verdict: {report.verdict}"])


def _totals(report: CampaignReport) -> Iterator[str]:
    totals = report.totals
    made = f"interrupted: {totals.runs} of {report.runs_asked} runs made" if report.interrupted else f"{totals.runs} runs"
    size = f"{made} of {report.hours:g} h with {report.trucks} trucks, {totals.truck_km:.0f} truck km"
    yield f"{report.scenario}, seeds from {report.first_seed}: {size}, in {report.wall_seconds:.0f} s"
    apart = f" ({totals.undeclared_overruns} where something is worse than declared)" if totals.undeclared_overruns else ""
    happened = f"overlaps {totals.overlaps}, overruns {totals.overruns}{apart}, unexplained waiting {totals.unexplained_wait_s:.1f} s"
    yield f"  {happened}; {totals.failed} runs failed"
    brakes = f"emergency brakes {totals.emergency_brakes}, {_number(totals.emergency_brakes_per_1000_km)} per 1000 truck km"
    worse = _number(totals.undeclared_margin_m_min, "m")
    yield f"  least authority margin {_margin(totals)}, where something is worse than declared {worse}; {brakes}"
    nearest = f"least time to collision {_number(totals.ttc_s_min, 's')}, headway {_number(totals.headway_s_min, 's')}"
    yield f"  {nearest}; greatest deceleration needed {totals.drac_mps2_max:.2f} m/s2"
    yield f"  {_rate(totals)}"


def _margin(totals: CampaignTotals) -> str:
    if totals.authority_margin_m_min is None:
        return "none"
    return f"{totals.authority_margin_m_min:.2f} m (run {totals.authority_margin_run}, seed {totals.authority_margin_seed})"


def _rate(totals: CampaignTotals) -> str:
    events = f"{totals.drawn_events} overlaps and overruns in {totals.drawn_truck_km:.0f} truck km of drawn runs"
    if totals.rate_below_per_km is None:
        return events
    return f"{events}: the rate is below {totals.rate_below_per_km:.2g} per km (95 %, rule of three)"


def _failure(failure: CampaignFailure) -> Iterator[str]:
    tried = f"; {failure.tries} smaller runs tried" if failure.tries else ""
    yield f"FAILED run {failure.run}, seed {failure.seed}: {', '.join(failure.failing)}{tried}"
    yield from (f"  {said}" for said in failure.said)
    if failure.replayed is False:
        yield "  it did not fail the same way again"
    if failure.recording is not None:
        yield f"  recording in {failure.recording}"
    yield failure.line


def _number(value: float | None, unit: str = "") -> str:
    return "none" if value is None else f"{value:.1f} {unit}".rstrip()
