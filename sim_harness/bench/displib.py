"""
The timetable's search on DISPLIB 2025's problems, beside the best values known.

A thin adapter: a problem's trains are trucks, its operations, resources and delays are the planner's own, and nothing is tuned to
any of them. Every plan is judged by the rules as plain code (`displib_rules`). Seconds are seconds of one core, so that a busy
machine does not measure itself; compiling and reading are apart. Where the best known cost is 0, a cost of c counts as 1 + c.
"""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.table import Table

from planner.timetable.task import Delay, Operation, Task, TaskFault, Use
from planner.timetable.timetable import Plan, Timetable
from sim_harness.bench.displib_files import Json, ProblemFault, best_known_in, problems_in
from sim_harness.bench.displib_rules import faults

MARKS_S: Final = (1.0, 10.0, 60.0)  # when the cost is noted, as far as asked


def task_of(problem: Json) -> Task:
    """The problem in the planner's words."""
    row: dict[str, int] = {}
    return Task(
        trucks=tuple(
            tuple(
                Operation(
                    earliest=each.get("start_lb", 0),
                    latest=each.get("start_ub"),
                    duration=each.get("min_duration", 0),
                    uses=tuple(
                        Use(resource=row.setdefault(use["resource"], len(row)), release=use.get("release_time", 0))
                        for use in each.get("resources", [])
                    ),
                    successors=tuple(each.get("successors", [])),
                )
                for each in train
            )
            for train in problem["trains"]
        ),
        delays=tuple(
            Delay(
                truck=term["train"],
                operation=term["operation"],
                threshold=term.get("threshold", 0),
                coeff=term.get("coeff", 0),
                increment=term.get("increment", 0),
            )
            for term in problem["objective"]
        ),
    )


def solution_of(plan: Plan) -> dict[str, object]:
    """The plan in the problem's words."""
    return {
        "objective_value": plan.cost,
        "events": [{"time": event.time, "train": event.truck, "operation": event.operation} for event in plan.events],
    }


def ratio(cost: float, best: int) -> float:
    """How many times the best value known; where that is 0, one more than the cost."""
    return cost / best if best > 0 else 1.0 + cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """One problem: milliseconds to the first plan, costs at the first plan and at each mark, and what is wrong with the plans."""

    name: str
    family: str
    best_known: int | None
    first_ms: float
    costs: tuple[int, ...]
    wrong: tuple[str, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Costs ÷ best known; empty where it is not known."""
        return () if self.best_known is None else tuple(ratio(cost, self.best_known) for cost in self.costs)

    def as_json(self) -> dict[str, object]:
        """The line for `--json`."""
        return {
            "problem": self.name,
            "family": self.family,
            "best_known": self.best_known,
            "first_ms": self.first_ms,
            "costs": list(self.costs),
            "feasible": not self.wrong,
            "wrong": list(self.wrong[:3]),
        }


def family_of(name: str) -> str:
    """What comes before the number."""
    return re.sub(r"[_-]?\d+$", "", name)


def marks_of(seconds: float) -> tuple[float, ...]:
    """When costs are noted: the usual marks up to *seconds*, and the end."""
    return (*(mark for mark in MARKS_S if mark < seconds), seconds)


def _until(seconds: float) -> Any:
    end = time.process_time() + seconds
    return lambda: time.process_time() < end


def solve(name: str, problem: Json, best_known: int | None, seconds: float) -> Solved:
    """Plan one problem and judge the first plan, which is one in which nobody is blocked, and the last."""
    task = task_of(problem)
    begin = time.process_time()
    timetable = Timetable(task)
    more = _until(seconds)
    plan = timetable.improve(lambda: timetable.blocked and more())
    first_s = time.process_time() - begin
    wrong = faults(problem, solution_of(plan))
    costs = [plan.cost]
    spent_s = 0.0
    for mark in marks_of(seconds):
        plan = timetable.improve(_until(mark - spent_s))
        spent_s = mark
        costs.append(plan.cost)
    wrong += faults(problem, solution_of(plan))
    return Solved(name=name, family=family_of(name), best_known=best_known, first_ms=1e3 * first_s, costs=tuple(costs), wrong=tuple(wrong))


def _warm() -> None:
    """Compile, or load what was compiled, before anything is measured."""
    step = {"resources": [{"resource": "r"}], "min_duration": 1}
    train = [{"successors": [1]}, {**step, "successors": [2]}, {"successors": []}]
    solve("warm", {"trains": [train, train], "objective": []}, None, 0.01)


def _solve_apart(work: tuple[str, Json, int | None, float]) -> Solved:
    _warm()
    return solve(*work)


def solve_all(directory: Path, seconds: float, jobs: int) -> Iterator[Solved]:
    """
    Every problem of *directory* in turn, or *jobs* at a time, each on one core.

    Raises:
        ProblemFault: a file holds no problem that can be planned; none is planned then.
        OSError: one cannot be read.
    """
    best = best_known_in(directory)
    work = [(name, problem, best.get(name), seconds) for name, problem in problems_in(directory)]
    for name, problem, *_ in work:
        try:
            task_of(problem)
        except TaskFault as fault:
            raise ProblemFault(f"{name}: {fault}") from None
    if jobs == 1:
        _warm()
        for each in work:
            yield solve(*each)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(_solve_apart, work)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Medians over a family, or over all."""

    family: str
    problems: int
    feasible: int
    first_ms: float
    ratios: tuple[float, ...]

    def as_json(self) -> dict[str, object]:
        """The line for `--json`."""
        return {
            "family": self.family,
            "problems": self.problems,
            "feasible": self.feasible,
            "first_ms": self.first_ms,
            "ratios": list(self.ratios),
        }


def _summary(family: str, solved: Sequence[Solved]) -> Summary:
    known = [each.ratios for each in solved if each.ratios]
    return Summary(
        family=family,
        problems=len(solved),
        feasible=sum(not each.wrong for each in solved),
        first_ms=median(each.first_ms for each in solved),
        ratios=tuple(median(column) for column in zip(*known, strict=True)),
    )


def summaries(solved: Sequence[Solved]) -> list[Summary]:
    """Family by family, then over all."""
    ordered = sorted(solved, key=lambda each: each.family)
    families = [_summary(family, list(each)) for family, each in groupby(ordered, key=lambda each: each.family)]
    return [*families, _summary("all", ordered)]


def as_json(solved: Sequence[Solved], seconds: float) -> dict[str, object]:
    """Everything, for machines."""
    return {
        "marks_s": [0.0, *marks_of(seconds)],
        "problems": [each.as_json() for each in solved],
        "families": [each.as_json() for each in summaries(solved)],
    }


def table(solved: Sequence[Solved], seconds: float) -> Table:
    """Medians of cost ÷ best known, for people."""
    caption = "median cost ÷ best known, seconds of one core; ms to the first plan, compiling apart"
    drawn = Table(title="displib", caption=caption, title_justify="left", caption_justify="left")
    drawn.add_column("family")
    for column in ("problems", "feasible", "first ms", "first plan", *(f"{mark:g} s" for mark in marks_of(seconds))):
        drawn.add_column(column, justify="right")
    for each in summaries(solved):
        ratios = [f"{value:.3f}" for value in each.ratios] or ["" for _ in range(1 + len(marks_of(seconds)))]
        drawn.add_row(each.family, str(each.problems), str(each.feasible), f"{each.first_ms:.1f}", *ratios)
    return drawn
