"""Places, and the map they lie on, as the server answers them: frozen, field names as on the wire."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePoint:
    """A place on a lane."""

    lane_id: str
    chainage_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Half-open metres of one lane."""

    lane_id: str
    start_m: float
    end_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLane:
    """A lane's middle line, metres east and north of the site's origin."""

    lane_id: str
    from_node_id: str
    to_node_id: str
    length_m: float
    width_m: float
    speed_max_mps: float
    east_m: tuple[float, ...]
    north_m: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteZone:
    """Metres of several lanes that exclude each other; *derived*: they follow from where lanes meet."""

    zone_id: str
    one_lane: bool
    derived: bool
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteGate:
    """A barrier lane at the checkpoint."""

    gate_id: str
    lane_id: str
    role: str
    stop_line_m: float
    clear_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteStand:
    """A place where a standing truck blocks nobody."""

    stand_id: str
    yard_id: str
    kind: str
    lane_id: str
    stop_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteYard:
    """Where trucks are loaded or unloaded, or a checkpoint with sidings."""

    yard_id: str
    role: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteTruckType:
    """A kind of truck the site admits, as far as it can be drawn."""

    truck_type_id: str
    length_m: float
    width_m: float
    battery_wh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The map the server drives by, for drawing."""

    site_id: str
    digest: str
    origin_latitude_deg: float
    origin_longitude_deg: float
    lanes: tuple[SiteLane, ...]
    zones: tuple[SiteZone, ...]
    gates: tuple[SiteGate, ...]
    stands: tuple[SiteStand, ...]
    yards: tuple[SiteYard, ...]
    no_stops: tuple[Stretch, ...]
    truck_types: tuple[SiteTruckType, ...]
