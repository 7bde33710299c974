"""`fleet sim site` and `fleet sim sites`: a site drawn from a seed, and many of them run."""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim_harness.minutely import Minutely
from sim_harness.told_to_end import told_to_end

if TYPE_CHECKING:
    from sim_harness.drawn.rounds import Round


def site(
    *,
    seed: Annotated[int, typer.Option(min=0, help="draws everything")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="where site.yaml and scenario.yaml go")],
    as_json: Annotated[bool, typer.Option("--json", help="print data")] = False,
) -> None:
    """
    Draw a site and a load from a seed, as files to run. Exit 0 written, 2 usage.

    Example: fleet sim site --seed 17 --out site-17/ && fleet sim run site-17/scenario.yaml
    """
    from sim_harness.drawn.draw import draw  # noqa: PLC0415 - help and usage errors do not wait for numbers

    try:
        scenario = draw(seed).write(out)
    except OSError as error:
        typer.echo(f"fleet sim site: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(json.dumps({"seed": seed, "scenario": str(scenario)}) if as_json else str(scenario))


def sites(
    *,
    count: Annotated[int, typer.Option(metavar="N", min=1, help="how many sites")],
    seed: Annotated[int, typer.Option(metavar="FIRST", min=0, help="site i is drawn from seed FIRST + i")] = 1,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes; default one a core")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="keep the sites there")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print data instead of a table")] = False,
) -> None:
    """
    Run sites drawn from seeds to the end of their loads. Exit 0 all were served, 1 one was not, 2 usage.

    Ctrl-C, or a SIGTERM, ends it with the table so far and exit code 1.

    Example: fleet sim sites --count 200
    """
    from rich.console import Console  # noqa: PLC0415 - as above

    from sim_harness.drawn.rounds import run_rounds, table, words  # noqa: PLC0415

    say = Minutely()
    numbers = itertools.count(1)

    def told(made: Round) -> None:
        number = next(numbers)
        if sys.stderr.isatty() or not made.completed:
            state = "completed" if made.completed else made.outcome.signature
            typer.echo(f"seed {made.drawn.seed}: {state}", err=True)
        else:
            say(f"{number} of {count} sites")

    scratch = nullcontext(str(out)) if out is not None else tempfile.TemporaryDirectory(prefix="khulan-sites-")
    with scratch as folder, told_to_end():
        rounds = run_rounds(seed, count, Path(folder), jobs or os.cpu_count() or 1, told)
    if as_json:
        typer.echo(json.dumps([{"seed": each.drawn.seed, **each.outcome.model_dump(mode="json")} for each in rounds], indent=2))
    else:
        Console().print(table(rounds))
        typer.echo(words(rounds, count))
    raise typer.Exit(0 if sum(each.completed for each in rounds) == count else 1)
