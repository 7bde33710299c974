"""What every operator command shares: the server's address, tables or JSON, and refusals that say what to do next."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fleet.errors import FleetError
from fleet.texts import known

if TYPE_CHECKING:
    from fleet.client import Operator

SERVER_USUAL: Final = "127.0.0.1:50051"
CONNECT_WITHIN_S: Final = 3.0
PORTS: Final = 1 << 16
# Wider than any row.
WIDE: Final = 10_000
ServerOption = Annotated[str, typer.Option("--server", help="Address of the server, HOST:PORT.", envvar="FLEET_SERVER")]
TlsOption = Annotated[
    Path | None, typer.Option("--tls", help="Folder with ca.crt, me.crt and me.key; `fleet tls issue` makes it.", envvar="FLEET_TLS")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print data, one JSON document.")]


def own_language() -> str:
    """The language of this terminal, where it is one of ours; English else. `FLEET_LANGUAGE` comes first."""
    return known((os.environ.get("FLEET_LANGUAGE") or os.environ.get("LANG", "")).replace("_", "-"))


def commands(help_text: str) -> typer.Typer:
    """An empty group of commands."""
    return typer.Typer(help=help_text, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


def fail(sentence: str, exit_code: int = 1) -> NoReturn:
    """Says what is wrong on the error stream, and ends: 1 the answer is no, 2 the question was wrong."""
    typer.echo(f"fleet: {sentence}", err=True)
    raise typer.Exit(exit_code)


def needs_second_person(asked: str) -> NoReturn:
    """Ends a command that only one person asked for yet: 1, for nothing has changed."""
    fail(f"needs a second person: {asked}. Another operator must give the same command within ten minutes.")


@contextmanager
def operator_of(server: str, tls: Path | None) -> Iterator[Operator]:
    """An operator's line to *server*; whatever it refuses ends the command with a sentence and exit code 1."""
    # Imported here: gRPC takes a quarter of a second, and `--help` does not need it.
    from fleet.client import NoLine, NoServer, Operator, Refused  # noqa: PLC0415
    from fleet.papers import PapersUnusable  # noqa: PLC0415

    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < PORTS:
        fail(f"--server needs HOST:PORT, not {server!r}.", 2)
    listens = partial(_listens, host.strip("[]"), int(port))
    if not listens():
        fail(str(NoServer(server)))
    try:
        with Operator(server, tls=tls) as operator:
            yield operator
    except PapersUnusable as wrong:
        fail(f"--tls: {wrong}", 2)
    except NoServer as silent:
        fail(str(NoLine(server, str(tls or "")) if listens() else silent))
    except Refused as refused:
        fail(refused.said(own_language()))
    except FleetError as wrong:
        fail(str(wrong))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _listens(host: str, port: int) -> bool:
    """Whether anybody does. A person who mistyped a port is told at once; the operator would patiently try again."""
    try:
        socket.create_connection((host, port), CONNECT_WITHIN_S).close()
    except OSError:
        return False
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def print_json(value: Any) -> None:
    """Prints a value, or a list of them, as one JSON document."""
    data = [asdict(each) for each in value] if isinstance(value, Sequence) else asdict(value)
    typer.echo(json.dumps(data, default=_plain, ensure_ascii=False, indent=2))


def print_done(sentences: Sequence[str], facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Says what a command did: in sentences for a person, or the same *facts* as one JSON document."""
    if as_json:
        typer.echo(json.dumps(facts, default=_plain, ensure_ascii=False, indent=2))
    else:
        for sentence in sentences:
            typer.echo(sentence)


def print_json_line(value: Any) -> None:
    """Prints a value as one line of JSON, for streams."""
    typer.echo(json.dumps(asdict(value), default=_plain, ensure_ascii=False))


def table_of(columns: Sequence[str], rows: Sequence[Sequence[Any]], left_out: Collection[int] = ()) -> Table:
    """Rows under headings, one line a row, but for the columns *left_out*."""
    kept = [place for place in range(len(columns)) if place not in left_out]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place in kept:
        table.add_column(columns[place], no_wrap=True)
    for row in rows:
        table.add_row(*(Text(str(row[place])) for place in kept))
    return table


def fitted(columns: Sequence[str], rows: Sequence[Sequence[Any]], console: Console, least: Sequence[str] = ()) -> tuple[Table, list[str]]:
    """
    A table that fits the width of *console*, and the columns that it had to leave out.

    Columns go in the order of *least*, the one that is missed least first; what is left then is cut at its end.
    """
    waiting = [columns.index(name) for name in least]
    left_out: list[int] = []
    table = table_of(columns, rows)
    while waiting and console.measure(table, options=console.options.update(width=WIDE)).maximum > console.width:
        left_out.append(waiting.pop(0))
        table = table_of(columns, rows, left_out)
    return table, [columns[place] or "notes" for place in sorted(left_out)]


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str, least: Sequence[str] = ()) -> None:
    """
    Prints rows under headings; *empty* is said when there are none.

    On a terminal a table is never wider than that is: columns named in *least* are left out, in that order, and it is said which. In a pipe
    nothing is left out or cut.
    """
    found = list(rows)
    if not found:
        typer.echo(empty)
        return
    if not sys.stdout.isatty():
        table = table_of(columns, found)
        console = Console(width=WIDE, highlight=False, markup=False)
        Console(width=console.measure(table).maximum, highlight=False, markup=False).print(table)
        return
    console = Console(highlight=False, markup=False)
    table, left_out = fitted(columns, found, console, least)
    console.print(table)
    if left_out:
        console.print(f"Not shown for want of room: {', '.join(left_out)}. A wider terminal or --json shows them.", style="dim")


def place(point: Any) -> str:
    """A lane point in few letters."""
    return "-" if point is None else f"{point.lane_id} {point.chainage_m:.0f} m"


def clock_time(when: datetime | None) -> str:
    """A time as the reader's own clock shows it."""
    return "-" if when is None else when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def parse_time(text: str) -> datetime:
    """
    Reads an ISO time; one without a zone is the reader's own.

    Raises:
        typer.BadParameter: it is none, or lies outside what a calendar has.
    """
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a time such as 2026-03-01T14:30 or 2026-03-01T14:30+08:00") from None
