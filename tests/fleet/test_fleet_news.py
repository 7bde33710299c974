"""Many who watch the fleet cost one look: who is told what, and how old it may be."""

from __future__ import annotations

import asyncio

import pytest

from fleet.server.wire.fleet_news import NOTHING_SEEN, FleetNews
from fleet.server.wire.inbox import Overloaded
from fleet.v1 import dispatch_pb2 as d

WATCHERS = 50


class Fleet:
    """Two trucks; each look finds t1 a metre further, and takes until it is let go."""

    def __init__(self) -> None:
        self.looks = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault: Exception | None = None
        self.age_ns = 0

    async def look(self) -> d.FleetUpdate:
        """Everything."""
        self.looks += 1
        at_m = float(self.looks)
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        self.age_ns += 1_000_000
        trucks = [d.Truck(truck_id="t1", east_m=at_m), d.Truck(truck_id="t2")]
        for truck in trucks:
            truck.report_age.nanos = self.age_ns
        gates = [d.OverdueGate(gate_id="g1", truck_id="t1")]
        bays = [d.BlockedBay(bay_id="mn_bay_01")]
        return d.FleetUpdate(tick=self.looks, snapshot=True, trucks=trucks, overdue_gates=gates, blocked_bays=bays)


@pytest.fixture
async def fleet() -> Fleet:
    """One fleet."""
    return Fleet()


def told(update: d.FleetUpdate) -> list[str]:
    """Of whom it tells."""
    return [truck.truck_id for truck in update.trucks]


async def test_many_who_ask_at_once_cost_one_look_and_get_one_update(fleet: Fleet) -> None:
    """The control loop pays for each look."""
    news = FleetNews(fleet.look, young_s=3600.0)

    answers = await asyncio.gather(*(news.since(NOTHING_SEEN) for _ in range(WATCHERS)))
    later = await asyncio.gather(*(news.since(answers[0][0]) for _ in range(WATCHERS)))

    assert fleet.looks <= 2
    assert len({id(update) for _, update in answers}) == 1
    assert len({id(update) for _, update in later}) == 1


async def test_who_has_seen_nothing_is_told_everything_and_then_what_changed(fleet: Fleet) -> None:
    """A fresh report's age is no change, or every truck would be new each time."""
    news = FleetNews(fleet.look, young_s=0.0)

    number, first = await news.since(NOTHING_SEEN)
    number, second = await news.since(number)
    _, third = await news.since(number - 1)

    assert (first.snapshot, told(first)) == (True, ["t1", "t2"])
    assert (second.snapshot, told(second)) == (False, ["t1"])
    assert told(third) == ["t1"]
    assert [gate.gate_id for gate in (*first.overdue_gates, *third.overdue_gates)] == ["g1", "g1"]
    assert [bay.bay_id for bay in (*first.blocked_bays, *third.blocked_bays)] == ["mn_bay_01", "mn_bay_01"]


async def test_whoever_begins_to_watch_is_told_what_holds_after_he_asked(fleet: Fleet) -> None:
    """A person who has just stopped a truck and opens a screen must see it stopped."""
    news = FleetNews(fleet.look)
    await news.since(NOTHING_SEEN)
    fleet.gate.clear()
    under_way = asyncio.create_task(news.since(NOTHING_SEEN))
    await asyncio.sleep(0)

    late = asyncio.create_task(news.since(NOTHING_SEEN))
    await asyncio.sleep(0)
    fleet.gate.set()

    assert (await under_way)[1].tick == 2
    assert (await late)[1].tick == 3


async def test_a_look_that_fails_is_told_to_all_who_wait_and_the_next_one_is_made(fleet: Fleet) -> None:
    """A moment's overload ends streams with a reason, and poisons none that come later."""
    news = FleetNews(fleet.look)
    fleet.fault = Overloaded(waiting=1)

    answers = await asyncio.gather(*(news.since(NOTHING_SEEN) for _ in range(3)), return_exceptions=True)
    fleet.fault = None
    _, update = await news.since(NOTHING_SEEN)

    assert [type(answer) for answer in answers] == [Overloaded] * 3
    assert told(update) == ["t1", "t2"]


async def test_who_goes_away_while_a_look_is_under_way_takes_it_from_nobody(fleet: Fleet) -> None:
    """Streams end at any moment."""
    news = FleetNews(fleet.look)
    fleet.gate.clear()
    first, second = (asyncio.create_task(news.since(NOTHING_SEEN)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    fleet.gate.set()

    assert told((await second)[1]) == ["t1", "t2"]
