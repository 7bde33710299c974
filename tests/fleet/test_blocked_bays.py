"""Bays whose machine breaks: nobody waits under one while another is free, and what is aboard is counted once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.errors import InvalidField
from fleet.server import commands as c
from fleet.server.dispatch.stands import BayState
from fleet.server.dispatch.yard import BayWork
from fleet.server.fact_form import encode
from fleet.server.outgoing import BayCall, Container
from fleet.site import load_site
from tests.fleet.desk_road import DeskRoad, Plant

MANDULA = load_site("mandula")
NEVER_S = 1e6


def say(road: DeskRoad, bay_id: str, state: BayState, truck_id: str = "", aboard: tuple[Container, ...] = ()) -> None:
    """A loader's proof."""
    name = f"said-{road.tick}-{len(road.facts)}-{state.name}"
    road.give(c.ReportBay(request_id=name, bay_id=bay_id, state=int(state), truck_id=truck_id, containers=aboard), "plant")


def worked_on(road: DeskRoad) -> tuple[str, tuple[Container, ...]]:
    """The bay that is called to work, and the containers it was called for."""
    (call,) = [call.content for call in road.desk.open_calls() if isinstance(call.content, BayCall)]
    return call.bay_id, call.containers


def breaks(road: DeskRoad, bay_id: str, aboard: tuple[Container, ...]) -> None:
    """The bay's machine breaks over the first truck, at work; a minute later its crew has it clear of it."""
    road.step(20)
    road.plant.due.clear()
    say(road, bay_id, BayState.BLOCKED)
    road.step(600)
    assert road.desk.truck(0).goal_id == bay_id
    say(road, bay_id, BayState.CLEAR, "T00", aboard)


def test_who_is_bound_for_a_bay_that_breaks_takes_another() -> None:
    """It would wait there for as long as the repair takes, beside a bay that works."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    road.order(2)
    assert road.until(lambda: road.desk.truck(0).goal_id.startswith("mn_bay"), 200)
    first = road.desk.truck(0).goal_id

    say(road, first, BayState.BLOCKED)

    assert road.until(lambda: road.mission_state(0) == "LADEN", 300)
    assert road.desk.truck(0).goal_id != first


def test_from_afar_nobody_takes_a_bay_for_one_that_broke() -> None:
    """It stays free for who is there, and the one on the road has it when he is."""
    stands = ("cn_park_01", "cn_bay_01", "mn_bay_01", "mn_bay_02")
    site = replace(MANDULA, stands=tuple(MANDULA.stands[MANDULA.stand_ix[stand_id]] for stand_id in stands))
    road = DeskRoad(site, ["cn_park_01"])
    road.order(2)
    assert road.until(lambda: road.mission_state(0) == "ASSIGNED" and road.desk.truck(0).goal_id == "mn_bay_01", 200)

    say(road, "mn_bay_01", BayState.BLOCKED)
    road.step(200)

    assert road.desk.truck(0).goal_id == "mn_bay_01"
    assert road.until(lambda: road.mission_state(0) == "LOADING", 2000)
    assert road.desk.truck(0).goal_id == "mn_bay_02"


def test_who_stands_in_a_bay_that_breaks_before_work_begins_goes_round_to_another() -> None:
    """The road from a bay leads out of the fan: it takes its turn before the bays again."""
    road = DeskRoad(MANDULA, ["mn_bay_01"])
    say(road, "mn_bay_01", BayState.BLOCKED)
    road.order(2)

    assert road.until(lambda: road.mission_state(0) == "LADEN", 600)
    assert road.desk.truck(0).goal_id == "mn_bay_02"


def test_an_empty_truck_under_a_broken_machine_loads_elsewhere() -> None:
    """A bay that its keeper blocked stays blocked when the truck is free of it: else the next one would be called there at once."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=NEVER_S))
    order_id = road.order(2)
    assert road.until(lambda: road.mission_state(0) == "LOADING", 60)

    breaks(road, "mn_bay_01", ())

    assert road.mission_state(0) == ""
    assert road.desk.books.stands.state[MANDULA.stand_ix["mn_bay_01"]] is BayState.BLOCKED
    assert road.until(lambda: road.mission_state(0) == "LOADING", 600)
    assert worked_on(road)[0] == "mn_bay_02"
    assert road.desk.books.orders.by_id[order_id].waiting_count == 2


