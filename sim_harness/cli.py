"""`fleet sim`: scenarios in the simulator."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final

import typer

POLICIES: Final = ("default",)

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


def _check_policy(policy: str) -> None:
    if policy not in POLICIES:
        near = get_close_matches(policy, POLICIES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(POLICIES)}"
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
    policy: Annotated[str, typer.Option(help="how the desk decides")] = POLICIES[0],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="write report, trajectory, events and pictures there")] = None,
    wire: Annotated[bool, typer.Option("--wire", help="every message over real gRPC, clocks in lockstep")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print report.json instead of a summary")] = False,
) -> None:
    """
    Run one scenario headless in virtual time. Exit 0 verdict pass, 1 fail, 2 usage.

    Example: fleet sim run as_built_2023 --hours 6.5 --seed 1 --out out/
    """
    _check_policy(policy)
    # The server and its kernels take seconds to import; help and usage errors do not wait for them.
    from fleet.site import SiteError  # noqa: PLC0415
    from sim_harness.scenario import load_scenario  # noqa: PLC0415

    try:
        ready = load_scenario(scenario, settings or (), seed=seed, hours=hours, trucks=trucks)
    except SiteError as error:
        typer.echo(f"fleet sim: {error}", err=True)
        raise typer.Exit(2) from None
    from sim_harness.day import Wish, run_day, summary  # noqa: PLC0415

    with progress_bar(ready.spec.scenario, ready.hours * 3600.0) as progress:
        report = run_day(ready, Wish(out=out, wire=wire), progress)
    typer.echo(report.text().rstrip() if as_json else summary(report))
    raise typer.Exit(0 if report.verdict == "pass" else 1)
