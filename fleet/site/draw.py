"""
A picture of a site: the whole line on top, turned to lie along the page, and each yard and the checkpoint at its own scale.

Lanes are drawn as wide as they are, zones as the ground they cover, stands as the trucks that would rest there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from shapely.geometry import LineString

from fleet.site.shapes import FloatArray, lengths_m
from planner.corridor import Corridor, Gate, GateRole, Lane, StandKind, Stretch, YardRole

INK: Final = "#24313a"
ROAD: Final = "#d5dade"
EDGE: Final = "#aab4bb"
ZONE: Final = "#f08c2e"
NO_STOP: Final = "#7b4fb0"
GATE: Final = "#c21f3a"
STAND: Final = {
    StandKind.BAY: "#1f6fb2",
    StandKind.PARKING: "#7d8a93",
    StandKind.SWAP: "#1b9e77",
    StandKind.PLUG: "#8fce5a",
    StandKind.SIDING: "#b58900",
}
INSET_MARGIN_M: Final = 25.0
PAGE_IN: Final = 22.0


@dataclass(frozen=True, kw_only=True)
class _View:
    """The corridor turned so that it lies along the page."""

    corridor: Corridor
    turn: FloatArray
    points: dict[str, FloatArray]

    def place(self, lane_id: str, at_m: float) -> tuple[FloatArray, FloatArray]:
        """Point on a lane and the unit direction of travel there."""
        points = self.points[lane_id]
        along = lengths_m(points)
        here = np.array([np.interp(at_m, along, points[:, 0]), np.interp(at_m, along, points[:, 1])])
        step = int(np.clip(np.searchsorted(along, at_m, side="right") - 1, 0, len(points) - 2))
        direction = points[step + 1] - points[step]
        return here, direction / max(float(np.hypot(*direction)), 1e-9)

    def cut(self, stretch: Stretch) -> FloatArray:
        """The points of a stretch, its two ends among them."""
        points = self.points[stretch.lane_id]
        along = lengths_m(points)
        inner = along[(along > stretch.start_m) & (along < stretch.end_m)]
        at = np.concatenate([[stretch.start_m], inner, [min(stretch.end_m, along[-1])]])
        return np.column_stack([np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])])


Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class _Inset:
    """A part of the corridor that deserves its own scale."""

    title: str
    view: _View
    box: Box


def draw_site(corridor: Corridor, out: Path) -> None:
    """Write the picture to *out*; its suffix (png, svg, pdf) says which format."""
    whole = _view(corridor, _line_angle(corridor))
    yards, checkpoint = _yard_insets(corridor), _customs_inset(corridor)
    wide = [inset for inset in (checkpoint,) if inset is not None]
    heights = [
        PAGE_IN * _tallness([_all_box(whole)]),
        PAGE_IN / max(1, len(yards)) * _tallness([inset.box for inset in yards]),
        PAGE_IN * _tallness([inset.box for inset in wide]),
    ]
    figure = Figure(figsize=(PAGE_IN, sum(heights) + 2.5), dpi=110, facecolor="white", layout="constrained")
    grid = figure.add_gridspec(3, max(1, len(yards)), height_ratios=heights)
    overview = figure.add_subplot(grid[0, :])
    _paint(whole, overview, _all_box(whole), detailed=False)
    _frame_insets(whole, overview, [*yards, *wide])
    overview.set_title(_heading(corridor), fontsize=15, color=INK, loc="left", fontweight="bold")
    for column, inset in enumerate(yards):
        _paint_inset(figure.add_subplot(grid[1, column]), inset)
    for inset in wide:
        _paint_inset(figure.add_subplot(grid[2, :]), inset)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=9, frameon=False, fontsize=11)
    figure.savefig(out)


def _tallness(boxes: Sequence[Box]) -> float:
    """Height over width of the tallest of *boxes*; little where there is none."""
    return max([(box[3] - box[1]) / (box[2] - box[0]) for box in boxes], default=0.01)


def _paint_inset(axes: Axes, inset: _Inset) -> None:
    _paint(inset.view, axes, inset.box, detailed=True)
    axes.set_title(inset.title, fontsize=13, color=INK, loc="left", fontweight="bold")


def _heading(corridor: Corridor) -> str:
    kinds = [stand.kind for stand in corridor.stands]
    counts = ", ".join(f"{kinds.count(kind)} {kind.value}" for kind in StandKind if kind in kinds)
    zones = f"{len(corridor.zones)} conflict zones"
    return f"{corridor.site_id}   stands: {counts};  {len(corridor.gates)} gates, {len(corridor.lanes)} lanes, {zones};  map {corridor.digest[:12]}"


def _view(corridor: Corridor, angle_rad: float) -> _View:
    """The corridor turned by *angle_rad*."""
    turn = np.array([[math.cos(angle_rad), -math.sin(angle_rad)], [math.sin(angle_rad), math.cos(angle_rad)]])
    return _View(corridor=corridor, turn=turn, points={lane.lane_id: np.array(lane.points) @ turn.T for lane in corridor.lanes})


def _line_angle(corridor: Corridor) -> float:
    """The turn that lays loading and unloading yard side by side."""
    nodes = np.array([(node.x_m, node.y_m) for node in corridor.nodes])
    loading, unloading = (_yard_centre(corridor, role) for role in (YardRole.LOADING, YardRole.UNLOADING))
    along = unloading - loading if loading is not None and unloading is not None else nodes[-1] - nodes[0]
    return -math.atan2(float(along[1]), float(along[0]))


def _gate_angle(corridor: Corridor, gates: Sequence[Gate]) -> float:
    """The turn that lays the first of *gates* along the page, right-way round for southbound traffic."""
    if not gates:
        return _line_angle(corridor)
    _, ahead = _view(corridor, 0.0).place(gates[0].lane_id, gates[0].stop_line_m)
    return -math.atan2(float(ahead[1]), float(ahead[0]))


def _yard_centre(corridor: Corridor, role: YardRole) -> FloatArray | None:
    yard = corridor.yard_by_role.get(role)
    places = [
        np.mean(corridor.lanes[corridor.lane_ix[stand.lane_id]].points, axis=0)
        for stand in corridor.stands
        if yard is not None and stand.yard_id == yard.yard_id
    ]
    return np.mean(places, axis=0) if places else None


def _box(points: Sequence[FloatArray], margin_m: float) -> Box:
    every = np.concatenate([np.atleast_2d(part) for part in points])
    low, high = every.min(axis=0) - margin_m, every.max(axis=0) + margin_m
    # Scale and north arrow have the bottom to themselves.
    footer_m = 0.10 * (high[1] - low[1])
    return float(low[0]), float(low[1] - footer_m), float(high[0]), float(high[1])


def _all_box(view: _View) -> Box:
    return _box(list(view.points.values()), 90.0)


def _yard_insets(corridor: Corridor) -> list[_Inset]:
    """Each yard with its stands, the lanes between them and its gates, laid along its exit or entry."""
    made: list[_Inset] = []
    for yard in corridor.yards:
        lanes = [stand.lane_id for stand in corridor.stands if stand.yard_id == yard.yard_id]
        if yard.role is YardRole.CHECKPOINT or not lanes:
            continue
        wanted = GateRole.EXIT if yard.role is YardRole.LOADING else GateRole.ENTRY
        flat = _view(corridor, 0.0)
        near = _box([flat.points[lane_id] for lane_id in lanes], 170.0)
        gates = [gate for gate in corridor.gates if _inside(flat.place(gate.lane_id, gate.stop_line_m)[0], near)]
        view = _view(corridor, _gate_angle(corridor, [gate for gate in gates if gate.role is wanted]))
        within = _box([view.points[lane_id] for lane_id in lanes], 60.0)
        whole = [points for points in view.points.values() if all(_inside(point, within) for point in points)]
        places = [view.place(gate.lane_id, gate.stop_line_m)[0] for gate in gates]
        made.append(_Inset(title=f"{yard.yard_id}: {yard.role.value} yard", view=view, box=_box([*whole, *places], INSET_MARGIN_M)))
    return made


def _customs_inset(corridor: Corridor) -> _Inset | None:
    """The gates of customs and what lies just before and after them."""
    gates = [gate for gate in corridor.gates if gate.role in {GateRole.CUSTOMS, GateRole.PORTAL, GateRole.XRAY}]
    if not gates:
        return None
    view = _view(corridor, _gate_angle(corridor, gates))
    places = [view.place(gate.lane_id, gate.stop_line_m)[0] + np.array([ahead, 0.0]) for gate in gates for ahead in (-110.0, 250.0)]
    return _Inset(title="customs", view=view, box=_box(places, 45.0))


def _inside(point: FloatArray, box: Box) -> bool:
    return box[0] <= float(point[0]) <= box[2] and box[1] <= float(point[1]) <= box[3]


def _shown(view: _View, box: Box) -> set[str]:
    return {
        lane_id
        for lane_id, points in view.points.items()
        if points[:, 0].max() >= box[0] and points[:, 0].min() <= box[2] and points[:, 1].max() >= box[1] and points[:, 1].min() <= box[3]
    }


def _paint(view: _View, axes: Axes, box: Box, *, detailed: bool) -> None:
    axes.set_xlim(box[0], box[2])
    axes.set_ylim(box[1], box[3])
    axes.set_aspect("equal", adjustable="box")
    axes.set_axis_off()
    shown = _shown(view, box)
    lanes = [lane for lane in view.corridor.lanes if lane.lane_id in shown]
    if detailed:
        _paint_roads(view, axes, lanes)
        _paint_zones(view, axes, shown)
        _paint_stands(view, axes, shown, box)
        _paint_arrows(view, axes, lanes, box)
    else:
        axes.add_collection(LineCollection([view.points[lane.lane_id] for lane in lanes], colors=INK, linewidths=0.9))
    _paint_gates(view, axes, shown, box, detailed=detailed)
    _paint_scale(view, axes, box)


def _paint_roads(view: _View, axes: Axes, lanes: Iterable[Lane]) -> None:
    bodies = [
        np.array(LineString(view.points[lane.lane_id]).buffer(lane.width_m / 2.0, cap_style="flat").exterior.coords) for lane in lanes
    ]
    axes.add_collection(PolyCollection(bodies, facecolors=ROAD, edgecolors=EDGE, linewidths=0.4))


def _paint_zones(view: _View, axes: Axes, shown: set[str]) -> None:
    """Each lane's zoned metres once, however many zones share them."""
    zoned: dict[str, list[tuple[float, float]]] = {}
    for zone in view.corridor.zones:
        for part in zone.parts:
            zoned.setdefault(part.stretch.lane_id, []).append((part.stretch.start_m, part.stretch.end_m))
    lines = [
        view.cut(Stretch(lane_id=lane_id, start_m=start, end_m=end))
        for lane_id, spans in zoned.items()
        if lane_id in shown
        for start, end in _united(spans)
    ]
    axes.add_collection(LineCollection(lines, colors=ZONE, linewidths=2.2, alpha=0.75))
    held = [view.cut(stretch) for stretch in view.corridor.no_stops if stretch.lane_id in shown]
    axes.add_collection(LineCollection(held, colors=NO_STOP, linewidths=4.0, alpha=0.8))


