"""Spacing: the compiled kernel against its twin, and the facts it must hold to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from planner.authority import Cause
from planner.grip import Grip, cell_stretch, cells_of, even_grip
from planner.limits import FRICTION_CELL_M, NO_STOP_BEFORE_M, STANDING_MARGIN_M
from planner.oracle.spacing import MANY, NOBODY, SlowSpacing, slow_extend_ends
from planner.spacing import ExtendRequest, Extension, extend, worth_granting
from planner.tables import LaneTable, TableFault, TruckTable
from planner.zones import claims_after, walls_of

SEEDS = range(120)


def free_request(lanes: LaneTable, trucks: TruckTable, **changes: Any) -> ExtendRequest:
    """Everybody may move as far as the road goes."""
    n = trucks.count
    columns: dict[str, Any] = {
        "may_extend": np.ones(n, np.bool_),
        "limit_m": np.full(n, np.inf),
        "limit_cause": np.full(n, Cause.GOAL, np.int32),
        "limit_ref": np.full(n, -1, np.int32),
        "claim_since": np.zeros(n, np.int64),
        "token": np.full(n, -1, np.int32),
        "grip": even_grip(lanes, 0.7),
    }
    return ExtendRequest(**(columns | changes))


def drawn_grip(rng: np.random.Generator, lanes: LaneTable) -> Grip:
    """A road that is the same everywhere, one with slippery cells, or one with ice."""
    grip = even_grip(lanes, 0.7)
    worst = float(rng.choice([0.7, 0.3, 0.08, 0.02]))
    grip.friction[:] = np.where(rng.random(len(grip.friction)) < 0.3, worst, rng.choice([0.7, 0.5], len(grip.friction)))
    return grip if worst < 0.7 else even_grip(lanes, 0.6)


def by_lane(grip: Grip) -> list[list[float]]:
    """Friction by lane and cell."""
    return [grip.friction[low:high].tolist() for low, high in pairwise(grip.cell_start.tolist())]


def drawn_tokens(rng: np.random.Generator, lanes: LaneTable, trucks: TruckTable) -> np.ndarray:
    """Half of the trucks may enter a one-lane section of their path behind another."""
    token = np.full(trucks.count, NOBODY, np.int32)
    for row in range(trucks.count):
        ahead = [int(lanes.stop_section[stop]) for at in trucks.path(row) for stop in range(lanes.stop_start[at], lanes.stop_start[at + 1])]
        sections = [section for section in ahead if section != NOBODY]
        if sections and rng.random() < 0.5:
            token[row] = rng.choice(sections)
    return token


def drawn_turns(rng: np.random.Generator, lanes: LaneTable, n: int) -> np.ndarray:
    """Advice for some zones, of any truck and branch, however senseless; some zones twice."""
    if not lanes.zone_count:
        return np.empty((3, 0), np.int32)
    count = int(rng.integers(0, lanes.zone_count))
    return np.array([rng.integers(0, top, count) for top in (lanes.zone_count, 2, n)], np.int32)


def drawn_request(
    rng: np.random.Generator, lanes: LaneTable, trucks: TruckTable
) -> tuple[ExtendRequest, list[tuple[int, float, float, int]]]:
    """Limits, claims, slippery lanes and walls at random."""
    n = trucks.count
    walls = []
    for _ in range(int(rng.integers(0, 3))):
        at = int(rng.integers(0, lanes.count))
        low = float(rng.uniform(0, 0.9)) * float(lanes.length_m[at])
        walls.append((at, low, low + float(rng.uniform(1, 30)), int(rng.integers(-1, n))))
    limit = np.where(rng.random(n) < 0.3, trucks.end_m[:n] + rng.uniform(-5, 120, n), np.inf)
    claim_since = np.where(rng.random(n) < 0.3, rng.integers(1, 50, n), 0)
    request = free_request(
        lanes,
        trucks,
        may_extend=rng.random(n) < 0.9,
        limit_m=limit,
        claim_since=claim_since,
        turns=drawn_turns(rng, lanes, n),
        elder_count=int(rng.integers(0, 1 + np.count_nonzero(claim_since))),
        token=drawn_tokens(rng, lanes, trucks),
        grip=drawn_grip(rng, lanes),
        walls=walls_of(lanes, walls),
    )
    return request, walls


def twin_of(lanes: LaneTable, trucks: TruckTable, request: ExtendRequest, walls: list[tuple[int, float, float, int]]) -> SlowSpacing:
    """The same question to the slow twin."""
    limits = zip(request.limit_m.tolist(), request.limit_cause.tolist(), request.limit_ref.tolist(), strict=True)
    return SlowSpacing(
        lanes=lanes, trucks=trucks, walls=walls, may_extend=request.may_extend.tolist(), limits=list(limits),
        claim_since=request.claim_since.tolist(), token=request.token.tolist(), friction=by_lane(request.grip),
        advice=[tuple(turn) for turn in request.turns.T.tolist()], elder_count=request.elder_count,
    )  # fmt: skip


def take(trucks: TruckTable, extension: Extension) -> None:
    """Grant everything."""
    trucks.end_m[: trucks.count] = extension.end_m
    trucks.sent_m[: trucks.count] = extension.end_m


@pytest.mark.parametrize("seed", SEEDS)
def test_the_kernel_and_its_twin_agree_to_the_last_bit(seed: int, scenes: Callable[[int], Any]) -> None:
    """The compiled walk is believed because a slow one from scratch says the same."""
    scene = scenes(seed)
    rng = np.random.default_rng(seed + 10_000)
    request, walls = drawn_request(rng, scene.lanes, scene.trucks)
    scene.trucks.brake_health[: scene.trucks.count] = np.where(rng.random(scene.trucks.count) < 0.3, 0.7, 1.0)

    for _ in range(3):
        got = extend(scene.lanes, scene.trucks, request)
        twin = twin_of(scene.lanes, scene.trucks, request, walls)
        turns = slow_extend_ends(twin)

        assert got.end_m.tolist() == [turn.end_m for turn in turns]
        assert got.cause.tolist() == [turn.cause for turn in turns]
        assert got.ref.tolist() == [turn.ref for turn in turns]
        assert got.gap_m.tolist() == [turn.gap_m for turn in turns]
        assert got.leader.tolist() == [turn.leader for turn in turns]
        assert got.friction.tolist() == [turn.friction for turn in turns]
        assert worth_granting(scene.trucks, request, got).tolist() == [turn.worth for turn in turns]
        assert got.claiming.tolist() == [int(turn.claiming) for turn in turns]
        assert got.zones.row.tolist() == [zone.row for zone in twin.zones]
        assert got.zones.branch.tolist() == [zone.branch for zone in twin.zones]
        take(scene.trucks, got)
        advance(np.random.default_rng(seed), scene.trucks)
        drop_lanes_behind(scene.trucks)


def drop_lanes_behind(trucks: TruckTable) -> None:
    """New routes that begin under the rear: what kernels remember of the old ones must not show."""
    for row in range(trucks.count):
        k = trucks.k_at(row, float(trucks.rear_m[row]))
        trucks.set_path(row, trucks.path(row)[k:], float(trucks.path_start_m[row, k]))


def advance(rng: np.random.Generator, trucks: TruckTable) -> None:
    """Trucks use some of what they hold."""
    n = trucks.count
    used = rng.random(n) * np.maximum(0.0, trucks.end_m[:n] - 2.0 - trucks.nose_m[:n])
    trucks.nose_m[:n] += used
    trucks.rear_m[:n] += used


@pytest.mark.parametrize("seed", SEEDS)
def test_extensions_never_share_ground(seed: int, scenes: Callable[[int], Any], draw: Any) -> None:
    """The promise itself: no two trucks may sweep the same metre of lane or zone."""
    scene = scenes(seed)
    rng = np.random.default_rng(seed)

    for _ in range(5):
        take(scene.trucks, extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks)))

        assert draw.overlaps(scene.corridor, scene.trucks) == []
        advance(rng, scene.trucks)


def test_a_wall_of_nobodys_is_an_intruder(draw: Any) -> None:
    """A truck that stands before a person must not be said to wait for another truck."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 3000.0)]))
    scene.place([0], 100.0, 150.0)
    scene.place([0], 40.0, 62.0)
    walls = walls_of(scene.lanes, [(0, 170.0, 180.0, NOBODY)])

    got = extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks, walls=walls))

    assert [Cause(int(cause)) for cause in got.cause] == [Cause.INTRUSION, Cause.LEADER]
    assert got.ref.tolist() == [NOBODY, 0]
    assert got.end_m[0] == 170.0 - STANDING_MARGIN_M


