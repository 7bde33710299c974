"""Who else uses gates, rails and bays: manned trucks, trains, cranes, and orders that come by train."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from planner.corridor import Process
from sim_harness import link
from sim_harness.books import Books
from sim_harness.clock import Streams
from sim_harness.day_bound import bound_of
from sim_harness.operator import Operator, containers_wanted
from sim_harness.parts import CranePart, LevelCrossingPart, MannedPart, OrderPart
from sim_harness.plant import Plant, PlantRules, Site
from sim_harness.scenario import ScenarioError, load_scenario
from sim_harness.tiny import tiny_corridor, tiny_roster
from sim_harness.traffic import Traffic

SECOND_NS = 1_000_000_000
LIFT: dict[str, Any] = {"shape": "fixed", "fixed_s": 100.0}


class Nobody:
    """Trucks and a record that nobody looks at."""

    def load(self, truck_id: str, mass_kg: float) -> None:
        """Weigh nothing."""

    def battery_lack(self, truck_id: str) -> float:
        """Full."""
        del truck_id
        return 0.0

    def plug_in(self, truck_id: str, seconds: float) -> None:
        """Nothing flows."""

    def recharge(self, truck_id: str) -> float:
        """Nothing."""
        del truck_id
        return 0.0

    def sample(self, sample: object) -> None:
        """Keep nothing."""

    def event(self, time_s: float, event: str, **fields: object) -> None:
        """Keep nothing."""


class Bench:
    """A plant with company, a gate of 20 s, and what the plant says and notices, with its times."""

    def __init__(self, **company: Any) -> None:
        """The tiny site."""
        corridor = tiny_corridor()
        fixed = {"gate": Process(process_id="gate", shape="fixed", a=20.0), "bay": Process(process_id="bay", shape="fixed", a=60.0)}
        site = Site(
            corridor=replace(corridor, processes={**corridor.processes, **fixed}),
            rules=PlantRules(loader_mtbf_h=0.0),
            streams=Streams(1),
            traffic=Traffic(**company),
        )
        self.said: list[tuple[float, Any]] = []
        self.noticed: list[tuple[float, str]] = []
        self.now_ns = 0
        self.plant = Plant(site, Nobody(), self._call, self._notice)

    def _call(self, method: str, request: link.Request) -> None:
        del method
        self.said.append((round(self.now_ns / 1e9, 1), request))

    def _notice(self, event: str, **_: object) -> None:
        self.noticed.append((round(self.now_ns / 1e9, 1), event))

    def until(self, now_s: float) -> None:
        """Let time pass."""
        while self.now_ns < now_s * 1e9:
            self.now_ns += SECOND_NS // 10
            self.plant.step(self.now_ns)

    def gate(self, truck_id: str) -> None:
        """The server calls the gate."""
        self.plant.hear(link.GateCalled(gate_id="G1", truck_id=truck_id, crossing_id=""))

    def opened_s(self, truck_id: str) -> float:
        """When it was proven open for a truck."""
        return next(at_s for at_s, request in self.said if getattr(request, "truck_id", "") == truck_id and request.state == 2)


def rails(**times: float) -> LevelCrossingPart:
    """A railway behind the gate."""
    return LevelCrossingPart(gates=("G1",), **{"first_min": 10.0, "every_min": 60.0, "shut_min": 5.0, **times})


def test_officers_serve_manned_trucks_in_their_turn() -> None:
    """What others take of a gate is what ours wait for; a gate of one's own takes 20 s."""
    alone, shared = Bench(), Bench(manned=(MannedPart(gates="G1", trucks_per_h=90.0),))
    waits: dict[Bench, list[float]] = {alone: [], shared: []}

    for bench, found in waits.items():
        for number in range(1, 21):
            called_s = number * 120.0
            bench.until(called_s)
            bench.gate(f"t{number}")
            bench.until(called_s + 119.0)
            found.append(bench.opened_s(f"t{number}") - called_s)

    assert max(waits[alone]) == pytest.approx(20.0, abs=0.11)
    assert min(waits[shared]) >= 19.9
    assert np.mean(waits[shared]) > 26.0


def test_a_gate_before_rails_opens_for_nobody_while_a_train_is_due() -> None:
    """The ground of the rails is the train's then, and a little before: who is let on must be off in time."""
    bench = Bench(level_crossings=(rails(),))

    bench.until(535.0)
    bench.gate("t1")
    bench.until(1200.0)

    assert bench.opened_s("t1") == pytest.approx(900.0, abs=0.11)
    assert bench.noticed[-3:] == [(600.0, "level_crossing_shut"), (900.0, "level_crossing_opened"), (900.0, "gate_opened")]


