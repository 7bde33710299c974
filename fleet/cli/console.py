"""`fleet console`: the operators' page."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.terminal import PORTS, SERVER_USUAL, ServerOption, TlsOption, fail

app = typer.Typer(
    help="Serve the operators' page. Example: fleet console --server 127.0.0.1:50051",
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def console(
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT of the page; port 0 lets the system choose.")] = "127.0.0.1:8080",
    *,
    replay: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Show a recording of `fleet sim run --out DIR` instead of a server's fleet.")
    ] = None,
    steer: Annotated[bool, typer.Option("--steer", help="Let the page give commands; without it, it only looks, and can stop.")] = False,
) -> None:
    """
    Serves the operators' page until Ctrl-C.

    Example: fleet console --steer
    Example: fleet console --replay out/
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) >= PORTS:
        fail(f"--listen needs HOST:PORT, not {listen!r}.", 2)
    if replay is not None and steer:
        fail("--replay shows what has happened: there is nothing to --steer.", 2)
    # Loaded only now: the web server takes a while, and `--help` needs none of it.
    from fleet import log  # noqa: PLC0415
    from fleet.console.run import ConsoleSettings, run_console  # noqa: PLC0415
    from fleet.errors import FleetError  # noqa: PLC0415

    log.configure()
    settings = ConsoleSettings(server=server, host=host, port=int(port), steers=steer, tls=tls, replay=replay)
    try:
        asyncio.run(run_console(settings, lambda address: typer.echo(f"the console is at {address}")))
    except FleetError as refused:
        fail(str(refused))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