def resting_faults(lanes: LaneTable, trucks: TruckTable, before_m: np.ndarray, token: np.ndarray) -> list[str]:
    """Ends that moved and now lie where no truck may rest, looking along each path from its start; not in the section of its token."""
    faults = []
    for row in range(trucks.count):
        end = float(trucks.end_m[row])
        if end == before_m[row]:
            continue
        for k, at in enumerate(trucks.path(row)):
            base = float(trucks.path_start_m[row, k])
            for stop in range(int(lanes.stop_start[at]), int(lanes.stop_start[at + 1])):
                low = base + float(lanes.stop_from_m[stop])
                high = base + float(lanes.stop_to_m[stop]) + float(trucks.beyond_m[row])
                reached = high > float(trucks.rear_m[row])
                allowed = token[row] != NOBODY and lanes.stop_section[stop] == token[row]
                if reached and not allowed and low - NO_STOP_BEFORE_M + 1e-9 < end < high:
                    faults.append(f"truck {row} at {end} in [{low}, {high})")
    return faults


@pytest.mark.parametrize("seed", SEEDS)
def test_no_end_moves_into_a_no_stop_stretch(seed: int, scenes: Callable[[int], Any]) -> None:
    """A truck left alone by a dead server must not come to rest in a crossing."""
    scene = scenes(seed)
    rng = np.random.default_rng(seed)

    for _ in range(5):
        request, _ = drawn_request(rng, scene.lanes, scene.trucks)
        before = scene.trucks.end_m[: scene.trucks.count].copy()
        take(scene.trucks, extend(scene.lanes, scene.trucks, request))

        assert resting_faults(scene.lanes, scene.trucks, before, request.token) == []
        advance(rng, scene.trucks)


