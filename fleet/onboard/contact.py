"""The truck's side of the conversation with its server: hello, welcome, heartbeats, and what silence makes it do."""

from __future__ import annotations

from typing import Final

from fleet.onboard.ladder import Ladder, heartbeat_counts
from fleet.onboard.supervisor import SERVICE_STOP
from fleet.onboard.words import Heartbeat

WELCOME_AGE_MAX_NS: Final = 3_000_000_000  # an older answer was overtaken by events; hello again
_NS_PER_S: Final = 1e9


class Contact:
    """
    Whether the server is there.

    *lapsed* is true from the start, and again once the ladder has stopped the truck; only a welcome ends it. All times are the
    truck's own clock.
    """

    def __init__(self) -> None:
        self.ladder = Ladder()
        self.lapsed = True
        self.challenge_echo = 0
        self._asked_ns = 0
        self._contact_ns: int | None = None
        self._last_tick = -1
        self._hello_stamp_ns = 0

    def ask(self, now_ns: int) -> int:
        """Makes the challenge of a report said now; it rises, and is never 0, which on the wire is none."""
        self._asked_ns = max(self._asked_ns + 1, now_ns)
        return self._asked_ns

    def said_hello(self, stamp_ns: int) -> None:
        """A hello with this stamp is on its way: only its answer counts from now on."""
        self._hello_stamp_ns = stamp_ns

    def hello_due(self, now_ns: int) -> bool:
        """Whether to say hello (again): contact has lapsed, and no hello is young enough to be answered still."""
        return self.lapsed and (self._hello_stamp_ns == 0 or now_ns - self._hello_stamp_ns > WELCOME_AGE_MAX_NS)

    def is_answered_by(self, hello_stamp_ns: int, now_ns: int) -> bool:
        """Whether a welcome that carries *hello_stamp_ns* back answers the newest hello, and in time."""
        return 0 < hello_stamp_ns == self._hello_stamp_ns and now_ns - hello_stamp_ns <= WELCOME_AGE_MAX_NS

    def welcomed(self, ladder: Ladder, now_ns: int) -> None:
        """Contact begins anew: the clock of silence, the ticks and the ladder are this server's."""
        self.ladder = ladder
        self.lapsed = False
        self.challenge_echo = 0
        self._contact_ns = now_ns
        self._last_tick = -1

    def hear(self, heartbeat: Heartbeat, now_ns: int) -> None:
        """Takes a heartbeat of the epoch agreed; one that proves nothing still gets its challenge answered."""
        if heartbeat.tick > self._last_tick:
            self.challenge_echo = heartbeat.challenge
        if heartbeat_counts(heartbeat.tick, self._last_tick, heartbeat.challenge_echo, self._asked_ns, now_ns):
            self._contact_ns = now_ns
        self._last_tick = max(self._last_tick, heartbeat.tick)

    def silence_s(self, now_ns: int) -> float:
        """Seconds since contact was last proven; 0 before the first welcome, when the truck has never moved."""
        return 0.0 if self._contact_ns is None else (now_ns - self._contact_ns) / _NS_PER_S

    def reaction(self, now_ns: int) -> int:
        """What the ladder makes the truck do now; a rung that stops the truck makes contact lapse."""
        rung = self.ladder.reaction(self.silence_s(now_ns))
        if rung >= SERVICE_STOP and not self.lapsed:
            self.lapsed = True
            self._hello_stamp_ns = 0
        return max(rung, SERVICE_STOP) if self.lapsed else rung
