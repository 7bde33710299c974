"""
The words in which a fault is said: what it is aimed at, how it fails, which safe state it must lead to, and who ends that.

`kinds` is the table of all that can break, in these words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """What a fault is aimed at; the names are the keys that say which one."""

    TRUCK = "truck"
    STRETCH = "stretch"
    GATE = "gate"
    BAY = "bay"
    SERVER = "server"


class Shape(StrEnum):
    """How something fails: sensors and their links in the shapes flight controllers are tested with, links and clocks in their own."""

    OFF = "off"
    STUCK = "stuck"
    GARBAGE = "garbage"
    WRONG = "wrong"
    SLOW = "slow"
    DELAYED = "delayed"
    INTERMITTENT = "intermittent"
    LOSS = "loss"
    DUPLICATED = "duplicated"
    REORDERED = "reordered"
    UP_LOST = "up_lost"
    DOWN_LOST = "down_lost"
    STEP = "step"
    DRIFT = "drift"
    STOPPED = "stopped"


class State(StrEnum):
    """The safe state that a fault must lead to; `states` holds how each is recognised."""

    STANDS = "stands"  # the truck stands inside the road it holds
    CONTACT = "contact"  # a truck without contact stands, and goes on only when greeted anew
    KEPT = "kept"  # bounds are kept and nothing new is granted to the truck while the fault lasts
    NOT_BELIEVED = "not_believed"  # a belief that is off stops the truck, or is known to be off: the bound covers the truth
    DERATED = "derated"  # trusted with less: brakes, or the friction of a stretch
    FROZEN = "frozen"  # the confirmed rear stays where it was
    REFUSED = "refused"  # what was asked, or whoever asked, was turned away
    BOTH_STAND = "both_stand"  # two that claim one identity: the newcomer refused, the truck halted
    AVOIDED = "avoided"  # nobody entered what had to be kept out of
    GRANTS_CEASED = "grants_ceased"  # no authority was sent while the fault lasted
    WENT_ON = "went_on"  # driving goes on under the new term, with nothing forgotten
    LEFT_ALONE = "left_alone"  # nobody drives into it, however sure somebody was that it is gone
    WAITED = "waited"  # trucks wait for it and the wait has its name


class Ending(StrEnum):
    """Who ends the safe state once the fault is over."""

    ITSELF = "itself"  # automatic: a new hello, a re-sync and a new grant where contact was lost
    PERSON = "person"  # an operator, who has looked


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Limits of a number, both sensible; *usual* is taken where a fault does not say."""

    low: float
    usual: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    One thing that can be broken.

    *row* names the row of the fault matrix; *value* is in *unit*, None where the kind has no number; *lasts_s* how long it lasts.
    *seen_s*: a fault that is over sooner need not be noticed. *safe_s*: the safe state must be reached this long after it began.
    *by_name*: the day does not go on after it, so that only who names it draws it.
    """

    about: str
    row: str
    target: Target
    lasts_s: Span
    state: State
    ending: Ending
    shapes: tuple[Shape, ...] = ()
    value: Span | None = None
    unit: str = ""
    seen_s: float = 0.0
    safe_s: float = 30.0
    by_name: bool = False
