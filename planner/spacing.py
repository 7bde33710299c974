"""
How far each truck may move: the ends of authority of one tick.

Absolute-braking spacing: the truck ahead counts as a wall at its confirmed rear. What the numbers mean and why no two trucks
can come to wait for each other is said in `planner.kernels.spacing` and `planner.zones`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from planner.kernels.ground import Holders, Walls
from planner.kernels.spacing import (
    CAUSE,
    CLAIMING,
    END_M,
    FRICTION,
    GAP_M,
    LEADER_ROW,
    REF,
    TURN_ROW,
    TURN_ZONE,
    WORTH,
    Answers,
    Asks,
    extend_ends,
)
from planner.kernels.stopping import Grip
from planner.tables import BoolArray, FloatArray, IndexArray, LaneTable, LongArray, TableFault, TruckTable, require_column
from planner.zones import ZoneStates, empty_holders, first_claims, no_walls

_BOOL, _F8, _I4, _I8 = np.dtype(np.bool_), np.dtype(np.float64), np.dtype(np.int32), np.dtype(np.int64)

NO_TURNS: IndexArray = np.empty((3, 0), np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendRequest:
    """What spacing is asked; n trucks, m lanes."""

    may_extend: BoolArray  # (n,) live, fresh and not held
    limit_m: FloatArray  # (n,) path coordinate no end may pass: goal, stop line, closure; +inf for none
    limit_cause: IndexArray  # (n,) `Cause` of the limit, and of a row that may not extend
    limit_ref: IndexArray  # (n,) what the limit refers to
    claim_since: LongArray  # (n,) tick at which the truck was first held before a zone; 0 for none
    token: IndexArray  # (n,) zone row of the one-lane section the truck may enter behind another; -1 for none
    grip: Grip  # friction of the road
    even_grip: bool = False  # true: it is the same everywhere, and nobody need look
    walls: Walls = field(default_factory=no_walls)
    turns: IndexArray = field(default_factory=lambda: NO_TURNS)  # (3, a) advice: zone, branch and row of who is next
    pressed: BoolArray | None = None  # (n,) somebody waits for the ground under the tail: hold nobody back there to spare it a stop
    elder_count: int = 0  # so many of those that wait, the oldest claims first, come before any advice


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """How far each truck's end may be; (n,) each."""

    end_m: FloatArray  # never behind the end held
    cause: IndexArray  # `Cause` of the end being where it is
    ref: IndexArray  # truck row for LEADER, zone row for ZONE, else the limit's reference; -1 for none
    gap_m: FloatArray  # nose to the ground ahead on the path, +inf when none is near
    leader: IndexArray  # whose ground that is, -1 for none
    friction: FloatArray  # lowest from the rear to the end, the truck's own included
    claiming: IndexArray  # 1 for a truck held before a zone it needs: feed `planner.zones.claims_after`
    zones: ZoneStates
    answers: Answers  # the same columns as the kernels wrote them, for kernels that come after
    holders: Holders


def extend(lanes: LaneTable, trucks: TruckTable, request: ExtendRequest) -> Extension:
    """
    Find how far each truck's end of authority may move on. Nothing is written to *trucks*.

    Raises:
        TableFault: a column of the request does not fit the tables.
    """
    n = trucks.count
    _check(request, n, lanes.count)
    if request.turns.shape[1]:
        _check_turns(request.turns, n, lanes.zone_count)
    real = np.empty((4, n), np.float64)
    whole = np.empty((5, n), np.int32)
    holders = empty_holders(lanes)
    asks = Asks(
        may_extend=request.may_extend,
        limit_m=request.limit_m,
        limit_cause=request.limit_cause,
        limit_ref=request.limit_ref,
        token=request.token,
        first=first_claims(request.claim_since),
        waits=request.claim_since > 0,
        turns=request.turns,
        elder_count=request.elder_count,
        grip=request.grip,
        even_grip=request.even_grip or bool((request.grip.friction == request.grip.friction[0]).all()),
    )
    answers = Answers(real=real, whole=whole)
    extend_ends(n, lanes.columns, trucks.columns, request.walls, trucks.heads, holders, asks, answers)
    return Extension(
        end_m=real[END_M],
        cause=whole[CAUSE],
        ref=whole[REF],
        gap_m=real[GAP_M],
        leader=whole[LEADER_ROW],
        friction=real[FRICTION],
        claiming=whole[CLAIMING],
        zones=ZoneStates(row=holders.row, branch=holders.branch),
        answers=answers,
        holders=holders,
    )


def _check(request: ExtendRequest, n: int, lane_count: int) -> None:
    """Cheap where all is well; says what is wrong where it is not."""
    sound = (
        request.may_extend.dtype == _BOOL
        and request.limit_m.dtype == request.grip.friction.dtype == _F8
        and request.limit_cause.dtype == request.limit_ref.dtype == request.token.dtype == request.grip.cell_start.dtype == _I4
        and request.claim_since.dtype == _I8
        and len(request.may_extend) == len(request.limit_m) == len(request.limit_cause) == n
        and len(request.limit_ref) == len(request.claim_since) == len(request.token) == n
        and len(request.grip.cell_start) == lane_count + 1
        and len(request.grip.friction) == request.grip.cell_start[-1]
    )
    # A sum is a number unless one of its terms is not, or infinities of both signs meet.
    if sound and not math.isnan(request.limit_m.sum()) and not math.isnan(request.grip.friction.sum()):
        return
    require_column("may_extend", request.may_extend, (n,), np.bool_)
    require_column("limit_m", request.limit_m, (n,), np.float64)
    require_column("limit_cause", request.limit_cause, (n,), np.int32)
    require_column("limit_ref", request.limit_ref, (n,), np.int32)
    require_column("claim_since", request.claim_since, (n,), np.int64)
    require_column("token", request.token, (n,), np.int32)
    require_column("grip.cell_start", request.grip.cell_start, (lane_count + 1,), np.int32)
    require_column("grip.friction", request.grip.friction, (int(request.grip.cell_start[-1]),), np.float64)


def _check_turns(turns: IndexArray, n: int, zone_count: int) -> None:
    require_column("turns", turns, (3, turns.shape[1]), np.int32)
    zones, rows = turns[TURN_ZONE], turns[TURN_ROW]
    if zones.min() < 0 or zones.max() >= zone_count or rows.min() < 0 or rows.max() >= n:
        raise TableFault("turns: name a zone or a row that is not there")


def worth_granting(trucks: TruckTable, request: ExtendRequest, extension: Extension) -> BoolArray:
    """
    Which extensions are worth a message, (n,).

    In free flow a truck holds seconds more than it needs and can wait for several metres; behind a leader each metre is
    capacity; and an end that reaches what holds it is always said.
    """
    assert len(extension.end_m) == trucks.count == len(request.limit_m), "an extension of another tick"
    worth: BoolArray = extension.answers.whole[WORTH] > 0
    return worth
