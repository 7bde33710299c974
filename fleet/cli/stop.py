"""`fleet stop`: stop every truck, and lift that stop by the same id."""

from __future__ import annotations

from typing import Annotated

import typer

from fleet.cli.terminal import (
    SERVER_USUAL,
    JsonOption,
    ServerOption,
    TlsOption,
    clock_time,
    fail,
    needs_second_person,
    operator_of,
    print_json,
)

app = typer.Typer(
    help="Stop every truck, and lift that stop. Example: fleet stop --all dust-1 --reason dust",
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def stop(
    all_id: Annotated[str, typer.Option("--all", metavar="ID", help="Stop every truck; ID is what lifts it.")] = "",
    lift_id: Annotated[str, typer.Option("--lift", metavar="ID", help="Lift the stop of this id.")] = "",
    reason: Annotated[str, typer.Option(help="Why; the audit trail keeps it.")] = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Stops every truck, or lifts such a stop. Lifting may need a second person; then the first call ends with 1.

    Example: fleet stop --all dust-1 --reason "visibility 80 m", later fleet stop --lift dust-1
    """
    if bool(all_id) == bool(lift_id):
        fail("needs one of --all ID or --lift ID.", 2)
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    with operator_of(server, tls) as operator:
        answer = operator.ask(asks.stop_all(all_id, reason or "operator") if all_id else asks.lift_stop(lift_id))
    if as_json:
        print_json(answer)
    elif answer.active:
        typer.echo(f"All trucks are stopped by {answer.stop_id} since {clock_time(answer.since)}: {answer.reason}")
    else:
        typer.echo(f"The stop {answer.stop_id} is lifted; trucks go on with new authorities.")
    if lift_id and answer.needs_second_person:
        needs_second_person(answer.asked)
