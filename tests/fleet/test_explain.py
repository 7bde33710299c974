"""Why a truck stands: to the root, in words."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from fleet.errors import NotFound
from fleet.server import commands as c
from fleet.server.dispatch.explain import explain
from fleet.server.dispatch.owners import OWNERS, Owner
from fleet.server.dispatch.phrases import phrase
from fleet.server.dispatch.stands import BayState
from fleet.server.fleet_view import FleetView
from fleet.site import load_site
from fleet.texts import LANGUAGES, texts
from planner.authority import Cause
from tests.fleet.desk_road import DeskRoad, Plant

MANDULA = load_site("mandula")
NEVER_S = 1e9
GAP = re.compile(r"\{(\w+)\}")


def view_of(road: DeskRoad, causes: dict[int, tuple[Cause, int]] | None = None) -> FleetView:
    """The picture with the desk's causes, or the given ones; trucks stand as they do on the road."""
    n = road.trucks.count
    cause, ref = road.desk.limit_cause[:n].astype(np.int32), road.desk.limit_ref[:n].copy()
    for row, (name, subject) in (causes or {}).items():
        cause[row], ref[row] = name, subject
    return FleetView(
        tick=road.tick,
        now_ns=road.now_ns,
        epoch=1,
        truck_ids=tuple(road.desk.books.trips.known(row).truck_id for row in range(n)),
        truck_type_ids=("coal_truck_70t",) * n,
        session=np.full(n, 3, np.int8),
        lane_ix=np.zeros(n, np.int32),
        chainage_m=np.zeros(n),
        speed_mps=road.trucks.speed_mps[:n].copy(),
        laden=road.laden[:n].copy(),
        end_lane_ix=np.zeros(n, np.int32),
        end_chainage_m=np.zeros(n),
        rear_lane_ix=np.zeros(n, np.int32),
        rear_chainage_m=np.zeros(n),
        battery_wh=road.battery_wh[:n].copy(),
        brake_health=np.ones(n),
        report_age_ns=np.zeros(n, np.int64),
        standing=road.trucks.speed_mps[:n] < 0.05,
        cause=cause,
        cause_ref=ref,
        cause_since_ns=np.full(n, 7, np.int64),
        lane_friction=np.full(road.lanes.count, 0.7),
    )


def kinds(road: DeskRoad, truck_id: str, causes: dict[int, tuple[Cause, int]] | None = None) -> list[tuple[str, str]]:
    """The chain as (kind, subject)."""
    found = explain(road.desk.books, view_of(road, causes), truck_id)
    return [(link.kind, link.subject_id) for link in found.causes]


def test_the_chain_ends_at_the_root() -> None:
    """The third truck in a queue does not stand because of the second, but because of the gate."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_bay_02"], Plant(gate_s=NEVER_S, bay_s=5.0))
    road.order(4)
    road.step(2000)
    first = int(road.desk.books.gates.called_row[MANDULA.gate_ix["g1"]])
    second = 1 - first
    leader = {second: (Cause.LEADER, first)}

    assert kinds(road, f"T{second:02d}", leader) == [("leader", f"T{first:02d}"), ("gate", "g1")]
    sentence = explain(road.desk.books, view_of(road, leader), f"T{second:02d}").sentence
    assert sentence == f"T{second:02d} waits behind T{first:02d}; T{first:02d} waits until gate g1 is proven open for it."


def test_a_gate_that_serves_another_names_it() -> None:
    """Who waits at a busy gate wants to know for whom it is busy."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_bay_02"], Plant(gate_s=NEVER_S, bay_s=5.0))
    road.order(4)
    road.step(2000)
    first = int(road.desk.books.gates.called_row[MANDULA.gate_ix["g1"]])
    second = 1 - first

    assert kinds(road, f"T{second:02d}") == [("gate", "g1"), ("gate", "g1")]


def test_who_waits_on_a_stand_for_a_gate_behind_others_waits_for_the_first_on_the_way_there() -> None:
    """The gate itself is idle: what keeps the truck from going is whatever keeps those before it."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_park_01"], Plant(gate_s=NEVER_S, bay_s=5.0))
    road.order(2)
    road.step(2000)
    assert road.desk.books.gates.called_row[MANDULA.gate_ix["g1"]] == 0

    assert kinds(road, "T01", {1: (Cause.GATE, MANDULA.gate_ix["g2"])}) == [("gate", "g2"), ("gate", "g1")]


def test_a_circle_is_said_once() -> None:
    """A chain that comes back to a truck ends there: the answer comes in any case."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_park_02"])

    chain = kinds(road, "T00", {0: (Cause.LEADER, 1), 1: (Cause.LEADER, 0)})

    assert chain == [("leader", "T01"), ("leader", "T00")]


