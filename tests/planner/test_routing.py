"""Ways over lanes: shortest, round what is barred, the same on every machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.corridor import (
    Corridor,
    Lane,
    Node,
)
from planner.oracle_routing import slow_shortest_times
from planner.routing import Roads, alternatives
from planner.tables import LaneTable, TableFault


def corridor_of(edges: list[tuple[int, int, float]]) -> Corridor:
    """Lanes between numbered nodes, each with its length."""
    nodes = sorted({node for start, end, _ in edges for node in (start, end)})
    lanes = tuple(
        Lane(
            lane_id=f"l{ix}",
            from_node_id=f"n{start}",
            to_node_id=f"n{end}",
            points=((float(start), 0.0), (float(end), 1.0)),
            length_m=length_m,
            width_m=4.0,
            speed_max_mps=1.0,
        )
        for ix, (start, end, length_m) in enumerate(edges)
    )
    return Corridor(
        site_id="graph",
        origin_latitude_deg=0.0,
        origin_longitude_deg=0.0,
        nodes=tuple(Node(node_id=f"n{node}", x_m=float(node), y_m=0.0) for node in nodes),
        lanes=lanes,
        zones=(),
        no_stops=(),
        gates=(),
        stands=(),
        yards=(),
        truck_types=(),
        windows=(),
        shift_handovers=(),
        processes={},
        digest="",
    )


# In, two parallel lanes of 20 and 30 m, out.
FORK = [(0, 1, 10.0), (1, 2, 20.0), (1, 2, 30.0), (2, 3, 10.0)]


def test_the_quicker_of_two_lanes_is_taken() -> None:
    """The way costs what its lanes cost, the source's own lane not among them."""
    lanes = LaneTable.of(corridor_of(FORK))

    way = Roads(lanes).way(0, 3, lanes.length_m)

    assert way is not None
    assert way.lanes == (1, 3)
    assert way.time_s == pytest.approx(30.0)


def test_a_barred_lane_is_driven_round() -> None:
    """A closure costs infinity, and the parallel lane is found."""
    lanes = LaneTable.of(corridor_of(FORK))
    cost_s = lanes.length_m.copy()
    cost_s[1] = np.inf

    way = Roads(lanes).way(0, 3, cost_s)

    assert way is not None
    assert way.lanes == (2, 3)


def test_where_no_way_leads_there_is_none() -> None:
    """Nobody is sent into a wall: against the direction of a lane there is no way."""
    lanes = LaneTable.of(corridor_of(FORK))

    assert Roads(lanes).way(3, 0, lanes.length_m) is None


def test_the_source_reaches_itself_without_lanes() -> None:
    """A truck whose goal lies on the lane it is on needs no new lanes."""
    lanes = LaneTable.of(corridor_of(FORK))

    way = Roads(lanes).way(2, 2, lanes.length_m)

    assert way is not None
    assert way.lanes == ()


def test_alternatives_use_the_parallel_lane() -> None:
    """Two gates side by side are two ways, not one way twice."""
    lanes = LaneTable.of(corridor_of(FORK))

    ways = alternatives(Roads(lanes), 0, 3, lanes.length_m, count=3)

    assert [way.lanes for way in ways] == [(1, 3), (2, 3)]
    assert [way.time_s for way in ways] == pytest.approx([30.0, 40.0])


def test_a_cost_that_is_no_number_is_refused() -> None:
    """A nan would compare false everywhere and lose lanes without a word."""
    lanes = LaneTable.of(corridor_of(FORK))
    cost_s = lanes.length_m.copy()
    cost_s[2] = np.nan

    with pytest.raises(TableFault):
        Roads(lanes).way(0, 3, cost_s)


EDGES = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 8), st.floats(1.0, 50.0)).filter(lambda edge: edge[0] != edge[1]), min_size=1, max_size=30
)


@given(edges=EDGES, source=st.integers(0, 29), barred=st.sets(st.integers(0, 29)))
@settings(max_examples=150, deadline=None)
def test_times_equal_the_slow_twin(edges: list[tuple[int, int, float]], source: int, barred: set[int]) -> None:
    """The heap may not lose a lane: relaxation until nothing improves gives the same times, and ways add up to them."""
    lanes = LaneTable.of(corridor_of(edges))
    cost_s = lanes.length_m.copy()
    cost_s[[lane for lane in barred if lane < lanes.count]] = np.inf
    source_ix = source % lanes.count

    reach = Roads(lanes).reach(source_ix, cost_s)

    assert reach.time_s.tolist() == slow_shortest_times(lanes.succ_start, lanes.succ_lane, cost_s, source_ix)
    for goal in range(lanes.count):
        way = reach.way_to(goal)
        assert (way is None) == (not np.isfinite(reach.time_s[goal]))
        if way is not None:
            assert sum(cost_s[list(way.lanes)]) == pytest.approx(way.time_s)
            assert len(set(way.lanes)) == len(way.lanes)
