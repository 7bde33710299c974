"""
The folder of a site's certificates: what lies where, and how it is written.

    DIR/ca.crt              the CAs that are trusted, PEM, the one that signs first; several while one replaces another
    DIR/ca.key              key of the first of them
    DIR/retired/SERIAL.key  keys of the others, kept to revoke what they signed
    DIR/revoked.crl         for each of the CAs what it has revoked, signed by it, PEM
    DIR/server.crt, .key    what the server shows
    DIR/register/SERIAL.crt every certificate ever signed, without its key: what `fleet tls list` shows and `revoke` looks up
    DIR/issued/ROLE-NAME/   what somebody carries to talk to the server; `fleet tls issue --out` puts it elsewhere:
        ca.crt              the CAs by which it knows the server
        me.crt, me.key      its own certificate and key

`fleet serve --tls DIR` reads ca.crt, revoked.crl, server.crt and server.key, and again whenever one changes. Keep the rest elsewhere:
who has ca.key can be anybody. A client's `--tls` is a folder with ca.crt, me.crt and me.key. Keys have mode 0600.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet.durable import write_whole
from fleet.principal import Principal

CA: Final = "ca.crt"
MINE: Final = "me.crt"
MY_KEY: Final = "me.key"
KEY_MODE: Final = 0o600
OPEN_MODE: Final = 0o644


@dataclass(frozen=True, slots=True)
class Folder:
    """Where things lie."""

    path: Path

    @property
    def ca(self) -> Path:
        """The CAs that are trusted."""
        return self.path / CA

    @property
    def ca_key(self) -> Path:
        """Key of the CA that signs."""
        return self.path / "ca.key"

    @property
    def revoked(self) -> Path:
        """What was revoked."""
        return self.path / "revoked.crl"

    @property
    def server(self) -> Path:
        """The server's certificate."""
        return self.path / "server.crt"

    @property
    def server_key(self) -> Path:
        """The server's key."""
        return self.path / "server.key"

    @property
    def register(self) -> Path:
        """Every certificate ever signed."""
        return self.path / "register"

    @property
    def issued(self) -> Path:
        """Folders of those who got one."""
        return self.path / "issued"

    def retired_key(self, serial: str) -> Path:
        """Key of a CA that no longer signs."""
        return self.path / "retired" / f"{serial}.key"

    def issued_to(self, principal: Principal) -> Path:
        """What *principal* carries, unless it was put elsewhere."""
        return self.issued / f"{principal.role}-{principal.name}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """One command at a time: of two that change the folder, neither may lose the other's word."""
        with (self.path / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def put(path: Path, content: bytes, mode: int = OPEN_MODE) -> None:
    """Writes a file whole or not at all, durably, never readable by more than *mode* says, and with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, content, mode)
