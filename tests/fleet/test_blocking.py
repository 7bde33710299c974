"""Fixed blocks in the loop: a setting of the server, never in the way of what keeps trucks apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fleet.server.loop.blocking import blocking_of
from fleet.server.settings import ServerSettings
from planner.authority import Cause
from planner.blocks import blocks_of, hold_to
from planner.tables import TruckTable

MakeWorld = Callable[..., Any]


def shared(world: Any) -> int:
    """How many blocks have two trucks' ground in them: each truck's own is asked for alone."""
    blocks, table, count = blocks_of(world.corridor, 200.0), world.table, world.table.count
    inside = np.zeros(blocks.count, np.int64)
    for row in range(count):
        alone = TruckTable(world.lanes, 1)
        alone.add(world.corridor.truck_types[0])
        lanes = table.path_lane[row, : table.path_count[row]]
        alone.set_path(0, lanes, float(table.path_start_m[row, 0]))
        alone.rear_m[0], alone.end_m[0] = table.rear_m[row], table.end_m[row]
        held = hold_to(blocks, alone, may_extend=np.zeros(1, np.bool_), limit_m=np.full(1, np.inf), since=np.zeros(1, np.int64))
        inside += held.block_row >= 0
    return int((inside > 1).sum())


@pytest.mark.parametrize(("policy", "most"), [("blocks200", 0), ("moving", 1)])
def test_a_server_set_to_blocks_lets_one_truck_into_each(policy: str, most: int, make_world: MakeWorld) -> None:
    """The baseline drives on the same loop, under the same judge, and is what it is called: others close up behind a silent truck."""
    world = make_world(3, apart_m=260.0, policy=policy)
    world.greet_all()
    world.run(20)
    world.trucks[2].mute = True

    seen = []
    for _ in range(60):
        world.run(20)
        seen.append(shared(world))

    assert min(most, max(seen)) == most
    assert max(seen) == 0 or policy == "moving"
    assert world.loop.causes.code[1] == Cause.LEADER


def test_blocks_are_off_unless_asked_for(make_world: MakeWorld) -> None:
    """What is off costs nothing: the loop does not even ask."""
    world = make_world(1)

    assert blocking_of(world.corridor, world.table, "moving") is None
    assert blocking_of(world.corridor, world.table, "blocks400") is not None


def test_a_policy_nobody_knows_is_refused(make_world: MakeWorld) -> None:
    """A misspelt policy that ran as another would be measured under the wrong name."""
    world = make_world(1)

    with pytest.raises(ValueError, match="blocks20"):
        blocking_of(world.corridor, world.table, "blocks20")
    with pytest.raises(ValueError, match="blocks20"):
        ServerSettings(data=Path("data"), policy="blocks20")
