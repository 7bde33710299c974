"""The pictures of a run: stringline, corridor, throughput, margins. Drawn with matplotlib into SVG text or, for a README, into a file."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator, NullLocator

from planner.corridor import Corridor, StandKind
from sim_harness.fault_bars import draw_bars, height_of, packed
from sim_harness.geometry import LaneLines
from sim_harness.observation import FloatArray
from sim_harness.palette import EMPTY, GATE, GRID, LADEN, ROAD, STAND, STYLE, ZONE
from sim_harness.stringline import STANDING_MPS, AxisTable, Motion, String, Unrolled, strings

SECONDS_PER_DAY: Final = 86_400
# Lanes are cut so for the corridor's picture, and drawn with so many points a piece.
PIECE_M: Final = 20.0
PIECE_POINTS: Final = 3
# A drawn lane may stray this far from its centre line.
DRAWN_M: Final = 0.1
# Offsets from the axis up to this are drawn to scale, larger ones logarithmically: lanes are 4 m apart, yards 300 m wide.
STRETCH_M: Final = 15.0
# Names closer than this share of the axis would be written over one another.
LABEL_SHARE: Final = 0.04
# How the target of a fault names a stretch of road.
STRETCH: Final = re.compile(r"(\S+) (\d+)-(\d+) m")
# A sample this near shows where a truck was at a moment.
NEAR_S: Final = 0.6
# Margins further below nothing than this only say that the brakes cannot hold at all.
MARGIN_LEAST_M: Final = -5.0
MARGIN_MOST_M: Final = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the pictures are drawn from; *start_s* is local clock time at time 0."""

    corridor: Corridor
    axis: AxisTable
    motion: Motion
    window_s: tuple[float, float]
    start_s: float


def svg(figure: Figure) -> str:
    """*figure* as an `<svg>` element to put into a page."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight", transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def save(figure: Figure, path: Path) -> None:
    """Writes *figure* as SVG or PNG, by the name of *path*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({**STYLE, "svg.fonttype": "path"}):
        figure.savefig(path, dpi=150, bbox_inches="tight", facecolor="white", metadata={"Date": None} if path.suffix == ".svg" else None)


def clock_text(seconds: float) -> str:
    """Seconds after local midnight as HH:MM."""
    minute = round(seconds / 60.0) % (SECONDS_PER_DAY // 60)
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _clock_axis(axes: Axes, scene: Scene) -> None:
    span_s = scene.window_s[1] - scene.window_s[0]
    step_s = next((step for step in (60, 300, 600, 900, 1800, 3600, 7200) if span_s / step <= 13), 4 * 3600)
    axes.xaxis.set_major_locator(MultipleLocator(step_s))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock_text(scene.start_s + value)))


def _kilometres(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000.0:g}"))
    axes.set_ylabel("km from the loading yard")


def _bands(axes: Axes, scene: Scene, *, laden: bool) -> None:
    """Gates as lines and authored zones as bands across one direction's panel."""
    corridor, axis = scene.corridor, scene.axis
    used = _used(scene, laden=laden)
    for zone in corridor.zones:
        for part in zone.parts:
            ix = corridor.lane_ix[part.stretch.lane_id]
            if ix not in used:
                continue
            low, high = np.sort(axis.along(ix, np.array([part.stretch.start_m, part.stretch.end_m])))
            if high > 1.0 and low < axis.length_m - 1.0:
                axes.axhspan(low, high, color=ZONE, alpha=0.05 if zone.derived else 0.22, linewidth=0)
    spots: list[tuple[float, str]] = []
    for gate in corridor.gates:
        ix = corridor.lane_ix[gate.lane_id]
        if ix in used:
            at_m = float(axis.along(ix, np.array([gate.barrier_m]))[0])
            spots.append((at_m, gate.gate_id))
            axes.axhline(at_m, color=GATE, linewidth=0.8, alpha=0.8)
    for at_m, names in neighbours(spots, LABEL_SHARE * axis.length_m):
        axes.annotate(", ".join(names), (1.005, at_m), xycoords=("axes fraction", "data"), color=GATE, fontsize=7.5, va="center")


