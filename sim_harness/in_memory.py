"""The real server in virtual time: its headless form, spoken to in bytes."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.errors import FleetError
from fleet.server.dispatch.dispatch import DispatchOptions
from fleet.server.engine import EngineOptions
from fleet.server.headless import HeadlessServer
from planner.corridor import Corridor
from sim_harness import link
from sim_harness.books import Causes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a server said in one tick; see `runner.Answered`."""

    control: list[bytes]
    calls: list[link.Heard]
    refusals: list[tuple[str, str]]


class InMemoryServer:
    """One server of one run; *day_start_s* is seconds after local midnight at time 0."""

    def __init__(self, corridor: Corridor, day_start_s: int) -> None:
        self._server = HeadlessServer(corridor, EngineOptions(dispatch=DispatchOptions(day_start_s=day_start_s)))
        self._asked: dict[int, str] = {}

    def say(self, frame: bytes) -> None:
        """Give it a gateway's frame."""
        self._server.say(frame)

    def call(self, method: str, request: link.Request) -> None:
        """Make a unary request; the answer comes with the next tick."""
        self._asked[self._server.call(method, request)] = method

    def tick(self, now_ns: int) -> Answers:
        """
        Run one tick.

        Raises:
            JudgeObjected: the server would have broken exclusivity.
        """
        heard = self._server.tick(now_ns)
        refusals = []
        for ticket, answer in heard.replies.items():
            method = self._asked.pop(ticket)
            if isinstance(answer, FleetError):
                refusals.append((method, str(answer)))
        calls = [read for read in map(link.read_call, heard.border_calls) if read is not None]
        return Answers(control=[heard.control] if heard.control else [], calls=calls, refusals=refusals)

    def causes(self) -> Causes:
        """Why each standing truck stands."""
        return self._server.causes()
