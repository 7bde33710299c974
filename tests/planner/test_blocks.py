"""Fixed blocks: the compiled turns against their twin, and the facts a policy to be measured against must hold to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from fleet.site import load_site
from planner.blocks import BlockLimits, BlockTable, blocks_of, hold_to
from planner.grip import even_grip
from planner.limits import SAME_PLACE_M, STAND_END_M
from planner.oracle.blocks import SlowBlocks, slow_hold_to_blocks
from planner.policy import BLOCK_M
from planner.spacing import ExtendRequest, Extension, extend
from planner.tables import FloatArray, LaneTable, LongArray, TruckTable
from planner.zones import claims_after

SEEDS = range(80)
PLAYS = range(30)


def pieces_of(blocks: BlockTable) -> list[list[tuple[float, int]]]:
    """By lane: (end chainage, block)."""
    columns = blocks.columns
    flat = list(zip(columns.piece_to_m.tolist(), columns.piece_block.tolist(), strict=True))
    return [flat[low:high] for low, high in pairwise(columns.piece_start.tolist())]


def inside(blocks: BlockTable, trucks: TruckTable) -> dict[int, set[int]]:
    """The trucks in each block, by brute force."""
    pieces = pieces_of(blocks)
    found: dict[int, set[int]] = {}
    for row in range(trucks.count):
        for lane, low_m, high_m in trucks.ground(row):
            from_m = 0.0
            for to_m, block in pieces[lane]:
                if min(to_m, high_m) - max(from_m, low_m) > 2 * SAME_PLACE_M:
                    found.setdefault(block, set()).add(row)
                from_m = to_m
    return found


def request_of(lanes: LaneTable, trucks: TruckTable, **changes: Any) -> ExtendRequest:
    """Everybody may move as far as the road goes."""
    n = trucks.count
    columns: dict[str, Any] = {
        "may_extend": np.ones(n, np.bool_),
        "limit_m": np.full(n, np.inf),
        "limit_cause": np.zeros(n, np.int32),
        "limit_ref": np.full(n, -1, np.int32),
        "claim_since": np.zeros(n, np.int64),
        "token": np.full(n, -1, np.int32),
        "grip": even_grip(lanes, 0.7),
    }
    return ExtendRequest(**(columns | changes))


def drive(rng: np.random.Generator, trucks: TruckTable, end_m: FloatArray) -> None:
    """Grants everything; each truck comes some way towards its end."""
    n = trucks.count
    trucks.end_m[:n] = trucks.sent_m[:n] = end_m
    room_m = np.maximum(0.0, trucks.end_m[:n] - trucks.nose_m[:n])
    trucks.nose_m[:n] += room_m * rng.choice([0.0, 0.5, 1.0], n)
    trucks.rear_m[:n] = np.maximum(trucks.rear_m[:n], trucks.nose_m[:n] - trucks.length_m[:n] - 1.5)


def alone(lanes: LaneTable, trucks: TruckTable, row: int) -> Extension:
    """What moving authority would grant one truck while nobody else is given anything."""
    may = np.zeros(trucks.count, np.bool_)
    may[row] = True
    return extend(lanes, trucks, request_of(lanes, trucks, may_extend=may))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_kernel_and_its_twin_agree(seed: int, scenes: Callable[[int], Any]) -> None:
    """The compiled turns are believed because slow ones from scratch say the same."""
    scene = scenes(seed)
    rng = np.random.default_rng(seed)
    trucks, n = scene.trucks, scene.trucks.count
    blocks = blocks_of(scene.corridor, float(rng.choice([40.0, 100.0, 400.0])))
    limit_m = np.where(rng.random(n) < 0.3, trucks.end_m[:n] + rng.uniform(-5, 120, n), np.inf)
    since: LongArray = np.where(rng.random(n) < 0.3, rng.integers(1, 9, n), 0).astype(np.int64)
    may_extend = rng.random(n) < 0.9

    got = hold_to(blocks, trucks, may_extend=may_extend, limit_m=limit_m, since=since)
    twin = SlowBlocks(
        lanes=scene.lanes, trucks=trucks, pieces=pieces_of(blocks), may_extend=may_extend.tolist(), limit_m=limit_m.tolist(),
        since=since.tolist(),
    )  # fmt: skip
    limits = slow_hold_to_blocks(twin)

    assert got.limit_m.tolist() == [limit.limit_m for limit in limits]
    assert got.holder.tolist() == [limit.holder for limit in limits]
    assert got.refused.tolist() == [int(limit.refused) for limit in limits]
    assert got.block_row.tolist() == [twin.block_row.get(block, -1) for block in range(blocks.count)]


@pytest.mark.parametrize("seed", PLAYS)
def test_no_two_trucks_are_ever_in_one_block_and_nobody_gets_more(seed: int, scenes: Callable[[int], Any]) -> None:
    """The baseline is fixed blocks in earnest, and no less safe: it grants nothing that moving authority would not."""
    scene = scenes(seed)
    rng = np.random.default_rng(seed)
    trucks = scene.trucks
    blocks = blocks_of(scene.corridor, float(rng.choice([40.0, 100.0, 400.0])))
    while any(len(rows) > 1 for rows in inside(blocks, trucks).values()):
        trucks.count -= 1
    n = trucks.count
    since, claims = np.zeros(n, np.int64), np.zeros(n, np.int64)

    for tick in range(1, 40):
        limits = hold_to(blocks, trucks, may_extend=np.ones(n, np.bool_), limit_m=np.full(n, np.inf), since=since)
        since = claims_after(since, limits.refused, tick)
        got = extend(scene.lanes, trucks, request_of(scene.lanes, trucks, limit_m=limits.limit_m, claim_since=claims))
        claims = claims_after(claims, got.claiming, tick)
        for row in np.flatnonzero(got.end_m > trucks.end_m[:n]).tolist():
            assert got.end_m[row] <= alone(scene.lanes, trucks, row).end_m[row] + SAME_PLACE_M
        drive(rng, trucks, got.end_m)

        assert {block: rows for block, rows in inside(blocks, trucks).items() if len(rows) > 1} == {}


def line(draw: Any, length_m: float, rears_m: list[float]) -> Any:
    """One lane with trucks whose ends lie 20 m before their rears."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("n0", "n1"), length_m), draw.lane("b", ("n1", "n2"), length_m)]))
    for rear_m in rears_m:
        scene.place([0, 1], rear_m, rear_m + 20.0)
    return scene


