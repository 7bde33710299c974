"""
The same inputs through the core again: does it still say what it said?

Every tick's words and facts must be the recorded ones, byte for byte; where there is a journal, its records too. The first that are
not end the replay: after them the core is another one. What the log has lost (a kill's last second, a damaged block) is said, and the
replay goes on where the next start or checkpoint lets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final, Protocol

from fleet.server.dispatch.books import DispatchOptions
from fleet.server.engine import Engine, EngineOptions
from fleet.server.facts import Fact, FactMalformed, decode, encode
from fleet.server.inputs import Input
from fleet.server.journal.journal import Record
from fleet.server.journal.records import facts_of
from fleet.server.loop.control_loop import ControlLoop, LoopOptions
from fleet.server.outgoing import Outgoing
from fleet.server.replay import form
from fleet.server.replay.blocks import FROM_CHECKPOINT, FROM_JOURNAL, options_of, software, unpack_records
from fleet.server.replay.checkpoint import loop_of
from fleet.server.replay.differences import LINES_MAX, Difference, Line, Names, lines_of
from fleet.server.replay.form import Item
from fleet.server.replay.kept import answers_of
from fleet.server.replay.log_file import HEAD, START, TICKS, Block, LogCutShort, LogDamaged, read_log
from fleet.server.replay.past import Past
from fleet.server.replay.sites import Sites
from fleet.server.site_facts import SiteInForce
from planner.corridor import Corridor

RECORDING: Final = "the recording"
JOURNAL: Final = "the journal"
NO_EPOCH: Final = 0
# A server that was supplanted may tick on beside its successors; whoever is older is gone.
CORES_MAX: Final = 4


class Core(Protocol):
    """Makes the core of one epoch."""

    def __call__(self, corridor: Corridor, loop: LoopOptions, dispatch: DispatchOptions) -> ControlLoop:
        """A core that remembers nothing yet."""
        ...


def default_core(corridor: Corridor, loop: LoopOptions, dispatch: DispatchOptions) -> ControlLoop:
    """The core that the server runs."""
    return Engine(corridor, EngineOptions(loop=loop, dispatch=dispatch)).loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    What a replay found.

    *tick_count* ticks in *epochs* were equal before the *difference*, if there is one. *damages* are parts of the log that cannot be
    believed, *notes* what is missing for a known reason.
    """

    tick_count: int
    epochs: tuple[int, ...]
    difference: Difference | None
    damages: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Everything that was recorded was replayed, and equal."""
        return self.difference is None and not self.damages


@dataclass(slots=True, kw_only=True)
class _Running:
    """A core under replay; *loop* is None where it cannot go on. *journalled* of its facts were compared or passed over."""

    epoch: int
    loop: ControlLoop | None = None
    tick: int = 0
    journalled: int = 0


class Replay:
    """
    Feeds logs to cores, file after file in the order in which they were written.

    *past* is the journal beside the logs, None where they stand alone. Beside a journal a log that ends without its end is what a kill
    leaves, and no damage. *core* makes the core of an epoch, before it remembers anything.
    """

    def __init__(self, sites: Sites, past: Past | None = None, core: Core = default_core) -> None:
        self._sites = sites
        self._past = past
        self._core = core
        self._cores: dict[int, _Running] = {}
        self._newest = _Running(epoch=NO_EPOCH)
        self._cut_short = False
        self._software = software()
        self._equal_count = 0
        self._epochs: list[int] = []
        self._difference: Difference | None = None
        self._damages: list[str] = []
        self._notes: list[str] = []

    def feed(self, path: Path, progress: Callable[[int], None]) -> None:
        """
        Replays one file; *progress* hears how many of its bytes are done.

        Raises:
            SiteChanged, SiteError: the site of the log is not there any more.
            JournalCorrupt: the journal beside it cannot be believed.
        """
        if self._difference is not None:
            return
        try:
            for block, byte_count in read_log(path):
                self._take(block)
                progress(byte_count)
                if self._difference is not None:
                    return
        except LogCutShort as cut:
            self._cut_short = True
            (self._damages if self._past is None else self._notes).append(self._after_good(cut))
            self._stop_cores()
        except LogDamaged as damaged:
            self._damage(damaged)
        except (form.FormBroken, FactMalformed, KeyError, TypeError, ValueError, AssertionError) as foreign:
            self._damage(LogDamaged(file=path.name, at_byte=0, problem=f"was written by another version: {foreign}"))

    def verdict(self) -> Verdict:
        """What was found in everything fed."""
        self._end_epoch()
        if self._difference is not None and self._software != software():
            self._notes.append(f"recorded with {_told(self._software)}; this is {_told(software())}")
        return Verdict(
            tick_count=self._equal_count,
            epochs=tuple(self._epochs),
            difference=self._difference,
            damages=tuple(self._damages),
            notes=tuple(self._notes),
        )

    def _damage(self, damaged: LogDamaged) -> None:
        self._damages.append(self._after_good(damaged))
        self._cut_short = True
        self._stop_cores()

    def _stop_cores(self) -> None:
        for core in self._cores.values():
            core.loop = None

    def _after_good(self, damaged: LogDamaged) -> str:
        core = self._newest
        where = f"the last good tick is {core.tick} of epoch {core.epoch}" if core.tick else "there is no good tick before that"
        return f"{damaged}; {where}"

    def _take(self, block: Block) -> None:
        if block.kind == HEAD:
            self._sites.enter(block.head)
            self._software = block.head["software"]
        elif block.kind == START:
            self._start(block)
        elif block.kind == TICKS:
            core = self._cores.get(block.head["epoch"])
            if core is not None and core.loop is not None:
                self._run(core, core.loop, block)

    # Where a core begins.

    def _start(self, block: Block) -> None:
        epoch, tick, source = block.head["epoch"], block.head["tick"], block.head["from"]
        core = self._newest
        if source == FROM_CHECKPOINT and core.loop is not None and (epoch, tick) == (core.epoch, core.tick):
            return  # it came here by itself
        remembered = None
        if epoch != core.epoch:
            core, remembered = self._enter_epoch(epoch)
        if tick > core.tick:
            self._notes.append(f"ticks {core.tick + 1} to {tick} of epoch {epoch} are not in the log")
        core.tick = tick
        self._cut_short = False
        if source == FROM_CHECKPOINT:
            if self._past is not None and not self._past.skip(block.head["facts"] - core.journalled):
                self._damages.append(f"the journal holds fewer decisions of epoch {epoch} than were made before tick {tick}")
                return
            core.journalled = block.head["facts"]
            core.loop = loop_of(block.first, self._sites.corridor)
        elif source == FROM_JOURNAL and remembered is None:
            self._damages.append(f"epoch {epoch} began from a journal that is not beside the log, or does not know it")
        else:
            core.loop = self._core(self._sites.corridor, *options_of(block.head))
            for fact in facts_of(remembered if remembered is not None else unpack_records(block.first)):
                core.loop.apply(fact)
            core.loop.begin(epoch)

    def _enter_epoch(self, epoch: int) -> tuple[_Running, Sequence[Record] | None]:
        """A core that has yet to begin, and what the journal says it remembered; None without a journal."""
        self._end_epoch()
        self._newest = self._cores[epoch] = _Running(epoch=epoch)
        self._epochs.append(epoch)
        for forgotten in sorted(self._cores)[:-CORES_MAX]:
            del self._cores[forgotten]
        return self._newest, None if self._past is None else self._past.begin(epoch)

    def _end_epoch(self) -> None:
        """What the journal holds of an epoch beyond its log was decided in the moments before a kill."""
        if self._past is None or self._newest.epoch == NO_EPOCH or self._difference is not None:
            return
        beyond_count = 0
        while self._past.decided() is not None:
            beyond_count += 1
        if beyond_count:
            sentence = f"the journal holds {beyond_count} more decisions of epoch {self._newest.epoch}, which the log does not reach"
            (self._notes if self._cut_short else self._damages).append(sentence)

    # One block.

    def _run(self, core: _Running, loop: ControlLoop, block: Block) -> None:
        if block.head["tick"] != core.tick + 1:
            raise form.FormBroken(f"tick {block.head['tick']} follows tick {core.tick}")
        times_ns = list(accumulate(block.head["now_ns"]))
        answers = self._answers(loop, block, times_ns)
        written = form.encode(answers)
        unlike = None if written == block.second else _first_unlike(form.items(block.second), form.items(written))
        names = Names(self._sites.corridor, loop.sessions.truck_ids)
        at, against, lines = len(times_ns), RECORDING, []
        if unlike is not None:
            at, recorded, replayed = unlike
            lines = lines_of(recorded, replayed, names)
        if core is self._newest and (strange := self._unlike_journal(answers[:at], names)) is not None:
            at, lines = strange
            against = JOURNAL
        self._equal_count += at
        if lines:
            self._difference = Difference(
                epoch=core.epoch,
                tick=block.head["tick"] + at,
                now_ns=times_ns[at],
                against=against,
                lines=tuple(lines[:LINES_MAX]),
                more_count=max(0, len(lines) - LINES_MAX),
            )
        core.tick += len(times_ns)

    def _answers(self, loop: ControlLoop, block: Block, times_ns: Sequence[int]) -> list[list[object]]:
        """What the core says now; shorter than *times_ns* where it ended in a fault."""
        answers: list[list[object]] = []
        snapshots = block.head["snapshots"]
        for at, heard in enumerate(form.inputs(block.first)):
            for _ in range(snapshots.count(at)):
                loop.snapshot()
            answers.append(answers_of(_said(loop, times_ns[at], heard)))
        for _ in range(snapshots.count(len(times_ns))):
            loop.snapshot()
        return answers

    def _unlike_journal(self, answers: Sequence[Sequence[object]], names: Names) -> tuple[int, list[Line]] | None:
        """The first tick whose facts the journal does not hold in their place: its place in the block, and what differs."""
        if self._past is None:
            return None
        for at, said in enumerate(answers):
            if any(isinstance(answer, SiteInForce) and answer.digest != self._sites.corridor.digest for answer in said):
                continue  # the switch is a snapshot in the rows of the new site: the next epoch begins with it
            for fact in said:
                if not isinstance(fact, Fact):
                    continue
                record = self._past.decided()
                self._newest.journalled += 1
                if record is None or (record.kind, record.body) != encode(fact):
                    kept = [] if record is None else [decode(record.kind, record.body)]
                    [recorded], [replayed] = form.items(form.encode([kept])), form.items(form.encode([[fact]]))
                    return at, lines_of(recorded, replayed, names)
        return None


def _told(parts: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parts.items())


def _said(loop: ControlLoop, now_ns: int, heard: Sequence[Input]) -> Outgoing | Exception:
    try:
        return loop.tick(now_ns, heard)
    except Exception as fault:  # noqa: BLE001 - whatever ended the core is its answer, and is compared
        return fault


def _first_unlike(recorded: Sequence[Sequence[Item]], replayed: Sequence[Sequence[Item]]) -> tuple[int, Sequence[Item], Sequence[Item]]:
    """The first tick whose values differ, and what both say there."""
    for at in range(max(len(recorded), len(replayed))):
        left = recorded[at] if at < len(recorded) else ()
        right = replayed[at] if at < len(replayed) else ()
        if form.text_of(left) != form.text_of(right):
            return at, left, right
    raise form.FormBroken("the same values in other bytes")