def _united(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    made: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((start, end))
    return made


def _paint_stands(view: _View, axes: Axes, shown: set[str], box: Box) -> None:
    longest = max(kind.length_m for kind in view.corridor.truck_types)
    width = max(kind.width_m for kind in view.corridor.truck_types)
    groups: dict[str, list[tuple[FloatArray, FloatArray]]] = {}
    for stand in view.corridor.stands:
        if stand.lane_id not in shown:
            continue
        nose, ahead = view.place(stand.lane_id, stand.stop_m)
        left = np.array([-ahead[1], ahead[0]]) * width / 2.0
        rear = nose - ahead * longest
        body = np.array([nose + left, nose - left, rear - left, rear + left])
        axes.add_collection(PolyCollection([body], facecolors=STAND[stand.kind], zorder=3))
        groups.setdefault(re.sub(r"_\d+$", "", stand.stand_id), []).append((nose, ahead))
    centres = {stem: np.mean([nose for nose, _ in stands], axis=0) for stem, stands in groups.items()}
    for stem, stands in groups.items():
        # Two rows of one fan share the page's column: the lower one is labelled below.
        lower = any(abs(other[0] - centres[stem][0]) < 12.0 and 0.0 < other[1] - centres[stem][1] < 40.0 for other in centres.values())
        _label_stands(axes, stem, stands, box, below=lower)


def _label_stands(axes: Axes, stem: str, stands: Sequence[tuple[FloatArray, FloatArray]], box: Box, *, below: bool) -> None:
    """One label for a row of stands, beside its end: above or below it, or left of it where the lanes run up the page."""
    noses = np.array([nose for nose, _ in stands])
    upright = abs(stands[0][1][1]) > abs(stands[0][1][0])
    centre = noses.mean(axis=0)
    if below and not upright:
        centre = np.array([centre[0], noses[:, 1].min() - 16.0])
        noses = centre[None, :]
    spot = np.array([noses[:, 0].min() - 9.0, centre[1]]) if upright else np.array([centre[0], noses[:, 1].max() + 9.0])
    if _inside(spot, box):
        text = f"{stem} ({len(stands)})" if len(stands) > 1 else stem
        turned = 90.0 if upright else 0.0
        side = "right" if upright else "center"
        base = "center" if upright else "bottom"
        axes.text(spot[0], spot[1], text, ha=side, va=base, rotation=turned, fontsize=10, color=INK, zorder=6)


def _paint_arrows(view: _View, axes: Axes, lanes: Iterable[Lane], box: Box) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    size = min(width, height) / 45.0
    for lane in lanes:
        if lane.length_m < 25.0 or any(stand.lane_id == lane.lane_id for stand in view.corridor.stands):
            continue
        here, ahead = view.place(lane.lane_id, lane.length_m / 2.0)
        if _inside(here, box):
            tail = here - ahead * size
            axes.annotate(
                "", xy=(here[0], here[1]), xytext=(tail[0], tail[1]), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.0}, zorder=5
            )


