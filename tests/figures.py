"""Figures that tests and long runs give of what they have seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def percentile(values: Sequence[float], share: float) -> float:
    """The one of *values* that so large a *share* of them does not exceed; nan when there is none."""
    return float(np.percentile(values or [math.nan], 100.0 * share, method="higher"))


def memory_mib(pid: int) -> float:
    """What a process holds in memory now."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
