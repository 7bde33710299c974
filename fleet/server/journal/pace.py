"""
When a snapshot is due.

A snapshot says everything that is remembered anew, answers of seven days among it. At a fixed interval a server that remembers much
would write little else, and while one is written nothing becomes durable and nothing is granted. So the next one comes after as many
facts as the last one had, and never after fewer than a least number: snapshots are at most half of what is written, however much is
remembered, and a restart reads at most twice what it remembers, or that much and the least number.
"""

from __future__ import annotations


class SnapshotPace:
    """Counts facts; *least*: so many of them at least lie between two snapshots."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._last = 0
        self._since = 0

    def recovered(self, snapshot: int, since: int) -> None:
        """The journal begins with a snapshot of so many facts, 0 for none, and had so many after it: a server that dies again and again gets to its snapshot."""
        self._last, self._since = snapshot, since

    def journalled(self, count: int) -> None:
        """So many facts more."""
        self._since += count

    def taken(self, count: int) -> None:
        """A snapshot of so many facts."""
        self._last, self._since = count, 0

    @property
    def since(self) -> int:
        """Facts since the last snapshot."""
        return self._since

    @property
    def interval(self) -> int:
        """Facts from the last snapshot to the next."""
        return max(self._least, self._last)

    @property
    def due(self) -> bool:
        """Whether the next one is to be taken."""
        return self._since >= self.interval
