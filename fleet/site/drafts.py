"""A site on its way from file to corridor: placed nodes, drawn lanes, and the path in the file each thing came from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from fleet.site.format import SiteSpec
from fleet.site.names import SiteError, did_you_mean
from fleet.site.shapes import Alignment, FloatArray, Pose, lengths_m
from fleet.site.source import Source, YamlPath
from planner.corridor import Gate, GradePiece, Lane, Node, Stand


@dataclass(frozen=True, kw_only=True)
class DrawnLane:
    """A lane with its points; *stations_m* (n,) where it follows an alignment."""

    lane_id: str
    from_node_id: str
    to_node_id: str
    points: FloatArray
    stations_m: FloatArray | None
    speed_mps: float
    width_m: float
    grades: tuple[GradePiece, ...]

    def chainage_of(self, station_m: float) -> float | None:
        """Chainage where the lane passes *station_m*; None where it does not."""
        if self.stations_m is None:
            return None
        low, high = float(self.stations_m.min()), float(self.stations_m.max())
        if not low <= station_m <= high:
            return None
        along, stations = lengths_m(self.points), self.stations_m
        if stations[0] > stations[-1]:
            along, stations = along[::-1], stations[::-1]
        return float(np.interp(station_m, stations, along))

    def value(self) -> Lane:
        """The lane as the planner knows it."""
        return Lane(
            lane_id=self.lane_id,
            from_node_id=self.from_node_id,
            to_node_id=self.to_node_id,
            points=tuple((float(x), float(y)) for x, y in self.points),
            length_m=round(float(lengths_m(self.points)[-1]), 3),
            width_m=self.width_m,
            speed_max_mps=self.speed_mps,
            grades=self.grades,
        )


@dataclass(kw_only=True)
class Draft:
    """What expansion has made so far, and where each thing is written."""

    spec: SiteSpec
    source: Source
    roads: dict[str, Alignment] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    poses: dict[str, Pose] = field(default_factory=dict)
    lanes: dict[str, DrawnLane] = field(default_factory=dict)
    gates: dict[str, Gate] = field(default_factory=dict)
    stands: dict[str, Stand] = field(default_factory=dict)
    origins: dict[tuple[str, str], YamlPath] = field(default_factory=dict)

    def error(self, path: YamlPath, problem: str, advice: str) -> SiteError:
        """A `SiteError` that points at *path*."""
        return self.source.error(path, problem, advice)

    def claim(self, kind: str, name: str, path: YamlPath) -> None:
        """
        Note that *name* of *kind* is made at *path*.

        Raises:
            SiteError: something else already made one of that name.
        """
        if (kind, name) in self.origins:
            _, line = self.source.place(self.origins[kind, name])
            raise self.error(path, f"{kind} {name!r} is made twice, first at line {line}", "rename one of them")
        self.origins[kind, name] = path

    def require(self, kind: str, name: str, known: object, path: YamlPath) -> None:
        """
        Refuse a reference to what is not there.

        Raises:
            SiteError: *name* is not in *known*.
        """
        assert isinstance(known, dict)
        if name not in known:
            raise self.error(path, f"there is no {kind} {name!r}", did_you_mean(name, known))


def lane_grades(draft: Draft, road: str | None, points: FloatArray, stations_m: FloatArray | None) -> tuple[GradePiece, ...]:
    """Grade pieces of a lane that follows *road*, positive uphill in the direction of travel; level where no road says."""
    profile = draft.spec.alignments[road].grades if road is not None else []
    if not profile or stations_m is None:
        return (GradePiece(from_m=0.0, grade=0.0),)
    along = lengths_m(points)
    falling = bool(stations_m[0] > stations_m[-1])
    low, high = (stations_m[-1], stations_m[0]) if falling else (stations_m[0], stations_m[-1])
    starts = [-math.inf, *(entry.from_station_m for entry in profile)]
    ends = [*starts[1:], math.inf]
    values = [0.0, *(entry.grade for entry in profile)]
    pieces: list[GradePiece] = []
    spans = [
        (max(a, low), min(b, high), grade) for a, b, grade in zip(starts, ends, values, strict=True) if min(b, high) > max(a, low) + 1e-9
    ]
    for first, last, grade in reversed(spans) if falling else spans:
        at = last if falling else first
        share = (at - stations_m[0]) / (stations_m[-1] - stations_m[0])
        from_m = 0.0 if not pieces else round(float(share * along[-1]), 3)
        value = -grade if falling else grade
        if not pieces or pieces[-1].grade != value:
            pieces.append(GradePiece(from_m=from_m, grade=value + 0.0))
    return tuple(pieces)


def set_gate(draft: Draft, gate: Gate, path: YamlPath) -> None:
    """
    Add *gate* if it lies on its lane in the right order.

    Raises:
        SiteError: it does not.
    """
    length_m = draft.lanes[gate.lane_id].value().length_m
    ordered = 0.0 <= gate.call_m <= gate.stop_line_m <= gate.barrier_m <= gate.clear_m <= length_m
    if not ordered:
        raise draft.error(
            path,
            f"gate {gate.gate_id!r} does not fit its lane of {length_m:.1f} m: called at {gate.call_m:g}, stop line {gate.stop_line_m:g}, "
            f"barrier {gate.barrier_m:g}, clear {gate.clear_m:g}",
            "needs 0 <= call <= stop line <= barrier <= clear <= length",
        )
    draft.claim("gate", gate.gate_id, path)
    draft.gates[gate.gate_id] = gate
