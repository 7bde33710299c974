"""What one long run found, and what it says meanwhile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a promise held, and the figures, in one sentence."""

    good: bool
    figures: str


def say(line: str) -> None:
    """Prints a line at once: a person waits for hours."""
    print(line, flush=True)  # noqa: T201 - said to a person
