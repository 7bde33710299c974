"""Tables: the one place where columns are checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.tables import LaneTable, TableFault, require_column


def loop(draw: Any) -> Any:
    """Three lanes in a ring."""
    lanes = [draw.lane("a", ("p", "q"), 100.0), draw.lane("b", ("q", "r"), 50.0), draw.lane("c", ("r", "p"), 25.0)]
    return draw.scene_of(draw.corridor(lanes, [draw.zone("z", [(0, "b", 10.0, 20.0)]), draw.zone("y", [(0, "b", 15.0, 30.0)])]))


def test_stretches_where_no_truck_may_rest_are_merged(draw: Any) -> None:
    """Two zones that overlap close one stretch, not two with a false gap."""
    lanes: LaneTable = loop(draw).lanes

    assert lanes.stop_start.tolist() == [0, 0, 1, 1]
    assert (lanes.stop_from_m.tolist(), lanes.stop_to_m.tolist()) == ([10.0], [30.0])
    assert lanes.part_zone.tolist() == [0, 1]


def test_a_new_route_keeps_old_coordinates(draw: Any) -> None:
    """An end of authority is a number on the path: replacing what lies beyond must not move it by a bit."""
    scene = loop(draw)
    row = scene.place([0, 1], 10.0, 120.0, start_m=0.1 + 0.2)
    kept_m = scene.trucks.path_start_m[row, 1]

    scene.trucks.set_path(row, [1, 2, 0], kept_m)

    assert scene.trucks.path_start_m[row, 0] == kept_m
    assert scene.trucks.path(row) == [1, 2, 0]
    assert scene.trucks.locate(row, 1, 5.0) == kept_m + 5.0


def test_a_lanes_end_belongs_to_the_next_lane_but_an_end_is_said_on_the_one_before(draw: Any) -> None:
    """Half-open everywhere; an end at a boundary sweeps nothing of the next lane and should not name it."""
    scene = loop(draw)
    row = scene.place([0, 1], 10.0, 100.0)

    assert scene.trucks.lane_at(row, 100.0) == (1, 0.0)
    assert scene.trucks.end_point(row, 100.0) == (0, 100.0)
    assert scene.trucks.ground(row) == [(0, 10.0, 100.0)]
    assert scene.trucks.lane_at(row, 150.0) == (1, 50.0)
    assert np.isnan(scene.trucks.locate(row, 2, 1.0))


@pytest.mark.parametrize(("path", "why"), [([], "needs 1"), ([0, 2], "does not follow"), ([0, 1, 2, 0], "twice")])
def test_a_path_that_cannot_be_driven_is_refused(path: list[int], why: str, draw: Any) -> None:
    """Kernels walk paths without looking."""
    scene = loop(draw)
    row = scene.place([0, 1], 10.0, 100.0)

    with pytest.raises(TableFault, match=why):
        scene.trucks.set_path(row, path, 0.0)


def test_the_check_names_the_column(draw: Any) -> None:
    """Whoever broke a column must find it."""
    scene = loop(draw)
    row = scene.place([0, 1], 10.0, 100.0)
    scene.trucks.check()
    scene.trucks.bound_m[row] = np.nan

    with pytest.raises(TableFault, match="bound_m"):
        scene.trucks.check()


@pytest.mark.parametrize("column", [np.zeros(3, np.float32), np.zeros(2), np.array([1.0, np.nan, 2.0])])
def test_a_column_of_another_make_is_refused(column: Any) -> None:
    """dtype, shape, and numbers that are numbers."""
    with pytest.raises(TableFault, match="speed"):
        require_column("speed", column, (3,), np.float64)
