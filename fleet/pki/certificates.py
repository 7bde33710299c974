"""
Makes certificates, and says what is in them. Knows no folder and no clock: whoever calls says what time it is.

Keys are P-256. A CA signs everybody directly; there is no CA in between. A certificate carries one URI, its bearer's name, and its
use: a server's certificate says nothing for a client, and a client's serves nobody.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fleet.principal import SCHEME, Principal

# Clocks on trucks and servers differ; a certificate made now is good on one that lags.
BACKDATED: Final = timedelta(hours=1)
ENDS_SOON: Final = timedelta(days=7)  # what it takes to bring a new one to every truck
# What `cryptography` says of what is no certificate, key or list that it knows; some of it only when a field is looked at.
UNREADABLE: Final = (
    ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType,
)  # fmt: skip
_COMMON_NAME_MAX: Final = 64
_LEAF_USAGE: Final = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
    key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip
_CA_USAGE: Final = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
    key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and the key that belongs to it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate, as files have it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key, as files have it: not encrypted, its file's mode guards it."""
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """From when until when."""

    begins: datetime
    ends: datetime

    @staticmethod
    def of(now: datetime, lasts: timedelta) -> Validity:
        """From a little before *now*, for *lasts* after it."""
        return Validity(begins=now - BACKDATED, ends=now + lasts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """A serial number, and since when its bearer is nobody."""

    serial: int
    since: datetime


def site_uri(site_id: str) -> str:
    """The name of a site's CA."""
    return f"{SCHEME}{site_id}"


def server_uri(site_id: str) -> str:
    """The name of a site's server. It is no principal: a server asks nothing of itself."""
    return f"{SCHEME}{site_id}/server"


def new_ca(site_id: str, validity: Validity) -> Pair:
    """A CA of its own for a site; two of one site have different names, so that nobody mistakes the old for the new."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = _name(f"khulan CA {serial % (1 << 32):08x} of {site_id}")
    builder = (
        _builder(name, name, key, serial, validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_CA_USAGE, critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(site_uri(site_id))]), critical=False)
    )
    return Pair(certificate=builder.sign(key, hashes.SHA256()), key=key)


def new_server(ca: Pair, site_id: str, hosts: Sequence[str], validity: Validity) -> Pair:
    """A certificate for the server of a site, reached as any of *hosts* (names or addresses)."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(server_uri(site_id))]
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return _leaf(ca, names, f"server of {site_id}", ExtendedKeyUsageOID.SERVER_AUTH, validity)


def new_client(ca: Pair, principal: Principal, validity: Validity) -> Pair:
    """A certificate for somebody who calls the server."""
    return new_bearer(ca, [principal.uri], validity)


def new_bearer(ca: Pair, uris: Sequence[str], validity: Validity) -> Pair:
    """A client's certificate with any names, or none; for tests of what a server must refuse."""
    names = [x509.UniformResourceIdentifier(uri) for uri in uris]
    return _leaf(ca, names, (uris or ("nobody",))[0].removeprefix(SCHEME), ExtendedKeyUsageOID.CLIENT_AUTH, validity)


def new_crl(ca: Pair, revocations: Iterable[Revocation], number: int, now: datetime) -> bytes:
    """What *ca* has revoked, signed by it, in PEM. It lasts as long as its CA: a list that ran out would stop a fleet for nothing."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(now - BACKDATED)
        .next_update(ca.certificate.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
    )
    for revocation in revocations:
        entry = x509.RevokedCertificateBuilder().serial_number(revocation.serial).revocation_date(revocation.since)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def uris_of(certificate: x509.Certificate) -> list[str]:
    """Every URI among the names of *certificate*."""
    with suppress(x509.ExtensionNotFound):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.UniformResourceIdentifier)
    return []


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """Every host name and address among the names of *certificate*."""
    with suppress(x509.ExtensionNotFound):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return []


def serial_text(certificate: x509.Certificate) -> str:
    """The serial number as people and file names have it."""
    return f"{certificate.serial_number:x}"


def _leaf(ca: Pair, names: Sequence[x509.GeneralName], called: str, use: x509.ObjectIdentifier, validity: Validity) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(called), ca.certificate.subject, key, x509.random_serial_number(), validity)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_LEAF_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(certificate=builder.sign(ca.key, hashes.SHA256()), key=key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, serial: int, validity: Validity
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(validity.begins)
        .not_valid_after(validity.ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common: str) -> x509.Name:
    # For people only: nothing reads it.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:_COMMON_NAME_MAX])])
