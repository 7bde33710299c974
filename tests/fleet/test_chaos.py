"""The ring under random loss, restarts, holds and lost proofs: no truck's ground ever meets another's, by the trucks' own word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fleet.server.commands import HoldTruck, LiftStop, ResumeTruck, StopAll
from fleet.server.inputs import CommandGiven, LinkLost
from planner.authority import Cause
from sim_harness.tiny import TRUCK

MakeWorld = Callable[..., Any]
# The strip: a zone that `out` and `back` share, one direction at a time; ring metres of its two parts.
STRIP_M = ((500.0, 540.0), (1220.0 + 650.0, 1220.0 + 690.0))


def overlap_m(world: Any) -> float:
    """The most that two trucks' true ground, tail to the end held onboard, shares on the ring."""
    round_m = float(world._start_m[-1])
    grounds = sorted((truck.s_m - TRUCK.length_m, max(truck.end_m or truck.s_m, truck.s_m)) for truck in world.trucks)
    worst = -np.inf
    for (_, end_m), (tail_m, _) in zip(grounds, [*grounds[1:], (grounds[0][0] + round_m, 0.0)], strict=True):
        worst = max(worst, end_m - tail_m)
    return worst


def strip_shared(world: Any) -> bool:
    """Whether trucks of both directions hold ground in the strip."""
    round_m = float(world._start_m[-1])
    held = [False, False]
    for truck in world.trucks:
        tail_m, end_m = truck.s_m - TRUCK.length_m, max(truck.end_m or truck.s_m, truck.s_m)
        for branch, (from_m, to_m) in enumerate(STRIP_M):
            turns = np.arange(5) * round_m
            held[branch] |= bool(((tail_m < to_m + turns) & (from_m + turns < end_m)).any())
    return all(held)


def meddle(world: Any, chance: np.random.Generator) -> None:
    """One random misfortune, or none."""
    truck = world.trucks[int(chance.integers(len(world.trucks)))]
    request_id = f"r{world.now_ns}"
    match int(chance.integers(120)):
        case 0:
            truck.mute = not truck.mute
        case 1:
            truck.deaf = not truck.deaf
        case 2:
            world.restart()
        case 3:
            world.inputs.append(LinkLost(link=truck.link))
        case 4 | 5 | 6:
            truck.mute = truck.deaf = False
            world.inputs.append(world.hello(truck))
        case 7:
            world.inputs.append(CommandGiven(ticket=1, command=StopAll(stop_id="red", reason=""), actor="op"))
        case 8 | 9 | 10:
            world.inputs.append(CommandGiven(ticket=1, command=LiftStop(request_id=request_id, stop_id="red"), actor="op"))
        case 11 if truck.row >= 0:
            hold = HoldTruck(request_id=request_id, truck_id=truck.truck_id, reason="")
            world.inputs.append(CommandGiven(ticket=1, command=hold, actor="op"))
        case 12 | 13 | 14 if truck.row >= 0:
            resume = ResumeTruck(request_id=request_id, truck_id=truck.truck_id)
            world.inputs.append(CommandGiven(ticket=1, command=resume, actor="op"))
        case 15 | 18 | 19 | 20 if truck.row >= 0:
            row = truck.row
            world.desk.limit_m[row] = world.table.end_m[row] - float(chance.uniform(0.0, 80.0))
            world.desk.limit_cause[row], world.desk.revoked[row] = Cause.GATE, True
        case 16 | 17 | 21 | 22 if truck.row >= 0:
            world.desk.limit_m[truck.row], world.desk.revoked[truck.row] = np.inf, False
        case _:
            pass


@pytest.mark.parametrize("seed", range(8))
def test_no_two_trucks_ever_hold_the_same_ground(make_world: MakeWorld, seed: int) -> None:
    """Safety hangs on nothing arriving: loss, silence, restarts and second thoughts in any order cost time only."""
    chance = np.random.default_rng(seed)
    world = make_world(10, apart_m=270.0)
    world.greet_all()
    world.run(60)
    began_m = sum(truck.s_m for truck in world.trucks)

    for _ in range(1500):
        meddle(world, chance)
        world.tick()
        assert overlap_m(world) <= 1e-6
        assert not strip_shared(world)

    assert sum(truck.s_m for truck in world.trucks) > began_m + 500.0
