"""What the CA of a site refuses, each with the next thing to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fleet.errors import Code, FleetError


@dataclass(eq=False)
class CaExists(FleetError):
    """The folder has a CA already; a new one would make strangers of everybody the old one signed."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Issue with `fleet tls issue`, replace it with `fleet tls rotate`, or name another folder."

    folder: str


@dataclass(eq=False)
class CaUnusable(FleetError):
    """The folder has no CA that can sign."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Make one with `fleet tls init DIR --site SITE`, or name its folder with --dir."

    folder: str
    problem: str


@dataclass(eq=False)
class ClockUnsound(FleetError):
    """This machine's clock lies outside the life of the CA: what it signs now would be good for nobody."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Set the clock; if it is right, the CA has ended: make one in another folder."

    now: str
    begins: str
    ends: str


@dataclass(eq=False)
class OutlivesCa(FleetError):
    """The certificate would end after the CA that signs it."""

    hint: ClassVar[str] = "Give fewer --days, or replace the CA with `fleet tls rotate`."

    days: int
    ca_ends: str


@dataclass(eq=False)
class HostUnusable(FleetError):
    """A server's name cannot be in a certificate."""

    hint: ClassVar[str] = "Give a host name or an address without scheme and port, as clients will call it."

    host: str


@dataclass(eq=False)
class FolderTaken(FleetError):
    """The folder holds the certificate of somebody else."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "One folder, one bearer: name another with --out."

    folder: str
    bearer: str


@dataclass(eq=False)
class NobodyNamed(FleetError):
    """No certificate was ever signed for this name, URI or serial number."""

    hint: ClassVar[str] = "`fleet tls list` shows them."

    name: str


@dataclass(eq=False)
class NameShared(FleetError):
    """Several bearers have this name."""

    hint: ClassVar[str] = "Give the URI of the one you mean."

    name: str
    uris: str


@dataclass(eq=False)
class StillCarried(FleetError):
    """Some still carry a certificate of the CA that shall go, and none of the one that stays; they would be nobody."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Issue to each of them, bring it there, then finish; or revoke those who shall not come back."

    bearers: str


@dataclass(eq=False)
class RevokedAlready(FleetError):
    """Every certificate of this name was revoked before."""

    code: ClassVar[Code] = Code.PRECONDITION

    name: str


@dataclass(eq=False)
class ServersIrrevocable(FleetError):
    """No client reads the list of the revoked: who has a server's key can pose as the server for as long as its CA is trusted."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "If the key was lost, replace the CA: `fleet tls rotate`, issue to everybody, then `fleet tls rotate --finish`."

    name: str
