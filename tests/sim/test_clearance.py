"""Distances between bodies."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from sim_harness.clearance import body_clearances
from sim_harness.observation import FloatArray


def clearances(points: list[list[tuple[float, float]]], width_m: float = 2.0) -> FloatArray:
    """Of bodies with these points, all as wide."""
    line = np.array(points)
    out_m = np.empty((len(points), len(points)))
    body_clearances(np.ascontiguousarray(line[:, :, 0]), np.ascontiguousarray(line[:, :, 1]), np.full(len(points), width_m), out_m)
    return out_m


@pytest.mark.parametrize(
    ("other", "metres"),
    [
        pytest.param([(13.0, 0.0), (23.0, 0.0)], 3.0, id="behind one another"),
        pytest.param([(2.0, 5.0), (8.0, 5.0)], 3.0, id="side by side"),
        pytest.param([(13.0, 6.0), (23.0, 6.0)], 5.0, id="corner to corner"),
        pytest.param([(10.0, 0.0), (20.0, 0.0)], 0.0, id="bumper to bumper"),
        pytest.param([(5.0, -9.0), (5.0, 9.0)], 0.0, id="across, no corner inside the other"),
    ],
)
def test_distances_that_can_be_seen_on_paper(other: list[tuple[float, float]], metres: float) -> None:
    """A truck 10 m long and 2 m wide along the x axis, and another one."""
    out_m = clearances([[(0.0, 0.0), (10.0, 0.0)], other])

    assert out_m[0, 1] == pytest.approx(metres)
    assert out_m[1, 0] == out_m[0, 1]
    assert np.isinf(out_m.diagonal()).all()


def test_bent_bodies_are_as_far_apart_as_their_polygons() -> None:
    """Any pose, any bend: what a geometry library says is what we say."""
    random = np.random.default_rng(5)
    turns = np.cumsum(random.uniform(-0.5, 0.5, (80, 3)), axis=1) + random.uniform(0.0, 7.0, (80, 1))
    steps = 5.5 * np.stack([np.cos(turns), np.sin(turns)], axis=2)
    starts = random.uniform(0.0, 150.0, (80, 1, 2))
    points = np.concatenate([starts, starts + np.cumsum(steps, axis=1)], axis=1)

    out_m = clearances(points.tolist(), 3.2)

    bodies = [
        shapely.MultiPolygon([shapely.LineString(body[k : k + 2]).buffer(1.6, cap_style="flat") for k in range(3)]) for body in points
    ]
    rows, others = np.triu_indices(80, 1)
    expected_m = shapely.distance(np.array(bodies)[rows], np.array(bodies)[others])
    assert np.abs(out_m[rows, others] - expected_m).max() < 1e-9
    assert (expected_m == 0.0).any()
