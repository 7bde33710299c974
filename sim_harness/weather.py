"""
Weather as a part of the day: what it does to the road, and who tells the server.

A spell is a kind of weather from an hour to an hour. Several may meet; the worst of each thing counts. The road has the
friction that the weather leaves it from the moment a spell begins; the people who watch the weather tell the server before that,
with an operator's own commands: speed limits first, so that nobody drives too fast on what is coming, then the friction of every
lane. Once it is over they tell it in the other order. A server that is told late, or not at all, is no weather but a fault.

    kind    friction   at most    more
    clear   0.7                   the worst counts: it lifts nothing
    rain    0.5
    snow    0.25       15 km/h
    ice     0.12       10 km/h
    dust    0.7        10 km/h    where one sees 200 m or less; everybody stops below 100 m, or in wind above 25 m/s
    fog     0.7        10 km/h    as dust, without the wind
    cold    0.7                   -30 degrees: three quarters of the battery, brakes 0.3 s later, 25 kW of heating; of whole runs

All figures are assumptions. Rain, snow and ice may state a friction of their own: rain that freezes is as slippery as ice, and slows
nobody down. Cold is of whole runs because the delay of the brakes belongs to the truck's type, which every truck
and the server must agree on beforehand.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from fleet.site.names import did_you_mean
from planner.corridor import Corridor
from planner.limits import FRICTION_DRY
from sim_harness.parts import Hours, Part

KMH: Final = 3.6
COLD: Final = "cold"
SEEN_SLOW_M: Final = 200.0
SEEN_STOP_M: Final = 100.0
WIND_STOP_MPS: Final = 25.0
COLD_BATTERY_SHARE: Final = 0.75
COLD_BRAKES_S: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What one kind of weather does; *dims*: how far one sees matters, *blows*: so does the wind."""

    friction: float = FRICTION_DRY
    speed_max_kmh: float = math.inf
    dims: bool = False
    blows: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "clear": Kind(),
    "rain": Kind(friction=0.5),
    "snow": Kind(friction=0.25, speed_max_kmh=15.0),
    "ice": Kind(friction=0.12, speed_max_kmh=10.0),
    "dust": Kind(speed_max_kmh=10.0, dims=True, blows=True),
    "fog": Kind(speed_max_kmh=10.0, dims=True),
    COLD: Kind(),
}


