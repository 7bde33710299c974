"""
Whom a server believes, and what it shows: its folder, read whole and checked before anything of it is used.

A handshake asks once; a stream lasts for days. So what a certificate says is kept, and asked again of whatever is trusted by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from fleet.errors import Code, FleetError
from fleet.pki.bearers import (
    Bearer,
    CertificateExpired,
    CertificateRevoked,
    CertificateUnfit,
    IssuerUntrusted,
    NameUnfit,
    SiteForeign,
)
from fleet.pki.certificates import UNREADABLE, serial_text, server_uri, uris_of
from fleet.pki.folder import Folder
from fleet.pki.site_ca import read_crls
from fleet.principal import SCHEME, PrincipalUnreadable, read_principal
from fleet.stamp import Stamp, stamp_of_files

_TOLD_MAX: Final = 300  # characters of a stranger's certificate that reach a log


@dataclass(eq=False)
class CertificatesUnusable(FleetError):
    """The folder cannot be served with."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "`fleet doctor --tls` looks into it; `fleet tls init` makes one for a trial site."

    folder: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Which CAs are believed about whom. *cas* by digest; *revoked* are digests of CAs with serial numbers."""

    site_id: str
    cas: Mapping[bytes, x509.Certificate]
    revoked: frozenset[tuple[bytes, int]]

    def identify(self, pem: bytes) -> Bearer:
        """
        Who shows the certificate *pem*, whatever the time and whether revoked or not.

        Raises:
            CertificateUnfit: it cannot be read, or is not a caller's.
            NameUnfit: it has no URI, or two, or one that names nobody.
            SiteForeign: it names somebody of another site.
            IssuerUntrusted: no CA that is believed signed it.
        """
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            uris = uris_of(certificate)
            fit = _is_callers(certificate)
        except UNREADABLE as fault:
            raise CertificateUnfit(problem="it cannot be read") from fault
        if not fit:
            raise CertificateUnfit(problem="it is not for callers")
        if len(uris) != 1:
            raise NameUnfit(uris=(", ".join(uris) or "none")[:_TOLD_MAX])
        try:
            principal = read_principal(uris[0])
        except PrincipalUnreadable as unreadable:
            raise NameUnfit(uris=uris[0][:_TOLD_MAX]) from unreadable
        if principal.site_id != self.site_id:
            raise SiteForeign(uri=principal.uri, site_id=self.site_id)
        issuer = next((digest for digest, ca in self.cas.items() if is_signed_by(ca, certificate)), None)
        if issuer is None:
            raise IssuerUntrusted(uri=principal.uri)
        ca = self.cas[issuer]
        return Bearer(
            principal=principal,
            serial=certificate.serial_number,
            issuer=issuer,
            begins=max(certificate.not_valid_before_utc, ca.not_valid_before_utc),
            ends=min(certificate.not_valid_after_utc, ca.not_valid_after_utc),
        )

    def refusal(self, bearer: Bearer, now: datetime) -> FleetError | None:
        """Why *bearer* is nobody now, or None."""
        uri = bearer.principal.uri
        if bearer.issuer not in self.cas:
            return IssuerUntrusted(uri=uri)
        if (bearer.issuer, bearer.serial) in self.revoked:
            return CertificateRevoked(uri=uri, serial=f"{bearer.serial:x}")
        if not bearer.begins <= now < bearer.ends:
            return CertificateExpired(uri=uri, begins=bearer.begins.isoformat(), ends=bearer.ends.isoformat())
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPapers:
    """What a server shows, and whom it believes. *ends* is when the certificate it shows does; *stamp* what its files looked like."""

    trust: Trust
    ca: bytes
    certificate: bytes
    key: bytes = field(repr=False)
    ends: datetime
    stamp: Stamp


def read_server_papers(path: Path, site_id: str | None, now: datetime) -> ServerPapers:
    """
    Reads a server's folder; *site_id* is the site it must be of, None for that of the certificate in it.

    Raises:
        CertificatesUnusable: something is missing, or does not fit the rest, or is of another site, or has ended.
    """
    stamp = stamp_of(path)
    try:
        ca_pem, crl_pem, server_pem, key_pem = (file.read_bytes() for file in _read_by_servers(path))
    except OSError as fault:
        raise CertificatesUnusable(folder=str(path), problem=f"{fault.filename}: {fault.strerror}") from fault
    try:
        cas = {ca.fingerprint(hashes.SHA256()): ca for ca in x509.load_pem_x509_certificates(ca_pem)}
        server = x509.load_pem_x509_certificate(server_pem)
        key = serialization.load_pem_private_key(key_pem, None)
        revoked = _revoked(cas, read_crls(crl_pem))
        site_id = site_id or next((uri.removeprefix(SCHEME).partition("/")[0] for uri in uris_of(server)), "")
        problem = _problem_of(server, site_id, cas, now)
        if key.public_key() != server.public_key():
            problem = "server.key is not the key of server.crt"
    except UNREADABLE as fault:
        raise CertificatesUnusable(folder=str(path), problem="a file is not the certificates, key or list that it should be") from fault
    if stamp_of(path) != stamp:
        problem = "its files change just now"
    if problem:
        raise CertificatesUnusable(folder=str(path), problem=problem)
    trust = Trust(site_id=site_id, cas=cas, revoked=revoked)
    return ServerPapers(trust=trust, ca=ca_pem, certificate=server_pem, key=key_pem, ends=server.not_valid_after_utc, stamp=stamp)


def stamp_of(path: Path) -> Stamp:
    """What a server's files look like now."""
    return stamp_of_files(_read_by_servers(path))


def _read_by_servers(path: Path) -> tuple[Path, ...]:
    folder = Folder(path)
    return folder.ca, folder.revoked, folder.server, folder.server_key


def _revoked(cas: Mapping[bytes, x509.Certificate], lists: list[x509.CertificateRevocationList]) -> frozenset[tuple[bytes, int]]:
    """Every CA's own list; a CA without one could have revoked anybody."""
    revoked = set()
    for digest, ca in cas.items():
        own = [each for each in lists if each.issuer == ca.subject and each.is_signature_valid(ca.public_key())]  # type: ignore[arg-type]
        if not own:
            raise ValueError("no list of this CA")
        revoked |= {(digest, entry.serial_number) for each in own for entry in each}
    return frozenset(revoked)


def _problem_of(server: x509.Certificate, site_id: str, cas: Mapping[bytes, x509.Certificate], now: datetime) -> str:
    uris = uris_of(server)
    if uris != [server_uri(site_id)]:
        return f"server.crt is of {', '.join(uris) or 'nobody'}, the site is {site_id}"
    if not any(is_signed_by(ca, server) for ca in cas.values()):
        return "server.crt is signed by none of the CAs in ca.crt"
    if not server.not_valid_before_utc <= now < server.not_valid_after_utc:
        return f"server.crt is good from {server.not_valid_before_utc} to {server.not_valid_after_utc} only"
    ended = [serial_text(ca) for ca in cas.values() if not ca.not_valid_before_utc <= now < ca.not_valid_after_utc]
    return f"no CA in ca.crt is good now ({', '.join(ended)})" if len(ended) == len(cas) else ""


def is_signed_by(ca: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether *ca* signed *certificate*."""
    try:
        certificate.verify_directly_issued_by(ca)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def _is_callers(certificate: x509.Certificate) -> bool:
    extensions = certificate.extensions
    try:
        use = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in use and not constraints.ca
