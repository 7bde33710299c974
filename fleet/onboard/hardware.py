"""What the supervisor needs of the truck it sits in: who it is, what it senses, and what its actuators accept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from fleet.onboard.supervisor import Build, Mode
from fleet.onboard.words import LanePoint
from fleet.wire_version import CURRENT
from planner.corridor import TruckType
from planner.limits import TICK_PERIOD_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """
    Who this truck is. *boot_id* must be new at every start: the report clock begins with it.

    *map_digest* names the site the truck drives by, empty when it takes its road from routes alone.
    """

    truck_id: str
    instance_id: str
    boot_id: str
    truck_type_id: str
    map_digest: str = ""
    software: str = "khulan-onboard"
    wire_version: int = CURRENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensors:
    """
    One reading of everything the supervisor looks at.

    *stamp_ns* the truck's monotonic clock; *nose* lane and chainage; *bound_m* guaranteed; *friction* 0: no opinion, what slipping
    wheels tell is made of *slipping*; *retarder_mps2* deceleration that the motors give by themselves, negative when they pull, 0
    where the truck cannot tell; *obstacle_m* metres from the nose to something on the road, infinite when it is free;
    *body_lane_ids* lanes from the tail's to the nose's, needed only until the first route has come; *loaded_digest* names a site it
    has loaded beside the one it drives by.
    """

    stamp_ns: int
    nose: LanePoint
    speed_mps: float
    acceleration_mps2: float
    bound_m: float
    laden: bool
    intact: bool = True
    immobilised: bool = False
    friction: float = 0.0
    slipping: bool = False
    retarder_mps2: float = 0.0
    battery_wh: float = 0.0
    obstacle_m: float = math.inf
    body_lane_ids: tuple[str, ...] = ()
    loaded_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """
    What the actuators do until the next one.

    *acceleration_demand_mps2* is the net acceleration along the path, grade included; *immobilise* sets the parking brake.
    *map_digest* names the site to drive by, *load_digest* one to load beside it and to say so in the sensors; both are empty for
    a truck that takes its road from routes alone, *load_digest* also when no other site is wanted.
    """

    mode: Mode
    acceleration_demand_mps2: float
    speed_target_mps: float
    immobilise: bool
    map_digest: str = ""
    load_digest: str = ""


def build_of(kind: TruckType, *, laden: bool, step_s: float = TICK_PERIOD_S) -> Build:
    """The supervisor's view of a truck type under load or empty."""
    return Build(
        kind.length_m,
        kind.speed_max_mps,
        kind.acceleration_laden_mps2 if laden else kind.acceleration_empty_mps2,
        kind.brake_service_mps2,
        kind.brake_guaranteed_mps2,
        kind.brake_dead_s,
        kind.brake_build_up_s,
        kind.traction_cutoff_s,
        kind.roll_back_m,
        kind.jerk_mps3,
        step_s,
    )


class TruckHardware(Protocol):
    """
    The truck itself, as its maker provides it.

    The hardware must brake to a standstill by itself when no command has come for half a second: that is what stops a truck
    whose onboard computer hangs or dies.
    """

    def sensors(self) -> Sensors:
        """The newest reading; must not block."""
        ...

    def actuate(self, command: Command) -> None:
        """Does as told until the next command; must not block."""
        ...