def held(scene: Any, blocks: BlockTable, since: list[int] | None = None) -> BlockLimits:
    """What blocks allow everybody."""
    n = scene.trucks.count
    waits = np.array(since or [0] * n, np.int64)
    return hold_to(blocks, scene.trucks, may_extend=np.ones(n, np.bool_), limit_m=np.full(n, np.inf), since=waits)


def test_a_truck_waits_before_the_block_of_the_truck_ahead(draw: Any) -> None:
    """And it is told whose block it is: an operator who asks why it stands must hear it."""
    scene = line(draw, 400.0, [150.0, 210.0])

    limits = held(scene, blocks_of(scene.corridor, 200.0))

    assert limits.limit_m[0] == 200.0
    assert (limits.holder.tolist(), limits.refused.tolist()) == ([1, -1], [1, 0])


def test_a_block_is_free_once_the_confirmed_rear_is_out(draw: Any) -> None:
    """Not before: a tail in a block that somebody else may enter is what blocks are there to forbid."""
    scene = line(draw, 400.0, [150.0, 399.9])
    blocks = blocks_of(scene.corridor, 200.0)

    before = held(scene, blocks).limit_m[0]
    scene.trucks.rear_m[1] = 400.0

    assert before == 200.0
    assert held(scene, blocks).limit_m[0] > 200.0


def test_who_has_waited_longest_is_first(draw: Any) -> None:
    """First come, first served: otherwise the busier of two roads has the merge for good."""
    lanes = [draw.lane("a", ("n0", "m"), 100.0), draw.lane("b", ("n1", "m"), 100.0), draw.lane("c", ("m", "n2"), 100.0)]
    scene = draw.scene_of(draw.corridor(lanes))
    for first in (0, 1):
        scene.place([first, 2], 70.0, 95.0)
    blocks = blocks_of(scene.corridor, 200.0)

    assert held(scene, blocks).holder.tolist() == [-1, 0]
    assert held(scene, blocks, [5, 3]).holder.tolist() == [1, -1]


@pytest.mark.parametrize(("name", "block_m"), [(name, block_m) for name, block_m in BLOCK_M.items() if block_m])
def test_blocks_of_a_site_are_of_their_length_and_end_at_signals(name: str, block_m: float) -> None:
    """Shorter ones would flatter the baseline, longer ones ours; a stand or a stop line in mid-block could not be reached."""
    del name
    corridor = load_site("ganqimaodu")
    pieces = pieces_of(blocks_of(corridor, block_m))

    longest: dict[int, float] = {}
    for lane in pieces:
        from_m = 0.0
        for to_m, block in lane:
            longest[block] = longest.get(block, 0.0) + to_m - from_m
            from_m = to_m
    assert 0.75 * block_m < max(longest.values()) < 1.5 * block_m
    assert all(lane[-1][0] == corridor.lanes[ix].length_m for ix, lane in enumerate(pieces))
    for gate in corridor.gates:
        assert any(abs(to_m - gate.stop_line_m) < 1e-9 for to_m, _ in pieces[corridor.lane_ix[gate.lane_id]])
    for stand in corridor.stands:
        assert any(abs(to_m - stand.stop_m - STAND_END_M) < 1e-9 for to_m, _ in pieces[corridor.lane_ix[stand.lane_id]])


def test_a_block_runs_on_over_lanes_without_a_fork(draw: Any) -> None:
    """Where a surveyor happened to end a lane is no signal."""
    lanes = [draw.lane("a", ("n0", "n1"), 100.0), draw.lane("b", ("n1", "n2"), 100.0), draw.lane("c", ("n2", "n3"), 220.0)]

    blocks = blocks_of(draw.corridor(lanes), 200.0)

    assert pieces_of(blocks) == [[(100.0, 0)], [(100.0, 0)], [(10.0, 0), (220.0, 1)]]


def test_a_block_has_some_length() -> None:
    """Nothing would ever move in blocks of no length."""
    with pytest.raises(ValueError, match="block_m"):
        blocks_of(load_site("mandula"), 0.0)


def test_a_ring_without_forks_is_cut_too(draw: Any) -> None:
    """A road that begins nowhere still belongs to somebody."""
    lanes = [draw.lane("a", ("n0", "n1"), 100.0), draw.lane("b", ("n1", "n0"), 100.0)]
    corridor = replace(draw.corridor(lanes))

    assert pieces_of(blocks_of(corridor, 100.0)) == [[(100.0, 0)], [(100.0, 1)]]
