"""Plans are feasible by rules that share nothing with the search, as good as trying every order, and the same for a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.timetable.columns import Lines, Paths
from planner.timetable.construct import Reason
from planner.timetable.hunt import choose
from planner.timetable.improve import WORTHLESS, attempt
from planner.timetable.precedence import Arc, OrderFixed, Precedence, WaitCircle
from planner.timetable.task import Delay, Event, Operation, Task, TaskFault, Use
from planner.timetable.timetable import Plan, Timetable, cycle_chunks
from sim_harness.bench.displib_rules import faults
from tests.planner.tiny_tasks import draw_crowd, draw_task, least_cost

SEEDS = st.integers(0, 10_000)


def chunks(count: int) -> Callable[[], bool]:
    """Budget for so many chunks of tries."""
    left = iter(range(count))
    return lambda: next(left, None) is not None


def judged(task: Task, plan: Plan) -> list[str]:
    """What the plain rules find wrong with *plan*."""
    problem = {
        "trains": [
            [
                {
                    "start_lb": each.earliest,
                    "start_ub": each.latest,
                    "min_duration": each.duration,
                    "resources": [{"resource": f"r{use.resource}", "release_time": use.release} for use in each.uses],
                    "successors": list(each.successors),
                }
                for each in operations
            ]
            for operations in task.trucks
        ],
        "objective": [
            {
                "type": "op_delay",
                "train": each.truck,
                "operation": each.operation,
                "threshold": each.threshold,
                "coeff": each.coeff,
                "increment": each.increment,
            }
            for each in task.delays
        ],
    }
    events = [{"time": each.time, "train": each.truck, "operation": each.operation} for each in plan.events]
    return faults(problem, {"objective_value": plan.cost, "events": events})


def through(*resources: int, duration: int = 5, release: int = 0, earliest: int = 0) -> tuple[Operation, ...]:
    """A truck that comes from outside, takes the resources one after another, and is gone."""
    inside = [
        Operation(earliest=earliest, duration=duration, uses=(Use(resource=each, release=release),), successors=(k + 2,))
        for k, each in enumerate(resources)
    ]
    return (Operation(successors=(1,)), *inside, Operation())


def standing(*resources: int, duration: int = 5) -> tuple[Operation, ...]:
    """A truck that stands in the first resource at time 0 and goes through the others."""
    here = Operation(latest=0, duration=duration, uses=(Use(resource=resources[0]),), successors=(1,))
    ahead = [Operation(duration=duration, uses=(Use(resource=each),), successors=(k + 2,)) for k, each in enumerate(resources[1:])]
    return (here, *ahead, Operation())


def late(task_trucks: tuple[tuple[Operation, ...], ...]) -> tuple[Delay, ...]:
    """One for each unit of time at every truck's end."""
    return tuple(Delay(truck=k, operation=len(each) - 1, coeff=1) for k, each in enumerate(task_trucks))


def holds_of(lines: Lines) -> list[np.ndarray]:
    """The rows that are in use, resource by resource."""
    rows = np.concatenate([np.arange(first, first + used) for first, used in zip(lines.start, lines.used, strict=False)])
    return [column[rows] for column in (lines.begin, lines.free, lines.truck, lines.enter, lines.leave)]


def ways_of(paths: Paths) -> list[np.ndarray]:
    """What the trucks do, as far as they are planned."""
    planned = np.arange(paths.op.shape[1]) < paths.length[:, None]
    return [np.where(planned, paths.op, 0), np.where(planned, paths.at, 0), paths.length.copy(), paths.cost.copy()]


def switched(graph: Precedence, resource: int, place: int) -> tuple[tuple[Event, ...], tuple[Arc, ...]]:
    """The events after a switch, or the circle of waits that it would make; neither where the order is fixed."""
    try:
        return graph.switched(resource, place).settled(), ()
    except OrderFixed:
        return (), ()
    except WaitCircle as refused:
        return (), refused.arcs


def test_a_follower_keeps_the_release_time() -> None:
    """Two trucks through one place, 5 each and 3 between them: ends at 5 and at 13."""
    trucks = (through(0, release=3), through(0, release=3))
    task = Task(trucks=trucks, delays=late(trucks))

    plan = Timetable(task).first()

    assert judged(task, plan) == []
    assert plan.cost == 5 + 13