def test_a_leader_is_a_wall_at_its_confirmed_rear(draw: Any) -> None:
    """Brick-wall spacing: the follower's end stops a margin short of the rear, and says whose it is."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 500.0)]))
    scene.place([0], 100.0, 150.0)
    follower = scene.place([0], 40.0, 70.0)

    got = extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks))

    assert got.end_m[follower] == 100.0 - STANDING_MARGIN_M
    assert got.cause[follower] == Cause.LEADER
    assert got.ref[follower] == 0


def merge(draw: Any) -> Any:
    """Two lanes into one, long enough to wait and to leave."""
    lanes = [draw.lane("a", ("p", "m"), 200.0), draw.lane("b", ("q", "m"), 200.0), draw.lane("c", ("m", "z"), 4000.0)]
    return draw.scene_of(draw.corridor(lanes, [draw.zone("merge", [(0, "a", 190.0, 200.0), (1, "b", 190.0, 200.0)])]))


def test_a_zone_goes_to_one_branch_and_frees_behind_the_rear(draw: Any) -> None:
    """A merge passes one truck, the other waits before it, until a confirmed rear has left."""
    scene = merge(draw)
    first, second = scene.place([0, 2], 160.0, 185.0), scene.place([1, 2], 160.0, 185.0)

    take(scene.trucks, extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks)))
    waiting = extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks))
    scene.trucks.rear_m[first], scene.trucks.nose_m[first] = 300.0, 320.0
    scene.trucks.end_m[first] = 400.0
    freed = extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks))

    assert scene.trucks.end_m[first] > 200.0
    assert waiting.end_m[second] == 190.0 - NO_STOP_BEFORE_M
    assert waiting.zones.row.tolist() == [first]
    assert freed.end_m[second] > 200.0
    assert freed.zones.row.tolist() == [second]


def test_a_stream_on_one_branch_does_not_starve_the_other(draw: Any) -> None:
    """Claims are served by age: low rows that keep coming must not pass a truck that waits."""
    scene = merge(draw)
    stream = [scene.place([0, 2], 150.0 - 30.0 * k, 172.0 - 30.0 * k) for k in range(5)]
    waiter = scene.place([1, 2], 150.0, 172.0)
    ages = np.zeros(scene.trucks.count, np.int64)
    passed: list[int] = []

    for tick in range(1, 1500):
        request = free_request(scene.lanes, scene.trucks, claim_since=ages)
        got = extend(scene.lanes, scene.trucks, request)
        ages = claims_after(ages, got.claiming, tick)
        take(scene.trucks, got)
        ahead = np.maximum(0.0, scene.trucks.end_m[: scene.trucks.count] - 2.5 - scene.trucks.nose_m[: scene.trucks.count])
        scene.trucks.nose_m[: scene.trucks.count] += np.minimum(ahead, 0.7)
        scene.trucks.rear_m[: scene.trucks.count] += np.minimum(ahead, 0.7)
        passed += [row for row in [*stream, waiter] if row not in passed and scene.trucks.rear_m[row] > 200.0]

    assert waiter in passed[:2]
    assert set(passed) == {*stream, waiter}


def test_an_exclusive_zone_has_one_holder(draw: Any) -> None:
    """Even on one lane, one behind the other."""
    scene = draw.scene_of(
        draw.corridor([draw.lane("a", ("p", "q"), 600.0)], [draw.zone("narrow", [(0, "a", 200.0, 300.0)], exclusive=True)])
    )
    leader, follower = scene.place([0], 280.0, 320.0), scene.place([0], 170.0, 195.0)

    got = extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks))

    assert got.end_m[follower] == 200.0 - NO_STOP_BEFORE_M
    assert got.zones.row.tolist() == [leader]


def test_a_wall_closes_lane_and_zones(draw: Any) -> None:
    """Road that may hold a doubted truck is nobody's to enter, nor is a zone it touches."""
    scene = merge(draw)
    truck = scene.place([0, 2], 100.0, 130.0)

    on_lane = extend(
        scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks, walls=walls_of(scene.lanes, [(0, 150.0, 160.0, -1)]))
    )
    in_zone = extend(
        scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks, walls=walls_of(scene.lanes, [(1, 195.0, 199.0, -1)]))
    )

    assert on_lane.end_m[truck] == 150.0 - STANDING_MARGIN_M
    assert in_zone.end_m[truck] <= 190.0 - NO_STOP_BEFORE_M
    assert in_zone.zones.row.tolist() == [MANY]


