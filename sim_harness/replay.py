"""
`fleet sim replay`: a recorded run, or a server's data folder, through the core again.

A run's folder holds one input log, `run.inputs`; a run over the wire leaves its server's logs instead. A server's data folder holds its journal and, in `inputs/`, the logs of its last hours;
there the journal says what each epoch began with, and every replayed decision must be the journal's too.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from fleet.clock import NS_PER_S
from fleet.errors import Code, FleetError
from fleet.server.journal.backup import files_of
from fleet.server.journal.sqlite import JOURNAL_FILE, SqliteJournal
from fleet.server.replay.differences import Difference
from fleet.server.replay.input_log import RUN_FILE
from fleet.server.replay.past import Past
from fleet.server.replay.replaying import Replay, Verdict
from fleet.server.replay.rotating_log import FOLDER, segments
from fleet.server.replay.sites import Sites

CELL_CHARS_MAX: Final = 60


@dataclass(eq=False)
class NothingToReplay(FleetError):
    """There is no input log there."""

    code: ClassVar[Code] = Code.INVALID
    hint: ClassVar[str] = "Give what `fleet sim run --out` or `fleet serve --data` wrote."

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """What is to be replayed: *files* in their order, and the folder of the journal beside them, if there is one."""

    files: tuple[Path, ...]
    journal: Path | None = None

    @property
    def byte_count(self) -> int:
        """How much there is to read."""
        return sum(file.stat().st_size for file in self.files)


def logs_at(path: Path) -> Logs:
    """
    The input logs at *path*: a file, a run's folder or a server's.

    Raises:
        NothingToReplay: there are none.
    """
    if (path / RUN_FILE).is_file():
        return Logs(files=(path / RUN_FILE,))
    beside = path.is_file() and path.parent.name == FOLDER
    data = path.parent.parent if beside else path
    found = [path] if path.is_file() else segments(path / FOLDER)
    if not found:
        raise NothingToReplay(path=str(path))
    return Logs(files=tuple(found), journal=data if (data / JOURNAL_FILE).is_file() else None)


def keep_logs(data: Path, out: Path) -> None:
    """Copies journal and input logs of a server that has ended from its folder *data* to a run's folder *out*."""
    (out / RUN_FILE).unlink(missing_ok=True)
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    for earlier in files_of(out):
        earlier.unlink()
    for file in files_of(data):
        shutil.copy(file, out / file.name)
    if (data / FOLDER).is_dir():
        shutil.copytree(data / FOLDER, out / FOLDER)


@contextmanager
def _past(folder: Path | None) -> Iterator[Past | None]:
    if folder is None:
        yield None
        return
    with closing(SqliteJournal(folder)) as journal:
        yield Past(journal.chain())


def replay(logs: Logs, site: str | None, progress: Callable[[float], None]) -> Verdict:
    """
    Replays *logs* on the site they name, or on *site*; *progress* hears bytes done.

    Raises:
        SiteChanged, SiteError: the site is not there as it was.
        JournalLocked: its server runs.
        JournalCorrupt: the journal cannot be believed.
    """
    with _past(logs.journal) as past:
        work = Replay(Sites(site), past)
        done = 0
        for file in logs.files:
            before = done
            work.feed(file, lambda byte_count, before=before: progress(before + byte_count))  # type: ignore[misc]
            done += file.stat().st_size
        return work.verdict()


def as_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict as one JSON document."""
    return {"good": verdict.good, **asdict(verdict)}


def sentences(verdict: Verdict) -> list[str]:
    """A verdict for people."""
    epochs = ", ".join(map(str, verdict.epochs)) or "none"
    said = [f"{verdict.tick_count} ticks equal, epoch{'s' if len(verdict.epochs) > 1 else ''} {epochs}"]
    said += [f"note: {note}" for note in verdict.notes]
    said += [f"damaged: {damage}" for damage in verdict.damages]
    if verdict.difference is not None:
        said += _table(verdict.difference)
    return said


def _table(difference: Difference) -> list[str]:
    where = f"tick {difference.tick} of epoch {difference.epoch}, control time {difference.now_ns / NS_PER_S:.1f} s"
    rows = [("", difference.against, "replayed"), *((line.what, _cut(line.recorded), _cut(line.replayed)) for line in difference.lines)]
    widths = [max(len(row[at]) for row in rows) for at in range(2)]
    lines = [f"  {what:<{widths[0]}}  {left:<{widths[1]}}  {right}" for what, left, right in rows]
    more = [f"  and {difference.more_count} more"] if difference.more_count else []
    return [f"the first difference is at {where}:", *lines, *more]


def _cut(text: str) -> str:
    return text if len(text) <= CELL_CHARS_MAX else f"{text[: CELL_CHARS_MAX - 1]}…"
