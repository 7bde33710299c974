"""Gates: called one at a time, passed only on proof, never over-filled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fleet.errors import NotFound
from fleet.server import commands as c
from fleet.server.dispatch.crossing import CrossingKept, CrossingState, IllegalCrossingEvent
from fleet.server.dispatch.gates import Gates
from fleet.server.dispatch.passage import DecisionTooLate, GateNotCalled
from fleet.server.outgoing import BorderCall, GateCall
from fleet.site import load_site
from planner.authority import Cause
from planner.tables import LaneTable
from tests.fleet.desk_road import DeskRoad, Plant

MANDULA = load_site("mandula")
BIG = load_site("ganqimaodu")
NEVER_S = 1e9
HOUR_NS = 3600 * 1_000_000_000


def to_gate(road: DeskRoad, gate_id: str) -> int:
    """Runs until a truck is called to the gate; its row."""
    gate_ix = road.corridor.gate_ix[gate_id]
    assert road.until(lambda: road.desk.books.gates.called_row[gate_ix] >= 0, 1500)
    return int(road.desk.books.gates.called_row[gate_ix])


def opened(gate_id: str, truck_id: str, name: str = "open") -> c.ReportBarrier:
    """The interlock's proof."""
    return c.ReportBarrier(request_id=name, gate_id=gate_id, state=2, truck_id=truck_id)


def test_no_truck_passes_an_unproven_gate() -> None:
    """The barrier may be down: nothing but the interlock's proof moves the end past the stop line."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(gate_s=NEVER_S))
    road.order(2)
    row = to_gate(road, "g1")
    gate = road.desk.books.trips.next_gate(row)

    road.step(600)

    assert gate is not None
    assert road.trucks.end_m[row] <= gate.stop_m
    assert Cause(int(road.desk.limit_cause[row])) is Cause.GATE
    assert road.desk.limit_ref[row] == MANDULA.gate_ix["g1"]


def test_a_proof_lets_the_named_truck_pass_and_no_other() -> None:
    """A barrier opened for one truck shuts behind it, not behind the next."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_bay_02"], Plant(gate_s=NEVER_S, bay_s=5.0))
    road.order(4)
    row = to_gate(road, "g1")
    road.step(400)
    other = 1 - row

    with pytest.raises(GateNotCalled):
        road.give(opened("g1", road.desk.books.trips.known(other).truck_id, "wrong"))
    road.give(opened("g1", road.desk.books.trips.known(row).truck_id))

    line_m = {k: gate.stop_m for k in (row, other) if (gate := road.desk.books.trips.next_gate(k)) is not None}
    assert road.desk.limit_m[row] > line_m[row]
    assert road.desk.limit_m[other] == line_m[other]


def test_the_next_truck_is_called_only_when_the_barrier_is_proven_shut() -> None:
    """Two trucks under one barrier is what a barrier is there to prevent."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_bay_02"], Plant(gate_s=1.0, bay_s=5.0, shut_s=NEVER_S))
    road.order(4)
    gate_ix = MANDULA.gate_ix["g1"]
    assert road.until(lambda: bool(road.desk.books.gates.awaits_shut[gate_ix]), 400)

    road.step(600)
    assert road.desk.books.gates.called_row[gate_ix] == -1

    road.give(c.ReportBarrier(request_id="shut", gate_id="g1", state=1, truck_id=""))
    road.step(2)
    assert road.desk.books.gates.called_row[gate_ix] >= 0


def test_a_lost_proof_pulls_the_limit_back() -> None:
    """Losing the proof before the truck has passed is an emergency: the loop is told to shorten."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(gate_s=NEVER_S))
    road.order(2)
    row = to_gate(road, "g1")
    road.give(opened("g1", "T00"))
    road.step(3)
    line = road.desk.books.trips.next_gate(row)

    road.give(c.ReportBarrier(request_id="lost", gate_id="g1", state=1, truck_id=""))

    assert line is not None
    assert road.desk.limit_m[row] == line.stop_m
    assert road.desk.revoked[row]
    road.give(opened("g1", "T00", "again"))
    assert not road.desk.revoked[row]


