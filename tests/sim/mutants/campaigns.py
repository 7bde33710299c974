"""
Lets an ordinary campaign look for the mutants, which knows nothing of them: `python -m tests.sim.mutants.campaigns [RUNS]`.

Drills are made for the mutants they kill. A campaign draws faults and seeds, and what it does not meet by chance it does not find: which
mutants survive how many runs says how far to trust one that finds nothing.
"""

from __future__ import annotations

import sys
from typing import Final

from sim_harness.campaign.campaign import run_campaign
from sim_harness.campaign.figures import CampaignReport
from sim_harness.campaign.trial import Plan
from tests.sim.mutants.cases import CASES

RUNS_USUAL: Final = 25
SAID_CHARS: Final = 110


def campaign_against(mutant: str, runs: int) -> CampaignReport:
    """Up to *runs* runs against a mutant, until one fails."""
    plan = Plan(scenario="crossing", runs=runs, jobs=1, tries=0, stop_after=1, mutant=mutant)
    return run_campaign(plan, lambda _: None)


def main(runs: int) -> int:
    """Play a campaign against each; 1 when none was found."""
    found = 0
    mutants = {case.mutant.__name__: f"{case.mutant.__module__}:{case.mutant.__name__}" for case in CASES}
    for name, place in mutants.items():
        report = campaign_against(place, runs)
        outcome = f"survived {report.totals.runs} runs, {report.totals.truck_km:.0f} truck km"
        if report.failures:
            failure = report.failures[0]
            outcome = f"seed {failure.seed}: {failure.failing[0].value}: {failure.said[0]}"
            found += 1
        sys.stdout.write(f"{name:32s} {outcome[:SAID_CHARS]}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{found} of {len(mutants)} mutants found\n")
    return int(found == 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS_USUAL))
