"""Where an intruder may be: distances across the ground, ways along the road, and whole zones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fleet.server.keep_out import SAMPLE_M, Closed, KeepOut, Metres, holds, joined
from fleet.site import load_site
from planner.corridor import Corridor
from planner.tables import LaneTable
from sim_harness.tiny import tiny_corridor

TINY = tiny_corridor()
MANDULA = load_site("mandula")


def keep_out(corridor: Corridor) -> KeepOut:
    """The rules of one site."""
    return KeepOut(corridor, LaneTable.of(corridor))


def on(corridor: Corridor, lane_id: str, from_m: float, to_m: float | None = None) -> Metres:
    """A place on a lane."""
    return Metres(lane_ix=corridor.lane_ix[lane_id], from_m=from_m, to_m=from_m if to_m is None else to_m)


def by_lane(corridor: Corridor, closed: Closed) -> dict[str, tuple[float, float]]:
    """Metres by lane."""
    return {corridor.lanes[at.lane_ix].lane_id: (at.from_m, at.to_m) for at in closed}


def point(corridor: Corridor, lane_ix: int, chainage_m: float) -> tuple[float, float]:
    """A lane's point, walked leg by leg."""
    lane = corridor.lanes[lane_ix]
    legs = [math.dist(a, b) for a, b in zip(lane.points, lane.points[1:], strict=False)]
    left_m = chainage_m * sum(legs) / lane.length_m
    for (a, b), leg_m in zip(zip(lane.points, lane.points[1:], strict=False), legs, strict=True):
        if left_m <= leg_m:
            share = left_m / leg_m
            return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
        left_m -= leg_m
    return lane.points[-1]


@pytest.fixture(scope="module")
def walked() -> list[tuple[np.ndarray, np.ndarray]]:
    """Each lane of the site every 3 m: chainages (k,) and points (k, 2)."""
    made = []
    for lane_ix, lane in enumerate(MANDULA.lanes):
        along_m = np.linspace(0.0, lane.length_m, max(int(lane.length_m / 3.0), 2))
        made.append((along_m, np.array([point(MANDULA, lane_ix, float(at_m)) for at_m in along_m])))
    return made


@pytest.mark.parametrize("seed", range(12))
def test_every_metre_within_the_radius_is_closed(seed: int, walked: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """By brute force over the whole site: a lane left out is a truck on a person."""
    rng = np.random.default_rng(seed)
    lane_ix = int(rng.integers(0, len(MANDULA.lanes)))
    length_m = MANDULA.lanes[lane_ix].length_m
    from_m = float(rng.uniform(0.0, length_m))
    place = Metres(lane_ix=lane_ix, from_m=from_m, to_m=min(from_m + float(rng.uniform(0.0, 30.0)), length_m))
    radius_m = float(rng.uniform(1.0, 40.0))

    closed = keep_out(MANDULA).around([place], radius_m)

    seen = np.array([point(MANDULA, lane_ix, float(at_m)) for at_m in np.linspace(place.from_m, place.to_m, 40)])
    for other, (along_m, points) in enumerate(walked):
        away_m = np.hypot(*(points[:, None, :] - seen[None, :, :]).transpose(2, 0, 1)).min(axis=1)
        near_m = along_m[away_m <= radius_m + 0.5 * MANDULA.lanes[other].width_m]
        assert [at_m for at_m in near_m.tolist() if not holds(closed, Metres(lane_ix=other, from_m=at_m, to_m=at_m))] == []


def test_what_is_far_away_stays_open() -> None:
    """Closing everything would be safe and of no use."""
    closed = by_lane(TINY, keep_out(TINY).around([on(TINY, "out", 800.0)], 10.0))

    assert set(closed) == {"out"}
    assert closed["out"] == (pytest.approx(788.0, abs=2 * SAMPLE_M), pytest.approx(812.0, abs=2 * SAMPLE_M))


def test_a_radius_reaches_the_lane_beside() -> None:
    """The road back runs 20 m beside the road out; 18 m reach its edge."""
    closed = by_lane(TINY, keep_out(TINY).around([on(TINY, "out", 800.0)], 18.5))

    assert set(closed) == {"out", "back"}
    assert closed["back"][0] < 400.0 < closed["back"][1]  # east 800 is metre 400 on the way back


def test_a_zone_is_closed_whole() -> None:
    """Whoever sweeps one part of it sweeps the others, wherever they lie."""
    closed = by_lane(TINY, keep_out(TINY).around([on(TINY, "out", 490.0)], 10.0))

    assert closed["out"][1] == 540.0
    assert closed["back"] == (650.0, 690.0)


def test_a_bubble_goes_ahead_into_every_branch_and_a_little_behind() -> None:
    """A driver may turn where he likes; he does not back up for long."""
    closed = by_lane(TINY, keep_out(TINY).bubble(on(TINY, "unload", 190.0), 5.0, 60.0, 12.0))

    assert closed["unload"] == (pytest.approx(178.0), pytest.approx(200.0))
    assert closed["turn_east"] == (0.0, 20.0)
    assert closed["back"] == (0.0, pytest.approx(30.0))


def test_joined_keeps_both_and_what_lies_between() -> None:
    """One stretch a lane: the walls of the planner stay few."""
    one, other = (on(TINY, "out", 10.0, 20.0), on(TINY, "load", 1.0, 2.0)), (on(TINY, "out", 40.0, 50.0),)

    assert by_lane(TINY, joined(one, other)) == {"out": (10.0, 50.0), "load": (1.0, 2.0)}
