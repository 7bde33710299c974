"""The avoidance loop: what it sees, and that it only ever makes a decision more cautious."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from planner.authority import Cause
from planner.braking import a_safe_mps2, stopping_distance_m
from planner.conflict import assess, conflict_tick
from planner.grip import even_grip
from planner.integrity import ReportColumns
from planner.limits import CRAWL_MPS
from planner.oracle.conflicts import slow_assess_conflicts
from planner.oracle.spacing import SlowSpacing
from planner.spacing import ExtendRequest, extend
from planner.tables import LaneTable, TruckTable
from planner.zones import walls_of

TRUCK_TOP_MPS = 25 / 3.6


def ask(lanes: LaneTable, trucks: TruckTable, walls: list[tuple[int, float, float, int]] | None = None) -> ExtendRequest:
    """Everybody may move."""
    n = trucks.count
    return ExtendRequest(
        may_extend=np.ones(n, np.bool_),
        limit_m=np.full(n, np.inf),
        limit_cause=np.full(n, Cause.GOAL, np.int32),
        limit_ref=np.full(n, -1, np.int32),
        claim_since=np.zeros(n, np.int64),
        token=np.full(n, -1, np.int32),
        grip=even_grip(lanes, 0.7),
        walls=walls_of(lanes, walls or []),
    )


@pytest.mark.parametrize("seed", range(80))
def test_the_kernel_and_its_twin_agree(seed: int, scenes: Callable[[int], Any]) -> None:
    """Margins, times, wishes and stops: equal to the last bit."""
    scene, rng = scenes(seed), np.random.default_rng(seed)
    walls = [(int(rng.integers(0, scene.lanes.count)), 5.0, 40.0, int(rng.integers(-1, scene.trucks.count)))]
    request = replace(ask(scene.lanes, scene.trucks, walls), pressed=rng.random(scene.trucks.count) < 0.3)
    assert request.pressed is not None
    scene.trucks.laden[: scene.trucks.count] = rng.random(scene.trucks.count) < 0.5
    scene.trucks.brake_health[: scene.trucks.count] = rng.uniform(0.05, 1.0, scene.trucks.count)

    extension = extend(scene.lanes, scene.trucks, request)
    got = assess(scene.lanes, scene.trucks, request, extension)

    n = scene.trucks.count
    spacing = SlowSpacing(
        lanes=scene.lanes, trucks=scene.trucks, walls=walls, may_extend=[True] * n, limits=[(float("inf"), Cause.GOAL, -1)] * n,
        claim_since=[0] * n, token=[-1] * n, friction=[[0.7]] * scene.lanes.count,
    )  # fmt: skip
    turns = spacing.run()
    marks = slow_assess_conflicts(scene.lanes, scene.trucks, walls, spacing.zones, turns)
    assert got.margin_m.tolist() == [mark.margin_m for mark in marks]
    assert got.closing_s.tolist() == [mark.closing_s for mark in marks]
    wishes = [mark.even_mps if pressed else mark.advice_mps for mark, pressed in zip(marks, request.pressed.tolist(), strict=True)]
    assert got.advised_speed_mps.tolist() == wishes
    assert got.overrun.tolist() == [mark.overrun for mark in marks]
    assert got.in_doubt.tolist() == [mark.in_doubt for mark in marks]
    assert got.unbraked.tolist() == [mark.unbraked for mark in marks]


def road(draw: Any) -> Any:
    """A long lane."""
    return draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 3000.0)]))


def test_a_truck_that_can_no_longer_stop_inside_is_stopped(draw: Any) -> None:
    """Its own supervisor should have braked: the second net is ours."""
    scene = road(draw)
    sound, late = scene.place([0], 1000.0, 1080.0), scene.place([0], 100.0, 122.0)
    scene.trucks.speed_mps[:2] = 6.9
    request = ask(scene.lanes, scene.trucks)

    got = assess(scene.lanes, scene.trucks, request, extend(scene.lanes, scene.trucks, request))

    assert got.stop.tolist() == [False, True]
    assert got.margin_m[late] < 0.0 < got.margin_m[sound]


def test_doubted_road_stops_everyone_else_on_it(draw: Any) -> None:
    """The union of old road and every possible place counts as occupied."""
    scene = road(draw)
    doubted, met, far = scene.place([0], 400.0, 450.0), scene.place([0], 300.0, 350.0), scene.place([0], 100.0, 150.0)
    request = ask(scene.lanes, scene.trucks, [(0, 330.0, 460.0, doubted)])

    got = assess(scene.lanes, scene.trucks, request, extend(scene.lanes, scene.trucks, request))

    assert got.in_doubt.tolist() == [False, True, False]
    assert (doubted, met, far) == (0, 1, 2)


def test_a_truck_without_brakes_does_not_move(draw: Any) -> None:
    """Below the least deceleration no authority is of use."""
    scene = road(draw)
    scene.place([0], 400.0, 450.0)
    scene.trucks.friction[0] = 0.02
    request = ask(scene.lanes, scene.trucks)

    got = assess(scene.lanes, scene.trucks, request, extend(scene.lanes, scene.trucks, request))

    assert got.unbraked[0]


def test_weak_brakes_and_ice_cost_speed_and_not_road(draw: Any) -> None:
    """The worst stop of a derated truck is no longer than a sound one's from top speed: spacing and sight stay good for it."""
    scene = road(draw)
    sound, weak, sliding = (scene.place([0], rear_m, rear_m + 60.0) for rear_m in (1500.0, 1000.0, 500.0))
    scene.trucks.brake_health[weak], scene.trucks.friction[sliding] = 0.7, 0.2
    request = ask(scene.lanes, scene.trucks)

    wishes = assess(scene.lanes, scene.trucks, request, extend(scene.lanes, scene.trucks, request)).advised_speed_mps

    top_mps, lags = TRUCK_TOP_MPS, (0.5, 0.5)
    longest_m = stopping_distance_m(top_mps, 2.2, *lags)
    assert wishes[sound] == 0.0
    assert stopping_distance_m(float(wishes[weak]), 0.7 * 2.2, *lags) == pytest.approx(longest_m)
    assert stopping_distance_m(float(wishes[sliding]), a_safe_mps2(2.2, 1.0, 0.2, 0.0), *lags) == pytest.approx(longest_m)
    assert 4.0 < wishes[sliding] < wishes[weak] < top_mps


