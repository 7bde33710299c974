"""What is said of the next minutes, held against what then happens."""

from __future__ import annotations

import asyncio
from statistics import median

import pytest

from fleet.clock import NS_PER_S
from fleet.server.headless import HeadlessServer
from fleet.server.lockstep import DirectReads
from fleet.server.wire.codec_answers import AnswerWriter
from fleet.server.wire.plan_reads import FRESH_NS, PlanReads
from fleet.v1 import dispatch_pb2 as d
from sim_harness.checkers import Checkers
from sim_harness.in_memory import InMemoryServer
from sim_harness.recording import Recorder
from sim_harness.report import opening_s
from sim_harness.runner import Runner
from sim_harness.scenario import load_scenario

BEGIN_S, WATCHED_S = 150, 90
# Starting and braking are left out of a course, and whoever is called to a gate meanwhile is let through earlier or later.
LATE_S = 15.0


@pytest.fixture(scope="module")
def outcome() -> tuple[d.Plan, d.Plan, d.Plan, list[float], int]:
    """The plan at one moment, once more in it, and later; by how much each of its points came late; and how many trucks stood or drove."""
    scenario = load_scenario("crossing", seed=1, trucks=8, hours=0.1)
    corridor = scenario.corridor
    with Recorder(None, scenario.roster) as recorder:
        servers: list[HeadlessServer] = []
        server = InMemoryServer(corridor, int(opening_s(scenario.roster)), on_start=servers.append)
        runner = Runner(scenario, server, recorder, Checkers(scenario.roster))
        for _ in range(BEGIN_S * 10):
            runner.tick()
        lane_ids = [lane.lane_id for lane in corridor.lanes]
        reads = PlanReads(DirectReads(), servers[0].engine, lane_ids, AnswerWriter(0, lambda _: d.Truck()))
        now, again = asyncio.run(reads.plan()), asyncio.run(reads.plan())
        row = {truck_id: at for at, truck_id in enumerate(scenario.roster.truck_ids)}
        ahead = [
            (row[course.truck_id], corridor.lane_ix[point.place.lane_id], point.place.chainage_m, point.time.ToNanoseconds() / NS_PER_S)
            for course in now.courses
            for point in course.points[1:]
        ]
        late_s: dict[int, float] = {}
        for tick in range(1, WATCHED_S * 10):
            runner.tick()
            places = runner.trucks.places
            for at, (truck, lane, chainage_m, due_s) in enumerate(ahead):
                there = places.lane_ix[truck] == lane and places.chainage_m[truck] >= chainage_m - 0.5
                if there and at not in late_s and due_s < BEGIN_S + WATCHED_S / 2:
                    late_s[at] = BEGIN_S + tick / 10.0 - due_s
        later = asyncio.run(reads.plan())
    return now, again, later, list(late_s.values()), len(row)


def test_a_plan_begins_where_trucks_are_and_goes_on_from_there(outcome: tuple[d.Plan, d.Plan, d.Plan, list[float], int]) -> None:
    """Of those that drive or are about to; never back in time."""
    now, _, _, _, truck_count = outcome

    assert 3 <= len(now.courses) <= truck_count
    for course in now.courses:
        times = [point.time.ToNanoseconds() for point in course.points]
        assert times[0] == now.time.ToNanoseconds() == BEGIN_S * NS_PER_S
        assert times == sorted(times)
    assert sum(len(course.points) > 2 for course in now.courses) >= 3


def test_what_was_planned_is_about_what_happens(outcome: tuple[d.Plan, d.Plan, d.Plan, list[float], int]) -> None:
    """A line on a diagram that nobody drives along would be worse than none."""
    _, _, _, late_s, _ = outcome

    assert len(late_s) >= 6
    assert abs(median(late_s)) < LATE_S, sorted(late_s)


def test_those_who_ask_within_seconds_are_told_the_same(outcome: tuple[d.Plan, d.Plan, d.Plan, list[float], int]) -> None:
    """A hundred pages cost what one does."""
    now, again, later, _, _ = outcome

    assert again is now
    assert later.time.ToNanoseconds() - now.time.ToNanoseconds() > FRESH_NS
