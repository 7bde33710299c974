"""The road within reach of a place."""

from __future__ import annotations

import pytest

from fleet.server.reach import Reach
from fleet.site import load_site
from planner.limits import SAME_PLACE_M
from planner.tables import LaneTable

MANDULA = load_site("mandula")


def test_a_reach_goes_by_the_shortest_way_onto_a_lane() -> None:
    """A detour found first must not decide how far the reach goes beyond."""
    table = LaneTable.of(MANDULA)
    reach = Reach(table)

    for lane_ix in range(table.count):
        for forward in (True, False):
            start_m = 0.5 * float(table.length_m[lane_ix])
            found = solid(reach.along(lane_ix, start_m, 300.0, forward=forward))
            slow = solid(slow_reach(table, lane_ix, start_m, 300.0, forward=forward))
            assert found.keys() == slow.keys()
            assert all(found[lane] == pytest.approx(slow[lane]) for lane in found)


def solid(found: dict[int, tuple[float, float]]) -> dict[int, tuple[float, float]]:
    """Without what only rounding reaches."""
    return {lane: (low_m, high_m) for lane, (low_m, high_m) in found.items() if high_m - low_m > SAME_PLACE_M}


def slow_reach(table: LaneTable, lane_ix: int, from_m: float, reach_m: float, *, forward: bool) -> dict[int, tuple[float, float]]:
    """The same by relaxing every lane until nothing changes."""
    length_m = table.length_m.tolist()
    after = [table.succ_lane[table.succ_start[lane] : table.succ_start[lane + 1]].tolist() for lane in range(table.count)]
    ways = [(a, b) if forward else (b, a) for a, onward in enumerate(after) for b in onward]
    first_m = length_m[lane_ix] - from_m if forward else from_m
    entered = {b: reach_m - first_m for a, b in ways if a == lane_ix and reach_m > first_m}
    changed = True
    while changed:
        changed = False
        for a, b in ways:
            left_m = entered.get(a, 0.0) - length_m[a]
            if left_m > entered.get(b, 0.0):
                entered[b] = left_m
                changed = True
    found = {
        lane: (0.0, min(m, length_m[lane])) if forward else (max(length_m[lane] - m, 0.0), length_m[lane]) for lane, m in entered.items()
    }
    low_m, high_m = (from_m, min(from_m + reach_m, length_m[lane_ix])) if forward else (max(from_m - reach_m, 0.0), from_m)
    known = found.get(lane_ix, (low_m, high_m))
    return {**found, lane_ix: (min(low_m, known[0]), max(high_m, known[1]))}
