"""`fleet day`: what a day came to, hour by hour, against the most that the site could carry."""

from __future__ import annotations

from datetime import date as Date  # noqa: N812 - the option is called date
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fleet.cli.terminal import SERVER_USUAL, JsonOption, ServerOption, TlsOption, fail, operator_of, print_json, print_table

if TYPE_CHECKING:
    from fleet.client.day_values import Day, DayHour

COLUMNS: Final = ("hour", "trips", "containers", "tonnes", "trucks stood", "longest for")
CAUSES_SHOWN: Final = 3
MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0

app = typer.Typer(
    help="What a day came to, hour by hour, against the bound. Example: fleet day --date 2026-11-25",
    add_completion=False,
    rich_markup_mode=None,
)


def _lasting(seconds: float) -> str:
    return f"{seconds / HOUR_S:.1f} h" if seconds >= HOUR_S else f"{seconds / MINUTE_S:.0f} min"


def _row(hour: DayHour) -> tuple[Any, ...]:
    from fleet.texts import texts  # noqa: PLC0415 - nobody who asks for help needs it

    words = texts("en")
    stood = sum(cause.duration for cause in hour.waiting)
    longest = [f"{words.get(f'short.{cause.kind}', cause.kind)} {_lasting(cause.duration)}" for cause in hour.waiting[:CAUSES_SHOWN]]
    figures = (hour.round_trips, hour.containers_delivered, f"{hour.tonnes:.0f}", _lasting(stood), ", ".join(longest))
    return f"{hour.hour:02d}:00", *figures


def _sum_up(day: Day) -> str:
    trips, tonnes = sum(hour.round_trips for hour in day.hours), sum(hour.tonnes for hour in day.hours)
    said = f"{day.date} ({day.time_zone}): {trips} round trips, {tonnes:.0f} t"
    if day.bound is None:
        return said
    bound = day.bound
    return (
        f"{said}; at most {bound.round_trips:.0f} round trips in the whole day, {bound.capacity_per_h:.1f} an hour with "
        f"{bound.truck_count} trucks: {bound.bottleneck} binds"
    )


@app.command()
def day(
    date: Annotated[str, typer.Option(metavar="DAY", help="A local day of the site, such as 2026-11-25; without it, the day it is.")] = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Shows what one day came to.

    Example: fleet day --date 2026-11-25 --json
    """
    try:
        Date.fromisoformat(date or "2026-01-01")
    except ValueError:
        fail(f"--date needs a day such as 2026-11-25, not {date!r}.", 2)
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    with operator_of(server, tls) as operator:
        found = operator.ask(asks.day(date))
    if as_json:
        print_json(found)
        return
    typer.echo(_sum_up(found))
    print_table(COLUMNS, map(_row, found.hours), "Nothing is known of that day.")
