"""Hypothesis strategies: what they draw can be run, and what fails shrinks to what a person would have written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from fleet.site import load_site
from sim_harness.faults.kind import Target
from sim_harness.faults.kinds import KINDS
from sim_harness.faults.spec import FaultSpec, unknown_place
from sim_harness.replay_line import flow
from sim_harness.scenario import load_scenario, truck_id
from sim_harness.strategies import SEARCH, fault_specs, scenarios

CORRIDOR = load_site("mandula")
THOROUGH = settings(SEARCH, max_examples=2000, database=None, derandomize=True)


def least(strategy: st.SearchStrategy[Any], condition: Any) -> Any:
    """The simplest value of *strategy* for which *condition* holds."""
    return find(strategy, condition, settings=THOROUGH)


@given(fault=fault_specs("mandula", trucks=3, hours=0.5))
def test_what_is_drawn_can_happen(fault: FaultSpec) -> None:
    """A fault that the scenario's reader refuses wastes the search."""
    trucks = tuple(map(truck_id, range(1, 4)))

    assert unknown_place(fault, CORRIDOR, trucks) is None
    assert 0.0 <= fault.at_s <= 1800.0
    assert FaultSpec.model_validate(fault.stated()) == fault
    span = fault.kind.value
    assert span is None or span.low <= fault.amount <= span.high
    assert fault.kind.lasts_s.low <= fault.lasts_s <= fault.kind.lasts_s.high


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_shrinks_to_its_usual_self(name: str) -> None:
    """At once, at the first there is, and nothing said that need not be."""
    lane = max(CORRIDOR.lanes, key=lambda lane: lane.length_m).lane_id
    aims: dict[Target, dict[str, object]] = {
        Target.TRUCK: {"truck": "t001"},
        Target.STRETCH: {"lane": lane, "from_m": 0.0, "to_m": 1.0},
        Target.GATE: {"gate": CORRIDOR.gates[0].gate_id},
        Target.BAY: {"bay": next(stand.stand_id for stand in CORRIDOR.stands if stand.kind.value == "bay")},
        Target.SERVER: {},
    }

    found = least(fault_specs("mandula", kinds=[name]), lambda _: True)

    assert found.stated() == {"fault": name, "at_s": 0.0, **aims[KINDS[name].target]}


def test_every_kind_is_drawn_unless_told_otherwise() -> None:
    """A search that cannot draw a fault says nothing about it."""
    for name in KINDS:
        assert least(fault_specs("mandula"), lambda fault, name=name: fault.fault == name).fault == name


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda _: True, {"trucks": 2, "seed": 1, "faults": []}),
        (
            lambda day: any(fault["fault"] == "parted" for fault in day["faults"]),
            {"trucks": 2, "seed": 1, "faults": [{"fault": "parted", "at_s": 0.0, "truck": "t001"}]},
        ),
        (
            lambda day: any(fault["at_s"] >= 90.0 and fault.get("truck") == "t004" for fault in day["faults"]),
            {"trucks": 4, "seed": 1, "faults": [{"fault": "link", "at_s": 90.0, "truck": "t004"}]},
        ),
        (lambda day: day["seed"] > 17, {"trucks": 2, "seed": 18, "faults": []}),
        (
            lambda day: len({fault.get("truck") for fault in day["faults"]} - {None}) >= 2,
            {
                "trucks": 2,
                "seed": 1,
                "faults": [{"fault": "link", "at_s": 0.0, "truck": "t001"}, {"fault": "link", "at_s": 0.0, "truck": "t002"}],
            },
        ),
    ],
)
def test_a_failing_day_shrinks_to_what_matters(condition: Any, expected: dict[str, object]) -> None:
    """Whoever debugs it gets the faults that are needed, as few trucks as there must be, and nothing else."""
    found = least(scenarios("mandula", trucks=(2, 5), hours=0.1, faults=3), condition)

    assert found == {"scenario": "mandula", "hours": 0.1, **expected}


@SEARCH
@given(day=scenarios("mandula", trucks=(1, 4), hours=0.1, radio=True))
def test_a_drawn_day_loads(day: dict[str, Any]) -> None:
    """Names, places and settings are those of the scenario; as many trucks as its faults speak of."""
    spoken = [*day["settings"], f"scheduled_faults={flow(day['faults'])}"]

    ready = load_scenario(day["scenario"], spoken, seed=day["seed"], hours=day["hours"], trucks=day["trucks"])

    assert [fault.stated() for fault in ready.spec.scheduled_faults] == day["faults"]
    assert 1 <= len(ready.roster.truck_ids) <= 4
    assert ready.spec.link.delay_ticks >= 1


def test_a_scenario_file_lends_its_site(tmp_path: Path) -> None:
    """Faults strike where the scenario's own site is, wherever its file lies."""
    (tmp_path / "mine.yaml").write_text("scenario: mine\nsite: road.yaml\ntrucks: 2\nhours: 0.1\n", encoding="utf-8")
    (tmp_path / "road.yaml").write_text("site: road\nextends: mandula\n", encoding="utf-8")

    found = least(scenarios(str(tmp_path / "mine.yaml"), kinds=["gate"]), lambda day: day["faults"])

    assert found["faults"] == [{"fault": "gate", "at_s": 0.0, "gate": CORRIDOR.gates[0].gate_id}]


def test_a_kind_that_does_not_exist_is_refused_at_once() -> None:
    """Not in the middle of a search."""
    with pytest.raises(KeyError, match="brake"):
        fault_specs("mandula", kinds=["brake"])


def test_without_hypothesis_it_says_what_to_install() -> None:
    """Hypothesis is for those who search; the simulator does without it."""
    code = "import sys; sys.modules['hypothesis'] = None; import sim_harness.strategies"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert answer.stderr.splitlines()[-1] == "ModuleNotFoundError: sim_harness.strategies needs hypothesis: pip install hypothesis"
