"""What a drawn site is put together from: mappings as they stand in a site file, and the draws they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

Choice = TypeVar("Choice")


class Dice:
    """Draws of one seed, in figures as short as a surveyor writes them."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def whole(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return int(self._generator.integers(least, most + 1))

    def metres(self, least: int, most: int) -> int:
        """A length in tens of metres."""
        return 10 * self.whole(least // 10, most // 10)

    def chance(self, share: float) -> bool:
        """True in so many cases of one."""
        return bool(self._generator.random() < share)

    def one_of(self, choices: Sequence[Choice]) -> Choice:
        """One of them, all alike likely."""
        return choices[self.whole(0, len(choices) - 1)]


@dataclass(slots=True)
class Sketch:
    """The sections of a site file as they grow, and which features it has."""

    alignments: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, Any] = field(default_factory=dict)
    lanes: dict[str, Any] = field(default_factory=dict)
    fans: dict[str, Any] = field(default_factory=dict)
    gate_fans: dict[str, Any] = field(default_factory=dict)
    gates: dict[str, Any] = field(default_factory=dict)
    zones: dict[str, Any] = field(default_factory=dict)
    yards: dict[str, Any] = field(default_factory=dict)
    processes: dict[str, Any] = field(default_factory=dict)
    features: set[str] = field(default_factory=set)

    def sections(self) -> dict[str, dict[str, Any]]:
        """Those that have entries, in the order of a site file."""
        names = ("alignments", "nodes", "lanes", "fans", "gate_fans", "gates", "zones", "yards", "processes")
        return {name: entries for name in names if (entries := getattr(self, name))}


def work(dice: Dice, least_s: int, most_s: int) -> tuple[dict[str, Any], float]:
    """A triangular process, and what it takes on average."""
    mode_s = dice.whole(least_s, most_s)
    low_s, high_s = max(1, mode_s // 2), 2 * mode_s
    return {"shape": "triangular", "least_s": low_s, "mode_s": mode_s, "most_s": high_s}, (low_s + mode_s + high_s) / 3.0
