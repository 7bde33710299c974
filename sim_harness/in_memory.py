"""
The real server in virtual time: its headless form, spoken to in bytes; it may be killed, frozen, slowed and supplanted.

While there is no server, or a frozen one, nothing said to it is heard, or waits where a socket would keep it. A request that was
not answered is made again with the same id once there is a server, as every client of ours does; and a call of the server's
that was heard once is not heard again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from fleet.errors import FleetError, NotFound
from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.engine import EngineOptions
from fleet.server.fleet_view import FleetView
from fleet.server.headless import HeadlessServer, Heard
from fleet.server.journal.journal import JournalFenced, MemoryJournal
from fleet.server.outgoing import Alarm
from fleet.server.replay.kept import Ear
from fleet.server.wire.reads import HoldRead
from fleet.v1 import border_pb2
from planner.corridor import Corridor
from planner.limits import FRICTION_DRY
from planner.policy import MOVING
from sim_harness import link
from sim_harness.books import Causes
from sim_harness.show import Show, ShownServer

# A socket's buffers hold this many frames for a frozen process; what comes later pushes out nothing, it is lost.
FROZEN_FRAMES_MAX: Final = 1000
# No copy of a journal that somebody starts a server on is older.
OLD_TICKS_MAX: Final = 200
# A journal that must outlive its server is cut to a snapshot now and then, so that a day's does not fill the memory.
SNAPSHOT_TICKS: Final = 6000
NO_SERVER: Final = ("server", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a server said in one tick; see `runner.Answered`."""

    control: list[bytes] = field(default_factory=list)
    elsewhere: Mapping[int, bytes] = field(default_factory=dict)
    calls: list[link.Heard] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    alarms: tuple[Alarm, ...] = ()


