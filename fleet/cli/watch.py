"""`fleet watch`: the fleet as it moves, a live screen on a terminal; lines in a pipe, of JSON where that is asked for."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from fleet.cli.speaking import LanguageOption, language_of, short
from fleet.cli.terminal import (
    SERVER_USUAL,
    JsonOption,
    ServerOption,
    TlsOption,
    clock_time,
    fitted,
    operator_of,
    place,
    print_json_line,
)
from fleet.texts import say

if TYPE_CHECKING:
    from fleet.client.values import FleetTotals, FleetUpdate, Truck

KMH_PER_MPS: Final = 3.6
PERIOD_MAX_S: Final = 3600.0  # the server tells news at least once a minute
COLUMNS: Final = ("truck", "session", "mission", "load", "place", "km/h", "bound for", "trips", "stands for")
LEAST: Final = ("trips", "load", "bound for", "mission", "session", "km/h")
# Lines of a screen that are no truck's: totals, headings, how many more there are, and one for the cursor.
OTHER_LINES: Final = 4
# Whoever needs a person comes first, then whoever stands.
_TROUBLED: Final = frozenset({"silent", "quarantined", "halted", "absent", "syncing"})

app = typer.Typer(help="Watch the fleet. Example: fleet watch", add_completion=False, rich_markup_mode=None)


def _why(truck: Truck, language: str) -> str:
    """What it stands for, in few words; "" while it moves."""
    cause = truck.standing_for
    return "" if cause is None else f"{short(cause.kind, language)} {cause.subject_id}".strip()


def _totals(update: FleetUpdate, trucks: Iterable[Truck], totals: FleetTotals | None, language: str) -> str:
    standing = sum(truck.standing_for is not None for truck in trucks)
    told = (
        (totals.trucks_live, totals.round_trips, totals.containers_delivered, round(totals.tonnes)) if totals is not None else (0, 0, 0, 0)
    )
    live, trips, boxes, tonnes = map(str, told)
    time = clock_time(update.time)
    return say(language, "watch.line", time=time, live=live, standing=str(standing), trips=trips, boxes=boxes, tonnes=tonnes)


def _stops(update: FleetUpdate, language: str) -> list[str]:
    return [say(language, "watch.stop", id=stop.stop_id, reason=stop.reason) for stop in update.stops if stop.active]


def _places(update: FleetUpdate, language: str) -> list[str]:
    gates = [say(language, "concern.gate", id=gate.gate_id, n=str(gate.taken_min(update.time))) for gate in update.overdue_gates]
    return gates + [say(language, "concern.bay", id=bay.bay_id) for bay in update.blocked_bays]


def _row(truck: Truck, language: str) -> tuple[str, ...]:
    return (
        truck.truck_id,
        truck.session,
        truck.mission or "-",
        "laden" if truck.laden else "empty",
        place(truck.nose),
        f"{truck.speed_mps * KMH_PER_MPS:.0f}",
        truck.goal_id or "-",
        str(truck.round_trips),
        _why(truck, language),
    )


def picture(update: FleetUpdate, trucks: Mapping[str, Truck], console: Console, language: str) -> Group:
    """The fleet as a table under a line of totals, no wider and no higher than *console*."""
    stops, places = _stops(update, language), _places(update, language)
    order = sorted(trucks.values(), key=lambda each: (each.session not in _TROUBLED, each.standing_for is None, each.truck_id))
    room = max(1, console.height - OTHER_LINES - len(stops) - len(places))
    shown = order if len(order) <= room else order[: room - 1]
    table, _ = fitted(COLUMNS, [_row(truck, language) for truck in shown], console, LEAST)
    lines = [Text(_totals(update, trucks.values(), update.totals, language), no_wrap=True, overflow="ellipsis")]
    lines += [Text(stop, style="bold red", no_wrap=True, overflow="ellipsis") for stop in stops]
    lines += [Text(each, style="yellow", no_wrap=True, overflow="ellipsis") for each in places]
    left = len(order) - len(shown)
    last = say(language, "watch.more", n=str(left)) if left else say(language, "watch.hint")
    return Group(*lines, table, Text(last, style="dim", no_wrap=True, overflow="ellipsis"))


def told(update: FleetUpdate, before: Mapping[str, Truck], after: Mapping[str, Truck], language: str) -> Iterator[str]:
    """The update in lines: totals, stops, gates and bays to look at, and each truck that moves now, or stands for something else than it did."""
    yield _totals(update, after.values(), update.totals, language)
    yield from _stops(update, language)
    yield from _places(update, language)
    for truck in update.trucks:
        why, known = _why(truck, language), before.get(truck.truck_id)
        if known is not None and _why(known, language) == why:
            continue
        key = "watch.stands" if why else "watch.moves"
        yield "  " + say(language, key, truck=truck.truck_id, place=place(truck.nose), why=why)


@app.command()
def watch(
    period: Annotated[
        float, typer.Option(help="Seconds between updates; 0: as often as the server likes.", min=0.0, max=PERIOD_MAX_S)
    ] = 1.0,
    count: Annotated[int, typer.Option(help="End after this many updates; 0: never.", min=0)] = 0,
    language: LanguageOption = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Shows the fleet as it moves, until Ctrl-C: a live screen on a terminal, lines in a pipe. --json prints a line of JSON an update.

    Example: fleet watch --period 0.5
    """
    spoken = language_of(language)
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    with operator_of(server, tls) as operator:
        updates = itertools.islice(operator.watch(asks.watch_fleet(period)), count or None)
        if as_json:
            for update in updates:
                print_json_line(update)
            return
        _follow(updates, spoken)


def _follow(updates: Iterable[FleetUpdate], language: str) -> None:
    """Lines in a pipe, else a screen of its own; what was there before comes back when it ends, the last picture under it."""
    trucks: dict[str, Truck] = {}
    if not sys.stdout.isatty():
        for update in updates:
            before = dict(trucks)
            _take(trucks, update)
            for line in told(update, before, trucks, language):
                typer.echo(line)
        return
    console = Console(highlight=False, markup=False)
    last: FleetUpdate | None = None
    try:
        with Live(console=console, auto_refresh=False, screen=True) as live:
            for update in updates:
                _take(trucks, update)
                last = update
                live.update(picture(update, trucks, console, language), refresh=True)
    finally:
        if last is not None:
            console.print(picture(last, trucks, console, language))


def _take(trucks: dict[str, Truck], update: FleetUpdate) -> None:
    if update.snapshot:
        trucks.clear()
    trucks.update({truck.truck_id: truck for truck in update.trucks})
