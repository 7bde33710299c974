"""
The input log of a real server: an hour a file, the last day kept, written on the journal's thread and never in a tick.

The control thread only hands over what it has anyway. What waits is bounded: when the disk holds the journal's thread up for longer, ticks
are left out and the log goes on, in a new file, from a checkpoint of the core. A new hour begins with a checkpoint too, so the oldest file
may go without taking the replay of the others with it. The log never costs the server anything else: a disk that refuses it is tried again
later, and when the journal itself finds no room, old logs make some.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet.clock import NS_PER_S
from fleet.log import Event, Log
from fleet.server.replay.blocks import TickBlock, start_block
from fleet.server.replay.kept import Kept, Started
from fleet.server.replay.log_file import END, Block, LogWriter

FOLDER: Final = "inputs"
SUFFIX: Final = ".inputs"
# A second: what a kill costs, and how often the journal's thread is asked to write.
BLOCK_TICKS: Final = 10
WAITING_MAX: Final = 60 * BLOCK_TICKS
LAST_TICK: Final = 1 << 62
RETRY_NS: Final = 60 * NS_PER_S
SEGMENT_S: Final = 3600.0
SEGMENT_BYTES: Final = 64 << 20

_LOG: Final = Log("input_log")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLimits:
    """
    What may be kept: *hours* after a newer file has begun, and *bytes_max* in all.

    A new file begins after *segment_s* of control time or *segment_bytes*, whichever comes first.
    """

    hours: float
    bytes_max: int
    segment_s: float = SEGMENT_S
    segment_bytes: int = SEGMENT_BYTES

    def __post_init__(self) -> None:
        # The file being written and one whole one before it, or there is nothing to replay after each new hour.
        if self.bytes_max < 3 * self.segment_bytes:
            raise ValueError(f"the input log needs room for three files, {3 * self.segment_bytes} bytes")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opening:
    """A new file begins here: *block* is its start, *tick* how many ticks ran before."""

    tick: int
    block: Block


class SnapshotTaken:
    """The core was asked for its snapshot."""


def segments(folder: Path) -> list[Path]:
    """The files of a log, in the order in which they were written."""
    return sorted(folder.glob(f"*{SUFFIX}"))


class RotatingLog:
    """
    An `Ear`. `began`, `ticked` and `snapshot_taken` belong to the control thread, `write`, `give_way` and `close` to the journal's.

    *wake* asks for a `write` up to a tick, once what was decided until then is durable: the log never knows more than the journal.
    *head* is what each file begins with.
    """

    def __init__(self, data: Path, limits: LogLimits, head: Block, wake: Callable[[int], None]) -> None:
        self._folder = data / FOLDER
        self._limits = limits
        self._wake = wake
        self._head = head
        self._waiting: deque[Kept | SnapshotTaken | Opening] = deque()
        self._started: Started | None = None
        self._fact_count = 0
        self._leaving_out = False
        self._opening_due = False  # set by the journal's thread, taken up by the control thread after its next tick
        # What follows belongs to the journal's thread.
        self._log: LogWriter | None = None
        self._block = TickBlock()
        self._began_ns = 0
        self._retry_ns = 0
        self._opening_asked = False

    # On the control thread.

    def began(self, started: Started) -> None:
        """An epoch begins; the journal knows from what."""
        self._started = started
        self._waiting.append(Opening(tick=0, block=start_block(started, tick=0, fact_count=0, journalled=True)))

    def ticked(self, kept: Kept) -> None:
        """A tick is over; nothing here waits for a disk."""
        self._fact_count += kept.fact_count
        if self._leaving_out:
            if len(self._waiting) < WAITING_MAX // 2:
                self._leaving_out = False
                self._open_after(kept.tick)
            return
        if len(self._waiting) >= WAITING_MAX:
            self._leaving_out = True
            _LOG.alarm(Event.INPUT_LOG_BEHIND, tick=kept.tick)
            return
        self._waiting.append(kept)
        if self._opening_due:
            self._opening_due = False
            self._open_after(kept.tick)
        if kept.tick % BLOCK_TICKS == 0:
            self._wake(kept.tick - 1)

    def snapshot_taken(self, _epoch: int) -> None:
        """The core was asked for its snapshot; a process has one core."""
        if not self._leaving_out:
            self._waiting.append(SnapshotTaken())

    def _open_after(self, tick: int) -> None:
        started = self._started
        assert started is not None, "a core begins before it ticks"
        block = start_block(started, tick=tick, fact_count=self._fact_count, checkpoint=started.checkpoint())
        self._waiting.append(Opening(tick=tick, block=block))

    # On the journal's thread.

    def write(self, up_to_tick: int) -> None:
        """Writes what waits of these ticks; whatever goes wrong is said and costs only the log."""
        while self._waiting:
            item = self._waiting[0]
            if isinstance(item, Kept) and item.tick > up_to_tick:
                return
            self._waiting.popleft()
            try:
                self._put(item)
            except OSError as refused:
                self._give_up(str(refused), item.now_ns if isinstance(item, Kept) else 0)
            except Exception as fault:  # noqa: BLE001 - a mistake in the log must not end a server
                self._give_up(f"{type(fault).__name__}: {fault}", item.now_ns if isinstance(item, Kept) else 0)

    def give_way(self) -> None:
        """The journal finds no room: everything but the file being written goes."""
        for file in segments(self._folder):
            if self._log is None or file != self._log.path:
                file.unlink(missing_ok=True)

    def close(self, *, durable: bool) -> None:
        """
        Completes the log, once nothing ticks any more.

        Where what was decided did not all become *durable*, the log ends as after a kill.
        """
        if not durable:
            self._give_up("the journal did not take everything", 0)
            return
        self.write(LAST_TICK)
        try:
            self._end()
        except OSError as refused:
            self._give_up(str(refused), 0)

    def _put(self, item: Kept | SnapshotTaken | Opening) -> None:
        if isinstance(item, Opening):
            self._begin(item)
        elif self._log is None:
            if isinstance(item, Kept) and item.now_ns >= self._retry_ns:
                self._ask_for_opening()
        elif isinstance(item, SnapshotTaken):
            self._block.snapshot()
        else:
            self._keep(self._log, item)

    def _keep(self, log: LogWriter, kept: Kept) -> None:
        self._began_ns = self._began_ns or kept.now_ns
        self._block.put(kept)
        if len(self._block) >= BLOCK_TICKS:
            log.write(self._block.take())
        if log.byte_count >= self._limits.segment_bytes or kept.now_ns - self._began_ns >= self._limits.segment_s * NS_PER_S:
            self._ask_for_opening()

    def _ask_for_opening(self) -> None:
        if not self._opening_asked:
            self._opening_asked = self._opening_due = True

    def _begin(self, opening: Opening) -> None:
        self._end()
        self._folder.mkdir(parents=True, exist_ok=True)
        epoch = opening.block.head["epoch"]
        log = LogWriter(self._folder / f"{epoch:08d}-{opening.tick:012d}{SUFFIX}")
        self._log, self._began_ns, self._opening_asked = log, 0, False
        log.write(self._head)
        log.write(opening.block)
        self._prune(log.path)

    def _end(self) -> None:
        log, self._log = self._log, None
        block, self._block = self._block, TickBlock()
        if log is None:
            return
        try:
            if len(block):
                log.write(block.take())
            log.write(Block(kind=END, head={}))
        finally:
            log.close()

    def _prune(self, newest: Path) -> None:
        """Forgets what is too old, or too much, the oldest first."""
        files = [file for file in segments(self._folder) if file != newest]
        age_s = {file: newest.stat().st_mtime - file.stat().st_mtime for file in files}
        room = self._limits.bytes_max - self._limits.segment_bytes
        for file in reversed(files):
            room -= file.stat().st_size
            if room < 0 or age_s[file] > self._limits.hours * 3600.0:
                file.unlink()

    def _give_up(self, reason: str, now_ns: int) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.close()
        self._block = TickBlock()
        self._retry_ns = now_ns + RETRY_NS
        self._opening_asked = False
        _LOG.alarm(Event.INPUT_LOG_FAILED, reason=reason)
