"""
The radio between the trucks and the server.

When all is well one gateway carries everybody's words, a frame each way a tick. A truck whose radio is in trouble travels apart:
its words are taken out of the common frames and go by a way of its own, which may lose, delay, repeat or reorder them, or be
another gateway altogether. So trouble costs only where there is trouble.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from fleet.server.wire.inbox import Overloaded
from sim_harness import link
from sim_harness.parts import LinkPart
from sim_harness.truck_agent import Trucks

OWN_GATEWAY: Final = 0


class Mast(Protocol):
    """The server's end of the radio: what it hears, by gateway."""

    def say(self, frame: bytes, gateway: int = OWN_GATEWAY) -> None:
        """Give it a gateway's frame."""
        ...


@dataclass(slots=True)
class Way:
    """
    One truck's own way, both directions, and what it does to each message.

    *lost_up*, *lost_down*: share lost; *late_ticks* added; *scatter_ticks*: up to so many more, drawn for each, which reorders;
    *twice*: each message arrives again *late_ticks* later; *times* each message of the truck's is sent; *gateway*: whose stream it is.
    """

    rng: np.random.Generator
    lost_up: float = 0.0
    lost_down: float = 0.0
    late_ticks: int = 0
    scatter_ticks: int = 0
    twice: bool = False
    silent_reports: bool = False
    times: int = 1
    gateway: int = OWN_GATEWAY
    _up: list[tuple[int, int, bytes]] = field(default_factory=list)
    _down: list[tuple[int, int, bytes]] = field(default_factory=list)
    _count: int = 0

    def send_up(self, tick: int, frame: bytes) -> None:
        """Put a message of the truck's on the way."""
        for _ in range(self.times):
            if self.lost_up <= 0.0 or self.rng.random() >= self.lost_up:
                self._put(self._up, tick, frame)

    def send_down(self, tick: int, frame: bytes) -> None:
        """Put a frame of the server's on the way."""
        if self.lost_down <= 0.0 or self.rng.random() >= self.lost_down:
            self._put(self._down, tick, frame)

    def arrived_up(self, tick: int) -> list[bytes]:
        """What the server hears by *tick*."""
        return _due(self._up, tick)

    def arrived_down(self, tick: int) -> list[bytes]:
        """What the truck hears by *tick*."""
        return _due(self._down, tick)

    def _put(self, flying: list[tuple[int, int, bytes]], tick: int, frame: bytes) -> None:
        due = tick + link.NEXT_TICK
        if self.twice:
            self._push(flying, due, frame)
        scatter = int(self.rng.integers(0, self.scatter_ticks + 1)) if self.scatter_ticks else 0
        self._push(flying, due + self.late_ticks + scatter, frame)

    def _push(self, flying: list[tuple[int, int, bytes]], due: int, frame: bytes) -> None:
        self._count += 1
        heapq.heappush(flying, (due, self._count, frame))


def _due(flying: list[tuple[int, int, bytes]], tick: int) -> list[bytes]:
    found = []
    while flying and flying[0][0] <= tick:
        found.append(heapq.heappop(flying)[2])
    return found


class Radio:
    """Carries frames between a fleet and its server, tick by tick."""

    def __init__(self, spec: LinkPart, trucks: Trucks, stream: Callable[[str, str], np.random.Generator]) -> None:
        self._trucks = trucks
        self._ways: dict[int, Way] = {}
        self.shed = 0
        # Who else is told what reaches the trucks: the frame, and the row of the one truck it reaches, None for all that travel together.
        self.listener: Callable[[bytes, int | None], None] | None = None
        self._up, self._down = (
            link.Wire(stream("gateway-1", way), delay_ticks=spec.delay_ticks, jitter_ticks=spec.jitter_ticks, loss=spec.loss)
            for way in ("uplink", "downlink")
        )

    def part(self, row: int, way: Way) -> None:
        """From now on the truck of *row* travels by *way*."""
        self._ways[row] = way
        self._trucks.set_apart(row, apart=True)

    def rejoin(self, row: int) -> None:
        """The truck of *row* travels with the others again; what was under way by its own is lost."""
        del self._ways[row]
        self._trucks.set_apart(row, apart=False)

    def way(self, row: int) -> Way | None:
        """The way of its own that a truck has, if any."""
        return self._ways.get(row)

    def hear(self, tick: int, now_ns: int) -> None:
        """Let the trucks hear what has arrived."""
        for frame in self._down.arrived(tick):
            self._reach(frame, now_ns, None)
        for row, way in self._ways.items():
            for frame in way.arrived_down(tick):
                self._reach(frame, now_ns, row)

    def _reach(self, frame: bytes, now_ns: int, only: int | None) -> None:
        self._trucks.hear(frame, now_ns, only)
        if self.listener is not None:
            self.listener(frame, only)

    def speak(self, tick: int, mast: Mast) -> None:
        """Send what the trucks say, and let the server hear what has arrived."""
        said = self._trucks.say(tick)
        if said is not None:
            self._up.send(tick, said)
        for frame in self._up.arrived(tick):
            mast.say(frame)
        for row, way in self._ways.items():
            own = self._trucks.say_apart(row, tick, reports=not way.silent_reports)
            if own is not None:
                way.send_up(tick, own)
            for frame in way.arrived_up(tick):
                self._say_own(mast, frame, way.gateway)

    def _say_own(self, mast: Mast, frame: bytes, gateway: int) -> None:
        """One truck's frame: a server that has no room for it says so, and that is its answer."""
        try:
            mast.say(frame, gateway)
        except Overloaded:
            self.shed += 1

    def forge(self, row: int, frame: bytes, now_ns: int) -> None:
        """Let one truck hear a frame that is not the server's."""
        self._trucks.hear(frame, now_ns, only=row)

    def send(self, tick: int, frame: bytes, gateway: int = OWN_GATEWAY) -> None:
        """Send one frame of the server's towards the trucks."""
        if gateway == OWN_GATEWAY:
            self._down.send(tick, frame)
        for way in self._ways.values():
            if way.gateway == gateway:
                way.send_down(tick, frame)
