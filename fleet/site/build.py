"""From the drawn site to the sound `Corridor`: zones are derived, units turned to SI, the digest taken."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fleet.site.drafts import Draft
from fleet.site.envelopes import derive_zones
from fleet.site.format import ProcessSpec, StretchSpec, TruckTypeSpec, WindowSpec
from fleet.site.source import YamlPath
from planner.corridor import (
    Corridor,
    CorridorFault,
    Lane,
    Process,
    Stretch,
    TruckType,
    Window,
    Yard,
    YardRole,
    Zone,
    ZoneKind,
    ZonePart,
)

KMH: Final = 3.6
# Where two lanes run near each other every metre of one is held against every metre of the other.
LANE_MAX_M: Final = 4_000.0
ROAD_MAX_M: Final = 500_000.0
STANDINGS: Final = {"P": "published", "D": "derived", "A": "assumption"}


def _require_drawable(draft: Draft, lanes: Sequence[Lane]) -> None:
    """
    Refuse a site so long that comparing its lanes would fill the memory: a slip of the pen must not end a server that reads it.

    Raises:
        SiteError: a lane, or all of them together, are too long.
    """
    for lane in lanes:
        if lane.length_m > LANE_MAX_M:
            problem = f"lane {lane.lane_id!r} is {lane.length_m:.0f} m long"
            raise draft.error(("lanes", lane.lane_id), problem, f"draw a road of more than {LANE_MAX_M:g} m as several lanes")
    whole_m = sum(lane.length_m for lane in lanes)
    if whole_m > ROAD_MAX_M:
        raise draft.error(("lanes",), f"the lanes are {whole_m / 1e3:.0f} km in all", f"a site has at most {ROAD_MAX_M / 1e3:g} km")


def corridor_of(draft: Draft) -> Corridor:
    """
    The corridor that *draft* describes, with its derived zones and digest.

    Raises:
        SiteError: a stretch, yard, window or type cannot be.
    """
    spec = draft.spec
    lanes = tuple(lane.value() for lane in draft.lanes.values())
    _require_drawable(draft, lanes)
    truck_types = tuple(_truck_type(name, written) for name, written in spec.truck_types.items())
    zones = (*_authored_zones(draft), *derive_zones(lanes, truck_types))
    no_stops = tuple(_stretch(draft, written, ("no_stops", name)) for name, written in spec.no_stops.items())
    yards = _yards(draft)
    parts = (
        tuple(draft.nodes.values()),
        lanes,
        zones,
        no_stops,
        tuple(draft.gates.values()),
        tuple(draft.stands.values()),
        yards,
        truck_types,
    )
    origin = (spec.origin.latitude_deg, spec.origin.longitude_deg)
    return Corridor(
        site_id=spec.site,
        origin_latitude_deg=origin[0],
        origin_longitude_deg=origin[1],
        nodes=parts[0],
        lanes=lanes,
        zones=zones,
        no_stops=no_stops,
        gates=parts[4],
        stands=parts[5],
        yards=yards,
        truck_types=truck_types,
        windows=_windows(draft, "windows", spec.windows),
        shift_handovers=_windows(draft, "shift_handovers", spec.shift_handovers),
        processes={name: _process(name, written) for name, written in spec.processes.items()},
        digest=_digest(spec.site, origin, parts),
        assumed={path: _standing(text) for path, text in spec.standings.items()},
    )


def _digest(site: str, origin: tuple[float, float], parts: Sequence[Sequence[object]]) -> str:
    """
    SHA-256 of the canonical form: what a truck must agree with us about.

    Windows, processes and standings are not in it: opening times may change without a map change.
    """
    names = ("nodes", "lanes", "zones", "no_stops", "gates", "stands", "yards", "truck_types")
    body: dict[str, object] = {"site": site, "origin": origin, **dict(zip(names, parts, strict=True))}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_fields)
    return hashlib.sha256(text.encode()).hexdigest()


def _fields(value: object) -> dict[str, object]:
    """A dataclass as a mapping, one level deep: the encoder asks again for what is inside."""
    return {name: getattr(value, name) for name in _names(cast("Hashable", type(value)))}


@cache
def _names(declared: Hashable) -> tuple[str, ...]:
    assert is_dataclass(declared)
    return tuple(entry.name for entry in fields(declared))


def _standing(text: str) -> str:
    letter, _, reason = text.partition(" ")
    return f"{STANDINGS[letter]}: {reason}" if reason else STANDINGS[letter]


def _truck_type(name: str, written: TruckTypeSpec) -> TruckType:
    figures = written.model_dump(exclude={"speed_max_kmh", "battery_kwh"})
    return TruckType(
        truck_type_id=name,
        speed_max_mps=written.speed_max_kmh / KMH,
        battery_wh=written.battery_kwh * 1000.0,
        **{key: float(value) for key, value in figures.items()},
    )


def _stretch(draft: Draft, written: StretchSpec, path: YamlPath) -> Stretch:
    draft.require("lane", written.lane, draft.lanes, (*path, "lane"))
    length_m = _length_m(draft, written.lane)
    end_m = length_m if written.end_m is None else written.end_m
    if end_m > length_m:
        raise draft.error((*path, "end_m"), f"end_m {end_m:g} lies beyond lane {written.lane!r}", f"the lane is {length_m:.1f} m long")
    try:
        return Stretch(lane_id=written.lane, start_m=written.start_m, end_m=end_m)
    except CorridorFault as fault:
        raise draft.error(path, str(fault), "start_m comes before end_m") from fault


def _length_m(draft: Draft, lane_id: str) -> float:
    lane: Lane = draft.lanes[lane_id].value()
    return lane.length_m


def _authored_zones(draft: Draft) -> tuple[Zone, ...]:
    made: list[Zone] = []
    for name, written in draft.spec.zones.items():
        path: YamlPath = ("zones", name)
        parts = tuple(
            ZonePart(branch=branch, stretch=_stretch(draft, stretch, (*path, "branches", branch, ix)))
            for branch, stretches in enumerate(written.branches)
            for ix, stretch in enumerate(stretches)
        )
        draft.claim("zone", name, path)
        made.append(Zone(zone_id=name, kind=ZoneKind(written.kind), parts=parts, derived=False))
    return tuple(made)


def _yards(draft: Draft) -> tuple[Yard, ...]:
    made: list[Yard] = []
    for name, written in draft.spec.yards.items():
        path: YamlPath = ("yards", name)
        for ix, lane_id in enumerate(written.entry_lanes):
            draft.require("lane", lane_id, draft.lanes, (*path, "entry_lanes", ix))
        try:
            ZoneInfo(written.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise draft.error(
                (*path, "timezone"), f"there is no time zone {written.timezone!r}", "use a name like Asia/Shanghai"
            ) from error
        made.append(Yard(yard_id=name, role=YardRole(written.role), timezone=written.timezone, entry_lane_ids=tuple(written.entry_lanes)))
    return tuple(made)


def _windows(draft: Draft, section: str, written: Sequence[WindowSpec]) -> tuple[Window, ...]:
    made: list[Window] = []
    for ix, window in enumerate(written):
        try:
            made.append(Window(open_s=_seconds(window.open), close_s=_seconds(window.close)))
        except CorridorFault as fault:
            raise draft.error((section, ix), str(fault), 'write "06:00" to "26:00" for two in the morning of the next day') from fault
    return tuple(made)


def _seconds(clock_time: str) -> int:
    hours, minutes = clock_time.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def _process(name: str, written: ProcessSpec) -> Process:
    figures = {
        "triangular": (written.least_s, written.mode_s, written.most_s),
        "lognormal": (written.mean_s, written.cv, written.least_s),
        "fixed": (written.fixed_s, 0.0, 0.0),
    }[written.shape]
    a, b, c = (float(value or 0.0) for value in figures)
    return Process(process_id=name, shape=written.shape, a=a, b=b, c=c)
