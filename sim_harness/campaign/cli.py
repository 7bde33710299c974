"""`fleet sim campaign`: many seeds and many faults."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sim_harness.minutely import Minutely
from sim_harness.told_to_end import told_to_end

if TYPE_CHECKING:
    from sim_harness.campaign.campaign import Progress
    from sim_harness.campaign.figures import CampaignReport
    from sim_harness.campaign.trial import Plan


def _so_far(progress: Progress) -> str:
    of = f" of {progress.total}" if progress.total else ""
    return f"{progress.doing}: {progress.done}{of}, {progress.failed} failed"


@contextmanager
def _bar(total: int) -> Iterator[Callable[[Progress], None]]:
    """A bar of runs on a terminal; a line a minute in a pipe."""
    if not sys.stderr.isatty():
        say = Minutely()
        yield lambda progress: say(_so_far(progress))
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("runs", total=total, failed="")

        def told(progress: Progress) -> None:
            failed = f"{progress.failed} failed" if progress.failed else ""
            bars.update(task, description=progress.doing, completed=progress.done, total=progress.total, failed=failed)

        yield told


def _refuse(sentence: str) -> NoReturn:
    typer.echo(f"fleet sim campaign: {sentence}", err=True)
    raise typer.Exit(2)


def _kinds(text: str) -> tuple[str, ...]:
    from fleet.site.names import did_you_mean  # noqa: PLC0415 - as below
    from sim_harness.faults.kinds import KINDS  # noqa: PLC0415

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in KINDS:
            _refuse(f"there is no fault {name!r}; {did_you_mean(name, KINDS)}")
    return names


def campaign(  # noqa: PLR0913 - one a flag
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="a scenario's name, or a YAML file")],
    *,
    runs: Annotated[int, typer.Option(metavar="N", min=1, help="how many runs")],
    hours: Annotated[float, typer.Option(min=0.001, help="simulated hours of each")] = 0.25,
    seed: Annotated[int, typer.Option(metavar="FIRST", min=0, help="run i draws its day and its faults from seed FIRST + i")] = 1,
    trucks: Annotated[int | None, typer.Option(min=1, help="how many trucks; default the scenario's")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="lay a value over the file")] = None,
    faults: Annotated[int | None, typer.Option(min=0, help="faults a run; default drawn, 4 a quarter of an hour on average")] = None,
    kinds: Annotated[str, typer.Option(metavar="A,B,…", help="only these kinds of fault; default all")] = "",
    guided: Annotated[
        float, typer.Option(metavar="SHARE", min=0.0, max=1.0, help="share of runs that search from the closest calls so far")
    ] = 0.0,
    tries: Annotated[int, typer.Option(min=0, help="at most so many runs to make one failure smaller")] = 60,
    stop_after: Annotated[int, typer.Option(min=0, help="begin no run after so many failures; 0 goes on")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes; default one a core")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="write campaign.json and recordings of failures there")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print campaign.json instead of a table")] = False,
) -> None:
    """
    Run many seeds with many faults; each failure comes with the line that replays it. Exit 0 none failed, 1 some did, 2 usage.

    Ctrl-C, or a SIGTERM, ends it with the table so far and exit code 1.

    Example: fleet sim campaign crossing --runs 200 --guided 0.3 --out out/
    """
    # The server and its kernels take seconds to import; help and usage errors do not wait for them.
    from sim_harness.campaign.trial import Plan  # noqa: PLC0415

    plan = Plan(
        scenario=scenario,
        settings=tuple(settings or ()),
        runs=runs,
        first_seed=seed,
        hours=hours,
        trucks=trucks,
        faults=faults,
        kinds=_kinds(kinds),
        guided=guided,
        jobs=jobs or len(os.sched_getaffinity(0)),
        tries=tries,
        stop_after=stop_after,
        out=out,
    )
    report = _made(plan)
    _show(report, as_json=as_json)
    raise typer.Exit(0 if report.verdict == "pass" and not report.interrupted else 1)


def _made(plan: Plan) -> CampaignReport:
    from fleet.site import SiteError  # noqa: PLC0415
    from sim_harness.campaign.campaign import run_campaign  # noqa: PLC0415
    from sim_harness.campaign.crew import WorkerDidNotStart  # noqa: PLC0415

    try:
        if plan.out is not None:
            plan.out.mkdir(parents=True, exist_ok=True)
        with told_to_end(), _bar(plan.runs) as told:
            return run_campaign(plan, told)
    except (SiteError, FileExistsError, NotADirectoryError, PermissionError) as error:
        _refuse(str(error))
    except WorkerDidNotStart as error:
        typer.echo(f"fleet sim campaign: {error}", err=True)
        raise typer.Exit(1) from None


def _show(report: CampaignReport, *, as_json: bool) -> None:
    if as_json:
        typer.echo(report.text().rstrip())
        return
    from rich.console import Console  # noqa: PLC0415

    from sim_harness.campaign.table import matrix, words  # noqa: PLC0415

    Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False).print(matrix(report.rows))
    typer.echo(words(report))