def test_after_a_restart_gates_are_asked_again() -> None:
    """What was proven to a server that died is not proven to its successor; ids rise, so no old answer fits."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(gate_s=NEVER_S))
    road.order(2)
    row = to_gate(road, "g1")
    road.give(opened("g1", "T00"))
    before = max(call.call_id for call in road.desk.open_calls()) if road.desk.open_calls() else 0

    after = road.recover()
    after.step()

    line = after.desk.books.trips.next_gate(row)
    assert line is not None
    assert after.desk.limit_m[row] == line.stop_m
    calls = [call for call in after.desk.open_calls() if isinstance(call.content, GateCall)]
    assert len(calls) == 1
    assert calls[0].call_id > before
    assert calls[0].content == GateCall(gate_id="g1", truck_id="T00", crossing_id="crossing-000001")


def test_the_customs_gate_wants_a_clearance_too() -> None:
    """An open barrier is no clearance: the load stays until customs has spoken."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(decide=lambda _crossing: 4))
    road.order(2)
    gate_ix = MANDULA.gate_ix["g3"]
    assert road.until(lambda: road.desk.books.gates.open_row[gate_ix] == 0, 900)

    road.step(100)
    assert Cause(int(road.desk.limit_cause[0])) is Cause.CUSTOMS

    road.give(c.DecideCrossing(request_id="late", crossing_id="crossing-000001", decision=1, officer="li"))
    line = road.desk.books.trips.next_gate(0)
    assert line is not None
    assert road.desk.limit_m[0] > line.stop_m


def test_a_decision_after_the_last_gate_is_too_late() -> None:
    """A truck with permission to leave the checkpoint cannot be called back by paper; a person must hold it."""
    road = DeskRoad(MANDULA, ["mn_bay_01"])
    road.order(2)
    assert road.until(lambda: "crossing-000001" in road.desk.books.crossings.by_id, 60)
    gate_ix = MANDULA.gate_ix["g3"]
    assert road.until(lambda: road.desk.books.gates.open_row[gate_ix] == 0, 900)
    road.step(15)
    refuse = c.DecideCrossing(request_id="x", crossing_id="crossing-000001", decision=3, officer="li")

    with pytest.raises(DecisionTooLate):
        road.give(refuse)

    assert road.until(lambda: road.desk.books.crossings.by_id["crossing-000001"].state is CrossingState.THROUGH, 600)
    with pytest.raises(IllegalCrossingEvent):
        road.give(refuse)


def test_a_picked_load_goes_through_the_x_ray() -> None:
    """Inspection is a place on the way, not a word on paper."""
    road = DeskRoad(BIG, ["mn_bay_01"], Plant(bay_s=2.0, gate_s=1.0, decide=lambda _crossing: 2))
    road.order(2)
    called: list[str] = []

    def unloading() -> bool:
        called.extend(call.content.gate_id for call in road.desk.open_calls() if isinstance(call.content, GateCall))
        return road.mission_state(0) == "UNLOADING"

    assert road.until(unloading, 2400)
    assert any(gate_id.startswith("xray") for gate_id in called)
    assert [crossing.state.name for crossing in road.desk.books.crossings.by_id.values()] == ["THROUGH"]


def test_picked_loads_share_the_x_ray_servers_and_never_wait_before_them_where_others_pass() -> None:
    """Two fit behind each server. A third one sent there stands in the portal, and nobody passes for as long as a scan takes."""
    bays = [f"mn_bay_{k:02d}" for k in range(1, 7)]
    road = DeskRoad(BIG, bays, Plant(bay_s=2.0, gate_s=1.0, decide=lambda _crossing: 2))
    road.order(12)
    lanes = {BIG.gate_ix[gate_id]: BIG.lane_ix[gate_id] for gate_id in ("xray_1", "xray_2")}

    def sent() -> dict[int, int]:
        paths = [road.desk.books.trips.path_of(row).lanes for row in range(6)]
        return {gate_ix: sum(lane in path for path in paths) for gate_ix, lane in lanes.items()}

    assert road.until(lambda: sum(sent().values()) == 4, 900)
    assert set(sent().values()) == {2}
    road.step(100)
    assert set(sent().values()) == {2}


def test_a_portal_alarm_sends_the_truck_to_the_x_ray() -> None:
    """The turn is taken at the portal's hold point, before the fork."""
    road = DeskRoad(BIG, ["mn_bay_01"], Plant(bay_s=2.0, gate_s=1.0, at_portal=lambda _crossing: 2))
    road.order(2)

    assert road.until(lambda: road.desk.books.crossings.by_id.get("crossing-000001") is not None, 60)
    assert road.until(lambda: road.desk.books.crossings.by_id["crossing-000001"].scanned, 2400)


