"""Counts of containers, and their names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.server.dispatch.mission import MissionKept, Missions, MissionState
from fleet.server.dispatch.orders import OrderKept, Orders, OrderState, container_id, containers_for


def order(number: int = 1, *, count: int = 10, priority: int = 0, due_ns: int = 0) -> OrderKept:
    """An order nobody has touched."""
    return OrderKept(
        order_id=f"order-{number}",
        number=number,
        from_yard_id="mn",
        to_yard_id="cn",
        container_count=count,
        waiting_count=count,
        aboard_count=0,
        delivered_count=0,
        returned_count=0,
        due_ns=due_ns,
        priority=priority,
        state=OrderState.OPEN,
        created_ns=0,
    )


def book(*kept: OrderKept) -> Orders:
    """These orders."""
    orders = Orders()
    for order_kept in kept:
        orders.apply(order_kept)
    return orders


def test_the_check_digit_is_the_standards() -> None:
    """Every reader on the way checks it; worked by hand: K21 H18 L23 U32, weights 1 to 512."""
    assert container_id(305_438)[:10] == "KHLU305438"
    total = 21 + 18 * 2 + 23 * 4 + 32 * 8 + 3 * 16 + 0 + 5 * 64 + 4 * 128 + 3 * 256 + 8 * 512
    assert container_id(305_438)[10] == str(total % 11 % 10)


def test_no_two_missions_name_the_same_container() -> None:
    """A name is unique while the container is in the corridor."""
    names = [container.container_id for number in range(1, 5000) for container in containers_for(number, 2)]

    assert len(set(names)) == len(names)


@given(st.lists(st.sampled_from(["load", "deliver", "turn back", "cancel"]), max_size=40))
def test_counts_always_sum_to_the_order(steps: list[str]) -> None:
    """A container is in one place; none is lost between two counts."""
    kept = order(count=12)
    for step in steps:
        if step == "load" and kept.waiting_count >= 2:
            kept = kept.loaded(2)
        elif step == "deliver" and kept.aboard_count >= 2:
            kept = kept.delivered(2)
        elif step == "turn back" and kept.aboard_count >= 2:
            kept = kept.turned_back(2)
        elif step == "cancel":
            kept = kept.cancelled()

    assert kept.waiting_count + kept.aboard_count + kept.delivered_count + kept.returned_count == kept.container_count


def test_an_order_is_done_when_nothing_waits_or_rides() -> None:
    """Returned containers wait for a person, not for a truck."""
    assert order(count=4).loaded(4).delivered(2).state is OrderState.OPEN
    assert order(count=4).loaded(4).delivered(2).turned_back(2).state is OrderState.DONE


def test_more_than_there_is_cannot_be_loaded() -> None:
    """A count below nothing is our own mistake and must not reach the journal."""
    with pytest.raises(AssertionError):
        order(count=2).loaded(3)


def test_priority_goes_first_then_who_is_due_then_age() -> None:
    """The operator's urgent order does not wait for yesterday's, nor boxes whose train leaves for coal that nobody waits for."""
    orders = book(
        order(1),
        order(2, due_ns=900),
        order(3, due_ns=500),
        order(4, priority=5),
        order(5),
        order(6, priority=5).cancelled(),
        order(7, due_ns=500),
    )

    assert [kept.number for kept in orders.first()] == [4, 3, 7, 2, 1, 5]


def test_who_is_late_first_is_loaded_for_first() -> None:
    """Two containers a mission, what is promised left out, an odd one alone."""
    orders = book(order(1, count=6), order(2, count=5, due_ns=900), order(3, count=2, due_ns=500))

    jobs = orders.jobs({"order-2": 2}, range(1, 8))

    assert jobs == [("order-3", 2), ("order-2", 2), ("order-2", 1), ("order-1", 2), ("order-1", 2), ("order-1", 2)]


@given(older=st.integers(0, 20), count=st.integers(1, 20), first=st.integers(1, 100))
def test_an_order_without_due_time_is_never_starved(older: int, count: int, first: int) -> None:
    """Trains come for ever, each with boxes due before anything else; coal that nobody is waiting for must still leave some day."""
    before = [order(1, count=older)] if older else []
    orders = book(*before, order(2, count=count), order(3, count=10_000, due_ns=1, priority=9))

    missions = 4 * (older + older % 2 + count + count % 2)
    jobs = orders.jobs({}, range(first, first + missions))

    assert sum(loaded for order_id, loaded in jobs if order_id == "order-2") == count


def test_containers_aboard_are_not_promised_twice() -> None:
    """What is on the truck has left the waiting count; only trucks still on their way to load claim from it."""
    missions = Missions()
    for number, state in ((1, MissionState.ASSIGNED), (2, MissionState.LOADING), (3, MissionState.TO_UNLOAD)):
        missions.apply(
            MissionKept(
                mission_id=f"m{number}",
                number=number,
                row=number,
                order_id="order-1",
                state=state,
                containers=containers_for(number, 2),
                turned_back=False,
                since_ns=0,
            )
        )

    assert missions.promised() == {"order-1": 4}


def finished(number: int) -> OrderKept:
    """An order whose containers are all in the far yard."""
    return replace(order(number, count=2), waiting_count=0, delivered_count=2, state=OrderState.DONE)


def test_of_finished_orders_only_the_newest_are_remembered() -> None:
    """A server that runs for months is as small as it was; an order that is open is never forgotten, however old."""
    orders = Orders()
    orders.finished_max = 5
    orders.apply(order(1))
    for number in range(2, 30):
        orders.apply(order(number, count=2))
        orders.apply(finished(number))

    assert [kept.number for kept in orders.by_id.values()] == [1, *range(25, 30)]
    assert orders.newest_number == 29


def test_a_cancelled_order_that_a_truck_is_loaded_for_is_not_forgotten() -> None:
    """It was open for long, and thousands after it are finished: the loader has not proven clear yet."""
    loading: list[str] = ["order-1"]
    orders = Orders(loading.__contains__)
    orders.finished_max = 5
    orders.apply(order(1))
    for number in range(2, 30):
        orders.apply(finished(number))

    orders.apply(orders.by_id["order-1"].cancelled())
    orders.apply(orders.by_id["order-1"].loaded(2))
    orders.apply(orders.by_id["order-1"].delivered(2))
    still_known = "order-1" in orders.by_id
    loading.clear()
    orders.apply(finished(30))

    assert still_known
    assert [kept.number for kept in orders.by_id.values()] == list(range(26, 31))


def test_what_is_left_of_orders_is_the_same_after_a_restart() -> None:
    """Which are forgotten follows from their numbers, in whatever order they were finished."""
    live, again = Orders(), Orders()
    live.finished_max = again.finished_max = 5
    for number in (3, 9, 1, 7, 8, 2, 6, 4, 5):
        live.apply(finished(number))
    for kept in list(live.by_id.values()):
        again.apply(kept)
    for orders in (live, again):
        orders.apply(finished(10))

    assert live.by_id == again.by_id
    assert sorted(kept.number for kept in live.by_id.values()) == [6, 7, 8, 9, 10]
