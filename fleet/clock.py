"""
The only reader of time.

Control runs on integer nanoseconds that only rise; UTC appears at the edges, for people. Simulated time implements the same
Protocol, so nothing above can tell the difference.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000


class Clock(Protocol):
    """Monotonic nanoseconds for control, UTC for people."""

    def now_ns(self) -> int:
        """Nanoseconds that never fall, from an origin of the clock's own."""
        ...

    def utc(self) -> datetime:
        """The wall's time, aware, in UTC."""
        ...


class SystemClock:
    """This machine's clocks."""

    def now_ns(self) -> int:
        """Nanoseconds of the monotonic clock."""
        return time.monotonic_ns()

    def utc(self) -> datetime:
        """The wall's time."""
        return datetime.now(UTC)


class SteppedClock:
    """A clock that a simulator moves; UTC follows from the instant at which its zero lies."""

    def __init__(self, *, utc_at_zero: datetime, now_ns: int = 0) -> None:
        self._utc_at_zero = utc_at_zero
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """Nanoseconds since the simulator's zero."""
        return self._now_ns

    def utc(self) -> datetime:
        """The simulated wall."""
        return self._utc_at_zero + timedelta(microseconds=self._now_ns // 1000)

    def step_to(self, now_ns: int) -> None:
        """
        Moves to *now_ns*.

        Raises:
            ValueError: *now_ns* lies before the present.
        """
        if now_ns < self._now_ns:
            raise ValueError(f"time may not fall: from {self._now_ns} to {now_ns} ns")
        self._now_ns = now_ns
