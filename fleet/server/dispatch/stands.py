"""
Refuges and who has them.

A truck leaves its refuge only when its next one is booked, and a refuge belongs to one truck from the booking until that
truck's confirmed rear has left it. So there is always a place where every truck on the road may come to rest, and no ring of
trucks can wait for each other's stands while any stand is free.

Where a stand's lane has room for a second truck behind the first, the stand may be promised to one more. The place behind is that
truck's refuge: whoever stands ahead of it leaves forwards, past nobody, and does not wait for it. The stand is its own the moment it
is freed, so that it rolls in behind the one that leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from fleet.server.columns import RowColumn
from fleet.server.fact_form import Fact, fact
from planner.corridor import Corridor, StandKind

NOBODY: Final = -1

PARKING: Final = (StandKind.PARKING,)
BAYS: Final = (StandKind.BAY,)
CHARGERS: Final = (StandKind.SWAP, StandKind.PLUG)

# Groups of kinds, by choice: the next is looked at only where the one before it has none free.
ASIDE: Final = (PARKING, CHARGERS)
"""Where a truck keeps nobody from working."""
REFUGES: Final = (PARKING, BAYS, CHARGERS)
"""Every stand there is: where a truck on the road may come to rest."""


class BayState(IntEnum):
    """What the keeper of a stand proved last; numbers as on the wire."""

    UNKNOWN = 0  # nothing proven yet: a truck may come, and its keeper begins when called
    READY = 1
    BLOCKED = 2
    WORKING = 3
    CLEAR = 4


SERVED: Final = frozenset({StandKind.BAY, StandKind.SWAP, StandKind.PLUG})
"""Stands where somebody does something to the truck, and the truck stays until they prove clear."""


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class StandBooked(Fact):
    """The stand is the truck's until it is freed."""

    stand_ix: int
    row: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class StandFreed(Fact):
    """The stand is nobody's."""

    stand_ix: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class StandPromised(Fact):
    """The stand is the truck's as soon as it is freed; *row* -1: nobody's any more."""

    stand_ix: int
    row: int


@fact
@dataclass(frozen=True, slots=True, kw_only=True)
class BayProven(Fact):
    """What the keeper of a stand proved."""

    stand_ix: int
    state: BayState


class Stands:
    """
    holder_row (s,) the truck that has each stand, -1 nobody; next_row (s,) the one it is promised to; state: what its keeper proved
    last; barred: rows of stands on lanes that a proposed site changes.

    Rows of stands are those of the corridor.
    """

    def __init__(self, corridor: Corridor) -> None:
        self.stands = corridor.stands
        self.holder_row: RowColumn = np.full(len(corridor.stands), NOBODY, np.int32)
        self.next_row: RowColumn = np.full(len(corridor.stands), NOBODY, np.int32)
        self.state: list[BayState] = [BayState.UNKNOWN] * len(corridor.stands)
        self.barred: frozenset[int] = frozenset()
        self._of: dict[tuple[str, StandKind], list[int]] = {}
        # Asked for each truck that waits, once a second, and nearly always the same as before.
        self._free: dict[tuple[str, StandKind], list[int]] = {}
        self.on_lane: dict[int, list[int]] = {}
        for ix, stand in enumerate(corridor.stands):
            self._of.setdefault((stand.yard_id, stand.kind), []).append(ix)
            self.on_lane.setdefault(corridor.lane_ix[stand.lane_id], []).append(ix)

    def apply(self, change: StandBooked | StandFreed | StandPromised | BayProven) -> None:
        """Books, frees, promises or notes a proof. Two trucks to one stand, or behind it, are our own mistake."""
        self._free.clear()
        ix = change.stand_ix
        if isinstance(change, StandBooked):
            holder = int(self.holder_row[ix])
            assert holder in {NOBODY, change.row}, f"stand row {ix} is truck row {holder}'s, not {change.row}'s"
            self.holder_row[ix] = change.row
        elif isinstance(change, StandFreed):
            self.holder_row[ix], self.next_row[ix] = self.next_row[ix], NOBODY
        elif isinstance(change, StandPromised):
            taken = change.row != NOBODY and int(self.next_row[ix]) not in {NOBODY, change.row}
            assert not taken, f"stand row {ix} is promised to truck row {self.next_row[ix]}, not {change.row}"
            assert self.holder_row[ix] != NOBODY, f"stand row {ix} is free, and promised to truck row {change.row}"
            self.next_row[ix] = change.row
        else:
            self.state[ix] = change.state

    def all_of(self, yard_id: str, kinds: Iterable[StandKind]) -> list[int]:
        """Every stand of the yard of these kinds, kinds in the order asked."""
        return [ix for kind in kinds for ix in self._of.get((yard_id, kind), [])]

    def bar(self, lanes: Iterable[int]) -> None:
        """The stands on these lanes are barred, and no others."""
        self._free.clear()
        self.barred = frozenset(ix for lane in lanes for ix in self.on_lane.get(lane, ()))

    def free(self, yard_id: str, kinds: Sequence[StandKind]) -> list[int]:
        """Stands that may be booked: nobody's, not barred, and not blocked by their keeper."""
        return [ix for kind in kinds for ix in self._free_of((yard_id, kind))]

    def _free_of(self, asked: tuple[str, StandKind]) -> list[int]:
        free = self._free.get(asked)
        if free is None:
            free = self._free[asked] = [ix for ix in self._of.get(asked, []) if self._is_free(ix)]
        return free

    def _is_free(self, ix: int) -> bool:
        return self.holder_row[ix] == NOBODY and not self.blocked(ix) and ix not in self.barred

    def blocked(self, ix: int) -> bool:
        """Whether its keeper has put it out of order."""
        return self.state[ix] is BayState.BLOCKED

    def held_by(self, row: int) -> list[int]:
        """Stands that are the truck's."""
        return [int(ix) for ix in np.flatnonzero(self.holder_row == row)]

    def promised_to(self, row: int) -> list[int]:
        """Stands that are the truck's when they are freed."""
        return [int(ix) for ix in np.flatnonzero(self.next_row == row)]

    def facts(self) -> list[Fact]:
        """What recreates the bookings."""
        booked: list[Fact] = [StandBooked(stand_ix=ix, row=int(row)) for ix, row in enumerate(self.holder_row) if row != NOBODY]
        booked += [StandPromised(stand_ix=ix, row=int(row)) for ix, row in enumerate(self.next_row) if row != NOBODY]
        proven: list[Fact] = [BayProven(stand_ix=ix, state=state) for ix, state in enumerate(self.state) if state is not BayState.UNKNOWN]
        return booked + proven