def test_room_before_the_x_ray_is_kept_for_nobody_who_stands_behind_another() -> None:
    """Picked loads that were sent there from afar, and before them in the only lane one that is sent there last: all would wait for good."""
    first = "crossing-000001"
    plant = Plant(bay_s=2.0, gate_s=1.0, decide=lambda it: 1 if it == first else 2, at_portal=lambda it: 2 if it == first else 0)
    road = DeskRoad(BIG, [f"mn_bay_{k:02d}" for k in range(1, 8)], plant)
    road.order(2)
    crossings = road.desk.books.crossings.by_id
    assert road.until(lambda: first in crossings, 60)
    road.step(100)
    road.order(12)

    assert road.until(lambda: len(crossings) == 7 and all(each.scanned for each in crossings.values()), 1500)


def test_a_way_to_the_x_ray_is_set_when_the_customs_gate_has_the_truck() -> None:
    """Not before: room there is kept for whoever comes to it next."""
    road = DeskRoad(BIG, ["mn_bay_01"], Plant(bay_s=2.0, gate_s=5.0, decide=lambda _crossing: 2))
    road.order(2)
    gates = [BIG.gate_ix[gate_id] for gate_id in ("g3_1", "g3_2")]
    called_row, bound = road.desk.books.gates.called_row, road.desk._passage.bound_to_scan

    assert not road.until(lambda: bound(0) or 0 in called_row[gates], 60)
    assert road.until(lambda: 0 in called_row[gates], 900)
    assert not bound(0)
    assert road.until(lambda: bound(0), 2)


def test_a_load_refused_at_the_customs_gate_comes_back() -> None:
    """It passes the gate, takes the turn-back link, is unloaded where it came from, and counts as returned."""
    words = iter([4, 3])
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=5.0, decide=lambda _crossing: next(words)))
    order_id = road.order(2)
    gate_ix = MANDULA.gate_ix["g3"]
    assert road.until(lambda: road.desk.books.gates.open_row[gate_ix] == 0, 900)

    road.give(c.DecideCrossing(request_id="no", crossing_id="crossing-000001", decision=3, officer="li"))
    lanes_driven: set[str] = set()

    def returned() -> bool:
        lanes_driven.add(MANDULA.lanes[road.trucks.lane_at(0, float(road.trucks.nose_m[0]))[0]].lane_id)
        return road.desk.books.orders.by_id[order_id].returned_count == 2

    assert road.until(returned, 1500)
    assert "turn_back" in lanes_driven
    assert "cn_entry" not in lanes_driven
    assert road.desk.totals.round_trips == 0


def test_a_load_refused_at_the_customs_gate_has_the_first_choice_of_stands_at_home() -> None:
    """Whoever else wants the last one stands where nobody waits behind it."""
    stands = ("mn_bay_01", "cn_bay_01", "cn_bay_02")
    site = replace(MANDULA, stands=tuple(MANDULA.stands[MANDULA.stand_ix[stand_id]] for stand_id in stands))
    road = DeskRoad(site, ["mn_bay_01", "cn_bay_01"], Plant(bay_s=5.0, decide=lambda _crossing: 4))
    road.live[1] = False
    road.order(2)
    assert road.until(lambda: road.desk.books.gates.called_row[MANDULA.gate_ix["g3"]] == 0, 900)

    road.give(c.DecideCrossing(request_id="no", crossing_id="crossing-000001", decision=3, officer="li"))
    road.live[1] = True
    road.step(20)

    assert [road.desk.truck(row).goal_id for row in range(2)] == ["mn_bay_01", "cn_bay_01"]


def test_a_refused_load_that_is_bound_for_no_stand_does_not_cross() -> None:
    """Home is full, and it was to queue for a bay over there: it waits for a stand at home, whichever stand the site names last."""
    site = replace(MANDULA, stands=tuple(sorted(MANDULA.stands, key=lambda stand: stand.yard_id == "mn")))
    road = DeskRoad(site, ["mn_park_01"])
    desk = road.desk
    plan = desk._ways.plan_queue(0, desk.books.trips.stand_lane[0])
    assert plan is not None
    desk._moves.stage(0, plan)
    refused = CrossingKept(
        crossing_id="crossing-000001", number=1, row=0, truck_id="T00", state=CrossingState.REFUSED, containers=(), declared_ns=0
    )

    assert site.stands[-1].yard_id == "mn"
    assert desk._passage._undecided(0, refused) is Cause.STAND


