"""`fleet serve`: the control server of one site."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from planner.policy import MOVING

if TYPE_CHECKING:
    from fleet.server.settings import ServerSettings
    from fleet.server.traces import Traces
    from planner.corridor import Corridor

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


def _traces(endpoint: str) -> Traces:
    """Where spans go, if somebody asked for them; nothing of OpenTelemetry is loaded otherwise."""
    from fleet.server.traces import NO_TRACES, asked_for  # noqa: PLC0415 - as below

    if not asked_for(endpoint, os.environ):
        return NO_TRACES
    try:
        from fleet.server.otel import otel_traces  # noqa: PLC0415 - as below
    except ModuleNotFoundError as missing:
        raise _refuse(f"spans need the package {missing.name!r}, which is not installed. Run `pip install 'khulan[otel]'`.") from missing
    return otel_traces(endpoint)


def _serve(corridor: Corridor, settings: ServerSettings, traces: Traces) -> None:
    """Serves until asked to end, and says how it ended."""
    from fleet.errors import FleetError  # noqa: PLC0415 - as below
    from fleet.server.app import Running  # noqa: PLC0415 - as below
    from fleet.server.serving import serve  # noqa: PLC0415 - as below

    def started(running: Running) -> None:
        if running.damage is not None:
            typer.echo(f"fleet serve: {running.damage}", err=True)
            typer.echo(f"khulan lets nobody move at {running.site_id}: it only answers, on {running.address}")
        else:
            typer.echo(f"khulan serves {running.site_id} on {running.address}, epoch {running.epoch}")
        if running.metrics:
            typer.echo(f"metrics are at http://{running.metrics}/metrics")

    try:
        fault = asyncio.run(serve(corridor, settings, started, traces))
    except FleetError as refused:
        typer.echo(f"fleet serve: {refused}", err=True)
        raise typer.Exit(1) from refused
    if fault is not None:
        typer.echo(f"fleet serve: {fault}", err=True)
        raise typer.Exit(1)


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
    metrics: Annotated[
        str, typer.Option(metavar="[HOST:]PORT", help="Serve metrics for Prometheus, /healthz and /readyz; a PORT alone is on loopback.")
    ] = "",
    otel: Annotated[
        str,
        typer.Option(metavar="ENDPOINT", help="Send spans to an OpenTelemetry collector, as http://HOST:4317. Also: OTEL_... settings."),
    ] = "",
    lockstep: Annotated[bool, typer.Option(hidden=True, help="Take the clock from a simulator.")] = False,
) -> None:
    """
    Serves one site until interrupted; exits 0 when asked to end, 1 when it cannot go on, 2 on wrong usage.

    Example: fleet serve --site mandula --data ./data
    """
    if ledger != "sqlite":
        raise _refuse(f"--ledger {ledger} is not available in this version; leave it out for SQLite.")
    start_s = _day_start_s(day_start) if day_start else None
    # Heavy imports wait until the command is known to be sound.
    from fleet import log  # noqa: PLC0415
    from fleet.errors import FleetError  # noqa: PLC0415
    from fleet.server.settings import ServerSettings  # noqa: PLC0415
    from fleet.site import SiteError, kept_site  # noqa: PLC0415

    log.configure()
    try:
        settings = ServerSettings(
            data=data,
            listen=listen,
            lockstep=lockstep,
            day_start_s=start_s,
            site=site,
            input_log_h=input_log_hours,
            policy=policy,
            tls=tls,
            metrics=f"127.0.0.1:{metrics}" if metrics.isdecimal() else metrics,
        )
        corridor = kept_site(site, data)
        traces = _traces(otel)
    except (ValueError, SiteError, FleetError) as wrong:
        raise _refuse(str(wrong)) from wrong
    _serve(corridor, settings, traces)
