"""
What the server turned away because somebody asked for too much, counted, and said in the log while it goes on.

One alarm in ten seconds, however much was shed: a flood must not become a flood of lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from typing import Final

from fleet.log import Event, Log
from fleet.server.limits import SAY_SHED_EVERY_S, TICKS_PER_S

_SAY_EVERY_TICKS: Final = int(SAY_SHED_EVERY_S * TICKS_PER_S)
_LOG: Final = Log("shedding")


@dataclass(slots=True, kw_only=True)
class Shed:
    """What was turned away since the server started, in the order in which it gives way."""

    reports: int = 0  # overtaken by a newer one of the same truck, or the oldest of too many
    reads: int = 0  # looks at the fleet and the desk
    plans: int = 0  # orders, and proposals of another site
    inputs: int = 0  # everything else but stops
    requests: int = 0  # requests of a peer that asked too often
    streams: int = 0  # streams of a peer that had too many
    readers: int = 0  # readers so slow that they were cut off
    strangers: int = 0  # streams that never said who they are


class Shedding:
    """Says what *shed* counts. Belongs to the thread of the streams."""

    def __init__(self, shed: Shed, say: Callable[[dict[str, int]], None] | None = None) -> None:
        self._shed = shed
        self._say = say if say is not None else _alarm
        self._said = astuple(shed)
        self._quiet_ticks = _SAY_EVERY_TICKS

    def ticked(self) -> None:
        """Once a tick: says what is new since it was last said, unless that was a moment ago."""
        self._quiet_ticks += 1
        if self._quiet_ticks < _SAY_EVERY_TICKS or (counts := astuple(self._shed)) == self._said:
            return
        news = {entry.name: now - before for entry, now, before in zip(fields(Shed), counts, self._said, strict=True) if now != before}
        self._said, self._quiet_ticks = counts, 0
        self._say(news)


def _alarm(news: dict[str, int]) -> None:
    _LOG.alarm(Event.INPUT_SHED, **news)
