"""
Lets ordinary campaigns look for the mutants, which know nothing of them: `python -m tests.sim.mutants.campaigns [RUNS [MUTANT…]]`.

Drills are made for the mutants they kill. A campaign draws weather, faults and seeds, and what it does not meet by chance it does not
find: which mutants survive how many runs says how far to trust one that finds nothing. Each row is the command as an engineer would
type it. Where everything that can break is drawn, what a mutant gets wrong may be too rare for so few runs; then the kinds of fault are
named that somebody would name who cares about that rule. The product makes every one of these campaigns, too, and must pass.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sim_harness.campaign.campaign import run_campaign
from sim_harness.campaign.figures import CampaignReport
from sim_harness.campaign.trial import Plan
from tests.sim.mutants.cases import CASES

SAID_CHARS: Final = 110
USUAL: Final = Plan(scenario="crossing", runs=25, hours=0.1, faults=4, tries=0)
KINDS_NAMED: Final[Mapping[str, tuple[str, ...]]] = {
    "release_by_timeout": ("link",),
    "stale_report_trusted": ("reports",),
    "intruder_ignored": ("intrusion",),
    "handshake_skipped": ("journal_old",),
    "roll_back_ignored": ("breakdown", "roll_back"),
    "doubt_not_road": ("misread",),
    "shortening_always_honoured": ("barrier",),
}
# Whose wrong shows on another site.
SITES_NAMED: Final[Mapping[str, str]] = {"grade_ignored": "hills"}
MUTANTS: Final[Mapping[str, str]] = {case.mutant.__name__: f"{case.mutant.__module__}:{case.mutant.__name__}" for case in CASES}


def plan_of(name: str) -> Plan:
    """The campaign that looks for the mutant called *name*."""
    return replace(USUAL, scenario=SITES_NAMED.get(name, USUAL.scenario), kinds=KINDS_NAMED.get(name, ()))


def command(plan: Plan) -> str:
    """*plan* as it is typed."""
    kinds = ["--kinds", ",".join(plan.kinds)] if plan.kinds else []
    figures = ["--runs", str(plan.runs), "--hours", f"{plan.hours:g}", "--faults", str(plan.faults)]
    return shlex.join(["fleet", "sim", "campaign", plan.scenario, *figures, *kinds])


def made(plan: Plan, mutant: str | None, *, until_failed: bool) -> CampaignReport:
    """What comes of *plan*, up to the first failure where that is enough."""
    return run_campaign(replace(plan, mutant=mutant, stop_after=int(until_failed)), lambda _: None)


def _told(name: str, plan: Plan, report: CampaignReport) -> str:
    outcome = f"survived {report.totals.runs} runs, {report.totals.truck_km:.0f} truck km"
    if report.failures:
        failure = report.failures[0]
        outcome = f"seed {failure.seed}: {failure.failing[0].value}: {failure.said[0]}"
    return f"{name:28s} {command(plan):84s} {outcome[:SAID_CHARS]}\n"


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main(runs: int, names: Sequence[str]) -> int:
    """Set a campaign on each of *names*, and on the product; 1 when one survives, or the product fails."""
    found = 0
    plans = {name: replace(plan_of(name), runs=runs) for name in names}
    for name, plan in plans.items():
        report = made(plan, MUTANTS[name], until_failed=True)
        found += bool(report.failures)
        _say(_told(name, plan, report))
    passed = True
    for plan in dict.fromkeys(plans.values()):
        report = made(plan, None, until_failed=False)
        passed &= not report.failures
        _say(_told("the product", plan, report))
    _say(f"{found} of {len(plans)} mutants found; the product {'passes' if passed else 'FAILS'}\n")
    return int(found < len(plans) or not passed)


if __name__ == "__main__":
    asked = sys.argv[1:]
    sys.exit(main(int(asked[0]) if asked else USUAL.runs, asked[1:] or tuple(MUTANTS)))
