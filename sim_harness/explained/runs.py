"""
Runs in which things go wrong, drawn from seeds, and the moments at which the server is asked why trucks stand.

Faults are drawn as campaigns draw them; beside them a person holds a truck, closes a lane and stops everything now and then, for these
are causes too. A server that is dead or does not answer is asked when one does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from sim_harness import link
from sim_harness.checkers import Checkers
from sim_harness.clock import Streams
from sim_harness.explained.judge import Judge, Tally
from sim_harness.explained.world import Told, World
from sim_harness.faults.draw import evenly
from sim_harness.in_memory import InMemoryServer
from sim_harness.observation import SAMPLE_TICKS
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import Scenario, load_scenario

# A run of this length has about one fault a minute and a half.
FAULT_EVERY_S: Final = 90.0
# Kernels are compiled, trucks greeted and the first missions given by then.
SETTLED_S: Final = 60.0
STOP_S: Final = (20.0, 90.0)
CLOSED_S: Final = (60.0, 300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a person does at *at_s*."""

    at_s: float
    method: str
    request: link.Request
    done: Callable[[Told, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One run: which, from which seed, for how long, and how many moments of it."""

    scenario: str
    seed: int
    hours: float
    moments: int
    trucks: int | None = None


def scenario_of(asked: Asked) -> Scenario:
    """The scenario with the faults drawn for it."""
    base = load_scenario(asked.scenario, seed=asked.seed, hours=asked.hours, trucks=asked.trucks)
    rng = Streams(asked.seed).stream("explained", "faults")
    horizon_s = asked.hours * 3600.0
    count = max(1, round(horizon_s / FAULT_EVERY_S))
    faults = evenly(rng, base.corridor, base.roster.truck_ids, horizon_s, count)
    return replace(base, spec=base.spec.model_copy(update={"scheduled_faults": faults}))


def acts_of(scenario: Scenario) -> list[Act]:
    """A truck held, a lane closed and opened, everything stopped and let go, each once in a run."""
    rng = Streams(scenario.seed).stream("explained", "persons")
    horizon_s = scenario.hours * 3600.0
    truck_id = scenario.roster.truck_ids[int(rng.integers(len(scenario.roster.truck_ids)))]
    lane_id = scenario.corridor.lanes[int(rng.integers(len(scenario.corridor.lanes)))].lane_id
    held_s, closed_s, stopped_s = (float(rng.uniform(SETTLED_S, horizon_s)) for _ in range(3))
    opened_s, lifted_s = closed_s + float(rng.uniform(*CLOSED_S)), stopped_s + float(rng.uniform(*STOP_S))

    def held(told: Told, now_s: float) -> None:
        told.held[truck_id] = now_s

    def closed(told: Told, now_s: float) -> None:
        told.closed[lane_id] = now_s

    def opened(told: Told, now_s: float) -> None:
        told.opened_s[lane_id] = now_s

    def stopped(told: Told, now_s: float) -> None:
        told.stops["drawn-stop"] = now_s

    def lifted(told: Told, now_s: float) -> None:
        told.lifted_s["drawn-stop"] = now_s

    acts = [
        (held_s, link.hold("drawn-hold", truck_id, "loose tarpaulin"), held),
        (closed_s, link.close_lane("drawn-close", lane_id, "stones"), closed),
        (opened_s, link.open_lane("drawn-open", lane_id), opened),
        (stopped_s, link.stop_all("drawn-stop"), stopped),
        (lifted_s, link.lift("drawn-lift", "drawn-stop"), lifted),
    ]
    return [
        Act(at_s=at_s, method=method, request=request, done=done) for at_s, (method, request), done in sorted(acts, key=lambda act: act[0])
    ]


def moments_of(scenario: Scenario, count: int) -> list[float]:
    """When to ask, seconds of the run."""
    rng = Streams(scenario.seed).stream("explained", "moments")
    return sorted(float(at_s) for at_s in rng.uniform(SETTLED_S, scenario.hours * 3600.0, count))


def explained(asked: Asked) -> Tally:
    """Make the run and judge what the server says at each of its moments."""
    scenario = scenario_of(asked)
    told = Told()
    server = InMemoryServer(scenario.corridor, int(opening_s(scenario.roster)), mortal=True, policy=scenario.spec.policy)
    runner = Runner(scenario, server, told, Checkers(scenario.roster))
    world = World(runner, told)
    judge = Judge(world, server)
    acts, moments = acts_of(scenario), moments_of(scenario, asked.moments)
    for tick in range(runner.stage.tick_count):
        while acts and acts[0].at_s <= world.now_s:
            act = acts.pop(0)
            runner.stage.call(act.method, act.request)
            act.done(told, world.now_s)
        runner.tick()
        if tick % SAMPLE_TICKS == 0:
            world.look()
            if moments and moments[0] <= world.now_s and server.answers:
                moments.pop(0)
                judge.look()
    return judge.tally
