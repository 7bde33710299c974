"""`fleet journal`: is the journal whole, and what is in it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fleet.server.journal.journal import Sealed
    from fleet.server.journal.sqlite import SqliteJournal

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Check and read a journal, its server stopped. Example: fleet journal verify ./data"
)
Folder = Annotated[Path, typer.Argument(help="The folder given to `fleet serve --data`.")]


@contextmanager
def _opened(folder: Path) -> Iterator[SqliteJournal]:
    # A server's imports are heavy: `fleet journal --help` does not need them.
    from fleet.errors import FleetError  # noqa: PLC0415
    from fleet.server.journal.sqlite import JOURNAL_FILE, SqliteJournal  # noqa: PLC0415

    if not (folder / JOURNAL_FILE).is_file():
        typer.echo(f"fleet journal: there is no journal in {folder}.", err=True)
        raise typer.Exit(2)
    try:
        with closing(SqliteJournal(folder)) as journal:
            yield journal
    except FleetError as fault:
        typer.echo(f"fleet journal: {fault}", err=True)
        raise typer.Exit(1) from fault


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "__dataclass_fields__"):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return value


def _read(sealed: Sealed) -> dict[str, Any]:
    from fleet.server.dispatch import dispatch  # noqa: F401, PLC0415 - every kind of fact is declared once this is here
    from fleet.server.facts import decode  # noqa: PLC0415
    from fleet.server.journal.journal import FRAMING  # noqa: PLC0415

    record = sealed.record
    content = {"count": int(record.body)} if record.kind in FRAMING else _plain(decode(record.kind, record.body))
    return {"sequence": sealed.sequence, "epoch": sealed.epoch, "kind": record.kind, "content": content}


@app.command()
def verify(folder: Folder, as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False) -> None:
    """Checks every record, the chain between them and the head; exits 1 when something does not fit."""
    with _opened(folder) as journal:
        count = journal.verify()
        recovery = journal.recover()
    found = {"records": count, "epoch": recovery.epoch, "recovery_records": len(recovery.records)}
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo(f"whole: {count} records, epoch {recovery.epoch}; a restart reads {len(recovery.records)} of them")


@app.command()
def show(folder: Folder, last: Annotated[int, typer.Option(help="So many records from the end.")] = 20) -> None:
    """Prints the newest records, one a line."""
    with _opened(folder) as journal:
        for sealed in deque(journal.chain(), maxlen=last):
            read = _read(sealed)
            content = ", ".join(f"{name}={value}" for name, value in read["content"].items())
            typer.echo(f"{read['sequence']:>8}  epoch {read['epoch']}  {read['kind']}  {content}")


@app.command()
def export(folder: Folder) -> None:
    """Prints every record as a line of JSON."""
    with _opened(folder) as journal:
        for sealed in journal.chain():
            typer.echo(json.dumps(_read(sealed), ensure_ascii=False, default=str))


@app.command()
def site(folder: Folder) -> None:
    """Prints the file of the site that the journal was switched to; exits 1 when it is still on the one it began on."""
    from fleet.server.facts import decode  # noqa: PLC0415 - as above
    from fleet.server.site_facts import SiteInForce  # noqa: PLC0415 - as above

    with _opened(folder) as journal:
        kept = [record for record in journal.recover().records if record.kind == SiteInForce.__name__]
    fact = decode(kept[-1].kind, kept[-1].body) if kept else None
    if not isinstance(fact, SiteInForce):
        typer.echo("fleet journal: no server of a site has begun this journal yet.", err=True)
        raise typer.Exit(1)
    if not fact.text:
        typer.echo(f"fleet journal: it began on {fact.site_id} (digest {fact.digest}), whose file was given from outside.", err=True)
        raise typer.Exit(1)
    typer.echo(fact.text)