def test_small_gains_wait_in_free_flow_but_not_behind_a_leader(draw: Any) -> None:
    """Messages cost; behind a leader so does every metre."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 5000.0)]))
    free, leader, follower = scene.place([0], 3000.0, 3020.0), scene.place([0], 100.0, 150.0), scene.place([0], 40.0, 96.0)
    request = free_request(scene.lanes, scene.trucks, may_extend=np.array([True, False, True]))
    reach = float(extend(scene.lanes, scene.trucks, request).end_m[free])
    scene.trucks.end_m[free] = scene.trucks.sent_m[free] = reach - 3.0

    got = extend(scene.lanes, scene.trucks, request)

    assert worth_granting(scene.trucks, request, got).tolist() == [False, False, True]
    assert got.leader[follower] == leader
    assert got.leader[free] == NOBODY


def test_a_column_that_does_not_fit_is_refused(draw: Any) -> None:
    """Kernels trust their input; this is where trust is earned."""
    scene = merge(draw)
    scene.place([0, 2], 100.0, 130.0)

    with pytest.raises(TableFault, match="limit_m"):
        extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks, limit_m=np.array([np.nan])))


def icy(draw: Any, speed_mps: float, friction: float) -> tuple[Any, ExtendRequest]:
    """One truck on a long road that has one slippery cell, [500, 600), ahead of its end at 470."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 3000.0)]))
    scene.place([0], 430.0, 470.0)
    scene.trucks.speed_mps[0] = speed_mps
    grip = even_grip(scene.lanes, 0.7)
    grip.friction[5] = friction
    return scene, free_request(scene.lanes, scene.trucks, grip=grip)


def test_a_slippery_cell_counts_where_it_lies_and_nowhere_else(draw: Any) -> None:
    """A patch of ice on a road of kilometres must not slow trucks a kilometre away, and must be known before it is reached."""
    scene, request = icy(draw, 5.0, 0.25)
    frictions = []

    for rear_m, end_m in ((300.0, 499.0), (470.0, 501.0), (599.0, 650.0), (600.0, 650.0)):
        scene.trucks.rear_m[0], scene.trucks.end_m[0] = rear_m, end_m
        frictions.append(float(extend(scene.lanes, scene.trucks, replace(request, may_extend=np.array([False]))).friction[0]))

    assert frictions == [0.7, 0.25, 0.25, 0.7]


