"""What a fault can lay hands on, and what it is while it lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from fleet.server.fleet_view import FleetView
from planner.corridor import Corridor
from sim_harness import link
from sim_harness.books import Causes
from sim_harness.clock import Streams
from sim_harness.faults.spec import FaultSpec
from sim_harness.fleet_columns import FleetColumns
from sim_harness.plant import Plant
from sim_harness.radio import Radio


@runtime_checkable
class Breakable(Protocol):
    """A server that can be broken, and what it shows of itself; *behind*: it was started on an old copy of its journal."""

    behind: bool

    @property
    def epoch(self) -> int:
        """The term of the server in charge."""

    @property
    def answers(self) -> bool:
        """Whether there is a server that hears, and answers in time."""

    def say(self, frame: bytes, gateway: int = 0) -> None:
        """Give it a gateway's frame."""

    def causes(self) -> Causes:
        """Why each standing truck stands; without a server, for want of one."""

    def fleet(self) -> FleetView | None:
        """Its picture of the trucks; None without a server."""

    def intrusions(self) -> tuple[str, ...]:
        """The open intrusions; none without a server."""

    def kill(self) -> None:
        """It dies between two ticks."""

    def start(self) -> None:
        """Start one on the journal of the last, if there is none."""

    def freeze(self) -> None:
        """It stops where it is; its streams stay up."""

    def thaw(self) -> None:
        """It goes on: all that was said meanwhile comes at once."""

    def slow(self, every_ticks: int) -> None:
        """It decides only once in so many ticks; 1 for as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that can be broken, and ways to speak to it. *call* makes a unary request as a person or machine would."""

    corridor: Corridor
    streams: Streams
    fleet: FleetColumns
    radio: Radio
    plant: Plant
    server: Breakable
    call: Callable[[str, link.Request], None]
    now_ns: Callable[[], int]

    def row(self, spec: FaultSpec) -> int:
        """Row of the truck that *spec* is aimed at."""
        assert spec.truck is not None
        return self.fleet.row[spec.truck]

    def under(self, spec: FaultSpec) -> list[int]:
        """Rows of the trucks any part of whose body lies on the stretch that *spec* is aimed at."""
        assert spec.lane is not None
        assert spec.from_m is not None
        assert spec.to_m is not None
        return self.fleet.rows_on(self.corridor.lane_ix[spec.lane], spec.from_m, spec.to_m)


class Effect(Protocol):
    """A fault at work, from its beginning to its end."""

    def begin(self) -> None:
        """Break it."""

    def tick(self) -> None:
        """What it does every tick, before the trucks move."""

    def end(self) -> None:
        """Mend it."""