def test_a_truck_that_waits_for_a_bay_is_told_whose_it_is() -> None:
    """Slot, then the truck in the bay, then the loader's work."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_bay_02", "mn_park_01", "mn_park_02", "mn_park_03"], Plant(bay_s=NEVER_S))
    road.order(40)
    road.step(1500)

    assert kinds(road, "T04") == [("slot", "mn_bay_01"), ("bay", "mn_bay_01")]


def test_who_waits_for_a_bay_is_told_which_are_out_of_order() -> None:
    """Trucks before one bay of two: the operator asks why, and whom to call. Who has a broken one keeps nobody from it."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_park_01", "mn_park_02", "mn_park_03"], Plant(bay_s=NEVER_S))
    road.order(40)
    assert road.until(lambda: [road.mission_state(row) for row in range(4)].count("LOADING") == 2, 300)
    road.step(20)
    for bay_id in ("mn_bay_01", "cn_bay_01"):
        road.give(c.ReportBay(request_id=bay_id, bay_id=bay_id, state=int(BayState.BLOCKED), truck_id=""), "plant")
    road.step(1500)
    waits = next(row for row in range(4) if road.mission_state(row) == "ASSIGNED")

    told = explain(road.desk.books, view_of(road, {waits: (Cause.SLOT, MANDULA.stand_ix["mn_bay_01"])}), f"T{waits:02}")
    under = explain(road.desk.books, view_of(road), "T00")

    assert [(link.subject_id, link.reason) for link in told.causes] == [("mn_bay_02", "out of order: mn_bay_01"), ("mn_bay_02", "")]
    assert under.sentence == "T00 is being worked on at mn_bay_01 (out of order: mn_bay_01)."


def test_with_every_bay_out_of_order_it_is_up_to_the_yard() -> None:
    """Trucks that stand in broken bays keep nobody from them, and do not wait for one another."""
    road = DeskRoad(MANDULA, ["mn_bay_01", "mn_bay_02", "mn_park_01"])
    for bay_id in ("mn_bay_01", "mn_bay_02"):
        road.give(c.ReportBay(request_id=bay_id, bay_id=bay_id, state=int(BayState.BLOCKED), truck_id=""), "plant")
    road.plant.heard.update(range(1000))  # their keepers do not answer that they were left
    road.order(40)
    road.step(3000)

    for row in (0, 1, 2):
        told = explain(road.desk.books, view_of(road, {row: (Cause.SLOT, MANDULA.stand_ix["mn_bay_01"])}), f"T{row:02}")

        (link,) = told.causes
        assert (link.kind, link.subject_id, link.held_by) == ("slot", "mn", "")
        assert (link.owner, link.owner_id, link.reason) == (Owner.YARD, "mn", "out of order: mn_bay_01, mn_bay_02")


def test_a_zone_names_the_truck_on_it() -> None:
    """Zones have no will of their own; the truck on them has."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_park_02"])
    lane, low_m, _ = road.trucks.ground(1)[0]
    parts = [(zone_ix, part) for zone_ix, zone in enumerate(MANDULA.zones) for part in zone.parts]
    zone_ix = next(ix for ix, part in parts if MANDULA.lane_ix[part.stretch.lane_id] == lane)
    road.trucks.end_m[1] = MANDULA.lanes[lane].length_m
    road.trucks.rear_m[1] = min(low_m, 0.0)

    chain = kinds(road, "T00", {0: (Cause.ZONE, zone_ix)})

    assert chain[0] == ("zone", MANDULA.zones[zone_ix].zone_id)
    assert len(chain) == 2


def test_persons_are_named() -> None:
    """A hold is somebody's, and so is the way out of it."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    road.give(c.HoldTruck(request_id="h", truck_id="T00", reason="tyre"), "bat")
    road.give(c.StopAll(stop_id="storm", reason="dust"), "od")

    assert kinds(road, "T00", {0: (Cause.HOLD, -1)}) == [("hold", "bat")]
    assert kinds(road, "T00", {0: (Cause.ALL_STOP, -1)}) == [("all_stop", "storm")]


def test_an_intruder_is_named() -> None:
    """Whoever is to look and release must know where."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_park_02"])
    lane_id = MANDULA.stands[MANDULA.stand_ix["mn_park_01"]].lane_id
    place = c.StretchAnswer(lane_id=lane_id, start_m=5.0, end_m=5.0)
    road.give(c.ReportIntrusion(request_id="i", intrusion_id="man-1", kind=1, places=(place,), radius_m=2.0))
    number = road.desk.books.intrusions.open["man-1"].number

    assert kinds(road, "T01", {0: (Cause.INTRUSION, number), 1: (Cause.LEADER, 0)}) == [("leader", "T00"), ("intrusion", "man-1")]
    sentence = explain(road.desk.books, view_of(road, {0: (Cause.INTRUSION, number)}), "T00").sentence
    assert sentence == "T00 keeps clear of the intruder man-1."


def test_weak_brakes_and_ice_point_to_where_they_are() -> None:
    """Whoever is to mend or to grit must be told the place."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_park_02"], Plant())
    stand_ix, lane_ix = MANDULA.stand_ix["mn_park_01"], MANDULA.lane_ix["sb_1"]

    assert kinds(road, "T00", {0: (Cause.FAULT, stand_ix)}) == [("fault", "mn_park_01")]
    assert kinds(road, "T01", {1: (Cause.TRACTION, lane_ix)}) == [("traction", "sb_1")]


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cause_has_words_in_every_language(cause: Cause, language: str) -> None:
    """A truck without a reason is the one thing an operator may not see."""
    assert phrase(cause, "", language)
    assert cause in OWNERS, "and it needs somebody who can end it"
    assert phrase(cause, "x", f"{language}-XX") == phrase(cause, "x", language)


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_can_be_explained_without_a_subject(cause: Cause) -> None:
    """The loop may not know whom to blame; the answer comes all the same."""
    road = DeskRoad(MANDULA, ["mn_park_01"])

    chain = kinds(road, "T00", {0: (cause, -1)})

    assert chain[0][0] == ("session" if cause is Cause.NONE else cause.name.lower())


