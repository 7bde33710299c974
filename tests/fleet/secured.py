"""A real server behind certificates of a site's own CA, and lines to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from fleet.clock import SystemClock
from fleet.papers import read_papers
from fleet.pki.certificates import Pair, Validity, new_bearer
from fleet.pki.site_ca import SiteCa
from fleet.principal import Principal, Role
from fleet.server.app import Server
from fleet.server.certificates import Certificates
from fleet.server.settings import ServerSettings
from fleet.site import load_site
from planner.corridor import Corridor

SITE_ID = "mandula"
CORRIDOR = load_site(SITE_ID)
YEAR = timedelta(days=365)


def somebody(role: Role, name: str, site_id: str = SITE_ID) -> Principal:
    """Somebody of this site."""
    return Principal(site_id=site_id, role=role, name=name)


def unheard_of(pem: bytes) -> bytes:
    """The certificate *pem*, as if of a version that there is none of."""
    der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    return ssl.DER_cert_to_PEM_cert(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)).encode()


@dataclass
class Served:
    """A server, its CA's folder, and every line that was opened to it."""

    server: Server
    address: str
    path: Path
    channels: list[grpc.aio.Channel] = field(default_factory=list)
    lines: dict[Principal, grpc.aio.Channel] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The folder of its journal."""
        return self.path / "data"

    @property
    def ca(self) -> SiteCa:
        """The CA, as it is now."""
        return SiteCa(self.path / "tls", SystemClock().utc())

    @property
    def certificates(self) -> Certificates:
        """What the server follows."""
        assert self.server._certificates is not None
        return self.server._certificates

    def line(self, folder: Path) -> grpc.aio.Channel:
        """A line of whoever carries *folder*."""
        return self._opened(read_papers(folder).credentials())

    def line_of(self, role: Role, name: str) -> grpc.aio.Channel:
        """The one line of that person, truck or office, whose certificate is issued when he first comes."""
        who = somebody(role, name)
        if who not in self.lines:
            self.lines[who] = self.line(self.ca.issue(who))
        return self.lines[who]

    def line_with(self, ca: SiteCa, pair: Pair) -> grpc.aio.Channel:
        """A line of whoever has *pair*, to the server that is known by *ca*."""
        return self._opened(grpc.ssl_channel_credentials(ca.folder.ca.read_bytes(), pair.key_pem, pair.pem))

    def line_named(self, *uris: str, ca: SiteCa | None = None) -> grpc.aio.Channel:
        """A line with a certificate with these names, signed by *ca*, usually the site's."""
        validity = Validity.of(SystemClock().utc(), YEAR)
        return self.line_with(self.ca, new_bearer((ca or self.ca).pair, uris, validity))

    def line_without(self) -> grpc.aio.Channel:
        """A line that knows the server and shows nothing."""
        return self._opened(grpc.ssl_channel_credentials(self.ca.folder.ca.read_bytes()))

    def plain_line(self) -> grpc.aio.Channel:
        """A line in plaintext."""
        self.channels.append(grpc.aio.insecure_channel(self.address, options=(("grpc.use_local_subchannel_pool", 1),)))
        return self.channels[-1]

    def _opened(self, credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
        # Of its own connection: two lines with one certificate would share one.
        options = (("grpc.use_local_subchannel_pool", 1),)
        self.channels.append(grpc.aio.secure_channel(self.address, credentials, options=options))
        return self.channels[-1]


@asynccontextmanager
async def serving(path: Path, corridor: Corridor = CORRIDOR, kind: type[Server] = Server) -> AsyncIterator[Served]:
    """A server over the journal and the certificates in *path*, which are made if they are not there."""
    if not (path / "tls").exists():
        SiteCa.init(path / "tls", corridor.site_id, SystemClock().utc())
    server = kind(corridor, ServerSettings(data=path / "data", listen="127.0.0.1:0", day_start_s=36_000, tls=path / "tls"))
    running = await server.start()
    served = Served(server=server, address=running.address, path=path)
    try:
        yield served
    finally:
        for channel in served.channels:
            await channel.close()
        server.ask_to_end()
        await server.stop()


async def fault_of(call: Any, within_s: float = 20.0) -> tuple[grpc.StatusCode, str]:
    """How a call ended: its code, and the server's name for the reason, empty for none. What a stream still says is read."""
    async with asyncio.timeout(within_s):
        with suppress(grpc.aio.AioRpcError):
            while hasattr(call, "read") and await call.read() is not grpc.aio.EOF:
                pass
        code = await call.code()
    status = await rpc_status.aio.from_call(call)
    found = error_details_pb2.ErrorInfo()
    if status is None or not status.details or not status.details[0].Unpack(found):
        return code, ""
    return code, found.reason
