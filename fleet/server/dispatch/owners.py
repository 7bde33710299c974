"""
Who can end what a truck stands for: the kind of person, or nobody.

Numbers are the wire's. A cause without a row here does not exist: every one needs somebody to turn to.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from planner.authority import Cause


class Owner(IntEnum):
    """Who can end a cause."""

    NOBODY = 1  # it ends by itself
    TRUCK = 2  # another truck, by driving on
    OPERATOR = 3
    CUSTOMS = 4
    GATE = 5  # whoever works the gate
    YARD = 6  # whoever loads, unloads or charges there
    PATROL = 7  # somebody who goes to the truck
    ROAD = 8  # whoever keeps the road
    SERVER = 9  # whoever runs the server


_O = Owner
OWNERS: Final[Mapping[Cause, Owner]] = {
    **dict.fromkeys((Cause.NONE, Cause.GOAL, Cause.HORIZON, Cause.REACTION, Cause.SHORTENING, Cause.STAND, Cause.SLOT), _O.NOBODY),
    **dict.fromkeys((Cause.LEADER, Cause.ZONE), _O.TRUCK),
    **dict.fromkeys((Cause.CLOSURE, Cause.HOLD, Cause.ALL_STOP, Cause.INTRUSION, Cause.SITE_CHANGE, Cause.NO_ORDER), _O.OPERATOR),
    **dict.fromkeys((Cause.CUSTOMS, Cause.INSPECTION), _O.CUSTOMS),
    **dict.fromkeys((Cause.GATE, Cause.OPENING), _O.GATE),
    **dict.fromkeys((Cause.BAY, Cause.CHARGING), _O.YARD),
    # A radio that is dead is mended where it is.
    **dict.fromkeys((Cause.SESSION, Cause.QUARANTINE, Cause.FAULT, Cause.BRAKED, Cause.STALLED, Cause.BATTERY), _O.PATROL),
    Cause.TRACTION: _O.ROAD,
    **dict.fromkeys((Cause.JUDGE, Cause.JOURNAL), _O.SERVER),
}