def _draw_strings(axes: Axes, lines: Sequence[String], *, color: str, width: float) -> None:
    axes.add_collection(
        LineCollection([np.column_stack([line.time_s, line.along_m]) for line in lines], colors=color, linewidths=width, capstyle="round")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a stringline points out: faults as the report has them, and the moment to look at first with its trucks."""

    faults: Sequence[Mapping[str, Any]] = ()
    look_s: float | None = None
    look_truck_ids: Sequence[str] = ()


def _panel(axes: Axes, scene: Scene, lines: tuple[Sequence[String], Sequence[String]], *, laden: bool) -> None:
    """One direction: the moving and the standing lines."""
    moving, standing = lines
    color = LADEN if laden else EMPTY
    _bands(axes, scene, laden=laden)
    _draw_strings(axes, [line for line in moving if line.laden == laden], color=color, width=0.7)
    _draw_strings(axes, [line for line in standing if line.laden == laden], color=STAND, width=1.5)
    axes.set_xlim(*scene.window_s)
    axes.set_ylim(0.0, scene.axis.length_m)
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title("Laden, to the unloading yard" if laden else "Empty, homeward", color=color)
    _kilometres(axes)


def _spot(scene: Scene, truck_id: str, at_s: float, *, laden: bool) -> float | None:
    """Axis metres of a truck at a moment, where it is on the road and so laden."""
    motion = scene.motion
    rows = np.flatnonzero((motion.truck_id == truck_id) & (np.abs(motion.time_s - at_s) <= NEAR_S))
    if not len(rows):
        return None
    row = rows[np.argmin(np.abs(motion.time_s[rows] - at_s))]
    along_m = float(motion.along_m[row])
    return along_m if bool(motion.laden[row]) == laden and 1.0 < along_m < scene.axis.length_m - 1.0 else None


def _used(scene: Scene, *, laden: bool) -> set[int]:
    """Rows of the lanes that trucks went on, so laden."""
    return set(np.unique(scene.motion.lane_ix[scene.motion.laden == laden]).tolist())


def _shade(axes: Axes, scene: Scene, fault: Mapping[str, Any], used: set[int]) -> None:
    """A patch where and while a fault lay on a stretch of road."""
    stretch = STRETCH.fullmatch(str(fault.get("target")))
    ix = scene.corridor.lane_ix.get(stretch[1], -1) if stretch else -1
    if stretch is None or ix not in used:
        return
    low, high = np.sort(scene.axis.along(ix, np.array([float(stretch[2]), float(stretch[3])])))
    end_s = scene.window_s[1] if fault.get("ended_s") is None else float(fault["ended_s"])
    corner, wide_s = (float(fault["at_s"]), low), end_s - float(fault["at_s"])
    axes.add_patch(Rectangle(corner, wide_s, high - low, facecolor=STAND, alpha=0.10, edgecolor=STAND, linewidth=0.8, linestyle=":"))


def _point_out(axes: Axes, scene: Scene, marks: Marks, *, laden: bool) -> None:
    """Crosses where faults hit trucks, patches where they lay on the road, and a line through the moment to look at."""
    used = _used(scene, laden=laden)
    for fault in marks.faults:
        _shade(axes, scene, fault, used)
        along_m = _spot(scene, str(fault.get("target")), float(fault["at_s"]), laden=laden)
        if along_m is not None:
            axes.scatter([fault["at_s"]], [along_m], marker="x", s=22, color=STAND, zorder=4, linewidths=1.4)
    if marks.look_s is not None:
        axes.axvline(marks.look_s, color=STAND, linewidth=0.9, linestyle=(0, (4, 3)), alpha=0.8)
        for truck_id in marks.look_truck_ids:
            along_m = _spot(scene, truck_id, marks.look_s, laden=laden)
            if along_m is not None:
                axes.scatter([marks.look_s], [along_m], marker="o", s=60, facecolors="none", edgecolors=STAND, zorder=4, linewidths=1.4)


def stringline(scene: Scene, marks: Marks | None = None) -> Figure:
    """Time against distance, a panel per direction: trucks as lines, gates and zones as bands, standing in red; faults above."""
    marks = marks or Marks()
    bars, hidden = packed(marks.faults, scene.window_s)
    heights = ([height_of(bars)] if bars else []) + [3.4, 3.4]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.0, sum(heights) + 0.6))
        panels: Any = figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"hspace": 0.16, "height_ratios": heights})
        if bars:
            draw_bars(panels[0], bars, hidden, scene.window_s)
        lines = (strings(scene.motion, scene.axis), strings(scene.motion, scene.axis, standing=True))
        for axes, laden in ((panels[-2], True), (panels[-1], False)):
            _panel(axes, scene, lines, laden=laden)
            _point_out(axes, scene, marks, laden=laden)
        _clock_axis(panels[-1], scene)
        panels[-1].set_xlabel("local time")
        figure.align_ylabels(panels[-2:])
    return figure


def _unrolled_lanes(scene: Scene, unrolled: Unrolled) -> tuple[list[FloatArray], list[tuple[FloatArray, float]]]:
    """Lanes as unrolled points; and the pieces of them on which noses stood, with the truck-seconds."""
    corridor, motion = scene.corridor, scene.motion
    lines = LaneLines.of(corridor)
    still = motion.speed_mps < STANDING_MPS
    times = np.unique(motion.time_s)
    step_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    whole: list[FloatArray] = []
    stood: list[tuple[FloatArray, float]] = []
    for ix, lane in enumerate(corridor.lanes):
        count = max(1, round(lane.length_m / PIECE_M))
        cuts = np.linspace(0.0, lane.length_m, count * PIECE_POINTS + 1)
        places = np.column_stack(unrolled.place(*lines.places(np.full(len(cuts), ix, dtype=np.int32), cuts)))
        whole.append(shapely.get_coordinates(shapely.simplify(shapely.linestrings(places), DRAWN_M)))
        samples, _ = np.histogram(motion.chainage_m[still & (motion.lane_ix == ix)], bins=cuts[::PIECE_POINTS])
        stood += [
            (places[k * PIECE_POINTS : (k + 1) * PIECE_POINTS + 1], float(samples[k]) * step_s) for k in np.flatnonzero(samples).tolist()
        ]
    return whole, stood


def _marks(scene: Scene, unrolled: Unrolled, spots: Sequence[tuple[str, float]]) -> tuple[FloatArray, FloatArray]:
    """Unrolled places of (lane, chainage)."""
    rows = np.array([scene.corridor.lane_ix[lane_id] for lane_id, _ in spots], dtype=np.int32)
    return unrolled.place(*LaneLines.of(scene.corridor).places(rows, np.array([chainage_m for _, chainage_m in spots])))


def neighbours(spots: Sequence[tuple[float, str]], apart_m: float) -> list[tuple[float, list[str]]]:
    """
    Names of gates that would be written over one another, brought together; with the middle of their places.

    Gates that stand abreast (`g3_1`, `g3_2`) have one name: what comes before the last underscore.
    """
    groups: list[list[tuple[float, str]]] = []
    for at_m, name in sorted(spots):
        if groups and at_m - groups[-1][-1][0] < apart_m:
            groups[-1].append((at_m, name))
        else:
            groups.append([(at_m, name)])
    return [
        (sum(at_m for at_m, _ in group) / len(group), list(dict.fromkeys(name.rpartition("_")[0] or name for _, name in group)))
        for group in groups
    ]


def _name_gates(axes: Axes, scene: Scene, places: tuple[FloatArray, FloatArray]) -> None:
    """Gates' names above the outermost of those that stand together, one row per direction."""
    along_m, left_m = places
    for homeward in (False, True):
        rows = [row for row in range(len(scene.corridor.gates)) if (left_m[row] > STRETCH_M) == homeward]
        spots = [(float(along_m[row]), scene.corridor.gates[row].gate_id) for row in rows]
        for at_m, names in neighbours(spots, LABEL_SHARE * scene.axis.length_m):
            near = [row for row in rows if abs(along_m[row] - at_m) < LABEL_SHARE * scene.axis.length_m]
            top_m = max(float(left_m[row]) for row in near)
            axes.annotate(", ".join(names), (at_m, top_m), xytext=(0, 7), textcoords="offset points", color=GATE, fontsize=7.0, ha="center")


def corridor_picture(scene: Scene) -> Figure:
    """The lanes laid straight and stretched across; red where trucks stood, the longer the wider."""
    corridor = scene.corridor
    unrolled = Unrolled.of(corridor)
    gates = [(gate.lane_id, gate.barrier_m) for gate in corridor.gates]
    bays = [(stand.lane_id, stand.stop_m) for stand in corridor.stands if stand.kind is StandKind.BAY]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 3.6))
        axes = figure.subplots()
        whole, stood = _unrolled_lanes(scene, unrolled)
        axes.add_collection(LineCollection(whole, colors=ROAD, linewidths=1.3, capstyle="round"))
        most = max((seconds for _, seconds in stood), default=0.0)
        widths = [1.0 + 6.0 * (seconds / most) ** 0.5 for _, seconds in stood]
        axes.add_collection(LineCollection([piece for piece, _ in stood], colors=STAND, linewidths=widths, alpha=0.55))
        axes.scatter(*_marks(scene, unrolled, gates), s=18, marker="D", color=GATE, zorder=3, label="gate", linewidths=0)
        axes.scatter(*_marks(scene, unrolled, bays), s=12, marker="s", color=LADEN, zorder=3, label="bay", linewidths=0)
        _name_gates(axes, scene, _marks(scene, unrolled, gates))
        axes.plot([], [], color=STAND, linewidth=4, alpha=0.55, label="trucks stood here")
        axes.set_yscale("symlog", linthresh=STRETCH_M)
        axes.autoscale_view()
        axes.margins(0.02, 0.12)
        axes.yaxis.set_major_locator(FixedLocator([-300.0, -100.0, -30.0, -10.0, 0.0, 10.0, 30.0, 100.0, 300.0]))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000.0:g}"))
        axes.set_xlabel("km from the loading yard")
        axes.set_ylabel("m left of the axis")
        axes.legend(loc="upper center", ncols=3, frameon=False, bbox_to_anchor=(0.5, 1.13))
    return figure