def _refuse(message: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("scenario", "{text}", {"text": f"{message}; {hint}"})


class Spell(Part):
    """One kind of weather from an hour of the run to another, or to its end."""

    kind: str = Field(description="one of " + ", ".join(KINDS))
    from_h: Hours = Field(default=0.0, description="hours after time 0")
    to_h: Hours | None = Field(default=None, description="hours after time 0; the run's end when left out")
    friction: float | None = Field(
        default=None, ge=0.08, le=FRICTION_DRY, description="of the road in rain, snow or ice; the kind's when left out"
    )
    visibility_m: float | None = Field(default=None, gt=0.0, le=1e5, description="how far one sees in dust or fog; 200 when left out")
    wind_mps: float | None = Field(default=None, ge=0.0, le=100.0, description="of a dust storm")

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise _refuse(f"there is no weather {self.kind!r}", did_you_mean(self.kind, KINDS))
        if self.to_h is not None and self.to_h <= self.from_h:
            raise _refuse(f"{self.kind} is over at {self.to_h:g} h, before it begins", "to_h comes after from_h")
        if self.friction is not None and kind.friction == FRICTION_DRY:
            raise _refuse(f"friction does not matter in {self.kind}", "it is of rain, snow and ice")
        if self.visibility_m is not None and not kind.dims:
            raise _refuse(f"visibility_m does not matter in {self.kind}", "it is of dust and fog")
        if self.wind_mps is not None and not kind.blows:
            raise _refuse(f"wind_mps does not matter in {self.kind}", "it is of dust")
        if self.kind == COLD and (self.from_h > 0.0 or self.to_h is not None):
            raise _refuse("cold lasts for a whole run", "leave out from_h and to_h: the brakes' delay is part of the trucks' type")
        return self

    def stated(self) -> dict[str, Any]:
        """What was stated, without what was left out: `Spell(**stated)` is the same spell."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def conditions(self) -> Conditions:
        """What the road is like in it."""
        kind = KINDS[self.kind]
        seen_m = self.visibility_m or SEEN_SLOW_M
        slow = kind.speed_max_kmh < math.inf and not (kind.dims and seen_m > SEEN_SLOW_M)
        return Conditions(
            friction=self.friction or kind.friction,
            speed_max_mps=kind.speed_max_kmh / KMH if slow else math.inf,
            stopped=(kind.dims and seen_m < SEEN_STOP_M) or (self.wind_mps or 0.0) > WIND_STOP_MPS,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the road is like, and whether anybody may drive on it."""

    friction: float = FRICTION_DRY
    speed_max_mps: float = math.inf
    stopped: bool = False

    def worse(self, other: Conditions) -> Conditions:
        """The worst of both."""
        return Conditions(
            friction=min(self.friction, other.friction),
            speed_max_mps=min(self.speed_max_mps, other.speed_max_mps),
            stopped=self.stopped or other.stopped,
        )


FAIR: Final = Conditions()


def listed(value: Any) -> Any:
    """Spells as they may be written: `ice`, `[ice, cold]`, or the spells themselves."""
    entries = value if isinstance(value, list | tuple) else [value]
    return [{"kind": entry} if isinstance(entry, str) else entry for entry in entries]


def timeline(spells: Sequence[Spell], hours: float) -> list[tuple[float, Conditions]]:
    """From which second on the road is like what; the first from 0, and none beyond *hours*."""
    edges = {0.0} | {spell.from_h for spell in spells} | {spell.to_h for spell in spells if spell.to_h is not None}
    changes: list[tuple[float, Conditions]] = []
    for edge_h in sorted(edge for edge in edges if edge < hours):
        now = FAIR
        for spell in spells:
            if spell.from_h <= edge_h and (spell.to_h is None or edge_h < spell.to_h):
                now = now.worse(spell.conditions)
        if not changes or changes[-1][1] != now:
            changes.append((edge_h * 3600.0, now))
    return changes


def told(changes: Sequence[tuple[float, Conditions]], margin_s: float) -> list[tuple[float, Conditions]]:
    """
    From which second on the server is to hold what of the road: what is worse by *margin_s* ahead, what is better so much later.

    It is the worst that the road is within that margin of the moment, so that weather that comes and goes quickly is not told in
    the wrong order.
    """
    ends_s = [*(at_s for at_s, _ in changes[1:]), math.inf]
    moments = {0.0} | {max(0.0, at_s + shift_s) for at_s, _ in changes[1:] for shift_s in (-margin_s, margin_s)}
    found: list[tuple[float, Conditions]] = []
    for moment_s in sorted(moments):
        now = FAIR
        for (at_s, there), end_s in zip(changes, ends_s, strict=True):
            if at_s <= moment_s + margin_s and end_s > moment_s - margin_s:
                now = now.worse(there)
        if not found or found[-1][1] != now:
            found.append((moment_s, now))
    return found


def is_cold(spells: Sequence[Spell]) -> bool:
    """Whether it is cold, all along."""
    return any(spell.kind == COLD for spell in spells)


def wintry(corridor: Corridor) -> Corridor:
    """*corridor* as its trucks are in the cold; the digest is another, for the types are part of it."""
    types = tuple(
        replace(kind, brake_dead_s=kind.brake_dead_s + COLD_BRAKES_S, battery_wh=COLD_BATTERY_SHARE * kind.battery_wh)
        for kind in corridor.truck_types
    )
    digest = hashlib.sha256(f"{corridor.digest} {COLD}".encode()).hexdigest()
    return replace(corridor, truck_types=types, digest=digest)


def slowed(corridor: Corridor, now: Conditions) -> Corridor:
    """*corridor* with no lane faster than the weather lets anybody drive."""
    lanes = tuple(replace(lane, speed_max_mps=min(lane.speed_max_mps, now.speed_max_mps)) for lane in corridor.lanes)
    return replace(corridor, lanes=lanes)
