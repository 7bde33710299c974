"""Who loads for which order: the nearest, urgent orders first, and what can still change before a bay is booked."""

from __future__ import annotations

import pytest

from fleet.server import commands as c
from fleet.site import load_site
from tests.fleet.desk_road import DeskRoad, Plant

MANDULA = load_site("mandula")
NEVER_S = 1e9


def test_the_nearest_truck_is_taken() -> None:
    """A truck on the far side is not sent for when one stands before the bay."""
    road = DeskRoad(MANDULA, ["cn_park_01", "mn_park_01"])
    road.order(2)

    road.step(80)

    assert road.mission_state(1) in {"ASSIGNED", "TO_LOAD"}
    assert road.mission_state(0) == ""


def test_whoever_is_free_at_home_has_the_mission_of_a_truck_that_still_stands_afar() -> None:
    """The last containers do not wait for who is kept in the other yard, while a truck with nothing to do stands before the bays."""
    home = [stand.stand_id for stand in MANDULA.stands if stand.yard_id == "mn"]
    road = DeskRoad(MANDULA, ["cn_park_01", *home])
    for row in range(1, len(home) + 1):
        road.give(c.HoldTruck(request_id=f"hold-{row}", truck_id=f"T{row:02d}", reason="tyre"))
    road.order(2)
    road.step(80)
    assert road.mission_state(0) == "ASSIGNED"

    road.give(c.ResumeTruck(request_id="resume", truck_id="T01"))
    road.step(80)

    assert road.mission_state(0) == ""
    assert road.mission_state(1) in {"ASSIGNED", "TO_LOAD"}


@pytest.mark.parametrize("kept_by", ["hold", "silence"])
def test_whoever_is_free_at_home_has_the_mission_of_a_truck_that_cannot_move(kept_by: str) -> None:
    """A tyre, or a dead radio, must not keep the last containers waiting."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_bay_02", "mn_park_01"], Plant(bay_s=NEVER_S))
    road.order(6)
    assert road.until(lambda: [road.mission_state(row) for row in range(3)] == ["LOADING", "LOADING", "ASSIGNED"], 60)
    if kept_by == "hold":
        road.give(c.HoldTruck(request_id="hold", truck_id="T02", reason="tyre"))
    else:
        road.live[2] = False

    road.place("T03", MANDULA.stands[MANDULA.stand_ix["mn_park_02"]])
    road.step(80)

    assert road.mission_state(2) == ""
    assert road.mission_state(3) == "ASSIGNED"


def test_with_work_for_all_nobody_gives_a_mission_up() -> None:
    """A truck that is sent for has its load to come for."""
    road = DeskRoad(MANDULA, ["cn_park_01", "mn_park_01"])
    road.order(4)

    road.step(80)

    assert road.mission_state(0) == "ASSIGNED"
    assert road.mission_state(1) in {"ASSIGNED", "TO_LOAD"}
    assert sorted(mission.number for mission in road.desk.books.missions.of_row.values()) == [1, 2]


def test_urgent_orders_go_first() -> None:
    """Priority before age, for whatever is not yet promised."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    road.order(10)
    urgent = road.order(2, priority=3)

    road.step(80)

    assert road.desk.books.missions.of_row[0].order_id == urgent


def test_a_truck_that_waits_for_a_bay_loads_for_whoever_is_due_first_by_then() -> None:
    """All trucks have missions for the coal before the train comes; its boxes would leave an hour late if they waited behind them."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_bay_02", "mn_park_01", "mn_park_02"], Plant(bay_s=NEVER_S))
    coal = road.order(100)
    assert road.until(lambda: [road.mission_state(row) for row in range(4)] == ["LOADING"] * 2 + ["ASSIGNED"] * 2, 60)

    train = road.order(3, due_ns=3_600_000_000_000)
    road.step(60)

    missions = road.desk.books.missions.of_row
    promised = sorted((missions[row].order_id, len(missions[row].containers)) for row in range(4))
    assert promised == [(coal, 2), (coal, 2), (train, 1), (train, 2)]
    assert road.desk.books.missions.promised() == {coal: 4, train: 3}
