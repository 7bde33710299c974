"""`fleet watch`: the fleet as it moves, on a terminal; one line of JSON an update in a pipe."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fleet.cli.terminal import SERVER_USUAL, JsonOption, ServerOption, TlsOption, operator_of, place, print_json_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet.client.values import AllStop, FleetUpdate, Truck

KMH_PER_MPS = 3.6

app = typer.Typer(help="Watch the fleet. Example: fleet watch", add_completion=False, rich_markup_mode=None)


def _stopped(stop: AllStop) -> str:
    asked = f" ({stop.asked}; a second person must agree)" if stop.asked else ""
    return f"STOPPED by {stop.stop_id}: {stop.reason}{asked}"


def _picture(update: FleetUpdate, trucks: Iterable[Truck]) -> Group:
    """The fleet as a table under a line of totals."""
    table = Table("truck", "session", "mission", "load", "place", "km/h", "bound for", "trips", box=None, pad_edge=False)
    for truck in trucks:
        load = "laden" if truck.laden else "empty"
        speed = f"{truck.speed_mps * KMH_PER_MPS:.0f}"
        cells = (truck.truck_id, truck.session, truck.mission, load, place(truck.nose), speed, truck.goal_id or "-")
        table.add_row(*cells, str(truck.round_trips))
    lines = [Text(f"tick {update.tick}")]
    if update.totals is not None:
        totals = update.totals
        lines[0].append(
            f"   {totals.trucks_live} trucks live, {totals.round_trips} round trips, "
            f"{totals.containers_delivered} containers, {totals.tonnes:.0f} t"
        )
    lines.extend(Text(_stopped(stop), style="bold red") for stop in update.stops if stop.active)
    return Group(*lines, table)


@app.command()
def watch(
    period: Annotated[float, typer.Option(help="Seconds between updates; 0: as often as the server likes.", min=0.0)] = 1.0,
    count: Annotated[int, typer.Option(help="End after this many updates; 0: never.", min=0)] = 0,
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Shows the fleet as it moves, until Ctrl-C.

    Example: fleet watch --period 0.5
    """
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    with operator_of(server, tls) as operator:
        updates = itertools.islice(operator.watch(asks.watch_fleet(period)), count or None)
        if as_json or not sys.stdout.isatty():
            for update in updates:
                print_json_line(update)
            return
        trucks: dict[str, Truck] = {}
        with Live(console=Console(), auto_refresh=False, screen=False) as live:
            for update in updates:
                if update.snapshot:
                    trucks.clear()
                trucks.update({truck.truck_id: truck for truck in update.trucks})
                live.update(_picture(update, (trucks[name] for name in sorted(trucks))), refresh=True)
