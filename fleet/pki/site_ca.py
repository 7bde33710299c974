"""The CA of a site, in its folder: signs, revokes, is replaced. What `fleet tls` does, and what tests make their certificates with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fleet.pki import DAYS_USUAL, FIRST_SUPERVISOR
from fleet.pki import folder as files
from fleet.pki.certificates import (
    UNREADABLE,
    Pair,
    Revocation,
    Validity,
    hosts_of,
    new_ca,
    new_client,
    new_crl,
    new_server,
    serial_text,
    server_uri,
    uris_of,
)
from fleet.pki.folder import Folder, put
from fleet.pki.refusals import (
    CaExists,
    CaUnusable,
    ClockUnsound,
    FolderTaken,
    HostUnusable,
    NameShared,
    NobodyNamed,
    OutlivesCa,
    RevokedAlready,
    ServersIrrevocable,
    StillCarried,
)
from fleet.principal import SCHEME, Principal, Role

DAYS_CA: Final = 3650
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """One certificate ever signed. *state* is valid, expired, revoked, or untrusted: its CA was replaced."""

    uri: str
    serial: str
    begins: datetime
    ends: datetime
    state: str


class SiteCa:
    """A folder that can sign. *now* is the wall's time, aware."""

    cas: list[x509.Certificate]
    pair: Pair

    def __init__(self, path: Path, now: datetime) -> None:
        """
        Opens the CA in *path*.

        Raises:
            CaUnusable: there is none, or it cannot be read, or key and certificate are not of one CA.
            ClockUnsound: it has not begun or has ended.
        """
        self.folder = Folder(path)
        self._now = now
        self._look()
        self.site_id = next(iter(uris_of(self.cas[0])), "").removeprefix(SCHEME)
        begins, ends = self.cas[0].not_valid_before_utc, self.cas[0].not_valid_after_utc
        if not begins <= now < ends:
            raise ClockUnsound(now=_minute(now), begins=_minute(begins), ends=_minute(ends))

    @staticmethod
    def init(path: Path, site_id: str, now: datetime, hosts: Sequence[str] = (), supervisor: str = FIRST_SUPERVISOR) -> SiteCa:
        """
        Makes a CA, a certificate for the server, and one for the first supervisor.

        Raises:
            CaExists: *path* has one.
            PrincipalUnreadable: *site_id* or *supervisor* is no name.
            HostUnusable: one of *hosts* cannot be in a certificate.
        """
        folder = Folder(path)
        first = Principal(site_id=site_id, role=Role.SUPERVISOR, name=supervisor)
        if folder.ca.exists() or folder.ca_key.exists():
            raise CaExists(folder=str(path))
        _require_hosts(hosts)
        ca = new_ca(site_id, Validity.of(now, timedelta(days=DAYS_CA)))
        put(folder.ca_key, ca.key_pem, files.KEY_MODE)
        put(folder.ca, ca.pem)
        made = SiteCa(path, now)
        made._write_revoked([(made.pair, [])])
        made.renew_server(hosts)
        made.issue(first)
        return made

    def issue(self, principal: Principal, lasts: timedelta = timedelta(days=DAYS_USUAL), out: Path | None = None) -> Path:
        """
        Signs for *principal* and returns the folder it shall carry. What it had before stays good until it ends or is revoked.

        Raises:
            OutlivesCa: the CA ends before that.
            FolderTaken: *out* is somebody else's.
        """
        with self._alone():
            self._require_within(lasts)
            where = self.folder.issued_to(principal) if out is None else out
            _require_own(where, principal)
            pair = new_client(self.pair, principal, Validity.of(self._now, lasts))
            self._register(pair)
            # The certificate last: whoever waits for it to change finds the rest in place.
            put(where / files.CA, self.folder.ca.read_bytes())
            put(where / files.MY_KEY, pair.key_pem, files.KEY_MODE)
            put(where / files.MINE, pair.pem)
        return where

    def renew_server(self, hosts: Sequence[str] = (), lasts: timedelta = timedelta(days=DAYS_USUAL)) -> None:
        """
        Signs anew for the server, with loopback and *hosts* as its names.

        Raises:
            OutlivesCa: the CA ends before that.
            HostUnusable: one of *hosts* cannot be in a certificate.
        """
        with self._alone():
            self._sign_for_server(hosts, lasts)

    def revoke(self, name: str) -> list[Signed]:
        """
        Makes nobody of a bearer, by URI, by name or by one certificate's serial number; returns what was revoked.

        Raises:
            NobodyNamed, NameShared, RevokedAlready: no bearer, or more than one, or not any more.
            ServersIrrevocable: it is the server's.
            CaUnusable: a retired CA's key is gone, or the list of what it revoked.
        """
        with self._alone():
            chosen = self._chosen(name)
            if any(signed.uri == server_uri(self.site_id) for signed in chosen):
                raise ServersIrrevocable(name=name)
            fresh = [signed for signed in chosen if signed.state != "revoked"]
            if not fresh:
                raise RevokedAlready(name=name)
            serials = {signed.serial for signed in fresh}
            lists = []
            for ca in self.cas:
                now_revoked = [found.serial_number for found in self._signed_by(ca) if serial_text(found) in serials]
                fresh_of_ca = [Revocation(serial=serial, since=self._now) for serial in now_revoked]
                lists.append((self._pair_of(ca), [*self._revocations(ca), *fresh_of_ca]))
            self._write_revoked(lists)
        return fresh

    def rotate(self) -> None:
        """A second CA that signs from now on, beside the one that did: both are trusted until `finish`."""
        with self._alone():
            old = self.pair
            fresh = new_ca(self.site_id, Validity.of(self._now, timedelta(days=DAYS_CA)))
            put(self.folder.retired_key(serial_text(old.certificate)), old.key_pem, files.KEY_MODE)
            lists = [(fresh, []), *((self._pair_of(ca), self._revocations(ca)) for ca in self.cas)]
            self._write_revoked(lists)
            put(self.folder.ca_key, fresh.key_pem, files.KEY_MODE)
            self._write_cas([fresh.certificate, *self.cas])
            self.pair = fresh

    def finish(self) -> int:
        """
        Trusts only the CA that signs, and signs for the server with it; returns how many CAs went.

        Who still carries a certificate of one of those is nobody from then on.

        Raises:
            StillCarried: somebody was signed for by those alone.
        """
        with self._alone():
            if laggards := self._laggards():
                raise StillCarried(bearers=", ".join(laggards))
            gone = self.cas[1:]
            hosts = hosts_of(x509.load_pem_x509_certificate(self.folder.server.read_bytes()))
            self._sign_for_server(hosts)
            self._write_cas(self.cas[:1])
            self._write_revoked([(self.pair, self._revocations(self.pair.certificate))])
            for ca in gone:
                self.folder.retired_key(serial_text(ca)).unlink(missing_ok=True)
        return len(gone)

    def all_signed(self) -> list[Signed]:
        """Every certificate ever signed, by name, the newest first."""
        revoked = {serial_number for ca in self.cas for serial_number in self._revoked_by(ca)}
        found = [self._described(certificate, revoked) for certificate in self._registered()]
        return sorted(sorted(found, key=lambda signed: signed.begins, reverse=True), key=lambda signed: signed.uri)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One command at a time, each with what the one before it left: what was read on opening may be of before that."""
        with self.folder.held():
            self._look()
            yield

    def _look(self) -> None:
        self.cas = self._read_cas()
        self.pair = Pair(certificate=self.cas[0], key=self._key(self.folder.ca_key, self.cas[0]))

    def _sign_for_server(self, hosts: Sequence[str], lasts: timedelta = timedelta(days=DAYS_USUAL)) -> None:
        self._require_within(lasts)
        _require_hosts(hosts)
        pair = new_server(self.pair, self.site_id, tuple(dict.fromkeys((*LOOPBACK, *hosts))), Validity.of(self._now, lasts))
        self._register(pair)
        put(self.folder.server_key, pair.key_pem, files.KEY_MODE)
        put(self.folder.server, pair.pem)

    def _laggards(self) -> list[str]:
        signs = self.pair.certificate.subject
        valid = {signed.serial: signed.uri for signed in self.all_signed() if signed.state == "valid"}
        fresh = {valid.get(serial_text(found)) for found in self._registered() if found.issuer == signs}
        return sorted(set(valid.values()) - fresh - {server_uri(self.site_id)})

    def _described(self, certificate: x509.Certificate, revoked: set[int]) -> Signed:
        ends = certificate.not_valid_after_utc
        trusted = any(ca.subject == certificate.issuer for ca in self.cas)
        lives = "untrusted" if not trusted else "expired" if ends <= self._now else "valid"
        state = "revoked" if certificate.serial_number in revoked else lives
        uri = next(iter(uris_of(certificate)), "")
        return Signed(uri=uri, serial=serial_text(certificate), begins=certificate.not_valid_before_utc, ends=ends, state=state)

    def _chosen(self, name: str) -> list[Signed]:
        everybody = self.all_signed()
        named = [signed for signed in everybody if name in {signed.uri, _called(signed.uri)}]
        uris = sorted({signed.uri for signed in named})
        if len(uris) > 1:
            raise NameShared(name=name, uris=", ".join(uris))
        found = named or [signed for signed in everybody if signed.serial == name.lower()]
        if not found:
            raise NobodyNamed(name=name)
        return found

    def _registered(self) -> Iterator[x509.Certificate]:
        for path in sorted(self.folder.register.glob("*.crt")):
            yield x509.load_pem_x509_certificate(path.read_bytes())

    def _signed_by(self, ca: x509.Certificate) -> Iterator[x509.Certificate]:
        return (found for found in self._registered() if found.issuer == ca.subject)

    def _register(self, pair: Pair) -> None:
        put(self.folder.register / f"{serial_text(pair.certificate)}.crt", pair.pem)

    def _revoked_by(self, ca: x509.Certificate) -> dict[int, datetime]:
        try:
            lists = read_crls(self.folder.revoked.read_bytes())
        except (OSError, *UNREADABLE) as fault:
            raise CaUnusable(folder=str(self.folder.path), problem=f"revoked.crl: {fault}") from fault
        return {entry.serial_number: entry.revocation_date_utc for each in lists if each.issuer == ca.subject for entry in each}

    def _revocations(self, ca: x509.Certificate) -> list[Revocation]:
        return [Revocation(serial=serial, since=since) for serial, since in self._revoked_by(ca).items()]

    def _pair_of(self, ca: x509.Certificate) -> Pair:
        if ca == self.pair.certificate:
            return self.pair
        return Pair(certificate=ca, key=self._key(self.folder.retired_key(serial_text(ca)), ca))

    def _write_revoked(self, lists: Sequence[tuple[Pair, list[Revocation]]]) -> None:
        # A list's number rises with time: nobody needs to remember the last one.
        number = int(self._now.timestamp() * 1000)
        put(self.folder.revoked, b"".join(new_crl(pair, revocations, number, self._now) for pair, revocations in lists))

    def _write_cas(self, cas: Sequence[x509.Certificate]) -> None:
        content = b"".join(ca.public_bytes(serialization.Encoding.PEM) for ca in cas)
        # Clients first: none of them may meet a server that shows what it does not know yet.
        for carried in sorted(self.folder.issued.glob(f"*/{files.CA}")):
            put(carried, content)
        put(self.folder.ca, content)
        self.cas = list(cas)

    def _read_cas(self) -> list[x509.Certificate]:
        try:
            return x509.load_pem_x509_certificates(self.folder.ca.read_bytes())
        except (OSError, *UNREADABLE) as fault:
            raise CaUnusable(folder=str(self.folder.path), problem=f"ca.crt: {_why(fault)}") from fault

    def _key(self, path: Path, ca: x509.Certificate) -> ec.EllipticCurvePrivateKey:
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except (OSError, *UNREADABLE) as fault:
            raise CaUnusable(folder=str(self.folder.path), problem=f"{path.name}: {_why(fault)}") from fault
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != ca.public_key():
            raise CaUnusable(folder=str(self.folder.path), problem=f"{path.name} is not the key of the CA in ca.crt")
        return key

    def _require_within(self, lasts: timedelta) -> None:
        ends = self.pair.certificate.not_valid_after_utc
        if self._now + lasts > ends:
            raise OutlivesCa(days=lasts.days, ca_ends=_minute(ends))


def read_crls(content: bytes) -> list[x509.CertificateRevocationList]:
    """
    Every list in a file of them; `cryptography` reads one at a time.

    Raises:
        ValueError: one cannot be read, or there is none.
    """
    end = b"-----END X509 CRL-----"
    parts = [part + end for part in content.split(end)[:-1]]
    if not parts:
        raise ValueError("no list in it")
    return [x509.load_pem_x509_crl(part) for part in parts]


def _called(uri: str) -> str:
    parts = uri.removeprefix(SCHEME).split("/")
    return parts[2] if len(parts) > 2 else parts[-1]


def _require_hosts(hosts: Sequence[str]) -> None:
    for host in hosts:
        if not host or not host.isascii() or set(host) & set("/ @*,") or (host.count(":") == 1) or len(host) > 253:
            raise HostUnusable(host=host)


def _require_own(where: Path, principal: Principal) -> None:
    mine = where / files.MINE
    if not mine.exists():
        return
    try:
        bearer = ", ".join(uris_of(x509.load_pem_x509_certificate(mine.read_bytes())))
    except UNREADABLE:
        bearer = "unreadable"
    if bearer != principal.uri:
        raise FolderTaken(folder=str(where), bearer=bearer)


def _why(fault: Exception) -> str:
    return str(fault.strerror) if isinstance(fault, OSError) else "cannot be read as what it should be"


def _minute(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M")
