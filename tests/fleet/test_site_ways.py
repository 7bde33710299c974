"""What the desk does about lanes that a proposed site changes, and about ways that ended where the sites differed."""

from __future__ import annotations

import pytest

from fleet.server.dispatch.mission import MissionState
from fleet.server.dispatch.trips import NOWHERE
from fleet.server.facts import BrakesDerated, RouteSet
from fleet.server.site_facts import SiteProposed, SiteWithdrawn
from fleet.site import load_site
from planner.authority import Cause
from tests.fleet.desk_road import DeskRoad, Plant

MANDULA = load_site("mandula")


def bar(road: DeskRoad, *lane_ids: str) -> None:
    """A site is proposed that changes these lanes, and no others."""
    proposed = SiteProposed(
        site_id="other",
        digest="other",
        text="",
        changed_lanes=tuple(MANDULA.lane_ix[lane_id] for lane_id in lane_ids),
        changed_truck_type_ids=(),
        actor="op",
        at_ns=road.now_ns,
    )
    road.desk.apply(proposed)


def goal(road: DeskRoad, row: int = 0) -> str:
    """The stand that a truck has or is bound for."""
    goal_ix = road.desk.books.trips.known(row).goal_ix
    return MANDULA.stands[goal_ix].stand_id if goal_ix != NOWHERE else ""


def on_lane(road: DeskRoad, row: int = 0) -> str:
    """The lane under a nose."""
    lane, _ = road.trucks.lane_at(row, float(road.trucks.nose_m[row]))
    return MANDULA.lanes[lane].lane_id


def test_nobody_sets_out_over_a_lane_that_is_to_change() -> None:
    """He stays where he stands in nobody's way, until the site is withdrawn."""
    road = DeskRoad(MANDULA, ["cn_park_01"])
    bar(road, "nb_1")
    road.step(300)
    stayed, why = on_lane(road), Cause(int(road.desk.limit_cause[0]))

    road.desk.apply(SiteWithdrawn(digest="other", actor="op", at_ns=road.now_ns))
    road.step(300)

    assert (stayed, why) == ("cn_park_01", Cause.SITE_CHANGE)
    assert on_lane(road) != "cn_park_01"
    assert goal(road).startswith("mn_park")


@pytest.mark.parametrize("laid_up", [False, True])
def test_who_stands_idle_on_what_is_to_change_makes_way(*, laid_up: bool) -> None:
    """
    Otherwise he would block the switch for as long as there is nothing to do; with weak brakes, until a person mends them.

    He goes nowhere that is to change as well.
    """
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_park_12"])
    if laid_up:
        road.desk.apply(BrakesDerated(row=0, brake_health=0.8, at_ns=1))
    road.step(50)
    before = goal(road, 0), goal(road, 1)

    bar(road, *(f"mn_park_{at:02}" for at in range(1, 11)))

    assert road.until(lambda: goal(road) != "mn_park_01", 5)
    chosen = goal(road)
    assert road.until(lambda: bool(road.desk.books.trips.settled[0]), 400)
    assert chosen == "mn_park_11"
    assert before == ("mn_park_01", "mn_park_12")
    assert (goal(road, 0), goal(road, 1)) == ("mn_park_11", "mn_park_12")
    assert road.desk.books.stands.held_by(0) == [MANDULA.stand_ix["mn_park_11"]]


def test_no_stand_that_is_to_change_is_booked() -> None:
    """The new site may have none there."""
    road = DeskRoad(MANDULA, ["cn_park_01"])
    bar(road, *(f"mn_park_{at:02}" for at in range(1, 12)))

    assert road.until(lambda: goal(road).startswith("mn_"), 60)

    assert goal(road) == "mn_park_12"


def test_a_truck_bound_for_a_stand_that_is_to_change_gets_another() -> None:
    """While it is still on its way; what it had is free again."""
    road = DeskRoad(MANDULA, ["cn_park_01"])
    assert road.until(lambda: goal(road).startswith("mn_park"), 60)
    bound_for = goal(road)

    bar(road, bound_for)

    assert road.until(lambda: goal(road) != bound_for, 5)
    assert goal(road).startswith("mn_park")
    assert MANDULA.stand_ix[bound_for] not in road.desk.books.stands.held_by(0)
    assert MANDULA.stand_ix[goal(road)] in road.desk.books.stands.held_by(0)
    assert road.until(lambda: bool(road.desk.books.trips.settled[0]), 900)


def test_a_truck_that_loses_its_loading_bay_gets_the_other_or_waits_for_one() -> None:
    """Its mission is not lost with the bay."""
    road = DeskRoad(MANDULA, ["mn_park_01"], Plant(bay_s=5.0))
    road.order(2)
    assert road.until(lambda: road.mission_state(0) == MissionState.TO_LOAD.name, 120)
    lost = goal(road)
    other = {"mn_bay_01": "mn_bay_02", "mn_bay_02": "mn_bay_01"}[lost]

    bar(road, lost)
    road.until(lambda: goal(road) != lost, 2)
    instead = goal(road), road.mission_state(0)
    bar(road, lost, other)
    road.until(lambda: goal(road) != other, 2)
    parked = goal(road), road.mission_state(0)

    assert instead == (other, "TO_LOAD")
    assert parked[0].startswith("mn_park")
    assert parked[1] == "ASSIGNED"
    bar(road)
    assert road.until(lambda: road.mission_state(0) == MissionState.LADEN.name, 900)


def test_a_truck_whose_path_ends_before_its_goal_is_found_the_rest_of_its_way() -> None:
    """As after a switch: the path was cut where the sites differed, the stand is still its own."""
    road = DeskRoad(MANDULA, ["cn_park_01"])
    assert road.until(lambda: on_lane(road) == "nb_1", 300)
    books = road.desk.books
    path = books.trips.path_of(0)
    k = path.lanes.index(MANDULA.lane_ix["nb_3"])
    cut = RouteSet(row=0, lanes=path.lanes[:k], start_m=path.starts_m[0], goal_m=path.starts_m[k])
    bound_for = goal(road)

    books.apply(cut)
    road.trucks.set_path(0, cut.lanes, cut.start_m)
    road.desk._draw_loose()
    waits = Cause(int(road.desk.limit_cause[0]))
    road.live[:] = False
    road.step(30)
    unseen = set(books.trips.cut_off)
    road.live[:] = True

    assert waits is Cause.SITE_CHANGE
    assert unseen == {0}
    assert road.until(lambda: not books.trips.cut_off, 5)
    assert goal(road) == bound_for
    assert road.until(lambda: bool(books.trips.settled[0]), 900)
