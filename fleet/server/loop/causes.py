"""
Why each truck stands, named every tick.

Spacing says what holds an end where it is. That explains a truck which stands at its end. A truck that stands far short of it
is still reacting, or keeps its emergency brakes on and will not go by itself; one that has not set out after `STALLED_S` does not react
any more: something aboard keeps it, and a person must see to that. One whose session does not allow an extension stands for that. A
truck with its parking brake on does not roll on to its mark when the road before it clears: it came to rest a little short behind
another, and is worked on there. The name is kept with the time since which nothing about it changed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fleet.clock import NS_PER_S
from fleet.server.columns import FlagColumn, IntColumn, RowColumn
from planner.authority import Cause
from planner.limits import STALLED_S, STOP_MARK_M, STOP_TOLERANCE_M
from planner.spacing import Extension
from planner.tables import TruckTable

_NONE, _HORIZON = int(Cause.NONE), int(Cause.HORIZON)
_REACTION, _BRAKED, _STALLED = int(Cause.REACTION), int(Cause.BRAKED), int(Cause.STALLED)
_STALLED_NS = int(STALLED_S * NS_PER_S)


class Going(NamedTuple):
    """(n,) each: who may be given road, who keeps its emergency brakes on, and who its parking brake."""

    may: FlagColumn
    braked: FlagColumn
    parked: FlagColumn


class Causes:
    """
    By row, (capacity,) each; meaningful for standing trucks.

    code    a `Cause`, never NONE for a standing truck that has a row
    ref     row of the truck, zone, gate, stand or lane it refers to, by the code; -1 for none
    since_ns  when code or ref last changed
    """

    def __init__(self, capacity: int) -> None:
        self.code: RowColumn = np.zeros(capacity, np.int32)
        self.ref: RowColumn = np.full(capacity, -1, np.int32)
        self.since_ns: IntColumn = np.zeros(capacity, np.int64)
        self.standing: FlagColumn = np.zeros(capacity, np.bool_)

    def name(self, trucks: TruckTable, extension: Extension, going: Going, standing: FlagColumn, now_ns: int) -> None:
        """Names the causes of one tick; *standing* is (n,)."""
        count = trucks.count
        room_m = trucks.end_m[:count] - trucks.nose_m[:count] - trucks.bound_m[:count]
        held = extension.cause
        short = (room_m > STOP_MARK_M + STOP_TOLERANCE_M + trucks.bound_m[:count]) & ~going.parked
        reacting = short | (held == _HORIZON) | (held == _NONE)
        reacting &= going.may
        code = np.where(reacting, np.where(going.braked, _BRAKED, _REACTION), held)
        ref = np.where(reacting, -1, extension.ref)
        was, since_ns = self.code[:count], self.since_ns[:count]
        stays = (code == _REACTION) & standing & self.standing[:count]
        late = stays & (was == _REACTION) & (now_ns - since_ns >= _STALLED_NS)
        code[late | (stays & (was == _STALLED))] = _STALLED
        # It stalled when it did not set out, not when that was noticed.
        changed = ((code != was) & ~late) | (ref != self.ref[:count]) | (standing & ~self.standing[:count])
        self.code[:count], self.ref[:count] = code, ref
        self.since_ns[:count][changed] = now_ns
        self.standing[:count] = standing
