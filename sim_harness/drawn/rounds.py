"""Many drawn sites, run over processes: how many were served to the end, how long trucks waited, and what failed."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.table import Table

from sim_harness.campaign.crew import Crew
from sim_harness.campaign.outcome import Outcome
from sim_harness.campaign.trial import Trial
from sim_harness.campaign.worker import Job
from sim_harness.drawn.draw import SCENARIO, Drawn, draw

ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One drawn site and what came of its run."""

    drawn: Drawn
    outcome: Outcome

    @property
    def completed(self) -> bool:
        """Whether every container came to where it was to be, and nothing else was wrong."""
        return not self.outcome.failing

    @property
    def line(self) -> str:
        """The command that draws the site again and runs it."""
        folder = f"site-{self.drawn.seed}"
        return f"fleet sim site --seed {self.drawn.seed} --out {folder} && {shlex.join(['fleet', 'sim', 'run', f'{folder}/{SCENARIO}'])}"


def run_rounds(first_seed: int, count: int, folder: Path, jobs: int, told: Callable[[Round], None]) -> list[Round]:
    """Draws *count* sites into *folder* and runs each once; *told* hears of each, in any order. Ctrl-C ends it with those made so far."""
    made: dict[int, Round] = {}
    drawn: list[Drawn] = []
    with Crew(jobs) as crew, suppress(KeyboardInterrupt):
        for number, seed in enumerate(range(first_seed, first_seed + count)):
            site = draw(seed)
            drawn.append(site)
            scenario = site.write(folder / f"site-{seed}")
            crew.hand(number, Job(trial=Trial(scenario=str(scenario), seed=seed, hours=site.hours, trucks=site.trucks)))
        while crew.busy:
            number, outcome = crew.next()
            made[number] = Round(drawn=drawn[number], outcome=outcome)
            told(made[number])
    return [made[number] for number in sorted(made)]


def table(rounds: list[Round]) -> Table:
    """By what a site has: how many there were, how many were served to the end, and the longest that a truck waited for others."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    found.add_column("sites with")
    for column in ("drawn", "completed", "trucks", "truck km", "longest wait, min"):
        found.add_column(column, justify="right")
    features = sorted({feature for each in rounds for feature in each.drawn.features})
    for feature in (*features, ALL):
        some = [each for each in rounds if feature == ALL or feature in each.drawn.features]
        longest_s = max((each.outcome.longest_wait_s for each in some), default=0.0)
        figures = (len(some), sum(each.completed for each in some), sum(each.drawn.trucks for each in some))
        km = sum(each.outcome.truck_km for each in some)
        found.add_row(feature, *map(str, figures), f"{km:.0f}", f"{longest_s / 60.0:.1f}")
    return found


def words(rounds: list[Round], asked: int) -> str:
    """What failed, each with the line that does it again, how far it came if it was ended, and the verdict."""
    lines: list[str] = []
    for each in rounds:
        lines += [] if each.completed else ["", *_failure(each)]
    if len(rounds) < asked:
        lines += ["", f"interrupted: {len(rounds)} of {asked} sites run"]
    completed = sum(each.completed for each in rounds)
    verdict = "pass" if completed == asked else "fail"
    return "\n".join([*lines, f"{completed} of {asked} completed; verdict: {verdict}"])


def _failure(failed: Round) -> Iterator[str]:
    yield f"FAILED seed {failed.drawn.seed} ({', '.join(sorted(failed.drawn.features))}): {', '.join(failed.outcome.failing)}"
    yield from (f"  {said}" for said in failed.outcome.said)
    yield failed.line
