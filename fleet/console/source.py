"""Where a console has its fleet from: a server that is asked over a line, or the recording of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from fleet.client import Ask

_V = TypeVar("_V")


class Source(Protocol):
    """Answers what the console asks; `fleet.client.AsyncOperator` is one."""

    async def ask(self, ask: Ask[_V]) -> _V:
        """
        The answer.

        Raises:
            FleetError: there is none, and why.
        """
        ...

    def watch(self, ask: Ask[_V]) -> AsyncIterator[_V]:
        """
        Each answer of a stream until the caller stops.

        Raises:
            FleetError: the stream broke. Watch again to go on.
        """
        ...
