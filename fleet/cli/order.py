"""`fleet order`: what is to be moved from yard to yard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fleet.cli.order_file import BadRow, Row, read_rows, wrong_yards
from fleet.cli.terminal import (
    SERVER_USUAL,
    JsonOption,
    ServerOption,
    TlsOption,
    clock_time,
    commands,
    fail,
    operator_of,
    own_language,
    parse_time,
    print_json,
    print_table,
)
from fleet.clock import SystemClock
from planner.limits import CONTAINERS_PER_ORDER_MAX, PRIORITY_MAX

if TYPE_CHECKING:
    from fleet.client.values import TransportOrder
    from fleet.errors import FleetError

COLUMNS: Final = ("order", "from", "to", "containers", "waiting", "aboard", "delivered", "returned", "priority", "due", "state")
BAD_SHOWN_MAX: Final = 20

app = commands("Transport orders. Example: fleet order create --from mn --to cn --containers 40")


def _due(order: TransportOrder) -> str:
    """When it is due, and whether that was missed."""
    late = order.state == "open" and order.due_time is not None and order.due_time < SystemClock().utc()
    return f"{clock_time(order.due_time)} late" if late else clock_time(order.due_time)


def _row(order: TransportOrder) -> tuple[Any, ...]:
    return (
        order.order_id,
        order.from_yard_id,
        order.to_yard_id,
        order.container_count,
        order.waiting_count,
        order.aboard_count,
        order.delivered_count,
        order.returned_count,
        order.priority,
        _due(order),
        order.state,
    )


def _show(orders: list[TransportOrder], *, as_json: bool) -> None:
    if as_json:
        print_json(orders)
    else:
        print_table(COLUMNS, map(_row, orders), "No orders.")


def _rows(path: Path, batch: str) -> list[Row]:
    """Every row of a file; a bad one ends the command before anything is sent."""
    if not path.is_file():
        fail(f"there is no file {path}.", 2)
    rows, bad = read_rows(path, batch or path.name)
    _refuse(path, bad)
    return rows


def _refuse(path: Path, bad: Sequence[BadRow]) -> None:
    """Says every bad cell, up to a screenful, and ends; goes on where there is none."""
    if not bad:
        return
    for wrong in bad[:BAD_SHOWN_MAX]:
        typer.echo(f"{path}, {wrong}", err=True)
    shown = f" ({BAD_SHOWN_MAX} shown)" if len(bad) > BAD_SHOWN_MAX else ""
    fail(f"{path}: {len(bad)} thing{'s' if len(bad) > 1 else ''} to put right{shown}; nothing was sent.", 2)


def _create_all(path: Path, rows: list[Row], server: str, tls: Path | None, *, as_json: bool) -> None:
    """
    Sends the rows in order, up to the first that is refused: then what is in and what is not is said.

    What cannot be said for certain is the row under way when the line breaks; sending the file again makes it certain.
    """
    from fleet.client import NoServer, Refused, asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    made: list[tuple[Row, TransportOrder]] = []
    stopped: FleetError | None = None
    with operator_of(server, tls) as operator:
        _refuse(path, wrong_yards(rows, {yard.yard_id: yard.role for yard in operator.ask(asks.site()).yards}))
        known = {order.order_id for order in operator.pages(asks.orders)}
        for row in rows:
            try:
                made.append((row, operator.ask(asks.create_order(**row.wish()))))
            except (Refused, NoServer) as refused:
                stopped = refused
                break
    before = [order.order_id for _, order in made if order.order_id in known]
    _show([order for _, order in made], as_json=as_json)
    if before:
        again = "Were they meant once more, give --batch NAME."
        were = "was" if len(before) == 1 else "were"
        typer.echo(f"fleet: {len(before)} of them {were} created before, by this same file, and not again. {again}", err=True)
    if stopped is not None:
        left = len(rows) - len(made)
        line = rows[len(made)].line
        put_right = "Put the line right and give" if isinstance(stopped, Refused) else "Give"
        said = stopped.said(own_language()) if isinstance(stopped, Refused) else str(stopped)
        fail(
            f"{path}, line {line}: {said} {len(made)} of {len(rows)} orders are in, {left} are not. "
            f"{put_right} the same command again: what is in is not created twice."
        )


@app.command()
def create(  # noqa: PLR0913, PLR0917 - one parameter an option
    from_yard: Annotated[str, typer.Option("--from", help="Yard where the containers are.")] = "",
    to_yard: Annotated[str, typer.Option("--to", help="Yard where they are wanted.")] = "",
    containers: Annotated[int, typer.Option(help="How many.", min=0, max=CONTAINERS_PER_ORDER_MAX)] = 0,
    due: Annotated[str, typer.Option(help="Time by which, such as 2026-03-01T14:30.")] = "",
    priority: Annotated[int, typer.Option(help="Higher goes first.", min=-PRIORITY_MAX, max=PRIORITY_MAX)] = 0,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Create one order a line: from,to,containers[,due][,priority].")] = None,
    batch: Annotated[
        str, typer.Option(help="Name of these orders; the same file under the same name creates nothing twice. Usual: the file's.")
    ] = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Creates an order, or one for each line of a CSV file. Nothing is sent while any line cannot be read; the same file sent again creates
    nothing twice, so that what a broken line cut off is made good by giving the command once more.

    Example: fleet order create --from mn --to cn --containers 40 --due 2026-03-01T14:30
    and: fleet order create --csv monday.csv
    """
    if csv_file is not None:
        if from_yard or to_yard or containers or due or priority:
            fail("--csv stands alone: the file has the yards, the counts and the times.", 2)
        _create_all(csv_file, _rows(csv_file, batch), server, tls, as_json=as_json)
        return
    if not from_yard or not to_yard or containers < 1:
        fail("needs --from YARD --to YARD --containers N, or --csv FILE.", 2)
    due_time = parse_time(due) if due else None
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    ask = asks.create_order(from_yard_id=from_yard, to_yard_id=to_yard, container_count=containers, due_time=due_time, priority=priority)
    with operator_of(server, tls) as operator:
        _show([operator.ask(ask)], as_json=as_json)


@app.command(name="list")
def list_orders(server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Lists all orders, oldest first.

    Trucks load for the highest priority first, then for what is due first, then for what is oldest; one in eight, whatever is due, for
    the oldest order of all.

    Example: fleet order list --json
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    with operator_of(server, tls) as operator:
        _show(list(operator.pages(asks.orders)), as_json=as_json)


@app.command()
def show(order_id: str, server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Shows where one order stands.

    Example: fleet order show O-000001
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    with operator_of(server, tls) as operator:
        order = operator.ask(asks.order(order_id))
    if as_json:
        print_json(order)
    else:
        print_table(COLUMNS, [_row(order)], "")


@app.command()
def cancel(order_id: str, server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Cancels an order. Containers already aboard are still delivered.

    Example: fleet order cancel O-000001
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    with operator_of(server, tls) as operator:
        order = operator.ask(asks.cancel_order(order_id))
    if as_json:
        print_json(order)
    else:
        print_table(COLUMNS, [_row(order)], "")
