"""
The pictures of a run: stringline, corridor, throughput. Drawn with matplotlib into SVG text or, for a README, into a file.

One palette: laden trucks are coal, empty ones sand; red is for standing, blue for what binds.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator, NullLocator

from planner.corridor import Corridor, StandKind
from sim_harness.geometry import LaneLines
from sim_harness.observation import FloatArray
from sim_harness.stringline import STANDING_MPS, AxisTable, Motion, String, Unrolled, strings

INK: Final = "#1d2430"
FAINT: Final = "#8a93a3"
GRID: Final = "#e4e7ec"
LADEN: Final = "#2b3a55"
EMPTY: Final = "#c98a2b"
STAND: Final = "#d0342c"
GATE: Final = "#2f7ed8"
ZONE: Final = "#8f7ee0"
ROAD: Final = "#ccd2db"
# Any: matplotlib types its settings by their names, one by one.
STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "khulan",
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}
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
    used = set(np.unique(scene.motion.lane_ix[scene.motion.laden == laden]).tolist())
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


def stringline(scene: Scene) -> Figure:
    """Time against distance, a panel per direction: trucks as lines, gates and zones as bands, standing in red."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 7.4))
        panels: Any = figure.subplots(2, 1, sharex=True, gridspec_kw={"hspace": 0.16})
        moving = strings(scene.motion, scene.axis)
        standing = strings(scene.motion, scene.axis, standing=True)
        for axes, laden, color in ((panels[0], True, LADEN), (panels[1], False, EMPTY)):
            _bands(axes, scene, laden=laden)
            _draw_strings(axes, [line for line in moving if line.laden == laden], color=color, width=0.7)
            _draw_strings(axes, [line for line in standing if line.laden == laden], color=STAND, width=1.5)
            axes.set_xlim(*scene.window_s)
            axes.set_ylim(0.0, scene.axis.length_m)
            axes.grid(visible=True, color=GRID, linewidth=0.6)
            axes.set_axisbelow(True)
            axes.set_title("Laden, to the unloading yard" if laden else "Empty, homeward", color=color)
            _kilometres(axes)
        _clock_axis(panels[1], scene)
        panels[1].set_xlabel("local time")
        figure.align_ylabels(panels)
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
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock_text(start_s + value)))
        step_s = next((step for step in (300, 900, 1800, 3600, 7200) if sim_seconds / step <= 7), 4 * 3600)
        axes.xaxis.set_major_locator(MultipleLocator(step_s))
        axes.grid(visible=True, color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_ylabel("round trips")
        axes.set_xlabel("local time")
    return figure
