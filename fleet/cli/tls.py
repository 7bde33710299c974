"""`fleet tls`: certificates for a site of one's own CA. The folders' layout stands in `fleet.pki.folder`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fleet.cli.terminal import JsonOption, clock_time, commands, fail, print_done, print_json, print_table
from fleet.errors import FleetError
from fleet.pki import DAYS_USUAL, FIRST_SUPERVISOR
from fleet.principal import PLAIN, RANKS, Principal, Role

if TYPE_CHECKING:
    from fleet.pki.site_ca import SiteCa

SERVER: Final = "server"
OPERATOR: Final = "operator"
KINDS: Final = (*PLAIN, OPERATOR, SERVER)
DirOption = Annotated[Path, typer.Option("--dir", help="Folder of the site's CA.")]
HostOption = Annotated[
    list[str] | None, typer.Option("--host", help="Name or address of the server beside this machine's; may be repeated.")
]

app = commands("Certificates for a trial site. Example: fleet tls init tls --site mandula")


@contextmanager
def _saying() -> Iterator[None]:
    """Whatever is refused, or cannot be written, ends the command with a sentence and exit code 1."""
    try:
        yield
    except FleetError as refused:
        fail(str(refused))
    except OSError as fault:
        fail(f"{fault.filename}: {fault.strerror}.")


def _opened(folder: Path) -> SiteCa:
    # cryptography is loaded only when there is something to sign.
    from fleet.clock import SystemClock  # noqa: PLC0415
    from fleet.pki.site_ca import SiteCa  # noqa: PLC0415

    return SiteCa(folder, SystemClock().utc())


def _site_id(site: str) -> str:
    if not site.endswith((".yaml", ".yml")):
        return site
    from fleet.site import SiteError, load_site  # noqa: PLC0415 - numpy and shapely take a second

    try:
        return load_site(site).site_id
    except SiteError as wrong:
        fail(str(wrong))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the CA; made when it is not there.")],
    site: Annotated[str, typer.Option(help="The site's id, or its file.")],
    host: HostOption = None,
    supervisor: Annotated[str, typer.Option(help="Name of the first supervisor.")] = FIRST_SUPERVISOR,
    as_json: JsonOption = False,
) -> None:
    """
    Makes a CA for a site, a certificate for its server, and one for a first supervisor.

    Example: fleet tls init tls --site mandula --host control.mine.example
    """
    from fleet.clock import SystemClock  # noqa: PLC0415
    from fleet.pki.site_ca import SiteCa  # noqa: PLC0415

    with _saying():
        made = SiteCa.init(folder, _site_id(site), SystemClock().utc(), host or (), supervisor)
    carried = made.folder.issued_to(Principal(site_id=made.site_id, role=Role.SUPERVISOR, name=supervisor))
    words = (
        f"{made.site_id} has a CA in {folder}: keep {made.folder.ca_key} where nobody finds it, for a trial site only.",
        f"Serve with: fleet serve --site {site} --data data --tls {folder}",
        f"Ask with:   fleet truck list --tls {carried}",
    )
    print_done(words, {"site_id": made.site_id, "folder": folder, "ca_key": made.folder.ca_key, "supervisor": carried}, as_json=as_json)


@app.command()
def issue(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="A truck's id, a person's name; several get one each.")
    ] = None,
    role: Annotated[str, typer.Option(help=f"Of an operator: {', '.join(RANKS)}.")] = "",
    folder: DirOption = Path("tls"),
    days: Annotated[int, typer.Option(min=1, help="How long it is good.")] = DAYS_USUAL,
    out: Annotated[Path | None, typer.Option(help="Where to put what the bearer carries, instead of DIR/issued.")] = None,
    host: HostOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Signs for trucks, gateways, operators, customs and yards, or anew for the server; certificates they had stay good.

    Example: fleet tls issue truck T001 T002; fleet tls issue operator bataa --role dispatcher; fleet tls issue server
    """
    if kind not in KINDS:
        fail(f"nobody is a {kind!r}; there are {', '.join(KINDS)}.", 2)
    if (kind == OPERATOR) != bool(role) or (role and role not in RANKS):
        fail(f"an operator has a --role, one of {', '.join(RANKS)}; nobody else has.", 2)
    if (kind == SERVER) == bool(names) or (kind != SERVER and host):
        fail("each needs a name, but for the server, which has --host instead.", 2)
    if out is not None and len(names or ()) != 1:
        fail("--out is for one bearer.", 2)
    with _saying():
        ca = _opened(folder)
        if kind == SERVER:
            ca.renew_server(host or (), timedelta(days=days))
            print_done(
                [f"{ca.folder.server} is new; a server that serves shows it within seconds."], {"server": ca.folder.server}, as_json=as_json
            )
            return
        bearers = [Principal(site_id=ca.site_id, role=Role(role or kind), name=name) for name in names or ()]
        issued = {bearer.uri: ca.issue(bearer, timedelta(days=days), out) for bearer in bearers}
    print_done([f"{uri}: {at}" for uri, at in issued.items()], issued, as_json=as_json)


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="A name, a URI, or the serial number of one certificate.")],
    folder: DirOption = Path("tls"),
    as_json: JsonOption = False,
) -> None:
    """
    Makes nobody of a bearer: a server that serves cuts it off within two seconds. A truck keeps its road and stops on it.

    Example: fleet tls revoke T001
    """
    with _saying():
        gone = list(_opened(folder).revoke(name))
    words = [f"Revoked {each.uri}, serial {each.serial}." for each in gone]
    print_done(words, {"revoked": [{"uri": each.uri, "serial": str(each.serial)} for each in gone]}, as_json=as_json)


@app.command(name="list")
def list_signed(folder: DirOption = Path("tls"), as_json: JsonOption = False) -> None:
    """
    Lists every certificate ever signed, and whether it is good.

    Example: fleet tls list --json
    """
    with _saying():
        signed = _opened(folder).all_signed()
    if as_json:
        print_json(signed)
    else:
        rows = [(each.state, each.uri, clock_time(each.begins), clock_time(each.ends), each.serial) for each in signed]
        print_table(("state", "bearer", "from", "until", "serial"), rows, "None.")


@app.command()
def rotate(
    folder: DirOption = Path("tls"),
    *,
    finish: Annotated[bool, typer.Option("--finish", help="Trust the new CA alone.")] = False,
    as_json: JsonOption = False,
) -> None:
    """
    Replaces the CA while the fleet runs: makes a second one; then issue to everybody anew, bring it there, and finish.

    Example: fleet tls rotate, later fleet tls rotate --finish
    """
    with _saying():
        ca = _opened(folder)
        if finish:
            gone = ca.finish()
            words = (
                f"{ca.site_id} trusts one CA; {gone} went." if gone else f"{ca.site_id} had one CA only; its server's certificate is new."
            )
            print_done([words], {"site_id": ca.site_id, "cas": 1, "gone": gone}, as_json=as_json)
            return
        ca.rotate()
    next_step = "Now bring ca.crt to everybody, issue to each anew (`fleet tls list` shows to whom), then: fleet tls rotate --finish"
    said = [f"{ca.site_id} trusts {len(ca.cas)} CAs; the new one signs.", next_step]
    print_done(said, {"site_id": ca.site_id, "cas": len(ca.cas)}, as_json=as_json)