class InMemoryServer:
    """
    One server of one run; *day_start_s* is seconds after local midnight at time 0.

    *mortal*: it may die, so its journal is kept. *friction* is what it knows of the road, *policy* how it gives it out. *on_start* is
    called with each server that starts. An *ear* is told of everything that the core of each hears and says; *show* writes down what
    each shows.
    """

    def __init__(
        self,
        corridor: Corridor,
        day_start_s: int,
        *,
        mortal: bool = False,
        friction: float = FRICTION_DRY,
        policy: str = MOVING,
        on_start: Callable[[HeadlessServer], None] = lambda _: None,
        ear: Ear | None = None,
        show: Show | None = None,
    ) -> None:
        self._corridor = corridor
        options = EngineOptions(dispatch=DispatchOptions(day_start_s=day_start_s))
        self._options = replace(options, loop=replace(options.loop, friction=friction, policy=policy))
        self._mortal = mortal
        self._on_start = on_start
        self._ear = ear
        self._journal = MemoryJournal(keep=mortal)
        self._show = show
        self._server: HeadlessServer | None = HeadlessServer(corridor, self._options, self._journal, ear)
        self._shown = ShownServer(self._server)
        on_start(self._server)
        self._frozen = False
        self._ghost: HeadlessServer | None = None
        self._ghost_awake = False
        self._every_ticks = 1
        self._tick = 0
        self._waiting: list[tuple[bytes, int]] = []
        self._asked: dict[int, tuple[str, link.Request]] = {}
        self._unasked: list[tuple[str, link.Request]] = []
        self._newest_call = 0
        # What the journal counted at the end of each of the last ticks.
        self._counted: deque[int] = deque(maxlen=OLD_TICKS_MAX)
        self.behind = False
        self._causes: Causes = {}
        self._delivered: list[int] = []
        self.epoch = self._server.epoch

    # -- what it hears and says ----------------------------------------------------------------------------------------

    @property
    def answers(self) -> bool:
        """Whether there is a server that hears, and answers in time."""
        return self._server is not None and not self._frozen and self._every_ticks == 1

    def say(self, frame: bytes, gateway: int = 0) -> None:
        """Give it a gateway's frame."""
        if self._server is None:
            return
        if self._frozen:
            if len(self._waiting) < FROZEN_FRAMES_MAX:
                self._waiting.append((frame, gateway))
            return
        self._server.say(frame, gateway)

    def call(self, method: str, request: link.Request) -> None:
        """Make a unary request; the answer comes with the next tick."""
        if self._server is None or self._frozen:
            self._unasked.append((method, request))
            return
        self._asked[self._server.call(method, request)] = (method, request)

    def tick(self, now_ns: int) -> Answers:
        """
        Run one tick.

        Raises:
            JudgeObjected: the server would have broken exclusivity.
        """
        self._tick += 1
        ghostly = self._haunt(now_ns)
        if self._server is None or self._frozen or self._tick % self._every_ticks:
            return Answers(control=ghostly)
        heard = self._server.tick(now_ns)
        if self._show is not None:
            self._show.look(self._shown, self._tick, now_ns)
        self._counted.append(self._journal.sequence)
        if self._mortal and self._tick % SNAPSHOT_TICKS == 0:
            self._server.snapshot()
        refusals = []
        for ticket, answer in heard.replies.items():
            method, _ = self._asked.pop(ticket)
            if isinstance(answer, FleetError):
                refusals.append((method, str(answer)))
        return Answers(
            control=[*ghostly, *([heard.control] if heard.control else [])],
            elsewhere=heard.elsewhere,
            calls=self._new_calls(heard),
            refusals=refusals,
            alarms=heard.alarms,
        )

    def _new_calls(self, heard: Heard) -> list[link.Heard]:
        return [read for call in heard.border_calls if (read := self._first_time(call)) is not None]

    def _first_time(self, call: border_pb2.BorderCall) -> link.Heard | None:
        """A call as the plant hears it, unless it heard it before."""
        if call.call_id <= self._newest_call:
            return None
        self._newest_call = call.call_id
        return link.read_call(call)

    def causes(self) -> Causes:
        """Why each standing truck stands; without a server, for want of one."""
        if self._server is None or self._frozen:
            return dict.fromkeys(self._causes, NO_SERVER)
        self._causes = self._server.causes()
        return self._causes

    def delivered(self) -> Sequence[int]:
        """How many containers of each order were delivered, oldest order first; without a server, as it said last."""
        if self._server is not None:
            self._delivered = [order.delivered_count for order in self._server.engine.orders()]
        return self._delivered

    def fleet(self) -> FleetView | None:
        """The server's picture of the trucks; None without a server."""
        return None if self._server is None else self._server.fleet()

    def hold(self, truck_id: str, language: str = "en") -> HoldRead:
        """
        Why a truck stands, in full; only of a server that `answers`.

        Raises:
            NotFound: it knows no such truck.
        """
        assert self._server is not None, "nobody is there to be asked"
        return self._server.hold(truck_id, language)

    def why(self, truck_id: str) -> str:
        """In its own words why a truck stands; "" when there is no server, or none that knows it."""
        if self._server is None or self._frozen:
            return ""
        try:
            return self._server.hold(truck_id).sentence
        except NotFound:
            return ""

    def intrusions(self) -> tuple[str, ...]:
        """The open intrusions; none without a server."""
        return () if self._server is None else self._server.intrusions()

    # -- what may happen to it -----------------------------------------------------------------------------------------

    def kill(self) -> None:
        """It dies between two ticks: what was said to it and not decided on is gone."""
        assert self._mortal, "a server that may die needs a journal that is kept"
        self._server = None
        self._frozen = False
        self._waiting.clear()
        self._unasked = [*self._asked.values(), *self._unasked]
        self._asked.clear()

    def start(self) -> None:
        """Start one on the journal of the last, if there is none; its first tick says every open call again."""
        if self._server is not None:
            return
        self._server = HeadlessServer(self._corridor, self._options, self._journal, self._ear)
        self._shown = ShownServer(self._server)
        if self._show is not None:
            self._show.began()
        self._on_start(self._server)
        self.epoch = self._server.epoch
        unasked, self._unasked = self._unasked, []
        for method, request in unasked:
            self.call(method, request)

    def fall_behind(self, ticks: int) -> None:
        """It dies, and one starts on a copy of its journal as it was so many ticks ago; from then on it is *behind*."""
        self.kill()
        records = self._journal.recover().records
        known = self._counted[-min(ticks + 1, len(self._counted))] if self._counted else 0
        lost_count = min(self._journal.sequence - known, len(records))
        self._journal.snapshot(self.epoch, records[: len(records) - lost_count])
        self.behind = True
        self.start()

    def freeze(self) -> None:
        """It stops where it is; its streams stay up."""
        self._frozen = self._server is not None

    def thaw(self) -> None:
        """It goes on: all that was said meanwhile comes at once."""
        if not self._frozen or self._server is None:
            return
        self._frozen = False
        waiting, self._waiting = self._waiting, []
        for frame, gateway in waiting:
            self._server.say(frame, gateway)
        unasked, self._unasked = self._unasked, []
        for method, request in unasked:
            self.call(method, request)

    def supplant(self) -> None:
        """It freezes and another takes over on the same journal; the frozen one is kept, and may wake up."""
        ghost = self._server
        self.kill()
        self.start()
        self._ghost = ghost

    def wake_ghost(self) -> None:
        """The server that was supplanted goes on, knowing nothing of the other."""
        self._ghost_awake = True

    def _haunt(self, now_ns: int) -> list[bytes]:
        """What a supplanted server says after it woke up, until the journal tells it that its time is over."""
        if self._ghost is None or not self._ghost_awake:
            return []
        try:
            said = self._ghost.tick(now_ns)
        except JournalFenced:
            self._ghost = None
            self._ghost_awake = False
            return []
        return [said.control] if said.control else []

    def slow(self, every_ticks: int) -> None:
        """It decides only once in so many ticks; 1 for as it should."""
        self._every_ticks = max(1, every_ticks)

    def set_writable(self, *, writable: bool) -> None:
        """Its journal's disk takes nothing more, or does again."""
        if self._server is not None:
            self._server.set_writable(writable=writable)
