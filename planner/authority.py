"""
The values the control loop speaks in when it gives, moves back or withholds permission to move.

A *grant* carries an end of authority further along a truck's path; a *shortening* asks to move it back, and frees road only
once the truck acknowledges it. Both name the truck by its row and the end by its path coordinate.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Cause(IntEnum):
    """
    What holds the end of a truck's authority where it is, and so why the truck stands when it stands there.

    The wire and the report use the lower-case name.
    """

    NONE = 0
    GOAL = 1  # the end of what its mission asks
    LEADER = 2  # the confirmed rear of the truck ahead
    ZONE = 3  # a zone somebody else holds or has asked for earlier
    GATE = 4  # a barrier not proven open for it
    CUSTOMS = 5  # no clearance yet
    CLOSURE = 6  # a closed lane ahead
    HOLD = 7  # an operator's hold
    ALL_STOP = 8  # an all-stop in force
    SESSION = 9  # no live session: silent, syncing, absent
    HORIZON = 10  # nothing: it holds as far as it needs for now
    OPENING = 11  # outside opening hours
    BAY = 12  # loading or unloading
    NO_ORDER = 13  # nothing to do
    CHARGING = 14
    REACTION = 15  # the truck's own fail-safe
    SHORTENING = 16  # a shortening not yet acknowledged
    JUDGE = 17  # the judge objected; a person must release
    JOURNAL = 18  # decisions cannot be made durable
    QUARANTINE = 19  # its reports cannot be believed
    STAND = 20  # no free refuge ahead
    INSPECTION = 21
    SLOT = 22  # waits for its turn at a bay or gate
    FAULT = 23  # laid up: its brakes are weaker than declared
    TRACTION = 24  # the road ahead is too slippery to stop on from this speed, or at all
    INTRUSION = 25  # road kept clear of a person, an animal or a manned truck
    SITE_CHANGE = 26  # a lane ahead that a proposed site changes, or a way that the new site has yet to find
    BRAKED = 27  # it keeps its emergency brakes on by itself: its senses fail, or it takes itself to have rolled back too far
    STALLED = 28  # it has road, and has not set out for longer than any truck takes: something aboard keeps it
    BATTERY = 29  # it was charged just now and still lacks a charge: battery or gauge is out of order


class Verdict(IntEnum):
    """
    What became of a report.

    Up to LANE_UNKNOWN, and FROZEN, only the report is refused: the next one says the same better. The rest contradict what was
    believed, or own to not knowing: then the truck's place itself is in doubt.
    """

    ACCEPTED = 0
    STAMP_NOT_RISING = 1
    NOT_FINITE = 2
    LANE_UNKNOWN = 3  # no such lane, or no such metre on it
    OFF_PATH = 4
    JUMPED_AHEAD = 5
    JUMPED_BACK = 6
    OUTSIDE_BOUND = 7  # even with its bound the truck would stand behind its confirmed rear
    BEYOND_AUTHORITY = 8
    ODOMETRY_DISAGREES = 9  # the step is not what the speeds say
    FROZEN = 10  # moving, and yet in the very same place
    UNSURE = 11  # its own bound is wider than any truck may drive with

    @property
    def doubts(self) -> bool:
        """Whether the truck itself is in doubt, not just this report."""
        return Verdict.OFF_PATH <= self <= Verdict.ODOMETRY_DISAGREES or self is Verdict.UNSURE


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantColumns:
    """The grants of one tick, one element a grant; (k,) each."""

    rows: NDArray[np.int32]
    sequence: NDArray[np.int64]
    end_m: NDArray[np.float64]  # path coordinate
    advised_speed_mps: NDArray[np.float64]  # zero: no wish
    friction: NDArray[np.float64]  # the lowest from the truck's rear to *end_m*

    def __post_init__(self) -> None:
        sizes = {len(column) for column in (self.rows, self.sequence, self.end_m, self.advised_speed_mps, self.friction)}
        if len(sizes) != 1:
            raise ValueError(f"grant columns must be equally long, are {sorted(sizes)}")

    def __len__(self) -> int:
        """How many grants."""
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortening:
    """A request that one truck's end move back to *end_m* (path coordinate)."""

    row: int
    sequence: int
    end_m: float
    cause: Cause
