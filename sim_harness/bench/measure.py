"""
How to measure on a machine that is never quiet: alternate, take medians of CPU time, speak in ratios.

A reference measured a minute later met another machine. So the two take turns, round by round, and a slow round hits both.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

NS_PER_MS: Final = 1e6


class NotHere(RuntimeError):
    """This machine lacks what a benchmark measures with; the message says what, and where it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of a benchmark; *ratio* is ours ÷ reference, and *goal* what it should not exceed (or, *at_least*, reach)."""

    name: str
    ours: float
    reference: float | None
    unit: str
    ratio: float | None = None
    goal: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is no goal."""
        if self.goal is None:
            return None
        value = self.ours if self.ratio is None else self.ratio
        return value >= self.goal if self.at_least else value <= self.goal

    def as_json(self) -> dict[str, object]:
        """The line for `--json`."""
        return {**asdict(self), "met": self.met}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A benchmark's lines and what they were measured on."""

    bench: str
    about: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


def alternate(
    rounds: int, contenders: Mapping[str, Callable[[], object]], clock: Callable[[], int] = time.process_time_ns
) -> dict[str, float]:
    """Median milliseconds of each contender over *rounds*, by CPU time or another *clock*; they take turns, the collector is held off."""
    spent: dict[str, list[int]] = {name: [] for name in contenders}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in contenders.items():
                before_ns = clock()
                run()
                spent[name].append(clock() - before_ns)
    finally:
        gc.enable()
    return {name: median(times) / NS_PER_MS for name, times in spent.items()}


def exponent(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """Slope of cost over size on log-log paper, by least squares."""
    x = [math.log(size) for size in sizes]
    y = [math.log(cost) for cost in costs]
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    return sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True)) / sum((a - x_mean) ** 2 for a in x)


def processor() -> str:
    """The machine's processor as it calls itself."""
    about = Path("/proc/cpuinfo")
    if about.is_file():
        for line in about.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown processor"
