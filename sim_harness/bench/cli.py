"""`fleet bench`: ratios side by side, as a table or as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from sim_harness.bench.measure import Figure, NotHere, Outcome, processor

if TYPE_CHECKING:
    from sim_harness.bench.throughput import Row, Run

# Imported only when run: each brings what it measures.
BENCHES: Final = {
    "conflict": "sim_harness.bench.conflict:conflict",
    "virtual": "sim_harness.bench.virtual:virtual",
    "journal": "sim_harness.bench.journal:journal",
    "streams": "sim_harness.bench.streams:streams",
    "planning": "sim_harness.bench.planning:planning",
    "watchers": "sim_harness.bench.watchers:watchers",
    "scraping": "sim_harness.bench.scraping:scraping",
}

# Needs a browser, so it is asked for by name.
BROWSED: Final = {"page": "sim_harness.bench.page:page"}
DISPLIB: Final = "displib"  # needs a directory of problems, so it is not among those run when none is named
# Not a matter of times but of days, and of hours to run them: it is asked for by name.
THROUGHPUT: Final = "throughput"
NAMES: Final = (*BENCHES, *BROWSED, DISPLIB, THROUGHPUT)

app = typer.Typer(add_completion=False, help="Measure ratios side by side. Example: fleet bench conflict --json")


def _bench(name: str) -> Callable[[], Outcome]:
    module, _, function = {**BENCHES, **BROWSED}[name].partition(":")
    found: Callable[[], Outcome] = getattr(import_module(module), function)
    return found


def number(value: float | None) -> str:
    """Three figures that matter, or nothing."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"


def goal_text(figure: Figure) -> str:
    """The goal and whether it is reached."""
    if figure.goal is None:
        return ""
    sign = ">=" if figure.at_least else "<="
    return f"{sign} {figure.goal:g} {'reached' if figure.met else 'missed'}"


def table(outcome: Outcome) -> Table:
    """One benchmark as a table."""
    drawn = Table(title=outcome.bench, caption=outcome.about, title_justify="left", caption_justify="left")
    drawn.add_column("measured")
    for column in ("ours", "reference", "ratio"):
        drawn.add_column(column, justify="right")
    drawn.add_column("goal")
    for figure in outcome.figures:
        drawn.add_row(
            figure.name,
            f"{number(figure.ours)} {figure.unit}".rstrip(),
            f"{number(figure.reference)} {figure.unit}".rstrip() if figure.reference is not None else "",
            number(figure.ratio),
            goal_text(figure),
        )
    return drawn


def as_json(outcomes: list[Outcome]) -> str:
    """All outcomes with the machine they were measured on."""
    return json.dumps(
        {
            "machine": {"processor": processor(), "python": platform.python_version(), "system": platform.system()},
            "benches": [
                {
                    "bench": each.bench,
                    "about": each.about,
                    "figures": [figure.as_json() for figure in each.figures],
                    "notes": list(each.notes),
                }
                for each in outcomes
            ],
        },
        indent=2,
    )


def _displib(directory: Path, seconds: float, jobs: int, *, json_: bool) -> None:
    displib, files = import_module("sim_harness.bench.displib"), import_module("sim_harness.bench.displib_files")
    solved = []
    console = Console(stderr=True)
    try:
        for each in displib.solve_all(directory, seconds, jobs):
            solved.append(each)
            if console.is_terminal:
                console.print(f"{len(solved)} {each.name}: {each.costs[-1]}")
    except (files.ProblemFault, OSError) as fault:
        typer.echo(f"fleet bench displib: {fault}", err=True)
        raise typer.Exit(2) from None
    if not solved:
        typer.echo(f"fleet bench displib: {directory} holds no problems: neither *.json nor {files.ARCHIVE}.", err=True)
        raise typer.Exit(2)
    if json_:
        typer.echo(json.dumps(displib.as_json(solved, seconds), indent=2))
    else:
        Console().print(displib.table(solved, seconds))
    wrong = [each for each in solved if each.wrong]
    for each in wrong:
        typer.echo(f"fleet bench displib: {each.name}: {each.wrong[0]}", err=True)
    if wrong:
        raise typer.Exit(1)


def _throughput(scenarios: list[str], settings: list[str], hours: float | None, seeds: int, jobs: int, *, as_data: bool) -> None:
    """The table of round trips against the bound; exit 1 when a run's verdict was fail."""
    from fleet.site import SiteError  # noqa: PLC0415 - help does not wait for the simulator
    from sim_harness.bench import throughput as work  # noqa: PLC0415

    try:
        rows = work.throughput(scenarios or work.SCENARIOS, hours=hours, seeds=seeds, jobs=jobs, settings=settings, told=_tell_run)
    except (SiteError, ValueError) as wrong:
        typer.echo(f"fleet bench: {wrong}", err=True)
        raise typer.Exit(2) from None
    if as_data:
        typer.echo(json.dumps([row.as_json() for row in rows], indent=2))
    else:
        Console().print(throughput_table(rows), days_table(rows))
    failed = [f"{row.scenario} {run}" for row in rows for run in row.failed]
    if failed:
        typer.echo("\n".join(f"fleet bench: failed: {each}" for each in failed), err=True)
        raise typer.Exit(1)


