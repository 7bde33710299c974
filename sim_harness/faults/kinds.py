"""
Everything that can be broken, as one table.

A kind says what it is aimed at, in which shapes it comes, what its value means and between which limits it makes sense, and
which row of the safety case's fault matrix it exercises: what must be noticed, which state must be reached, and whether the
state ends by itself or a person ends it. Campaigns draw from this table, the scenario's errors quote it, and the report's
table of rows is grouped by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


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


_SENSOR: Final = (Shape.OFF, Shape.STUCK, Shape.GARBAGE, Shape.WRONG, Shape.SLOW, Shape.DELAYED, Shape.INTERMITTENT)
_LINK: Final = (Shape.LOSS, Shape.DELAYED, Shape.DUPLICATED, Shape.REORDERED, Shape.UP_LOST, Shape.DOWN_LOST, Shape.INTERMITTENT)
_MOMENT: Final = Span(low=0.1, usual=0.1, high=0.1)
_SHORT: Final = Span(low=2.0, usual=15.0, high=60.0)
_LONG: Final = Span(low=30.0, usual=120.0, high=600.0)

KINDS: Final[Mapping[str, Kind]] = {
    "link": Kind(
        about="the radio of one truck; the value is the share lost, or seconds of delay",
        row="link loss",
        target=Target.TRUCK,
        shapes=_LINK,
        value=Span(low=0.1, usual=1.0, high=5.0),
        unit="share or s",
        lasts_s=Span(low=0.5, usual=8.0, high=60.0),
        seen_s=2.5,
        state=State.CONTACT,
        ending=Ending.ITSELF,
    ),
    "dead_spot": Kind(
        about="a stretch without radio, both ways",
        row="link loss",
        target=Target.STRETCH,
        lasts_s=_LONG,
        seen_s=2.5,
        state=State.KEPT,
        ending=Ending.ITSELF,
    ),
    "reports": Kind(
        about="a truck's reports only; it hears well",
        row="stale telemetry",
        target=Target.TRUCK,
        shapes=(Shape.OFF, Shape.SLOW, Shape.DELAYED, Shape.INTERMITTENT),
        value=Span(low=0.5, usual=1.5, high=5.0),
        unit="s",
        lasts_s=Span(low=0.5, usual=10.0, high=60.0),
        seen_s=2.5,
        state=State.KEPT,
        ending=Ending.ITSELF,
    ),
    "nails": Kind(
        about="the truck reads no nails and goes by its odometer; the value is metres gained a metre, and its bound grows as much",
        row="position jump, drift or spoof",
        target=Target.TRUCK,
        value=Span(low=-0.03, usual=-0.02, high=0.03),
        unit="share",
        lasts_s=Span(low=10.0, usual=60.0, high=300.0),
        state=State.NOT_BELIEVED,
        ending=Ending.PERSON,
    ),
    "misread": Kind(
        about="the truck takes a nail for another one, and its own computer is sure of it; the value is metres that it believes to be ahead",
        row="position jump, drift or spoof",
        target=Target.TRUCK,
        value=Span(low=5.0, usual=12.0, high=100.0),
        unit="m",
        lasts_s=_SHORT,
        safe_s=3.0,
        state=State.NOT_BELIEVED,
        ending=Ending.PERSON,
    ),
    "clock": Kind(
        about="the truck's monotonic clock; the value is seconds of step, or seconds gained a second",
        row="clock skew, step, drift",
        target=Target.TRUCK,
        shapes=(Shape.STEP, Shape.DRIFT, Shape.STOPPED),
        value=Span(low=-5.0, usual=1.0, high=5.0),
        unit="s",
        lasts_s=_SHORT,
        state=State.KEPT,
        ending=Ending.ITSELF,
    ),
    "position_sensor": Kind(
        about="where the truck believes to be; the value is metres of error, or seconds of lateness",
        row="position jump, drift or spoof",
        target=Target.TRUCK,
        shapes=_SENSOR,
        value=Span(low=0.3, usual=12.0, high=200.0),
        unit="m or s",
        lasts_s=_SHORT,
        seen_s=1.0,
        safe_s=3.0,
        state=State.NOT_BELIEVED,
        ending=Ending.PERSON,
    ),
    "speed_sensor": Kind(
        about="how fast the truck believes to be; the value is the factor shown, or seconds of lateness",
        row="frozen sensor",
        target=Target.TRUCK,
        shapes=_SENSOR,
        value=Span(low=0.0, usual=0.5, high=3.0),
        unit="share or s",
        lasts_s=_SHORT,
        seen_s=1.0,
        safe_s=3.0,
        state=State.NOT_BELIEVED,
        ending=Ending.PERSON,
    ),
    "brakes": Kind(
        about="what full braking delivers; the value is the share of the declared guarantee",
        row="brake weaker than declared",
        target=Target.TRUCK,
        value=Span(low=0.4, usual=0.8, high=1.0),
        unit="share",
        lasts_s=_LONG,
        state=State.DERATED,
        ending=Ending.PERSON,
        safe_s=600.0,
    ),
    "service_brake": Kind(
        about="service braking is dead; the emergency brake works",
        row="brake weaker than declared",
        target=Target.TRUCK,
        lasts_s=_LONG,
        state=State.STANDS,
        ending=Ending.PERSON,
        safe_s=240.0,
    ),
    "duplicate": Kind(
        about="another onboard computer says hello in the truck's name",
        row="duplicate truck id",
        target=Target.TRUCK,
        lasts_s=_MOMENT,
        state=State.BOTH_STAND,
        ending=Ending.PERSON,
    ),
    "reconnect": Kind(
        about="the truck says hello again while its old conversation is still open",
        row="duplicate truck id",
        target=Target.TRUCK,
        lasts_s=_MOMENT,
        state=State.WENT_ON,
        ending=Ending.ITSELF,
    ),
    "forged_authority": Kind(
        about="somebody on the radio grants the truck road, under terms of the past and of the future; the value is metres beyond its end",
        row="unauthorised or forged command",
        target=Target.TRUCK,
        value=Span(low=10.0, usual=100.0, high=500.0),
        unit="m",
        lasts_s=_MOMENT,
        state=State.REFUSED,
        ending=Ending.ITSELF,
    ),
    "intrusion": Kind(
        about="a person or an animal on the road; it leaves when the fault ends",
        row="intrusion",
        target=Target.STRETCH,
        lasts_s=Span(low=20.0, usual=60.0, high=300.0),
        state=State.AVOIDED,
        ending=Ending.PERSON,
    ),
    "manned_tracked": Kind(
        about="a manned truck with a transponder drives along the stretch; the value is its speed",
        row="manned vehicle in the corridor",
        target=Target.STRETCH,
        value=Span(low=1.0, usual=4.0, high=7.0),
        unit="m/s",
        lasts_s=Span(low=20.0, usual=60.0, high=300.0),
        state=State.AVOIDED,
        ending=Ending.PERSON,
    ),
    "manned_untracked": Kind(
        about="a manned truck whose transponder is silent drives along the stretch; the value is its speed",
        row="manned vehicle in the corridor",
        target=Target.STRETCH,
        value=Span(low=1.0, usual=4.0, high=7.0),
        unit="m/s",
        lasts_s=Span(low=20.0, usual=60.0, high=300.0),
        state=State.AVOIDED,
        ending=Ending.PERSON,
    ),
    "second_server": Kind(
        about="the server freezes, another takes over, and the first one wakes up again",
        row="two servers alive",
        target=Target.SERVER,
        lasts_s=Span(low=2.0, usual=5.0, high=20.0),
        state=State.WENT_ON,
        ending=Ending.ITSELF,
        safe_s=60.0,
    ),
    "server_killed": Kind(
        about="the server dies and is started again when the fault ends",
        row="server killed at any instant",
        target=Target.SERVER,
        lasts_s=Span(low=0.2, usual=5.0, high=60.0),
        state=State.WENT_ON,
        ending=Ending.ITSELF,
        safe_s=90.0,
    ),
    "server_paused": Kind(
        about="the server, or its loop, does nothing while the fault lasts; what it was told waits",
        row="server killed at any instant",
        target=Target.SERVER,
        lasts_s=Span(low=0.2, usual=4.0, high=20.0),
        state=State.WENT_ON,
        ending=Ending.ITSELF,
        safe_s=60.0,
    ),
    "server_slow": Kind(
        about="the loop decides only once in so many seconds",
        row="overload / flood of messages",
        target=Target.SERVER,
        value=Span(low=0.2, usual=0.5, high=3.0),
        unit="s",
        lasts_s=_SHORT,
        state=State.WENT_ON,
        ending=Ending.ITSELF,
        safe_s=90.0,
    ),
    "journal_full": Kind(
        about="the journal's disk takes nothing",
        row="journal disk full or failing",
        target=Target.SERVER,
        lasts_s=_SHORT,
        state=State.GRANTS_CEASED,
        ending=Ending.ITSELF,
    ),
    "journal_old": Kind(
        about="the server dies, and somebody starts it on a copy of its journal that is so many seconds old; the value is how old",
        row="journal disk full or failing",
        target=Target.SERVER,
        value=Span(low=0.5, usual=3.0, high=10.0),
        unit="s",
        lasts_s=_LONG,
        state=State.GRANTS_CEASED,
        ending=Ending.PERSON,
        by_name=True,
    ),
    "flood": Kind(
        about="a truck says everything hundreds of times over; the value is how many times",
        row="overload / flood of messages",
        target=Target.TRUCK,
        value=Span(low=10.0, usual=100.0, high=400.0),
        unit="times",
        lasts_s=_SHORT,
        state=State.WENT_ON,
        ending=Ending.ITSELF,
        safe_s=90.0,
    ),
    "map": Kind(
        about="the truck comes back with another map",
        row="map mismatch",
        target=Target.TRUCK,
        lasts_s=_SHORT,
        state=State.CONTACT,
        ending=Ending.ITSELF,
    ),
    "slippery": Kind(
        about="a stretch of road has lost its grip; the value is its friction",
        row="traction loss on a stretch",
        target=Target.STRETCH,
        value=Span(low=0.08, usual=0.25, high=0.6),
        unit="µ",
        lasts_s=_LONG,
        state=State.DERATED,
        ending=Ending.PERSON,
        safe_s=600.0,
    ),
    "parted": Kind(
        about="trailer or boxes are no longer proven attached",
        row="trailer or box parted",
        target=Target.TRUCK,
        lasts_s=_SHORT,
        state=State.FROZEN,
        ending=Ending.PERSON,
    ),
    "roll_back": Kind(
        about="a standing truck rolls back by the value, at walking pace at most, unless its emergency brake holds it",
        row="position jump, drift or spoof",
        target=Target.TRUCK,
        value=Span(low=0.1, usual=0.6, high=10.0),
        unit="m",
        lasts_s=Span(low=2.0, usual=4.0, high=40.0),
        state=State.KEPT,
        ending=Ending.ITSELF,
    ),
    "wall": Kind(
        about="the truck stops dead, as against a wall, and cannot go on while the fault lasts",
        row="intrusion",
        target=Target.TRUCK,
        lasts_s=_SHORT,
        state=State.WAITED,
        ending=Ending.ITSELF,
    ),
    "breakdown": Kind(
        about="the truck's motors give nothing",
        row="link loss",
        target=Target.TRUCK,
        lasts_s=Span(low=60.0, usual=300.0, high=2400.0),
        state=State.WAITED,
        ending=Ending.ITSELF,
    ),
    "battery": Kind(
        about="the battery fails; the value is what is left of a full one, and nothing recharges it",
        row="link loss",
        target=Target.TRUCK,
        value=Span(low=0.0, usual=0.0, high=0.4),
        unit="%",
        lasts_s=Span(low=300.0, usual=600.0, high=2400.0),
        state=State.STANDS,
        ending=Ending.ITSELF,
        safe_s=300.0,
    ),
    "removed_in_place": Kind(
        about="an operator declares a truck removed that still stands there",
        row="removed",
        target=Target.TRUCK,
        lasts_s=_MOMENT,
        state=State.LEFT_ALONE,
        ending=Ending.PERSON,
    ),
    "barrier": Kind(
        about="the gate's proof of being open is lost; the barrier shuts",
        row="proofs of others",
        target=Target.GATE,
        lasts_s=_SHORT,
        state=State.WAITED,
        ending=Ending.ITSELF,
    ),
    "gate": Kind(
        about="the gate's power is cut: nothing opens or shuts",
        row="proofs of others",
        target=Target.GATE,
        lasts_s=_LONG,
        state=State.WAITED,
        ending=Ending.ITSELF,
    ),
    "loader": Kind(
        about="the bay's machine stands still",
        row="proofs of others",
        target=Target.BAY,
        lasts_s=_LONG,
        state=State.WAITED,
        ending=Ending.ITSELF,
    ),
    "customs": Kind(
        about="customs holds the truck's crossing",
        row="proofs of others",
        target=Target.TRUCK,
        lasts_s=_LONG,
        state=State.WAITED,
        ending=Ending.ITSELF,
    ),
}