def test_the_log_has_when_a_bay_went_out_of_order_and_when_that_was_over() -> None:
    """With the truck in it; said twice it is no news."""
    road = DeskRoad(MANDULA, ["mn_bay_01"])
    told: list[tuple[str, object]] = []
    for bay_id, state in (
        ("mn_bay_01", BayState.BLOCKED),
        ("mn_bay_01", BayState.BLOCKED),
        ("mn_bay_02", BayState.READY),
        ("mn_bay_01", BayState.READY),
        ("cn_bay_01", BayState.BLOCKED),
    ):
        say(road, bay_id, state)
        told += [(alarm.name, dict(alarm.fields)) for alarm in road.desk.alarms()]

    assert [(bay.bay_id, bay.truck_id) for bay in road.desk.blocked_bays()] == [("cn_bay_01", "")]
    assert told == [
        ("bay_blocked", {"bay": "mn_bay_01", "truck": "T00"}),
        ("bay_mended", {"bay": "mn_bay_01", "truck": "T00"}),
        ("bay_blocked", {"bay": "cn_bay_01", "truck": ""}),
    ]


def laden_at_far_bay() -> tuple[DeskRoad, str]:
    """A truck on which a bay of the far yard works, and its order."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=5.0, gate_s=1.0))
    order_id = road.order(2)
    assert road.until(lambda: road.mission_state(0) == "TO_UNLOAD", 200)
    road.plant.bay_s = NEVER_S
    assert road.until(lambda: road.mission_state(0) == "UNLOADING", 2000)
    return road, order_id


@pytest.mark.parametrize("left", [2, 1])
def test_a_laden_truck_under_a_broken_machine_is_unloaded_elsewhere(left: int) -> None:
    """What was lifted off has arrived; the rest stays the truck's until another bay has it off."""
    road, order_id = laden_at_far_bay()
    bay_id, aboard = worked_on(road)
    order = road.desk.books.orders.by_id

    breaks(road, bay_id, aboard[:left])

    assert road.mission_state(0) == "TO_UNLOAD"
    assert (order[order_id].aboard_count, order[order_id].delivered_count) == (left, 2 - left)
    assert [encode(fact) for fact in road.recover().desk.facts()] == [encode(fact) for fact in road.desk.facts()]
    assert road.until(lambda: road.mission_state(0) == "UNLOADING", 600)
    other_id, still = worked_on(road)
    assert other_id != bay_id
    assert still == aboard[:left]

    say(road, other_id, BayState.CLEAR, "T00")
    assert (order[order_id].aboard_count, order[order_id].delivered_count) == (0, 2)
    assert road.desk.books.totals.containers_delivered == 2


def test_a_bay_that_is_ready_again_works_on_who_still_stands_there() -> None:
    """It need not drive round for what can be had where it is."""
    road, order_id = laden_at_far_bay()
    bay_id, aboard = worked_on(road)
    breaks(road, bay_id, aboard)

    say(road, bay_id, BayState.READY)

    assert road.until(lambda: road.mission_state(0) == "UNLOADING", 5)
    assert worked_on(road) == (bay_id, aboard)
    say(road, bay_id, BayState.CLEAR, "T00")
    assert road.desk.books.orders.by_id[order_id].delivered_count == 2


