"""
Whether the server does its work, in a word: for whoever starts it again when it is not alive, and whoever sends it trucks when it is ready.

*Alive* asks what a new start might mend: ticks that have stopped. A server that recovers, stands still over a damaged journal or waits
for room on its disk is alive, and not ready: starting it again would mend nothing.
"""

from __future__ import annotations

from typing import Final, Protocol

from fleet.clock import NS_PER_S, Clock
from fleet.server.health.pulse import Pulse
from fleet.server.health.values import HealthState
from fleet.server.limits import ALIVE_WITHIN_S

ALIVE_WITHIN_NS: Final = int(ALIVE_WITHIN_S * NS_PER_S)


class Writable(Protocol):
    """Whether the journal takes what is decided."""

    has_room: bool

    @property
    def behind(self) -> bool:
        """Too much waits for the disk."""
        ...


class Condition:
    """Told by the server how far it is; may be asked on any thread."""

    def __init__(self, clock: Clock, pulse: Pulse, writable: Writable, *, driven: bool) -> None:
        """*driven*: ticks come from a simulator, and may stay away as long as it likes."""
        self._clock = clock
        self._pulse = pulse
        self._writable = writable
        self._driven = driven
        self._begun_ns = 0
        self._ending = False
        self._damage = ""

    def begun(self) -> None:
        """It has recovered, and ticks from now on."""
        self._begun_ns = self._clock.now_ns()

    def stands_still(self, damage: str) -> None:
        """It answers what it is asked, and nobody moves."""
        self._damage = damage

    def ending(self) -> None:
        """No more ticks are to be expected."""
        self._ending = True

    @property
    def has_room(self) -> bool:
        """Grants may be promised, as far as the journal goes."""
        return self._begun_ns > 0 and self._writable.has_room and not self._writable.behind

    def state(self) -> tuple[HealthState, str]:
        """The state, and why it is not SERVING."""
        if self._ending:
            return HealthState.ENDING, "the server ends"
        if self._damage:
            return HealthState.STANDING_STILL, self._damage
        if not self._begun_ns:
            return HealthState.STARTING, "the journal is read and kernels are compiled"
        if (silent_ns := self._clock.now_ns() - max(self._pulse.ended_ns, self._begun_ns)) > ALIVE_WITHIN_NS and not self._driven:
            return HealthState.NOT_TICKING, f"the last tick ended {silent_ns / NS_PER_S:.0f} s ago"
        if not self.has_room:
            why = "slow: stops leave, grants wait" if self._writable.has_room else "full: stops leave, grants do not"
            return HealthState.NOT_GRANTING, f"the journal's disk is {why}"
        return HealthState.SERVING, ""

    def alive(self) -> tuple[bool, str]:
        """Whether a new start would mend nothing, and what there is to say."""
        state, reason = self.state()
        return state is not HealthState.NOT_TICKING, reason or "ticks go on"

    def ready(self) -> tuple[bool, str]:
        """Whether trucks are given road, and why not."""
        state, reason = self.state()
        return state is HealthState.SERVING, reason or "serves"
