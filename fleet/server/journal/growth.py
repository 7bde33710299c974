"""
How fast a journal grows, measured on itself: bytes for each hour that each truck was with the server.

A truck counts from its first hello in an epoch to the epoch's last grant or hello; nights without a server, and trucks that did not come back,
do not count. Facts that a snapshot says again are none of these, but their bytes are part of what it costs to keep a journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fleet.clock import NS_PER_S
from fleet.server.facts import GrantsIssued, TruckGreeted, decode
from fleet.server.journal.journal import SNAPSHOT_BEGAN, SNAPSHOT_ENDED, Record, Sealed

HOUR_NS: Final = 3600 * NS_PER_S
_DATED: Final = frozenset({GrantsIssued.__name__, TruckGreeted.__name__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """*byte_count* for *truck_count* trucks in *hours* that a server drove them, *truck_hours* in all."""

    byte_count: int
    truck_count: int
    hours: float
    truck_hours: float

    @property
    def bytes_per_truck_hour(self) -> float | None:
        """None for a journal that no truck was in yet."""
        return self.byte_count / self.truck_hours if self.truck_hours > 0.0 else None


class GrowthMeter:
    """Sees every record once, in order."""

    def __init__(self) -> None:
        self._epoch = 0
        self._in_snapshot = False
        self._greeted_ns: dict[int, int] = {}
        self._newest: Record | None = None
        self._rows: set[int] = set()
        self._hours_ns = 0
        self._truck_hours_ns = 0

    def see(self, sealed: Sealed) -> None:
        """The next record."""
        record = sealed.record
        if sealed.epoch != self._epoch:
            self._close()
            self._epoch = sealed.epoch
        if record.kind in {SNAPSHOT_BEGAN, SNAPSHOT_ENDED}:
            self._in_snapshot = record.kind == SNAPSHOT_BEGAN
        elif record.kind in _DATED and not self._in_snapshot:
            self._newest = record
            if record.kind == TruckGreeted.__name__:
                greeted = decode(record.kind, record.body)
                assert isinstance(greeted, TruckGreeted)
                self._greeted_ns.setdefault(greeted.row, greeted.at_ns)

    def growth(self, byte_count: int) -> Growth:
        """What was seen, in a journal that takes up so much."""
        self._close()
        return Growth(
            byte_count=byte_count,
            truck_count=len(self._rows),
            hours=self._hours_ns / HOUR_NS,
            truck_hours=self._truck_hours_ns / HOUR_NS,
        )

    def _close(self) -> None:
        """An epoch is over."""
        if self._newest is not None and self._greeted_ns:
            last = decode(self._newest.kind, self._newest.body)
            assert isinstance(last, GrantsIssued | TruckGreeted)
            self._hours_ns += last.at_ns - min(self._greeted_ns.values())
            self._truck_hours_ns += sum(last.at_ns - greeted_ns for greeted_ns in self._greeted_ns.values())
            self._rows.update(self._greeted_ns)
        self._newest = None
        self._greeted_ns = {}
