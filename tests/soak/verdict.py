"""What one long run found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a promise held, and the figures, in one sentence."""

    good: bool
    figures: str
