"""The desk as a whole: round trips, commands, restarts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleet.clock import NS_PER_S
from fleet.errors import AlreadyExists, FleetError, InvalidField, NotFound
from fleet.server import commands as c
from fleet.server.dispatch.control import ControlHeld, ControlNotHeld
from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.dispatch.operators import SecondPersonMissing, TruckGone, TruckUnderPower
from fleet.server.dispatch.passage import GateNotCalled
from fleet.server.dispatch.trips import RoundTripMade
from fleet.server.dispatch.yard import BayBusy, BayNotCalled
from fleet.server.fact_form import decode, encode
from fleet.server.facts import TruckRemoved
from fleet.server.outgoing import BayCall, Container
from fleet.site import load_site
from planner.authority import Cause
from tests.fleet.desk_road import DeskRoad, Plant

MANDULA = load_site("mandula")
NEVER_S = 1e9


def counts(road: DeskRoad, order_id: str) -> tuple[int, int, int, int]:
    """Waiting, aboard, delivered, returned."""
    order = road.desk.books.orders.by_id[order_id]
    return order.waiting_count, order.aboard_count, order.delivered_count, order.returned_count


def cause(road: DeskRoad, row: int) -> Cause:
    """Why the truck may go no further."""
    return Cause(int(road.desk.limit_cause[row]))


def test_an_order_is_moved_and_trucks_come_home() -> None:
    """The whole job: every container delivered, every trip counted once, every truck on a stand again, every call answered."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_bay_01", "cn_park_01"], Plant(bay_s=10.0))
    order_id = road.order(7)

    assert road.until(lambda: counts(road, order_id)[2] == 7, 3600)
    assert road.until(lambda: road.desk.totals.round_trips == 4 and all(road.desk.books.trips.settled[:3]), 1500)

    assert counts(road, order_id) == (0, 0, 7, 0)
    assert road.desk.orders()[0].state == 2
    assert road.desk.totals.containers_delivered == 7
    assert road.desk.totals.tonnes == pytest.approx(7 * 32.5)
    assert sum(road.desk.truck(row).round_trips for row in range(3)) == 4
    assert road.refused == []
    road.step(50)
    assert {cause(road, row) for row in range(3)} == {Cause.NO_ORDER}
    assert road.desk.open_calls() == []
    assert {crossing.state for crossing in road.desk.crossings()} == {6}


def test_a_round_trip_runs_from_entry_to_entry() -> None:
    """The first entry begins the clock: a truck that began the day inside has one duration less than trips."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=10.0))
    road.order(6)

    assert road.until(lambda: road.desk.totals.round_trips == 3, 5400)

    durations_ns = [fact.duration_ns for fact in road.facts if isinstance(fact, RoundTripMade)]
    assert durations_ns[0] == -1
    assert len(durations_ns) == 3
    assert min(durations_ns[1:]) > 600 * NS_PER_S


def test_without_orders_trucks_stay_where_they_are() -> None:
    """Nothing to do is a reason too, and a named one."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_bay_01"])

    road.step(300)

    assert [road.desk.truck(row).goal_id for row in range(2)] == ["mn_park_01", "mn_bay_01"]
    assert {cause(road, row) for row in range(2)} == {Cause.NO_ORDER}