def test_an_end_stays_before_ice_until_the_truck_is_slow_enough_for_it(draw: Any) -> None:
    """A friction told too late would find the truck beyond stopping; a truck that has slowed down passes."""
    scene, request = icy(draw, 6.9, 0.08)

    fast = extend(scene.lanes, scene.trucks, request)
    scene.trucks.speed_mps[0] = 2.0
    slow = extend(scene.lanes, scene.trucks, request)

    assert (fast.end_m[0], fast.cause[0], fast.ref[0], fast.friction[0]) == (470.0, Cause.TRACTION, 0, 0.7)
    assert slow.end_m[0] > 500.0
    assert slow.friction[0] == 0.08


def test_no_truck_is_sent_onto_road_it_could_not_stop_on_at_all(draw: Any) -> None:
    """It waits before it, with the reason named, rather than being let in and then held."""
    scene, request = icy(draw, 0.0, 0.02)

    got = extend(scene.lanes, scene.trucks, request)

    assert (got.end_m[0], got.cause[0]) == (470.0, Cause.TRACTION)


def test_cells_cover_every_lane_and_only_their_own(draw: Any) -> None:
    """A place told on one lane must never be looked up on the next."""
    lanes = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 250.0), draw.lane("b", ("q", "r"), 100.0)])).lanes
    grip = even_grip(lanes, 0.7)

    assert grip.cell_start.tolist() == [0, 3, 4]
    assert list(cells_of(grip, 0, 90.0, 260.0)) == [0, 1, 2]
    assert list(cells_of(grip, 1, -5.0, 180.0)) == [3]
    assert [cell_stretch(grip, cell) for cell in (2, 3)] == [(0, 200.0, 200.0 + FRICTION_CELL_M), (1, 0.0, FRICTION_CELL_M)]


def section(draw: Any) -> Any:
    """A one-lane section of 200 m on two lanes of opposite directions, with road before and beyond."""
    lanes = [draw.lane("out", ("p", "q"), 900.0), draw.lane("back", ("q", "p"), 900.0)]
    return draw.scene_of(draw.corridor(lanes, [draw.zone("narrow", [(0, "out", 300.0, 500.0), (1, "back", 400.0, 600.0)], derived=False)]))


def test_a_token_lets_a_truck_into_a_section_behind_another(draw: Any) -> None:
    """A long section must carry more than one truck at a time; without the token the chain is passed whole or not at all."""
    scene = section(draw)
    scene.place([0], 400.0, 540.0)
    follower = scene.place([0], 270.0, 299.0)

    with_token = extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks, token=np.array([-1, 0], np.int32)))
    without = extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks))

    assert with_token.end_m[follower] == 400.0 - STANDING_MARGIN_M
    assert with_token.cause[follower] == Cause.LEADER
    assert without.end_m[follower] == 300.0 - NO_STOP_BEFORE_M


def test_a_token_opens_no_section_that_the_other_side_holds(draw: Any) -> None:
    """Tokens are for spacing within a direction; two directions exclude each other whatever anybody decided."""
    scene = section(draw)
    scene.place([1], 400.0, 700.0)
    waiting = scene.place([0], 270.0, 299.0)

    got = extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks, token=np.array([0, 0], np.int32)))

    assert got.end_m[waiting] == 300.0 - NO_STOP_BEFORE_M
    assert (got.cause[waiting], got.ref[waiting]) == (Cause.ZONE, 0)


def test_a_truck_within_a_section_does_not_make_way_for_one_before_it(draw: Any) -> None:
    """The other side wants the section and gets it only when it is empty: who is in it must be let out first."""
    scene = section(draw)
    first, second = scene.place([0], 430.0, 540.0), scene.place([0], 370.0, 410.0)
    scene.place([1], 370.0, 399.0)
    claims = np.array([0, 0, 1], np.int64)
    token = np.array([0, 0, 0], np.int32)
    scene.trucks.rear_m[first], scene.trucks.nose_m[first], scene.trucks.end_m[first] = 480.0, 498.0, 640.0

    got = extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks, token=token, claim_since=claims))

    assert got.holders.wanted_row.tolist() == [2]
    assert got.end_m[second] > 410.0
