"""Places behind bays: who waits there, who does not, and what becomes of a promise."""

from __future__ import annotations

import numpy as np
import pytest

from fleet.server import commands as c
from fleet.server.dispatch.behind import Behind
from fleet.server.dispatch.stands import NOBODY, BayProven, BayState, StandBooked, StandFreed, StandPromised, Stands
from fleet.server.dispatch.trips import NOWHERE
from fleet.server.loop.causes import Causes, Going
from fleet.site import load_site
from planner.authority import Cause
from planner.corridor import StandKind
from planner.grip import even_grip
from planner.limits import STAND_END_M
from planner.resting import rests
from planner.spacing import ExtendRequest, extend
from planner.tables import LaneTable
from tests.fleet.desk_road import DeskRoad, Plant

MANDULA = load_site("mandula")
BAYS = [MANDULA.stand_ix["mn_bay_01"], MANDULA.stand_ix["mn_bay_02"]]
MEAN_S = MANDULA.processes["bay"].mean_s


def busy(trucks: int = 5, bay_s: float = 400.0) -> DeskRoad:
    """A road on which more trucks want to load than there are bays."""
    road = DeskRoad(MANDULA, [f"mn_park_{k:02d}" for k in range(1, trucks + 1)], Plant(bay_s=bay_s))
    road.order(40)
    return road


def promised(road: DeskRoad) -> list[int]:
    """Rows that a loading bay is promised to."""
    return [int(road.desk.books.stands.next_row[bay]) for bay in BAYS if road.desk.books.stands.next_row[bay] != NOBODY]


def on_lane_of(road: DeskRoad, row: int, bay: int) -> bool:
    """Whether the truck's whole body is on the bay's lane."""
    lanes = {lane for lane, _, _ in road.trucks.ground(row)}
    return lanes == {MANDULA.lane_ix[MANDULA.stands[bay].lane_id]}


def test_a_promised_stand_is_the_next_trucks_the_moment_it_is_freed() -> None:
    """Between two trucks it is nobody's for no tick: nobody else can be sent there, and the next one need not ask."""
    stands = Stands(MANDULA)
    stands.apply(StandBooked(stand_ix=0, row=1))
    stands.apply(StandPromised(stand_ix=0, row=2))

    stands.apply(StandFreed(stand_ix=0))

    assert (stands.held_by(2), stands.promised_to(2)) == ([0], [])


@pytest.mark.parametrize("wrong", [StandPromised(stand_ix=0, row=3), StandPromised(stand_ix=1, row=3)], ids=["twice", "a free one"])
def test_a_place_behind_is_one_trucks_and_behind_somebody(wrong: StandPromised) -> None:
    """There is room for one; and a stand that is free is booked, or it would never become anybody's."""
    stands = Stands(MANDULA)
    stands.apply(StandBooked(stand_ix=0, row=1))
    stands.apply(StandPromised(stand_ix=0, row=2))

    with pytest.raises(AssertionError):
        stands.apply(wrong)


def test_promises_outlive_the_server() -> None:
    """A server that comes back and forgot one would send a second truck to the same place."""
    stands = Stands(MANDULA)
    stands.apply(StandBooked(stand_ix=0, row=1))
    stands.apply(StandPromised(stand_ix=0, row=2))

    again = Stands(MANDULA)
    for fact in stands.facts():
        assert isinstance(fact, StandBooked | StandPromised | BayProven)
        again.apply(fact)

    assert again.promised_to(2) == [0]


@pytest.mark.parametrize("site_id", ["design", "ganqimaodu", "mandula", "one_lane", "stress"])
def test_bay_lanes_hold_one_truck_behind_and_let_one_out_ahead(site_id: str) -> None:
    """
    An exchange takes what its two trucks need to pull up and away, and no more, only where both find room in the bay's own lane.

    The next one clear of where the lanes part; the one before, its tail clear of the bay, short of where they meet.
    """
    corridor = load_site(site_id)
    lanes, kind = LaneTable.of(corridor), corridor.truck_types[0]

    for stand in corridor.stands:
        if stand.kind is not StandKind.BAY:
            continue
        lane = corridor.lane_ix[stand.lane_id]
        ahead = [lanes.stop_from_m[k] for k in range(lanes.stop_start[lane], lanes.stop_start[lane + 1])]
        line_m = min(float(from_m) for from_m in ahead if from_m > stand.stop_m)
        assert rests(lanes, [lane], stand.stop_m + STAND_END_M, kind.length_m, kind.roll_back_m) == 2, stand.stand_id
        assert rests(lanes, [lane], line_m - 0.1, kind.length_m, kind.roll_back_m) == 3, stand.stand_id


