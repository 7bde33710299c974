"""
Plane curves that a truck can drive: alignments, S-curves beside them, and arc-straight-arc between two headings.

Angles are radians counter-clockwise from east; offsets are metres to the left of the direction of the stations. Points come
back as (n, 2) arrays at most `STEP_M` apart in curves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
STEP_M: Final = 1.0
# An S-curve of two arcs turns by less than a right angle only while it shifts less than it advances.
SHIFT_RATIO_MAX: Final = 0.99


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A place and the heading of travel there."""

    x_m: float
    y_m: float
    heading_rad: float


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A straight (*curvature* 0) or an arc, from *from_m* for *length_m*, beginning at *start*; curvature positive to the left."""

    from_m: float
    length_m: float
    curvature: float
    start: Pose

    def base(self, along_m: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """East, north and heading at each of *along_m*, (n,)."""
        start = self.start
        heading = start.heading_rad + self.curvature * along_m
        if self.curvature == 0.0:
            return start.x_m + along_m * math.cos(start.heading_rad), start.y_m + along_m * math.sin(start.heading_rad), heading
        east = start.x_m + (np.sin(heading) - math.sin(start.heading_rad)) / self.curvature
        north = start.y_m + (math.cos(start.heading_rad) - np.cos(heading)) / self.curvature
        return east, north, heading

    def at(self, along_m: float) -> Pose:
        """The pose *along_m* into the piece; beyond its ends it goes on as it is."""
        east, north, heading = self.base(np.array([along_m]))
        return Pose(x_m=float(east[0]), y_m=float(north[0]), heading_rad=float(heading[0]))


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """A reference line made of pieces."""

    pieces: tuple[Piece, ...]

    @property
    def length_m(self) -> float:
        """Stations run from 0 to this."""
        return self.pieces[-1].from_m + self.pieces[-1].length_m

    def pose(self, station_m: float, offset_m: float) -> Pose:
        """Place and heading at *station_m*, *offset_m* to the left; straight on beyond the ends."""
        point = self.points(np.array([station_m]), np.array([offset_m]))[0]
        along_m = min(max(station_m, 0.0), self.length_m)
        piece = next((piece for piece in reversed(self.pieces) if piece.from_m <= along_m), self.pieces[0])
        heading = piece.start.heading_rad + piece.curvature * (along_m - piece.from_m)
        return Pose(x_m=float(point[0]), y_m=float(point[1]), heading_rad=heading)

    def points(self, stations_m: FloatArray, offsets_m: FloatArray) -> FloatArray:
        """Points at each station and offset, (n, 2)."""
        starts = np.array([piece.from_m for piece in self.pieces])
        rows = np.clip(np.searchsorted(starts, stations_m + 1e-9, side="right") - 1, 0, len(starts) - 1)
        made = np.zeros((len(stations_m), 2))
        for row in np.unique(rows):
            piece, mine = self.pieces[row], rows == row
            along = np.clip(stations_m[mine] - piece.from_m, 0.0, piece.length_m)
            over = stations_m[mine] - piece.from_m - along
            east, north, heading = piece.base(along)
            made[mine, 0] = east + over * np.cos(heading) - offsets_m[mine] * np.sin(heading)
            made[mine, 1] = north + over * np.sin(heading) + offsets_m[mine] * np.cos(heading)
        return made

    def breaks_m(self, low_m: float, high_m: float) -> list[float]:
        """Stations strictly between where a sampled line needs a point: piece ends, and steps along arcs."""
        made: list[float] = []
        for piece in self.pieces:
            first, last = max(low_m, piece.from_m), min(high_m, piece.from_m + piece.length_m)
            if last <= first:
                continue
            if piece.curvature:
                count = max(1, math.ceil((last - first) / STEP_M))
                made.extend(float(value) for value in np.linspace(first, last, count + 1))
            else:
                made.extend((first, last))
        return sorted({round(value, 6) for value in made if low_m + 1e-6 < value < high_m - 1e-6})


def alignment(start: Pose, pieces: Sequence[tuple[float, float]]) -> Alignment:
    """An alignment from *start*; each of *pieces* is (length_m, curvature)."""
    made: list[Piece] = []
    from_m, pose = 0.0, start
    for length_m, curvature in pieces:
        made.append(Piece(from_m=from_m, length_m=length_m, curvature=curvature, start=pose))
        pose = made[-1].at(length_m)
        from_m += length_m
    return Alignment(pieces=tuple(made))


def shift_radius_m(advance_m: float, shift_m: float) -> float:
    """Radius of the two arcs that shift a line by *shift_m* sideways within *advance_m*."""
    return math.inf if shift_m == 0.0 else (advance_m**2 + shift_m**2) / (4.0 * abs(shift_m))


def s_curve(advance_m: float, shift_m: float) -> tuple[FloatArray, FloatArray]:
    """
    Two equal arcs, tangent to the line at both ends: advances and shifts, from (0, 0) to (*advance_m*, *shift_m*).

    *shift_m* may be negative; its size must be below `SHIFT_RATIO_MAX` of *advance_m*.
    """
    if shift_m == 0.0:
        return np.array([0.0, advance_m]), np.array([0.0, 0.0])
    radius = shift_radius_m(advance_m, shift_m)
    angle = 2.0 * math.atan2(abs(shift_m), advance_m)
    count = max(2, math.ceil(radius * angle / STEP_M))
    turns = np.linspace(0.0, angle, count + 1)
    advance = radius * np.sin(turns)
    shift = radius * (1.0 - np.cos(turns))
    advances = np.concatenate([advance, advance_m - advance[-2::-1]])
    shifts = np.concatenate([shift, abs(shift_m) - shift[-2::-1]])
    return advances, np.copysign(shifts, shift_m)


def follow(road: Alignment, start: tuple[float, float], end: tuple[float, float]) -> FloatArray:
    """
    Points along *road* from (station, offset) *start* to *end*, shifting smoothly where the offsets differ.

    Stations may fall: travel then runs against them.
    """
    (station_a, offset_a), (station_b, offset_b) = start, end
    advance_m = abs(station_b - station_a)
    sign = 1.0 if station_b >= station_a else -1.0
    advances, shifts = s_curve(advance_m, offset_b - offset_a)
    inner = np.array([abs(value - station_a) for value in road.breaks_m(min(station_a, station_b), max(station_a, station_b))])
    if inner.size and offset_a == offset_b:
        advances = np.unique(np.concatenate([advances, inner]))
        shifts = np.zeros_like(advances)
    return road.points(station_a + sign * advances, offset_a + shifts)


def arc_straight_arc(start: Pose, end: Pose, radius_m: float) -> FloatArray | None:
    """
    The shortest arc, straight, arc of *radius_m* from *start* to *end*; None where the radius is too large for it.

    L. E. Dubins, American Journal of Mathematics 79 (1957); only the curves with a straight in the middle.
    """
    dx, dy = (end.x_m - start.x_m) / radius_m, (end.y_m - start.y_m) / radius_m
    gap = math.hypot(dx, dy)
    bearing = math.atan2(dy, dx)
    alpha, beta = (start.heading_rad - bearing) % math.tau, (end.heading_rad - bearing) % math.tau
    best: tuple[float, tuple[float, float, float], tuple[int, int]] | None = None
    for first in (1, -1):
        for last in (1, -1):
            words = _dubins_word(alpha, beta, gap, first, last)
            # An arc of a full turn less a rounding error is an arc of nothing.
            if words is None:
                continue
            words = tuple(0.0 if math.tau - angle < 1e-6 and ix != 1 else angle for ix, angle in enumerate(words))  # type: ignore[assignment]
            if best is None or sum(words) < best[0]:
                best = (sum(words), words, (first, last))
    if best is None:
        return None
    _, (turn_a, straight, turn_b), (first, last) = best
    made = alignment(start, [(turn_a * radius_m, first / radius_m), (straight * radius_m, 0.0), (turn_b * radius_m, last / radius_m)])
    stations = np.array([0.0, *made.breaks_m(0.0, made.length_m), made.length_m])
    return made.points(stations, np.zeros_like(stations))


def _dubins_word(alpha: float, beta: float, gap: float, first: int, last: int) -> tuple[float, float, float] | None:
    """Angles and straight, in radii, of the word that turns *first* then *last* (left 1, right -1)."""
    # Centres of the two circles, the start at the origin heading alpha, the end at (gap, 0) heading beta.
    ax, ay = -first * math.sin(alpha), first * math.cos(alpha)
    bx, by = gap - last * math.sin(beta), last * math.cos(beta)
    apart = math.hypot(bx - ax, by - ay)
    toward = math.atan2(by - ay, bx - ax)
    if first == last:
        straight, heading = apart, toward
    elif apart < 2.0:
        return None
    else:
        straight = math.sqrt(apart**2 - 4.0)
        heading = toward + first * math.atan2(2.0, straight)
    return (first * (heading - alpha)) % math.tau, straight, (last * (beta - heading)) % math.tau


def lengths_m(points: FloatArray) -> FloatArray:
    """Chainage of each point, (n,), 0 first."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])


def resample(points: FloatArray, step_m: float) -> tuple[FloatArray, FloatArray]:
    """Chainages at most *step_m* apart from end to end, and the points there."""
    along = lengths_m(points)
    count = max(1, math.ceil(along[-1] / step_m))
    stations = np.linspace(0.0, along[-1], count + 1)
    return stations, np.column_stack([np.interp(stations, along, points[:, 0]), np.interp(stations, along, points[:, 1])])
