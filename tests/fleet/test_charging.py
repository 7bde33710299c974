"""Who charges when and where; nobody sets out for where the battery does not last."""

from __future__ import annotations

import numpy as np
import pytest

from fleet.clock import NS_PER_S
from fleet.server import commands as c
from fleet.server.dispatch.batteries import Forecast
from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.dispatch.stands import BayProven, BayState
from fleet.site import load_site
from planner.authority import Cause
from tests.fleet.desk_road import DeskRoad, Plant

MANDULA = load_site("mandula")
NEVER_S = 1e9
FULL_WH = 350_000.0
CHARGERS = ["mn_swap_01", "mn_swap_02", "mn_plug_01", "mn_plug_02"]


def forecast(road: DeskRoad) -> Forecast:
    """What the desk counts on now."""
    return road.desk._departures._charging.batteries.forecasts[0]


def goal(road: DeskRoad, row: int) -> str:
    """Where the truck goes or stands."""
    return road.desk.truck(row).goal_id


def cause(road: DeskRoad, row: int) -> Cause:
    """Why it may go no further."""
    return Cause(int(road.desk.limit_cause[row]))


def discharge(road: DeskRoad, row: int, power_w: float, seconds: int) -> None:
    """Time passes while a truck draws power."""
    for _ in range(seconds):
        road.battery_wh[row] -= power_w / 3600.0
        road.step(10)


def test_a_mission_is_for_a_battery_that_lasts_to_its_end_and_to_a_charger() -> None:
    """One watt-hour too few is a truck on the road that nobody can pass."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_park_02"], Plant(bay_s=NEVER_S))
    road.battery_wh[0] = forecast(road).mission_wh - 1.0
    road.battery_wh[1] = forecast(road).mission_wh + 1.0
    road.order(4)

    road.step(80)

    assert [road.mission_state(row) != "" for row in range(2)] == [False, True]
    assert goal(road, 0).startswith("mn_swap")
    assert road.until(lambda: cause(road, 0) is Cause.CHARGING, 300)


def test_the_way_from_the_far_yard_to_the_load_is_counted_too() -> None:
    """A truck that stands on the other side has further to go than one before the bays."""
    told = forecast(DeskRoad(MANDULA, []))

    assert told.fetched_wh > told.mission_wh > told.trip_wh > told.home_wh


@pytest.mark.parametrize(("power_w", "least_w", "most_w"), [(6000.0, 5500.0, 8500.0), (31_000.0, 30_000.0, 40_000.0)])
def test_what_trucks_draw_is_seen_in_those_that_stand(power_w: float, least_w: float, most_w: float) -> None:
    """No site file says how cold it is; a battery does."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    unknown = forecast(road)

    discharge(road, 0, power_w, 140)

    hours = unknown.trip_s / 3600.0
    driving_wh = unknown.trip_wh - 32_000.0 * hours
    assert least_w < (forecast(road).trip_wh - driving_wh) / hours < most_w


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_battery_that_fails_does_not_hold_the_fleet(count: int) -> None:
    """It empties in a moment, and the forecast of all is what the fleet is seen to draw: nobody would set out for anywhere."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_park_02", "mn_park_03"][:count])
    last = count - 1
    road.battery_wh[:count] = FULL_WH
    road.give(c.HoldTruck(request_id="h", truck_id=f"T{last:02d}", reason="smoke"), "bat")
    for _ in range(140):
        road.battery_wh[:count] -= 6000.0 / 3600.0
        road.step(10)
    before = forecast(road).mission_wh

    road.battery_wh[last] = 1000.0
    for _ in range(140):
        road.battery_wh[:last] -= 6000.0 / 3600.0
        road.step(10)

    assert forecast(road).mission_wh <= 1.1 * before


@pytest.mark.parametrize("step_wh", [600.0, FULL_WH / 100.0])
def test_a_gauge_that_falls_in_steps_shows_what_is_drawn_all_the_same(step_wh: float) -> None:
    """Most trucks of a fleet show nothing at all for minutes, and one of them all at once; what is believed too low strands them."""
    count = 12
    road = DeskRoad(MANDULA, [f"mn_park_{k:02d}" for k in range(1, count + 1)])
    true_wh = FULL_WH - step_wh * np.arange(count) / count
    believed_wh = []
    for second in range(600):
        true_wh -= 6000.0 / 3600.0
        road.battery_wh[:count] = np.ceil(true_wh / step_wh) * step_wh
        road.step(10)
        if second >= 300:
            believed_wh.append(forecast(road).mission_wh)

    exact = DeskRoad(MANDULA, ["mn_park_01"])
    discharge(exact, 0, 6000.0, 140)
    assert float(np.mean(believed_wh)) == pytest.approx(forecast(exact).mission_wh, rel=0.05)


def test_who_waited_for_a_bay_until_the_battery_does_not_last_gives_its_mission_back() -> None:
    """An hour's wait at thirty below takes what the way home would have needed."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_bay_02", *(f"mn_park_{k:02d}" for k in range(1, 9))], Plant(bay_s=NEVER_S))
    road.order(100)
    road.step(600)
    last = next(row for row in range(10) if goal(road, row).startswith("mn_park") and road.mission_state(row) == "ASSIGNED")
    road.battery_wh[last] = 20_000.0

    road.step(60)

    assert goal(road, last).startswith("mn_swap")
    assert road.mission_state(last) == ""
    assert road.desk.books.missions.promised() == {"order-000001": 18}