def test_a_gates_queue_is_not_over_filled() -> None:
    """Trucks wait on their stands when the queue before the gate has no more room, and say so."""
    bays = [f"mn_bay_{k:02d}" for k in range(1, 13)]
    road = DeskRoad(BIG, bays, Plant(gate_s=NEVER_S, bay_s=3.0))
    road.order(100)
    gates = road.desk.books.gates
    group = int(gates.group_ix[BIG.gate_ix["g1_1"]])

    most = 0
    for _ in range(200):
        road.step(10)
        bound = road.desk.books.trips.gate_ix
        most = max(most, int((gates.group_ix[bound[bound >= 0]] == group).sum()))

    assert most == gates.room[group]
    waiting = [row for row in range(12) if road.desk.books.trips.settled[row]]
    assert len(waiting) == 12 - most
    assert {Cause(int(road.desk.limit_cause[row])) for row in waiting} == {Cause.GATE}


def test_a_gate_far_from_the_stands_does_not_wait_for_each_truck() -> None:
    """What the gate serves while a truck drives up to it may be on the way as well: else it stands idle for most of every drive."""
    road = DeskRoad(BIG, [f"cn_park_1_{k:02d}" for k in range(1, 17)], Plant(gate_s=12.0))
    gates = road.desk.books.gates
    gate_ixs = [BIG.gate_ix["g5_1"], BIG.gate_ix["g5_2"]]
    group = int(gates.group_ix[gate_ixs[0]])

    most = 0
    for _ in range(60):
        road.step(10)
        bound = road.desk.books.trips.gate_ix
        most = max(most, int((gates.group_ix[bound[bound >= 0]] == group).sum()))

    drive_s = 560.0 / BIG.truck_types[0].speed_max_mps
    assert gates.room[group] < most <= gates.room[group] + len(gate_ixs) * drive_s / 12.0


class PortalOut(Plant):
    """A plant whose radiation portal answers no call."""

    def hear(self, call: BorderCall, now_ns: int, roles: dict[str, str]) -> None:
        """One call."""
        if not isinstance(call.content, GateCall) or roles[call.content.gate_id] != "portal":
            super().hear(call, now_ns, roles)


def test_trucks_wait_on_their_stands_for_a_gate_behind_others_too() -> None:
    """A queue on the road keeps stands of the other yard from trucks that could be there sooner, and is in everybody's way."""
    slow = replace(BIG, processes={**BIG.processes, "portal": replace(BIG.processes["portal"], a=30.0)})
    road = DeskRoad(slow, [*(f"mn_bay_{k:02d}" for k in range(1, 13)), *(f"mn_park_1_{k:02d}" for k in range(1, 17))], PortalOut(bay_s=3.0))
    road.order(100)
    portal, books = slow.gate_ix["portal"], road.desk.books
    way = road.desk._ways.plan(0, slow.stand_ix["cn_bay_01"])
    assert way is not None
    before = way.new_lanes[: way.new_lanes.index(slow.lane_ix["sb_portal"])]
    served_s = sum(slow.processes[process].mean_s + 25.0 for process in ("g1", "g2", "g3"))

    most = 0
    for _ in range(80):
        road.step(50)
        most = max(most, int(books.trips.ahead[:, portal].sum()))

    on_the_way_s = float(books.roads.travel_s[list(before)].sum()) + served_s
    assert most == books.gates.room[books.gates.group_ix[portal]] + int(2.0 * on_the_way_s / 55.0) < 28
    waiting = [row for row in range(28) if books.trips.settled[row]]
    assert {(Cause(int(road.desk.limit_cause[row])), int(road.desk.limit_ref[row])) for row in waiting} == {(Cause.GATE, portal)}


def test_neighbouring_gates_share_the_trucks() -> None:
    """Two gates side by side with one queue each: nobody waits at one while the other stands idle."""
    road = DeskRoad(BIG, [f"mn_bay_{k:02d}" for k in range(1, 7)], Plant(gate_s=20.0, bay_s=3.0))
    road.order(12)
    used: set[int] = set()

    for _ in range(150):
        road.step(10)
        used |= {gate_ix for gate_ix, row in enumerate(road.desk.books.gates.called_row.tolist()) if row >= 0}

    assert {BIG.gate_ix["g1_1"], BIG.gate_ix["g1_2"]} <= used


