"""What ticks decided, counted once a tick on the thread of the streams, where it is said."""

from __future__ import annotations

from collections import Counter

from fleet.server.facts import ShorteningIssued
from fleet.server.outgoing import Outgoing


class Tallies:
    """Since the start. Belongs to the thread of the streams."""

    def __init__(self) -> None:
        self.grants = 0
        self.shortenings: Counter[str] = Counter()
        self.stops: Counter[str] = Counter()

    def ticked(self, outgoing: Outgoing) -> None:
        """Counts one tick's words."""
        if outgoing.grants is not None:
            self.grants += len(outgoing.grants.rows)
        if outgoing.shortenings:
            self.shortenings.update(fact.cause for fact in outgoing.facts if isinstance(fact, ShorteningIssued))
        self.stops.update(stop.cause for stop in outgoing.stops)
