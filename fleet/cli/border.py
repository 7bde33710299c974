"""`fleet border`: what customs decides, by container or by crossing, and how the gates stand."""

from __future__ import annotations

import getpass
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
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from fleet.client import Operator
    from fleet.client.values import Crossing

COLUMNS: Final = ("crossing", "truck", "state", "way", "containers", "declared")
GATE_COLUMNS: Final = ("gate", "barrier", "for", "queue", "traffic")
ContainerArgument = Annotated[str, typer.Argument(help="A container's id, or a crossing's.")]
OfficerOption = Annotated[str, typer.Option("--officer", help="Who decides; the audit trail keeps it.")]

app = commands("The border. Example: fleet border list")


def _row(crossing: Crossing) -> tuple[Any, ...]:
    containers = " ".join(each.container_id for each in crossing.containers) or "-"
    way = "homeward" if crossing.homeward else "outward"
    return crossing.crossing_id, crossing.truck_id, crossing.state, way, containers, clock_time(crossing.declare_time)


@app.command(name="list")
def list_crossings(server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Lists crossings, oldest first.

    Example: fleet border list --json
    """
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    with operator_of(server, tls) as operator:
        crossings = list(operator.pages(asks.crossings))
    if as_json:
        print_json(crossings)
    else:
        print_table(COLUMNS, map(_row, crossings), "No crossings.")


@app.command()
def gates(server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Lists gates, their barriers and their queues.

    Example: fleet border gates
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    with operator_of(server, tls) as operator:
        found = operator.ask(asks.gates()).rows
    if as_json:
        print_json(found)
        return
    rows = [(g.gate_id, g.state, g.truck_id or "-", g.queue_count, "open" if g.open_for_traffic else "closed") for g in found]
    print_table(GATE_COLUMNS, rows, "No gates.")


@app.command()
def release(
    container_id: ContainerArgument,
    officer: OfficerOption = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Clears the crossing that carries a container.

    Example: fleet border release KHLU0000017
    """
    _decide(container_id, "clear", officer, server, tls, as_json=as_json)


@app.command()
def hold(
    container_id: ContainerArgument,
    officer: OfficerOption = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Holds the crossing that carries a container until customs decides again.

    Example: fleet border hold KHLU0000017
    """
    _decide(container_id, "hold", officer, server, tls, as_json=as_json)


@app.command()
def inspect(
    container_id: ContainerArgument,
    officer: OfficerOption = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Picks the crossing that carries a container for the X-ray.

    Example: fleet border inspect KHLU0000017
    """
    _decide(container_id, "inspect", officer, server, tls, as_json=as_json)


@app.command()
def refuse(
    container_id: ContainerArgument,
    officer: OfficerOption = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Turns the crossing that carries a container back.

    Example: fleet border refuse KHLU0000017
    """
    _decide(container_id, "refuse", officer, server, tls, as_json=as_json)


def _decide(name: str, decision: str, officer: str, server: str, tls: Any, *, as_json: bool) -> None:
    from fleet.client import CrossingDecision, asks  # noqa: PLC0415 - as above

    with operator_of(server, tls) as operator:
        crossing_id = _crossing_of(operator, name)
        answered = _answer(operator, asks.decide_crossing(crossing_id, CrossingDecision(decision), officer or getpass.getuser()))
    if as_json:
        print_json(answered)
    else:
        print_table(COLUMNS, [_row(answered)], "")


def _answer(operator: Operator, ask: Any) -> Crossing:
    crossing: Crossing = operator.ask(ask)
    return crossing


def _crossing_of(operator: Operator, name: str) -> str:
    """The newest crossing that carries the container *name*, or the crossing of that id."""
    from fleet.client import asks  # noqa: PLC0415 - as above

    found = ""
    for crossing in operator.pages(asks.crossings):
        if crossing.crossing_id == name:
            return name
        if any(container.container_id == name for container in crossing.containers):
            found = crossing.crossing_id
    if not found:
        fail(f"no crossing carries {name}: it has not been declared, or is no container's id. See `fleet border list`.")
    return found