def test_the_cheaper_order_is_found_when_the_first_plan_has_the_other() -> None:
    """Who comes first goes first until the search weighs what each costs: 2 waits for 1, since 1 costs ten times as much."""
    trucks = (through(0, duration=10), through(0, duration=1))
    delays = (Delay(truck=0, operation=2, coeff=1), Delay(truck=1, operation=2, coeff=10))
    timetable = Timetable(Task(trucks=trucks, delays=delays))

    first = timetable.first()
    plan = timetable.improve(chunks(4))

    assert first.cost == 10 + 110
    assert plan.cost == 10 + 11


def test_trucks_that_follow_each_other_round_a_ring_may_move_at_one_time() -> None:
    """A follows B out of a place at the instant B leaves it: legal, because B's leaving comes first."""
    trucks = (standing(0, 1), standing(1, 2))
    task = Task(trucks=trucks, delays=late(trucks))

    plan = Timetable(task).first()

    assert judged(task, plan) == []
    assert plan.cost == 10 + 10


def test_trucks_may_not_change_places_at_one_instant() -> None:
    """Each would have to leave before the other: no order of events does that, so they are not planned and each names the other."""
    task = Task(trucks=(standing(0, 1), standing(1, 0)))

    plan = Timetable(task).first()

    assert len(plan.stranded) == 2
    assert {each.truck: each.blocked_by for each in plan.stranded} == {0: (1,), 1: (0,)}
    assert {each.reason for each in plan.stranded} == {Reason.BLOCKED}


def test_three_trucks_may_not_turn_a_full_ring() -> None:
    """The longer circle: every place is taken, and each waits for the next."""
    task = Task(trucks=(standing(0, 1), standing(1, 2), standing(2, 0)))

    assert Timetable(task).first().stranded != ()


def test_a_truck_whose_window_is_shut_is_named_and_the_others_are_planned() -> None:
    """One impossible truck must not cost the day: it strands, for its own windows, and the rest drives."""
    shut = (Operation(duration=5, successors=(1,)), Operation(latest=3))
    task = Task(trucks=(shut, through(0)))

    plan = Timetable(task).first()

    assert [(each.truck, each.reason) for each in plan.stranded] == [(0, Reason.WINDOWS)]
    assert [event.operation for event in plan.events if event.truck == 1] == [0, 1, 2]


def test_the_way_round_is_taken_when_the_short_one_is_held() -> None:
    """Route and time are chosen together: 12 on the other lane is earlier than waiting for 100."""
    blocker = standing(0, duration=100)
    chooser = (
        Operation(successors=(1, 2)),
        Operation(duration=5, uses=(Use(resource=0),), successors=(3,)),
        Operation(duration=12, uses=(Use(resource=1),), successors=(3,)),
        Operation(),
    )
    task = Task(trucks=(blocker, chooser), delays=(Delay(truck=1, operation=3, coeff=1),))

    plan = Timetable(task).first()

    assert plan.cost == 12
    assert judged(task, plan) == []


def test_two_that_stand_head_on_make_room_by_a_siding() -> None:
    """0 and 1 face each other on the single lane 0-1-2; only the siding 3 beside 1 lets them pass."""

    def across(places: tuple[int, int, int]) -> tuple[Operation, ...]:
        start, _, goal = places
        return (
            Operation(latest=0, duration=5, uses=(Use(resource=start),), successors=(1, 2)),
            Operation(duration=5, uses=(Use(resource=1),), successors=(3,)),
            Operation(duration=5, uses=(Use(resource=3),), successors=(3,)),
            Operation(duration=5, uses=(Use(resource=goal),), successors=(4,)),
            Operation(),
        )

    task = Task(trucks=(across((0, 1, 2)), across((2, 1, 0))))

    plan = Timetable(task).first()

    assert plan.stranded == ()
    assert judged(task, plan) == []


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_search_that_starts_from_a_plan_never_loses_it(seed: int) -> None:
    """An order in force is improved or kept, without building another from nothing."""
    task = draw_task(seed)
    before = Timetable(task, seed=2).improve(chunks(4))
    if before.stranded:
        return

    timetable = Timetable(task)
    taken = timetable.start_from(before.events)
    after = timetable.improve(chunks(8))

    assert taken is not None
    assert judged(task, taken) == judged(task, after) == []
    assert after.cost <= taken.cost <= before.cost


