"""The plant answers what it is asked, takes the time its processes say, and draws the same day for every policy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from planner.corridor import Process
from sim_harness import link
from sim_harness.clock import Streams
from sim_harness.plant import Plant, PlantRules, Site, draw_s
from sim_harness.tiny import tiny_corridor

SECOND_NS = 1_000_000_000
CHANGEOVER = Process(process_id="bay_changeover", shape="fixed", a=20.0)


class Scales:
    """Trucks as loaders see them."""

    def __init__(self) -> None:
        """All empty."""
        self.mass_kg: dict[str, float] = {}

    def load(self, truck_id: str, mass_kg: float) -> None:
        """Weigh."""
        self.mass_kg[truck_id] = mass_kg

    def battery_lack(self, truck_id: str) -> float:
        """Half empty, whoever it is."""
        del truck_id
        return 0.5

    def plug_in(self, truck_id: str, seconds: float) -> None:
        """Nothing flows."""

    def recharge(self, truck_id: str) -> float:
        """Some energy."""
        del truck_id
        return 1000.0


class Bench:
    """A plant, and all it says with its times."""

    def __init__(self, seed: int = 1, processes: Iterable[Process] = (), **rules: float) -> None:
        """A tiny site with loaders that never break."""
        corridor = tiny_corridor()
        others = {process.process_id: process for process in (CHANGEOVER, *processes)}
        corridor = replace(corridor, processes={**corridor.processes, **others})
        self.said: list[tuple[float, str, link.Request]] = []
        self.scales = Scales()
        self.now_ns = 0
        settings = {"loader_mtbf_h": 0.0, **rules}
        site = Site(corridor=corridor, rules=PlantRules(**settings), streams=Streams(seed))
        self.plant = Plant(site, self.scales, self._call, lambda *_, **__: None)

    def _call(self, method: str, request: link.Request) -> None:
        self.said.append((self.now_ns / 1e9, method, request))

    def run(self, seconds: int) -> None:
        """Let time pass."""
        for _ in range(seconds * 10):
            self.now_ns += SECOND_NS // 10
            self.plant.step(self.now_ns)


def test_a_gate_opens_after_its_process_and_shuts_behind_the_truck() -> None:
    """An open barrier behind a truck would be a proof for the next one."""
    bench = Bench()

    bench.plant.hear(link.GateCalled(gate_id="G1", truck_id="t1", crossing_id=""))
    bench.run(40)
    bench.plant.hear(link.GatePassed(gate_id="G1", truck_id="t1"))
    bench.run(5)

    (opened_s, _, opened), (shut_s, _, shut) = bench.said
    assert 10.0 <= opened_s <= 30.1
    assert (opened.state, opened.truck_id) == (2, "t1")
    assert shut_s == pytest.approx(41.0, abs=0.11)
    assert (shut.state, shut.truck_id) == (1, "")


def test_a_gate_called_twice_for_a_truck_opens_for_nobody_once_it_is_through() -> None:
    """A new server asks for the proof again; answering it late would take the barrier from whoever it is up for by then."""
    bench = Bench()

    bench.plant.hear(link.GateCalled(gate_id="G1", truck_id="t1", crossing_id=""))
    bench.run(29)
    bench.plant.hear(link.GateCalled(gate_id="G1", truck_id="t1", crossing_id=""))
    bench.run(2)
    bench.plant.hear(link.GatePassed(gate_id="G1", truck_id="t1"))
    bench.run(60)

    (_, _, opened), (_, _, shut) = bench.said
    assert (opened.truck_id, shut.truck_id) == ("t1", "")
    assert bench.plant.raised == {}


def test_a_bay_says_working_then_clear_with_the_cargo_aboard() -> None:
    """No departure before the loader proves clear, and the server books the containers it names."""
    bench = Bench()
    wanted = (link.Cargo(container_id="A", mass_kg=0.0), link.Cargo(container_id="B", mass_kg=30_000.0))

    bench.plant.hear(link.BayCalled(bay_id="L1", truck_id="t1", work=link.Work.LOAD, cargo=wanted))
    bench.run(1500)

    (_, _, working), (clear_s, _, clear) = bench.said
    assert (working.state, clear.state) == (link.BayState.WORKING, link.BayState.CLEAR)
    assert clear_s >= 180.0
    assert [(item.container_id, item.mass_kg) for item in clear.containers] == [("A", 32_500.0), ("B", 30_000.0)]
    assert bench.scales.mass_kg["t1"] == 62_500.0


def test_an_unloaded_truck_weighs_nothing_more() -> None:
    """Empty trucks accelerate faster; a forgotten load would slow the whole way home."""
    bench = Bench()

    bench.plant.hear(link.BayCalled(bay_id="L1", truck_id="t1", work=link.Work.LOAD, cargo=()))
    bench.run(1500)
    bench.plant.hear(link.BayCalled(bay_id="U1", truck_id="t1", work=link.Work.UNLOAD, cargo=()))
    bench.run(1500)

    assert bench.scales.mass_kg["t1"] == 0.0
    assert not bench.said[-1][2].containers


def worked(bench: Bench) -> float:
    """Bay L1 works on truck t1; the time at which it is clear."""
    bench.plant.hear(link.BayCalled(bay_id="L1", truck_id="t1", work=link.Work.LOAD, cargo=()))
    while not bench.said or bench.said[-1][2].state != link.BayState.CLEAR:
        bench.run(1)
    return bench.said[-1][0]


def test_a_bay_is_ready_again_after_its_changeover() -> None:
    """Calling the next truck into a bay whose crane still swings is what READY prevents."""
    bench = Bench()
    clear_s = worked(bench)

    bench.plant.hear(link.BayLeft(bay_id="L1", truck_id="t1"))
    bench.run(30)

    ready_s, _, ready = bench.said[-1]
    assert ready_s == pytest.approx(clear_s + 20.0, abs=0.11)
    assert ready.state == link.BayState.READY


def test_a_bay_changes_over_while_its_truck_pulls_out() -> None:
    """The bound takes service and changeover for the least a bay needs a truck; a crane that waited for the truck would break that."""
    bench = Bench()
    worked(bench)

    bench.run(25)
    bench.plant.hear(link.BayLeft(bay_id="L1", truck_id="t1"))
    left_s = bench.now_ns / 1e9
    bench.run(1)

    ready_s, _, ready = bench.said[-1]
    assert ready_s == pytest.approx(left_s, abs=0.11)
    assert ready.state == link.BayState.READY


def test_no_truck_is_worked_on_before_the_changeover_is_over() -> None:
    """However close the next truck comes behind the last, a bay gives no more than the bound says."""
    bench = Bench()
    clear_s = worked(bench)

    bench.run(3)
    bench.plant.hear(link.BayLeft(bay_id="L1", truck_id="t1"))
    bench.plant.hear(link.BayCalled(bay_id="L1", truck_id="t2", work=link.Work.LOAD, cargo=()))
    bench.run(40)

    said = [(time_s, request.state) for time_s, _, request in bench.said if time_s > clear_s]
    assert [state for _, state in said] == [link.BayState.READY, link.BayState.WORKING]
    assert said[1][0] == pytest.approx(clear_s + 20.0, abs=0.11)


BOXES = (link.Cargo(container_id="A", mass_kg=30_000.0), link.Cargo(container_id="B", mass_kg=31_000.0))


def states(bench: Bench) -> list[int]:
    """What the bays proved, in order."""
    return [request.state for _, _, request in bench.said]


def test_an_empty_truck_under_a_machine_that_breaks_leaves_empty() -> None:
    """Its keeper says first that the bay is blocked, and clear when the truck may go; ready when the machine is mended, and not before."""
    bench = Bench()
    bench.plant.hear(link.BayCalled(bay_id="L1", truck_id="t1", work=link.Work.LOAD, cargo=BOXES))
    bench.run(60)

    bench.plant.halt("L1")
    bench.run(240)
    bench.plant.hear(link.BayLeft(bay_id="L1", truck_id="t1"))
    bench.run(60)

    assert states(bench) == [link.BayState.WORKING, link.BayState.BLOCKED, link.BayState.CLEAR]
    assert not bench.said[-1][2].containers
    assert bench.scales.mass_kg == {}
    bench.plant.goes_on("L1")
    assert states(bench)[-1] == link.BayState.READY


def test_a_laden_truck_keeps_what_a_machine_that_breaks_had_not_lifted() -> None:
    """A truck that forgot its load would brake for an empty one."""
    bench = Bench(processes=[Process(process_id="bay", shape="fixed", a=400.0)])
    bench.plant.hear(link.BayCalled(bay_id="U1", truck_id="t1", work=link.Work.UNLOAD, cargo=BOXES))
    bench.run(120)

    bench.plant.halt("U1")
    bench.run(240)

    assert states(bench) == [link.BayState.WORKING, link.BayState.BLOCKED, link.BayState.CLEAR]
    assert [(item.container_id, item.mass_kg) for item in bench.said[-1][2].containers] == [("B", 31_000.0)]
    assert bench.scales.mass_kg["t1"] == 31_000.0


def test_who_is_called_for_at_a_broken_machine_is_free_at_once() -> None:
    """The server had not heard of it; a truck that nobody answers for would stand there until the repair."""
    bench = Bench()
    bench.plant.halt("U1")
    bench.said.clear()

    bench.plant.hear(link.BayCalled(bay_id="U1", truck_id="t1", work=link.Work.UNLOAD, cargo=BOXES))
    bench.run(5)

    assert states(bench) == [link.BayState.BLOCKED, link.BayState.CLEAR]
    assert [item.container_id for item in bench.said[-1][2].containers] == ["A", "B"]


def test_customs_refuses_and_inspects_at_the_shares_stated() -> None:
    """Shares are the scenario's claim about the day; without an X-ray branch nobody is picked."""
    bench = Bench(inspect_share=0.3, refuse_share=0.2)

    for number in range(1000):
        bench.plant.hear(link.ManifestDeclared(crossing_id=f"c{number}", truck_id="t1", homeward=False))
    bench.run(5)

    decisions = [request.decision for _, _, request in bench.said]
    assert decisions.count(link.Decision.REFUSE) == pytest.approx(200, abs=40)
    assert link.Decision.INSPECT not in decisions