def _tell_run(run: Run) -> None:
    """Whole days take minutes each: whoever waits, or ends it, has what was made so far."""
    words = f"{run.job.scenario} {run.job.policy} seed {run.job.seed}: {run.round_trips} round trips, {run.per_h:.1f} an hour settled"
    typer.echo(f"{words}; FAILED: {run.failures[0]}" if run.failures else words, err=True)


def throughput_table(rows: Sequence[Row]) -> Table:
    """Round trips an hour of the settled day."""
    caption = "round trips an hour, settled; ideal: bays, trains and chance alone; drawn: bound with services as drawn"
    drawn = _comparison(THROUGHPUT, caption, "scenario", "binds")
    drawn.add_column("ours/drawn", justify="right")
    for row in rows:
        drawn.add_row(row.scenario, row.binds, *_compared(row.bound_per_h, row.ideal_per_h, row.per_h), f"{row.of_drawn:.3f}")
    return drawn


def days_table(rows: Sequence[Row]) -> Table:
    """Round trips from opening to closing."""
    drawn = _comparison("whole days", "round trips; ideal: bays, shut gates and chance alone", "scenario")
    for row in rows:
        counts = {policy: fmean(each) for policy, each in row.round_trips.items()}
        drawn.add_row(row.scenario, *_compared(row.bound_round_trips, row.ideal_round_trips, counts))
    return drawn


def _comparison(title: str, caption: str, *names: str) -> Table:
    drawn = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for name in names:
        drawn.add_column(name)
    for column in ("bound", "ideal", "ours", "blocks200", "blocks400", "ours/bound", "ours/ideal"):
        drawn.add_column(column, justify="right")
    return drawn


def _compared(bound: float, ideal: float, by_policy: Mapping[str, float]) -> list[str]:
    """The cells of those columns."""
    ours = by_policy["moving"]
    return [*(f"{each:.1f}" for each in (bound, ideal, *by_policy.values())), f"{ours / bound:.3f}", f"{ours / ideal:.3f}"]


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help=f"one of {', '.join(NAMES)}; all but the last three when left out")] = "",
    what: Annotated[
        list[str] | None,
        typer.Argument(help=f"for {DISPLIB}: where the problems are; for {THROUGHPUT}: whose days to run", metavar="[DIR | SCENARIO...]"),
    ] = None,
    *,
    seconds: Annotated[float, typer.Option(help=f"for {DISPLIB}: of one core, for each problem", min=0.01)] = 10.0,
    hours: Annotated[float | None, typer.Option(help=f"for {THROUGHPUT}: simulated hours; default each scenario's day")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=f"for {THROUGHPUT}: another value of the scenarios'")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help=f"for {THROUGHPUT}: how many days of each")] = 3,
    jobs: Annotated[int, typer.Option(help=f"for {DISPLIB}, {THROUGHPUT}: problems or runs at a time", min=1)] = 1,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """
    Runs one benchmark or all; goals that are missed are said, and are no failure: times depend on the machine.

    Example: fleet bench throughput mandula --hours 4 --seeds 2 --jobs 2
    """
    what = what or []
    if name and name not in NAMES:
        typer.echo(f"fleet bench: there is no benchmark {name!r}; there are {', '.join(NAMES)}.", err=True)
        raise typer.Exit(2)
    if name == THROUGHPUT:
        _throughput(what, settings or [], hours, seeds, jobs, as_data=json_)
        return
    if len(what) != (name == DISPLIB):
        typer.echo(
            f"fleet bench: {DISPLIB} takes one directory and {THROUGHPUT} scenarios, and nothing else takes any: fleet bench {DISPLIB} DIR.",
            err=True,
        )
        raise typer.Exit(2)
    if name == DISPLIB:
        _displib(Path(what[0]), seconds, jobs, json_=json_)
        return
    outcomes: list[Outcome] = []
    console = Console()
    for each in [name] if name else list(BENCHES):
        try:
            outcome = _bench(each)()
        except NotHere as missing:
            typer.echo(f"fleet bench {each}: {missing}", err=True)
            raise typer.Exit(2) from None
        outcomes.append(outcome)
        if not json_:
            console.print(table(outcome))
    if json_:
        typer.echo(as_json(outcomes))