def test_with_every_bay_out_of_order_it_waits_for_the_first_to_be_mended() -> None:
    """Before the bays, where whichever works first can be had."""
    road, _ = laden_at_far_bay()
    bay_id, aboard = worked_on(road)
    for stand in MANDULA.stands:
        if stand.stand_id.startswith("cn_bay"):
            say(road, stand.stand_id, BayState.BLOCKED)
    breaks(road, bay_id, aboard)
    road.plant.heard.update(range(1000))  # its keeper does not answer that it was left: the machine is still broken
    road.step(3000)
    assert road.mission_state(0) == "TO_UNLOAD"

    say(road, bay_id, BayState.READY)

    assert road.until(lambda: road.mission_state(0) == "UNLOADING", 300)
    assert worked_on(road) == (bay_id, aboard)


def test_a_machine_mended_before_its_truck_was_free_goes_on() -> None:
    """Work says that it goes on: the bay is no more blocked when the truck is clear."""
    road = DeskRoad(MANDULA, ["mn_bay_01"], Plant(bay_s=NEVER_S))
    road.order(2)
    assert road.until(lambda: road.mission_state(0) == "LOADING", 60)
    bay_id, wanted = worked_on(road)

    say(road, bay_id, BayState.BLOCKED)
    say(road, bay_id, BayState.WORKING, "T00")
    say(road, bay_id, BayState.CLEAR, "T00", wanted)

    assert road.mission_state(0) == "LADEN"
    assert road.desk.books.stands.state[MANDULA.stand_ix[bay_id]] is BayState.CLEAR


def test_what_was_not_aboard_cannot_be_left_aboard() -> None:
    """A container that nobody loaded would be carried through two yards and counted in one."""
    road, order_id = laden_at_far_bay()
    bay_id, aboard = worked_on(road)

    with pytest.raises(InvalidField, match="was not aboard"):
        say(road, bay_id, BayState.CLEAR, "T00", (replace(aboard[0], container_id="STRANGE"),))

    assert road.mission_state(0) == "UNLOADING"
    assert road.desk.books.orders.by_id[order_id].aboard_count == 2


def breaks_or_is_mended(road: DeskRoad, bay_id: str, lifted: int) -> None:
    """A machine that works breaks, over a truck with so many lifts done; one that is broken is ready again."""
    if road.desk.books.stands.state[MANDULA.stand_ix[bay_id]] is BayState.BLOCKED:
        say(road, bay_id, BayState.READY)
        return
    calls = [call.content for call in road.desk.open_calls() if isinstance(call.content, BayCall) and call.content.bay_id == bay_id]
    road.plant.due = [entry for entry in road.plant.due if not (isinstance(entry[2], c.ReportBay) and entry[2].bay_id == bay_id)]
    say(road, bay_id, BayState.BLOCKED)
    for call in calls:
        loads = call.work == BayWork.LOAD
        say(road, bay_id, BayState.CLEAR, call.truck_id, call.containers[:lifted] if loads else call.containers[lifted:])


@given(plays=st.lists(st.tuples(st.sampled_from(("mn_bay_01", "mn_bay_02", "cn_bay_01", "cn_bay_02")), st.integers(0, 2)), max_size=24))
@settings(max_examples=6, deadline=None)
def test_whatever_breaks_all_is_delivered_in_the_end_and_counted_once(plays: list[tuple[str, int]]) -> None:
    """No container is lost in a bay, or carried twice; and nobody is left in one that broke."""
    road = DeskRoad(MANDULA, [f"mn_park_{k:02d}" for k in range(1, 6)] + ["cn_park_01"], Plant(bay_s=45.0, gate_s=2.0))
    order_id = road.order(24)
    for bay_id, lifted in plays:
        road.step(700)
        breaks_or_is_mended(road, bay_id, lifted)

    for stand in MANDULA.stands:
        if road.desk.books.stands.state[MANDULA.stand_ix[stand.stand_id]] is BayState.BLOCKED:
            say(road, stand.stand_id, BayState.READY)
    order = road.desk.books.orders.by_id

    assert road.until(lambda: order[order_id].delivered_count == 24, 6000)
    assert (order[order_id].waiting_count, order[order_id].aboard_count, order[order_id].returned_count) == (0, 0, 0)
    assert road.desk.books.totals.containers_delivered == 24
    assert road.refused == []
