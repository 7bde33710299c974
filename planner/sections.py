"""
Whose turn it is in a one-lane section that two directions share, and who may go next.

Trucks pass in batches: those of one side follow one another as on a lane, then the section is proven clear, then the other side
goes. A batch of k out of each side carries 2k trucks per 2((L + l)/v + c + (k - 1)h), so long batches carry more, and longer
ones than the queues need only make the other side wait. So a batch goes on

    while nobody of the other side is due: would be there by the time the section is clear;
    after that, while keeping the section idle for one more costs those who are due less than waiting for them would cost it,
    and never longer than the section's *patience*, counted from when somebody was due and the section was the batch's own.

What outlives a decision is a `Turn`: the side, and since when it is contested. A server that comes back knows it from its
journal, so a side's patience is not begun anew by a restart.

Whoever may enter holds the section's *token*. Tokens are given only while the truck finds room to stand beyond the section, and
are taken back from trucks that are not in it yet as soon as the turn ends. A side without room, or whose trucks cannot come, is
not due, so its turn never keeps the section from the other one: two sections with a passing place between them cannot wait for each
other. A zone's branches exclude each other whatever is decided here; nothing here is needed for safety.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

# The two sides of a section: trucks of its branch 0 and of its branch 1.
SIDES: Final = (0, 1)
UNCONTESTED: Final = -1
NS_PER_S: Final = 1_000_000_000

FOLLOW_S: Final = 8.0  # between trucks of one batch
LOOK_MIN_S: Final = 20.0  # a token comes this long before its truck reaches the section, or it would brake for want of it
PATIENCE_MIN_S: Final = 120.0  # a shorter turn carries too little
NO_SHOW_S: Final = 45.0  # with nobody entered by then, the section goes to those who are due


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """
    Whose turn it is, whether one of its trucks has entered, and since when others are due while the section is its own.

    *contested_ns*: `UNCONTESTED` for not.
    """

    side: int = 0
    entered: bool = False
    contested_ns: int = UNCONTESTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Comer:
    """A truck before the section, with seconds until it is there when nothing holds it; +inf while it cannot come."""

    row: int
    arrive_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """
    One side of a section.

    *comers* in the order in which they come. *inside_count* trucks hold ground in the section and are out in about *clear_s*.
    *room_count* more, not counting those inside, find a place to stand beyond it. A truck takes *run_s* to pass.
    """

    comers: tuple[Comer, ...]
    inside_count: int
    clear_s: float
    room_count: int
    run_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The turn from now on, and who may enter, in order; always trucks of the turn's side."""

    turn: Turn
    tokens: tuple[int, ...]


def look_s(run_s: float) -> float:
    """How long before its arrival a truck is thought of, seconds: waiting for it may pay when passing takes long."""
    return max(LOOK_MIN_S, run_s)


def patience_s(sides: Sequence[Side]) -> float:
    """How long a batch may go on while others are due, seconds: at least as long as turning round takes."""
    return max(PATIENCE_MIN_S, *(side.run_s for side in sides))


def wait_max_s(sides: Sequence[Side], ahead_count: int, follow_s: float) -> float:
    """
    The longest that a truck waits for a section which *ahead_count* trucks of its side are to pass before it, seconds.

    As long as nobody stands still in the section: such a stand adds its own length, once. *follow_s*: the longest between two
    trucks of a batch. Its side's turns let at least *batch* trucks in; each may have to wait for a whole turn of the other side,
    and both are run out once. Turns are looked at once a second.
    """
    whole_s = patience_s(sides) + max(side.run_s for side in sides) + 2.0 * follow_s
    batch = max(1, math.floor(patience_s(sides) / follow_s))
    return 2.0 * whole_s * (ahead_count // batch + 1)


def decide(turn: Turn, sides: tuple[Side, Side], now_ns: int) -> Verdict:
    """Whose turn it is at *now_ns*, and who may go: the turn passes on at most once."""
    mine, theirs = sides[turn.side], sides[1 - turn.side]
    due = _due(mine, theirs)
    turn = _contested(replace(turn, entered=turn.entered or mine.inside_count > 0), theirs, due=bool(due), now_ns=now_ns)
    patience_ns = (patience_s(sides) if turn.entered else NO_SHOW_S) * NS_PER_S
    spent = turn.contested_ns != UNCONTESTED and now_ns - turn.contested_ns >= patience_ns
    tokens = () if due and spent else _admitted((mine, theirs), due, free=not turn.entered)
    if tokens or not due:
        return Verdict(turn=turn, tokens=tokens)
    return Verdict(turn=Turn(side=1 - turn.side), tokens=_admitted((theirs, mine), _due(theirs, mine), free=True))


def _contested(turn: Turn, theirs: Side, *, due: bool, now_ns: int) -> Turn:
    """A contest begins once the section is this side's own, and ends with the turn or when nobody else is on the way."""
    if not any(math.isfinite(comer.arrive_s) for comer in theirs.comers):
        return replace(turn, contested_ns=UNCONTESTED)
    if turn.contested_ns == UNCONTESTED and due and not theirs.inside_count:
        return replace(turn, contested_ns=now_ns)
    return turn


def _due(mine: Side, theirs: Side) -> list[Comer]:
    """Who of the other side could enter about when the trucks inside are out, as far as there is room beyond."""
    until_s = (mine.clear_s if mine.inside_count else 0.0) + LOOK_MIN_S
    return [comer for comer in theirs.comers if comer.arrive_s <= until_s][: max(0, theirs.room_count)]


def _admitted(sides: tuple[Side, Side], due: Sequence[Comer], *, free: bool) -> tuple[int, ...]:
    """Rows that go on with the first side's batch; the first of a batch goes *free*: the section was turned round for it."""
    mine, theirs = sides
    rows: list[int] = []
    begins_s = theirs.clear_s if theirs.inside_count else 0.0
    out_s = mine.clear_s if mine.inside_count else 0.0
    next_s = FOLLOW_S if mine.inside_count else begins_s
    for comer in mine.comers:
        if len(rows) >= mine.room_count:
            break
        if comer.arrive_s > max(look_s(mine.run_s), begins_s + LOOK_MIN_S):
            continue
        idle_s = comer.arrive_s - next_s
        if due and not (free and not rows) and idle_s > 0.0 and not _worth_it(comer, idle_s, out_s, theirs, due):
            break
        rows.append(comer.row)
        enters_s = max(comer.arrive_s, next_s)
        out_s, next_s = enters_s + mine.run_s, enters_s + FOLLOW_S
    return tuple(rows)


def _worth_it(comer: Comer, idle_s: float, out_s: float, theirs: Side, due: Sequence[Comer]) -> bool:
    """
    Whether keeping the section idle for *comer* costs those who are due less than waiting for them would cost it.

    Passing itself costs the same before and after, so a truck that is there costs nobody anything. *out_s*: the batch without it.
    """
    starts_s = max(out_s, due[0].arrive_s)
    delayed = sum(other.arrive_s <= starts_s + idle_s for other in due)
    return idle_s * delayed <= starts_s + delayed * FOLLOW_S + theirs.run_s - comer.arrive_s
