"""Which lanes differ between two maps: what is missed here, a truck drives by the wrong map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from planner.changes import changes_between
from planner.corridor import Corridor, GradePiece, Lane, Stand, StandKind, Stretch, Zone, ZoneKind, ZonePart
from sim_harness.tiny import TRUCK, tiny_corridor

SITE = tiny_corridor()


def with_lane(named: str, **changes: object) -> Corridor:
    """The site with another lane *named* so."""
    return replace(SITE, lanes=tuple(replace(lane, **changes) if lane.lane_id == named else lane for lane in SITE.lanes))  # type: ignore[arg-type]


def with_zone(**changes: object) -> Corridor:
    """The site with another zone."""
    return replace(SITE, zones=(replace(SITE.zones[0], **changes),))  # type: ignore[arg-type]


def lane_of(lane_id: str) -> Lane:
    """A lane of the site."""
    return SITE.lanes[SITE.lane_ix[lane_id]]


@pytest.mark.parametrize(
    "changes",
    [
        {"length_m": 1000.5},
        {"width_m": 3.9},
        {"speed_max_mps": 5.0},
        {"grades": (GradePiece(from_m=0.0, grade=0.001),)},
        {"points": ((0.0, 0.0), (500.0, 0.1), (1000.0, 0.0))},
        {"to_node_id": "far_east"},
    ],
)
def test_a_lane_drawn_otherwise_is_changed(changes: dict[str, object]) -> None:
    """Length, slope, limit, course: a truck supervises itself by each of them."""
    assert changes_between(SITE, with_lane("out", **changes)).lane_ids == {"out"}


@pytest.mark.parametrize(
    "draw",
    [
        lambda: replace(SITE, no_stops=(Stretch(lane_id="back", start_m=10.0, end_m=20.0),)),
        lambda: replace(
            SITE, stands=(*SITE.stands, Stand(stand_id="P2", yard_id="W", kind=StandKind.PARKING, lane_id="back", stop_m=90.0))
        ),
        lambda: replace(SITE, gates=(*SITE.gates, replace(SITE.gates[0], gate_id="G2", lane_id="back"))),
        lambda: with_lane("back", lane_id="way_back"),
    ],
)
def test_what_is_put_on_a_lane_changes_it(draw: Callable[[], Corridor]) -> None:
    """Where no truck may rest, where it waits and where it stands belong to the lane; a lane of another name is another lane."""
    assert changes_between(SITE, draw()).lane_ids == {"back"}


@pytest.mark.parametrize("changes", [{"kind": ZoneKind.EXCLUSIVE}, {"parts": SITE.zones[0].parts[:1]}])
def test_a_zone_that_differs_changes_every_lane_it_lies_on(changes: dict[str, object]) -> None:
    """Who holds it holds all of it, on whichever of its lanes."""
    assert changes_between(SITE, with_zone(**changes)).lane_ids == {"out", "back"}


def test_a_zone_under_another_name_is_the_same() -> None:
    """Zones are named in the order they are found: one more must not make all of them strangers."""
    turned = tuple(replace(part, branch=1 - part.branch) for part in SITE.zones[0].parts)

    assert changes_between(SITE, with_zone(zone_id="other", parts=turned)).lane_ids == frozenset()


def test_a_second_zone_on_the_same_metres_is_a_change() -> None:
    """Two holders where there was one."""
    again = replace(SITE.zones[0], zone_id="again")

    assert changes_between(SITE, replace(SITE, zones=(*SITE.zones, again))).lane_ids == {"out", "back"}


def test_the_order_of_lanes_is_no_change() -> None:
    """Rows are ours; a lane is its name."""
    assert changes_between(SITE, replace(SITE, lanes=SITE.lanes[::-1])).lane_ids == frozenset()


def test_a_new_lane_changes_only_what_shares_its_ground() -> None:
    """Nobody can be on it yet."""
    siding = replace(lane_of("out"), lane_id="siding")
    parts = (
        ZonePart(branch=0, stretch=Stretch(lane_id="siding", start_m=0.0, end_m=30.0)),
        ZonePart(branch=1, stretch=Stretch(lane_id="out", start_m=0.0, end_m=30.0)),
    )
    diverge = Zone(zone_id="diverge", kind=ZoneKind.DIRECTIONAL, parts=parts, derived=True)

    after = replace(SITE, lanes=(siding, *SITE.lanes), zones=(diverge, *SITE.zones))

    # The zone that lay on `out` before is the same, and so is `back`.
    assert changes_between(SITE, after).lane_ids == {"out"}


def test_a_lane_that_is_gone_is_changed() -> None:
    """Whoever is on it has nowhere to be afterwards."""
    after = replace(SITE, lanes=tuple(lane for lane in SITE.lanes if lane.lane_id != "turn_west"))

    assert changes_between(SITE, after).lane_ids == {"turn_west"}


def test_another_origin_moves_everything() -> None:
    """Metres east and north count from it."""
    assert changes_between(SITE, replace(SITE, origin_latitude_deg=42.42)).lane_ids == {lane.lane_id for lane in SITE.lanes}


def test_a_truck_type_is_changed_when_any_figure_is() -> None:
    """Brakes and length decide how much road a truck needs; types that only come are nobody's."""
    weaker, longer = replace(TRUCK, brake_guaranteed_mps2=2.0), replace(TRUCK, truck_type_id="road_train", length_m=30.0)

    changed = changes_between(SITE, replace(SITE, truck_types=(weaker, longer)))

    assert changed.truck_type_ids == {TRUCK.truck_type_id}
    assert changes_between(SITE, replace(SITE, truck_types=(TRUCK, longer))).truck_type_ids == frozenset()