def throughput(done_s: Sequence[float], sim_seconds: float, bound_round_trips: float | None, start_s: float) -> Figure:
    """Round trips completed over the run, against the bound."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.4, 3.0))
        axes = figure.subplots()
        times = np.concatenate([[0.0], np.sort(np.asarray(done_s, dtype=np.float64)), [sim_seconds]])
        counts = np.concatenate([np.arange(len(done_s) + 1), [len(done_s)]])
        axes.fill_between(times, counts, step="post", color=LADEN, alpha=0.15, linewidth=0)
        axes.step(times, counts, where="post", color=LADEN, linewidth=1.4)
        top = float(len(done_s))
        if bound_round_trips is not None:
            axes.axhline(bound_round_trips, color=GATE, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.annotate("bound", (0.01, bound_round_trips), xycoords=("axes fraction", "data"), color=GATE, va="bottom", fontsize=8)
            top = max(top, bound_round_trips)
        axes.set_xlim(0.0, sim_seconds)
        axes.set_ylim(0.0, max(1.0, top * 1.12))
        _day_axis(axes, sim_seconds, start_s)
        axes.set_ylabel("round trips")
    return figure


def _day_axis(axes: Axes, sim_seconds: float, start_s: float) -> None:
    """The clock along a small picture."""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock_text(start_s + value)))
    step_s = next((step for step in (60, 300, 900, 1800, 3600, 7200) if sim_seconds / step <= 7), 4 * 3600)
    axes.xaxis.set_major_locator(MultipleLocator(step_s))
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("local time")


def margins(by_minute: Sequence[float | None], sim_seconds: float, start_s: float) -> Figure:
    """The least authority margin of each minute; below nothing a truck could not have stopped before its end."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.4, 3.0))
        axes = figure.subplots()
        known = np.array([np.nan if value is None else value for value in by_minute] or [np.nan])
        drawn = np.clip(np.append(known, known[-1]), MARGIN_LEAST_M, MARGIN_MOST_M)
        times = np.minimum(60.0 * np.arange(len(drawn)), max(sim_seconds, 1.0))
        axes.fill_between(times, drawn, 0.0, where=drawn >= 0.0, step="post", color=LADEN, alpha=0.15, linewidth=0)
        axes.fill_between(times, drawn, 0.0, where=drawn < 0.0, step="post", color=STAND, alpha=0.35, linewidth=0)
        axes.step(times, drawn, where="post", color=LADEN, linewidth=1.4)
        axes.axhline(0.0, color=STAND, linewidth=1.2)
        found = drawn[np.isfinite(drawn)]
        low_m, high_m = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
        axes.set_xlim(0.0, max(sim_seconds, 1.0))
        axes.set_ylim(min(-0.2, 1.1 * low_m), max(1.0, 1.12 * high_m))
        _day_axis(axes, sim_seconds, start_s)
        axes.set_ylabel("m to spare")
    return figure
