from __future__ import annotations

from pathlib import Path

import pytest

from sim_harness.scenario import load_scenario
from tests.soak.fleet_kills import TRUCKS, outages
from tests.soak.wide_site import write_wide

KILLS = 2

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("wire")]


async def test_killed_at_random_instants_the_server_gives_road_again_to_whoever_said_hello(tmp_path: Path) -> None:
    """Nobody passes the end he held, nobody is granted anything unseen, and everybody is on his way again in seconds."""
    found = await outages(tmp_path, load_scenario("mandula", seed=1), kills=KILLS, seed=1, before_s=25.0)

    assert found.wrong == []
    assert found.ungranted == 0
    assert max(found.each_s) <= 3.0
    assert len(found.each_s) == KILLS * 10


async def test_five_hundred_trucks_are_given_road_again_after_a_kill(tmp_path: Path) -> None:
    """As above, with as many trucks as are promised; `python -m tests.soak fleet_kills` kills fifty times."""
    found = await outages(tmp_path, load_scenario(str(write_wide(tmp_path, TRUCKS)), seed=1), kills=1, seed=1, before_s=8.0)

    assert found.wrong == []
    assert found.ungranted == 0
    assert max(found.each_s) <= 3.0
    assert len(found.each_s) == TRUCKS
