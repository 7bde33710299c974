"""What a campaign says: what a failure is called, what is counted, and what a person reads."""

from __future__ import annotations

import pytest

from sim_harness.campaign.figures import CampaignFailure, CampaignReport, CampaignRun, matrix_rows, totals_of
from sim_harness.campaign.outcome import Failing, ways
from sim_harness.campaign.table import matrix, words
from sim_harness.faults.kinds import KINDS
from sim_harness.report import Report


def came_of(fault: str = "link", **more: object) -> dict[str, object]:
    """What came of one fault, as a report says it."""
    return {"fault": fault, "needed_s": None, "safe_s": None, "alarm": None, "broken": "", **more}


def campaign_run(run: int, **figures: object) -> CampaignRun:
    """One run's figures."""
    fields: dict[str, object] = {
        "run": run,
        "guided": False,
        "seed": 100 + run,
        "hours": 0.25,
        "trucks": 8,
        "scheduled_faults": (),
        **figures,
    }
    return CampaignRun.model_validate(fields)


def report(**figures: object) -> Report:
    """What is looked at of a run that went wrong."""
    quiet = {
        "sim_seconds": 900.0,
        "unexplained_wait_s": 0.0,
        "overlaps": 0,
        "overruns": 0,
        "undeclared_overruns": 0,
        "authority_margin_m_min": 2.0,
        "faults": (),
    }
    return Report.model_construct(**{**quiet, **figures})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"overlaps": 1, "unexplained_wait_s": 3.0}, (Failing.OVERLAP, Failing.UNEXPLAINED)),
        ({"overruns": 2, "authority_margin_m_min": -0.5}, (Failing.OVERRUN, Failing.MARGIN)),
        ({"shared_grounds": 1, "contact_breaches": 1}, (Failing.SHARED, Failing.CONTACT)),
        ({"barriers_driven_through": 1}, (Failing.BARRIER,)),
        ({"overruns": 2, "undeclared_overruns": 1}, (Failing.OVERRUN,)),
        ({"overruns": 1, "undeclared_overruns": 1, "contact_breaches": 1}, (Failing.CONTACT,)),
        ({"false_books": 1, "word_breaches": 2}, (Failing.BOOKS, Failing.WORDS)),
        ({"containment_breaches": 1, "contact_breaches": 1}, (Failing.CONTAINMENT, Failing.CONTACT)),
        ({"sim_seconds": 411.0}, (Failing.STOPPED,)),
        ({"sim_seconds": 411.0, "standstills": 1, "standstill_since_s": 300.0}, (Failing.STANDSTILL,)),
        ({"stranding_ends": 1, "undeclared_margin_m_min": -0.5}, (Failing.STRANDED,)),
        ({"faults": (came_of(reached=None), came_of(reached=False, needed_s=800.0))}, (Failing.MISSED,)),
        ({"faults": (came_of(reached=False, needed_s=899.0, broken="it moved"),)}, (Failing.MISSED,)),
        ({"faults": (came_of(reached=None),), "unexplained_wait_s": 1.0}, (Failing.UNEXPLAINED,)),
        ({}, (Failing.REFUSED,)),
    ],
)
def test_a_failure_has_a_name(figures: dict[str, object], expected: tuple[Failing, ...]) -> None:
    """Failures are grouped, counted and shrunk by what they are."""
    assert ways(report(**figures), 0.25) == expected


def test_the_matrix_counts_what_had_to_be_reached() -> None:
    """A fault that was over before anybody had to notice proves nothing, and must not be counted as a success."""
    faults = (
        came_of(reached=True, needed_s=10.0, safe_s=12.0, alarm="silent"),
        came_of("dead_spot", reached=True, needed_s=20.0, safe_s=26.0),
        came_of(reached=False, needed_s=30.0),
        came_of(reached=None, needed_s=880.0),
        came_of(reached=None),
    )
    crashed = campaign_run(1, scheduled_faults=({"fault": "map", "at_s": 1.0, "truck": "t001"},))

    rows = {row.row: row for row in matrix_rows([campaign_run(0, sim_seconds=900.0, faults=faults), crashed])}

    row = rows["link loss"]
    assert (row.injected, row.required, row.reached, row.alarms) == (5, 3, 2, 1)
    assert (row.safe_s_median, row.safe_s_max) == (4.0, 6.0)
    assert rows["map mismatch"].injected == 1
    assert set(rows) == {kind.row for kind in KINDS.values()}


def test_no_event_bounds_the_rate_and_an_event_does_not() -> None:
    """The rule of three holds for samples: guided runs are none, and one event ends it."""
    quiet = [campaign_run(0, truck_km=100.0), campaign_run(1, truck_km=50.0), campaign_run(2, truck_km=500.0, guided=True, overlaps=1)]

    assert totals_of(quiet).rate_below_per_km == pytest.approx(3.0 / 150.0)
    assert totals_of([*quiet, campaign_run(3, overruns=1)]).rate_below_per_km is None


def test_the_least_margin_leads_back_to_its_run() -> None:
    """The closest call of ten thousand runs is the one to look at."""
    runs = [campaign_run(0, authority_margin_m_min=2.0), campaign_run(1, authority_margin_m_min=0.3), campaign_run(2)]

    totals = totals_of(runs)

    assert (totals.authority_margin_m_min, totals.authority_margin_run, totals.authority_margin_seed) == (0.3, 1, 101)


def test_the_table_has_a_row_per_row_and_lines_are_whole() -> None:
    """A line broken by the width of a terminal would not run when pasted."""
    long = "fleet sim run crossing --set 'scheduled_faults=[" + "{fault: link, at_s: 3, truck: t001}, " * 20 + "]'"
    failure = CampaignFailure(
        run=3, seed=4, failing=(Failing.OVERLAP,), said=("t001 and t002 met",), line=long, trace_hash="00", tries=9, faults=20, replayed=False
    )  # fmt: skip
    runs = [campaign_run(0, truck_km=300.0), campaign_run(1)]
    found = CampaignReport(
        scenario="crossing", settings=(), first_seed=1, hours=0.25, trucks=8, runs_asked=2, interrupted=False, mutant=None,
        wall_seconds=2.0, totals=totals_of(runs), rows=matrix_rows(runs), failures=(failure,) * 21, runs=tuple(runs), verdict="fail",
    )  # fmt: skip

    said = words(found).splitlines()

    assert matrix(found.rows).row_count == len({kind.row for kind in KINDS.values()})
    assert said.count(long) == 20
    assert "  it did not fail the same way again" in said
    assert "and 1 more failures: --json or --out has them all" in said
    assert any("below 0.01 per km (95 %, rule of three)" in line for line in said)
    assert said[-1] == "verdict: fail"
