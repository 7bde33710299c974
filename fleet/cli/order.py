"""`fleet order`: what is to be moved from yard to yard."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fleet.cli.terminal import (
    SERVER_USUAL,
    JsonOption,
    ServerOption,
    TlsOption,
    clock_time,
    commands,
    fail,
    operator_of,
    parse_time,
    print_json,
    print_table,
)
from fleet.clock import SystemClock

if TYPE_CHECKING:
    from fleet.client.values import TransportOrder

COLUMNS: Final = ("order", "from", "to", "containers", "waiting", "aboard", "delivered", "returned", "priority", "due", "state")
CSV_COLUMNS: Final = frozenset({"from", "to", "containers", "due", "priority"})
CSV_NEEDED: Final = frozenset({"from", "to", "containers"})

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


def _wishes(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a CSV file with the columns from, to, containers and, if wanted, due and priority."""
    with path.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        named = set(reader.fieldnames or ())
        if not named >= CSV_NEEDED or not named <= CSV_COLUMNS:
            fail(f"{path}: needs the columns from, to, containers (and may have due, priority), has {', '.join(sorted(named))}.", 2)
        for row in reader:
            try:
                yield _wish(row)
            except (ValueError, TypeError, typer.BadParameter) as unreadable:
                fail(f"{path}, line {reader.line_num}: {unreadable}", 2)


def _wish(row: Mapping[str, str]) -> dict[str, Any]:
    due = (row.get("due") or "").strip()
    return {
        "from_yard_id": row["from"].strip(),
        "to_yard_id": row["to"].strip(),
        "container_count": int(row["containers"]),
        "due_time": parse_time(due) if due else None,
        "priority": int(row.get("priority") or 0),
    }


@app.command()
def create(  # noqa: PLR0913, PLR0917 - one parameter an option
    from_yard: Annotated[str, typer.Option("--from", help="Yard where the containers are.")] = "",
    to_yard: Annotated[str, typer.Option("--to", help="Yard where they are wanted.")] = "",
    containers: Annotated[int, typer.Option(help="How many.", min=0)] = 0,
    due: Annotated[str, typer.Option(help="Time by which, such as 2026-03-01T14:30.")] = "",
    priority: Annotated[int, typer.Option(help="Higher goes first.")] = 0,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Create one order a line: from,to,containers[,due][,priority].")] = None,
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Creates an order, or one for each line of a CSV file.

    Example: fleet order create --from mn --to cn --containers 40 --due 2026-03-01T14:30
    """
    if csv_file is not None:
        if from_yard or to_yard or containers:
            fail("--csv stands alone: the file has the yards and the counts.", 2)
        if not csv_file.is_file():
            fail(f"there is no file {csv_file}.", 2)
        wishes = list(_wishes(csv_file))
    else:
        if not from_yard or not to_yard or containers < 1:
            fail("needs --from YARD --to YARD --containers N, or --csv FILE.", 2)
        due_time = parse_time(due) if due else None
        wishes = [
            {"from_yard_id": from_yard, "to_yard_id": to_yard, "container_count": containers, "due_time": due_time, "priority": priority}
        ]
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    with operator_of(server, tls) as operator:
        _show([operator.ask(asks.create_order(**wish)) for wish in wishes], as_json=as_json)


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
