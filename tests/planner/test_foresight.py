"""Planning ahead: what becomes a task, which order comes out, and when there had better be none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planner.corridor import Gate, GateRole
from planner.foresight.outlook import FOLLOW_S, outlook_of, ways_of
from planner.foresight.plan import NS_PER_UNIT, Planned, plan, settled
from planner.foresight.seen import Chart, Seen, chart_of
from planner.foresight.turns import Turns

LONE, STREAM = 0, range(1, 5)
MOUTH_M = 399.9


def crossing(draw: Any, stream_m: tuple[float, ...] = (373.0, 348.0, 323.0, 298.0)) -> Any:
    """One truck on lane a that is at the crossing first, and a dense stream on lane b a second behind it."""
    lanes = [draw.lane("a", ("p", "q"), 900.0), draw.lane("b", ("r", "s"), 900.0)]
    scene = draw.scene_of(draw.corridor(lanes, [draw.zone("cross", [(0, "a", 400.0, 430.0), (1, "b", 400.0, 430.0)])]))
    for lane, nose_m in ((0, 380.0), *((1, nose_m) for nose_m in stream_m)):
        row = scene.place([lane], nose_m - 18.0, nose_m + 3.0)
        scene.trucks.nose_m[row] = nose_m
    return scene


def seen_of(scene: Any, *, stays: tuple[int, ...] = (), now_ns: int = 0) -> Seen:
    """The scene's trucks, all of which come but those named."""
    n = scene.trucks.count
    comes = np.ones(n, np.bool_)
    comes[list(stays)] = False
    return Seen.of(scene.trucks, comes, np.full(n, np.inf), now_ns)


def chart_for(scene: Any) -> Chart:
    """Its corridor; every gate takes 40 s."""
    return chart_of(scene.corridor, scene.lanes, [40.0] * len(scene.corridor.gates))


def chunks(count: int) -> Callable[[], bool]:
    """So many chunks of search."""
    left = iter(range(count))
    return lambda: next(left, None) is not None


def planned(scene: Any, in_force: Turns | None = None, **seen: Any) -> Planned:
    """What planning makes of the scene."""
    return plan(seen_of(scene, **seen), chart_for(scene), in_force, chunks(256))


def test_a_stream_passes_before_one_that_would_hold_all_of_it_up(draw: Any) -> None:
    """This is what looking ahead is for: first come, first served costs four trucks what it saves one."""
    found = planned(crossing(draw))

    assert found.turns.row.tolist() == [*STREAM, LONE]
    assert found.turns.zone.tolist() == [0] * 5
    assert found.turns.branch.tolist() == [1] * 4 + [0]
    assert found.turns.entry_m == pytest.approx([MOUTH_M] * 5)
    assert found.taken
    assert found.found_s < found.first_come_s == found.in_force_s


def test_the_same_fleet_and_seed_give_the_same_order(draw: Any) -> None:
    """A simulated run must replay from its seed, planning included."""
    first, again = planned(crossing(draw)), planned(crossing(draw))

    assert first.turns.due_ns.tolist() == again.turns.due_ns.tolist()
    assert first.turns.row.tolist() == again.turns.row.tolist()


def test_an_order_in_force_is_kept_unless_the_search_finds_a_better_one(draw: Any) -> None:
    """Orders that change without need would make trucks brake for nothing."""
    scene = crossing(draw)
    before = planned(scene).turns
    scene.trucks.nose_m[: scene.trucks.count] += 0.5

    after = planned(scene, before, now_ns=100_000_000)

    assert not after.taken
    assert after.turns.row.tolist() == before.row.tolist()
    assert (after.turns.seen_ns, before.seen_ns) == (100_000_000, 0)


def test_where_looking_ahead_gains_nothing_nobody_is_advised(draw: Any) -> None:
    """First come, first served needs no plan, and cannot be late."""
    found = planned(crossing(draw, stream_m=(373.0,)))

    assert len(found.turns.zone) == 0


