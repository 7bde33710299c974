"""What the page is told, as plain data: short names, since a thousand trucks are told twice a second."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from fleet.client.site_values import Site
from fleet.client.values import AllStop, ControlLease, FleetTotals, Truck
from fleet.console.axis import Axis

# Of the WGS-84 ellipsoid: metres in a degree at a latitude, good to a centimetre over the few kilometres of a corridor.
EQUATOR_M: Final = 6_378_137.0
SQUARED_ECCENTRICITY: Final = 6.694379990141e-3
KMH_PER_MPS: Final = 3.6


class Globe:
    """East and north of a site as longitude and latitude."""

    def __init__(self, site: Site) -> None:
        self._latitude_deg, self._longitude_deg = site.origin_latitude_deg, site.origin_longitude_deg
        sine = math.sin(math.radians(self._latitude_deg))
        root = math.sqrt(1.0 - SQUARED_ECCENTRICITY * sine * sine)
        # Radii of curvature in the meridian and across it.
        self.north_m_per_deg = math.radians(EQUATOR_M * (1.0 - SQUARED_ECCENTRICITY) / root**3)
        self.east_m_per_deg = math.radians(EQUATOR_M / root) * math.cos(math.radians(self._latitude_deg))

    def place(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Longitude and latitude, degrees."""
        return (self._longitude_deg + east_m / self.east_m_per_deg, self._latitude_deg + north_m / self.north_m_per_deg)


def site_data(site: Site, axis: Axis) -> Mapping[str, Any]:
    """The map, with every lane's line and its place on the corridor's axis."""
    globe = Globe(site)
    lanes = {
        lane.lane_id: {
            "line": [globe.place(east_m, north_m) for east_m, north_m in zip(lane.east_m, lane.north_m, strict=True)],
            "from": lane.from_node_id,
            "to": lane.to_node_id,
            "length_m": lane.length_m,
            "width_m": lane.width_m,
            "speed_kmh": round(lane.speed_max_mps * KMH_PER_MPS, 1),
            "span_m": axis.span_m[lane.lane_id],
        }
        for lane in site.lanes
    }
    return {
        "site_id": site.site_id,
        "digest": site.digest,
        "origin": globe.place(0.0, 0.0),
        "m_per_deg": (globe.east_m_per_deg, globe.north_m_per_deg),
        "axis_m": axis.length_m,
        "lanes": lanes,
        "zones": [asdict(zone) for zone in site.zones],
        "no_stops": [asdict(part) for part in site.no_stops],
        "gates": [{**asdict(gate), "along_m": axis.along_m(gate.lane_id, gate.stop_line_m)} for gate in site.gates],
        "stands": [asdict(stand) for stand in site.stands],
        "yards": [asdict(yard) for yard in site.yards],
        "types": {kind.truck_type_id: asdict(kind) for kind in site.truck_types},
    }


def truck_data(truck: Truck) -> dict[str, Any]:
    """One truck; absent is None."""
    nose, end, standing = truck.nose, truck.end, truck.standing_for
    return {
        "id": truck.truck_id,
        "type": truck.truck_type_id,
        "session": truck.session,
        "mission": truck.mission,
        "lane": nose.lane_id if nose else None,
        "at_m": round(nose.chainage_m, 2) if nose else None,
        "e": round(truck.east_m, 2),
        "n": round(truck.north_m, 2),
        "h": round(truck.heading_rad, 4),
        "v": round(truck.speed_mps, 2),
        "laden": truck.laden,
        "end_lane": end.lane_id if end else None,
        "end_m": round(end.chainage_m, 2) if end else None,
        "wh": round(truck.battery_wh),
        "age_s": None if truck.report_age is None else round(truck.report_age, 1),
        "goal": truck.goal_id,
        "boxes": [box.container_id for box in truck.containers],
        "trips": truck.round_trips,
        "held": truck.held,
        "out": truck.decommissioned,
        "brakes": round(truck.brake_health, 2),
        "for": None if standing is None else [standing.kind, standing.subject_id, milliseconds(standing.since)],
    }


def stop_data(stop: AllStop) -> dict[str, Any]:
    """An all-stop."""
    return {**asdict(stop), "since": milliseconds(stop.since)}


def control_data(control: ControlLease | None) -> dict[str, Any] | None:
    """Who has control, and until when; None while nobody has."""
    return None if control is None else {"holder": control.holder, "until": milliseconds(control.expire_time)}


def totals_data(totals: FleetTotals | None) -> dict[str, Any]:
    """The day so far; nothing before it was told."""
    return {} if totals is None else asdict(totals)


def milliseconds(when: datetime | None) -> int | None:
    """A time as browsers count: milliseconds of Unix time."""
    return None if when is None else round(when.timestamp() * 1000.0)


def plain(value: Any) -> Any:
    """Any answer of the SDK as JSON has it."""
    if isinstance(value, datetime):
        return milliseconds(value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value
