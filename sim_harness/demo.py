"""
`fleet demo`: a real server and 24 simulated trucks over real gRPC on this machine, hurried along.

The server is a process of its own with its journal on disk; the trucks run the onboard code and talk to it over a stream
each. Simulated time runs as fast as the two keep up with each other, until every truck has made a round trip. Whoever wants to
watch opens the operators' page, a third process, which only looks unless it is asked to steer: what a person does to the fleet
there is then part of what the verdict is about.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Protocol

import typer

if TYPE_CHECKING:
    from sim_harness.report import Report
    from sim_harness.wire_runner import WireRunner

SCENARIO: Final = "demo"
LINE_EVERY_S: Final = 300

app = typer.Typer(
    add_completion=False, help="Run the main job on this machine: server, 24 simulated trucks, a summary. Example: fleet demo"
)


class Screen(Protocol):
    """Shows how far the demonstration has come."""

    def show(self, runner: WireRunner) -> None:
        """Look at the run now."""
        ...


class PlainScreen:
    """A line every five simulated minutes."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def show(self, runner: WireRunner) -> None:
        """Print a line when it is time for one."""
        now_s = runner.now_s
        if round(now_s) % LINE_EVERY_S == 0:
            typer.echo(f"{_clock(now_s)} simulated, {time.monotonic() - self._began_s:4.0f} s real: {_state(runner)}")


class BarScreen:
    """A bar that fills as trucks complete their first round trip."""

    def __init__(self, truck_count: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - only a terminal needs it

        self.bars = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"), TimeElapsedColumn())
        self._task = self.bars.add_task("starting", total=truck_count, state="")

    def show(self, runner: WireRunner) -> None:
        """Redraw."""
        done = runner.books.trucks_around
        self.bars.update(self._task, completed=done, description=_clock(runner.now_s), state=_state(runner))


def _clock(now_s: float) -> str:
    return f"{int(now_s // 3600)}:{int(now_s % 3600 // 60):02d}"


def _state(runner: WireRunner) -> str:
    books = runner.books
    return f"{books.trucks_around} of {runner.truck_count} trucks have been round, {books.round_trips} round trips, {books.tonnes:.0f} t"


@contextmanager
def screen(truck_count: int) -> Iterator[Screen]:
    """A bar on a terminal, lines in a pipe or when HEADLESS=1."""
    if sys.stdout.isatty() and os.environ.get("HEADLESS", "") != "1":
        shown = BarScreen(truck_count)
        with shown.bars:
            yield shown
    else:
        yield PlainScreen()


async def _demonstrate(seed: int, data: Path, *, steer: bool, pace: float, quiet: bool) -> Report:
    from sim_harness.checkers import Checkers  # noqa: PLC0415 - seconds of imports, and `--help` needs none of them
    from sim_harness.day_bound import bound_of  # noqa: PLC0415
    from sim_harness.recording import Recorder  # noqa: PLC0415
    from sim_harness.report import build_report, opening_s  # noqa: PLC0415
    from sim_harness.scenario import load_scenario  # noqa: PLC0415
    from sim_harness.spawn import console_of, served  # noqa: PLC0415
    from sim_harness.wire_runner import WireRunner  # noqa: PLC0415

    scenario = load_scenario(SCENARIO, seed=seed)
    count = scenario.spec.trucks
    checkers = Checkers(scenario.roster)
    typer.echo(f"starting a control server for {scenario.site}, journal in {data}", err=quiet)
    async with served(scenario.site, data, int(opening_s(scenario.roster))) as address:
        log = data / "console.log"
        async with console_of(address, log, steers=steer) as page:
            last_words = log.read_text("utf-8", errors="replace")[-500:].strip()
            looked_at = f"the fleet is to be seen at {page} while this runs" if page else f"there is no page to look at: {last_words}"
            typer.echo(looked_at, err=quiet)
            typer.echo(f"server on {address}; connecting {count} trucks, a stream each", err=quiet)
            with Recorder(None, scenario.roster) as recorder, nullcontext(PlainScreen()) if quiet else screen(count) as shown:
                runner = WireRunner(scenario, address, recorder, checkers)
                runner.pace = pace
                totals = await runner.run(lambda _: None if quiet else shown.show(runner), lambda books: books.trucks_around == count)
    return build_report(scenario.roster, totals, checkers.figures(), bound_of(scenario))


@app.command()
def demo(
    seed: Annotated[int, typer.Option(min=0, help="draws everything")] = 1,
    *,
    steer: Annotated[bool, typer.Option("--steer", help="Let the page give commands; what comes of them counts.")] = False,
    pace: Annotated[float, typer.Option(min=0.01, help="at most so many times real time")] = math.inf,
    as_json: Annotated[bool, typer.Option("--json", help="print the report instead of a summary, and nothing on the way")] = False,
) -> None:
    """
    Runs until every truck has been round once; exits 0 by itself when all went well, 1 when not.

    Example: fleet demo --steer --pace 5
    """
    from sim_harness.day import summary  # noqa: PLC0415 - seconds of imports, and `--help` needs none of them
    from sim_harness.wire_runner import run_to_end  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="khulan-demo-") as data:
        report = run_to_end(_demonstrate(seed, Path(data), steer=steer, pace=pace, quiet=as_json))
    typer.echo(report.text().rstrip() if as_json else summary(report))
    everybody = report.round_trips >= len(report.trucks)
    if not everybody:
        typer.echo("not every truck came round in the time given", err=True)
    raise typer.Exit(0 if everybody and report.verdict == "pass" else 1)
