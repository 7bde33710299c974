"""
Who somebody is: the one name a certificate carries, and the role that name gives.

A name is a URI, `spiffe://<site>/truck/<id>`, `/gateway/<id>`, `/customs/<id>`, `/yard/<id>` or `/operator/<id>/<rank>`, in the form of
SPIFFE-ID (the SPIFFE project's standard). A certificate carries exactly one. Nothing else in a certificate is read, so that there is one
place to look when somebody asks who did it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from fleet.errors import Code, FleetError

SCHEME: Final = "spiffe://"
URI_CHARACTERS_MAX: Final = 255  # half of what SPIFFE allows to one, and more than any of ours needs
_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Role(StrEnum):
    """What somebody may do; the table of remote calls and roles says what that is."""

    TRUCK = "truck"
    GATEWAY = "gateway"
    VIEWER = "viewer"
    DISPATCHER = "dispatcher"
    SUPERVISOR = "supervisor"
    CUSTOMS = "customs"
    YARD = "yard"
    LOOPBACK = "loopback"  # nobody's certificate: whoever is on this machine, where plaintext is served


RANKS: Final = (Role.VIEWER, Role.DISPATCHER, Role.SUPERVISOR)  # of operators, each may do what the one before may
PLAIN: Final = (Role.TRUCK, Role.GATEWAY, Role.CUSTOMS, Role.YARD)


@dataclass(eq=False)
class PrincipalUnreadable(FleetError):
    """A name is not one of ours."""

    code: ClassVar[Code] = Code.INVALID
    hint: ClassVar[str] = "Names look like spiffe://SITE/truck/T001 or spiffe://SITE/operator/bataa/dispatcher."

    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody of a site, in one role. *name* is a truck's id, a gateway's, a person's or an office's."""

    site_id: str
    role: Role
    name: str

    def __post_init__(self) -> None:
        if self.role is Role.LOOPBACK or not _PART.fullmatch(self.site_id) or not _PART.fullmatch(self.name):
            raise PrincipalUnreadable(uri=self.uri)

    @property
    def uri(self) -> str:
        """As a certificate carries it."""
        middle = f"operator/{self.name}/{self.role}" if self.role in RANKS else f"{self.role}/{self.name}"
        return f"{SCHEME}{self.site_id}/{middle}"


def read_principal(uri: str) -> Principal:
    """
    Who *uri* names.

    Raises:
        PrincipalUnreadable: it names nobody, or is no name of ours.
    """
    parts = uri.removeprefix(SCHEME).split("/")
    if not uri.startswith(SCHEME) or len(uri) > URI_CHARACTERS_MAX or len(parts) not in {3, 4}:
        raise PrincipalUnreadable(uri=uri[:URI_CHARACTERS_MAX])
    site_id, kind, name = parts[:3]
    ranked = len(parts) == 4 and kind == "operator"
    role = next((role for role in (RANKS if ranked else PLAIN) if role == (parts[3] if ranked else kind)), None)
    if role is None or ranked != (len(parts) == 4):
        raise PrincipalUnreadable(uri=uri)
    return Principal(site_id=site_id, role=role, name=name)