def test_who_does_not_get_home_charges_in_the_far_yard() -> None:
    """Its plugs are slow, but they are there."""
    road = DeskRoad(MANDULA, ["cn_park_01", "cn_park_02"])
    road.battery_wh[0] = 10_000.0

    road.step(100)

    assert goal(road, 0).startswith("cn_plug")
    assert goal(road, 1).startswith("mn_")


@pytest.mark.parametrize(("out_of_order", "goes_to"), [(20, "cn_plug"), (19, "mn_")])
def test_where_others_wait_for_chargers_at_home_those_of_the_far_yard_are_used(out_of_order: int, goes_to: str) -> None:
    """A fleet without swap stands would wait at home until batteries are empty, with plugs free on the other side."""
    stress = load_site("stress")
    road = DeskRoad(stress, ["mn_park_1_01", "cn_park_1_01"])
    for number in range(1, out_of_order + 1):
        road.desk.books.record(BayProven(stand_ix=stress.stand_ix[f"mn_plug_{number:02}"], state=BayState.BLOCKED))
    told = forecast(road)
    road.battery_wh[0] = 30_000.0
    road.battery_wh[1] = 0.5 * (told.home_wh + told.fetched_wh)
    road.live[1] = False
    road.step(100)

    road.live[1] = True
    road.step(100)

    assert goal(road, 1).startswith(goes_to)


def test_who_is_full_makes_room_for_who_must_charge() -> None:
    """A charger is no parking stand while somebody waits for it."""
    road = DeskRoad(MANDULA, [*CHARGERS, "mn_park_01"])
    road.battery_wh[:4] = FULL_WH
    road.battery_wh[4] = 20_000.0

    road.step(100)
    first = [goal(road, row).startswith("mn_park") for row in range(4)]
    assert road.until(lambda: cause(road, 4) is Cause.CHARGING and goal(road, 4).startswith("mn_swap"), 600)

    assert any(first)


def test_a_turn_at_a_swap_stand_is_waited_for_where_a_plug_would_take_longer() -> None:
    """Six minutes behind one other truck, or an hour and a half at a plug that is free."""
    road = DeskRoad(MANDULA, ["mn_swap_01", "mn_swap_02", "mn_park_01"], Plant(bay_s=NEVER_S))
    road.battery_wh[:3] = 20_000.0
    assert road.until(lambda: all(road.desk.books.trips.known(row).charging for row in range(2)), 60)

    road.step(300)

    assert goal(road, 2) == "mn_park_01"
    assert cause(road, 2) is Cause.CHARGING
    assert road.desk.limit_ref[2] == MANDULA.stand_ix["mn_swap_01"]


def test_a_fleet_that_would_run_low_together_does_not_wait_for_chargers_together() -> None:
    """All began the day full: some go while others still work, and nobody stands before a charger."""
    road = DeskRoad(MANDULA, [f"mn_park_{k:02d}" for k in range(1, 11)], Plant(bay_s=NEVER_S))
    told = forecast(road)
    road.battery_wh[:10] = told.mission_wh + 0.5 * told.trip_wh
    road.order(100)

    road.step(100)

    charging = [row for row in range(10) if goal(road, row).startswith("mn_swap")]
    assert len(charging) == 2
    assert all(road.mission_state(row) for row in range(10) if row not in charging)
    assert all(cause(road, row) is not Cause.CHARGING for row in range(10) if row not in charging)


def test_who_lasts_until_the_border_closes_does_not_go_early() -> None:
    """There is the whole night to charge in; after closing it is used."""
    closes_s = MANDULA.windows[0].close_s
    went = {}
    for left_s in (300, -300):
        options = DispatchOptions(day_start_s=closes_s - left_s)
        road = DeskRoad(MANDULA, [f"mn_park_{k:02d}" for k in range(1, 11)], Plant(bay_s=NEVER_S), options)
        told = forecast(road)
        road.battery_wh[:10] = told.mission_wh + 0.5 * told.trip_wh
        road.order(100)
        road.step(100)
        went[left_s] = sum(goal(road, row).startswith("mn_swap") for row in range(10))
        assert 0.5 * told.trip_s > abs(left_s)

    assert went == {300: 0, -300: 2}


