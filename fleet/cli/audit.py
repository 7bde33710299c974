"""`fleet audit`: who wanted what of the server, what it changed, and what came of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fleet.cli.terminal import (
    SERVER_USUAL,
    JsonOption,
    ServerOption,
    TlsOption,
    clock_time,
    fail,
    operator_of,
    parse_time,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from fleet.client.values import AuditEntry

COLUMNS: Final = ("when", "who", "what", "with", "before", "after", "outcome")
PAGE_ROWS: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

app = typer.Typer(
    help="What was asked of the server, by whom, and what came of it. Example: fleet audit --who bataa --since 2026-03-01T06:00",
    add_completion=False,
    rich_markup_mode=None,
)


def _row(entry: AuditEntry) -> tuple[Any, ...]:
    outcome = entry.outcome if entry.count == 1 else f"{entry.outcome} x {entry.count}"
    return clock_time(entry.time), entry.actor, entry.command, entry.detail, entry.before, entry.after, outcome


def _of_folder(folder: Path, since: datetime | None, who: str) -> Iterator[AuditEntry]:
    """The same entries, from the journal itself; times are those of a server in real time."""
    # A server's imports are heavy: asking a running one does not need them.
    from fleet.client.values import AuditEntry  # noqa: PLC0415
    from fleet.errors import FleetError  # noqa: PLC0415
    from fleet.server.journal.audit_trail import NEWEST, AuditTrail  # noqa: PLC0415

    since_ns = int((since - _EPOCH) / timedelta(microseconds=1)) * 1000 if since is not None else 0
    trail, before = AuditTrail(folder), NEWEST
    try:
        while before:
            page = trail.page(count=PAGE_ROWS, before=before, since_ns=since_ns, who=who)
            for sequence, audited in page.entries:
                when = _EPOCH + timedelta(microseconds=audited.at_ns // 1000)
                told = {name: getattr(audited, name) for name in AuditEntry.__slots__ if name not in {"sequence", "time"}}
                yield AuditEntry(sequence=sequence, time=when, **told)
            before = page.older
    except FleetError as fault:
        fail(str(fault))


@app.command()
def audit(
    since: Annotated[str, typer.Option(metavar="TIME", help="Nothing from before, such as 2026-03-01T14:30.")] = "",
    who: Annotated[str, typer.Option(metavar="NAME", help="Of one person, truck or office only.")] = "",
    last: Annotated[int, typer.Option(help="So many, the newest; 0: all.", min=0)] = 0,
    data: Annotated[Path | None, typer.Option(help="Read the folder of a journal instead of asking a server.")] = None,
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Lists what was asked of the server, the newest last; with certificates, a supervisor may.

    Example: fleet audit --since 2026-03-01T06:00 --who bataa
    """
    begin = parse_time(since) if since else None
    if data is not None:
        entries = list(itertools.islice(_of_folder(data, begin, who), last or None))
    else:
        from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

        with operator_of(server, tls) as operator:
            pages = operator.pages(partial(asks.audit, since=begin, who=who))
            entries = list(itertools.islice(pages, last or None))
    entries.reverse()
    if as_json:
        print_json(entries)
    else:
        print_table(COLUMNS, map(_row, entries), "Nothing was asked.")
