"""
The corridor as frozen values: nodes, lanes, stretches, zones, gates, stands, yards and the truck types it admits.

Everything lies in one local frame, east and north in metres from the site's WGS-84 origin. A lane has one direction;
chainage is metres from its entry node. Values are checked when built, so whoever holds a `Corridor` holds a sound one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final


class CorridorFault(ValueError):
    """A corridor value that cannot be: the message names the thing and the reason."""


def _require(sound: bool, message: str) -> None:
    if not sound:
        raise CorridorFault(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A point where lanes begin and end; east and north in metres."""

    node_id: str
    x_m: float
    y_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GradePiece:
    """Constant grade from *from_m* to the next piece or the lane's end; rise over run, positive uphill."""

    from_m: float
    grade: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """
    One direction of travel between two nodes.

    Chainage is metres from the entry node along *points* and grows in the direction of travel.
    """

    lane_id: str
    from_node_id: str
    to_node_id: str
    points: tuple[tuple[float, float], ...]
    length_m: float
    width_m: float
    speed_max_mps: float
    grades: tuple[GradePiece, ...] = (GradePiece(from_m=0.0, grade=0.0),)

    def __post_init__(self) -> None:
        _require(self.length_m > 0.0, f"lane {self.lane_id}: length_m must be positive, is {self.length_m}")
        _require(self.width_m > 0.0, f"lane {self.lane_id}: width_m must be positive, is {self.width_m}")
        _require(self.speed_max_mps > 0.0, f"lane {self.lane_id}: speed_max_mps must be positive, is {self.speed_max_mps}")
        _require(len(self.points) >= 2, f"lane {self.lane_id}: needs at least two points")
        _require(bool(self.grades) and self.grades[0].from_m == 0.0, f"lane {self.lane_id}: grades must begin at 0 m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Half-open metres of a lane [start, end)."""

    lane_id: str
    start_m: float
    end_m: float

    def __post_init__(self) -> None:
        _require(
            0.0 <= self.start_m < self.end_m,
            f"stretch of {self.lane_id}: needs 0 <= start_m < end_m, is [{self.start_m}, {self.end_m})",
        )


class ZoneKind(StrEnum):
    """
    How a zone may be shared.

    EXCLUSIVE: one truck. DIRECTIONAL: one branch at a time, many trucks, spaced along it as on a lane. Derived merges,
    diverges and crossings are directional, each lane a branch.
    """

    EXCLUSIVE = "exclusive"
    DIRECTIONAL = "directional"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonePart:
    """The metres of one lane that lie in a zone; parts of one *branch* do not exclude each other."""

    branch: int
    stretch: Stretch


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """Metres only one holder may occupy: a truck, or the trucks of one branch."""

    zone_id: str
    kind: ZoneKind
    parts: tuple[ZonePart, ...]
    derived: bool

    @property
    def one_lane(self) -> bool:
        """Whether this is a one-lane section: an authored zone that trucks of two directions pass in turns, one behind the other."""
        return not self.derived and self.kind is ZoneKind.DIRECTIONAL and {part.branch for part in self.parts} == {0, 1}

    def lies_within(self, section: Zone) -> bool:
        """Whether this zone excludes nothing that *section* does not: each of its branches lies within one, and not within the same."""
        over: dict[int, set[int]] = {}
        for part in self.parts:
            at = part.stretch
            around = {
                other.branch
                for other in section.parts
                if other.stretch.lane_id == at.lane_id and other.stretch.start_m <= at.start_m and at.end_m <= other.stretch.end_m
            }
            over.setdefault(part.branch, set()).update(around or {NO_ZONE})
        return {frozenset(each) for each in over.values()} == {frozenset({0}), frozenset({1})}


class GateRole(StrEnum):
    """What a gate is for."""

    EXIT = "exit"
    BORDER = "border"
    CUSTOMS = "customs"
    PORTAL = "portal"
    XRAY = "xray"
    ENTRY = "entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """
    A barrier lane at the checkpoint.

    A truck asks to be processed when its nose stands at *stop_line_m* (or, drive-through, when it passes *call_m*); no
    authority passes *stop_line_m* until the gate is proven open for that truck. The tail beyond *clear_m* ends the passage.
    """

    gate_id: str
    lane_id: str
    role: GateRole
    process: str
    call_m: float
    stop_line_m: float
    barrier_m: float
    clear_m: float
    drive_through: bool = False

    def __post_init__(self) -> None:
        ordered = 0.0 <= self.call_m <= self.stop_line_m <= self.barrier_m <= self.clear_m
        _require(ordered or self.drive_through, f"gate {self.gate_id}: needs call_m <= stop_line_m <= barrier_m <= clear_m")


class StandKind(StrEnum):
    """What a truck does at a stand."""

    BAY = "bay"
    PARKING = "parking"
    SWAP = "swap"
    PLUG = "plug"
    SIDING = "siding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A refuge: a place on a lane, the nose at *stop_m*, where a standing truck blocks nobody."""

    stand_id: str
    yard_id: str
    kind: StandKind
    lane_id: str
    stop_m: float


class YardRole(StrEnum):
    """Coal is loaded in one yard and unloaded in the other; a checkpoint only has sidings."""

    LOADING = "loading"
    UNLOADING = "unloading"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Yard:
    """A supervision yard; entered when a nose passes onto one of *entry_lane_ids*."""

    yard_id: str
    role: YardRole
    timezone: str
    entry_lane_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TruckType:
    """
    What the controller must know of a truck to keep it safe; part of the map digest.

    Decelerations are positive. *brake_guaranteed* is the worst the brakes deliver with no friction limit; laden or empty
    alike where a type does not say. *brake_dead_s* and *brake_build_up_s* include the cold-weather lag.
    """

    truck_type_id: str
    length_m: float
    width_m: float
    wheelbase_m: float
    lateral_error_m: float
    tare_kg: float
    load_max_kg: float
    speed_max_mps: float
    acceleration_laden_mps2: float
    acceleration_empty_mps2: float
    brake_service_mps2: float
    brake_guaranteed_mps2: float
    brake_dead_s: float
    brake_build_up_s: float
    traction_cutoff_s: float
    jerk_mps3: float
    roll_back_m: float
    bound_max_m: float
    battery_wh: float

    def __post_init__(self) -> None:
        for name in ("length_m", "width_m", "tare_kg", "speed_max_mps", "brake_service_mps2", "brake_guaranteed_mps2"):
            _require(getattr(self, name) > 0.0, f"truck type {self.truck_type_id}: {name} must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Seconds after local midnight between which the border is open; *close_s* may exceed 86,400 to pass midnight."""

    open_s: int
    close_s: int

    def __post_init__(self) -> None:
        _require(0 <= self.open_s < 86_400, f"window: open_s must lie in a day, is {self.open_s}")
        _require(self.open_s < self.close_s <= self.open_s + 86_400, "window: close_s must follow open_s within a day")


BAY_PROCESS: Final = "bay"
"""The process that says how long a visit to a bay takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """
    How long a gate or bay takes, seconds.

    *a*, *b*, *c* as the *shape* reads them: triangular: least, mode, most; lognormal: mean, coefficient of variation,
    least; fixed: seconds.
    """

    process_id: str
    shape: str
    a: float
    b: float = 0.0
    c: float = 0.0

    @property
    def mean_s(self) -> float:
        """Expected seconds; of a cut lognormal the uncut mean, which is less."""
        return (self.a + self.b + self.c) / 3.0 if self.shape == "triangular" else self.a


@dataclass(frozen=True, kw_only=True)
class Corridor:
    """The closed road between two yards, across the border. Orders of the tuples are the rows of the planner's tables."""

    site_id: str
    origin_latitude_deg: float
    origin_longitude_deg: float
    nodes: tuple[Node, ...]
    lanes: tuple[Lane, ...]
    zones: tuple[Zone, ...]
    no_stops: tuple[Stretch, ...]
    gates: tuple[Gate, ...]
    stands: tuple[Stand, ...]
    yards: tuple[Yard, ...]
    truck_types: tuple[TruckType, ...]
    windows: tuple[Window, ...]
    shift_handovers: tuple[Window, ...]
    processes: Mapping[str, Process]
    digest: str
    assumed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def lane_ix(self) -> Mapping[str, int]:
        """Row of each lane."""
        return {lane.lane_id: ix for ix, lane in enumerate(self.lanes)}

    @cached_property
    def gate_ix(self) -> Mapping[str, int]:
        """Row of each gate."""
        return {gate.gate_id: ix for ix, gate in enumerate(self.gates)}

    @cached_property
    def stand_ix(self) -> Mapping[str, int]:
        """Row of each stand."""
        return {stand.stand_id: ix for ix, stand in enumerate(self.stands)}

    @cached_property
    def type_ix(self) -> Mapping[str, int]:
        """Row of each truck type."""
        return {kind.truck_type_id: ix for ix, kind in enumerate(self.truck_types)}

    @cached_property
    def section_of_zone(self) -> tuple[int, ...]:
        """
        By zone, the row of the one-lane section it is part of: itself, or the section within whose two branches it lies; else `NO_ZONE`.

        Where the two directions of a section lie on the same ground, zones are derived within it that add nothing to it.
        """
        sections = [ix for ix, zone in enumerate(self.zones) if zone.one_lane]
        of = [ix if zone.one_lane else NO_ZONE for ix, zone in enumerate(self.zones)]
        for ix, zone in enumerate(self.zones):
            if zone.derived:
                of[ix] = next((section for section in sections if zone.lies_within(self.zones[section])), NO_ZONE)
        return tuple(of)

    @cached_property
    def yard_by_role(self) -> Mapping[YardRole, Yard]:
        """The yard that plays each role."""
        return {yard.role: yard for yard in self.yards}


NO_ZONE: Final = -1
