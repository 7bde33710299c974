"""Car following by the Intelligent Driver Model, and our dynamics under it."""

from __future__ import annotations

import numpy as np
import pytest

from sim_harness.idm import Convoy, Driver
from sim_harness.observation import TICK_S

DRIVER = Driver(speed_wish_mps=20.0, time_gap_s=1.5, gap_least_m=4.0, acceleration_mps2=0.8, brake_mps2=2.0)


@pytest.mark.parametrize(("speed_mps", "gap_m"), [(8.33, 16.7489), (13.89, 28.3508)])
def test_a_follower_settles_at_the_gap_of_the_equilibrium(speed_mps: float, gap_m: float) -> None:
    """Formula and motion give the same room, and the room that traffic simulators give."""
    convoy = Convoy(DRIVER, 18.0, np.array([0.0, -25.0]))

    for tick in range(2000):
        convoy.tick(min(speed_mps, 0.08 * (tick + 1)))

    assert DRIVER.equilibrium_gap_m(speed_mps) == pytest.approx(gap_m, abs=5e-5)
    assert convoy.gap_m[0] == pytest.approx(gap_m, abs=1e-4)


def test_nothing_is_asked_of_a_follower_in_equilibrium() -> None:
    """The gap of the formula is where the demand vanishes."""
    gap_m = DRIVER.equilibrium_gap_m(10.0)

    assert DRIVER.demand_mps2(np.array([10.0]), np.array([10.0]), np.array([gap_m])) == pytest.approx([0.0], abs=1e-12)


def test_an_empty_road_is_driven_with_full_acceleration_from_rest_and_none_at_the_speed_wished_for() -> None:
    """The ends of the model's free term."""
    speeds_mps, far_m = np.array([0.0, 20.0]), np.array([1e9, 1e9])

    assert DRIVER.demand_mps2(speeds_mps, speeds_mps, far_m) == pytest.approx([0.8, 0.0], abs=1e-9)


def test_closing_in_asks_for_braking_and_falling_back_never_for_less_than_the_least_gap() -> None:
    """The wish is never shorter than the least gap: who falls back at a crawl does not tailgate."""
    speed_mps, gap_m = np.array([10.0]), np.array([30.0])

    closing = DRIVER.demand_mps2(speed_mps, np.array([5.0]), gap_m)
    falling = DRIVER.demand_mps2(speed_mps, np.array([30.0]), gap_m)

    assert closing[0] == pytest.approx(0.8 * (1 - 0.5**4 - ((4 + 15 + 10 * 5 / (2 * np.sqrt(1.6))) / 30) ** 2))
    assert falling[0] == pytest.approx(0.8 * (1 - 0.5**4 - (4 / 30) ** 2))


def test_our_dynamics_make_of_demands_what_the_ballistic_update_does() -> None:
    """Demands held for a tick, speeds moved by them, ways by the mean of speeds: written out here, integrated there."""
    noses_m = np.array([0.0, -23.0, -46.0, -69.0, -92.0])
    convoy, speed_mps, nose_m = Convoy(DRIVER, 18.0, noses_m.copy()), np.zeros(5), noses_m.copy()
    worst_mps = 0.0

    for tick in range(1200):
        leader_mps = 10.0 * np.sin(tick / 150.0) ** 2
        demand = DRIVER.demand_mps2(speed_mps[1:], speed_mps[:-1], nose_m[:-1] - 18.0 - nose_m[1:])
        then = np.concatenate([[leader_mps], np.maximum(0.0, speed_mps[1:] + demand * TICK_S)])
        nose_m += 0.5 * (speed_mps + then) * TICK_S
        speed_mps = then
        convoy.tick(leader_mps)
        worst_mps = max(worst_mps, float(np.abs(convoy.speed_mps - speed_mps).max()))

    assert worst_mps <= 1e-3
