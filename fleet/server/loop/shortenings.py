"""
Ends that must come back: because what they rested on was lost, or because a shortening asked for earlier was never answered.

A shortening frees nothing until the truck agrees, so it may be asked as often as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fleet.server.desk import Desk
from fleet.server.facts import ShorteningIssued
from fleet.server.inputs import LanePlace
from fleet.server.loop.ledger import Ledger
from fleet.server.outgoing import ShorteningOut
from planner.authority import Cause
from planner.limits import SAME_PLACE_M


class Shortenings:
    """
    Remembers, by row, to where each revoked end was asked back, and which shortenings are to be asked again.

    again  rows whose unanswered shortening is to be said once more: asked in an older epoch, or lost on the way
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._trucks = ledger.trucks
        self._revoked_to_m: dict[int, float] = {}
        self.again: set[int] = set()

    def due(self, desk: Desk) -> Iterator[tuple[int, float, Cause]]:
        """What is to be asked now: row, end and why. The caller asks for each before it takes the next."""
        trucks, count = self._trucks, self._trucks.count
        revoked = desk.revoked[:count]
        if not (self._revoked_to_m or self.again or np.count_nonzero(revoked)):
            return
        ready = self._ledger.greeted[:count] & (self._ledger.route_sequence[:count] > 0)
        for row in [row for row in self._revoked_to_m if not revoked[row]]:
            del self._revoked_to_m[row]
        beyond = revoked & (trucks.end_m[:count] > desk.limit_m[:count] + SAME_PLACE_M)
        for row in (ready & beyond).nonzero()[0].tolist():
            limit_m = float(desk.limit_m[row])
            if self._revoked_to_m.get(row) != limit_m:
                self._revoked_to_m[row] = limit_m
                yield row, limit_m, Cause(int(desk.limit_cause[row]))
        for row in sorted(self.again):
            if ready[row]:
                self.again.discard(row)
                yield row, float(trucks.sent_m[row]), Cause.SHORTENING

    def ask(self, row: int, end_m: float, cause: Cause) -> tuple[ShorteningIssued, ShorteningOut]:
        """Asks for the end of *row* to move back: the fact, and how the truck is told."""
        issued = self._ledger.shorten(row, end_m, cause.name.lower())
        lane_ix, chainage_m = self._trucks.end_point(row, issued.end_m)
        said = ShorteningOut(
            row=row,
            epoch=issued.epoch,
            sequence=issued.sequence,
            route_sequence=int(self._ledger.route_sequence[row]),
            end=LanePlace(lane_ix=lane_ix, chainage_m=chainage_m),
        )
        return issued, said
