"""Who came with a certificate, and the reasons for which a server does not believe one. Every one of them is `UNAUTHENTICATED` on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from fleet.errors import Code, FleetError
from fleet.principal import Principal, PrincipalUnreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Who a certificate names, and by what it stands: *issuer* is the digest of its CA, times are those of both together."""

    principal: Principal
    serial: int
    issuer: bytes
    begins: datetime
    ends: datetime


@dataclass(eq=False)
class CertificateMissing(FleetError):
    """Nobody shows himself on this line: there is no certificate."""

    hint: ClassVar[str] = "Show one of this site's, as `fleet tls issue` makes them."


@dataclass(eq=False)
class CertificateUnfit(FleetError):
    """The certificate is not that of a caller: it cannot be read, or has another use."""

    problem: str


@dataclass(eq=False)
class NameUnfit(FleetError):
    """A certificate must carry exactly one URI, and one that names somebody."""

    hint: ClassVar[str] = PrincipalUnreadable.hint

    uris: str


@dataclass(eq=False)
class SiteForeign(FleetError):
    """The certificate is of another site."""

    uri: str
    site_id: str


@dataclass(eq=False)
class CertificateExpired(FleetError):
    """The certificate is not good now: it has ended, or has not begun."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "Issue a new one; if it looks good, compare the clocks."

    uri: str
    begins: str
    ends: str


@dataclass(eq=False)
class CertificateRevoked(FleetError):
    """The certificate was revoked."""

    code: ClassVar[Code] = Code.PRECONDITION

    uri: str
    serial: str


@dataclass(eq=False)
class IssuerUntrusted(FleetError):
    """The certificate is of a CA that this server does not trust, or no longer."""

    code: ClassVar[Code] = Code.PRECONDITION

    uri: str


DISBELIEVED: Final[tuple[type[FleetError], ...]] = (
    CertificateMissing,
    CertificateUnfit,
    NameUnfit,
    SiteForeign,
    CertificateExpired,
    CertificateRevoked,
    IssuerUntrusted,
)
