"""`fleet site propose|proposal|switch|withdraw`: a map change in two phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleet.cli.terminal import SERVER_USUAL, JsonOption, ServerOption, TlsOption, clock_time, fail, operator_of, print_json, print_table

if TYPE_CHECKING:
    from fleet.client import Ask, Operator
    from fleet.client.values import SiteProposal

SHOWN_MAX = 12
DigestOption = Annotated[str, typer.Option("--digest", help="Beginning of the digest you mean; usual: the one that is proposed.")]


def propose(
    file: Annotated[str, typer.Argument(metavar="FILE", help="a site that comes with the package, or a YAML file")],
    server: ServerOption = SERVER_USUAL,
    tls: TlsOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    First phase of a map change: checks the site, asks every truck to be ready for it, and clears the lanes that differ.

    Example: fleet site propose mandula_2027.yaml
    """
    # shapely, scipy and pydantic cost most of a second; the other commands do not wait for them.
    from fleet.client import asks  # noqa: PLC0415
    from fleet.site.load import examine, text_of  # noqa: PLC0415

    corridor, found = examine(file)
    for one in found:
        typer.echo(str(one), err=True)
    if corridor is None or found:
        raise typer.Exit(1)
    with operator_of(server, tls) as operator:
        _show(operator.ask(asks.propose_site(text=text_of(file))), as_json=as_json)


def proposal(server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Who is ready for the proposed site, and what still blocks the switch. Exit 0 nothing does, 1 something does.

    Example: fleet site proposal
    """
    from fleet.client import asks  # noqa: PLC0415 - gRPC is loaded only when there is something to ask

    with operator_of(server, tls) as operator:
        answer = operator.ask(asks.site_proposal())
    _show(answer, as_json=as_json)
    raise typer.Exit(1 if answer.blocks else 0)


def switch(digest: DigestOption = "", server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Second phase: switches to the proposed site, when every truck is ready and off the lanes that differ; else says who is not.

    The server goes on under the new site in a new epoch. From then on `fleet serve` wants the new site's file.

    Example: fleet site switch
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    with operator_of(server, tls) as operator:
        _show(operator.ask(asks.switch_site(_digest(operator, digest))), as_json=as_json)


def withdraw(digest: DigestOption = "", server: ServerOption = SERVER_USUAL, tls: TlsOption = None, as_json: JsonOption = False) -> None:
    """
    Ends a proposal; the lanes that differ are driven again.

    Example: fleet site withdraw
    """
    from fleet.client import asks  # noqa: PLC0415 - as above

    with operator_of(server, tls) as operator:
        _show(operator.ask(asks.withdraw_site(_digest(operator, digest))), as_json=as_json)


def _digest(operator: Operator, given: str) -> str:
    """The whole digest of the proposal that *given* begins like."""
    from fleet.client import asks  # noqa: PLC0415 - as above

    ask: Ask[SiteProposal] = asks.site_proposal()
    proposed = operator.ask(ask).digest
    if not proposed.startswith(given):
        fail(f"the proposed site has digest {proposed[:16]}, not {given}.")
    return proposed


def _show(answer: SiteProposal, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    named = f"{answer.site_id} (digest {answer.digest[:16]})"
    if answer.state == "switched":
        typer.echo(f"Switched to {named}. Start the server with that site from now on.")
        return
    if answer.state == "withdrawn":
        typer.echo(f"The proposal of {named} is withdrawn.")
        return
    typer.echo(f"Proposed: {named}, by {answer.proposed_by} on {clock_time(answer.propose_time)}.")
    typer.echo(f"Lanes that differ: {_listed(answer.changed_lane_ids)}.")
    if answer.changed_truck_type_ids:
        typer.echo(f"Truck types that differ: {_listed(answer.changed_truck_type_ids)}.")
    typer.echo(f"Ready: {_listed(answer.acknowledged_truck_ids)}.")
    if not answer.blocks:
        typer.echo("Nothing blocks the switch: `fleet site switch`.")
        return
    rows: list[tuple[Any, ...]] = [
        (block.truck_id or "-", block.reason.replace("_", " "), block.subject_id or "-") for block in answer.blocks
    ]
    print_table(("truck", "blocks the switch", "about"), rows, "")


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - SHOWN_MAX
    return (", ".join(names[:SHOWN_MAX]) or "none") + (f" and {more} more" if more > 0 else "")
