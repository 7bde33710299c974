"""`fleet control`: who may command, one person at a time."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.terminal import (
    SERVER_USUAL,
    JsonOption,
    ServerOption,
    TlsOption,
    clock_time,
    commands,
    operator_of,
    print_json,
)
from fleet.clock import SystemClock

if TYPE_CHECKING:
    from fleet.client import Ask
    from fleet.client.values import ControlLease

HolderOption = Annotated[str, typer.Option("--holder", help="Who; with certificates the name in yours. Usual: your user name, or that.")]
app = commands("Who has control: while one has, nobody else commands; stopping is always allowed. Example: fleet control acquire")


@app.command()
def show(server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Says who has control, and until when.

    Example: fleet control show
    """
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    _ask(asks.control(), server, tls, as_json=as_json)


@app.command()
def acquire(holder: HolderOption = "", server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Takes control when nobody has it. It runs out by itself: renew it, or nobody has it any more.

    Example: fleet control acquire --holder bataa
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.acquire_control(_holder(holder, tls)), server, tls, as_json=as_json)


@app.command()
def renew(holder: HolderOption = "", server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Keeps control for as long again.

    Example: fleet control renew --holder bataa
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.renew_control(_holder(holder, tls)), server, tls, as_json=as_json)


@app.command(name="take-over")
def take_over(
    reason: Annotated[str, typer.Option(help="Why; the audit trail names you both.")],
    holder: HolderOption = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Takes control from whoever has it.

    Example: fleet control take-over --holder bataa --reason "shift change, odval has left"
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.take_over_control(_holder(holder, tls), reason), server, tls, as_json=as_json)


def _holder(given: str, tls: Path | None) -> str:
    """Who asks: as given, else by the certificate shown, else by this machine's name for him."""
    if given or tls is None:
        return given or getpass.getuser()
    from fleet.papers import PapersUnusable, name_of  # noqa: PLC0415 - as above

    try:
        return name_of(tls)
    except PapersUnusable:
        # Whoever opens the line says what is wrong with the folder.
        return getpass.getuser()


def _ask(ask: Ask[ControlLease], server: str, tls: Path | None, *, as_json: bool) -> None:
    with operator_of(server, tls) as operator:
        lease = operator.ask(ask)
    if as_json:
        print_json(lease)
        return
    if not lease.holder:
        typer.echo("Nobody has had control yet.")
        return
    over = lease.expire_time is None or lease.expire_time <= SystemClock().utc()
    words = "had control until" if over else "has control until"
    nobody = "; nobody has it now" if over else ""
    typer.echo(f"{lease.holder} {words} {clock_time(lease.expire_time)}{nobody}.")
