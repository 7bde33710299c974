"""
Why each truck stands, named every tick.

Spacing says what holds an end where it is. That explains a truck which stands at its end. A truck that stands far short of it
is still reacting; one whose session does not allow an extension stands for that. The name is kept with the time since which
nothing about it changed.
"""

from __future__ import annotations

import numpy as np

from fleet.server.columns import FlagColumn, IntColumn, RowColumn
from planner.authority import Cause
from planner.limits import STOP_MARK_M, STOP_TOLERANCE_M
from planner.spacing import Extension
from planner.tables import TruckTable

_NONE, _HORIZON, _REACTION = int(Cause.NONE), int(Cause.HORIZON), int(Cause.REACTION)


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

    def name(self, trucks: TruckTable, extension: Extension, may_extend: FlagColumn, standing: FlagColumn, now_ns: int) -> None:
        """Names the causes of one tick; *may_extend* and *standing* are (n,)."""
        count = trucks.count
        room_m = trucks.end_m[:count] - trucks.nose_m[:count] - trucks.bound_m[:count]
        held = extension.cause
        reacting = (room_m > STOP_MARK_M + STOP_TOLERANCE_M + trucks.bound_m[:count]) | (held == _HORIZON) | (held == _NONE)
        reacting &= may_extend
        code = np.where(reacting, _REACTION, held)
        ref = np.where(reacting, -1, extension.ref)
        changed = (code != self.code[:count]) | (ref != self.ref[:count]) | (standing & ~self.standing[:count])
        self.code[:count], self.ref[:count] = code, ref
        self.since_ns[:count][changed] = now_ns
        self.standing[:count] = standing
