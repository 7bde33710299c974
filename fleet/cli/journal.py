"""`fleet journal`: is the journal whole, and what is in it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fleet.cli.terminal import print_done

if TYPE_CHECKING:
    from fleet.server.journal.growth import Growth
    from fleet.server.journal.journal import Sealed
    from fleet.server.journal.sqlite import SqliteJournal

TRUCK_HOURS_MIN: Final = 1.0  # in fewer the pages that any journal has from the beginning outweigh what trucks add

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Check, read and copy a journal. Example: fleet journal verify ./data")
Folder = Annotated[Path, typer.Argument(help="The folder given to `fleet serve --data`.")]


@contextmanager
def _refused() -> Iterator[None]:
    # A server's imports are heavy: `fleet journal --help` does not need them.
    from fleet.errors import FleetError  # noqa: PLC0415

    try:
        yield
    except FleetError as fault:
        typer.echo(f"fleet journal: {fault}", err=True)
        raise typer.Exit(1) from fault


@contextmanager
def _opened(folder: Path) -> Iterator[SqliteJournal]:
    from fleet.server.journal.sqlite import JOURNAL_FILE, SqliteJournal  # noqa: PLC0415

    if not (folder / JOURNAL_FILE).is_file():
        typer.echo(f"fleet journal: there is no journal in {folder}.", err=True)
        raise typer.Exit(2)
    with _refused(), closing(SqliteJournal(folder)) as journal:
        yield journal


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


def _growth(growth: Growth) -> str:
    if growth.bytes_per_truck_hour is None:
        return "no truck has been in it yet: nothing can be said of its growth"
    if growth.truck_hours < TRUCK_HOURS_MIN:
        return f"it holds {growth.truck_hours:.2f} truck-hours: too few to say how it grows"
    return (
        f"both grow by {growth.bytes_per_truck_hour / 1e3:.0f} KB a truck-hour: {growth.byte_count / 1e6:.1f} MB for {growth.truck_count} trucks "
        f"in {growth.hours:.2f} h, {growth.truck_hours:.2f} truck-hours"
    )


@app.command()
def verify(folder: Folder, as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False) -> None:
    """
    Checks every record, the chain between them and the head, and says how it grows; exits 1 when something does not fit.

    Example: fleet journal verify ./data
    """
    from fleet.server.journal.growth import GrowthMeter  # noqa: PLC0415 - as above

    meter = GrowthMeter()
    with _opened(folder) as journal:
        count = journal.verify(meter.see)
        recovery = journal.recover()
    sizes = {name: sum(path.stat().st_size for path in folder.glob(name)) for name in ("journal.sqlite*", "archive-*")}
    growth = meter.growth(sum(sizes.values()))
    found = {
        "records": count,
        "epoch": recovery.epoch,
        "recovery_records": len(recovery.records),
        "journal_bytes": sizes["journal.sqlite*"],
        "archive_bytes": sizes["archive-*"],
        "growth": {**asdict(growth), "bytes_per_truck_hour": growth.bytes_per_truck_hour},
    }
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo(f"whole: {count} records, epoch {recovery.epoch}; a restart reads {len(recovery.records)} of them")
        typer.echo(f"the journal has {sizes['journal.sqlite*'] / 1e6:.1f} MB, its archive {sizes['archive-*'] / 1e6:.1f} MB")
        typer.echo(_growth(growth))


@app.command()
def show(
    folder: Folder,
    last: Annotated[int, typer.Option(help="So many records from the end.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print each as a line of JSON.")] = False,
) -> None:
    """Prints the newest records, one a line. Example: fleet journal show ./data --last 50"""
    with _opened(folder) as journal:
        for sealed in deque(journal.chain(), maxlen=last):
            read = _read(sealed)
            if as_json:
                typer.echo(json.dumps(read, ensure_ascii=False, default=str))
                continue
            content = ", ".join(f"{name}={value}" for name, value in read["content"].items())
            typer.echo(f"{read['sequence']:>8}  epoch {read['epoch']}  {read['kind']}  {content}")


@app.command()
def export(folder: Folder) -> None:
    """Prints every record as a line of JSON. Example: fleet journal export ./data > journal.jsonl"""
    with _opened(folder) as journal:
        for sealed in journal.chain():
            typer.echo(json.dumps(_read(sealed), ensure_ascii=False, default=str))


@app.command()
def backup(
    folder: Folder,
    to: Annotated[Path, typer.Argument(help="A new folder for the copy.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False,
) -> None:
    """Copies a journal, while its server runs or not, and checks the copy. Example: fleet journal backup ./data ./backup-monday"""
    from fleet.clock import NS_PER_S, SystemClock  # noqa: PLC0415 - as above
    from fleet.server.journal.backup import back_up  # noqa: PLC0415 - as above

    with _refused():
        copied = back_up(folder, to, int(SystemClock().utc().timestamp() * NS_PER_S))
    words = (
        f"whole: {copied.records} records up to epoch {copied.epoch}, the last of digest {copied.digest}",
        "A server that begins on the copy lets nobody move until its stop journal_restored is lifted.",
    )
    facts = {"folder": str(to), "records": copied.records, "epoch": copied.epoch, "digest": copied.digest}
    print_done(words, facts, as_json=as_json)


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="What `backup` made.")],
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False,
) -> None:
    """Puts a copy in the place of a journal, its server stopped. Example: fleet journal restore ./backup-monday ./data"""
    from fleet.server.journal.backup import STOP_ID  # noqa: PLC0415 - as above
    from fleet.server.journal.backup import restore as put_back  # noqa: PLC0415 - as above

    with _refused():
        aside = put_back(backup, folder)
    words = [f"What was there is now in {aside}."] if aside is not None else []
    words += [
        "Orders, missions and grants since the copy are not in it. See to it that every truck stands, start the server, compare, and only",
        f"then: fleet stop --lift {STOP_ID}",
    ]
    print_done(words, {"folder": folder, "aside": aside, "stop_id": STOP_ID}, as_json=as_json)


@app.command()
def site(folder: Folder) -> None:
    """
    Prints the file of the site that the journal was switched to; exits 1 when it is still on the one it began on.

    Example: fleet journal site ./data > site.yaml
    """
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