def test_who_comes_home_low_charges_before_it_has_work_again() -> None:
    """Where each truck is always at work nobody is ever idle at home: chargers would be found when all need one."""
    road = DeskRoad(MANDULA, [f"mn_park_{k:02d}" for k in range(1, 8)], Plant(bay_s=NEVER_S))
    road.step(1300)  # what trucks draw while they stand has been seen
    road.order(100)
    assert road.until(lambda: all(road.mission_state(row) for row in range(7)), 20)
    far = [road.place(f"T{k:03d}", MANDULA.stands[MANDULA.stand_ix[f"cn_park_{k:02d}"]]) for k in (1, 2)]
    told = forecast(road)
    road.battery_wh[:7] = told.mission_wh + 1.4 * told.trip_wh
    road.battery_wh[far] = told.fetched_wh + 0.2 * told.trip_wh

    assert road.until(lambda: all(goal(road, row).startswith("mn_swap") for row in far), 900)

    assert [road.mission_state(row) for row in far] == ["", ""]


def test_with_a_long_time_left_nobody_goes_early() -> None:
    """Charging more often than needed is time off the road."""
    road = DeskRoad(MANDULA, [f"mn_park_{k:02d}" for k in range(1, 11)], Plant(bay_s=NEVER_S))
    told = forecast(road)
    road.battery_wh[:10] = told.mission_wh + 4.0 * told.trip_wh
    road.order(100)

    road.step(100)

    assert all(road.mission_state(row) for row in range(10))


def test_who_has_nothing_to_do_charges() -> None:
    """The next train finds full batteries; as many as there are swap stands, the others wait without calling it charging."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_park_02", "mn_park_03", "mn_park_04"], Plant(bay_s=NEVER_S))
    road.battery_wh[:3] = 0.6 * FULL_WH
    road.battery_wh[3] = 0.8 * FULL_WH

    road.step(100)

    assert [goal(road, row)[:7] for row in range(4)] == ["mn_swap", "mn_swap", "mn_park", "mn_park"]
    assert [cause(road, row) for row in (2, 3)] == [Cause.NO_ORDER] * 2


def test_a_battery_of_which_nothing_is_said_holds_nobody_back() -> None:
    """A truck without the sensor reports 0: it is not empty, or it could not say so."""
    road = DeskRoad(MANDULA, ["mn_park_01"], Plant(bay_s=NEVER_S))
    road.battery_wh[0] = 0.0
    road.order(2)

    road.step(80)

    assert road.mission_state(0) != ""


def test_who_was_charged_is_not_charged_again_before_it_says_so() -> None:
    """The keeper proves clear a moment before the truck reports its new battery."""
    road = DeskRoad(MANDULA, ["mn_swap_01"], Plant(bay_s=20.0))
    road.battery_wh[0] = 20_000.0
    road.order(2)
    assert road.until(lambda: bool(road.desk.books.trips.known(0).charging), 30)
    assert road.until(lambda: not road.desk.books.trips.known(0).charging, 60)

    road.step(30)
    still = road.desk.books.trips.known(0).charging
    road.battery_wh[0] = FULL_WH

    assert not still
    assert road.until(lambda: road.mission_state(0) != "", 60)


def test_who_does_not_last_even_when_full_stands_in_nobodys_way() -> None:
    """A worn battery, or a road too long for it: no mission, and no charger taken from others."""
    road = DeskRoad(MANDULA, ["mn_swap_01"], options=DispatchOptions(day_start_s=10 * 3600, battery_reserve=0.99))
    road.battery_wh[0] = FULL_WH
    road.order(2)

    assert road.until(lambda: bool(goal(road, 0).startswith("mn_park") and road.desk.books.trips.settled[0]), 600)
    road.step(20)

    assert road.mission_state(0) == ""
    assert cause(road, 0) is Cause.CHARGING


def test_what_is_charging_goes_on_after_a_restart() -> None:
    """The journal knows who is at a charger for what; the forecast begins anew."""
    road = DeskRoad(MANDULA, ["mn_park_01"], Plant(bay_s=40.0))
    road.battery_wh[0] = 20_000.0
    road.order(2)
    assert road.until(lambda: cause(road, 0) is Cause.CHARGING and bool(road.desk.books.trips.settled[0]), 300)

    road = road.recover()
    road.step(20)
    assert cause(road, 0) is Cause.CHARGING
    road.battery_wh[0] = FULL_WH

    assert road.until(lambda: road.mission_state(0) != "", 120)
    assert road.now_ns < 600 * NS_PER_S
