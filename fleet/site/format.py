"""
What may stand in a site file.

Places are metres in the local frame, or *stations* along an alignment (the road's reference line) with an offset to its left,
as road surveyors write them. Every name ends in its unit. Lanes, fans and gates are mappings by id, so that a variant file can
override or remove one entry (`null`) of the site it extends.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from planner.limits import LANE_LIMIT_MIN_MPS

Metres = Annotated[float, Field(ge=-100_000.0, le=100_000.0)]
Positive = Annotated[float, Field(gt=0.0, le=100_000.0)]
NotNegative = Annotated[float, Field(ge=0.0, le=1_000_000.0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
ClockTime = Annotated[str, Field(pattern=r"^([0-3][0-9]|4[0-8]):[0-5][0-9]$")]
Grade = Annotated[float, Field(ge=-0.12, le=0.12)]
# As an operator's limit of a lane: on one that is driven slower nobody ever arrives.
SpeedKmh = Annotated[float, Field(ge=round(3.6 * LANE_LIMIT_MIN_MPS, 2), le=90.0)]
Standing = Annotated[str, Field(pattern=r"^[PDA]( .+)?$", max_length=300)]


class Strict(BaseModel):
    """No unknown keys, no text where a number belongs."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True, allow_inf_nan=False)


class OriginSpec(Strict):
    """Where east 0, north 0 lies, WGS-84."""

    latitude_deg: float = Field(ge=-90.0, le=90.0)
    longitude_deg: float = Field(ge=-180.0, le=180.0)


class PlaceSpec(Strict):
    """A place and the heading of travel there: east and north, or a station of an alignment and an offset to its left."""

    x_m: Metres | None = None
    y_m: Metres | None = None
    bearing_deg: float | None = Field(default=None, ge=-360.0, le=360.0, description="heading of travel, clockwise from north")
    on: Name | None = Field(default=None, description="alignment")
    station_m: Metres | None = None
    offset_m: Metres = 0.0
    reverse: bool = Field(default=False, description="travel runs against the alignment's stations")

    @model_validator(mode="after")
    def _one_way_of_saying_it(self) -> Self:
        by_frame = self.x_m is not None and self.y_m is not None and self.on is None and self.station_m is None
        by_road = self.on is not None and self.station_m is not None and self.x_m is None and self.y_m is None
        if by_frame == by_road:
            raise ValueError("a place needs either x_m and y_m, or on and station_m")
        return self


class PieceSpec(Strict):
    """One piece of an alignment: a straight, or an arc that turns left or right."""

    straight_m: Positive | None = None
    arc_deg: Annotated[float, Field(gt=0.0, le=360.0)] | None = None
    radius_m: Positive | None = None
    turn: Literal["left", "right"] | None = None

    @model_validator(mode="after")
    def _straight_or_arc(self) -> Self:
        arc = (self.arc_deg, self.radius_m, self.turn)
        if (self.straight_m is None) == (None in arc) or (self.straight_m is not None and any(arc)):
            raise ValueError("a piece is either straight_m, or arc_deg with radius_m and turn")
        return self


class StationGradeSpec(Strict):
    """Grade along the stations from here to the next entry; rise over run, positive uphill in the direction of the stations."""

    from_station_m: Metres
    grade: Grade


class AlignmentSpec(Strict):
    """A reference line that places are measured along."""

    start: PlaceSpec
    pieces: list[PieceSpec] = Field(min_length=1, max_length=200)
    grades: list[StationGradeSpec] = Field(default_factory=list, max_length=500)


class LaneGradeSpec(Strict):
    """Grade of a lane from a chainage to the next entry or the lane's end, positive uphill in the direction of travel."""

    from_m: NotNegative
    grade: Grade


