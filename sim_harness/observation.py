"""
What the simulator shows of itself: columns of true motion every tick, samples of it for the record, and totals at the end.

The truth is the simulator's, never the server's picture: poses come from the dynamics, ends of authority from what each
truck holds onboard. Arrays handed to an observer are the simulator's own and change at the next tick: whoever keeps them copies.

Events an observer may hear (`Recorder.event`), each with time_s and

    run_started        scenario, seed, trucks                 order_created      order_id, containers
    order_due          order_id, containers, late             weather_changed    friction, speed_max_kmh, stopped
    train_held         gates, truck_id                        level_crossing_shut, level_crossing_opened   gates
    loading_started    truck_id, bay_id                       loaded             truck_id, bay_id, mass_kg
    unloading_started  truck_id, bay_id                       unloaded           truck_id, bay_id, mass_kg, containers
    charging_started   truck_id, bay_id                       charged            truck_id, bay_id, energy_wh
    loader_broke, loader_mended   bay_id                      work_broke_off     truck_id, bay_id (nothing on or off)
    gate_called        truck_id, gate_id                      gate_opened        truck_id, gate_id
    gate_passed        truck_id, gate_id, wait_s              gate_shut          gate_id
    crossing_declared  truck_id, crossing_id                  crossing_decided   truck_id, crossing_id, decision
    yard_entered       truck_id, yard_id                      round_trip_done    truck_id, duration_s (absent: began inside)
    truck_stopped      truck_id, lane_id, chainage_m, cause   truck_moved        truck_id, stood_s, cause
    battery_empty      truck_id, reason                       emergency_braked   truck_id, cause
    contact_lost, contact_regained   truck_id
    command_refused    method, reason                         truck_refused      truck_id, reason
    fault_injected     fault, truck_id                        fault_ended        fault, truck_id
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from planner.corridor import Corridor, TruckType

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int32]
FlagArray = npt.NDArray[np.bool_]
SmallArray = npt.NDArray[np.int8]

# A body of 16.5 m across the shortest lanes of a fan.
BODY_LANES: Final = 6
TICK_S: Final = 0.1
SAMPLE_TICKS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Who takes part; row i everywhere is truck i."""

    corridor: Corridor
    truck_ids: tuple[str, ...]
    truck_types: tuple[TruckType, ...]

    def column(self, name: str) -> FloatArray:
        """The trucks' types' field *name* as a column (n,)."""
        return np.array([float(getattr(kind, name)) for kind in self.truck_types], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class TickView:
    """
    The truth after one tick.

    lane_ix, chainage_m   (n,) the nose, half-open lanes
    body_lanes            (n, BODY_LANES) rows of the lanes under the body from the nose back to the tail, -1 fills
    nose_path_m           (n,) the nose on the truck's own running path coordinate
    end_path_m            (n,) end of authority held onboard on the same coordinate; nan when none is held
    speed_mps, acceleration_mps2   (n,) along the path
    laden                 (n,)
    mode                  (n,) what the supervisor demands: 0 hold, 1 drive, 2 service brake, 3 emergency brake
    grade_least           (n,) lowest grade from the tail to the end held, or well beyond the stopping distance; positive uphill
    friction              (n,) true road friction under the truck
    brake_health          (n,) true brakes, 1 as declared
    undeclared            (n,) brakes, grip, place or speed are worse than declared, or were and the truck has not come to rest since
    """

    time_s: float
    lane_ix: IndexArray
    chainage_m: FloatArray
    body_lanes: IndexArray
    nose_path_m: FloatArray
    end_path_m: FloatArray
    speed_mps: FloatArray
    acceleration_mps2: FloatArray
    laden: FlagArray
    mode: SmallArray
    grade_least: FloatArray
    friction: FloatArray
    brake_health: FloatArray
    undeclared: FlagArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    The truth for the record, twice a second.

    end_lane_ix, end_chainage_m   (n,) the end held onboard as a place; -1 and nan when none is held
    standing_cause                per truck: the named cause it stands for; "" while it moves; "unexplained" is a failure
    """

    view: TickView
    end_lane_ix: IndexArray
    end_chainage_m: FloatArray
    standing_cause: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The day in figures, as `report.json` wants them before checks and percentiles are added."""

    scenario: str
    seed: int
    trace_hash: str
    sim_seconds: float
    wall_seconds: float
    truck_km: float
    round_trips: int
    round_trip_s: Sequence[float]
    tonnes: float
    gate_wait_s: Sequence[float]
    waiting_s_by_cause: Mapping[str, float]
    unexplained_wait_s: float
    emergency_brakes: int
    energy_wh: float
    shared_grounds: int = 0
    barriers_driven_through: int = 0
    stranding_ends: int = 0
    standstills: int = 0
    standstill_since_s: float | None = None
    longest_wait_s: float = 0.0
    contact_breaches: int = 0
    word_breaches: int = 0
    false_books: int = 0
    containment_breaches: int = 0
    containers_due: int = 0
    containers_late: int = 0
    weather: Sequence[Mapping[str, object]] = field(default_factory=tuple)
    faults: Sequence[Mapping[str, object]] = field(default_factory=tuple)
    failures: Sequence[str] = field(default_factory=tuple)


class Recorder(Protocol):
    """Keeps the truth and the events."""

    def sample(self, sample: Sample) -> None:
        """Keep one sample."""

    def event(self, time_s: float, event: str, **fields: object) -> None:
        """Keep one event."""


class Checker(Protocol):
    """Watches every tick for what must never be."""

    def tick(self, view: TickView) -> None:
        """Look at one tick."""