def test_where_the_lane_is_short_nobody_waits_in_it() -> None:
    """A truck promised a bay without a place behind it would stand in the way of all others."""
    corridor = load_site("manzhouli")
    road = DeskRoad(corridor, ["ru_bay_01", "ru_park_01"], Plant(bay_s=400.0))
    road.order(4)
    road.step(3000)

    assert road.mission_state(0) == "LOADING"
    assert Behind(road.desk.books).places("ru", road.now_ns) == []


def test_the_next_truck_waits_in_the_bays_own_lane() -> None:
    """It stands there, whole, before the work is over; then the bay is its own as soon as the tail before it has left."""
    road = busy()
    assert road.until(lambda: len(promised(road)) == 2, 600)
    rows = {bay: int(road.desk.books.stands.next_row[bay]) for bay in BAYS}
    before = {bay: int(road.desk.books.stands.holder_row[bay]) for bay in BAYS}

    waited = road.until(lambda: all(on_lane_of(road, rows[bay], bay) and road.trucks.speed_mps[rows[bay]] == 0.0 for bay in BAYS), 60)

    assert waited
    assert {road.mission_state(row) for row in before.values()} == {"LOADING"}
    assert road.until(lambda: all(road.mission_state(rows[bay]) == "LOADING" for bay in BAYS), 400)
    assert all(road.desk.truck(rows[bay]).goal_id == MANDULA.stands[bay].stand_id for bay in BAYS)


def test_who_comes_next_is_left_open_while_no_work_can_be_over() -> None:
    """Of two bays nobody knows yet which will be free first: a truck that had chosen would wait behind the slower one."""
    road = busy(3)
    assert road.until(lambda: {road.mission_state(row) for row in range(3)} >= {"LOADING"}, 300)
    behind = Behind(road.desk.books)
    began_ns = min(mission.since_ns for mission in road.desk.books.missions.of_row.values() if mission.state.name == "LOADING")

    assert behind.places("mn", began_ns + int(0.4 * MEAN_S * 1e9)) == []
    assert behind.places("mn", began_ns + int(0.9 * MEAN_S * 1e9)) != []


def test_nobody_is_sent_behind_work_that_takes_far_too_long() -> None:
    """A machine that broke keeps whoever waits behind it until it is mended."""
    road = busy(3, bay_s=5000.0)
    for _ in range(3):
        road.desk.books.record(BayProven(stand_ix=BAYS[1], state=BayState.BLOCKED))
    assert road.until(lambda: any(road.mission_state(row) == "LOADING" for row in range(3)), 300)
    behind = Behind(road.desk.books)
    began_ns = next(mission.since_ns for mission in road.desk.books.missions.of_row.values() if mission.state.name == "LOADING")
    late_ns = began_ns + int(2.1 * MEAN_S * 1e9)

    assert behind.places("mn", late_ns) == []


def test_a_removed_truck_gives_back_what_was_promised_to_it_and_no_more() -> None:
    """The work on the truck before it goes on; the place is somebody else's."""
    road = busy()
    assert road.until(lambda: bool(promised(road)), 600)
    bay = next(bay for bay in BAYS if road.desk.books.stands.next_row[bay] != NOBODY)
    row, holder = int(road.desk.books.stands.next_row[bay]), int(road.desk.books.stands.holder_row[bay])

    truck_id = road.desk.books.trips.known(row).truck_id
    road.give(c.RemoveTruck(request_id="gone", truck_id=truck_id, taken_to="the workshop", second_person="bat", powered_off=True), "op")

    assert road.desk.books.stands.promised_to(row) == []
    assert road.until(lambda: road.mission_state(holder) == "LADEN", 400)


def test_whoever_has_nothing_to_do_makes_room_for_the_truck_behind_it() -> None:
    """A bay in which a truck without a mission stands is of no use, and the one behind has nowhere else to go."""
    road = busy()
    assert road.until(lambda: bool(promised(road)), 600)
    bay = next(bay for bay in BAYS if road.desk.books.stands.next_row[bay] != NOBODY)
    row, holder = int(road.desk.books.stands.next_row[bay]), int(road.desk.books.stands.holder_row[bay])
    truck_id = road.desk.books.trips.known(holder).truck_id
    stand_id = MANDULA.stands[bay].stand_id
    road.plant.due.clear()
    order_id = next(iter(road.desk.books.orders.by_id))
    road.give(c.CancelOrder(request_id="no more", order_id=order_id))

    road.give(c.ReportBay(request_id="nothing", bay_id=stand_id, state=BayState.CLEAR, truck_id=truck_id, containers=()), "plant")

    assert road.until(lambda: bool(road.desk.books.trips.settled[row]) and road.desk.books.trips.known(row).goal_ix == bay, 200)
    assert road.desk.books.trips.known(holder).goal_ix != bay