class LaneSpec(Strict):
    """
    One direction of travel between two nodes.

    Between two nodes of one alignment the lane follows it, shifting smoothly where the offsets differ. With *points* it is that
    polyline; with *radius_m* the shortest arc-straight-arc from heading to heading; else straight.
    """

    from_: Name = Field(alias="from")
    to: Name
    speed_kmh: SpeedKmh | None = None
    width_m: Annotated[float, Field(gt=0.0, le=30.0)] | None = None
    radius_m: Positive | None = None
    points: list[list[Metres]] | None = Field(default=None, max_length=2000)
    grades: list[LaneGradeSpec] | None = None

    @model_validator(mode="after")
    def _points_are_pairs(self) -> Self:
        if self.points is not None and any(len(point) != 2 for point in self.points):
            raise ValueError("each of points is a pair [x_m, y_m]")
        if self.points is not None and self.radius_m is not None:
            raise ValueError("a lane has points or radius_m, not both")
        return self


StandKindName = Literal["bay", "parking", "swap", "plug", "siding"]


class StandRowSpec(Strict):
    """Stands of one kind on one side of the through lane, numbered outwards."""

    side: Literal["left", "right"]
    kind: StandKindName
    count: int = Field(ge=1, le=40)


class FanSpec(Strict):
    """
    Parallel stands between two nodes of one straight alignment, and a through lane between them.

    Each stand is one lane: an S-curve of *lead_m* out, a straight slot, an S-curve back. The nose rests *stop_before_end_m* before
    the slot's end.
    """

    yard: Name
    from_: Name = Field(alias="from")
    to: Name
    rows: list[StandRowSpec] = Field(min_length=1, max_length=20)
    spacing_m: Annotated[float, Field(gt=0.0, le=100.0)]
    lead_m: Positive
    stop_before_end_m: NotNegative = 8.5
    speed_kmh: SpeedKmh | None = None
    through_speed_kmh: SpeedKmh | None = None
    prefix: Name | None = Field(default=None, description="ids begin so; a number or kind and number follow")


GateRoleName = Literal["exit", "border", "customs", "portal", "xray", "entry"]


class BarrierSpec(Strict):
    """What a gate's barrier looks like from the stop line on."""

    barrier_after_m: NotNegative = 3.0
    clear_after_m: NotNegative = Field(default=6.0, description="after the stop line, where the tail must have passed")
    call_before_m: NotNegative = Field(default=5.0, description="a truck is called when its nose is this near the stop line")


class GateFanSpec(BarrierSpec):
    """Parallel gate lanes between two nodes of one straight alignment; with *through*, also a lane past them."""

    role: GateRoleName
    process: Name
    from_: Name = Field(alias="from")
    to: Name
    offsets_m: list[Metres] = Field(min_length=1, max_length=16)
    lead_m: Positive
    stop_station_m: Metres
    through: bool = False
    speed_kmh: SpeedKmh | None = None
    through_speed_kmh: SpeedKmh | None = None
    width_m: Annotated[float, Field(gt=0.0, le=30.0)] | None = None


class GateSpec(BarrierSpec):
    """One gate on a lane, its stop line at a station of the lane's alignment or at a chainage."""

    lane: Name
    role: GateRoleName
    process: Name
    stop_station_m: Metres | None = None
    stop_m: NotNegative | None = None
    drive_through: bool = Field(default=False, description="called in motion; the stop line is where the decision must have come")

    @model_validator(mode="after")
    def _one_stop_line(self) -> Self:
        if (self.stop_station_m is None) == (self.stop_m is None):
            raise ValueError("a gate needs stop_station_m or stop_m")
        return self


class StandSpec(Strict):
    """A single stand on a lane."""

    yard: Name
    lane: Name
    kind: StandKindName
    stop_m: NotNegative


class StretchSpec(Strict):
    """Metres of a lane [start, end); without end_m, to the lane's end."""

    lane: Name
    start_m: NotNegative = 0.0
    end_m: NotNegative | None = None
    why: str = ""


class ZoneSpec(Strict):
    """A zone the author adds to those derived: one truck at a time, or one direction at a time."""

    kind: Literal["exclusive", "directional"]
    branches: list[list[StretchSpec]] = Field(min_length=1, max_length=32)


