"""What a believed report leaves behind, beside the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planner.kernels.picture import NEVER, OPINION, WEAKER, Picture, Said, remember_reports
from planner.oracle.picture import OneSaid, SlowPicture, slow_remember_reports

LADEN = 1
ROAD = 0.6
NEWS = {"opinion": OPINION, "weaker": WEAKER}


def drawn(rng: np.random.Generator, count: int) -> list[OneSaid]:
    """Reports of some of *count* trucks, in any order."""
    return [
        OneSaid(
            row=int(row), speed_mps=float(rng.choice([0.0, 0.01, -0.2, 5.0])),
            acceleration_mps2=float(rng.normal()), battery_wh=float(rng.uniform(0.0, 1e5)),
            friction=float(rng.choice([0.0, 0.0, 0.0, 0.01, 0.3, 0.9, 1.9])),
            brake_health=float(rng.choice([1.0, 1.0, 1.0, rng.random(), 0.57, 0.29])), flags=int(rng.integers(0, 16)),
            accepted_epoch=int(rng.integers(0, 3)), accepted_sequence=int(rng.integers(0, 9)),
            challenge=int(rng.integers(-5, 2**40)), challenge_echo=int(rng.integers(-2, 30)),
        )
        for row in rng.permutation(count)[: int(rng.integers(0, count + 1))]
    ]  # fmt: skip


def columns(reports: list[OneSaid]) -> Said:
    """The same reports as columns."""
    whole = {"row": np.int32, "speed_mps": np.float64, "acceleration_mps2": np.float64}
    whole |= {"battery_wh": np.float64, "friction": np.float64, "brake_health": np.float64}
    return Said(*(np.array([said[at] for said in reports], whole.get(name, np.int64)) for at, name in enumerate(OneSaid._fields)))


@pytest.mark.parametrize("seed", range(40))
def test_the_kernel_and_its_twin_agree(seed: int, scenes: Callable[[int], Any]) -> None:
    """Contact, standing, load, friction and brakes: equal to the last bit, report by report or all at once."""
    rng, trucks = np.random.default_rng(seed), scenes(seed).trucks
    count = trucks.count
    columns_of = [*np.full((3, count), NEVER), *np.zeros((4, count), np.int64), *np.zeros((2, count))]
    fast = Picture._make(columns_of)
    of_trucks = (trucks.laden[:count], trucks.friction[:count], trucks.brake_health[:count])
    slow = SlowPicture._make([column.tolist() for column in (*fast, *of_trucks)])

    for tick in range(1, 12):
        reports = drawn(rng, count)
        news = remember_reports(columns(reports), tick * 100, tick, LADEN, ROAD, fast, trucks.columns)
        said = slow_remember_reports(reports, tick * 100, tick, LADEN, ROAD, slow)

        assert news == sum(NEWS[name] for name in said)
        assert [column.tolist() for column in fast] == list(slow[: len(fast)])
        assert [column.tolist() for column in of_trucks] == list(slow[len(fast) :])