def test_one_seed_is_one_day() -> None:
    """A failing run is replayed by its seed alone."""
    days = []
    for seed in (3, 3, 4):
        bench = Bench(seed)
        for number in range(20):
            bench.plant.hear(link.GateCalled(gate_id="G1", truck_id=f"t{number}", crossing_id=""))
        bench.run(40)
        days.append([(time_s, request.SerializeToString()) for time_s, _, request in bench.said])

    assert days[0] == days[1] != days[2]


@pytest.mark.parametrize(
    ("process", "least_s", "most_s", "mean_s"),
    [
        (Process(process_id="x", shape="triangular", a=15.0, b=25.0, c=45.0), 15.0, 45.0, 28.3),
        (Process(process_id="x", shape="lognormal", a=390.0, b=0.3, c=180.0), 180.0, 3000.0, 390.0),
        (Process(process_id="x", shape="fixed", a=20.0), 20.0, 20.0, 20.0),
    ],
)
def test_processes_have_the_figures_they_name(process: Process, least_s: float, most_s: float, mean_s: float) -> None:
    """Calibration rests on the means; promises to customs on the extremes."""
    rng = np.random.default_rng(1)

    drawn = [draw_s(process, rng) for _ in range(4000)]

    assert least_s <= min(drawn) <= max(drawn) <= most_s
    assert np.mean(drawn) == pytest.approx(mean_s, rel=0.02)


def test_an_unknown_shape_is_refused() -> None:
    """A typo must not become a process that takes no time."""
    with pytest.raises(ValueError, match="unknown shape"):
        draw_s(Process(process_id="x", shape="gamma", a=1.0), np.random.default_rng(1))
