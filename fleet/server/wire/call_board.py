"""
Calls to customs, gates and loaders, pinned up for whoever watches.

A watcher hears every open call and then each new one, each once. The desk keeps what is open; a watcher who reads so slowly that
calls pile up is cut off, and hears every open call again when he comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from fleet.errors import Code, FleetError
from fleet.server.limits import CALLS_WAITING_MAX
from fleet.server.outgoing import BorderCall, GateCall, GatePassed
from fleet.server.wire.codec_answers import AnswerWriter
from fleet.v1 import border_pb2 as b


@dataclass(eq=False)
class WatcherTooSlow(FleetError):
    """So many calls waited that this watcher was cut off."""

    code: ClassVar[Code] = Code.STALE
    hint: ClassVar[str] = "Watch again: every open call is told anew."

    waiting: int


@dataclass(eq=False, slots=True, kw_only=True)
class Watcher:
    """One stream of calls; *gate_ids* empty hears all."""

    gate_ids: frozenset[str]
    wake: Callable[[], None]
    waiting: list[b.BorderCall] = field(default_factory=list)
    newest_call_id: int = 0
    # Until the open calls are there, new ones wait behind them.
    caught_up: bool = False
    early: list[BorderCall] = field(default_factory=list)


class CallBoard:
    """Belongs to the thread of the streams."""

    def __init__(self, writer: AnswerWriter) -> None:
        self._writer = writer
        self._watchers: list[Watcher] = []
        self.said = 0

    @property
    def waiting_count(self) -> int:
        """Calls that watchers have not read yet."""
        return sum(len(watcher.waiting) for watcher in self._watchers)

    def watch(self, gate_ids: frozenset[str], wake: Callable[[], None]) -> Watcher:
        """Somebody watches from now on; call `catch_up` next."""
        watcher = Watcher(gate_ids=gate_ids, wake=wake)
        self._watchers.append(watcher)
        return watcher

    def catch_up(self, watcher: Watcher, still_open: Sequence[BorderCall]) -> None:
        """The calls that were open when he came, and those that came meanwhile."""
        early, watcher.early = watcher.early, []
        watcher.caught_up = True
        for call in sorted(still_open, key=_call_id):
            self._pin(watcher, call)
        for call in early:
            self._pin(watcher, call)

    def leave(self, watcher: Watcher) -> None:
        """He watches no more."""
        self._watchers.remove(watcher)

    def put(self, calls: Sequence[BorderCall]) -> None:
        """New calls, for everyone who watches."""
        for watcher in self._watchers:
            for call in calls:
                if watcher.caught_up:
                    self._pin(watcher, call)
                else:
                    watcher.early.append(call)

    def take(self, watcher: Watcher) -> list[b.BorderCall]:
        """
        What waits for one watcher.

        Raises:
            WatcherTooSlow: too much waits.
        """
        if len(watcher.waiting) > CALLS_WAITING_MAX:
            raise WatcherTooSlow(waiting=len(watcher.waiting))
        taken, watcher.waiting = watcher.waiting, []
        self.said += len(taken)
        return taken

    def _pin(self, watcher: Watcher, call: BorderCall) -> None:
        if call.call_id <= watcher.newest_call_id or not _concerns(call, watcher.gate_ids):
            return
        watcher.newest_call_id = call.call_id
        if len(watcher.waiting) <= CALLS_WAITING_MAX:
            watcher.waiting.append(self._writer.border_call(call))
        watcher.wake()


def _concerns(call: BorderCall, gate_ids: frozenset[str]) -> bool:
    if not gate_ids:
        return True
    return isinstance(call.content, GateCall | GatePassed) and call.content.gate_id in gate_ids


def _call_id(call: BorderCall) -> int:
    return call.call_id
