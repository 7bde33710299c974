"""The input log of a run in virtual time: one file, written as the run goes."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fleet.server.replay.blocks import TickBlock, head_block, start_block
from fleet.server.replay.kept import Kept, Started
from fleet.server.replay.log_file import END, Block, LogWriter
from planner.corridor import Corridor

RUN_FILE: Final = "run.inputs"
# Ten simulated seconds: long enough to compress well, short enough that nobody waits for the write.
BLOCK_TICKS: Final = 100


class InputLog:
    """
    An `Ear` that writes to *path*; *site* is where the corridor comes from, *site_digest* its digest where the corridor's is another.

    A core that starts anew goes on in the same file, and one that was supplanted too.
    """

    def __init__(self, path: Path, corridor: Corridor, site: str, site_digest: str | None = None) -> None:
        self._log = LogWriter(path)
        self._log.write(head_block(corridor, site, site_digest))
        self._blocks: dict[int, TickBlock] = {}
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def began(self, started: Started) -> None:
        """An epoch begins."""
        self._flush()
        self._blocks[started.epoch] = TickBlock()
        self._log.write(start_block(started, tick=0, fact_count=0))

    def ticked(self, kept: Kept) -> None:
        """A tick is over."""
        block = self._blocks[kept.epoch]
        if len(block) >= BLOCK_TICKS:
            self._log.write(block.take())
        block.put(kept)

    def snapshot_taken(self, epoch: int) -> None:
        """The core of *epoch* was asked for its snapshot."""
        self._blocks[epoch].snapshot()

    def close(self) -> None:
        """Completes the file; again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._flush()
        self._log.write(Block(kind=END, head={}))
        self._log.close()

    def _flush(self) -> None:
        for block in self._blocks.values():
            if len(block):
                self._log.write(block.take())
