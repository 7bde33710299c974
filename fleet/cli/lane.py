"""`fleet lane`: close a lane, open it, limit its speed, say what grip it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fleet.cli.terminal import (
    SERVER_USUAL,
    JsonOption,
    ServerOption,
    TlsOption,
    commands,
    needs_second_person,
    operator_of,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from fleet.client import Ask
    from fleet.client.values import Lane

KMH_PER_MPS: Final = 3.6
COLUMNS: Final = ("lane", "state", "km/h", "limited to", "grip", "reason", "")

app = commands('Lanes. Example: fleet lane close strip_north --reason "spilt coal"')


def _row(lane: Lane) -> tuple[Any, ...]:
    limit = f"{lane.speed_limit_mps * KMH_PER_MPS:.0f}" if lane.speed_limit_mps > 0.0 else "-"
    grip = f"{lane.friction:.2f}" if lane.friction > 0.0 else "-"
    return (
        lane.lane_id,
        "closed" if lane.closed else "open",
        f"{lane.speed_max_mps * KMH_PER_MPS:.0f}",
        limit,
        grip,
        lane.reason or "-",
        lane.asked and f"needs a second person: {lane.asked}",
    )


def _ask(ask: Ask[Lane], server: str, tls: Any, *, as_json: bool) -> None:
    with operator_of(server, tls) as operator:
        lane = operator.ask(ask)
    if as_json:
        print_json(lane)
    else:
        print_table(COLUMNS, [_row(lane)], "")
    if lane.needs_second_person:
        needs_second_person(lane.asked)


@app.command(name="list")
def list_lanes(server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Lists all lanes.

    Example: fleet lane list --json
    """
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    with operator_of(server, tls) as operator:
        lanes = operator.ask(asks.lanes()).rows
    if as_json:
        print_json(lanes)
    else:
        print_table(COLUMNS, map(_row, lanes), "No lanes.")


@app.command()
def close(
    lane_id: str,
    reason: Annotated[str, typer.Option(help="Why; the audit trail keeps it.")],
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Lets no new authority into a lane. Trucks already permitted to enter it still do.

    Example: fleet lane close strip_north --reason "spilt coal"
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.close_lane(lane_id, reason), server, tls, as_json=as_json)


@app.command(name="open")
def open_lane(lane_id: str, server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Ends a closure.

    Example: fleet lane open strip_north
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.open_lane(lane_id), server, tls, as_json=as_json)


@app.command()
def limit(
    lane_id: str,
    kmh: Annotated[float, typer.Argument(help="Limit in km/h; 0 lifts it.", min=0.0)],
    reason: Annotated[str, typer.Option(help="Why; the audit trail keeps it.")] = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Limits the speed on a lane.

    Example: fleet lane limit strip_north 10 --reason dust
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.limit_lane(lane_id, kmh / KMH_PER_MPS, reason), server, tls, as_json=as_json)


@app.command()
def grip(
    lane_id: str,
    friction: Annotated[float, typer.Argument(help="Friction: 0.7 dry, 0.25 snow; what the day allows is the most.", min=0.05)],
    reason: Annotated[str, typer.Option(help="How it is known; the audit trail keeps it.")],
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Says what grip a whole lane has, better or worse than trucks have met.

    Example: fleet lane grip strip_north 0.7 --reason "gritted at 05:40"
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.set_lane_friction(lane_id, friction, reason), server, tls, as_json=as_json)