def test_a_cancelled_order_frees_trucks_on_their_way() -> None:
    """What is aboard is delivered; nobody loads what nobody wants."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_park_01"], Plant(bay_s=30.0))
    order_id = road.order(4)
    assert road.until(lambda: road.mission_state(0) == "TO_UNLOAD", 120)

    answer = road.give(c.CancelOrder(request_id="cancel", order_id=order_id))

    assert isinstance(answer, c.OrderAnswer)
    assert (answer.state, answer.waiting_count, answer.aboard_count) == (3, 2, 2)
    assert road.mission_state(1) == ""
    assert road.until(lambda: counts(road, order_id) == (2, 0, 2, 0), 1800)
    assert road.until(lambda: all(road.desk.books.trips.settled[:2]), 1200)


def test_the_same_request_hears_the_same_answer() -> None:
    """A retry after a lost answer must not make a second order."""
    road = DeskRoad(MANDULA, [])
    create = c.CreateOrder(request_id="r1", from_yard_id="mn", to_yard_id="cn", container_count=4)

    first = road.give(create)
    again = road.give(create)

    assert first == again
    assert len(road.desk.orders()) == 1
    with pytest.raises(AlreadyExists):
        road.give(replace(create, container_count=5))
    assert road.recover().give(create) == first


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (c.CreateOrder(request_id="a", from_yard_id="mn", to_yard_id="nowhere", container_count=2), NotFound),
        (c.CreateOrder(request_id="a", from_yard_id="cn", to_yard_id="mn", container_count=2), InvalidField),
        (c.CreateOrder(request_id="a", from_yard_id="mn", to_yard_id="cn", container_count=0), InvalidField),
        (c.CancelOrder(request_id="a", order_id="order-9"), NotFound),
        (c.HoldTruck(request_id="a", truck_id="T99", reason=""), NotFound),
        (c.CloseLane(request_id="a", lane_id="nowhere", reason=""), NotFound),
        (c.LimitLane(request_id="a", lane_id="sb_1", speed_limit_mps=-1.0, reason=""), InvalidField),
        (c.LiftStop(request_id="a", stop_id="never"), NotFound),
        (c.DecideCrossing(request_id="a", crossing_id="crossing-9", decision=1, officer=""), NotFound),
        (c.ReportBay(request_id="a", bay_id="mn_park_01", state=1, truck_id=""), NotFound),
        (c.ReportBay(request_id="a", bay_id="mn_bay_01", state=4, truck_id="T00"), BayNotCalled),
        (c.ReportBay(request_id="a", bay_id="mn_bay_01", state=9, truck_id=""), InvalidField),
        (c.ReportBarrier(request_id="a", gate_id="g1", state=7, truck_id=""), InvalidField),
        (c.SetOpening(request_id="a", gate_id="g77", open=False, until_ns=0), NotFound),
        (c.RenewControl(request_id="a", holder="bat"), ControlNotHeld),
    ],
)
def test_a_refused_command_changes_nothing(command: c.Command, error: type[FleetError]) -> None:
    """A mistake is answered with its reason, and the desk is as it was."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    before = [encode(fact) for fact in road.desk.facts()]

    with pytest.raises(error):
        road.give(command)

    assert [encode(fact) for fact in road.desk.facts()] == before


def test_a_loader_must_be_called_and_must_not_lie() -> None:
    """A bay's word moves a truck: wrong trucks, double boxes and a ready bay under a working loader are refused."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=NEVER_S))
    road.order(2)
    assert road.until(lambda: road.mission_state(0) == "LOADING", 60)
    road.step(20)
    (call,) = [call.content for call in road.desk.open_calls() if isinstance(call.content, BayCall)]
    box = call.containers[0]

    for command, error in (
        (c.ReportBay(request_id="1", bay_id="mn_bay_01", state=4, truck_id="T77", containers=(box,)), BayNotCalled),
        (c.ReportBay(request_id="2", bay_id="mn_bay_01", state=4, truck_id="T00", containers=(box, box)), InvalidField),
        (c.ReportBay(request_id="3", bay_id="mn_bay_01", state=1, truck_id=""), BayBusy),
    ):
        with pytest.raises(error):
            road.give(command)
    assert road.mission_state(0) == "LOADING"

    road.give(c.ReportBay(request_id="4", bay_id="mn_bay_01", state=4, truck_id="T00", containers=(box,)))
    assert road.mission_state(0) == "LADEN"
    assert road.desk.truck(0).containers == (Container(container_id=box.container_id, mass_kg=box.mass_kg),)
    assert counts(road, "order-000001") == (1, 1, 0, 0)


def test_a_truck_never_leaves_a_working_loader() -> None:
    """No departure from a bay until the loader proves clear."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=NEVER_S))
    road.order(2)
    assert road.until(lambda: road.mission_state(0) == "LOADING", 60)

    road.step(6000)

    assert cause(road, 0) is Cause.BAY
    assert road.trucks.nose_m[0] == pytest.approx(MANDULA.stands[MANDULA.stand_ix["mn_bay_01"]].stop_m, abs=1.0)


def test_a_held_truck_is_not_sent_anywhere() -> None:
    """A hold is a person's word; only a person ends it."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    answer = road.give(c.HoldTruck(request_id="hold", truck_id="T00", reason="tyre"), "bat")
    road.order(2)

    road.step(300)
    assert isinstance(answer, c.TruckAnswer)
    assert answer.held
    assert cause(road, 0) is Cause.HOLD

    road.give(c.ResumeTruck(request_id="resume", truck_id="T00"), "bat")
    assert road.until(lambda: road.mission_state(0) == "LADEN", 300)


def test_a_decommissioned_truck_delivers_what_it_has_and_parks() -> None:
    """A load is never left on a truck that goes out of service."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=10.0))
    order_id = road.order(20)
    assert road.until(lambda: road.mission_state(0) == "TO_UNLOAD", 120)
    road.give(c.DecommissionTruck(request_id="out", truck_id="T00", reason="service"))

    assert road.until(lambda: road.desk.truck(0).goal_id.startswith("mn_park") and bool(road.desk.books.trips.settled[0]), 2400)
    road.step(200)

    assert counts(road, order_id) == (18, 0, 2, 0)
    assert road.mission_state(0) == ""