def test_who_is_on_the_way_to_a_place_takes_a_bay_that_becomes_free() -> None:
    """Before the fork it has not chosen yet: behind the work of another it would wait, and everybody behind it with it."""
    road = busy(2)
    free, taken = BAYS[1], BAYS[0]
    road.desk.books.record(BayProven(stand_ix=free, state=BayState.BLOCKED))
    assert road.until(lambda: {road.mission_state(row) for row in range(2)} == {"LOADING", "ASSIGNED"}, 300)
    road.step(600)
    road.look(2000)
    assert promised(road) != []
    row = promised(road)[0]

    road.desk.books.record(BayProven(stand_ix=free, state=BayState.READY))
    road.look(15)

    assert promised(road) == []
    assert road.desk.books.stands.holder_row[free] == row
    assert road.desk.books.stands.holder_row[taken] == 1 - row
    assert road.desk.truck(row).goal_id == MANDULA.stands[free].stand_id


def test_who_is_behind_a_bay_stays_there() -> None:
    """On the bay's own lane there is no other way than through it."""
    road = busy(2)
    road.desk.books.record(BayProven(stand_ix=BAYS[1], state=BayState.BLOCKED))
    assert road.until(lambda: promised(road) != [], 600)
    row = promised(road)[0]
    assert road.until(lambda: on_lane_of(road, row, BAYS[0]), 60)

    road.desk.books.record(BayProven(stand_ix=BAYS[1], state=BayState.READY))
    road.step(15)

    assert promised(road) == [row]


def test_only_a_truck_whose_stand_somebody_waits_for_is_pressed() -> None:
    """Before a junction that is taken it is told to leave the stand, not to hold back; everybody else rolls up to it in time."""
    road = busy()
    assert road.until(lambda: len(promised(road)) == 2, 600)
    books = road.desk.books
    assert not road.desk.pressed.any()

    assert road.until(lambda: any(books.trips.known(row).left_ix in BAYS for row in range(5)), 400)
    leaving = [row for row in range(5) if books.trips.known(row).left_ix in BAYS]
    assert np.flatnonzero(road.desk.pressed).tolist() == leaving
    assert road.until(lambda: all(books.trips.known(row).left_ix == NOWHERE for row in leaving), 60)
    assert not road.desk.pressed[leaving].any()


@pytest.mark.parametrize(("parked", "named"), [(True, Cause.BAY), (False, Cause.REACTION)])
def test_a_truck_that_is_worked_on_short_of_its_mark_stands_for_the_work(parked: bool, named: Cause) -> None:
    """
    It came to rest behind one that was still leaving, a metre short; then the road before it cleared.

    With its parking brake on it will not roll on, and nobody should look for what keeps it.
    """
    road = DeskRoad(MANDULA, ["mn_bay_01"])
    trucks = road.trucks
    trucks.end_m[0] = trucks.nose_m[0] + 4.0
    request = ExtendRequest(
        may_extend=np.ones(1, np.bool_),
        limit_m=trucks.end_m[:1].copy(),
        limit_cause=np.array([Cause.BAY], np.int32),
        limit_ref=np.array([BAYS[0]], np.int32),
        claim_since=np.zeros(1, np.int64),
        token=np.full(1, -1, np.int32),
        grip=even_grip(road.lanes, 0.7),
    )
    causes = Causes(trucks.capacity)

    going = Going(may=request.may_extend, braked=np.zeros(1, np.bool_), parked=np.array([parked]))
    causes.name(trucks, extend(road.lanes, trucks, request), going, np.ones(1, np.bool_), 0)

    assert Cause(int(causes.code[0])) is named


def test_a_truck_that_does_not_set_out_is_not_about_to() -> None:
    """Ten seconds with road before it, and something aboard keeps it; it did so from the moment it should have gone."""
    road = DeskRoad(MANDULA, ["mn_bay_01"])
    trucks = road.trucks
    trucks.end_m[0] = trucks.nose_m[0] + 40.0
    request = ExtendRequest(
        may_extend=np.ones(1, np.bool_),
        limit_m=trucks.end_m[:1].copy(),
        limit_cause=np.array([Cause.GATE], np.int32),
        limit_ref=np.zeros(1, np.int32),
        claim_since=np.zeros(1, np.int64),
        token=np.full(1, -1, np.int32),
        grip=even_grip(road.lanes, 0.7),
    )
    causes, extension = Causes(trucks.capacity), extend(road.lanes, trucks, request)
    going = Going(may=request.may_extend, braked=np.zeros(1, np.bool_), parked=np.zeros(1, np.bool_))
    named = []

    for second in range(13):
        stands = np.array([second != 12])
        causes.name(trucks, extension, going, stands, second * 1_000_000_000)
        named.append((Cause(int(causes.code[0])), int(causes.since_ns[0]) // 1_000_000_000))

    assert named[:10] == [(Cause.REACTION, 0)] * 10
    assert named[10:12] == [(Cause.STALLED, 0)] * 2
    assert named[12] == (Cause.REACTION, 12)
