"""
One moment of a run, to scale: bodies as boxes, the road that each truck may still use, and its end.

The moment is the one to look at first (`Report.worst`). The nearest sample of the record is drawn, at most a quarter of a second
away. The picture is turned so that the truck it is about drives to the right; a strip above shows the whole corridor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline
from shapely.ops import substring

from planner.corridor import Corridor
from sim_harness.geometry import LaneLines
from sim_harness.observation import FloatArray, Roster
from sim_harness.palette import EMPTY, GATE, INK, LADEN, ROAD, STAND, STYLE, ZONE
from sim_harness.recording import TRAJECTORY
from sim_harness.stringline import STANDING_MPS, Unrolled, chain_of_lanes

NEAR_S: Final = 0.5
# The scene is as wide as what it is about, within these half widths.
HALF_LEAST_M: Final = 40.0
HALF_MOST_M: Final = 110.0
AROUND_M: Final = 18.0
# Height over width of the scene's panel.
SHAPE: Final = 0.34
# Road given to trucks one after another in these colours; the truck that the moment is about has the first.
ROADS: Final = (STAND, "#2f7ed8", "#18794e", "#8f5bd6", "#c2571a", "#0f8a8a")
NOSE_M: Final = 2.5
# Lines are cut so far beyond the frame that their ends are not seen.
BEYOND_M: Final = 8.0
# Zones are drawn a little narrower than lanes.
ZONE_M: Final = 3.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One truck at the moment; *end* is lane and chainage of the end it holds, None where it holds none."""

    truck_id: str
    lane_id: str
    chainage_m: float
    nose: FloatArray
    rear: FloatArray
    width_m: float
    speed_mps: float
    laden: bool
    mode: str
    end: tuple[str, float] | None

    @property
    def box(self) -> FloatArray:
        """(4, 2) corners of the body, from rear to nose."""
        along = (self.nose - self.rear) / max(1e-6, float(np.hypot(*(self.nose - self.rear))))
        across = 0.5 * self.width_m * np.array([-along[1], along[0]])
        return np.array([self.rear + across, self.nose + across, self.nose - across, self.rear - across])

    @property
    def words(self) -> str:
        """What is written beside it."""
        does = {"emergency_brake": ", emergency brake", "service_brake": ", brakes"}.get(self.mode, "")
        return f"{self.truck_id} " + ("stands" if self.speed_mps < STANDING_MPS else f"{3.6 * self.speed_mps:.0f} km/h{does}")


