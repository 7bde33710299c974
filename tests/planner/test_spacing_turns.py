"""Advice in spacing: who is next is waited for, and nothing else becomes possible by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.authority import Cause
from planner.spacing import Extension, extend
from planner.tables import TableFault
from tests.planner.test_spacing import free_request, merge


def advised(scene: Any, row: int, branch: int, **changes: Any) -> Extension:
    """Spacing when *row* is next in zone 0."""
    return extend(
        scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks, turns=np.array([[0], [branch], [row]], np.int32), **changes)
    )


def test_who_is_next_by_advice_is_waited_for_by_other_branches_alone(draw: Any) -> None:
    """An order of trucks is kept by holding others back before the zone; on one branch trucks follow one another anyway."""
    scene = merge(draw)
    here = scene.place([0, 2], 150.0, 180.0)
    coming = scene.place([1, 2], 100.0, 125.0)

    by_age = extend(scene.lanes, scene.trucks, free_request(scene.lanes, scene.trucks))
    for_the_other = advised(scene, coming, 1)
    for_itself = advised(scene, here, 0)

    assert by_age.end_m[here] == for_itself.end_m[here] > 190.0
    assert for_the_other.end_m[here] < 190.0
    assert (for_the_other.cause[here], for_the_other.ref[here], for_the_other.claiming[here]) == (Cause.ZONE, 0, 1)


def test_advice_lets_nobody_into_a_zone_that_is_held(draw: Any) -> None:
    """Whoever is next still enters only what is free."""
    scene = merge(draw)
    scene.place([1, 2], 180.0, 230.0)
    here = scene.place([0, 2], 150.0, 180.0)

    got = advised(scene, here, 0)

    assert got.end_m[here] < 190.0
    assert got.holders.row.tolist() == [0]


def test_an_elder_claim_comes_before_advice(draw: Any) -> None:
    """Nobody can be starved by plans: whoever has waited long enough takes his turn as if there were none."""
    scene = merge(draw)
    here = scene.place([0, 2], 150.0, 180.0)
    coming = scene.place([1, 2], 100.0, 125.0)
    claims = np.array([3, 0], np.int64)

    young, elder = (advised(scene, coming, 1, claim_since=claims, elder_count=count) for count in (0, 1))

    assert young.end_m[here] < 190.0 < elder.end_m[here]


def test_advice_about_what_is_not_there_is_refused(draw: Any) -> None:
    """Kernels index by it."""
    scene = merge(draw)
    scene.place([0, 2], 60.0, 80.0)

    with pytest.raises(TableFault, match="turns"):
        advised(scene, 1, 0)
