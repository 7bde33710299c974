"""Who takes which job."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.assignment import assign
from planner.oracle.matching import slow_match_rows

INF = float("inf")


def test_the_sum_counts_and_not_the_first_comer() -> None:
    """Greedy would give the first taker the cheap job and pay 100 for the second."""
    cost = np.array([[1.0, 2.0], [1.0, 100.0]])

    assert assign(cost) == [(0, 1), (1, 0)]


def test_a_forbidden_pair_is_never_made() -> None:
    """A truck that cannot reach a bay does not get it, even when both stay without."""
    cost = np.array([[INF, INF], [3.0, INF]])

    assert assign(cost) == [(1, 0)]


def test_nobody_and_nothing_make_no_pairs() -> None:
    """An empty yard is no error."""
    assert assign(np.empty((0, 3))) == []
    assert assign(np.empty((3, 0))) == []


@pytest.mark.parametrize("cost", [np.array([[np.nan]]), np.array([[1e8]]), np.array([1.0])])
def test_costs_that_cannot_be_are_refused(cost: np.ndarray) -> None:
    """A cost as large as a forbidden one would make forbidden pairs."""
    with pytest.raises(ValueError, match="cost"):
        assign(cost)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(st.floats(-100.0, 100.0), min_size=n, max_size=n), min_size=1, max_size=4)))
@settings(max_examples=100, deadline=None)
def test_no_other_matching_costs_less(rows: list[list[float]]) -> None:
    """The whole point of the Hungarian method, against trying everything."""
    cost = np.array(rows)
    takers, jobs = cost.shape

    pairs = assign(cost)

    assert len(pairs) == min(takers, jobs)
    spent = sum(cost[pair] for pair in pairs)
    wide = cost if takers <= jobs else cost.T
    least = min(sum(wide[k, job] for k, job in enumerate(order)) for order in permutations(range(wide.shape[1]), wide.shape[0]))
    assert spent == pytest.approx(least)


@pytest.mark.parametrize("seed", range(60))
def test_the_kernel_and_its_twin_agree(seed: int) -> None:
    """Also which of several equally cheap matchings it is, so that the same run stays the same."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 30))
    shape = rows, rows + int(rng.integers(0, 20))
    cost = rng.integers(0, 6, shape).astype(np.float64) if seed % 2 else rng.uniform(-50.0, 50.0, shape)
    cost[rng.random(shape) < 0.2] = 1e9

    pairs = assign(np.where(cost < 1e9, cost, INF))

    twin = slow_match_rows(cost)
    assert pairs == [(row, column) for row, column in enumerate(twin) if cost[row, column] < 1e9]
    if shape[0] < shape[1]:
        assert sorted((job, taker) for taker, job in assign(np.where(cost < 1e9, cost, INF).T)) == pairs
