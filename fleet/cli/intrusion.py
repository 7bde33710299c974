"""`fleet intrusion`: who is on the road that should not be, and the word that it is clear again."""

from __future__ import annotations

from enum import StrEnum
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
    from fleet.client import Ask
    from fleet.client.values import Intrusion

COLUMNS: Final = ("intrusion", "kind", "state", "since", "lanes closed", "trucks stopped", "reported by", "detail")

app = commands("Persons, animals and manned trucks on the road. Example: fleet intrusion report man-1 --kind person --at strip_north:150")


class Kind(StrEnum):
    """What was seen; the words of `fleet.client.IntrusionKind`, which costs gRPC to import."""

    PERSON = "person"
    ANIMAL = "animal"
    MANNED_TRUCK = "manned_truck"
    OTHER = "other"


def _row(found: Intrusion) -> tuple[Any, ...]:
    lanes = [f"{at.lane_id} {at.start_m:.0f}-{at.end_m:.0f} m" for at in found.stretches[:2]]
    more = f" and {len(found.stretches) - 2} more" if len(found.stretches) > 2 else ""
    stopped = ", ".join(found.stopped_truck_ids) or "-"
    return (
        found.intrusion_id,
        found.kind,
        found.state,
        clock_time(found.since),
        ", ".join(lanes) + more,
        stopped,
        found.reporter,
        found.detail,
    )


def _ask(ask: Ask[Intrusion], server: str, tls: Any, *, as_json: bool) -> None:
    with operator_of(server, tls) as operator:
        found = operator.ask(ask)
    if as_json:
        print_json(found)
    else:
        print_table(COLUMNS, [_row(found)], "")


def _place(said: str) -> tuple[str, float, float]:
    """Reads LANE:METRES or LANE:FROM-TO."""
    lane_id, _, metres = said.rpartition(":")
    from_text, _, to_text = metres.partition("-")
    try:
        from_m, to_m = float(from_text), float(to_text or from_text)
    except ValueError:
        lane_id, from_m, to_m = "", 0.0, 0.0
    if not lane_id:
        fail(f"--at needs LANE:METRES or LANE:FROM-TO, not {said!r}.", 2)
    return lane_id, from_m, to_m


@app.command(name="list")
def list_intrusions(server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Lists open intrusions, oldest first.

    Example: fleet intrusion list --json
    """
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    with operator_of(server, tls) as operator:
        found = operator.ask(asks.intrusions()).rows
    if as_json:
        print_json(found)
    else:
        print_table(COLUMNS, map(_row, found), "No intrusions.")


@app.command()
def report(
    intrusion_id: str,
    kind: Annotated[Kind, typer.Option(help="What was seen.")],
    at: Annotated[list[str], typer.Option(metavar="LANE:METRES|LANE:FROM-TO", help="Where, in metres; may be given again.")],
    radius_m: Annotated[float, typer.Option("--radius", help="How well the place is known: metres across the ground.", min=0.0)] = 5.0,
    detail: Annotated[str, typer.Option(help="For whoever looks: which camera, which driver.")] = "",
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Keeps every truck out of a place, with a margin, until it is released. Trucks that are there or cannot stop before it stop at once.

    Example: fleet intrusion report man-1 --kind person --at strip_north:150 --detail "camera 7"
    """
    places = [_place(said) for said in at]
    from fleet.client import IntrusionKind, asks, site_values  # noqa: PLC0415 - as above

    where = [site_values.Stretch(lane_id=lane_id, start_m=from_m, end_m=to_m) for lane_id, from_m, to_m in places]
    ask = asks.report_intrusion(intrusion_id, IntrusionKind(kind.value), where, radius_m=radius_m, detail=detail)
    _ask(ask, server, tls, as_json=as_json)


@app.command()
def release(intrusion_id: str, server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Says that the place is clear: look first. Its road opens, and what it stopped goes on with new authorities.

    Example: fleet intrusion release man-1
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    _ask(asks.release_intrusion(intrusion_id), server, tls, as_json=as_json)
