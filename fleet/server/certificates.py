"""
The server's certificates, followed while it serves: what changes in their folder is in force a second later, without a stream dropped.

gRPC asks for the certificate to show at every handshake, one after the other, on a thread of its own: it is handed what was prepared.
Files are read on another thread; what cannot be used changes nothing, and is told once it has stayed so for a second.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import grpc

from fleet.clock import Clock, SystemClock
from fleet.log import Event, Log
from fleet.pki.certificates import ENDS_SOON
from fleet.pki.trust import CertificatesUnusable, ServerPapers, read_server_papers, stamp_of
from fleet.server.wire.identity_watch import IdentityWatch
from fleet.stamp import Stamp

CHECK_PERIOD_S: Final = 1.0  # half of what is promised: nobody is obeyed for 2 s after he has become nobody

_LOG: Final = Log("certificates")


class Certificates:
    """Of one server. Belongs to the thread of the streams, but for what gRPC's handshakes ask."""

    def __init__(self, folder: Path, site_id: str | None, clock: Clock | None = None) -> None:
        """
        Reads them for the first time. *site_id* is the site they must be of, None for whichever they are of.

        Raises:
            CertificatesUnusable: there is nothing to serve with.
        """
        self._folder = folder
        self._clock = SystemClock() if clock is None else clock
        self._papers = read_server_papers(folder, site_id, self._clock.utc())
        self._site_id = self._papers.trust.site_id
        self._configuration = _configuration(self._papers)
        self._shown = self._configuration
        self._unusable: Stamp | None = None
        self._told: Stamp | None = None
        self._warned: Stamp | None = None
        self.identities = IdentityWatch(self._papers.trust, self._clock)

    def credentials(self) -> grpc.ServerCredentials:
        """For a port: whoever connects must show a certificate of a CA that is believed by then."""
        # The stub does not know that None keeps what was shown before.
        return grpc.dynamic_ssl_server_credentials(self._configuration, self._newest, True)  # type: ignore[arg-type]

    async def follow(self) -> None:
        """Asks every stream once a second who it is, and takes over what changed in the folder; until cancelled."""
        reading: asyncio.Task[None] | None = None
        try:
            while True:
                await asyncio.sleep(CHECK_PERIOD_S)
                self.identities.check()
                self._warn()
                # A folder on a dead network drive keeps its thread, and nobody else.
                if reading is None or reading.done():
                    if reading is not None:
                        reading.result()
                    reading = asyncio.create_task(self.refresh())
        finally:
            if reading is not None:
                reading.cancel()

    async def refresh(self) -> None:
        """Reads the folder again if it changed; from then on nobody is believed by what it said before."""
        papers = await asyncio.to_thread(self._changed)
        if papers is None:
            return
        self._papers = papers
        self._configuration = _configuration(papers)
        self.identities.believe(papers.trust)
        _LOG.fact(Event.CERTIFICATES_CHANGED, **self.facts())

    def facts(self) -> dict[str, str | int]:
        """For the log: of which site they are, until when the server's own is good, and how many CAs and revocations there are."""
        trust = self._papers.trust
        return {
            "certified_site": trust.site_id,
            "ends": self._papers.ends.isoformat(),
            "cas": len(trust.cas),
            "revoked": len(trust.revoked),
        }

    def _changed(self) -> ServerPapers | None:
        stamp = stamp_of(self._folder)
        if stamp == self._papers.stamp:
            self._unusable = self._told = None
            return None
        try:
            return read_server_papers(self._folder, self._site_id, self._clock.utc())
        except CertificatesUnusable as fault:
            # Files are written one by one: what does not fit together now may in a moment.
            if self._unusable == stamp != self._told:
                self._told = stamp
                _LOG.alarm(Event.CERTIFICATES_UNUSABLE, **fault.facts())
            self._unusable = stamp
            return None

    def _warn(self) -> None:
        left = self._papers.ends - self._clock.utc()
        if left < ENDS_SOON and self._warned != self._papers.stamp:
            self._warned = self._papers.stamp
            _LOG.alarm(Event.CERTIFICATE_ENDS, ends=self._papers.ends.isoformat())

    def _newest(self) -> grpc.ServerCertificateConfiguration | None:
        # On gRPC's thread.
        configuration = self._configuration
        if configuration is self._shown:
            return None
        self._shown = configuration
        return configuration


def _configuration(papers: ServerPapers) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(papers.key, papers.certificate)], papers.ca)