def test_a_moving_truck_needs_no_reason() -> None:
    """It does not stand."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    road.trucks.speed_mps[0] = 3.0

    found = explain(road.desk.books, view_of(road), "T00", "zh")

    assert not found.standing
    assert found.causes == ()
    assert found.sentence == "T00 正在行驶."
    with pytest.raises(NotFound):
        explain(road.desk.books, view_of(road), "T99")


def test_the_chain_says_whose_link_it_is_and_who_can_end_it() -> None:
    """From the truck by its authority to whoever can change it, for programs as for people; the root has nobody in the way."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_park_02"])
    road.give(c.HoldTruck(request_id="h", truck_id="T00", reason="tyre"), "bat")

    found = explain(road.desk.books, view_of(road, {0: (Cause.HOLD, -1), 1: (Cause.LEADER, 0)}), "T01")

    first, root = found.causes
    assert (first.truck_id, first.held_by, first.owner, first.owner_id) == ("T01", "T00", Owner.TRUCK, "T00")
    assert (root.truck_id, root.held_by, root.owner, root.owner_id, root.reason) == ("T00", "", Owner.OPERATOR, "bat", "tyre")
    assert first.end is not None
    assert found.sentence == "T01 waits behind T00; T00 is held by bat (tyre)."


def test_a_truck_in_the_way_that_drives_on_is_the_root() -> None:
    """It is in the data as in the sentence."""
    road = DeskRoad(MANDULA, ["mn_park_01", "mn_park_02"])
    road.trucks.speed_mps[0] = 3.0

    assert kinds(road, "T01", {1: (Cause.LEADER, 0)}) == [("leader", "T00"), ("moving", "")]


def test_a_truck_that_fell_silent_on_the_move_does_not_move_for_all_we_know() -> None:
    """Nothing is heard of it: what it did last is no answer to where it is."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    road.trucks.speed_mps[0] = 3.0
    view = replace(view_of(road, {0: (Cause.SESSION, -1)}), session=np.full(1, 4, np.int8))

    found = explain(road.desk.books, view, "T00")

    assert not found.standing
    assert [link.kind for link in found.causes] == ["session"]
    assert found.sentence == "T00 was moving when last heard, and has had no live contact with the server since."


def test_a_server_that_has_just_begun_says_so() -> None:
    """Before it has looked at anybody it must not say that all drive."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    view = replace(view_of(road, {0: (Cause.NONE, -1)}), standing=np.zeros(1, np.bool_))

    assert "is about to be given road" in explain(road.desk.books, view, "T00").sentence


def test_a_closed_lane_before_every_free_stand_is_named_as_what_it_is() -> None:
    """Told that no stand is free, somebody would go and make room in a yard that is empty."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=5.0))
    lane_id = "sb_1"
    road.give(c.CloseLane(request_id="c", lane_id=lane_id, reason="stones"), "od")
    road.give(c.LimitLane(request_id="l", lane_id=lane_id, speed_limit_mps=2.0, reason="dust"), "bat")
    road.order(4)
    road.step(600)

    chain = explain(road.desk.books, view_of(road), "T00").causes

    assert [(link.kind, link.subject_id, link.owner_id, link.reason) for link in chain] == [("closure", lane_id, "od", "stones")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_owner_and_cause_is_said_in_few_words_too(language: str) -> None:
    """The console's and the command line's tables have no room for sentences."""
    assert {f"owner.{owner.name.lower()}" for owner in Owner} <= set(texts(language))
    assert {f"short.{cause.name.lower()}" for cause in Cause} <= set(texts(language))


def test_all_languages_have_the_same_sentences_with_the_same_gaps() -> None:
    """A sentence that is missing in one language is a blank at night."""
    gaps = {language: {key: sorted(GAP.findall(said)) for key, said in texts(language).items()} for language in LANGUAGES}

    assert gaps["zh"] == gaps["en"]
    assert gaps["mn"] == gaps["en"]