class YardSpec(Strict):
    """A supervision yard, or the checkpoint between."""

    role: Literal["loading", "unloading", "checkpoint"]
    timezone: str = Field(min_length=1, max_length=64)
    entry_lanes: list[Name] = Field(default_factory=list, max_length=32)


class WindowSpec(Strict):
    """Opening times, local clock; `26:00` is two in the morning of the next day."""

    open: ClockTime
    close: ClockTime


class ProcessSpec(Strict):
    """How long something takes. Triangular: least, mode, most. Lognormal: mean, cv, least. Fixed: seconds."""

    shape: Literal["triangular", "lognormal", "fixed"]
    least_s: NotNegative | None = None
    mode_s: NotNegative | None = None
    most_s: NotNegative | None = None
    mean_s: NotNegative | None = None
    cv: NotNegative | None = None
    fixed_s: NotNegative | None = None

    @model_validator(mode="after")
    def _figures_of_the_shape(self) -> Self:
        needed = {
            "triangular": ("least_s", "mode_s", "most_s"),
            "lognormal": ("mean_s", "cv", "least_s"),
            "fixed": ("fixed_s",),
        }[self.shape]
        given = {name for name in ("least_s", "mode_s", "most_s", "mean_s", "cv", "fixed_s") if getattr(self, name) is not None}
        if given != set(needed):
            raise ValueError(f"shape {self.shape} needs exactly {', '.join(needed)}")
        if self.shape == "triangular" and not (self.least_s or 0) <= (self.mode_s or 0) <= (self.most_s or 0):
            raise ValueError("a triangular shape needs least_s <= mode_s <= most_s")
        return self


class TruckTypeSpec(Strict):
    """What the controller must know of a truck to keep it safe."""

    length_m: Annotated[float, Field(gt=0.0, le=60.0)]
    width_m: Annotated[float, Field(gt=0.0, le=8.0)]
    wheelbase_m: Annotated[float, Field(gt=0.0, le=40.0)]
    lateral_error_m: NotNegative
    tare_kg: Positive
    load_max_kg: Positive
    speed_max_kmh: SpeedKmh
    acceleration_laden_mps2: Positive
    acceleration_empty_mps2: Positive
    brake_service_mps2: Positive
    brake_guaranteed_mps2: Positive
    brake_dead_s: NotNegative
    brake_build_up_s: NotNegative
    traction_cutoff_s: NotNegative
    jerk_mps3: Positive
    roll_back_m: NotNegative
    bound_max_m: Positive
    battery_kwh: Positive


class DefaultsSpec(Strict):
    """What lanes have that do not say otherwise."""

    speed_kmh: SpeedKmh
    width_m: Annotated[float, Field(gt=0.0, le=30.0)]


class SiteSpec(Strict):
    """A site file, with what it extends already merged in."""

    site: Name
    title: str = Field(default="", max_length=300)
    standings: dict[str, Standing] = Field(description="path of a figure, or of a group of figures, to P source, D reason or A reason")
    origin: OriginSpec
    defaults: DefaultsSpec
    alignments: dict[Name, AlignmentSpec] = Field(default_factory=dict)
    nodes: dict[Name, PlaceSpec]
    lanes: dict[Name, LaneSpec]
    fans: dict[Name, FanSpec] = Field(default_factory=dict)
    gate_fans: dict[Name, GateFanSpec] = Field(default_factory=dict)
    gates: dict[Name, GateSpec] = Field(default_factory=dict)
    stands: dict[Name, StandSpec] = Field(default_factory=dict)
    no_stops: dict[Name, StretchSpec] = Field(default_factory=dict)
    zones: dict[Name, ZoneSpec] = Field(default_factory=dict)
    yards: dict[Name, YardSpec]
    windows: list[WindowSpec] = Field(min_length=1, max_length=10)
    shift_handovers: list[WindowSpec] = Field(default_factory=list, max_length=10)
    processes: dict[Name, ProcessSpec]
    truck_types: dict[Name, TruckTypeSpec] = Field(min_length=1)
