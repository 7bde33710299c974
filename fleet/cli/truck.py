"""`fleet truck`: see the trucks, ask why one stands, and hold, resume or take one out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fleet.cli.speaking import LanguageOption, language_of, link_text
from fleet.cli.terminal import (
    SERVER_USUAL,
    JsonOption,
    ServerOption,
    TlsOption,
    commands,
    fail,
    needs_second_person,
    operator_of,
    place,
    print_done,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from fleet.client import Ask
    from fleet.client.values import Truck

KMH_PER_MPS: Final = 3.6
COLUMNS: Final = ("truck", "session", "mission", "load", "place", "km/h", "authority to", "bound for", "trips", "battery kWh", "heard", "")
LEAST: Final = ("battery kWh", "trips", "load", "authority to", "bound for", "mission", "heard")

app = commands("Trucks. Example: fleet truck why T007")


def _row(truck: Truck) -> tuple[Any, ...]:
    weak = 0.0 < truck.brake_health < 1.0
    states = (("held", truck.held), ("decommissioned", truck.decommissioned), (f"brakes {truck.brake_health:.0%}", weak))
    marks = [name for name, is_so in states if is_so]
    marks += [f"needs a second person: {truck.asked}"] if truck.asked else []
    return (
        truck.truck_id,
        truck.session,
        truck.mission or "-",
        "laden" if truck.laden else "empty",
        place(truck.nose),
        f"{truck.speed_mps * KMH_PER_MPS:.0f}",
        place(truck.end),
        truck.goal_id or "-",
        truck.round_trips,
        f"{truck.battery_wh / 1000:.0f}",
        "-" if truck.report_age is None else f"{truck.report_age:.1f} s",
        ", ".join(marks),
    )


def _ask(ask: Ask[Truck], server: str, tls: Any, *, as_json: bool) -> None:
    with operator_of(server, tls) as operator:
        truck = operator.ask(ask)
    if as_json:
        print_json(truck)
    else:
        print_table(COLUMNS, [_row(truck)], "", LEAST)
    if truck.needs_second_person:
        needs_second_person(truck.asked)


@app.command(name="list")
def list_trucks(server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Lists all trucks.

    Example: fleet truck list --json
    """
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    with operator_of(server, tls) as operator:
        trucks = list(operator.pages(asks.trucks))
    if as_json:
        print_json(trucks)
    else:
        print_table(COLUMNS, map(_row, trucks), "No trucks.", LEAST)


@app.command()
def show(truck_id: str, server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Shows one truck.

    Example: fleet truck show T007
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.truck(truck_id), server, tls, as_json=as_json)


@app.command()
def why(
    truck_id: str,
    language: LanguageOption = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Says why a truck stands: the chain of causes to its root.

    Example: fleet truck why T007 --language zh
    """
    spoken = language_of(language)
    from fleet.client import asks  # noqa: PLC0415 - as above

    with operator_of(server, tls) as operator:
        explanation = operator.ask(asks.explain(truck_id, spoken))
    if as_json:
        print_json(explanation)
        return
    typer.echo(explanation.sentence)
    for depth, cause in enumerate(explanation.causes):
        typer.echo("  " * (depth + 1) + link_text(cause, spoken))


@app.command()
def hold(
    truck_id: str,
    reason: Annotated[str, typer.Option(help="Why; the audit trail keeps it.")],
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Stops a truck inside its authority and keeps it there.

    Example: fleet truck hold T007 --reason "loose tarpaulin"
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.hold_truck(truck_id, reason), server, tls, as_json=as_json)


@app.command()
def resume(truck_id: str, server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Lifts a hold.

    Example: fleet truck resume T007
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.resume_truck(truck_id), server, tls, as_json=as_json)


@app.command()
def decommission(
    truck_id: str,
    reason: Annotated[str, typer.Option(help="Why; the audit trail keeps it.")],
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Takes a truck out of service: it finishes nothing new, parks, and frees no road.

    Example: fleet truck decommission T007 --reason service
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.decommission_truck(truck_id, reason), server, tls, as_json=as_json)


@app.command()
def recommission(
    truck_id: str,
    reason: Annotated[str, typer.Option(help="What was done; the audit trail keeps it.")],
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Puts a truck that was seen to into service again: missions, and brakes believed as declared. Lifts no hold.

    Example: fleet truck recommission T007 --reason "new linings, tested"
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.recommission_truck(truck_id, reason), server, tls, as_json=as_json)


@app.command()
def remove(
    truck_id: str,
    taken_to: Annotated[str, typer.Option(help="Where the truck was taken.")],
    second_person: Annotated[str, typer.Option(help="Who else saw it gone.")],
    powered_off: Annotated[bool, typer.Option("--powered-off", help="Its power is off; required.")] = False,
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Declares a truck gone from the corridor. Its road stays closed until somebody has seen that it is empty.

    Example: fleet truck remove T007 --taken-to workshop --second-person B.Bat --powered-off
    and then: fleet intrusion release removed:T007
    """
    if not powered_off:
        fail("remove needs --powered-off: a truck with power may move again.", 2)
    from fleet.client import asks  # noqa: PLC0415 - as above

    ask = asks.remove_truck(truck_id, taken_to=taken_to, second_person=second_person, powered_off=powered_off)
    _ask(ask, server, tls, as_json=as_json)


@app.command()
def key(
    truck_id: str,
    data: Annotated[Path, typer.Option(help="The server's folder, as given to fleet serve.")],
    out: Annotated[
        Path | None, typer.Option(help="File for the truck; it goes into the truck's store. Printed where it is left out.")
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Give a truck that has a key another one.")] = False,
    as_json: JsonOption = False,
) -> None:
    """
    Makes the secret that a truck behind a gateway shares with the server. Counts from the server's next start on.

    Example: fleet truck key T007 --data data --out T007.key
    """
    from fleet.durable import write_whole  # noqa: PLC0415 - as above
    from fleet.errors import FleetError  # noqa: PLC0415 - as above
    from fleet.keys import KEYS_FILE, make_key  # noqa: PLC0415 - as above

    if not data.is_dir():
        fail(f"there is no folder {data}; give the one of fleet serve --data.", 2)
    try:
        made = make_key(data / KEYS_FILE, truck_id, renew=renew)
        if out is not None:
            write_whole(out, f"{made.hex()}\n".encode())
    except (FleetError, OSError) as refused:
        fail(str(refused), 1)
    words = made.hex() if out is None else f"{out} holds the key of {truck_id}: bring it to the truck, and to nobody else."
    facts = {"truck_id": truck_id, "out": out} if out is not None else {"truck_id": truck_id, "key": made.hex()}
    print_done([words], facts, as_json=as_json)
