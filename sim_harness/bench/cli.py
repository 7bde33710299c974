"""`fleet bench`: ratios side by side, as a table or as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from sim_harness.bench.measure import Figure, Outcome, processor

# Imported only when run: each brings what it measures.
BENCHES: Final = {
    "conflict": "sim_harness.bench.conflict:conflict",
    "virtual": "sim_harness.bench.virtual:virtual",
    "journal": "sim_harness.bench.journal:journal",
    "streams": "sim_harness.bench.streams:streams",
}

DISPLIB: Final = "displib"  # needs a directory of problems, so it is not among those run when none is named

app = typer.Typer(add_completion=False, help="Measure ratios side by side. Example: fleet bench conflict --json")


def _bench(name: str) -> Callable[[], Outcome]:
    module, _, function = BENCHES[name].partition(":")
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
    displib = import_module("sim_harness.bench.displib")
    solved = []
    console = Console(stderr=True)
    for each in displib.solve_all(directory, seconds, jobs):
        solved.append(each)
        if console.is_terminal:
            console.print(f"{len(solved)} {each.name}: {each.costs[-1]}")
    if not solved:
        typer.echo(f"fleet bench displib: {directory} holds no problems: neither *.json nor {displib.ARCHIVE}.", err=True)
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


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help=f"one of {', '.join(BENCHES)}, or {DISPLIB}; all but {DISPLIB} when left out")] = "",
    directory: Annotated[Path | None, typer.Argument(help=f"for {DISPLIB}: where the problems are", metavar="DIR")] = None,
    seconds: Annotated[float, typer.Option(help=f"for {DISPLIB}: of one core, for each problem", min=0.01)] = 10.0,
    jobs: Annotated[int, typer.Option(help=f"for {DISPLIB}: problems at a time", min=1)] = 1,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Runs one benchmark or all; goals that are missed are said, and are no failure: times depend on the machine."""
    if name and name != DISPLIB and name not in BENCHES:
        typer.echo(f"fleet bench: there is no benchmark {name!r}; there are {', '.join([*BENCHES, DISPLIB])}.", err=True)
        raise typer.Exit(2)
    if (name == DISPLIB) != (directory is not None):
        typer.echo(f"fleet bench: {DISPLIB} takes a directory, and nothing else does: fleet bench {DISPLIB} DIR.", err=True)
        raise typer.Exit(2)
    if directory is not None:
        _displib(directory, seconds, jobs, json_=json_)
        return
    outcomes: list[Outcome] = []
    console = Console()
    for each in [name] if name else list(BENCHES):
        outcome = _bench(each)()
        outcomes.append(outcome)
        if not json_:
            console.print(table(outcome))
    if json_:
        typer.echo(as_json(outcomes))
