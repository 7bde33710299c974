"""A gate that takes far longer than it should, for whatever reason, is passed by at its neighbour."""

from __future__ import annotations

from fleet.clock import NS_PER_S
from fleet.server.commands import OverdueGateAnswer
from fleet.server.dispatch.gates import Gates
from fleet.server.outgoing import Alarm
from fleet.site import load_site
from planner.tables import LaneTable
from tests.fleet.desk_road import DeskRoad

BIG = load_site("ganqimaodu")
FIRST, SECOND = BIG.gate_ix["g1_1"], BIG.gate_ix["g1_2"]
THERE = BIG.stand_ix["cn_bay_01"]


def overdue_after_s(gates: Gates, until_s: int, begin_s: int = 0) -> int | None:
    """The second at which the first gate is found overdue, looked at once a second."""
    for second in range(begin_s, until_s):
        gates.watch(second * NS_PER_S)
        if gates.overdue_s[FIRST] > 0.0:
            return second
    return None


def test_a_gate_is_overdue_when_it_has_one_truck_for_much_longer_than_its_service() -> None:
    """Called, open with nobody driving, or never proven shut: in each of them it has stood still."""
    gates = Gates(BIG, LaneTable.of(BIG), 16.5)
    service_s = float(gates.service_s[FIRST])

    assert overdue_after_s(gates, 600) is None
    gates.apply(gates.kept(FIRST, called_row=3))
    found_s = overdue_after_s(gates, 1200, 600)
    assert found_s is not None
    assert 600 + 2.0 * service_s + 30.0 < found_s < 600 + 2.0 * service_s + 90.0
    assert gates.overdue_s[SECOND] == 0.0

    gates.apply(gates.kept(FIRST, called_row=4))
    assert overdue_after_s(gates, 1230, 1200) is None
    gates.apply(gates.kept(FIRST, awaits_shut=True))
    assert overdue_after_s(gates, 1260, 1230) is None
    assert overdue_after_s(gates, 1500, 1260) is not None


def test_an_ordinary_run_of_trucks_never_makes_a_gate_overdue() -> None:
    """A gate that is busy without a break serves one after another."""
    gates = Gates(BIG, LaneTable.of(BIG), 16.5)
    every_s = round(float(gates.service_s[FIRST])) + 25

    for number in range(40):
        gates.apply(gates.kept(FIRST, called_row=number % 2))
        assert overdue_after_s(gates, (number + 1) * every_s, number * every_s) is None


def test_after_ten_more_minutes_a_person_is_told_once_which_gate_has_whom() -> None:
    """Not of every train that keeps a crossing shut; nor again each second."""
    road = DeskRoad(BIG, ["mn_bay_01"])
    desk = road.desk
    gates = desk.books.gates
    gates.apply(gates.kept(FIRST, called_row=0))
    told: list[tuple[int, Alarm]] = []
    for second in range(1000):
        desk._passage.watch_gates(second * NS_PER_S)
        told.extend((second, alarm) for alarm in desk.alarms())

    ((second, alarm),) = told
    truck_id = desk.books.trips.known(0).truck_id
    assert (alarm.name, dict(alarm.fields)) == ("gate_overdue", {"gate": "g1_1", "truck": truck_id, "for_s": second})
    assert 600 + 2.0 * gates.service_s[FIRST] + 30.0 < second < 600 + 2.0 * gates.service_s[FIRST] + 90.0
    assert desk.overdue_gates() == [OverdueGateAnswer(gate_id="g1_1", truck_id=truck_id, since_ns=0)]

    gates.apply(gates.kept(FIRST, awaits_shut=True))
    desk._passage.watch_gates(1000 * NS_PER_S)
    assert desk.overdue_gates() == []
    desk._passage.watch_gates(2000 * NS_PER_S)
    assert desk.overdue_gates() == [OverdueGateAnswer(gate_id="g1_1", truck_id="", since_ns=1000 * NS_PER_S)]


def test_a_truck_sets_out_through_the_gate_that_works() -> None:
    """A dead gate has nobody bound for it, and would look the best."""
    road = DeskRoad(BIG, ["mn_bay_01"])
    ways, gates = road.desk._ways, road.desk.books.gates

    usual = ways.plan(0, THERE)
    assert usual is not None
    first = next(gate_ix for gate_ix in ways.gates_on(usual.new_lanes) if gate_ix in {FIRST, SECOND})
    gates.overdue_s[first] = 300.0
    other = ways.plan(0, THERE)

    assert other is not None
    assert ({FIRST, SECOND} - {first}) <= set(ways.gates_on(other.new_lanes))
    assert first not in ways.gates_on(other.new_lanes)


def test_who_is_bound_for_an_overdue_gate_turns_and_nobody_turns_to_one() -> None:
    """Not even the shortest queue draws anybody to a gate that stands still; where all do, nobody is sent to and fro."""
    road = DeskRoad(BIG, ["mn_bay_01"])
    desk, gates = road.desk, road.desk.books.gates
    plan = desk._ways.plan(0, THERE, via=[BIG.lane_ix["g1_1"]])
    assert plan is not None
    desk._moves.set_out(0, plan)
    before = [0] * len(BIG.gates)

    def would_turn(first: int, second: int) -> bool:
        before[FIRST], before[SECOND] = first, second
        return desk._follow_ups._would_turn(0, FIRST, before)

    assert (would_turn(5, 1), would_turn(1, 1), would_turn(1, 5)) == (True, False, False)
    gates.overdue_s[SECOND] = 300.0
    assert not would_turn(5, 1)
    gates.overdue_s[FIRST] = 300.0
    assert not would_turn(5, 1)
    gates.overdue_s[SECOND] = 0.0
    assert would_turn(1, 5)
    desk._follow_ups._queues(road.view())
    assert desk.books.trips.gate_ix[0] == SECOND
