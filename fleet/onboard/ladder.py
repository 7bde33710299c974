"""
Contact with the server: what proves it is there, and what the truck does by itself when the proof stays away.

A heartbeat counts only if its tick rises, it is of the epoch agreed, and it carries back a challenge younger than a second:
buffered ones prove nothing, for they would arrive long after the control loop died. Challenges are readings of the truck's own
clock in nanoseconds, so their age needs no memory. Plain scalars, like the supervisor, so that a simulator compiles them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from fleet.onboard.supervisor import EMERGENCY_STOP, NO_ACCELERATION, SERVICE_STOP

CHALLENGE_AGE_MAX_NS: Final = 1_000_000_000
SILENCE_LONGEST_S: Final = 10.0  # a server may ask for a shorter patience, never for a longer one


def heartbeat_counts(tick: int, last_tick: int, echo_ns: int, asked_ns: int, now_ns: int) -> bool:
    """
    Return whether a heartbeat proves that the control loop is alive now.

    *echo_ns* is the challenge it carries back, *asked_ns* the newest challenge the truck sent.
    """
    return tick > last_tick and 0 < echo_ns <= asked_ns and now_ns - echo_ns <= CHALLENGE_AGE_MAX_NS


def contact_rung(silence_s: float, ease_s: float, stop_s: float, emergency_s: float) -> int:
    """Return the reaction after *silence_s* without a heartbeat that counts; an infinite rung is never reached."""
    if silence_s >= emergency_s:
        return EMERGENCY_STOP
    if silence_s >= stop_s:
        return SERVICE_STOP
    if silence_s >= ease_s:
        return NO_ACCELERATION
    return 0


def may_accept(epoch: int, sequence: int, agreed_epoch: int, seen_epoch: int, seen_sequence: int) -> bool:
    """Return whether a message of this term is new: of the epoch agreed in the welcome, and above all accepted so far."""
    if epoch != agreed_epoch:
        return False
    return epoch > seen_epoch or (epoch == seen_epoch and sequence > seen_sequence)


COMPILABLE: Final[tuple[Callable[..., object], ...]] = (heartbeat_counts, contact_rung, may_accept)


class LadderUnsound(ValueError):
    """A ladder that does not get harder, never stops the truck, or waits too long before it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Seconds of silence after which each reaction begins; infinite: never."""

    ease_s: float = 1.0
    stop_s: float = 2.0
    emergency_s: float = math.inf

    def __post_init__(self) -> None:
        if not 0.0 < self.ease_s <= self.stop_s <= self.emergency_s:
            raise LadderUnsound(f"rungs must come in order, are {self.ease_s}, {self.stop_s}, {self.emergency_s} s")
        if self.stop_s > SILENCE_LONGEST_S:
            raise LadderUnsound(f"a truck must stop within {SILENCE_LONGEST_S} s of silence, not {self.stop_s} s")

    @classmethod
    def of_rungs(cls, rungs: Iterable[tuple[float, int]]) -> Ladder:
        """
        Builds the ladder of a welcome from pairs of (silence in seconds, reaction); no rungs at all mean the default.

        Raises:
            LadderUnsound: no rung stops the truck in time, or the rungs are out of order.
        """
        given = {reaction: silence_s for silence_s, reaction in rungs}
        if not given:
            return cls()
        emergency_s = given.get(EMERGENCY_STOP, math.inf)
        stop_s = given.get(SERVICE_STOP, emergency_s)
        return cls(ease_s=given.get(NO_ACCELERATION, stop_s), stop_s=stop_s, emergency_s=emergency_s)

    def reaction(self, silence_s: float) -> int:
        """The reaction after *silence_s*."""
        return contact_rung(silence_s, self.ease_s, self.stop_s, self.emergency_s)