def test_who_turns_to_another_gate_still_joins_the_queue_it_was_sent_to() -> None:
    """A truck in the queue for the bays is bound for no stand yet. With the last stand of the site for one it parks there for good."""
    road = DeskRoad(BIG, [f"mn_bay_{k:02d}" for k in range(1, 7)])
    desk = road.desk
    ways, moves, queue = desk._ways, desk._moves, desk._departures._bays._staging["cn"]
    assert queue is not None
    for row in range(6):
        plan = ways.plan_queue(row, queue.lane_ix, via=[BIG.lane_ix["g1_1"]])
        assert plan is not None
        moves.stage(row, plan)

    for _ in range(3):
        desk._follow_ups._queues(road.view())

    paths = [[BIG.lanes[lane].lane_id for lane in desk.books.trips.path_of(row).lanes] for row in range(6)]
    assert any("g1_2" in path for path in paths)
    assert {path[-1] for path in paths} == {BIG.lanes[queue.lane_ix].lane_id}


def test_who_is_behind_at_a_fork_keeps_nobody_from_the_shorter_queue() -> None:
    """As many for either gate in all is not enough: the head of the queue would stand before a full gate, beside an empty one."""
    road = DeskRoad(BIG, [f"mn_bay_{k:02d}" for k in range(1, 7)])
    desk = road.desk
    ways, moves, queue = desk._ways, desk._moves, desk._departures._bays._staging["cn"]
    assert queue is not None

    def send(row: int, gate_id: str) -> None:
        plan = ways.plan_queue(row, queue.lane_ix, via=[BIG.lane_ix[gate_id]])
        assert plan is not None
        moves.stage(row, plan)

    for row in range(6):
        send(row, "g1_1")
    nearest_first = ways.by_nearness(6)
    for row in nearest_first[3:]:
        send(row, "g1_2")
    assert nearest_first == ways.by_nearness(6)
    assert ways.bound_for()[BIG.gate_ix["g1_1"]] == ways.bound_for()[BIG.gate_ix["g1_2"]] == 3

    for _ in range(6):
        desk._follow_ups._queues(road.view())

    first = [int(desk.books.trips.gate_ix[row]) == BIG.gate_ix["g1_1"] for row in nearest_first]
    assert [sum(first[:count]) for count in (2, 4, 6)] == [1, 2, 3]


def test_gates_of_one_role_in_two_yards_are_two_groups() -> None:
    """A queue at the far yard says nothing about the near one."""
    gates = Gates(BIG, LaneTable.of(BIG), 16.5)
    group = {gate.gate_id: int(gates.group_ix[k]) for k, gate in enumerate(BIG.gates)}

    assert group["g4_1"] == group["g4_2"] != group["g6_1"] == group["g6_2"]
    assert group["g1_1"] == group["g1_2"] != group["g5_1"]
    assert (gates.room >= 1).all()


def test_a_gate_nobody_has_is_refused() -> None:
    """A typo moves nothing."""
    road = DeskRoad(MANDULA, [])

    with pytest.raises(NotFound):
        road.give(opened("g99", "T00"))
    assert np.isneginf(road.desk.limit_m).all()


class SlowRails(Plant):
    """A plant whose level crossing takes longer than trucks take to queue before it."""

    def hear(self, call: BorderCall, now_ns: int, roles: dict[str, str]) -> None:
        """One call."""
        self.gate_s = 400.0 if isinstance(call.content, GateCall) and call.content.gate_id == "rail" else 5.0
        super().hear(call, now_ns, roles)


def test_a_gate_that_is_called_in_motion_is_called_for_the_foremost(tmp_path: Path) -> None:
    """Several are near enough to call it for; open for one behind another it would stay open for good, and nobody would pass."""
    rail = "{lane: sb_1, role: border, process: g4, stop_station_m: 500, drive_through: true, call_before_m: 120}"
    site = tmp_path / "rail.yaml"
    site.write_text(f'extends: mandula\nsite: rail\nstandings: {{gates.rail: "A"}}\ngates: {{rail: {rail}}}\n', encoding="utf-8")
    road = DeskRoad(load_site(str(site)), ["mn_park_01", "mn_bay_01", "mn_bay_02"], SlowRails())
    order_id = road.order(6)

    moved = road.until(lambda: road.desk.books.orders.by_id[order_id].delivered_count == 6, 3600)

    assert moved
    assert road.refused == []
