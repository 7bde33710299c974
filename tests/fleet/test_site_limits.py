"""Who must keep off the lanes that change, and who is let out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fleet.server.loop.site_limits import EDGE_M, Limits
from planner.corridor import Corridor, Stretch
from planner.tables import LaneTable, TruckTable
from sim_harness.tiny import TRUCK, tiny_corridor

RING = ("out", "unload", "turn_east", "back", "turn_west", "load")
START_M = dict(zip(RING, (0.0, 1000.0, 1200.0, 1220.0, 2620.0, 2640.0), strict=True))
SITE = tiny_corridor()


def on_ring(nose_m: float, end_m: float, changed: Sequence[str], site: Corridor = SITE) -> tuple[Limits, TruckTable]:
    """One truck on its way round, from the start of `out`, and the lanes that change."""
    trucks = TruckTable(LaneTable.of(site), 2)
    row = trucks.add(TRUCK)
    trucks.set_path(row, [site.lane_ix[lane_id] for lane_id in RING], 0.0)
    trucks.nose_m[row], trucks.rear_m[row] = nose_m, nose_m - 18.0
    trucks.end_m[row] = trucks.sent_m[row] = end_m
    return Limits(trucks, [site.lane_ix[lane_id] for lane_id in changed]), trucks


def lane_before(limits: Limits) -> str | None:
    """The lane that the truck is held before."""
    limit = limits.of(0)
    if limit is None:
        return None
    lane_id = SITE.lanes[limit[1]].lane_id
    assert limit[0] == START_M[lane_id] - EDGE_M
    return lane_id


@pytest.mark.parametrize(
    ("end_m", "changed", "before"),
    [
        (100.0, ("unload",), "unload"),  # far ahead
        (999.9, ("unload",), "unload"),  # held up to its edge
        (1000.0, ("unload",), "unload"),  # up to it, and no metre of it
        (100.0, ("back", "unload"), "unload"),  # the first one counts
        (100.0, (), None),
    ],
)
def test_who_holds_no_changed_metre_stays_before_the_first(end_m: float, changed: tuple[str, ...], before: str | None) -> None:
    """An end right at the edge is none; the next metre would be."""
    limits, _ = on_ring(80.0, end_m, changed)

    assert lane_before(limits) == before


@pytest.mark.parametrize(
    ("end_m", "changed", "before"),
    [
        (1000.5, ("unload",), None),  # on it, and free beyond
        (1000.5, ("unload", "back"), None),  # 20 m between them hold no truck: it goes on over both
        (1000.5, ("unload", "back", "load"), None),
        (1000.5, ("unload", "turn_east", "back"), None),
        (1000.5, ("unload", "turn_west"), "turn_west"),  # a road between them does
        (1000.5, ("out", "unload", "load"), "load"),
    ],
)
def test_who_holds_some_is_let_out(end_m: float, changed: tuple[str, ...], before: str | None) -> None:
    """It may go on until it can come to rest with its whole body off what changes."""
    limits, _ = on_ring(990.0, end_m, changed)

    assert lane_before(limits) == before


def test_a_gap_without_a_place_to_rest_is_no_gap() -> None:
    """Before the next changed lane no end may lie, and further back the truck would still stand on the last one."""
    no_rest = replace(SITE, no_stops=(Stretch(lane_id="back", start_m=15.0, end_m=1400.0),))
    room = replace(SITE, no_stops=(Stretch(lane_id="back", start_m=30.0, end_m=1400.0),))

    assert lane_before(on_ring(1215.0, 1219.0, ("turn_east", "turn_west"), no_rest)[0]) is None
    assert lane_before(on_ring(1215.0, 1219.0, ("turn_east", "turn_west"), room)[0]) == "turn_west"


@pytest.mark.parametrize(
    ("nose_m", "end_m", "touched"),
    [
        (980.0, 999.9, []),
        (980.0, 999.96, ["unload"]),  # it may be called by the name of the lane that changes
        (980.0, 1000.1, ["unload"]),
        (999.6, 999.7, ["unload"]),  # its nose may be there, whatever it was given
        (1017.9, 1210.0, ["unload"]),
        (1218.1, 1219.0, []),  # its rear has left
    ],
)
def test_a_changed_lane_is_touched_by_body_road_and_the_names_of_both(nose_m: float, end_m: float, touched: list[str]) -> None:
    """What blocks the switch, metre by metre."""
    limits, _ = on_ring(nose_m, end_m, ["unload"])

    assert [SITE.lanes[lane].lane_id for lane in limits.touched_by(0)] == touched


def test_a_truck_without_a_path_is_nowhere() -> None:
    """A removed truck holds nothing."""
    limits, trucks = on_ring(980.0, 1100.0, ["unload"])
    trucks.path_count[0] = 0

    assert limits.of(0) is None
    assert limits.touched_by(0) == []
