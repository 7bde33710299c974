"""
Campaigns that know nothing of the mutants find them: a few rows of the table that `tests.sim.mutants.campaigns` makes.

The product passes the very run that finds each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from sim_harness.campaign.outcome import Failing
from tests.sim.mutants.campaigns import MUTANTS, command, made, plan_of

pytestmark = pytest.mark.xdist_group("mutants")  # one process loads the site that all of them share

RUNS: Final = 8
# One for each watch that looks for nothing else.
FOUND: Final = (
    ("rear_without_bound", Failing.BOOKS),
    ("roll_back_ignored", Failing.CONTAINMENT),
    ("handshake_skipped", Failing.MISSED),
)


@pytest.mark.parametrize(("name", "way"), FOUND)
def test_a_campaign_finds_a_mutant_that_the_product_is_not(name: str, way: Failing) -> None:
    """A campaign finds what its draw brings about and its checks can see: either may be lost without anybody's noticing."""
    plan = replace(plan_of(name), runs=RUNS)

    found = made(plan, MUTANTS[name], until_failed=True)

    assert [way in failure.failing for failure in found.failures] == [True]
    again = replace(plan, runs=1, first_seed=found.failures[0].seed)
    assert made(again, None, until_failed=False).failures == ()


def test_a_row_of_the_table_is_a_command() -> None:
    """Whoever doubts a row types it."""
    assert command(plan_of("rear_without_bound")) == "fleet sim campaign crossing --runs 25 --hours 0.1 --faults 4"
    assert command(plan_of("handshake_skipped")).endswith("--faults 4 --kinds journal_old")
