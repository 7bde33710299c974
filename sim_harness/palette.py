"""
The colours and settings that all pictures share.

Laden trucks are coal, empty ones sand; red is for standing and for what went wrong, blue for what binds, green for what is safe.
"""

from __future__ import annotations

from typing import Any, Final

INK: Final = "#1d2430"
FAINT: Final = "#8a93a3"
GRID: Final = "#e4e7ec"
LADEN: Final = "#2b3a55"
EMPTY: Final = "#c98a2b"
STAND: Final = "#d0342c"
GATE: Final = "#2f7ed8"
ZONE: Final = "#8f7ee0"
ROAD: Final = "#ccd2db"
GOOD: Final = "#18794e"
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
