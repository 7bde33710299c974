"""
Faults on the time axis of a stringline: a bar each, from its beginning to its end, with what was noticed and when all was safe.

Bars that would be written over one another go below one another; what finds no room is counted rather than drawn small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from matplotlib.axes import Axes

from sim_harness.palette import FAINT, GOOD, GRID, INK, STAND

ROWS_MAX: Final = 8
# Shares of the window: a letter of a name, the gap after it, and the least length of a bar that can be seen.
LETTER_SHARE: Final = 0.0062
GAP_SHARE: Final = 0.01
LEAST_SHARE: Final = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """
    One fault as it is drawn, name and all, between *low_s* and *high_s*.

    *row* counts from the top; *reached* is None where no safe state was called for; the name stands after the bar or *before* it.
    """

    name: str
    begin_s: float
    end_s: float
    low_s: float
    high_s: float
    before: bool
    seen_s: float | None
    safe_s: float | None
    reached: bool | None
    row: int = 0

    @classmethod
    def of(cls, fault: Mapping[str, Any], window_s: tuple[float, float]) -> Bar:
        """The bar of a *fault* that the window sees."""
        start_s, stop_s = window_s
        span_s = stop_s - start_s
        begin_s = max(start_s, float(fault["at_s"]))
        ended_s = stop_s if fault.get("ended_s") is None else min(stop_s, float(fault["ended_s"]))
        end_s = max(ended_s, begin_s + LEAST_SHARE * span_s)
        safe_s = fault.get("safe_s")
        last_s = end_s if safe_s is None else min(stop_s, max(end_s, float(safe_s)))
        name = name_of(fault)
        wide_s = (GAP_SHARE + LETTER_SHARE * len(name)) * span_s
        before = last_s + wide_s > stop_s
        return cls(
            name=name,
            begin_s=begin_s,
            end_s=end_s,
            low_s=begin_s - wide_s if before else begin_s,
            high_s=last_s if before else last_s + wide_s,
            before=before,
            seen_s=fault.get("seen_s"),
            safe_s=safe_s,
            reached=fault.get("reached"),
        )

    @property
    def color(self) -> str:
        """Red where the safe state was not reached, green where it was, grey where none was called for."""
        return {False: STAND, True: GOOD, None: FAINT}[self.reached]


def name_of(fault: Mapping[str, Any]) -> str:
    """What a fault is called in a picture."""
    shape = f" {fault['shape']}" if fault.get("shape") else ""
    return f"{fault.get('fault', '')}{shape}: {fault.get('target', '')}".replace("_", " ")


def packed(faults: Sequence[Mapping[str, Any]], window_s: tuple[float, float], rows_max: int = ROWS_MAX) -> tuple[list[Bar], int]:
    """Bars for the *faults* of a window, none over another; and how many found no room. Those that went wrong choose first."""
    start_s, stop_s = window_s
    inside = [fault for fault in faults if fault["at_s"] <= stop_s and (fault.get("ended_s") is None or fault["ended_s"] >= start_s)]
    rows: list[list[Bar]] = [[] for _ in range(rows_max)]
    hidden = 0
    for fault in sorted(inside, key=lambda fault: (fault.get("reached") is not False, fault["at_s"])):
        bar = Bar.of(fault, window_s)
        free = (row for row, placed in enumerate(rows) if all(bar.high_s <= other.low_s or other.high_s <= bar.low_s for other in placed))
        row = next(free, None)
        if row is None:
            hidden += 1
        else:
            rows[row].append(replace(bar, row=row))
    return [bar for placed in rows for bar in placed], hidden


def draw_bars(axes: Axes, bars: Sequence[Bar], hidden: int, window_s: tuple[float, float]) -> None:
    """Draws *bars* with their names; a diamond where somebody was told, a stroke where the safe state was reached."""
    gap_s = 0.4 * GAP_SHARE * (window_s[1] - window_s[0])
    for bar in bars:
        axes.barh(bar.row, bar.end_s - bar.begin_s, left=bar.begin_s, height=0.56, color=bar.color, alpha=0.4, linewidth=0)
        axes.plot([bar.begin_s, bar.begin_s], [bar.row - 0.34, bar.row + 0.34], color=bar.color, linewidth=1.6)
        if bar.safe_s is not None:
            axes.plot([bar.safe_s, bar.safe_s], [bar.row - 0.34, bar.row + 0.34], color=GOOD, linewidth=1.6)
        if bar.seen_s is not None:
            axes.scatter([bar.seen_s], [bar.row], marker="D", s=11, color=INK, zorder=3, linewidths=0)
        at_s, side = (bar.begin_s - gap_s, "right") if bar.before else (max(bar.end_s, bar.safe_s or 0.0) + gap_s, "left")
        color = STAND if bar.reached is False else INK
        axes.text(at_s, bar.row, bar.name, color=color, fontsize=7.5, va="center", ha=side, clip_on=True)
    axes.set_ylim(max((bar.row for bar in bars), default=0) + 0.6, -0.6)
    axes.set_yticks([])
    axes.grid(visible=True, axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.set_title("Faults" + (f" ({hidden} more find no room here; all are in the table)" if hidden else ""), color=INK)


def height_of(bars: Sequence[Bar]) -> float:
    """Inches that the rows of *bars* want."""
    return 0.35 + 0.2 * (max((bar.row for bar in bars), default=0) + 1)
