"""A truck whose brakes are weaker than declared: it delivers what is aboard, is laid up nearby, and comes back by a person's word."""

from __future__ import annotations

import pytest

from fleet.errors import InvalidField
from fleet.server import commands as c
from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.facts import BrakesDerated, LaneFrictionSet
from fleet.site import load_site
from planner.authority import Cause
from tests.fleet.desk_road import DeskRoad, Plant

MANDULA = load_site("mandula")


def derate(road: DeskRoad, row: int, health: float = 0.8) -> None:
    """The loop believes that the truck's brakes are weak."""
    fact = BrakesDerated(row=row, brake_health=health, at_ns=road.now_ns)
    road.facts.append(fact)
    road.desk.apply(fact)


def stand(road: DeskRoad, row: int) -> str:
    """Where the truck stands, or is bound for."""
    return road.desk.truck(row).goal_id


def laid_up(road: DeskRoad, row: int) -> bool:
    """Whether it is parked for good, with the reason named."""
    return bool(road.desk.books.trips.settled[row]) and Cause(int(road.desk.limit_cause[row])) is Cause.FAULT


def test_a_parked_truck_gets_no_mission_and_another_does() -> None:
    """Orders wait for no repair."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_park_02"], Plant(bay_s=10.0))
    derate(road, 0)
    road.order(2)

    assert road.until(lambda: road.mission_state(1) == "LADEN", 300)

    assert road.mission_state(0) == ""
    assert stand(road, 0) == "mn_park_01"
    assert laid_up(road, 0)


def test_health_above_the_bound_is_no_fault() -> None:
    """A truck that is a little weaker is believed a little weaker, and works."""
    road = DeskRoad(MANDULA, ["mn_park_01"], Plant(bay_s=10.0))
    derate(road, 0, health=0.93)
    road.order(2)

    assert road.until(lambda: road.mission_state(0) == "LADEN", 300)


def test_a_truck_on_its_way_to_load_gives_its_mission_back() -> None:
    """Seventy tonnes more is the last thing weak brakes need; another truck takes the containers."""
    road = DeskRoad(MANDULA, ["mn_park_01"], Plant(bay_s=10.0))
    order_id = road.order(2)
    assert road.until(lambda: road.mission_state(0) in {"ASSIGNED", "TO_LOAD"}, 60)
    derate(road, 0)

    assert road.until(lambda: laid_up(road, 0), 300)

    assert road.mission_state(0) == ""
    assert stand(road, 0).startswith("mn_park")
    assert road.desk.books.orders.by_id[order_id].waiting_count == 2


def test_a_laden_truck_delivers_and_is_laid_up_in_the_yard_it_is_in() -> None:
    """What is aboard has to come off somewhere; then each metre less is one less to brake on."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=10.0))
    order_id = road.order(20)
    assert road.until(lambda: road.mission_state(0) == "TO_UNLOAD", 120)
    derate(road, 0)

    assert road.until(lambda: laid_up(road, 0), 2400)
    road.step(600)

    assert stand(road, 0).startswith("cn_park")
    assert road.desk.books.orders.by_id[order_id].delivered_count == 2
    assert laid_up(road, 0)


def test_a_laid_up_truck_does_not_leave_to_charge() -> None:
    """A person who comes for its brakes brings power too."""
    road = DeskRoad(MANDULA, ["mn_park_01"], Plant())
    derate(road, 0)
    road.battery_wh[0] = 1000.0

    road.step(300)

    assert stand(road, 0) == "mn_park_01"
    assert laid_up(road, 0)


def test_it_stays_laid_up_through_a_restart_and_leaves_when_recommissioned() -> None:
    """The fact outlives the server; a person who had the brakes put right ends it, and decommissioning with it."""
    road = DeskRoad(MANDULA, ["mn_park_01"], Plant(bay_s=10.0), DispatchOptions(day_start_s=10 * 3600))
    derate(road, 0)
    road.give(c.DecommissionTruck(request_id="out", truck_id="T00", reason="brakes"))
    road = road.recover()
    road.order(2)
    road.step(100)
    still = laid_up(road, 0)

    answer = road.give(c.RecommissionTruck(request_id="in", truck_id="T00", reason="new linings"), "od")

    assert still
    assert isinstance(answer, c.TruckAnswer)
    assert not answer.decommissioned
    assert road.until(lambda: road.mission_state(0) == "LADEN", 300)


@pytest.mark.parametrize(
    "command",
    [
        c.RecommissionTruck(request_id="a", truck_id="T00", reason=" "),
        c.SetLaneFriction(request_id="b", lane_id="sb_1", friction=0.0, reason="gritted"),
        c.SetLaneFriction(request_id="c", lane_id="sb_1", friction=0.7, reason=""),
    ],
)
def test_a_word_that_makes_things_better_says_why(command: c.Command) -> None:
    """It is the one thing that stands between weak brakes and full speed."""
    road = DeskRoad(MANDULA, ["mn_park_01"])

    with pytest.raises(InvalidField):
        road.give(command)


def test_a_persons_word_on_a_lanes_grip_is_a_fact() -> None:
    """The loop believes it in the same tick, the journal for good."""
    road = DeskRoad(MANDULA, [])

    road.give(c.SetLaneFriction(request_id="g", lane_id="sb_1", friction=0.3, reason="frost at 04:00"), "od")

    lane_ix = MANDULA.lane_ix["sb_1"]
    assert LaneFrictionSet(lane_ix=lane_ix, friction=0.3, reason="frost at 04:00", actor="od") in road.facts
