"""Is what the server says of a standing truck true? Twenty moments of faulty runs; `python -m tests.soak explain` has two hundred."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.server.wire.reads import CauseRead, HoldRead
from planner.authority import Cause
from sim_harness.checkers import Checkers
from sim_harness.explained.claims import Claims
from sim_harness.explained.judge import Judge
from sim_harness.explained.runs import Asked, explained, scenario_of
from sim_harness.explained.world import LOOKS, Told, World
from sim_harness.in_memory import InMemoryServer
from sim_harness.observation import SAMPLE_TICKS
from sim_harness.report import opening_s
from sim_harness.runner import Runner

QUIET = Asked(scenario="crossing", seed=1, hours=0.05, moments=0)


@pytest.mark.parametrize("asked", [Asked(scenario="crossing", seed=seed, hours=0.12, moments=10) for seed in (3, 5)], ids=str)
def test_every_standing_truck_has_a_true_root(asked: Asked) -> None:
    """An operator acts on it: whoever is sent to the wrong gate, or told that a truck moves, loses the hour."""
    tally = explained(asked)

    assert tally.moments == 10
    assert tally.asked > 0
    assert not [str(wrong) for wrong in (*tally.unexplained, *tally.untrue)], tally.figures


class Liar:
    """A server that says something else than it should."""

    def __init__(self, answer: HoldRead) -> None:
        self.answer = answer

    def hold(self, truck_id: str, language: str = "en") -> HoldRead:
        """The same to everybody."""
        assert language == "en"
        return replace(self.answer, truck_id=truck_id)


@pytest.fixture(scope="module")
def world() -> World:
    """Three minutes of a run in which nothing goes wrong, at its end."""
    scenario = scenario_of(QUIET)
    scenario = replace(scenario, spec=scenario.spec.model_copy(update={"scheduled_faults": scenario.spec.scheduled_faults[:1]}))
    harmless = scenario.spec.scheduled_faults[0].model_copy(update={"at_s": 1e6})
    scenario = replace(scenario, spec=scenario.spec.model_copy(update={"scheduled_faults": (harmless,)}))
    told = Told()
    server = InMemoryServer(scenario.corridor, int(opening_s(scenario.roster)), mortal=True)
    runner = Runner(scenario, server, told, Checkers(scenario.roster))
    world = World(runner, told)
    for tick in range(runner.stage.tick_count):
        runner.tick()
        if tick % SAMPLE_TICKS == 0:
            world.look()
    assert len(world.moments) == LOOKS
    return world


def link(kind: str, subject: str = "", held_by: str = "", owner_id: str = "", since_s: float = 0.0) -> CauseRead:
    """One link of an answer about the first truck."""
    return CauseRead(
        kind=kind,
        truck_id="t001",
        subject_id=subject,
        since_ns=int(since_s * 1e9),
        end=None,
        held_by=held_by,
        owner=1,
        owner_id=owner_id,
        reason="",
    )


LIES = {
    "moving": "",
    "leader": "t002",
    "zone": "zone_x",
    "gate": "no_gate",
    "customs": "none-was-asked",
    "inspection": "crossing-1",
    "slot": "w_bay_01",
    "stand": "nowhere",
    "bay": "e_bay_02",
    "charging": "w_park_01",
    "goal": "e_park_04",
    "no_order": "",
    "hold": "bat",
    "all_stop": "dust",
    "closure": "w_to_out",
    "session": "",
    "quarantine": "",
    "fault": "w_park_01",
    "battery": "w_park_01",
    "traction": "w_to_out",
    "intrusion": "man-1",
    "braked": "",
    "reaction": "",
    "stalled": "",
    "shortening": "",
    "journal": "",
    "opening": "g1",
    "judge": "",
    "none": "",
}


@pytest.mark.parametrize("kind", sorted(LIES))
def test_the_judge_takes_no_lie(world: World, kind: str) -> None:
    """A judge that believes everything finds nothing."""
    row = next(row for row in range(len(world.roster.truck_ids)) if kind != "moving" or not world.driven(row))
    held_by = "t001" if kind in {"leader", "slot"} else ""

    assert Claims(world).wrong(row, link(kind, LIES[kind], held_by))


def test_every_cause_has_a_lie() -> None:
    """A new cause is judged, or nobody knows whether it is true; a change of the map never happens in a run."""
    assert {cause.name.lower() for cause in Cause} - {"horizon", "site_change"} | {"moving"} == set(LIES)


@pytest.mark.parametrize(
    ("causes", "said"),
    [
        ((), "it stands"),
        ((link("none"),), "it stands"),
        ((replace(link("goal", "w_park_01"), truck_id="t002"),), "is about 't002'"),
        ((link("leader", "t003", "t002"),), "not the one that the chain goes on with"),
    ],
)
def test_a_chain_that_does_not_hang_together_is_none(world: World, causes: tuple[CauseRead, ...], said: str) -> None:
    """No cause at all is worse than a wrong one."""
    judge = Judge(world, Liar(HoldRead(truck_id="t001", standing=True, causes=causes, sentence="It is so.")))

    judge._ask("t001")

    assert [wrong for wrong in (*judge.tally.untrue, *judge.tally.unexplained) if said in str(wrong)]
