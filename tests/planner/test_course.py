"""Where trucks will be when: evenly along their ways, waiting where others come first, and never back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from planner.corridor import Gate, GateRole
from planner.foresight.course import Course, courses_of
from planner.foresight.plan import plan
from planner.foresight.seen import Chart, Seen, chart_of
from planner.tables import FloatArray
from tests.planner.test_foresight import LONE, MOUTH_M, STREAM, chart_for, chunks, crossing, seen_of

NS = 1_000_000_000
GATE_S = 40.0


def places(course: Course) -> list[tuple[float, float]]:
    """Seconds and metres, on a way of one lane."""
    return [(at_ns / NS, chainage_m) for at_ns, _, chainage_m in course.points]


def alone(draw: Any, *, limit_m: float = np.inf, gate: bool = False) -> tuple[Any, Seen, Chart]:
    """One truck at 100 m on a lane of 900 m, limited or before a gate at 500 m."""
    barrier = Gate(
        gate_id="g", lane_id="a", role=GateRole.EXIT, process="p", call_m=400.0, stop_line_m=500.0, barrier_m=501.0, clear_m=504.0
    )
    gates = [barrier] if gate else []
    scene = draw.scene_of(draw.corridor([draw.lane("a", ("p", "q"), 900.0)], gates=gates))
    row = scene.place([0], 82.0, 110.0)
    scene.trucks.nose_m[row] = 100.0
    n = scene.trucks.count
    limits: FloatArray = np.full(n, limit_m)
    return scene, Seen.of(scene.trucks, np.ones(n, np.bool_), limits, 7 * NS), chart_of(scene.corridor, scene.lanes, [GATE_S] * len(gates))


def test_a_truck_alone_drives_evenly_to_where_its_way_is_known(draw: Any) -> None:
    """From its nose, at the lower of its own and the lane's speed, in the loop's own time."""
    scene, seen, chart = alone(draw, limit_m=300.0)
    speed_mps = min(float(scene.trucks.speed_max_mps[0]), float(scene.lanes.speed_max_mps[0]))

    (course,) = courses_of(seen, chart)

    assert course.row == 0
    assert places(course) == [(7.0, 100.0), (pytest.approx(7.0 + 200.0 / speed_mps), 300.0)]


def test_who_does_not_come_has_no_course(draw: Any) -> None:
    """Nobody knows when it will move."""
    scene = crossing(draw)

    assert [course.row for course in courses_of(seen_of(scene, stays=(LONE,)), chart_for(scene))] == list(STREAM)


def test_first_come_first_served_the_stream_waits(draw: Any) -> None:
    """Every truck of the other branch stands at its mouth until the one that is first has passed; nobody ever goes back."""
    scene = crossing(draw)

    courses = courses_of(seen_of(scene), chart_for(scene))

    waits = {
        course.row: [later - before for (before, at_m), (later, then_m) in pairwise(places(course)) if at_m == then_m] for course in courses
    }
    assert not waits[LONE]
    assert all(len(waits[row]) == 1 and waits[row][0] > 1.0 for row in STREAM)
    for course in courses:
        assert all(later >= before and then_m >= at_m for (before, at_m), (later, then_m) in pairwise(places(course)))


def test_turns_in_force_are_what_is_planned(draw: Any) -> None:
    """With the stream's turn first it is the lone truck that waits, at the mouth, until its own."""
    scene = crossing(draw)
    seen, chart = seen_of(scene), chart_for(scene)
    turns = plan(seen, chart, None, chunks(256)).turns
    due_s = float(turns.due_ns[turns.row.tolist().index(LONE)]) / NS

    lone = courses_of(seen, chart, turns)[LONE]

    waited = [(before, later) for (before, at_m), (later, then_m) in pairwise(places(lone)) if at_m == then_m == pytest.approx(MOUTH_M)]
    assert len(waited) == 1
    assert waited[0][1] == pytest.approx(due_s, abs=0.2)


def test_a_gate_takes_its_time(draw: Any) -> None:
    """A truck that is not yet let through stands before the line as long as a gate takes."""
    _, seen, chart = alone(draw, gate=True)

    (course,) = courses_of(seen, chart)

    waits = [(at_m, later - before) for (before, at_m), (later, then_m) in pairwise(places(course)) if at_m == then_m]
    assert [waited_s for _, waited_s in waits] == [pytest.approx(GATE_S)]
    assert waits[0][0] == pytest.approx(500.0, abs=0.5)
