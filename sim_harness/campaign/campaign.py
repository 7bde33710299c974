"""A campaign from its plan to its report: runs are made, failures made small, replayed and recorded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sim_harness.campaign.crew import Crew
from sim_harness.campaign.figures import CAMPAIGN, CampaignFailure, CampaignReport, CampaignRun, matrix_rows, totals_of
from sim_harness.campaign.outcome import Failing, Outcome
from sim_harness.campaign.search import GENERATION, Search, Tried
from sim_harness.campaign.shrink import Shrinker
from sim_harness.campaign.trial import Plan, Trial
from sim_harness.campaign.worker import Job
from sim_harness.faults.kind import Target
from sim_harness.faults.kinds import KINDS
from sim_harness.scenario import Scenario, ScenarioError, load_scenario

# So many failures of one kind are made smaller, and so many are recorded: the hundredth of a kind teaches nothing new.
SHRUNK_OF_A_KIND: Final = 3
RECORDED_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a campaign has come: *done* of *total* in what it is *doing*; no total is known while failures are made smaller."""

    doing: str
    done: int
    total: int | None
    failed: int


Told = Callable[[Progress], None]


@dataclass(slots=True, kw_only=True)
class _Failure:
    """A run that failed, and the smallest that is known to fail the same way."""

    run: int
    tried: Tried
    best: Tried
    tries: int = 0
    recording: str | None = None
    replayed: bool | None = None


class Campaign:
    """One campaign under way."""

    def __init__(self, plan: Plan, scenario: Scenario, crew: Crew, told: Told) -> None:
        self._plan = plan
        self._truck_ids = scenario.roster.truck_ids
        self._search = Search(plan, scenario)
        self._crew = crew
        self._told = told
        self._tried: dict[int, Tried] = {}
        self._guided_from = plan.runs
        self._failures: list[_Failure] = []
        self._interrupted = False

    def make(self) -> None:
        """Do everything; Ctrl-C ends it with what there is."""
        try:
            self._make_runs()
            self._make_smaller()
            self._record()
        except KeyboardInterrupt:
            self._interrupted = True

    def _make_runs(self) -> None:
        """Drawn runs, then guided ones, a generation at a time; at least one generation is drawn, to descend from."""
        plan = self._plan
        self._guided_from = max(plan.runs - round(plan.guided * plan.runs), min(GENERATION, plan.runs))
        self._batch([self._search.drawn(run) for run in range(self._guided_from)])
        while len(self._tried) < plan.runs and not self._enough(self._failures):
            first, before = len(self._tried), list(self._tried.values())
            self._batch([self._search.guided(run, before) for run in range(first, min(first + GENERATION, plan.runs))])

    def _enough(self, failed: Sequence[object]) -> bool:
        return 0 < self._plan.stop_after <= len(failed)

    def _batch(self, trials: Sequence[Trial]) -> None:
        """Make *trials* in any order and keep them in theirs, up to the last failure that was wanted."""
        first = len(self._tried)
        for number, trial in enumerate(trials):
            self._crew.hand(number, Job(trial=trial, mutant=self._plan.mutant))
        made: dict[int, Outcome] = {}
        in_order = 0
        try:
            while self._crew.busy:
                number, outcome = self._crew.next()
                made[number] = outcome
                failed = len(self._failures) + sum(bool(one.failing) for one in made.values())
                self._told(Progress(doing="runs", done=first + len(made), total=self._plan.runs, failed=failed))
                while in_order in made:
                    in_order += 1
                failing = [number for number in range(in_order) if made[number].failing]
                if self._enough([*self._failures, *failing]):
                    self._crew.forget()
        finally:
            for number in sorted(made):
                if not self._enough(self._failures):
                    self._keep(first + number, Tried(trial=trials[number], outcome=made[number]))

    def _keep(self, run: int, tried: Tried) -> None:
        self._tried[run] = tried
        if tried.outcome.failing:
            self._failures.append(_Failure(run=run, tried=tried, best=tried))

    def _make_smaller(self) -> None:
        """Shrink the first failures of each kind, all at once: each asks for one run after the other."""
        shrinkers: dict[int, Shrinker] = {}
        kinds: Counter[str] = Counter()
        for number, failure in enumerate(self._failures):
            kinds[failure.tried.outcome.signature] += 1
            if kinds[failure.tried.outcome.signature] <= SHRUNK_OF_A_KIND:
                shrinkers[number] = Shrinker(failure.tried.trial, self._truck_ids, self._plan.tries)
                self._ask(number, shrinkers[number])
        done = 0
        while self._crew.busy:
            number, outcome = self._crew.next()
            failure, shrinker = self._failures[number], shrinkers[number]
            assert shrinker.candidate is not None
            same = alike(failure.tried.outcome, outcome)
            if same:
                failure.best = Tried(trial=shrinker.candidate, outcome=outcome)
            shrinker.told(same=same)
            failure.tries = shrinker.tries
            done += 1
            self._told(Progress(doing="making failures smaller", done=done, total=None, failed=len(self._failures)))
            self._ask(number, shrinker)

    def _ask(self, number: int, shrinker: Shrinker) -> None:
        if shrinker.candidate is not None:
            self._crew.hand(number, Job(trial=shrinker.candidate, mutant=self._plan.mutant))

    def _record(self) -> None:
        """Run failures again, with a recording; the trace must be the same."""
        out = self._plan.out
        if out is None:
            return
        recorded = self._failures[:RECORDED_MAX]
        for number, failure in enumerate(recorded):
            name = f"run-{failure.run}-seed-{failure.best.trial.seed}"
            self._crew.hand(number, Job(trial=failure.best.trial, out=out / name, mutant=self._plan.mutant))
        done = 0
        while self._crew.busy:
            number, outcome = self._crew.next()
            failure = recorded[number]
            failure.recording = f"run-{failure.run}-seed-{failure.best.trial.seed}"
            failure.replayed = (outcome.trace_hash, outcome.signature) == (failure.best.outcome.trace_hash, failure.best.outcome.signature)
            done += 1
            self._told(Progress(doing="recordings", done=done, total=len(recorded), failed=len(self._failures)))

    def report(self, wall_s: float) -> CampaignReport:
        """What came of it."""
        plan = self._plan
        runs = tuple(_run(run, tried, guided=run >= self._guided_from) for run, tried in self._tried.items())
        return CampaignReport(
            scenario=plan.scenario,
            settings=plan.settings,
            first_seed=plan.first_seed,
            hours=plan.hours,
            trucks=len(self._truck_ids),
            runs_asked=plan.runs,
            interrupted=self._interrupted,
            mutant=plan.mutant,
            wall_seconds=round(wall_s, 1),
            totals=totals_of(runs),
            rows=matrix_rows(runs),
            failures=tuple(_failure(failure) for failure in self._failures),
            runs=runs,
            verdict="fail" if self._failures else "pass",
        )