def test_removing_a_truck_takes_two_persons_and_a_place() -> None:
    """A wrong word here opens occupied road."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_park_01"], Plant(bay_s=10.0))
    order_id = road.order(2)
    assert road.until(lambda: road.mission_state(0) == "TO_UNLOAD", 120)
    remove = c.RemoveTruck(request_id="rm", truck_id="T00", taken_to="workshop", second_person="od", powered_off=True)

    for wrong, error in (
        (replace(remove, taken_to=" "), InvalidField),
        (replace(remove, second_person="bat"), SecondPersonMissing),
        (replace(remove, second_person=""), SecondPersonMissing),
        (replace(remove, powered_off=False), TruckUnderPower),
    ):
        with pytest.raises(error):
            road.give(wrong, "bat")
    road.give(remove, "bat")

    assert any(isinstance(fact, TruckRemoved) for fact in road.facts)
    assert road.desk.books.stands.held_by(0) == []
    assert counts(road, order_id) == (0, 0, 0, 2)
    with pytest.raises(TruckGone):
        road.give(c.HoldTruck(request_id="h", truck_id="T00", reason=""))


def test_a_removed_truck_asks_for_nothing() -> None:
    """A gate called for a truck in the workshop would never shut again."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(gate_s=NEVER_S, bay_s=5.0))
    road.order(2)
    gate_ix = MANDULA.gate_ix["g1"]
    assert road.until(lambda: road.desk.books.gates.called_row[gate_ix] == 0, 300)

    road.give(c.RemoveTruck(request_id="rm", truck_id="T00", taken_to="workshop", second_person="od", powered_off=True), "bat")
    road.step(50)

    assert road.desk.books.gates.called_row[gate_ix] == -1
    assert road.desk.open_calls() == []
    assert road.desk.gates()[gate_ix].queue_count == 0


def test_a_closed_lane_is_driven_round_or_waited_for() -> None:
    """No new authority into it; where another way exists it is taken, else the reason is the closure."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=5.0))
    road.order(2)
    road.give(c.CloseLane(request_id="close", lane_id="sb_3", reason="snow"))
    assert road.until(lambda: road.mission_state(0) == "LADEN", 60)
    road.step(100)
    assert cause(road, 0) is Cause.CLOSURE

    road.give(c.OpenLane(request_id="open", lane_id="sb_3"))
    assert road.until(lambda: road.mission_state(0) == "TO_UNLOAD", 60)
    road.give(c.CloseLane(request_id="close-2", lane_id="siding_through", reason="snow"))
    assert road.until(lambda: cause(road, 0) is Cause.CLOSURE, 900)
    start_m = road.desk.limit_m[0]
    road.step(600)
    assert road.trucks.end_m[0] <= start_m

    road.give(c.OpenLane(request_id="open-2", lane_id="siding_through"))
    assert road.until(lambda: road.desk.totals.containers_delivered == 2, 1500)


def test_a_speed_limit_is_answered_and_kept() -> None:
    """Operators see what they said; a snapshot carries it on."""
    road = DeskRoad(MANDULA, [])

    answer = road.give(c.LimitLane(request_id="l", lane_id="sb_1", speed_limit_mps=2.0, reason="ice"))

    assert answer == c.LaneAnswer(
        lane_id="sb_1", closed=False, speed_max_mps=MANDULA.lanes[7].speed_max_mps, speed_limit_mps=2.0, reason="ice"
    )
    assert road.recover().desk.lanes()[7] == answer


def test_an_all_stop_is_never_refused_and_lifted_only_by_its_id() -> None:
    """Anyone may stop; the same stop again changes nothing; another id lifts nothing."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    first = road.give(c.StopAll(stop_id="s1", reason="fire"), "a")

    assert road.give(c.StopAll(stop_id="s1", reason="fire"), "a") == first
    with pytest.raises(NotFound):
        road.give(c.LiftStop(request_id="x", stop_id="s2"))
    answer = road.give(c.LiftStop(request_id="y", stop_id="s1"))

    assert isinstance(answer, c.StopAnswer)
    assert not answer.active
    assert road.desk.stops() == []


def test_lifting_takes_a_second_person_where_identities_are_proven() -> None:
    """The one who wants to go on is not the one who looks whether it is safe."""
    road = DeskRoad(MANDULA, [], options=DispatchOptions(identities_proven=True))
    road.give(c.StopAll(stop_id="s1", reason="fire"), "a")

    first = road.give(c.LiftStop(request_id="1", stop_id="s1"), "a")
    same = road.give(c.LiftStop(request_id="2", stop_id="s1"), "a")
    other = road.recover().give(c.LiftStop(request_id="3", stop_id="s1"), "b")

    assert isinstance(first, c.StopAnswer)
    assert isinstance(same, c.StopAnswer)
    assert isinstance(other, c.StopAnswer)
    assert (first.active, first.needs_second_person) == (True, True)
    assert same.active
    assert not other.active


