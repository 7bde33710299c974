"""Looks into a folder of certificates, a server's or a bearer's, and says of each thing whether it is sound; for `fleet doctor`."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from fleet.errors import FleetError
from fleet.pki.certificates import ENDS_SOON, UNREADABLE, server_uri, uris_of
from fleet.pki.folder import CA, MINE, MY_KEY, Folder
from fleet.pki.site_ca import read_crls
from fleet.pki.trust import Trust, is_signed_by
from fleet.principal import SCHEME

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing that was looked at."""

    what: str
    sound: bool
    found: str
    advice: str = ""


def examine(path: Path, now: datetime) -> Iterator[Found]:
    """Everything in *path*; what else is wrong with it follows from the first thing that is."""
    folder = Folder(path)
    cas = _certificates(path / CA)
    if not cas:
        yield Found(
            what=CA, sound=False, found=f"no certificate in {path / CA}", advice="Make a folder with `fleet tls init` or `fleet tls issue`."
        )
        return
    yield from (_lasting(f"{CA} of {_names(ca)}", ca, now, "Replace it with `fleet tls rotate`.") for ca in cas)
    bearer, server = (path / MINE).exists(), folder.server.exists()
    if not bearer and not server:
        yield Found(what=MINE, sound=False, found="neither me.crt nor server.crt is there", advice="Issue one with `fleet tls issue`.")
    if bearer:
        yield from _pair(path / MINE, path / MY_KEY, cas, now)
        yield _bearer(path / MINE, cas)
    if server:
        yield from _pair(folder.server, folder.server_key, cas, now)
        yield from _server(folder, cas)
    if folder.ca_key.exists():
        yield _matching(folder.ca_key, cas[0])


def _pair(path: Path, key: Path, cas: list[x509.Certificate], now: datetime) -> Iterator[Found]:
    """A certificate and its key: they belong together, a CA stands behind them, and they are good for a while."""
    own = _certificates(path)
    if not own:
        yield Found(what=path.name, sound=False, found="cannot be read", advice="Issue it anew.")
        return
    signed = any(is_signed_by(ca, own[0]) for ca in cas)
    found = "a CA in ca.crt signed it" if signed else "no CA in ca.crt signed it"
    yield Found(what=f"{path.name} and {CA}", sound=signed, found=found, advice="Copy ca.crt anew, or issue it anew.")
    yield _lasting(path.name, own[0], now, "Issue it anew.")
    yield _matching(key, own[0])


def _bearer(path: Path, cas: list[x509.Certificate]) -> Found:
    # As a server looks at it; of which site that is, the CA says.
    trust = Trust(site_id=_site_of(cas), cas={ca.fingerprint(hashes.SHA256()): ca for ca in cas}, revoked=frozenset())
    try:
        uri = trust.identify(path.read_bytes()).principal.uri
    except (OSError, FleetError) as refused:
        return Found(what="bearer", sound=False, found=str(refused), advice="Issue it anew with `fleet tls issue`.")
    return Found(what="bearer", sound=True, found=uri)


def _server(folder: Folder, cas: list[x509.Certificate]) -> Iterator[Found]:
    own = _certificates(folder.server)
    if own:
        named = uris_of(own[0]) == [server_uri(_site_of(cas))]
        yield Found(what="server", sound=named, found=_names(own[0]), advice="Issue it anew with `fleet tls issue server`.")
    try:
        lists = read_crls(folder.revoked.read_bytes())
        missing = [ca for ca in cas if not any(each.is_signature_valid(ca.public_key()) for each in lists)]  # type: ignore[arg-type]
        problem = "" if not missing else "a CA has no list in it that it signed"
    except (OSError, *UNREADABLE) as fault:
        lists, problem = [], str(fault)
    count = sum(len(each) for each in lists)
    yield Found(what="revoked.crl", sound=not problem, found=problem or f"{count} revoked", advice="Bring it from where the CA is.")


def _lasting(what: str, certificate: x509.Certificate, now: datetime, advice: str) -> Found:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        return Found(what=what, sound=False, found=f"not good before {begins:%Y-%m-%d %H:%M}", advice="Compare this machine's clock.")
    if now >= ends:
        return Found(what=what, sound=False, found=f"ended {ends:%Y-%m-%d %H:%M}", advice=advice)
    soon = ends - now < ENDS_SOON
    return Found(what=what, sound=not soon, found=f"{'ends soon, ' if soon else 'good until '}{ends:%Y-%m-%d %H:%M}", advice=advice)


def _matching(path: Path, certificate: x509.Certificate) -> Found:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, *UNREADABLE) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "is no key without a password"
        return Found(what=path.name, sound=False, found=str(why), advice="Issue certificate and key anew.")
    if key.public_key() != certificate.public_key():
        return Found(what=path.name, sound=False, found="is the key of another certificate", advice="Issue certificate and key anew.")
    open_to_others = bool(mode & _OTHERS)
    found = f"mode {mode:04o}" + (", others can read it" if open_to_others else "")
    return Found(what=path.name, sound=not open_to_others, found=found, advice=f"chmod 600 {path}")


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
        for certificate in found:  # what is looked at below
            uris_of(certificate)
            certificate.public_key()
    except (OSError, *UNREADABLE):
        return []
    return found


def _site_of(cas: list[x509.Certificate]) -> str:
    return next((uri.removeprefix(SCHEME) for ca in cas for uri in uris_of(ca)), "")


def _names(certificate: x509.Certificate) -> str:
    return ", ".join(uris_of(certificate)) or "nobody"