def _paint_gates(view: _View, axes: Axes, shown: set[str], box: Box, *, detailed: bool) -> None:
    half = 2.0 if detailed else 25.0
    labels: dict[str, FloatArray] = {}
    for gate in view.corridor.gates:
        if gate.lane_id not in shown:
            continue
        here, ahead = view.place(gate.lane_id, gate.stop_line_m)
        if not _inside(here, box):
            continue
        left = np.array([-ahead[1], ahead[0]]) * half
        axes.add_line(Line2D([here[0] - left[0], here[0] + left[0]], [here[1] - left[1], here[1] + left[1]], color=GATE, lw=2.2, zorder=6))
        labels.setdefault(re.sub(r"_\d+$", "", gate.gate_id), here)
    drop = 14.0 if detailed else (box[3] - box[1]) / 9.0
    for name, here in labels.items():
        gates = [gate for gate in view.corridor.gates if re.sub(r"_\d+$", "", gate.gate_id) == name]
        role = gates[0].role.value
        text = (name if name == role else f"{name} {role}") + (f" x{len(gates)}" if len(gates) > 1 else "")
        # Labels stand off the road on the side away from oncoming traffic.
        _, ahead = view.place(gates[0].lane_id, gates[0].stop_line_m)
        side = -1.0 if ahead[0] > 0.0 else 1.0
        axes.annotate(
            text if detailed else name,
            xy=(here[0], here[1]),
            xytext=(here[0], here[1] + side * drop),
            ha="center",
            va="center",
            fontsize=10 if detailed else 9,
            color=GATE,
            arrowprops={"arrowstyle": "-", "color": GATE, "lw": 0.6},
            zorder=7,
        )


