"""From a core's ticks to blocks of the input log, and what a log says of the software and the site it was written with."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from struct import Struct
from typing import Any, Final

import numpy as np

from fleet.server.dispatch.books import DispatchOptions
from fleet.server.journal.journal import Record
from fleet.server.loop.control_loop import LoopOptions
from fleet.server.replay import form
from fleet.server.replay.kept import Kept, Started
from fleet.server.replay.log_file import HEAD, START, TICKS, Block
from planner.corridor import Corridor, Process, Stretch, TruckType

FROM_RECORDS, FROM_JOURNAL, FROM_CHECKPOINT = "records", "journal", "checkpoint"
SITE_FORM_BYTES: Final = 16
_RECORD: Final = Struct("<II")


def software() -> dict[str, str]:
    """What the core runs on: where floats are computed by other code, their last bits may differ."""
    try:
        khulan = version("khulan")
    except PackageNotFoundError:
        khulan = "unpackaged"
    return {"khulan": khulan, "python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}


def site_form(corridor: Corridor) -> str:
    """A digest of everything a core reads of its site, opening times and durations too, which the map's digest leaves out."""
    told = {entry.name: getattr(corridor, entry.name) for entry in fields(corridor) if entry.name not in {"assumed", "digest"}}
    return blake2b(form.text_of(told).encode(), digest_size=SITE_FORM_BYTES).hexdigest()


def site_reference(name_or_path: str) -> str:
    """How a site is found again from another folder: its file's full path, or its name."""
    path = Path(name_or_path)
    return str(path.resolve()) if path.is_file() else name_or_path


def head_block(corridor: Corridor, site: str, site_digest: str | None = None) -> Block:
    """
    What a log begins with; *site* is where the site comes from, *site_digest* its own digest where the corridor's is another.

    A scenario may run its own trucks on a site, or its own no-stop stretches: what it may change is told whole.
    """
    told = {
        "software": software(),
        "site": site_reference(site),
        "site_id": corridor.site_id,
        "digest": corridor.digest,
        "form": site_form(corridor),
        "site_digest": site_digest or corridor.digest,
        "processes": {name: asdict(process) for name, process in corridor.processes.items()},
        "truck_types": [asdict(truck_type) for truck_type in corridor.truck_types],
        "no_stops": [asdict(no_stop) for no_stop in corridor.no_stops],
    }
    return Block(kind=HEAD, head=told)


def as_told(site: Corridor, head: Mapping[str, Any]) -> Corridor:
    """
    *site* with the durations, trucks and no-stop stretches of the log: a scenario may have laid its own over them.

    Older logs tell of durations alone; theirs are the site's own trucks and stretches.
    """
    told = replace(site, processes={name: Process(**figures) for name, figures in head["processes"].items()})
    if "site_digest" not in head:
        return told
    return replace(
        told,
        digest=head["digest"],
        truck_types=tuple(TruckType(**figures) for figures in head["truck_types"]),
        no_stops=tuple(Stretch(**figures) for figures in head["no_stops"]),
    )


def start_block(started: Started, *, tick: int, fact_count: int, checkpoint: bytes | None = None, journalled: bool = False) -> Block:
    """Where replay may begin: after *tick* ticks and *fact_count* facts of the epoch."""
    source = FROM_CHECKPOINT if checkpoint is not None else FROM_JOURNAL if journalled else FROM_RECORDS
    body = b""
    if checkpoint is not None:
        body = checkpoint
    elif not journalled:
        body = pack_records(started.records)
    options = {"loop": asdict(started.loop), "dispatch": asdict(started.dispatch)}
    return Block(kind=START, head={"epoch": started.epoch, "tick": tick, "facts": fact_count, "from": source, **options}, first=body)


def pack_records(records: Sequence[Record]) -> bytes:
    """The journal's *records*, end to end."""
    return b"".join(_RECORD.pack(len(each.kind), len(each.body)) + each.kind.encode() + each.body for each in records)


def unpack_records(raw: bytes) -> list[Record]:
    """What `pack_records` wrote."""
    records, at = [], 0
    while at < len(raw):
        kind_length, body_length = _RECORD.unpack_from(raw, at)
        at += _RECORD.size
        kind, body = raw[at : at + kind_length].decode(), raw[at + kind_length : at + kind_length + body_length]
        records.append(Record(kind=kind, key="", body=body))
        at += kind_length + body_length
    return records


def options_of(head: Mapping[str, Any]) -> tuple[LoopOptions, DispatchOptions]:
    """
    The options of a start.

    Raises:
        KeyError, TypeError: another version wrote it.
    """
    return LoopOptions(**head["loop"]), DispatchOptions(**head["dispatch"])


class TickBlock:
    """Ticks of one core on their way into one block."""

    def __init__(self) -> None:
        self._kept: list[Kept] = []
        self._snapshots: list[int] = []

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, kept: Kept) -> None:
        """One more tick."""
        self._kept.append(kept)

    def snapshot(self) -> None:
        """A snapshot was taken after the last tick."""
        self._snapshots.append(len(self._kept))

    def take(self) -> Block:
        """Everything put so far as one block; it is empty afterwards."""
        kept, snapshots = self._kept, self._snapshots
        self._kept, self._snapshots = [], []
        return Block(
            kind=TICKS,
            head={
                "epoch": kept[0].epoch,
                "tick": kept[0].tick,
                "now_ns": differences([each.now_ns for each in kept]),
                "snapshots": snapshots,
            },
            first=form.encode([each.heard for each in kept]),
            second=form.encode([each.answers() for each in kept]),
        )


def differences(times_ns: Sequence[int]) -> list[int]:
    """The first, then how much later each is than the one before."""
    return [after - before for before, after in zip((0, *times_ns), times_ns, strict=False)]
