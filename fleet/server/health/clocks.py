"""
Trucks' clocks against the server's, from what is said anyway.

A heartbeat carries a challenge, and the report that answers it a stamp of the truck's clock: the stamp lies between the two moments, so the
offset is known to within half of what lies between them, however slow the line is in either direction. Trucks count from origins of
their own, so that an offset says nothing; that it leaves the interval in which it was first found is drift, and certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from fleet.server.columns import IntColumn
from fleet.server.health.durations import spread
from fleet.server.health.values import Spread, TruckClock

WORST: Final = 20  # are named


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stamps:
    """
    By truck row, (n,): the stamp of the newest report, when it was heard, and when the challenge that it answers was made (0: unknown).

    *computers* names each truck's computer since it was last switched on: its clock.
    """

    truck_ids: tuple[str, ...]
    computers: tuple[str, ...]
    stamp_ns: IntColumn
    heard_ns: IntColumn
    challenged_ns: IntColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class ClocksSeen:
    """The worst known clocks, the worst first; how *uncertainty* lies over all known; the greatest certain drift."""

    worst: tuple[TruckClock, ...]
    uncertainty: Spread
    drift_max_ns: int


class Clocks:
    """Remembers in which interval each computer's offset was first found."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, int, int]] = {}

    def look(self, stamps: Stamps) -> ClocksSeen:
        """What *stamps* say."""
        known = np.flatnonzero((stamps.challenged_ns > 0) & (stamps.challenged_ns <= stamps.heard_ns))
        low_ns = (stamps.stamp_ns - stamps.heard_ns)[known]
        high_ns = (stamps.stamp_ns - stamps.challenged_ns)[known]
        found = [
            self._clock(stamps, row, low, high) for row, low, high in zip(known.tolist(), low_ns.tolist(), high_ns.tolist(), strict=True)
        ]
        worst = sorted(found, key=lambda clock: (-abs(clock.drift_ns), -clock.uncertainty_ns))
        return ClocksSeen(
            worst=tuple(worst[:WORST]),
            uncertainty=spread((high_ns - low_ns) // 2),
            drift_max_ns=max((abs(clock.drift_ns) for clock in found), default=0),
        )

    def _clock(self, stamps: Stamps, row: int, low_ns: int, high_ns: int) -> TruckClock:
        truck_id, computer = stamps.truck_ids[row], stamps.computers[row]
        first = self._first.get(truck_id)
        if first is None or first[0] != computer:
            first = self._first[truck_id] = (computer, low_ns, high_ns)
        _, first_low_ns, first_high_ns = first
        drift_ns = max(low_ns - first_high_ns, 0) + min(high_ns - first_low_ns, 0)
        return TruckClock(truck_id=truck_id, offset_ns=(low_ns + high_ns) // 2, uncertainty_ns=(high_ns - low_ns) // 2, drift_ns=drift_ns)