def _paint_scale(view: _View, axes: Axes, box: Box) -> None:
    width = box[2] - box[0]
    length = next(size for size in (2000, 1000, 500, 200, 100, 50, 20, 10, 5) if size <= width / 4.0 or size == 5)
    x, y = box[0] + width * 0.02, box[1] + (box[3] - box[1]) * 0.03
    axes.add_line(Line2D([x, x + length], [y, y], color=INK, lw=2.5, solid_capstyle="butt", zorder=8))
    axes.text(x + length / 2.0, y + (box[3] - box[1]) * 0.012, f"{length} m", ha="center", va="bottom", fontsize=10, color=INK)
    north = view.turn @ np.array([0.0, 1.0])
    size = min(width, box[3] - box[1]) * 0.08
    foot = np.array([x + length + size * 1.6, y + size * 0.6])
    tip = foot + north * size
    axes.annotate(
        "N",
        xy=(foot[0], foot[1]),
        xytext=(tip[0], tip[1]),
        ha="center",
        va="center",
        fontsize=10,
        color=INK,
        arrowprops={"arrowstyle": "<|-", "color": INK, "lw": 1.2},
    )


def _frame_insets(whole: _View, axes: Axes, insets: Sequence[_Inset]) -> None:
    """Outline on the overview what the insets show."""
    for inset in insets:
        x0, y0, x1, y1 = inset.box
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]) @ inset.view.turn @ whole.turn.T
        axes.add_line(Line2D(corners[:, 0], corners[:, 1], color=EDGE, lw=1.0, ls="--"))
        axes.text(corners[:, 0].mean(), corners[:, 1].max() + 15.0, inset.title, ha="center", va="bottom", fontsize=10, color=INK)


def _legend() -> list[Line2D | Patch]:
    stands: list[Line2D | Patch] = [Patch(facecolor=colour, label=kind.value) for kind, colour in STAND.items()]
    return [
        *stands,
        Line2D([], [], color=ZONE, lw=3, label="conflict zone (derived)"),
        Line2D([], [], color=NO_STOP, lw=4, label="no stopping"),
        Line2D([], [], color=GATE, lw=2.5, label="gate, stop line"),
        Line2D([], [], color=INK, lw=1, marker=">", label="direction of travel"),
    ]
