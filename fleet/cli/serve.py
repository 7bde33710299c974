"""`fleet serve`: the control server of one site."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated, Final

import typer

from planner.policy import MOVING

DAY_START: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")

app = typer.Typer(
    add_completion=False, help="Run the control server. Example: fleet serve --site mandula --data ./data --listen 127.0.0.1:50051"
)


def _refuse(sentence: str) -> typer.Exit:
    typer.echo(f"fleet serve: {sentence}", err=True)
    return typer.Exit(2)


def _day_start_s(given: str) -> int:
    found = DAY_START.fullmatch(given)
    if found is None:
        raise _refuse(f"--day-start takes HH:MM, not {given!r}.")
    return int(found[1]) * 3600 + int(found[2]) * 60


@app.command()
def serve(  # noqa: PLR0913 - one a flag
    site: Annotated[str, typer.Option(help="Site file, or the name of a site that comes with the package.")],
    data: Annotated[Path, typer.Option(help="Folder of the journal; made when it is not there.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT to serve; port 0 lets the system choose.")] = "127.0.0.1:50051",
    tls: Annotated[
        Path | None, typer.Option(help="Folder with certificates, as `fleet tls init` makes it; without one, loopback alone is served.")
    ] = None,
    ledger: Annotated[str, typer.Option(help="Where the ledger is kept.")] = "sqlite",
    day_start: Annotated[str, typer.Option(help="Local time of day at the start, HH:MM, instead of the wall's.")] = "",
    input_log_hours: Annotated[float, typer.Option(min=0.0, help="Keep what the core hears, for `fleet sim replay`; 0: do not.")] = 24.0,
    *,
    policy: Annotated[
        str, typer.Option(help="How road is given out: moving, moving as planned ahead, or fixed blocks (blocks200, blocks400).")
    ] = MOVING,
    lockstep: Annotated[bool, typer.Option(hidden=True, help="Take the clock from a simulator.")] = False,
) -> None:
    """Serves one site until interrupted; exits 0 when asked to end, 1 when it cannot go on, 2 on wrong usage."""
    if ledger != "sqlite":
        raise _refuse(f"--ledger {ledger} is not available in this version; leave it out for SQLite.")
    start_s = _day_start_s(day_start) if day_start else None
    # Heavy imports wait until the command is known to be sound.
    from fleet import log  # noqa: PLC0415
    from fleet.errors import FleetError  # noqa: PLC0415
    from fleet.server.app import Running, serve  # noqa: PLC0415
    from fleet.server.settings import ServerSettings  # noqa: PLC0415
    from fleet.site import SiteError, kept_site  # noqa: PLC0415

    log.configure()
    try:
        settings = ServerSettings(
            data=data, listen=listen, lockstep=lockstep, day_start_s=start_s, site=site, input_log_h=input_log_hours, policy=policy, tls=tls
        )
        corridor = kept_site(site, data)
    except (ValueError, SiteError) as wrong:
        raise _refuse(str(wrong)) from wrong

    def started(running: Running) -> None:
        if running.damage is not None:
            typer.echo(f"fleet serve: {running.damage}", err=True)
            typer.echo(f"khulan lets nobody move at {running.site_id}: it only answers, on {running.address}")
            return
        typer.echo(f"khulan serves {running.site_id} on {running.address}, epoch {running.epoch}")

    try:
        fault = asyncio.run(serve(corridor, settings, started))
    except FleetError as refused:
        typer.echo(f"fleet serve: {refused}", err=True)
        raise typer.Exit(1) from refused
    if fault is not None:
        typer.echo(f"fleet serve: {fault}", err=True)
        raise typer.Exit(1)
