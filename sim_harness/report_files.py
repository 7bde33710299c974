"""What a run's folder has beside its recording: the report as data, and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sim_harness.observation import Roster
from sim_harness.report import Report
from sim_harness.report_html import page

REPORT: Final = "report.json"
HTML: Final = "report.html"


def write_report(out_dir: Path, report: Report, roster: Roster) -> None:
    """Writes `report.json` and, from the recording already there, `report.html`."""
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / REPORT).write_text(report.text(), encoding="utf-8")
    (out_dir / HTML).write_text(page(out_dir, report, roster), encoding="utf-8")
