"""
The ledger: who may hold which road, and in which order that was said.

Every truck has a *furthest end* it may hold (`TruckTable.end_m`). It moves forward with each grant the moment the grant is
made, because a message once said cannot be taken back; it moves back only when the truck itself acknowledges a shortening. The
other side, the confirmed rear, moves forward on proof alone. Nothing else frees road: not time, not standing still, not a
goodbye, not a new server. The one exception is a person's declaration that the truck is gone.

Terms are (epoch, sequence): routes, grants and shortenings to one truck share one rising sequence, which starts anew in each
epoch. The ledger remembers the last term it issued to each truck in any epoch. A truck that has seen a higher one proves that
this journal is not the newest, and then nobody may be given anything.

Every change is a fact, made and applied in the same call, and `apply` alone does the changing: replaying the journal's facts
yields the same ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from fleet.errors import Code, FleetError
from fleet.server.columns import FlagColumn, FloatColumn, IntColumn, RowColumn
from fleet.server.facts import (
    Fact,
    GrantsIssued,
    LedgerKept,
    RouteSent,
    RouteSet,
    ShorteningAcknowledged,
    ShorteningIssued,
    TruckGreeted,
    TruckRegistered,
    TruckRemoved,
)
from planner.corridor import Corridor
from planner.limits import SAME_PLACE_M
from planner.tables import TruckTable

NONE_PENDING: Final = -1


@dataclass(eq=False)
class PathBroken(FleetError):
    """A new route leaves road that the truck may hold."""

    code: ClassVar[Code] = Code.BUG

    row: int
    lane_ix: int


@dataclass(eq=False)
class GrantUnlawful(FleetError):
    """A grant was about to break the order of terms."""

    code: ClassVar[Code] = Code.BUG

    row: int
    rule: str


class Ledger:
    """
    Terms and ends of every truck, over the columns of a `TruckTable`.

    issued_epoch, issued_sequence   the last term said to each truck; (0, 0) before the first
    route_sequence                  of the path as last sent in this epoch; 0 when the present path was not sent
    pending                         sequence of the shortening that waits for its answer, `NONE_PENDING` for none
    greeted                         said hello in this epoch
    removed                         declared gone; its id is barred
    """

    def __init__(self, corridor: Corridor, trucks: TruckTable) -> None:
        self.trucks = trucks
        self.epoch = 0
        self.issued_epoch: IntColumn = np.zeros(trucks.capacity, np.int64)
        self.issued_sequence: IntColumn = np.zeros(trucks.capacity, np.int64)
        self.route_sequence: IntColumn = np.zeros(trucks.capacity, np.int64)
        self.pending: IntColumn = np.full(trucks.capacity, NONE_PENDING, np.int64)
        self.greeted: FlagColumn = np.zeros(trucks.capacity, np.bool_)
        self.removed: FlagColumn = np.zeros(trucks.capacity, np.bool_)
        self._rear_kept_m: FloatColumn = np.zeros(trucks.capacity)
        self._corridor = corridor
        self._appliers = {
            TruckRegistered: self._register,
            TruckGreeted: self._greet,
            RouteSet: self._set_route,
            RouteSent: self._route_sent,
            GrantsIssued: self._granted,
            ShorteningIssued: self._shortened,
            ShorteningAcknowledged: self._acknowledged,
            TruckRemoved: self._remove,
            LedgerKept: self._restore,
        }

    def begin(self, epoch: int) -> None:
        """A new term: every truck must say hello again, and every end it may hold stays as it is."""
        assert epoch > self.epoch, f"epochs only rise: {self.epoch} to {epoch}"
        self.epoch = epoch
        self.greeted[:] = False
        self.route_sequence[:] = 0

    def knows_of(self, row: int, seen_epoch: int, seen_sequence: int) -> bool:
        """Whether this ledger issued everything the truck has seen."""
        return (seen_epoch, seen_sequence) <= (int(self.issued_epoch[row]), int(self.issued_sequence[row]))

    def send_route(self, row: int) -> RouteSent:
        """The present path of *row* gets a term."""
        sent = RouteSent(row=row, epoch=self.epoch, sequence=self._next(row))
        self.apply(sent)
        return sent

    def grant(self, rows: RowColumn, end_m: FloatColumn, *, tick: int, now_ns: int) -> GrantsIssued:
        """
        Ends for *rows* (k,), each row once, none behind the end it may hold already.

        Raises:
            GrantUnlawful: a row may not be given an end now; nothing changed.
        """
        self._require_lawful(rows, end_m)
        trucks, count = self.trucks, self.trucks.count
        moved = (trucks.rear_m[:count] != self._rear_kept_m[:count]).nonzero()[0].astype(np.int32)
        same_epoch = self.issued_epoch[rows] == self.epoch
        issued = GrantsIssued(
            tick=tick,
            epoch=self.epoch,
            at_ns=now_ns,
            rows=rows.astype(np.int32),
            sequence=np.where(same_epoch, self.issued_sequence[rows] + 1, 1),
            end_m=end_m.copy(),
            rear_rows=moved,
            rear_m=trucks.rear_m[moved],
        )
        self.apply(issued)
        return issued

    def shorten(self, row: int, end_m: float, cause: str) -> ShorteningIssued:
        """Asks for the end of *row* to move back; a later one replaces one that still waits."""
        end_m = float(np.clip(end_m, self.trucks.rear_m[row], self.trucks.end_m[row]))
        shortening = ShorteningIssued(row=row, epoch=self.epoch, sequence=self._next(row), end_m=end_m, cause=cause)
        self.apply(shortening)
        return shortening

    def acknowledge(self, row: int, epoch: int, sequence: int, *, honoured: bool, end_m: float) -> ShorteningAcknowledged | None:
        """
        The truck's answer: now it supervises *end_m*. None when it answers anything but the shortening that waits.

        An offer never frees more than was asked for, and never adds road.
        """
        if epoch != self.epoch or sequence != self.pending[row] or not np.isfinite(end_m):
            return None
        asked_m, held_m = float(self.trucks.sent_m[row]), float(self.trucks.end_m[row])
        if end_m > (asked_m if honoured else held_m) + SAME_PLACE_M:
            return None
        settled_m = float(np.clip(end_m, asked_m, held_m))
        answer = ShorteningAcknowledged(row=row, epoch=epoch, sequence=sequence, honoured=honoured, end_m=settled_m)
        self.apply(answer)
        return answer

    def keep_rears(self, *, tick: int, now_ns: int) -> GrantsIssued | None:
        """Every rear that moved since last kept, and no grant: a new route, or a snapshot, is about to rest on them."""
        count = self.trucks.count
        if (self.trucks.rear_m[:count] == self._rear_kept_m[:count]).all():
            return None
        return self.grant(np.empty(0, np.int32), np.empty(0), tick=tick, now_ns=now_ns)

    def apply(self, fact: Fact) -> None:
        """Changes the ledger as *fact* says; facts of others pass by."""
        applier = self._appliers.get(type(fact))
        if applier is not None:
            applier(fact)  # type: ignore[operator]

    def facts(self) -> list[Fact]:
        """What recreates terms, ends and rears; follows the registrations and routes in a snapshot."""
        count, trucks = self.trucks.count, self.trucks
        return [
            LedgerKept(
                epoch=self.issued_epoch[:count].copy(),
                sequence=self.issued_sequence[:count].copy(),
                rear_m=trucks.rear_m[:count].copy(),
                end_m=trucks.end_m[:count].copy(),
                sent_m=trucks.sent_m[:count].copy(),
                pending=self.pending[:count].copy(),
            )
        ]

    def _next(self, row: int) -> int:
        return int(self.issued_sequence[row]) + 1 if self.issued_epoch[row] == self.epoch else 1

    def _issue(self, row: int, epoch: int, sequence: int) -> None:
        self.issued_epoch[row], self.issued_sequence[row] = epoch, sequence

    def _require_lawful(self, rows: RowColumn, end_m: FloatColumn) -> None:
        if not len(rows):
            return
        rules = (
            ("one that said hello in this epoch", self.greeted[rows]),
            ("one whose present route was sent", self.route_sequence[rows] > 0),
            ("none with an unanswered shortening", self.pending[rows] == NONE_PENDING),
            ("none that was removed", ~self.removed[rows]),
            ("no end behind the one held", end_m >= self.trucks.end_m[rows]),
            ("no end beyond the path", end_m <= self.trucks.path_start_m[rows, self.trucks.path_count[rows]] + SAME_PLACE_M),
        )
        for rule, kept in rules:
            if np.count_nonzero(kept) < len(rows):
                raise GrantUnlawful(row=int(rows[~kept][0]), rule=rule)

    def _register(self, fact: TruckRegistered) -> None:
        trucks = self.trucks
        row = trucks.add(self._corridor.truck_types[self._corridor.type_ix[fact.truck_type_id]])
        assert row == fact.row, f"row {fact.row} expected, {row} free: the journal names rows in order"
        trucks.set_path(row, fact.lanes, fact.start_m)
        trucks.rear_m[row] = self._rear_kept_m[row] = fact.rear_m
        trucks.end_m[row] = trucks.sent_m[row] = fact.end_m
        trucks.nose_m[row] = fact.rear_m + trucks.length_m[row]

    def _greet(self, fact: TruckGreeted) -> None:
        self.greeted[fact.row] = fact.epoch == self.epoch
        self.route_sequence[fact.row] = 0

    def _set_route(self, fact: RouteSet) -> None:
        self._require_unbroken(fact)
        self.trucks.set_path(fact.row, fact.lanes, fact.start_m)
        self.route_sequence[fact.row] = 0

    def _require_unbroken(self, fact: RouteSet) -> None:
        """Ground held keeps its lanes and its coordinates, or the ledger would speak of other road than the truck."""
        trucks, row = self.trucks, fact.row
        at_m, start_of = fact.start_m, {}
        for lane in fact.lanes:
            start_of[lane] = at_m
            at_m += float(trucks.lanes.length_m[lane])
        for lane, low_m, _ in trucks.ground(row):
            held_m = trucks.locate(row, lane, 0.0)
            if lane not in start_of or abs(start_of[lane] - held_m) > SAME_PLACE_M:
                raise PathBroken(row=row, lane_ix=lane)
            assert low_m >= 0.0, "ground begins on its lane"

    def _route_sent(self, fact: RouteSent) -> None:
        self._issue(fact.row, fact.epoch, fact.sequence)
        self.route_sequence[fact.row] = fact.sequence if fact.epoch == self.epoch else 0

    def _granted(self, fact: GrantsIssued) -> None:
        trucks, rows = self.trucks, fact.rows
        self.issued_epoch[rows] = fact.epoch
        self.issued_sequence[rows] = fact.sequence
        trucks.end_m[rows] = fact.end_m
        trucks.sent_m[rows] = fact.end_m
        trucks.rear_m[fact.rear_rows] = fact.rear_m
        self._rear_kept_m[fact.rear_rows] = fact.rear_m

    def _shortened(self, fact: ShorteningIssued) -> None:
        self._issue(fact.row, fact.epoch, fact.sequence)
        self.pending[fact.row] = fact.sequence
        self.trucks.sent_m[fact.row] = fact.end_m

    def _acknowledged(self, fact: ShorteningAcknowledged) -> None:
        self.pending[fact.row] = NONE_PENDING
        self.trucks.end_m[fact.row] = self.trucks.sent_m[fact.row] = fact.end_m

    def _remove(self, fact: TruckRemoved) -> None:
        row = fact.row
        self.removed[row] = True
        self.greeted[row] = False
        self.pending[row] = NONE_PENDING
        self.trucks.path_count[row] = 0
        self.trucks.rear_m[row] = self.trucks.end_m[row]
        self.trucks.sent_m[row] = self.trucks.end_m[row]
        self._rear_kept_m[row] = self.trucks.end_m[row]

    def _restore(self, fact: LedgerKept) -> None:
        count = self.trucks.count
        assert len(fact.epoch) == count, "a snapshot names every row"
        self.issued_epoch[:count] = fact.epoch
        self.issued_sequence[:count] = fact.sequence
        self.pending[:count] = fact.pending
        self.trucks.rear_m[:count] = self._rear_kept_m[:count] = fact.rear_m
        self.trucks.end_m[:count] = fact.end_m
        self.trucks.sent_m[:count] = fact.sent_m
