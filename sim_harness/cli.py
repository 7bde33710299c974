"""`fleet sim`: scenarios in the simulator."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.policy import BLOCK_M
from sim_harness.cab_cli import cab
from sim_harness.campaign.cli import campaign
from sim_harness.drawn.cli import site, sites

if TYPE_CHECKING:
    from sim_harness.fault_service import FaultDesk
    from sim_harness.scenario import Scenario

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Run scenarios in the simulator. Example: fleet sim run mandula --hours 1 --out out/",
)


@app.callback()
def sim() -> None:
    """Run scenarios in the simulator."""


@contextmanager
def progress_bar(title: str, total_s: float) -> Iterator[Callable[[float], None]]:
    """A bar of simulated time on a terminal; silence in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn(title), BarColumn(), TextColumn("{task.percentage:.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=total_s)
        yield lambda now_s: bars.update(task, completed=now_s)


@contextmanager
def fault_desk(ready: Scenario, address: str | None) -> Iterator[FaultDesk | None]:
    """The desk that takes faults at *address* while a run is under way; None where nobody asked for one."""
    if address is None:
        yield None
        return
    from sim_harness.fault_service import FaultDesk, served  # noqa: PLC0415 - only this needs gRPC

    desk = FaultDesk(ready.roster)
    with served(desk, address) as found:
        typer.echo(f"takes faults on {found}", err=True)
        yield desk


def _check_policy(policy: str) -> None:
    if policy not in BLOCK_M:
        near = get_close_matches(policy, BLOCK_M, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(BLOCK_M)}"
        typer.echo(f"fleet sim: there is no policy {policy!r}; {hint}", err=True)
        raise typer.Exit(2)


@app.command()
def run(  # noqa: PLR0913 - one a flag
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="a scenario's name, or a YAML file")],
    *,
    seed: Annotated[int | None, typer.Option(min=0, help="draws everything; default 1")] = None,
    hours: Annotated[float | None, typer.Option(help="simulated hours; default the scenario's day")] = None,
    trucks: Annotated[int | None, typer.Option(help="how many trucks")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="lay a value over the file")] = None,
    policy: Annotated[str | None, typer.Option(metavar="NAME", help=f"how road is given out: {', '.join(BLOCK_M)}")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="write report, trajectory, events and pictures there")] = None,
    wire: Annotated[bool, typer.Option("--wire", help="every message over real gRPC, clocks in lockstep")] = False,
    inject: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="take faults there while the run is under way")] = None,
    pace: Annotated[float, typer.Option(min=0.01, help="at most so many times real time")] = math.inf,
    as_json: Annotated[bool, typer.Option("--json", help="print report.json instead of a summary")] = False,
) -> None:
    """
    Run one scenario headless in virtual time. Exit 0 verdict pass, 1 fail, 2 usage.

    Example: fleet sim run as_built_2023 --hours 6.5 --seed 1 --out out/
    """
    if policy is not None:
        _check_policy(policy)
        settings = [*(settings or ()), f"policy={policy}"]
    # The server and its kernels take seconds to import; help and usage errors do not wait for them.
    from fleet.site import SiteError  # noqa: PLC0415
    from sim_harness.scenario import load_scenario  # noqa: PLC0415

    try:
        ready = load_scenario(scenario, settings or (), seed=seed, hours=hours, trucks=trucks)
    except SiteError as error:
        typer.echo(f"fleet sim: {error}", err=True)
        raise typer.Exit(2) from None
    from sim_harness.day import Wish, run_day, summary  # noqa: PLC0415

    try:
        with fault_desk(ready, inject) as desk, progress_bar(ready.spec.scenario, ready.hours * 3600.0) as progress:
            report = run_day(ready, Wish(out=out, wire=wire, desk=desk, pace=pace), progress)
    except (SiteError, OSError) as error:
        typer.echo(f"fleet sim: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(report.text().rstrip() if as_json else summary(report))
    raise typer.Exit(0 if report.verdict == "pass" else 1)


@app.command()
def inject(  # noqa: PLR0913 - one a flag
    fault: Annotated[str, typer.Argument(metavar="FAULT", help="what breaks, by its kind")],
    *,
    server: Annotated[str, typer.Option(metavar="HOST:PORT", help="where the run takes faults")],
    at_s: Annotated[float | None, typer.Option(min=0.0, help="simulated seconds; default at once")] = None,
    for_s: Annotated[float | None, typer.Option(min=0.0, help="how long; default the kind's usual span")] = None,
    shape: Annotated[str, typer.Option(help="how it fails")] = "",
    value: Annotated[float | None, typer.Option(help="how much, in the kind's unit")] = None,
    truck: Annotated[str, typer.Option()] = "",
    lane: Annotated[str, typer.Option(help="with --from-m and --to-m: a stretch")] = "",
    from_m: Annotated[float, typer.Option()] = 0.0,
    to_m: Annotated[float, typer.Option()] = 0.0,
    gate: Annotated[str, typer.Option()] = "",
    bay: Annotated[str, typer.Option()] = "",
) -> None:
    """
    Break something in a run that was started with --inject. Exit 0 taken, 1 refused, 2 usage.

    Example: fleet sim inject link --server 127.0.0.1:50061 --truck t003 --for-s 12
    """
    import uuid  # noqa: PLC0415 - chance of the shell, for an id nobody else uses

    import grpc  # noqa: PLC0415
    from google.protobuf.json_format import MessageToJson  # noqa: PLC0415

    from fleet.v1 import fault_pb2  # noqa: PLC0415
    from sim_harness import fault_service  # noqa: PLC0415

    wish = fault_pb2.Fault(
        kind=fault, shape=shape, value=value, truck_id=truck, lane_id=lane, from_m=from_m, to_m=to_m, gate_id=gate, bay_id=bay
    )
    for span, seconds in ((wish.at, at_s), (wish.lasts, for_s)):
        if seconds is not None:
            span.FromNanoseconds(round(seconds * 1e9))
    try:
        taken = fault_service.inject(server, wish, str(uuid.uuid4()))
    except grpc.RpcError as failed:
        code, said = failed.code(), failed.details()
        advice = f"no run takes faults on {server}; start one with fleet sim run SCENARIO --inject {server} --pace 10"
        typer.echo(f"fleet sim: {advice if code is grpc.StatusCode.UNAVAILABLE else said}", err=True)
        raise typer.Exit(1) from None
    typer.echo(MessageToJson(taken, indent=None))


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="a run's folder, a server's data folder, or an input log")],
    *,
    site: Annotated[str | None, typer.Option(help="the site, where it is not found where it was")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print data instead of sentences")] = False,
) -> None:
    """
    Run what was recorded through the core again. Exit 0 all equal, 1 a difference or damage, 2 usage.

    Example: fleet sim replay out/
    """
    from fleet.errors import FleetError  # noqa: PLC0415 - as above
    from fleet.site import SiteError  # noqa: PLC0415
    from sim_harness import replay as work  # noqa: PLC0415

    try:
        logs = work.logs_at(recording)
    except work.NothingToReplay as nothing:
        typer.echo(f"fleet sim: {nothing}", err=True)
        raise typer.Exit(2) from None
    try:
        with progress_bar(recording.name, logs.byte_count) as progress:
            verdict = work.replay(logs, site, progress)
    except (FleetError, SiteError, OSError) as refused:
        typer.echo(f"fleet sim: {refused}", err=True)
        raise typer.Exit(1) from None
    typer.echo(json.dumps(work.as_data(verdict), indent=2) if as_json else "\n".join(work.sentences(verdict)))
    raise typer.Exit(0 if verdict.good else 1)


app.command()(cab)
app.command()(campaign)
app.command()(site)
app.command()(sites)
