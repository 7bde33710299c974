"""
`campaign.json`: a campaign in figures.

The fields are a contract, as the report's are: they only ever grow, and their meaning is published as a JSON Schema
(`fleet schema campaign`). Apart from wall time they depend on the commit and the plan alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from pydantic import Field

from sim_harness.campaign.outcome import Failing, Outcome, Part
from sim_harness.faults.kinds import KINDS

CAMPAIGN: Final = "campaign.json"
# No event in n trials: the rate is below 3/n at 95 %, since exp(-3) is 5 %.
RULE_OF_THREE: Final = 3.0


class CampaignRun(Outcome):
    """One run of a campaign and what it came to."""

    run: int = Field(description="Its number, from 0.")
    guided: bool = Field(description="Whether it descends from earlier runs; a drawn one depends on its seed alone.")
    seed: int
    hours: float
    trucks: int
    scheduled_faults: tuple[Mapping[str, Any], ...] = Field(description="As a scenario file states them.")


class CampaignFailure(Part):
    """One failure, as small as it was made."""

    run: int
    seed: int
    failing: tuple[Failing, ...] = Field(description="The ways in which the run failed, the worst first.")
    said: tuple[str, ...]
    line: str = Field(description="The command that replays it; of the smaller run where one was found.")
    trace_hash: str | None = Field(description="Of the run that the line replays; null when it did not end.")
    tries: int = Field(description="Runs spent on making it smaller.")
    faults: int = Field(description="Faults in the run that the line replays.")
    recording: str | None = Field(default=None, description="Folder beside this file that holds its recording.")
    replayed: bool | None = Field(default=None, description="Whether running it again for the recording gave the same trace.")


class MatrixRow(Part):
    """What came of all faults that exercise one row of the fault matrix."""

    row: str
    injected: int
    required: int = Field(
        description="Of those injected: the safe state had to be reached; the others needed none, or the run ended before it was due."
    )
    reached: int
    safe_s_median: float | None = Field(description="Seconds from when it was needed to the safe state.")
    safe_s_max: float | None
    alarms: int = Field(description="Faults that somebody was told of.")


class CampaignTotals(Part):
    """All runs together."""

    runs: int
    failed: int
    truck_km: float
    overlaps: int
    overruns: int
    undeclared_overruns: int = Field(description="Of them: of trucks whose brakes, grip, place or speed were worse than declared.")
    unexplained_wait_s: float
    emergency_brakes: int
    emergency_brakes_per_1000_km: float | None
    authority_margin_m_min: float | None
    authority_margin_seed: int | None = Field(description="Seed of the run with the least margin; its number is authority_margin_run.")
    authority_margin_run: int | None
    undeclared_margin_m_min: float | None = Field(
        description="Least margin of trucks whose brakes, grip, place or speed are worse than declared; may be negative."
    )
    ttc_s_min: float | None
    headway_s_min: float | None
    drac_mps2_max: float
    drawn_truck_km: float = Field(description="Of drawn runs only: guided ones are no sample of anything.")
    drawn_events: int = Field(description="Overlaps, and overruns of trucks that were as declared, in drawn runs.")
    rate_below_per_km: float | None = Field(description="Rule of three: 0 events in n truck km bound their rate by 3/n at 95 %; null else.")


class CampaignReport(Part):
    """A campaign in figures."""

    scenario: str
    settings: tuple[str, ...]
    first_seed: int
    hours: float
    trucks: int
    runs_asked: int
    interrupted: bool = Field(description="Ended before all runs were made, by a person.")
    mutant: str | None = Field(description="What was done to the code under test, to see whether the campaign notices.")
    wall_seconds: float
    totals: CampaignTotals
    rows: tuple[MatrixRow, ...]
    failures: tuple[CampaignFailure, ...]
    runs: tuple[CampaignRun, ...]
    verdict: Literal["pass", "fail"]

    def text(self) -> str:
        """The file's content."""
        return self.model_dump_json(indent=2) + "\n"


def campaign_schema() -> dict[str, Any]:
    """The published JSON Schema."""
    schema = CampaignReport.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:khulan:campaign", **schema}


def totals_of(runs: Sequence[CampaignRun]) -> CampaignTotals:
    """All *runs* together."""
    km = sum(run.truck_km for run in runs)
    brakes = sum(run.emergency_brakes for run in runs)
    measured = [(run.authority_margin_m_min, run.run, run.seed) for run in runs if run.authority_margin_m_min is not None]
    margin_m, least_run, least_seed = min(measured, default=(None, None, None))
    drawn = [run for run in runs if not run.guided]
    drawn_km = sum(run.truck_km for run in drawn)
    events = sum(run.overlaps + run.overruns - run.undeclared_overruns for run in drawn)
    return CampaignTotals(
        runs=len(runs),
        failed=sum(bool(run.failing) for run in runs),
        truck_km=round(km, 4),
        overlaps=sum(run.overlaps for run in runs),
        overruns=sum(run.overruns for run in runs),
        undeclared_overruns=sum(run.undeclared_overruns for run in runs),
        unexplained_wait_s=round(sum(run.unexplained_wait_s for run in runs), 4),
        emergency_brakes=brakes,
        emergency_brakes_per_1000_km=round(1000.0 * brakes / km, 4) if km > 0.0 else None,
        authority_margin_m_min=margin_m,
        authority_margin_seed=least_seed,
        authority_margin_run=least_run,
        undeclared_margin_m_min=_least(run.undeclared_margin_m_min for run in runs),
        ttc_s_min=_least(run.ttc_s_min for run in runs),
        headway_s_min=_least(run.headway_s_min for run in runs),
        drac_mps2_max=max((run.drac_mps2_max for run in runs), default=0.0),
        drawn_truck_km=round(drawn_km, 4),
        drawn_events=events,
        rate_below_per_km=RULE_OF_THREE / drawn_km if not events and drawn_km > 0.0 else None,
    )


def _least(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)


def matrix_rows(runs: Sequence[CampaignRun]) -> tuple[MatrixRow, ...]:
    """
    The fault matrix with what *runs* made of it, in the matrix's order.

    A run that ended without a report is counted with the faults that were scheduled in it.
    """
    found: dict[str, list[tuple[Mapping[str, Any], bool | None]]] = {kind.row: [] for kind in KINDS.values()}
    for run in runs:
        for fault in run.faults or run.scheduled_faults:
            found[KINDS[fault["fault"]].row].append((fault, fault.get("reached")))
    return tuple(_row(row, faults) for row, faults in found.items())


def _row(row: str, faults: Sequence[tuple[Mapping[str, Any], bool | None]]) -> MatrixRow:
    took_s = [float(fault["safe_s"]) - float(fault["needed_s"]) for fault, answer in faults if answer]
    return MatrixRow(
        row=row,
        injected=len(faults),
        required=sum(answer is not None for _, answer in faults),
        reached=len(took_s),
        safe_s_median=round(float(np.median(took_s)), 1) if took_s else None,
        safe_s_max=round(max(took_s), 1) if took_s else None,
        alarms=sum(fault.get("alarm") is not None for fault, _ in faults),
    )
