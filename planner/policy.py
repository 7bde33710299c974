"""The policies by which road is given out, by name: ours, and those it is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MOVING: Final = "moving"
BLOCK_M: Final[Mapping[str, float | None]] = {MOVING: None, "blocks200": 200.0, "blocks400": 400.0}
"""Length of a fixed block under each policy; None where authority moves with the truck ahead."""
