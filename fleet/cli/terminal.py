"""What every operator command shares: the server's address, tables or JSON, and refusals that say what to do next."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from fleet.errors import FleetError

if TYPE_CHECKING:
    from fleet.client import Operator

SERVER_USUAL: Final = "127.0.0.1:50051"
CONNECT_WITHIN_S: Final = 3.0
PORTS: Final = 1 << 16
ServerOption = Annotated[str, typer.Option("--server", help="Address of the server, HOST:PORT.", envvar="FLEET_SERVER")]
TlsOption = Annotated[
    Path | None, typer.Option("--tls", help="Folder with ca.crt, me.crt and me.key; `fleet tls issue` makes it.", envvar="FLEET_TLS")
]
# Requests that may need two persons, and how the server's words for what is asked begin meanwhile.
ASKED: Final[Mapping[str, str]] = {"RemoveTruck": "removed", "RecommissionTruck": "brakes", "LimitLane": "limit", "SetLaneFriction": "grip"}
JsonOption = Annotated[bool, typer.Option("--json", help="Print data, one JSON document.")]


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


def require_agreed(method: str, asked: str) -> None:
    """Ends a command as `needs_second_person` does, where what *method* asks for is among what is *asked*, and not done."""
    words = ASKED.get(method)
    for each in asked.split("; "):
        if words is not None and each.startswith(words):
            needs_second_person(each)


@contextmanager
def operator_of(server: str, tls: Path | None) -> Iterator[Operator]:
    """An operator's line to *server*; whatever it refuses ends the command with a sentence and exit code 1."""
    # Imported here: gRPC takes a quarter of a second, and `--help` does not need it.
    from fleet.client import NoLine, NoServer, Operator  # noqa: PLC0415
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
    except FleetError as refused:
        fail(str(refused))
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
    raise TypeError(f"no JSON for {type(value).__name__}")


def print_json(value: Any) -> None:
    """Prints a value, or a list of them, as one JSON document."""
    data = [asdict(each) for each in value] if isinstance(value, Sequence) else asdict(value)
    typer.echo(json.dumps(data, default=_plain, ensure_ascii=False, indent=2))


def print_json_line(value: Any) -> None:
    """Prints a value as one line of JSON, for streams."""
    typer.echo(json.dumps(asdict(value), default=_plain, ensure_ascii=False))


def print_table(columns: Iterable[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """Prints rows under headings; *empty* is said when there are none. Without a terminal, no row is cut."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    if not table.row_count:
        typer.echo(empty)
        return
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)
    console.print(table)


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
