"""
Round trips against the bound, and against fixed blocks with first come, first served: the same days, the same desk, the same trucks.

A row is a scenario. Its bound is the one of `report.json`; *ideal* is what chance and shut gates alone would leave of it on a road where
nobody ever hinders anybody; *as drawn* is the bound with the services that our runs drew. All rates are of the settled day: what comes
two cycles of the fleet after opening, and after a shift handover, for what stood at shut gates comes home in a rush, and before all
queues have grown more come home than can for long. Trucks that set out together come home together for hours, so it is not the counts at
two moments that are compared but their means over a cycle at either end. Beside them stand the counts of whole days, from opening to
closing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import product
from multiprocessing import get_context
from statistics import fmean
from typing import Final

from planner.bound import Bound
from planner.flow import FLEET
from planner.policy import BLOCK_M, MOVING, PLANNED
from sim_harness.bench.as_drawn import Services
from sim_harness.bench.ideal import SECONDS_PER_HOUR, ideal_per_h, ideal_round_trips
from sim_harness.checkers import Checkers
from sim_harness.day_bound import ORDERS, bound_of
from sim_harness.expectations import judged
from sim_harness.in_memory import InMemoryServer
from sim_harness.report import build_report, open_seconds, opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import Scenario, load_scenario

# Ours, and what it is measured against.
POLICIES: Final = tuple(policy for policy in BLOCK_M if policy != PLANNED)
SCENARIOS: Final = ("as_built_2023", "mandula", "ganqimaodu", "crossing")
WARM_CYCLES: Final = 2.0
SECONDS_PER_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run, with *settings* (KEY=VALUE) laid over its scenario."""

    scenario: str
    policy: str
    seed: int
    hours: float | None
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """
    What came of it; *failures* as in `report.json`: none where the verdict is pass.

    Of the settled day, an hour: *per_h* made, *drawn_per_h* the bound with the services that were drawn.
    """

    job: Job
    round_trips: int
    per_h: float
    drawn_per_h: float
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One scenario: bound, *ideal*, and our runs' and the baselines' means by policy, per hour; whole-day counts by policy and seed.

    *drawn_per_h*: the mean of what the bound would be with the services of each of our runs.
    """

    scenario: str
    binds: str
    bound_per_h: float
    ideal_per_h: float
    drawn_per_h: float
    per_h: dict[str, float]
    bound_round_trips: float
    ideal_round_trips: float
    round_trips: dict[str, list[int]]
    failed: tuple[str, ...]

    @property
    def of_bound(self) -> float:
        """Ours ÷ bound."""
        return self.per_h[MOVING] / self.bound_per_h

    @property
    def of_drawn(self) -> float:
        """Ours ÷ the bound with the services that were drawn."""
        return self.per_h[MOVING] / self.drawn_per_h

    def as_json(self) -> dict[str, object]:
        """The row for `--json`."""
        return {**asdict(self), "of_bound": self.of_bound, "of_drawn": self.of_drawn, "of_ideal": self.per_h[MOVING] / self.ideal_per_h}


def fleet_cycle_s(scenario: Scenario, bound: Bound) -> float:
    """
    From one round trip of a truck to its next: of a truck alone, or, where the bound's resource has a queue, by Little's law.

    Who has no order waits for one in nobody's way, and where trucks are scarce they wait for shut gates only.
    """
    queued_s = 0.0 if bound.name in {ORDERS, FLEET} else SECONDS_PER_HOUR * scenario.spec.trucks / bound.capacity_per_h
    return max(bound.cycle_s, queued_s)


def settled_s(scenario: Scenario, cycle_s: float) -> tuple[float, float]:
    """
    The longest part of a run that has settled: from two cycles of the fleet after opening, or after a shift handover, to the next one or its end.

    Raises:
        ValueError: there is none.
    """
    start_s, end_s = opening_s(scenario.roster), scenario.hours * SECONDS_PER_HOUR
    days = range(-1, int((start_s + end_s) // SECONDS_PER_DAY) + 1)
    shut = sorted(
        (day * SECONDS_PER_DAY + each.open_s - start_s, day * SECONDS_PER_DAY + each.close_s - start_s)
        for day in days
        for each in scenario.corridor.shift_handovers
    )
    begins_s = [0.0, *(close_s for _, close_s in shut if close_s > 0.0)]
    parts = [(begin_s + WARM_CYCLES * cycle_s, min([end_s, *(open_s for open_s, _ in shut if open_s >= begin_s)])) for begin_s in begins_s]
    from_s, to_s = max(parts, key=lambda part: part[1] - part[0])
    if to_s <= from_s:
        hours = f"{scenario.hours:g} h are over before the fleet has settled"
        raise ValueError(f"{scenario.spec.scenario}: {hours}; give more than {(from_s + end_s - to_s) / SECONDS_PER_HOUR:.1f} h")
    return from_s, to_s


def _bound(scenario: Scenario, span_s: tuple[float, float] | None = None) -> Bound:
    bound = bound_of(scenario, span_s)
    if bound is None:
        raise ValueError(f"scenario {scenario.spec.scenario} has no round trip to bound")
    return bound


def _load(job: Job) -> Scenario:
    return load_scenario(job.scenario, [*job.settings, f"policy={job.policy}"], seed=job.seed, hours=job.hours)


def rate_per_h(counts: Sequence[tuple[float, int]], cycle_s: float) -> float:
    """
    Growth of a count per hour, of (seconds, count) in order: between the middles of the first and of the last cycle.

    With less than two cycles, between those of both halves.
    """
    begins_s, ends_s = counts[0][0], counts[-1][0]
    span_s = min(cycle_s, (ends_s - begins_s) / 2.0)
    first = [entry for entry in counts if entry[0] <= begins_s + span_s]
    last = [entry for entry in counts if entry[0] >= ends_s - span_s]
    grown = fmean(count for _, count in last) - fmean(count for _, count in first)
    took_s = fmean(at_s for at_s, _ in last) - fmean(at_s for at_s, _ in first)
    return SECONDS_PER_HOUR * grown / took_s if took_s > 0.0 else 0.0


def run(job: Job) -> Run:
    """
    Run one day.

    Raises:
        ValueError: the fleet never settles.
    """
    scenario = _load(job)
    bound = _bound(scenario)
    cycle_s = fleet_cycle_s(scenario, bound)
    from_s, to_s = settled_s(scenario, cycle_s)
    checkers = Checkers(scenario.roster)
    spec, day_start_s = scenario.spec, int(opening_s(scenario.roster))
    server = InMemoryServer(scenario.corridor, day_start_s, mortal=scenario.troubled, policy=spec.policy)
    services = Services(scenario.corridor, from_s, to_s, {crane.yard for crane in spec.cranes})
    runner = Runner(scenario, server, services, checkers)
    counts: list[tuple[float, int]] = []

    def count(now_s: float) -> None:
        if from_s <= now_s <= to_s:
            counts.append((open_seconds(scenario.roster, day_start_s, now_s), runner.books.round_trips))

    totals = runner.run(count)
    # A run that ended before its time makes nothing in what is left of it.
    for minute in range(int(totals.sim_seconds // 60.0) + 1, int(to_s // 60.0) + 1):
        count(60.0 * minute)
    report = judged(build_report(scenario.roster, totals, checkers.figures(), bound), spec.expect)
    return Run(
        job=job,
        round_trips=totals.round_trips,
        per_h=rate_per_h(counts, cycle_s) if counts else 0.0,
        drawn_per_h=services.most_per_h(_bound(scenario, (from_s, to_s))),
        failures=report.failures,
    )


def throughput(
    scenarios: Sequence[str],
    *,
    hours: float | None = None,
    seeds: int = 3,
    jobs: int = 1,
    settings: Sequence[str] = (),
    told: Callable[[Run], None] = lambda _: None,
) -> list[Row]:
    """
    Run every scenario under every policy with seeds 1 to *seeds*; *hours* None: each scenario's own day.

    *settings* are laid over each of them: weather and faults are in the bound too. *told* hears of each run, in order.

    Raises:
        SiteError: a scenario cannot be used.
        ValueError: a day is too short, or has no round trip.
    """
    wanted = [
        Job(scenario=scenario, policy=policy, seed=seed, hours=hours, settings=tuple(settings))
        for scenario, policy, seed in product(scenarios, POLICIES, range(1, seeds + 1))
    ]
    runs: list[Run] = []
    with ProcessPoolExecutor(jobs, get_context("spawn")) if jobs > 1 else nullcontext() as pool:
        for made in map(run, wanted) if pool is None else pool.map(run, wanted):
            told(made)
            runs.append(made)
    return [_row(scenario, [each for each in runs if each.job.scenario == scenario]) for scenario in scenarios]


def _row(name: str, runs: Sequence[Run]) -> Row:
    scenario = _load(runs[0].job)
    bound = _bound(scenario)
    settled = _bound(scenario, settled_s(scenario, fleet_cycle_s(scenario, bound)))
    by_policy = {policy: [each for each in runs if each.job.policy == policy] for policy in POLICIES}
    return Row(
        scenario=name,
        binds=settled.name,
        bound_per_h=settled.capacity_per_h,
        ideal_per_h=ideal_per_h(scenario, bound),
        drawn_per_h=fmean(each.drawn_per_h for each in by_policy[MOVING]),
        per_h={policy: fmean(each.per_h for each in found) for policy, found in by_policy.items()},
        bound_round_trips=bound.round_trips,
        ideal_round_trips=ideal_round_trips(scenario, bound),
        round_trips={policy: [each.round_trips for each in found] for policy, found in by_policy.items()},
        failed=tuple(f"{each.job.policy} seed {each.job.seed}: {each.failures[0]}" for each in runs if each.failures),
    )
