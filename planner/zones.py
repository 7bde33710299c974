"""
Who holds each zone, who waits for one, and why no wait cycle can form.

A zone is held by every truck any of whose ground lies in it. An exclusive zone has one holder; a directional one any number,
all on one branch. All zone parts are no-stop stretches, and an end of authority passes such a stretch whole or not at all: so a
holder already holds the road out of its zones and waits for nobody to leave them. A cycle of waiting would need a holder that
waits; there is none.

Fairness is by age: a truck held before a zone keeps the tick at which that began (`claims_after`), and older claims take their
turn first. Where planning ahead advises another order (`planner.foresight`), that is kept among the younger ones alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.kernels.ground import MANY, NOBODY, Holders, Walls
from planner.tables import IndexArray, LaneTable, LongArray, require_column

__all__ = ["MANY", "NOBODY", "ZoneStates", "claims_after", "empty_holders", "first_claims", "no_walls", "walls_of", "walls_together"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneStates:
    """Holders of each zone after a tick's extensions, (z,) each: NOBODY when free, MANY for several."""

    row: IndexArray
    branch: IndexArray


def empty_holders(lanes: LaneTable) -> Holders:
    """Room for a kernel's answer."""
    room = np.empty((4, lanes.zone_count), np.int32)
    return Holders(branch=room[0], row=room[1], wanted_branch=room[2], wanted_row=room[3])


_NO_WALLS = Walls(lane=np.empty(0, np.int32), from_m=np.empty(0), to_m=np.empty(0), owner=np.empty(0, np.int32))


def no_walls() -> Walls:
    """No road beyond the trucks' own is occupied."""
    return _NO_WALLS


def walls_of(lanes: LaneTable, stretches: list[tuple[int, float, float, int]]) -> Walls:
    """
    Stretches (lane row, from, to, owner row or NOBODY) that nobody may enter.

    Raises:
        TableFault: a number that is not one.
        ValueError: an unknown lane, or from >= to.
    """
    if not stretches:
        return _NO_WALLS
    lane, from_m, to_m, owner = zip(*stretches, strict=True)
    walls = Walls(
        lane=np.array(lane, np.int32), from_m=np.array(from_m, np.float64), to_m=np.array(to_m, np.float64), owner=np.array(owner, np.int32)
    )
    require_column("walls.from_m", walls.from_m, (len(stretches),), np.float64)
    require_column("walls.to_m", walls.to_m, (len(stretches),), np.float64)
    if ((walls.lane < 0) | (walls.lane >= lanes.count) | (walls.from_m >= walls.to_m)).any():
        raise ValueError("walls: need known lanes and from < to")
    return walls


def walls_together(one: Walls, other: Walls) -> Walls:
    """Those of both."""
    if not len(one.lane) or not len(other.lane):
        return one if len(one.lane) else other
    return Walls(
        lane=np.concatenate([one.lane, other.lane]),
        from_m=np.concatenate([one.from_m, other.from_m]),
        to_m=np.concatenate([one.to_m, other.to_m]),
        owner=np.concatenate([one.owner, other.owner]),
    )


_NO_ROWS = np.empty(0, np.int32)


def first_claims(claim_since: LongArray) -> IndexArray:
    """Rows that wait, oldest claim first, then by row. *claim_since* is the tick of the first refusal, 0 for none."""
    waiting = claim_since.nonzero()[0]
    if not len(waiting):
        return _NO_ROWS
    return waiting[np.argsort(claim_since[waiting], kind="stable")].astype(np.int32)


def claims_after(claim_since: LongArray, claiming: IndexArray, tick: int) -> LongArray:
    """The ages of claims after a tick: kept while the truck goes on waiting, *tick* for new ones (so ticks count from 1)."""
    assert tick > 0, "tick 0 would read as no claim"
    if not claiming.any():
        return np.zeros(len(claiming), np.int64)
    return np.where(claiming > 0, np.where(claim_since > 0, claim_since, tick), 0)
