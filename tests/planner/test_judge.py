"""The judge catches what must never leave, and stays silent about what is sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planner.oracle import Judge


@pytest.mark.parametrize("seed", range(60))
def test_sound_states_pass_both_looks(seed: int, scenes: Callable[[int], Any]) -> None:
    """An objection stops every truck: it must never be wrong."""
    scene = scenes(seed)
    judge = Judge(scene.corridor)

    assert judge.sweep(scene.trucks) == []
    assert judge.objections(scene.trucks, range(scene.trucks.count)) == []


@pytest.mark.parametrize("seed", range(200))
def test_both_looks_agree_with_brute_force_on_any_state(seed: int, scenes: Callable[[int], Any], draw: Any) -> None:
    """Ends pushed on blindly: whatever all pairs of trucks and zones say, the judge says, touched or swept."""
    scene = scenes(seed)
    rng = np.random.default_rng(seed)
    judge = Judge(scene.corridor)
    judge.sweep(scene.trucks)
    n = scene.trucks.count
    last = scene.trucks.path_start_m[np.arange(n), scene.trucks.path_count[:n]]
    moved = rng.random(n) < 0.5
    scene.trucks.end_m[:n] = np.where(moved, np.minimum(scene.trucks.end_m[:n] + rng.uniform(0, 60, n), last), scene.trucks.end_m[:n])

    wrong = bool(draw.overlaps(scene.corridor, scene.trucks))

    assert bool(judge.objections(scene.trucks, np.flatnonzero(moved).tolist())) == wrong
    assert bool(judge.sweep(scene.trucks)) == wrong


def test_an_overlap_along_a_lane_is_named(draw: Any) -> None:
    """Whoever reads the objection at night learns where and who."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 500.0)]))
    judge = Judge(scene.corridor)
    ahead = scene.place([0], 100.0, 150.0)
    behind = scene.place([0], 40.0, 100.5)

    found = judge.objections(scene.trucks, [ahead, behind])

    assert {(each.place_id, each.holder, each.claimant) for each in found} == {("a", behind, ahead), ("a", ahead, behind)}
    assert found[0].overlap_m == pytest.approx(0.5)


def test_touching_ground_does_not_overlap(draw: Any) -> None:
    """Stretches are half-open: one truck's end is the next one's rear."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 500.0)]))
    judge = Judge(scene.corridor)
    scene.place([0], 100.0, 150.0)
    behind = scene.place([0], 40.0, 100.0)

    assert judge.objections(scene.trucks, [behind]) == []
    assert judge.sweep(scene.trucks) == []


@pytest.mark.parametrize(("exclusive", "same_branch", "wrong"), [(False, False, True), (False, True, False), (True, True, True)])
def test_zones_follow_their_kind(draw: Any, *, exclusive: bool, same_branch: bool, wrong: bool) -> None:
    """Directional: one branch, many trucks. Exclusive: one truck, whatever the branch."""
    lanes = [draw.lane("a", ("p", "q"), 300.0), draw.lane("b", ("r", "s"), 300.0)]
    parts = [(0, "a", 100.0, 200.0), (0 if same_branch else 1, "b", 100.0, 200.0)]
    scene = draw.scene_of(draw.corridor(lanes, [draw.zone("z", parts, exclusive=exclusive)]))
    judge = Judge(scene.corridor)
    scene.place([0], 120.0, 160.0)
    judge.objections(scene.trucks, [0])
    late = scene.place([1], 120.0, 160.0)

    assert bool(judge.objections(scene.trucks, [late])) == wrong
    assert bool(judge.sweep(scene.trucks)) == wrong


def test_one_truck_may_hold_several_branches_alone(draw: Any) -> None:
    """A path may leave a zone by another branch than it came in; nobody else may be there."""
    lanes = [draw.lane("a", ("p", "q"), 100.0), draw.lane("b", ("q", "s"), 100.0)]
    scene = draw.scene_of(draw.corridor(lanes, [draw.zone("z", [(0, "a", 80.0, 100.0), (1, "b", 0.0, 20.0)])]))
    judge = Judge(scene.corridor)
    alone = scene.place([0, 1], 70.0, 130.0)

    assert judge.objections(scene.trucks, [alone]) == []
    assert judge.sweep(scene.trucks) == []


def test_the_tail_still_counts(draw: Any) -> None:
    """A truck whose nose has left a diverge still blocks the sibling branch with its tail."""
    lanes = [draw.lane("in", ("p", "d"), 100.0), draw.lane("left", ("d", "x"), 100.0), draw.lane("right", ("d", "y"), 100.0)]
    scene = draw.scene_of(draw.corridor(lanes, [draw.zone("fork", [(0, "left", 0.0, 10.0), (1, "right", 0.0, 10.0)])]))
    judge = Judge(scene.corridor)
    scene.place([0, 1], 109.0, 150.0)
    judge.objections(scene.trucks, [0])
    late = scene.place([0, 2], 60.0, 101.0)

    assert [each.place_id for each in judge.objections(scene.trucks, [late])] == ["fork"]


def test_ground_seen_once_is_remembered(draw: Any) -> None:
    """By induction: a truck touched many ticks ago is still there for the one touched now."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 500.0)]))
    judge = Judge(scene.corridor)
    scene.place([0], 100.0, 150.0)
    judge.objections(scene.trucks, [0])
    behind = scene.place([0], 40.0, 60.0)

    for tick in range(20):
        scene.trucks.end_m[behind] = 60.0 + 2.5 * tick
        found = judge.objections(scene.trucks, [behind])

        assert bool(found) == (scene.trucks.end_m[behind] > 100.0)


def test_a_shortened_end_is_forgotten(draw: Any) -> None:
    """Road given back and taken by another must not count as judged when its old holder asks again."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 500.0)]))
    judge = Judge(scene.corridor)
    back, front = scene.place([0], 40.0, 200.0), scene.place([0], 300.0, 350.0)
    judge.objections(scene.trucks, [back, front])
    scene.trucks.end_m[back] = 100.0
    scene.trucks.rear_m[front] = 150.0

    assert judge.objections(scene.trucks, [front]) == []

    scene.trucks.end_m[back] = 180.0

    assert [each.overlap_m for each in judge.objections(scene.trucks, [back])] == [30.0]


def test_a_truck_placed_anew_is_only_where_it_is(draw: Any) -> None:
    """After a repair it may come back elsewhere, in other path coordinates: its old place must not haunt the lane."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 500.0), draw.lane("b", ("q", "r"), 500.0)]))
    judge = Judge(scene.corridor)
    moved = scene.place([0], 300.0, 350.0, start_m=1000.0)
    judge.objections(scene.trucks, [moved])
    scene.trucks.set_path(moved, [1], 1200.0)
    scene.trucks.rear_m[moved], scene.trucks.end_m[moved] = 1300.0, 1350.0
    judge.objections(scene.trucks, [moved])
    late = scene.place([0], 280.0, 400.0)

    assert judge.objections(scene.trucks, [late]) == []
    assert judge.sweep(scene.trucks) == []
