"""A real server behind mutual TLS, and channels of everybody who may call it, each with a certificate of a site's own CA."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc

from fleet.pki.site_ca import SiteCa
from fleet.principal import RANKS, Principal, Role
from fleet.server.app import Server
from fleet.server.settings import ServerSettings
from fleet.site import load_site

SITE_ID = "mandula"
CORRIDOR = load_site(SITE_ID)


class CertifiedServer(Server):
    """Serves behind the certificates of its settings' folder, and by a mistake somebody might make without any as well."""

    plain_port = 0

    def _listen(self) -> str:
        self.plain_port = self._grpc.add_insecure_port("127.0.0.1:0")
        return super()._listen()


@dataclass
class Party:
    """One server, its CA, and whoever was introduced."""

    server: CertifiedServer
    address: str
    ca: SiteCa
    data: Path
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    def principal(self, role: Role, name: str) -> Principal:
        """Somebody of this site."""
        return Principal(site_id=SITE_ID, role=role, name=name)

    def channel(self, role: Role, name: str) -> grpc.aio.Channel:
        """A line of that person, truck or office."""
        who = self.principal(role, name)
        if who.uri not in self.channels:
            folder = self.ca.issue(who)
            self.channels[who.uri] = self.channel_with(folder)
        return self.channels[who.uri]

    def channel_with(self, folder: Path) -> grpc.aio.Channel:
        """A line with the certificate in *folder*."""
        ca, certificate, key = ((folder / name).read_bytes() for name in ("ca.crt", "me.crt", "me.key"))
        credentials = grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=certificate)
        options = (("grpc.use_local_subchannel_pool", 1),)
        return grpc.aio.secure_channel(self.address.replace("127.0.0.1", "localhost"), credentials, options)


def name_of(role: Role) -> str:
    """Somebody in that role: a yard's name is a yard's."""
    return "mn" if role is Role.YARD else f"{role}-1" if role not in RANKS else f"op.{role}"


@asynccontextmanager
async def party(folder: Path) -> AsyncIterator[Party]:
    """A server of this site, serving."""
    ca = SiteCa.init(folder / "tls", SITE_ID, datetime.now(UTC))
    server = CertifiedServer(CORRIDOR, ServerSettings(data=folder / "data", listen="127.0.0.1:0", day_start_s=36_000, tls=folder / "tls"))
    running = await server.start()
    made = Party(server=server, address=running.address, ca=ca, data=folder / "data")
    try:
        yield made
    finally:
        for channel in made.channels.values():
            await channel.close()
        server.ask_to_end()
        await server.stop()