def test_a_train_is_held_while_a_truck_is_on_the_rails() -> None:
    """Nothing is taken back from a truck that was let on: the signal stays at stop until its tail is clear."""
    bench = Bench(level_crossings=(rails(),))
    bench.until(500.0)
    bench.gate("t1")

    bench.until(700.0)
    bench.plant.hear(link.GatePassed(gate_id="G1", truck_id="t1"))
    bench.until(710.0)

    assert [event for _, event in bench.noticed if event.startswith(("train", "level"))] == ["train_held", "level_crossing_shut"]
    assert bench.noticed[-1][0] >= 700.0


def test_trains_come_again() -> None:
    """A timetable, not an accident."""
    bench = Bench(level_crossings=(rails(every_min=20.0),))

    bench.until(3600.0)

    assert [at_s for at_s, event in bench.noticed if event == "level_crossing_shut"] == [600.0, 1800.0, 3000.0]


def test_bays_wait_for_a_crane_that_is_free() -> None:
    """Two bays and one crane carry what one crane lifts."""
    bench = Bench(cranes=(CranePart(yard="W", count=1, lift=LIFT),))
    for bay_id, truck_id in (("L1", "t1"), ("L1", "t2")):
        bench.plant.hear(link.BayCalled(bay_id=bay_id, truck_id=truck_id, work=link.Work.LOAD, cargo=()))

    bench.until(500.0)

    clear = [at_s for at_s, request in bench.said if request.state == link.BayState.CLEAR]
    assert clear == [pytest.approx(201.0, abs=0.21), pytest.approx(401.0, abs=0.21)]


def test_orders_come_with_their_trains_and_are_late_when_too_little_is_delivered() -> None:
    """A due time that nobody counts against is no due time."""
    said: list[Any] = []
    books = Books(tiny_roster(1), Nobody())
    wish = OrderPart(from_="W", to="E", containers=54, at_h=1.0, every_h=3.0, due_after_h=2.0)
    operator = Operator((wish,), 8.0, lambda _, request: said.append(request), books)

    operator.step(2 * SECOND_NS)
    before = len(said)
    operator.delivered = lambda: [50]
    for hour in range(1, 8):
        operator.step(hour * 3600 * SECOND_NS)

    assert before == 0
    assert [(request.container_count, request.due_time.seconds) for request in said] == [(54, 10_800), (54, 21_600), (54, 32_400)]
    assert len({request.request_id for request in said}) == 3
    assert (books.due, books.late) == (108, 4 + 54)
    assert containers_wanted((wish,), 8.0) == 3 * 54


def test_an_order_is_late_however_much_else_was_delivered() -> None:
    """Coal that nobody waits for does not stand in for the boxes of a train."""
    books = Books(tiny_roster(1), Nobody())
    coal = OrderPart(from_="W", to="E", containers=500)
    train = OrderPart(from_="W", to="E", containers=54, at_h=1.0, due_after_h=2.0)
    operator = Operator((coal, train), 8.0, lambda _, __: None, books)
    operator.delivered = lambda: [100, 50]

    for hour in range(1, 5):
        operator.step(hour * 3600 * SECOND_NS)

    assert (books.due, books.late) == (54, 4)


def test_what_others_take_is_not_in_the_bound() -> None:
    """A gate that serves manned trucks two thirds of its time bounds ours to the last third; orders bound them too."""
    alone, shared = (bound_of(load_scenario("ceke", settings)) for settings in (["manned=[]"], []))
    ordered = bound_of(load_scenario("erenhot"))

    assert alone is not None
    assert shared is not None
    assert ordered is not None
    assert shared.name == "customs gates after home_2640"
    assert shared.capacity_per_h == pytest.approx(10 * 3600.0 / 200.0 - 130.0)
    assert shared.round_trips < 0.8 * alone.round_trips
    assert (ordered.name, ordered.round_trips) == ("orders", 8 * 27.0)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("manned=[{gates: suoth, trucks_per_h: 10}]", "site ceke has no gate 'suoth'; did you mean 'south'?"),
        ("manned=[{gates: south, trucks_per_hour: 10}]", "unknown key 'trucks_per_hour'; did you mean 'trucks_per_h'?"),
        ("level_crossings=[{gates: [g22], first_min: 1, every_min: 9, shut_min: 5}]", "site ceke has no gate 'g22'"),
        ("cranes=[{yard: mm, count: 1, lift: {shape: fixed, fixed_s: 9}}]", "site ceke has no yard 'mm'"),
        ("level_crossings=[{gates: [g2], first_min: 1, every_min: 5, shut_min: 5}]", "is shut for good"),
        ("orders=[{from: mn, to: cn, containers: 2, every_hr: 3}]", "unknown key 'every_hr'; did you mean 'every_h'?"),
    ],
)
def test_traffic_that_cannot_be_is_named_with_what_was_meant(setting: str, said: str) -> None:
    """As every other mistake in a scenario."""
    with pytest.raises(ScenarioError) as refused:
        load_scenario("ceke", [setting])

    assert said in str(refused.value)
