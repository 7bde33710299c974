"""The policies by which road is given out, by name: ours, and those it is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MOVING: Final = "moving"
PLANNED: Final = "planned"
"""As MOVING, and a plan of the next minutes advises who goes first where several want a zone (see `planner.foresight`)."""
BLOCK_M: Final[Mapping[str, float | None]] = {MOVING: None, PLANNED: None, "blocks200": 200.0, "blocks400": 400.0}
"""Length of a fixed block under each policy; None where authority moves with the truck ahead."""
