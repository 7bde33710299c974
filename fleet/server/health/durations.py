"""
How long things took lately: one thread writes a number down, another looks at them once a second.

Writing is two stores into an array that is there already; whoever looks takes what was new since he last looked. What he overlooked,
because he came later than a minute, is gone.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

import numpy as np

from fleet.clock import NS_PER_S
from fleet.server.columns import IntColumn
from fleet.server.health.values import Histogram, Spread

MINUTE_NS: Final = 60 * NS_PER_S
LONG_AGO_NS: Final = -(2**62)  # the clock may be that of a machine that was switched on a moment ago
KEPT: Final = 1024  # a minute of ticks, and of commits, which there are at most one a tick of
QUANTILES: Final = (0.5, 0.99)
# Of a tick's hundred milliseconds, of a disk's answer: from what is usual to what is a fault.
BOUNDS_S: Final = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.1, 0.2, 0.5, 1.0, 2.0)


class Durations:
    """The newest `KEPT` of one kind. One thread adds."""

    def __init__(self) -> None:
        self._ended_ns: IntColumn = np.full(KEPT, LONG_AGO_NS, np.int64)
        self._took_ns: IntColumn = np.zeros(KEPT, np.int64)
        self.count = 0

    def add(self, ended_ns: int, took_ns: int) -> None:
        """One that ended at *ended_ns*."""
        at = self.count % KEPT
        self._ended_ns[at], self._took_ns[at] = ended_ns, took_ns
        self.count += 1

    def lately(self, now_ns: int) -> IntColumn:
        """Those that ended within the last minute."""
        took_ns: IntColumn = self._took_ns[self._ended_ns > now_ns - MINUTE_NS]
        return took_ns

    def between(self, begin: int, end: int) -> IntColumn:
        """Those from the one of number *begin* to that before *end*, counted from 0, as far as they are kept."""
        rows = np.arange(max(begin, end - KEPT), end) % KEPT
        took_ns: IntColumn = self._took_ns[rows]
        return took_ns


class Tally:
    """Sorts every duration once into a histogram."""

    def __init__(self, durations: Durations, over_ns: int) -> None:
        """Counts apart those longer than *over_ns*."""
        self._durations = durations
        self._seen = 0
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_ns = 0
        self._over_ns = over_ns
        self.over_count = 0

    def look(self) -> Histogram:
        """All so far."""
        # Asked once: what is added meanwhile is for the next look.
        begin, self._seen = self._seen, self._durations.count
        for took_ns in self._durations.between(begin, self._seen).tolist():
            self._counts[bisect_left(BOUNDS_S, took_ns / NS_PER_S)] += 1
            self._sum_ns += took_ns
            self.over_count += took_ns > self._over_ns
        return Histogram(bounds_s=BOUNDS_S, counts=tuple(self._counts), sum_s=self._sum_ns / NS_PER_S)


def spread(took_ns: IntColumn) -> Spread:
    """How *took_ns* (n,) lie; a quantile is one of them, the next that is not below it."""
    if not len(took_ns):
        return Spread()
    in_order = np.sort(took_ns)
    p50, p99 = (int(in_order[min(int(q * len(in_order)), len(in_order) - 1)]) for q in QUANTILES)
    return Spread(count=len(in_order), p50_ns=p50, p99_ns=p99, max_ns=int(in_order[-1]))
