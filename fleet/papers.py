"""
What somebody carries to say who he is: a folder with `ca.crt`, `me.crt` and `me.key`, as `fleet tls issue` makes it.

Read without `cryptography`, which no truck has: the library that comes with Python says whether key and certificate belong together.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, NoReturn

import grpc

from fleet.errors import Code, FleetError
from fleet.principal import SCHEME, PrincipalUnreadable, read_principal
from fleet.stamp import Stamp, stamp_of_files

# A URI stands in a certificate as plain bytes after its tag and their number; what follows them may look like letters too.
_URI: Final = re.compile(rb"\x86(?:([\x01-\x7f])|\x81([\x80-\xff]))(?=" + SCHEME.encode("ascii") + rb")", re.DOTALL)


@dataclass(eq=False)
class PapersUnusable(FleetError):
    """The folder does not have the three files of a bearer, ca.crt, me.crt and me.key, that belong together."""

    code: ClassVar[Code] = Code.PRECONDITION
    hint: ClassVar[str] = "`fleet tls issue` makes such folders, `fleet doctor --tls` looks into them."

    folder: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """The CAs somebody believes, his certificate and its key, in PEM; and what the files looked like when they were read."""

    ca: bytes
    certificate: bytes
    key: bytes = field(repr=False)
    stamp: Stamp

    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel."""
        return grpc.ssl_channel_credentials(root_certificates=self.ca, private_key=self.key, certificate_chain=self.certificate)


def read_papers(folder: Path) -> Papers:
    """
    Reads a bearer's folder.

    Raises:
        PapersUnusable: a file is missing, cannot be read or belongs to another; or they change just now.
    """
    stamp = stamp_of(folder)
    try:
        ca, key, certificate = (file.read_bytes() for file in _read_by_bearers(folder))
        mine = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        mine.load_cert_chain(folder / "me.crt", folder / "me.key", password=_no_password)
        mine.load_verify_locations(cadata=ca.decode("ascii"))
    except ssl.SSLError as fault:
        problem = "me.key is not the key of me.crt" if fault.reason == "KEY_VALUES_MISMATCH" else "one of them is no certificate or key"
        raise PapersUnusable(folder=str(folder), problem=problem) from fault
    except OSError as fault:
        raise PapersUnusable(folder=str(folder), problem=f"{Path(str(fault.filename)).name}: {fault.strerror}") from fault
    except ValueError as fault:
        raise PapersUnusable(folder=str(folder), problem="a file is no certificate, or its key has a password") from fault
    if stamp_of(folder) != stamp:
        raise PapersUnusable(folder=str(folder), problem="the files change just now")
    return Papers(ca=ca, certificate=certificate, key=key, stamp=stamp)


def name_of(folder: Path) -> str:
    """
    What the bearer of a folder is called, by the one name in his certificate; the server reads that by itself and believes no other.

    Raises:
        PapersUnusable: there is no certificate, or none that names one of ours.
    """
    certificate = folder / "me.crt"
    try:
        whole = ssl.PEM_cert_to_DER_cert(certificate.read_text("ascii"))
        found = _URI.search(whole)
        if found is None:
            _nameless(folder)
        length = (found[1] or found[2])[0]
        return read_principal(whole[found.end() : found.end() + length].decode("ascii")).name
    except OSError as fault:
        raise PapersUnusable(folder=str(folder), problem=f"me.crt: {fault.strerror}") from fault
    except (ValueError, PrincipalUnreadable) as fault:
        raise PapersUnusable(folder=str(folder), problem="me.crt is no certificate of ours") from fault


def _nameless(folder: Path) -> NoReturn:
    raise PapersUnusable(folder=str(folder), problem="me.crt names nobody")


def stamp_of(folder: Path) -> Stamp:
    """What a bearer's files look like now."""
    return stamp_of_files(_read_by_bearers(folder))


def _read_by_bearers(folder: Path) -> tuple[Path, ...]:
    return folder / "ca.crt", folder / "me.key", folder / "me.crt"


def _no_password() -> bytes:
    raise ValueError("a truck starts with nobody there to type one")
