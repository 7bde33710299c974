"""The journal as replay reads it: what each epoch began with, and what was decided in it, in one pass over the chain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fleet.server.journal.journal import (
    EPOCH_BEGAN,
    SNAPSHOT_BEGAN,
    SNAPSHOT_ENDED,
    Record,
    Sealed,
    checked,
)

NONE_AHEAD: Final = 0


class Past:
    """
    Walks a whole *chain* and checks it on the way; epochs are asked for as they rise.

    A snapshot repeats what was decided before: it matters to whoever starts after it, and is no decision of its own.
    """

    def __init__(self, chain: Iterable[Sealed]) -> None:
        self._chain = (sealed.record for sealed in checked(chain))
        self._kept: list[Record] = []  # what a server that starts here would remember
        self._snapshot: list[Record] | None = None
        self._ahead = NONE_AHEAD  # the epoch whose beginning was read and not yet asked for

    def begin(self, epoch: int) -> list[Record] | None:
        """
        What the server of *epoch* remembered at its start; None when the journal knows no such epoch, or is past it.

        Raises:
            JournalCorrupt: the chain does not fit.
        """
        while True:
            while self.decided() is not None:
                pass
            if self._ahead == epoch:
                self._ahead = NONE_AHEAD
                return list(self._kept)
            if self._ahead == NONE_AHEAD or self._ahead > epoch:
                return None
            self._ahead = NONE_AHEAD

    def decided(self) -> Record | None:
        """
        The next record that the epoch begun last decided; None at its end.

        Raises:
            JournalCorrupt: the chain does not fit.
        """
        if self._ahead != NONE_AHEAD:
            return None
        for record in self._chain:
            if record.kind == EPOCH_BEGAN:
                self._ahead = int(record.body)
                return None
            if record.kind == SNAPSHOT_BEGAN:
                self._snapshot = []
            elif record.kind == SNAPSHOT_ENDED:
                self._kept, self._snapshot = self._snapshot or [], None
            elif self._snapshot is not None:
                self._snapshot.append(record)
            else:
                self._kept.append(record)
                return record
        return None

    def skip(self, count: int) -> bool:
        """Passes over *count* records; false when the epoch has fewer."""
        return all(self.decided() is not None for _ in range(count))