def test_plans_of_many_trucks_cool_for_longer() -> None:
    """By the root of their number; with few the cycle is never shorter than with thirty."""
    assert cycle_chunks(2) == cycle_chunks(30) < cycle_chunks(31)
    assert cycle_chunks(120) == 2 * cycle_chunks(30)


def test_a_search_does_not_start_from_what_comes_too_late() -> None:
    """A window that has closed meanwhile is no plan; the search is as if it had not been asked."""
    late = (Operation(latest=3, uses=(Use(resource=0),), successors=(1,)), Operation())
    first = (Operation(duration=9, uses=(Use(resource=0),), successors=(1,)), Operation())
    task = Task(trucks=(first, late))
    timetable = Timetable(task)

    taken = timetable.start_from([Event(time=0, truck=0, operation=0), Event(time=9, truck=0, operation=1),
                                  Event(time=9, truck=1, operation=0), Event(time=9, truck=1, operation=1)])  # fmt: skip

    assert taken is None
    assert judged(task, timetable.first()) == []


def test_what_has_begun_keeps_its_time_and_its_place() -> None:
    """On the rolling horizon the past is no choice: truck 1 is inside, so truck 0 waits, though it came first in the plan before."""
    trucks = (through(0), through(0))
    begun = (Event(time=0, truck=1, operation=0), Event(time=2, truck=1, operation=1))
    task = Task(trucks=trucks, delays=late(trucks), begun=begun, now=4)
    timetable = Timetable(task)

    plan = timetable.improve(chunks(4))

    assert [event for event in plan.events if event.truck == 1][:2] == list(begun)
    assert judged(task, plan) == []
    assert plan.cost == 7 + 12


def test_the_others_are_planned_round_a_stranded_truck() -> None:
    """A truck that cannot go on holds its place for good; who has another way takes it, whoever was planned first."""
    broken = (Operation(latest=0, uses=(Use(resource=0),), duration=5, successors=(1,)), Operation(latest=1))
    chooser = (
        Operation(successors=(1, 2)),
        Operation(duration=5, uses=(Use(resource=0),), successors=(3,)),
        Operation(duration=12, uses=(Use(resource=1),), successors=(3,)),
        Operation(),
    )
    task = Task(trucks=(chooser, broken))

    plan = Timetable(task).improve(chunks(4))

    assert [each.truck for each in plan.stranded] == [1]
    assert [event.operation for event in plan.events if event.truck == 0] == [0, 2, 3]


@pytest.mark.parametrize("seed", [21, 37])
def test_who_was_left_behind_is_planned_when_all_are_planned_anew(seed: int) -> None:
    """With hardly any time to spare the first attempt may fail where another does not; a plan for everybody is better whatever it costs."""
    crowd = draw_crowd(seed)
    end = {event.truck: event.time + 3 for event in Timetable(crowd).improve(chunks(20)).events}
    trucks = tuple((*operations[:-1], replace(operations[-1], latest=end[k])) for k, operations in enumerate(crowd.trucks))
    task = replace(crowd, trucks=trucks)
    timetable = Timetable(task)

    first, plan = timetable.first(), timetable.improve(chunks(70))

    assert first.stranded
    assert plan.stranded == ()
    assert judged(task, plan) == []


@pytest.mark.parametrize("seed", range(40))
def test_small_plans_are_as_good_as_trying_every_order(seed: int) -> None:
    """The search may not be blind to some orders or routes: on tasks small enough to try all, it finds the cheapest."""
    task = draw_task(seed)

    plan = Timetable(task).improve(chunks(24))

    assert (plan.cost if not plan.stranded else None) == least_cost(task)