def test_a_truck_that_is_waited_for_is_not_held_back_and_still_drives_as_its_brakes_allow(draw: Any) -> None:
    """Rolling slowly towards a stop it would keep the next one from the bay; what brakes lack costs speed all the same."""
    scene = road(draw)
    scene.place([0], 350.0, 400.0)
    sound, weak = scene.place([0], 300.0, 345.0), scene.place([0], 240.0, 290.0)
    scene.trucks.brake_health[weak] = 0.7
    request = ask(scene.lanes, scene.trucks)
    extension = extend(scene.lanes, scene.trucks, request)

    held_back = assess(scene.lanes, scene.trucks, request, extension).advised_speed_mps.copy()
    pressed = replace(request, pressed=np.ones(3, np.bool_))
    wishes = assess(scene.lanes, scene.trucks, pressed, extension).advised_speed_mps

    assert 0.0 < held_back[sound] < TRUCK_TOP_MPS
    assert wishes[sound] == 0.0
    assert 0.0 < wishes[weak] < TRUCK_TOP_MPS


def test_advice_follows_a_slow_leader_and_never_asks_to_creep(draw: Any) -> None:
    """Rolling on slowly beats stopping and starting seventy tonnes."""
    scene = road(draw)
    scene.place([0], 150.0, 200.0)
    follower = scene.place([0], 115.0, 147.0)
    scene.trucks.speed_mps[:2] = [3.0, 6.9]
    request = ask(scene.lanes, scene.trucks)

    behind_slow = assess(scene.lanes, scene.trucks, request, extend(scene.lanes, scene.trucks, request)).advised_speed_mps[follower]
    scene.trucks.speed_mps[:2] = [0.0, 6.9]
    scene.trucks.nose_m[follower] = 145.0
    behind_standing = assess(scene.lanes, scene.trucks, request, extend(scene.lanes, scene.trucks, request)).advised_speed_mps[follower]

    assert 3.0 < behind_slow < 25 / 3.6
    assert behind_standing == CRAWL_MPS


def test_a_whole_tick_believes_then_extends_then_looks(draw: Any) -> None:
    """The chain the bench measures is the chain the server runs."""
    scene = road(draw)
    scene.place([0], 100.0, 150.0)
    request = ask(scene.lanes, scene.trucks)
    reports = ReportColumns(
        rows=np.array([0], np.int32), stamp_ns=np.array([1], np.int64), lane_ix=np.array([0], np.int32),
        chainage_m=np.array([118.2]), speed_mps=np.array([0.4]), bound_m=np.array([0.3]),
    )  # fmt: skip

    findings, extension, assessment = conflict_tick(scene.lanes, scene.trucks, reports, np.array([True]), request)

    assert findings.path_m.tolist() == [118.2]
    assert scene.trucks.nose_m[0] == 118.2
    assert extension.end_m[0] > 150.0
    assert scene.trucks.end_m[0] == 150.0
    assert assessment.margin_m[0] > 0.0