def test_control_is_one_operators() -> None:
    """Two hands on one desk: the second is told whose it is, or takes it over by name."""
    road = DeskRoad(MANDULA, [], options=DispatchOptions(control_required=True, control_lease_s=10.0))
    create = c.CreateOrder(request_id="o", from_yard_id="mn", to_yard_id="cn", container_count=2)
    with pytest.raises(ControlNotHeld):
        road.give(create, "ann")

    road.give(c.AcquireControl(request_id="1", holder="ann"), "ann")
    with pytest.raises(ControlHeld):
        road.give(c.AcquireControl(request_id="2", holder="bob"), "bob")
    road.give(create, "ann")
    taken = road.give(c.TakeOverControl(request_id="3", holder="bob", reason="shift"), "bob")
    with pytest.raises(ControlNotHeld):
        road.give(c.RenewControl(request_id="4", holder="ann"), "ann")
    road.give(c.StopAll(stop_id="s", reason="anyone may stop"), "ann")

    assert isinstance(taken, c.ControlAnswer)
    assert taken.sequence == 2
    road.now_ns += 11_000_000_000
    road.give(c.AcquireControl(request_id="5", holder="ann"), "ann")


def test_an_empty_battery_goes_to_charge_first() -> None:
    """A truck that would stop on the road is not sent there."""
    road = DeskRoad(MANDULA, ["mn_park_01"], Plant(bay_s=60.0))
    road.battery_wh[0] = 50_000.0
    road.order(2)

    assert road.until(lambda: cause(road, 0) is Cause.CHARGING, 600)
    assert road.desk.truck(0).goal_id.startswith("mn_swap")
    road.battery_wh[0] = 350_000.0
    assert road.until(lambda: road.mission_state(0) == "TO_UNLOAD", 600)


def test_a_truck_found_on_the_road_finds_a_stand() -> None:
    """After a tow it stands anywhere; it is sent to the nearest refuge."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    kind = MANDULA.truck_types[0]
    row = road.trucks.add(kind)
    road.trucks.set_path(row, [MANDULA.lane_ix["nb_3"]], 0.0)
    road.trucks.nose_m[row], road.trucks.rear_m[row], road.trucks.end_m[row] = 100.0, 82.0, 100.5
    for fact in road.desk.register(row, "T09", kind.truck_type_id, 0):
        road._keep([fact])

    assert road.until(lambda: bool(road.desk.books.trips.settled[row]), 600)
    assert road.desk.truck(row).goal_id.startswith("mn_")


@given(steps=st.lists(st.integers(1, 900), min_size=2, max_size=6))
@example(steps=[34, 733])
@settings(max_examples=3, deadline=None)
def test_a_restart_at_any_moment_loses_nothing(steps: list[int]) -> None:
    """The journal alone recreates orders, missions, crossings, bookings and calls, and work goes on to its end."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_park_01", "mn_park_02"], Plant(bay_s=10.0, gate_s=2.0))
    order_id = road.order(6)

    for count in steps:
        road.step(count)
        before = [encode(fact) for fact in road.desk.facts()]
        after = road.recover()
        assert [encode(fact) for fact in after.desk.facts()] == before
        for row in range(3):
            assert after.desk.truck(row) == road.desk.truck(row)
        road = after

    assert road.until(lambda: counts(road, order_id) == (0, 0, 6, 0), 1500)
    # A new server trusts no proof of the last one's and asks for it again; where the tail is out before the answer comes, nobody
    # waits for it any more. At most one such answer a restart, and nothing else is refused.
    assert [fault for fault in road.refused if not isinstance(fault, GateNotCalled)] == []
    assert len(road.refused) <= len(steps)


def test_a_snapshot_recreates_the_desk() -> None:
    """What was forgotten by a snapshot would be lost at the next restart."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_park_01", "mn_park_02"], Plant(bay_s=10.0, gate_s=2.0))
    road.order(12)
    road.give(c.CloseLane(request_id="c", lane_id="siding_01", reason="x"))
    road.give(c.SetOpening(request_id="s", gate_id="g6", open=True, until_ns=0))
    road.give(c.StopAll(stop_id="s1", reason="drill"))
    road.step(5000)

    fresh = DeskRoad(MANDULA, []).desk
    for fact in road.desk.facts():
        kind, body = encode(fact)
        fresh.apply(decode(kind, body))

    assert [encode(fact) for fact in fresh.facts()] == [encode(fact) for fact in road.desk.facts()]


def test_who_was_not_seen_yet_after_a_restart_is_not_said_to_have_nothing_to_do() -> None:
    """It may be laden, and wait for a gate: nobody has looked."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    road.order(2)
    assert road.until(lambda: road.mission_state(0) != "", 20)

    desk = road.recover().desk

    assert desk.books.reins.wait[0] == (Cause.SESSION, -1)
