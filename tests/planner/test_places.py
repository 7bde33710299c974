"""Where trucks are, as lanes and chainages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planner.kernels.places import find_places
from planner.oracle.places import slow_find_places
from planner.tables import TruckTable


def found(trucks: TruckTable) -> list[tuple[tuple[int, float], ...]]:
    """What the kernel says, truck by truck as the twin does."""
    lane_ix, chainage_m = np.empty((3, trucks.count), np.int32), np.empty((3, trucks.count))
    find_places(trucks.columns, lane_ix, chainage_m)
    pairs = zip(lane_ix.T.tolist(), chainage_m.T.tolist(), strict=True)
    return [tuple(zip(lanes, metres, strict=True)) for lanes, metres in pairs]


@pytest.mark.parametrize("seed", range(40))
def test_the_kernel_and_its_twin_agree_on_places(seed: int, scenes: Callable[[int], Any]) -> None:
    """On lanes, exactly on their boundaries, before the path and beyond it: equal to the last bit."""
    rng, trucks = np.random.default_rng(seed), scenes(seed).trucks
    for row in range(trucks.count):
        starts_m = trucks.path_start_m[row, : trucks.path_count[row] + 1]
        edge_m, beyond_m = rng.choice(starts_m), starts_m[-1] + 3.0
        for column in (trucks.nose_m, trucks.end_m, trucks.rear_m):
            column[row] = rng.choice([column[row], edge_m, np.nextafter(edge_m, -np.inf), starts_m[0] - 3.0, beyond_m])

    assert found(trucks) == slow_find_places(trucks)


def test_a_truck_without_a_path_is_on_no_lane(scenes: Callable[[int], Any]) -> None:
    """It has said hello and has not been placed yet; a reader must not take it for one on the first lane of the site."""
    trucks = scenes(1).trucks
    trucks.path_count[0] = 0

    lanes = [lane for lane, _ in found(trucks)[0]]

    assert lanes == [-1, -1, -1]
    assert found(trucks) == slow_find_places(trucks)
