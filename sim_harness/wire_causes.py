"""Why trucks stand, asked of a server over the wire: at once for one that has just stopped, now and then for the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sim_harness.books import Causes
from sim_harness.lines import Lines

# Asking is a read a truck: often enough to name each wait, seldom enough not to be the load.
ASK_AGAIN_TICKS: Final = 150


class WireCauses:
    """What was answered last: *named*, the root and its subject by truck that stands."""

    def __init__(self) -> None:
        self.named: Causes = {}
        self._asked_tick: dict[str, int] = {}

    async def ask(self, lines: Lines, standing: Iterable[tuple[str, bool]], tick: int) -> None:
        """Ask over *lines* what is not known or may have changed of the trucks of which *standing* says that they stand."""
        named = dict(self.named)
        for truck_id, stands in standing:
            if not stands:
                named.pop(truck_id, None)
            elif truck_id not in named or tick - self._asked_tick[truck_id] >= ASK_AGAIN_TICKS:
                self._asked_tick[truck_id] = tick
                cause = await lines.why(truck_id)
                if cause is not None:
                    named[truck_id] = cause
        self.named = named
