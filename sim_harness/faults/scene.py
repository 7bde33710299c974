"""What a fault can lay hands on, and what it is while it lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from planner.corridor import Corridor
from sim_harness import link
from sim_harness.clock import Streams
from sim_harness.faults.spec import FaultSpec
from sim_harness.fleet_columns import FleetColumns
from sim_harness.in_memory import InMemoryServer
from sim_harness.plant import Plant
from sim_harness.radio import Radio


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that can be broken, and ways to speak to it. *call* makes a unary request as a person or machine would."""

    corridor: Corridor
    streams: Streams
    fleet: FleetColumns
    radio: Radio
    plant: Plant
    server: InMemoryServer
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
