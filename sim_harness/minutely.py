"""A command that takes hours and is not looked at says once a minute how far it has come: a log shows that it lives, and how long it will."""

from __future__ import annotations

import time
from typing import Final

import typer

MINUTE_S: Final = 60.0


class Minutely:
    """Says on stderr what it is told, at most once a minute, and nothing in the first."""

    def __init__(self) -> None:
        self._said_s = time.monotonic()

    def __call__(self, words: str) -> None:
        """*words*, if it is time."""
        now_s = time.monotonic()
        if now_s - self._said_s >= MINUTE_S:
            self._said_s = now_s
            typer.echo(words, err=True)
