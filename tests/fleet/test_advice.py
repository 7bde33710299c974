"""Advice in the loop: whose turn is next now, and every way in which it ends by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fleet.server.facts import RouteSet
from fleet.server.loop.advice import ELDER_TICKS, Advice, elder_count
from fleet.site import load_site
from planner.foresight import LEAD_S, SLACK_S, STALE_S
from planner.foresight.turns import Turns
from planner.tables import LaneTable, TruckTable

NS = 1_000_000_000
SITE = load_site("one_lane")
STRIP, CROSSING, OTHER = 0, 2000, 2100
DUE_S = 100.0


def told(turns: Sequence[tuple[int, int, float]], seen_s: float = DUE_S) -> Turns:
    """Turns (zone, row, due), each entering at 50 m by the branch of its row."""
    return Turns.of(round(seen_s * NS), [(zone, round(due_s * NS), row, row % 2, 50.0) for zone, row, due_s in turns])


def hearing(turns: Turns) -> tuple[Advice, TruckTable]:
    """A loop of four trucks far from their entries that has just heard of *turns*."""
    trucks = TruckTable(LaneTable.of(SITE), 4)
    for _ in range(4):
        trucks.add(SITE.truck_types[0])
    advice = Advice(SITE, trucks)
    advice.hear(turns)
    return advice, trucks


def following(advice: Advice, at_s: float, drives: Sequence[bool] = (True,) * 4) -> list[tuple[int, int, int]]:
    """Zone, branch and row of who is next."""
    return [tuple(turn) for turn in advice.next_turns(np.array(drives), round(at_s * NS)).T.tolist()]


def test_each_zone_has_one_next_truck_the_first_whose_turn_is_not_over() -> None:
    """Two trucks that are both waited for would wait for each other."""
    advice, trucks = hearing(told([(CROSSING, 1, DUE_S), (CROSSING, 2, DUE_S + 1.0), (OTHER, 3, DUE_S)]))

    before = following(advice, DUE_S)
    trucks.end_m[1] = 51.0
    after = following(advice, DUE_S)

    assert before == [(CROSSING, 1, 1), (OTHER, 1, 3)]
    assert after == [(CROSSING, 0, 2), (OTHER, 1, 3)]


@pytest.mark.parametrize(
    ("at_s", "waited_for"),
    [(DUE_S - LEAD_S - 0.1, False), (DUE_S - LEAD_S, True), (DUE_S + SLACK_S, True), (DUE_S + SLACK_S + 0.1, False)],
)
def test_a_truck_is_waited_for_about_when_it_is_due(at_s: float, waited_for: bool) -> None:
    """Neither long before, nor any longer when it does not come."""
    advice, _ = hearing(told([(CROSSING, 1, DUE_S)]))

    assert bool(following(advice, at_s)) is waited_for


def test_who_may_not_drive_is_passed_over_and_who_was_late_is_not_waited_for_again() -> None:
    """A halted truck keeps nobody waiting; one that missed its turn comes when it comes."""
    advice, _ = hearing(told([(CROSSING, 1, DUE_S), (CROSSING, 2, DUE_S + 5.0)]))

    assert following(advice, DUE_S, drives=(True, False, True, True)) == [(CROSSING, 0, 2)]
    assert following(advice, DUE_S) == [(CROSSING, 1, 1)]
    assert following(advice, DUE_S + SLACK_S + 1.0) == [(CROSSING, 0, 2)]


def test_a_truck_that_is_given_another_way_has_no_turn_on_its_old_one() -> None:
    """Its entry is a place on a way that it may never drive."""
    advice, _ = hearing(told([(CROSSING, 1, DUE_S), (CROSSING, 2, DUE_S)]))

    advice.apply(RouteSet(row=1, lanes=(0,), start_m=0.0, goal_m=10.0))

    assert following(advice, DUE_S) == [(CROSSING, 0, 2)]


def test_stale_turns_are_none_and_new_ones_replace_all() -> None:
    """When planning falls behind or dies, whoever comes first goes first."""
    advice, _ = hearing(told([(CROSSING, 1, DUE_S + STALE_S)]))

    stale = following(advice, DUE_S + STALE_S + 0.1)
    advice.hear(told([(OTHER, 2, DUE_S)]))
    fresh = following(advice, DUE_S)
    advice.hear(told([]))
    none = following(advice, DUE_S)

    assert (stale, fresh, none) == ([], [(OTHER, 0, 2)], [])


def test_one_lane_sections_are_the_desks_to_decide() -> None:
    """There batches pass, and a token is given only where there is room beyond: two deciders would block each other."""
    advice, _ = hearing(told([(STRIP, 1, DUE_S), (CROSSING, 2, DUE_S)]))

    assert following(advice, DUE_S) == [(CROSSING, 0, 2)]


def test_old_claims_are_elders() -> None:
    """They come before any advice, so this is the longest that advice can make anybody wait."""
    ages = np.array([0, ELDER_TICKS - 1, ELDER_TICKS, 5 * ELDER_TICKS])

    assert elder_count(np.where(ages > 0, 10_000 - ages, 0), 10_000) == 2
