"""A request takes effect once: for seven days, however many there are, and whatever happens to the server."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fleet.errors import AlreadyExists
from fleet.server import commands as c
from fleet.server.dispatch.answers import DAY_NS, KEPT_NS, AnswersFull, Room
from fleet.server.dispatch.audit import Audited
from fleet.server.fact_form import encode
from fleet.site import load_site
from tests.fleet.desk_road import DeskRoad

MANDULA = load_site("mandula")
CREATE = c.CreateOrder(request_id="o", from_yard_id="mn", to_yard_id="cn", container_count=2)
SHUT = c.ReportBarrier(request_id="b", gate_id="g1", state=1, truck_id="")


def order(number: int) -> c.CreateOrder:
    """A request of that number."""
    return replace(CREATE, request_id=f"o{number}")


def count(road: DeskRoad) -> int:
    """Orders there are."""
    return len(road.desk.books.orders.by_id)


@pytest.fixture
def road() -> DeskRoad:
    """A desk without trucks."""
    return DeskRoad(MANDULA, [])


def test_a_request_is_remembered_for_seven_days_and_over_a_restart(road: DeskRoad) -> None:
    """A client that comes back after a weekend may still ask whether it was done."""
    first = road.give(CREATE)
    road.now_ns += KEPT_NS - 1
    road.give(order(1))

    again = road.recover().give(CREATE)

    assert again == first
    assert count(road) == 2


def test_another_request_under_a_known_id_is_refused(road: DeskRoad) -> None:
    """One of the two was never done, and its sender must hear of it; so must another sender of the same words."""
    road.give(CREATE, "ann")

    with pytest.raises(AlreadyExists):
        road.give(replace(CREATE, container_count=3), "ann")
    with pytest.raises(AlreadyExists):
        road.give(CREATE, "bob")

    assert count(road) == 1


def test_no_answer_goes_before_its_time(road: DeskRoad) -> None:
    """At the bound new requests are refused by name; what was done is not forgotten to make room, and room comes with time."""
    road.desk.books.answers.room = Room(answers_max=10)
    for number in range(10):
        road.give(order(number))
        road.now_ns += DAY_NS // 10

    with pytest.raises(AnswersFull):
        road.give(order(10))
    first = road.give(order(0))
    road.now_ns += KEPT_NS - DAY_NS + 1
    road.give(order(11))

    assert isinstance(first, c.OrderAnswer)
    assert first.order_id == "order-000001"
    assert count(road) == 11


def test_one_who_asks_without_end_is_refused_before_everybody_is(road: DeskRoad) -> None:
    """A script gone mad must not take the desk from the people at it."""
    road.desk.books.answers.room = Room(of_one_max=5)
    for number in range(5):
        road.give(order(number), "script")

    with pytest.raises(AnswersFull) as refused:
        road.give(order(6), "script")
    road.give(order(7), "ann")

    assert refused.value.facts()["whose"] == "script"


@pytest.mark.parametrize(
    "command",
    [
        c.StopAll(stop_id="s", reason="fire"),
        c.HoldTruck(request_id="h", truck_id="T00", reason="smoke"),
        c.CloseLane(request_id="c", lane_id="sb_2", reason="coal"),
        c.ReportIntrusion(
            request_id="i", intrusion_id="man", kind=1, places=(c.StretchAnswer(lane_id="sb_2", start_m=1.0, end_m=2.0),), radius_m=1.0
        ),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_makes_things_safer_is_never_refused_for_want_of_memory(command: c.Command) -> None:
    """A full shelf is no reason to keep a fleet moving."""
    road = DeskRoad(MANDULA, ["mn_park_01"])
    road.desk.books.answers.room = Room(answers_max=1)
    road.give(CREATE)

    road.give(command)

    with pytest.raises(AnswersFull):
        road.give(order(1))


def test_proofs_of_gates_push_nobodys_requests_out(road: DeskRoad) -> None:
    """Barriers report thousands of times a day; an operator's order must still be known on the seventh."""
    road.desk.books.answers.room = Room(proofs_max=100)
    road.give(CREATE)
    for number in range(500):
        road.give(replace(SHUT, request_id=f"b{number}"))

    assert len(road.desk.books.answers.proofs) == 100
    assert road.give(CREATE) == road.give(CREATE)
    assert count(road) == 1


def test_every_request_takes_effect_once_through_retries_and_restarts(road: DeskRoad) -> None:
    """Ten thousand orders, each sent up to four times, half of them again after the server came back from its journal."""
    chance = np.random.default_rng(11)
    told: dict[int, object] = {}
    for number in range(10_000):
        if number in {3_000, 7_000}:
            road = road.recover()
        for known in [number] * int(chance.integers(1, 4)) + [int(chance.integers(number + 1))]:
            answer = road.give(order(known))
            assert told.setdefault(known, answer) == answer

    assert count(road) == 10_000
    assert len({answer.order_id for answer in told.values() if isinstance(answer, c.OrderAnswer)}) == 10_000


def test_a_snapshot_recreates_them(road: DeskRoad) -> None:
    """What is not in a snapshot is forgotten with the records it replaced."""
    road.give(CREATE)
    road.give(SHUT)
    before = sorted(encode(fact) for fact in road.desk.books.answers.facts())
    road.facts = road.desk.facts()

    other = road.recover()

    assert sorted(encode(fact) for fact in other.desk.books.answers.facts()) == before
    assert other.give(CREATE) == road.give(CREATE)


def test_what_is_older_than_seven_days_is_in_no_memory_and_in_no_snapshot(road: DeskRoad) -> None:
    """A server that runs for months is as small as it was after a week; finished orders go as well, whatever answered for them."""
    road.desk.books.orders.finished_max = 10
    for number in range(1000):
        ordered = road.give(order(number), f"p{number % 7}")
        assert isinstance(ordered, c.OrderAnswer)
        road.give(c.CancelOrder(request_id=f"x{number}", order_id=ordered.order_id))
        road.give(replace(SHUT, request_id=f"b{number}"))
    sizes = [len(road.desk.facts())]
    road.now_ns += KEPT_NS + 1
    road.give(order(1000), "ann")
    road.give(replace(SHUT, request_id="b"))
    sizes.append(len(road.desk.facts()))

    answers = road.desk.books.answers
    assert (len(answers.people), len(answers.proofs)) == (1, 1)
    assert sizes[0] - sizes[1] == 3000 - 3
    assert count(road) == 11


def test_no_snapshot_repeats_the_audit(road: DeskRoad) -> None:
    """Who did what is read from the disk: a core that kept it would grow for ever."""
    road.give(CREATE)

    assert any(isinstance(fact, Audited) for fact in road.facts)
    assert not any(isinstance(fact, Audited) for fact in road.desk.facts())
