"""Refuges: who has them, and where trucks queue for bays."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.server import commands as c
from fleet.server.dispatch.staging import staging_of
from fleet.server.dispatch.stands import NOBODY, BayProven, BayState, StandBooked, StandFreed, Stands
from fleet.server.dispatch.yard import BayBusy
from fleet.site import load_site
from planner.authority import Cause
from planner.corridor import Corridor, StandKind
from planner.tables import LaneTable
from tests.fleet.desk_road import DeskRoad, Plant

MANDULA = load_site("mandula")


def test_a_stand_is_one_trucks() -> None:
    """Two trucks sent to one stand would meet there."""
    stands = Stands(MANDULA)
    stands.apply(StandBooked(stand_ix=0, row=1))

    with pytest.raises(AssertionError):
        stands.apply(StandBooked(stand_ix=0, row=2))

    stands.apply(StandFreed(stand_ix=0))
    stands.apply(StandBooked(stand_ix=0, row=2))
    assert stands.held_by(2) == [0]


def test_a_blocked_bay_is_not_offered() -> None:
    """A broken loader must not collect trucks."""
    stands = Stands(MANDULA)
    bays = stands.free("mn", (StandKind.BAY,))

    stands.apply(BayProven(stand_ix=bays[0], state=BayState.BLOCKED))

    assert stands.free("mn", (StandKind.BAY,)) == bays[1:]


def test_a_stand_stays_booked_until_the_tail_has_left() -> None:
    """The next truck is sent only when the confirmed rear, not the wish to leave, has cleared the place."""
    road = DeskRoad(MANDULA, ["mn_bay_01"])
    bay = MANDULA.stand_ix["mn_bay_01"]
    road.order(2)
    assert road.until(lambda: road.desk.books.trips.known(0).left_ix == bay, 60)

    seen: list[tuple[float, int]] = []
    while road.desk.books.trips.known(0).left_ix == bay:
        seen.append((float(road.trucks.rear_m[0]), int(road.desk.books.stands.holder_row[bay])))
        road.step()

    assert {holder for _, holder in seen} == {0}
    assert seen[-1][0] < MANDULA.stands[bay].stop_m + 3.0 <= float(road.trucks.rear_m[0]) + 1.0
    assert road.desk.books.stands.holder_row[bay] == NOBODY


def test_trucks_queue_before_the_bays_and_not_beyond_their_room() -> None:
    """The lanes of the bays and the one before them hold so many; the rest wait on their stands, where they block nobody."""
    area = staging_of(MANDULA, LaneTable.of(MANDULA), "mn")
    road = DeskRoad(MANDULA, [f"mn_park_{k:02d}" for k in range(1, 9)], Plant(bay_s=400.0))
    road.order(40)

    road.step(3000)

    assert area is not None
    staged = [truck for truck in road.desk.books.trips.truck if truck is not None and truck.staged]
    assert len(staged) == area.room == 2
    assert MANDULA.lanes[area.lane_ix].lane_id == "mn_3"
    assert sum(row != NOBODY for row in road.desk.books.stands.next_row.tolist()) == 2
    assert sum(bool(road.desk.books.trips.settled[row]) for row in range(8)) == 4


def test_a_queue_before_two_groups_of_bays_reaches_the_further_one() -> None:
    """Where bays lie one behind another the queue cannot come nearer to the second group; nobody would ever use it."""
    stress = load_site("stress")
    road = DeskRoad(stress, ["mn_park_1_01"])
    for number in range(1, 13):
        road.desk.books.record(BayProven(stand_ix=stress.stand_ix[f"mn_bay_{number:02}"], state=BayState.BLOCKED))
    road.order(2)

    reached = road.until(lambda: road.desk.truck(0).goal_id.startswith("mn_bay_2_"), 400)

    assert reached


def test_on_a_slow_road_the_foremost_in_the_queue_gets_a_bay_too() -> None:
    """On ice the bays are further off in seconds than from wherever a truck is given one; at the head of the queue nobody is nearer."""
    road = DeskRoad(MANDULA, [f"mn_park_{k:02d}" for k in range(1, 5)])
    for number, lane in enumerate(MANDULA.lanes):
        road.give(c.LimitLane(request_id=f"limit-{number}", lane_id=lane.lane_id, speed_limit_mps=0.8, reason="ice"))
    road.order(8)

    assert road.until(lambda: road.mission_state(0) == "LOADING", 2000)


def test_the_foremost_in_the_queue_gets_the_bay() -> None:
    """Whoever stands behind another cannot use a bay before him."""
    road = DeskRoad(MANDULA, [f"mn_park_{k:02d}" for k in range(1, 6)], Plant(bay_s=120.0))
    road.order(40)
    road.step(600)
    order_of_joining: list[int] = []
    order_of_loading: list[int] = []

    for _ in range(9000):
        road.step()
        for row in range(5):
            if road.desk.books.trips.known(row).staged and row not in order_of_joining:
                order_of_joining.append(row)
            if road.mission_state(row) == "LOADING" and row in order_of_joining and row not in order_of_loading:
                order_of_loading.append(row)

    assert len(order_of_loading) >= 2
    assert order_of_loading == order_of_joining[: len(order_of_loading)]


@given(seed=st.lists(st.integers(0, 9), min_size=5, max_size=30))
@settings(max_examples=5, deadline=None)
def test_no_play_of_lost_contact_and_blocks_over_fills_anything(seed: list[int]) -> None:
    """Stands, gate queues and the queue before the bays hold what they hold, whatever trucks and loaders do."""
    road = DeskRoad(MANDULA, [f"mn_park_{k:02d}" for k in range(1, 7)] + ["cn_bay_01", "cn_park_01"], Plant(bay_s=15.0))
    road.order(60)

    for k, choice in enumerate(seed):
        row = choice % road.trucks.count
        if choice < 4:
            road.live[row] = not road.live[row]
        elif choice < 7:
            state = 2 if road.desk.books.stands.state[MANDULA.stand_ix["mn_bay_01"]] is not BayState.BLOCKED else 1
            with suppress(BayBusy):
                road.give(c.ReportBay(request_id=f"play-{k}", bay_id="mn_bay_01", state=state, truck_id=""))
        road.step(150 + 10 * (k % 3))
        gates = road.desk.books.gates
        bound = road.desk.books.trips.gate_ix
        leaving = gates.group_ix[bound[bound >= 0]] == gates.group_ix[MANDULA.gate_ix["g1"]]
        assert leaving.sum() <= gates.room[gates.group_ix[MANDULA.gate_ix["g1"]]]
        assert sum(road.desk.books.trips.known(row).staged for row in range(8)) <= 4

    holders = [int(row) for row in road.desk.books.stands.holder_row if row != NOBODY]
    assert all(holders.count(row) <= 2 for row in holders)


def tight(*stand_ids: str) -> Corridor:
    """Mandula with these stands alone."""
    return replace(MANDULA, stands=tuple(MANDULA.stands[MANDULA.stand_ix[stand_id]] for stand_id in stand_ids))


def test_a_bay_that_was_booked_from_afar_is_the_queues_head_s() -> None:
    """
    Where parking is full a truck sets out for a bay, and whoever queues before the bays stands in its way.

    Each would wait for the other for good, and everybody behind them.
    """
    stands = ("mn_park_01", "mn_park_02", "mn_park_03", "mn_bay_01", "mn_bay_02", "cn_park_01", "cn_park_02", "cn_bay_01")
    road = DeskRoad(tight(*stands), list(stands[:6]), Plant(bay_s=40.0))
    order_id = road.order(24)
    booked_afar = False

    def all_there() -> bool:
        nonlocal booked_afar
        books = road.desk.books
        bound = [row for row in range(6) if not books.trips.settled[row] and road.desk.truck(row).goal_id == "cn_bay_01"]
        booked_afar = booked_afar or any(books.trips.gates_ahead(row) for row in bound)
        return books.orders.by_id[order_id].delivered_count == 24

    assert road.until(all_there, 4000)
    assert booked_afar


def test_while_a_truck_that_stands_there_wants_a_bay_nobody_books_it_from_afar() -> None:
    """The queue before the bays is full of trucks that are still on the road: whoever sets out now must not have the bay before them."""
    stands = ("mn_bay_01", "mn_bay_02", "mn_park_01", "mn_park_02", "cn_park_01", "cn_bay_01")
    road = DeskRoad(tight(*stands), list(stands[:2]), Plant(bay_s=40.0))
    staging = road.desk._departures._bays._staging
    area = staging["cn"]
    assert area is not None
    staging["cn"] = replace(area, room=0, fits=0)
    road.order(4)
    road.live[1] = False
    assert road.until(lambda: road.desk.truck(0).goal_id == "cn_park_01" and bool(road.desk.books.trips.settled[0]), 1500)
    road.live[1] = True
    assert road.until(lambda: road.mission_state(1) == "LADEN", 300)
    road.step(100)

    assert road.desk.truck(1).goal_id.startswith("mn")
    assert Cause(int(road.desk.limit_cause[1])) is Cause.STAND
    staging["cn"] = area
    assert road.until(lambda: road.desk.truck(1).goal_id.startswith("cn"), 300)


@pytest.mark.parametrize("near", [False, True])
def test_a_free_bay_waits_for_nobody_who_is_still_on_the_road(near: bool) -> None:
    """The queue before the bays is full: who stands in the yard passes those of it that are far away, and nobody who is there."""
    stands = ("mn_bay_01", "mn_bay_02", "mn_park_01", "cn_park_01", "cn_park_02", "cn_bay_01")
    road = DeskRoad(tight(*stands), ["mn_bay_01", "cn_park_02" if near else "mn_bay_02"], Plant(bay_s=40.0))
    desk = road.desk
    staging = desk._departures._bays._staging
    area = staging["cn"]
    assert area is not None
    staging["cn"] = replace(area, room=0, fits=0)
    road.live[1] = False
    road.order(2)
    assert road.until(lambda: desk.truck(0).goal_id == "cn_park_01" and bool(desk.books.trips.settled[0]), 1500)

    queue = desk._ways.plan_queue(1, area.lane_ix)
    assert queue is not None
    desk._moves.stage(1, queue)
    staging["cn"] = replace(area, room=1, fits=1)
    road.step(20)

    assert desk.truck(0).goal_id == ("cn_park_01" if near else "cn_bay_01")


@pytest.mark.parametrize("aside", [("cn_park_01", "cn_park_02"), ("cn_park_01", "cn_plug_01"), ("cn_plug_01", "cn_plug_02")])
def test_the_last_containers_are_unloaded_though_all_stands_at_home_are_taken(aside: tuple[str, str]) -> None:
    """Trucks that nothing calls away fill the yard at home: whoever has unloaded makes way, or nobody unloads after it."""
    stands = ("mn_park_01", "mn_bay_01", *aside, "cn_bay_01")
    road = DeskRoad(tight(*stands), list(stands[:4]), Plant(bay_s=20.0))
    order_id = road.order(8)

    assert road.until(lambda: road.desk.books.orders.by_id[order_id].delivered_count == 8, 6000)
    road.step(6000)
    assert cause(road) == {Cause.NO_ORDER: 2, Cause.STAND: 2}


def cause(road: DeskRoad) -> Counter[Cause]:
    """How many trucks stand for each cause."""
    return Counter(Cause(int(code)) for code in road.desk.limit_cause[: road.trucks.count])


def test_who_keeps_a_bay_from_others_goes_home_first() -> None:
    """Where stands at home are scarce: a truck that waits in a bay for one costs more than one that waits in a parking stand."""
    stands = ("cn_park_01", "cn_bay_01", "cn_park_02", "mn_park_01", "mn_bay_01")
    road = DeskRoad(tight(*stands), list(stands[:3]))
    road.desk.books.record(BayProven(stand_ix=road.corridor.stand_ix["mn_bay_01"], state=BayState.BLOCKED))

    road.step(20)

    assert [road.desk.truck(row).goal_id for row in range(3)] == ["cn_park_01", "mn_park_01", "cn_park_02"]


def test_of_empty_trucks_the_one_that_has_been_away_longest_goes_home_first() -> None:
    """By row the first trucks of the fleet would make all the trips while stands at home are scarce."""
    stands = ("cn_park_01", "cn_park_02", "mn_park_01")
    road = DeskRoad(tight(*stands), list(stands[:2]))
    road.desk.books.keep_truck(0, entered_ns=200)
    road.desk.books.keep_truck(1, entered_ns=100)

    road.step(20)

    assert [road.desk.truck(row).goal_id for row in range(2)] == ["cn_park_01", "mn_park_01"]
