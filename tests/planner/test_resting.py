"""Where trucks can rest: a queue that is thought longer than it is ends where others must pass."""

from __future__ import annotations

from fleet.site import load_site
from planner.resting import rests
from planner.tables import LaneTable

BIG = load_site("ganqimaodu")
TABLE = LaneTable.of(BIG)


def resting(lane_id: str, to_m: float) -> int:
    """How many rest on one lane up to a place."""
    kind = BIG.truck_types[0]
    return rests(TABLE, [BIG.lane_ix[lane_id]], to_m, kind.length_m, kind.roll_back_m)


def test_two_trucks_wait_for_an_x_ray() -> None:
    """From the fork to the server are 61 m, but the last one's tail must be out of the fork."""
    line_m = BIG.gates[BIG.gate_ix["xray_1"]].stop_line_m

    assert resting("xray_1", line_m) == 2
    assert resting("xray_1", line_m - 23.0) == 1


def test_nobody_rests_where_no_stretch_is_long_enough() -> None:
    """A truck is longer than a few metres."""
    assert resting("xray_1", 40.0) == 0