@given(seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_every_plan_obeys_the_rules(seed: int) -> None:
    """First or improved, what the search calls a plan is one, by code that shares nothing with it."""
    task = draw_task(seed)
    timetable = Timetable(task, seed=seed)

    plans = [timetable.first(), timetable.improve(chunks(2))]

    for plan in plans:
        assert plan.stranded or judged(task, plan) == []


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_seed_gives_the_same_plan_again(seed: int) -> None:
    """A run that cannot be repeated cannot be explained."""
    first, second = (Timetable(draw_task(seed), seed=seed).improve(chunks(3)) for _ in range(2))

    assert first == second


@given(seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_a_plan_is_its_order(seed: int) -> None:
    """Times follow from the graph: settled anew they are never later than planned."""
    task = draw_task(seed)
    plan = Timetable(task, seed=seed).first()

    settled = Precedence.of(task, plan.events).settled()

    planned = {(event.truck, event.operation): event.time for event in plan.events}
    assert len(settled) == len(plan.events)
    assert all(event.time <= planned[event.truck, event.operation] for event in settled)


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_what_a_change_leaves_alone_needs_no_other_time(seed: int) -> None:
    """The search times anew only what its changes reach: timed whole by plain code, its plans may not get any earlier, or cheaper."""
    task = draw_crowd(seed)
    plan = Timetable(task, seed=seed).improve(chunks(3))

    settled = Precedence.of(task, plan.events).settled()

    assert judged(task, plan) == []
    assert {(event.truck, event.operation): event.time for event in settled} == {
        (event.truck, event.operation): event.time for event in plan.events
    }


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_a_try_that_is_not_taken_leaves_the_plan_as_it_was(seed: int) -> None:
    """Most tries fail: what they moved must be back in its place, or the next one plans round what is not there."""
    timetable = Timetable(draw_crowd(seed), seed=seed)
    timetable.first()
    job, lines, plans, hunt = timetable._job, timetable._lines, timetable._plans, timetable._hunt
    hunt.heat[0] = 1.0

    for _ in range(40):
        before = [column.copy() for column in (*holds_of(lines), *ways_of(plans.held))]
        choose(job, lines, plans.held, hunt)
        cost = attempt(job, lines, plans, timetable._labels, timetable._waves, hunt)
        after = [*holds_of(lines), *ways_of(plans.held)]

        assert cost != WORTHLESS or all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
        hunt.cost[0] = hunt.cost[0] if cost == WORTHLESS else cost


@given(seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_switching_an_order_gives_a_plan_or_a_reason(seed: int) -> None:
    """Whatever an operator switches, no wait cycle forms: the new order obeys the rules, or the circle of waits is told."""
    task = draw_task(seed)
    graph = Precedence.of(task, Timetable(task, seed=seed).first().events)

    for resource, order in graph.orders.items():
        for place in range(len(order) - 1):
            events, circle = switched(graph, resource, place)
            cost = sum(
                each.cost(at.time) for at in events for each in task.delays if (each.truck, each.operation) == (at.truck, at.operation)
            )
            wrong = judged(task, Plan(cost=cost, events=events)) if events else []

            assert [each for each in wrong if "begins after" not in each and "does not reach" not in each] == []
            assert [arc.after for arc in circle] == [arc.before for arc in (*circle[1:], *circle[:1])]


def test_a_switch_that_would_lock_two_trucks_is_refused_with_the_circle() -> None:
    """Through 0 then 1 in one order each: switching only one of them would make each wait inside for the other."""
    trucks = (through(0, 1), through(1, 0, earliest=20))
    graph = Precedence.of(Task(trucks=trucks), Timetable(Task(trucks=trucks)).first().events)

    with pytest.raises(WaitCircle) as refused:
        graph.switched(0, 0)

    assert {arc.resource for arc in refused.value.arcs} >= {0, 1}


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        ((), "nothing to do"),
        ((Operation(successors=(1,)), Operation(successors=(0,))), "in a circle"),
        ((Operation(), Operation()), "leads nowhere"),
        ((Operation(successors=(4,)),), "not there"),
        ((Operation(duration=-1),), "negative"),
    ],
)
def test_senseless_trucks_are_refused_by_name(operations: tuple[Operation, ...], said: str) -> None:
    """A task is checked when it is made: kernels trust their columns."""
    with pytest.raises(TaskFault, match=said):
        Task(trucks=((Operation(),), operations))


def test_what_cannot_have_begun_is_refused() -> None:
    """A picture that skips an operation is not believed."""
    with pytest.raises(TaskFault, match="cannot have begun"):
        Task(trucks=(through(0),), begun=(Event(time=0, truck=0, operation=1),))


def test_two_trucks_cannot_have_begun_in_one_place() -> None:
    """A picture with two trucks in one place is refused before anything is planned on it."""
    begun = tuple(Event(time=operation, truck=truck, operation=operation) for operation in (0, 1) for truck in (0, 1))

    with pytest.raises(TaskFault, match="which truck 0 has"):
        Task(trucks=(through(0), through(0)), begun=begun)
