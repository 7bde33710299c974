"""The simulator has teeth: it kills every unsafe mutant of controller and trucks, and in the very same runs the product passes."""

from __future__ import annotations

import pytest

from tests.sim.mutants.cases import CASES, Case, kill_of, passed_by_the_product

pytestmark = pytest.mark.xdist_group("mutants")  # one process loads the site that all of them share


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mutant_is_killed(case: Case) -> None:
    """A harness that lets one wrong decision pass would let ours pass, too."""
    kill = kill_of(case)

    assert kill is not None, f"{case.name} survived {case.drill.name}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_product_passes_what_kills_its_mutant(case: Case) -> None:
    """Else the run would kill anything, and prove nothing."""
    kill = kill_of(case)
    assert kill is not None, "it says so above"

    seen = passed_by_the_product(case.drill, kill.seed)

    assert seen == {}