def alike(one: Outcome, other: Outcome) -> bool:
    """Whether *other* fails in the way that *one* does; what else it does wrong does not matter."""
    worst = one.failing[0]
    return worst in other.failing and (worst is not Failing.CRASH or one.signature == other.signature)


def _run(run: int, tried: Tried, *, guided: bool) -> CampaignRun:
    trial = tried.trial
    return CampaignRun(
        run=run,
        guided=guided,
        seed=trial.seed,
        hours=trial.hours,
        trucks=trial.trucks,
        scheduled_faults=tuple(fault.stated() for fault in trial.faults),
        **dict(tried.outcome),
    )


def _failure(failure: _Failure) -> CampaignFailure:
    return CampaignFailure(
        run=failure.run,
        seed=failure.best.trial.seed,
        failing=failure.tried.outcome.failing,
        said=failure.best.outcome.said,
        line=failure.best.trial.line,
        trace_hash=failure.best.outcome.trace_hash,
        tries=failure.tries,
        faults=len(failure.best.trial.faults),
        recording=failure.recording,
        replayed=failure.replayed,
    )


def run_campaign(plan: Plan, told: Told = lambda _: None) -> CampaignReport:
    """
    Make the campaign of *plan*; *told* hears how far it has come.

    Raises:
        SiteError: the scenario cannot be used, or has nothing that the kinds of fault are aimed at.
        WorkerDidNotStart: a process ended before it could take a run.
    """
    scenario = load_scenario(plan.scenario, plan.settings, seed=plan.first_seed, hours=plan.hours, trucks=plan.trucks)
    if plan.kinds and not scenario.corridor.gates and all(KINDS[name].target is Target.GATE for name in plan.kinds):
        raise ScenarioError("--kinds", 1, f"site {scenario.spec.site} has no gates for {', '.join(plan.kinds)}", "add another kind")
    if plan.out is not None:
        plan.out.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    with Crew(plan.jobs) as crew:
        campaign = Campaign(plan, scenario, crew, told)
        campaign.make()
    report = campaign.report(time.monotonic() - began_s)
    if plan.out is not None:
        (plan.out / CAMPAIGN).write_text(report.text(), encoding="utf-8")
    return report