def read_instant(out_dir: Path, roster: Roster, time_s: float) -> tuple[float, list[Placed]]:
    """The sample nearest to *time_s* in the recording under *out_dir*, and its time; no trucks where there is none that near."""
    keep = (pc.field("time_s") >= time_s - NEAR_S) & (pc.field("time_s") <= time_s + NEAR_S)
    rows: list[dict[str, Any]] = pq.read_table(out_dir / TRAJECTORY, filters=keep).to_pylist()
    if not rows:
        return time_s, []
    nearest_s = min((row["time_s"] for row in rows), key=lambda known: abs(known - time_s))
    width_m = dict(zip(roster.truck_ids, roster.column("width_m").tolist(), strict=True))
    found = [
        Placed(
            truck_id=row["truck_id"],
            lane_id=row["lane_id"],
            chainage_m=row["chainage_m"],
            nose=np.array([row["x_m"], row["y_m"]]),
            rear=np.array([row["rear_x_m"], row["rear_y_m"]]),
            width_m=width_m[row["truck_id"]],
            speed_mps=row["speed_mps"],
            laden=row["laden"],
            mode=row["mode"],
            end=None if row["end_lane_id"] is None else (row["end_lane_id"], row["end_chainage_m"]),
        )
        for row in rows
        if row["time_s"] == nearest_s
    ]
    return float(nearest_s), found


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Turns site metres so that the truck in the middle drives to the right."""

    middle: FloatArray
    along: FloatArray

    def of(self, points: FloatArray) -> FloatArray:
        """*points* (k, 2) in the frame."""
        moved = np.atleast_2d(points) - self.middle
        return np.column_stack([moved @ self.along, moved @ np.array([-self.along[1], self.along[0]])])


def _lane_line(corridor: Corridor, lane_id: str) -> shapely.LineString:
    return shapely.LineString(corridor.lanes[corridor.lane_ix[lane_id]].points)


def _piece(corridor: Corridor, lane_id: str, start_m: float, end_m: float) -> FloatArray:
    """Points of a stretch of a lane; chainage is stretched so that the line's end is the lane's."""
    lane, line = corridor.lanes[corridor.lane_ix[lane_id]], _lane_line(corridor, lane_id)
    share = line.length / lane.length_m
    points: FloatArray = shapely.get_coordinates(substring(line, start_m * share, end_m * share))
    return points


def road_ahead(corridor: Corridor, truck: Placed) -> FloatArray:
    """(k, 2) the way from the nose to the end held; empty where none is held or it is passed."""
    if truck.end is None:
        return np.empty((0, 2))
    lane_id, chainage_m = truck.end
    if lane_id == truck.lane_id and chainage_m >= truck.chainage_m:
        return _piece(corridor, lane_id, truck.chainage_m, chainage_m)
    chain = chain_of_lanes(corridor, truck.lane_id, frozenset({lane_id}))
    if len(chain) < 2:
        return np.empty((0, 2))
    first, *between, last = chain
    parts = [_piece(corridor, first.lane_id, truck.chainage_m, first.length_m)]
    parts += [np.array(lane.points, dtype=np.float64) for lane in between]
    return np.vstack([*parts, _piece(corridor, last.lane_id, 0.0, chainage_m)])


def _end_bar(corridor: Corridor, end: tuple[str, float], half_m: float) -> FloatArray:
    """(2, 2) a stroke across the lane at an end of authority."""
    lane_id, chainage_m = end
    here = _piece(corridor, lane_id, max(0.0, chainage_m - 0.5), chainage_m + 0.5)
    along = (here[-1] - here[0]) / max(1e-6, float(np.hypot(*(here[-1] - here[0]))))
    across = half_m * np.array([-along[1], along[0]])
    middle = 0.5 * (here[0] + here[-1])
    return np.array([middle - across, middle + across])


def _seen(frame: Frame, points: FloatArray, half_m: float) -> list[shapely.LineString]:
    """The pieces of a line that the frame shows, and a little more on either side."""
    if len(points) < 2:
        return []
    reach_m = half_m + BEYOND_M
    clipped = shapely.clip_by_rect(shapely.LineString(frame.of(points)), -reach_m, -reach_m, reach_m, reach_m)
    return [part for part in shapely.get_parts(clipped).tolist() if isinstance(part, shapely.LineString) and part.length > 0.0]


def _bands(axes: Axes, lines: Sequence[tuple[shapely.LineString, float]], **style: Any) -> None:
    """Each of *lines* as wide as is said with it."""
    shapes = [shapely.get_coordinates(line.buffer(0.5 * width_m, cap_style="flat").exterior) for line, width_m in lines]
    axes.add_collection(PolyCollection(shapes, **style))


def _outline(shape: shapely.Polygon) -> Outline:
    """A shape with its holes."""
    rings = [Outline(shapely.get_coordinates(ring), closed=True) for ring in (shape.exterior, *shape.interiors)]
    return Outline.make_compound_path(*rings)


def _ground(axes: Axes, corridor: Corridor, frame: Frame, half_m: float) -> None:
    """Lanes as bands with their middles, zones, and barriers."""
    lanes = [(line, lane.width_m) for lane in corridor.lanes for line in _seen(frame, np.array(lane.points, dtype=np.float64), half_m)]
    _bands(axes, lanes, facecolors="#eceff3", edgecolors="#d5dae2", linewidths=0.6)
    middles = [shapely.get_coordinates(line) for line, _ in lanes]
    axes.add_collection(LineCollection(middles, colors="#ffffff", linewidths=1.0, linestyles=(0, (6, 5))))
    for derived in (True, False):
        stretches = [part.stretch for zone in corridor.zones if zone.derived is derived for part in zone.parts]
        pieces = [_piece(corridor, stretch.lane_id, stretch.start_m, stretch.end_m) for stretch in stretches]
        bands = [line.buffer(0.5 * ZONE_M, cap_style="flat") for piece in pieces for line in _seen(frame, piece, half_m)]
        # One shape of all: where ten zones of a fan lie over one another the ground is not ten times as forbidden.
        whole = [_outline(part) for part in shapely.get_parts(shapely.union_all(bands)).tolist() if isinstance(part, shapely.Polygon)]
        axes.add_collection(PathCollection(whole, facecolors=ZONE, alpha=0.14 if derived else 0.25, linewidths=0))
    for gate in corridor.gates:
        bar = frame.of(_end_bar(corridor, (gate.lane_id, gate.barrier_m), 2.4))
        if np.abs(bar).max() > half_m:
            continue
        axes.plot(bar[:, 0], bar[:, 1], color=GATE, linewidth=2.2)
        top = bar[np.argmax(bar[:, 1])]
        axes.annotate(
            gate.gate_id, (top[0], top[1]), xytext=(3, -1), textcoords="offset points", color=GATE, fontsize=7.5, va="top", clip_on=True
        )


def _truck(axes: Axes, corridor: Corridor, frame: Frame, truck: Placed, color: str, *, above: bool) -> None:
    """The road it may use, the end of that, its body and its name."""
    ahead = road_ahead(corridor, truck)
    if len(ahead):
        way = frame.of(ahead)
        axes.plot(way[:, 0], way[:, 1], color=color, alpha=0.30, linewidth=9, solid_capstyle="butt", zorder=2)
    if truck.end is not None:
        bar = frame.of(_end_bar(corridor, truck.end, 2.6))
        axes.plot(bar[:, 0], bar[:, 1], color=color, linewidth=2.6, zorder=5)
    box = truck.box
    axes.add_collection(
        PolyCollection([frame.of(box)], facecolors=LADEN if truck.laden else EMPTY, edgecolors=color, linewidths=1.4, zorder=4)
    )
    share = NOSE_M / max(NOSE_M, float(np.hypot(*(truck.nose - truck.rear))))
    front = np.array([box[1], truck.nose, box[2], box[2] + share * (box[3] - box[2]), box[1] + share * (box[0] - box[1])])
    axes.add_collection(PolyCollection([frame.of(front)], facecolors="#ffffff", alpha=0.55, linewidths=0, zorder=4))
    turned = frame.of(box)
    at = (float(turned[:, 0].mean()), float(turned[:, 1].max() if above else turned[:, 1].min()))
    axes.annotate(
        truck.words,
        at,
        xytext=(0, 8 if above else -8),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        fontsize=8.0,
        color=color,
        fontweight="bold",
        zorder=6,
        annotation_clip=True,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0},
    )


def _frame_of(corridor: Corridor, trucks: Sequence[Placed]) -> tuple[Frame, float]:
    """The frame around what *trucks*, the first above all, are about, and half its width."""
    first = trucks[0]
    along = (first.nose - first.rear) / max(1e-6, float(np.hypot(*(first.nose - first.rear))))
    points = [truck.nose for truck in trucks] + [truck.rear for truck in trucks]
    if first.end is not None:
        points.append(_end_bar(corridor, first.end, 1.0).mean(axis=0))
    turned = Frame(middle=first.nose, along=along).of(np.array(points))
    low, high = float(turned[:, 0].min()), float(turned[:, 0].max())
    half_m = float(np.clip(0.5 * (high - low) + AROUND_M, HALF_LEAST_M, HALF_MOST_M))
    # What is too far to be shown with the truck is left out, not the truck.
    centre_m = float(np.clip(0.5 * (low + high), -half_m + AROUND_M, half_m - AROUND_M))
    return Frame(middle=first.nose + centre_m * along, along=along), half_m


def _strip(axes: Axes, corridor: Corridor, trucks: Sequence[Placed], about: Sequence[Placed]) -> None:
    """The corridor laid straight, with a mark for every truck."""
    unrolled = Unrolled.of(corridor)
    lines = LaneLines.of(corridor)
    whole = []
    for ix, lane in enumerate(corridor.lanes):
        cuts = np.linspace(0.0, lane.length_m, max(2, int(lane.length_m / 20.0)))
        whole.append(np.column_stack(unrolled.place(*lines.places(np.full(len(cuts), ix, dtype=np.int32), cuts))))
    axes.add_collection(LineCollection(whole, colors=ROAD, linewidths=1.0))
    for laden, color in ((True, LADEN), (False, EMPTY)):
        noses = np.array([truck.nose for truck in trucks if truck.laden == laden]).reshape(-1, 2)
        axes.scatter(*unrolled.place(noses[:, 0], noses[:, 1]), s=16, color=color, zorder=3, linewidths=0)
    noses = np.array([truck.nose for truck in about]).reshape(-1, 2)
    axes.scatter(*unrolled.place(noses[:, 0], noses[:, 1]), s=90, facecolors="none", edgecolors=STAND, zorder=4, linewidths=1.5)
    axes.set_yscale("symlog", linthresh=15.0)
    axes.autoscale_view()
    axes.margins(0.01, 0.15)
    axes.set_axis_off()


def instant_picture(corridor: Corridor, trucks: Sequence[Placed], truck_ids: Sequence[str]) -> Figure:
    """The moment: the corridor with every truck, and below it, to scale, the trucks that it is about and whoever is near."""
    by_id: Mapping[str, Placed] = {truck.truck_id: truck for truck in trucks}
    about = [by_id[truck_id] for truck_id in truck_ids if truck_id in by_id]
    with mpl.rc_context(STYLE):
        if not about:
            figure = Figure(figsize=(11.0, 1.3))
            _strip(figure.subplots(), corridor, trucks, about)
            return figure
        figure = Figure(figsize=(11.0, 5.0))
        strip, axes = figure.subplots(2, 1, gridspec_kw={"height_ratios": [1.0, 3.4], "hspace": 0.06})
        _strip(strip, corridor, trucks, about)
        frame, half_m = _frame_of(corridor, about)
        _ground(axes, corridor, frame, half_m)
        near = [truck for truck in trucks if truck not in about and np.hypot(*frame.of(truck.nose)[0]) < 1.3 * half_m]
        near.sort(key=lambda truck: truck.truck_id)
        for number, truck in enumerate([*about, *near]):
            color = ROADS[number] if number < len(ROADS) else INK
            _truck(axes, corridor, frame, truck, color, above=number % 2 == 0)
        axes.set_xlim(-half_m, half_m)
        axes.set_ylim(-SHAPE * half_m, SHAPE * half_m)
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set(visible=True, color=ROAD)
        scale_m = 10.0 if half_m < 60.0 else 20.0
        left, low = -half_m + 4.0, -SHAPE * half_m + 3.0
        axes.plot([left, left + scale_m], [low, low], color=INK, linewidth=2.0)
        axes.text(left + 0.5 * scale_m, low + 1.2, f"{scale_m:.0f} m", ha="center", fontsize=8.0, color=INK)
    return figure