def test_trucks_on_one_branch_are_planned_in_the_order_in_which_they_drive(draw: Any) -> None:
    """A plan in which one overtakes on a single lane would hold the other branch for a truck that cannot come."""
    scene = crossing(draw)
    outlook = outlook_of(seen_of(scene), chart_for(scene))
    assert outlook is not None

    overtaking = {(row, round(MOUTH_M / 0.5)): at for row, at in ((2, 0), (LONE, 300), (1, 600))}

    assert settled(outlook, overtaking) is None
    assert settled(outlook, {}) is not None


def test_an_order_that_runs_in_a_circle_is_not_kept(draw: Any) -> None:
    """Stale orders come to contradict the road; then the search's plan is taken, whatever it costs."""
    scene = crossing(draw)
    rows = [2, LONE, 1]
    circle = Turns.of(0, [(0, at * 300 * NS_PER_UNIT, row, int(row != LONE), MOUTH_M) for at, row in enumerate(rows)])

    found = planned(scene, circle)

    assert found.in_force_s == float("inf")
    assert found.taken
    assert found.turns.row.tolist() == [*STREAM, LONE]


def test_a_follower_is_not_there_before_its_leader(draw: Any) -> None:
    """A fast truck behind a slow one comes when that one has come; first come, first served counts on it."""
    scene = crossing(draw)
    scene.trucks.speed_max_mps[1] = 1.0

    outlook = outlook_of(seen_of(scene), chart_for(scene))

    assert outlook is not None
    arrive_s = {passage.row: passage.arrive_s for passage in outlook.entries.values()}
    assert arrive_s[1] == pytest.approx(26.9)
    assert [arrive_s[row] - arrive_s[row - 1] for row in range(2, 5)] == pytest.approx([FOLLOW_S] * 3)


def test_a_truck_that_does_not_come_is_not_waited_for(draw: Any) -> None:
    """Neither it nor anybody behind it on the lane has a turn: nobody knows until when it stands."""
    found = planned(crossing(draw), stays=(1,))

    assert len(found.turns.zone) == 0
    assert ways_of(seen_of(crossing(draw), stays=(1,)), chart_for(crossing(draw)))[1].passages == ()


def test_trucks_that_never_meet_are_no_task(draw: Any) -> None:
    """Most of the time there is nothing to plan, and that must cost nothing."""
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 900.0)]))
    scene.place([0], 100.0, 130.0)
    scene.place([0], 200.0, 230.0)

    assert outlook_of(seen_of(scene), chart_for(scene)) is None


def test_a_gate_on_the_way_makes_a_truck_later_by_its_service(draw: Any) -> None:
    """Behind a gate nobody is due before the gate has let him through."""
    gate = Gate(gate_id="g", lane_id="a", role=GateRole.EXIT, process="p", call_m=0.0, stop_line_m=100.0, barrier_m=101.0, clear_m=104.0)
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 900.0)], gates=[gate]))
    scene.place([0], 10.0, 60.0)

    (way,) = ways_of(seen_of(scene), chart_for(scene))

    assert way.passages[0].gate_ix == 0
    assert way.passages[0].arrive_s == pytest.approx((100.1 - 28.0) / (25 / 3.6) + 40.0, abs=0.1)


@pytest.mark.parametrize("seed", range(25))
def test_every_order_says_each_turn_once_and_only_of_trucks_that_come(seed: int, scenes: Callable[[int], Any]) -> None:
    """Whatever the corridor, an order must read as one: a zone's turns together, in time, none twice."""
    scene = scenes(seed)
    stays = tuple(range(0, scene.trucks.count, 5))

    turns = planned(scene, stays=stays).turns

    said = list(zip(turns.zone.tolist(), turns.due_ns.tolist(), turns.row.tolist(), strict=True))
    assert said == sorted(said)
    entries = list(zip(turns.zone.tolist(), turns.row.tolist(), turns.entry_m.tolist(), strict=True))
    assert len(set(entries)) == len(entries)
    assert not set(turns.row.tolist()) & set(stays)
    assert (turns.entry_m >= scene.trucks.end_m[turns.row] - 1e-6).all()
